"""Sequences as scikit-learn hands them around: (trial, time, input) arrays, filled up with NaN where they end early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from cortwin.errors import CortwinError


def padded(sequences: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Return sequences of unequal length as one array, each filled up with NaN.

    Parameters
    ----------
    sequences : one (time, input) array for each trial

    Returns
    -------
    (trial, time, input) array

    Raises
    ------
    CortwinError
        If there is none, one is empty, or one has other inputs than the first.
    """
    arrays = [np.asarray(sequence, dtype=np.float64) for sequence in sequences]
    if not arrays:
        raise CortwinError("there are no sequences to pad")
    for trial, array in enumerate(arrays):
        if array.ndim != 2 or not array.size or array.shape[1] != arrays[0].shape[-1]:
            raise CortwinError(
                f"the shape of sequence {trial} is {array.shape}, expected (time, input) with as many inputs as the "
                f"first, {arrays[0].shape}"
            )
    found = np.full((len(arrays), max(map(len, arrays)), arrays[0].shape[1]), np.nan)
    for trial, array in enumerate(arrays):
        found[trial, : len(array)] = array
    return found


@dataclass(frozen=True, eq=False)
class Sequences:
    """Checked sequences.

    Attributes
    ----------
    inputs : (trial, time, input) ndarray, 0 after the end of a trial
    lengths : (trial,) ndarray, samples before the end
    """

    inputs: NDArray[np.float64]
    lengths: NDArray[np.int64]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which (trial, time) are no padding."""
        return np.arange(self.inputs.shape[1]) < self.lengths[:, None]

    @property
    def last(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Index of the last sample of every trial."""
        return np.arange(len(self.inputs)), self.lengths - 1


def finite(values: Any, *, allow_nan: bool, name: str = "X") -> NDArray[np.float64]:
    """Return an array of finite numbers of any shape, in scikit-learn's words if it is none.

    Parameters
    ----------
    allow_nan : whether NaN is allowed all the same
    name : of the array, for messages
    """
    # scikit-learn says nothing of these types to type checkers.
    options: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan" if allow_nan else True}
    return np.asarray(check_array(values, ensure_2d=False, allow_nd=True, input_name=name, **options))


def checked_sequences(estimator: BaseEstimator, X: Any, *, reset: bool) -> Sequences:
    """Check X and remember, or compare with what is remembered, how many inputs it has.

    Parameters
    ----------
    estimator : gets or has ``n_features_in_``, and ``feature_names_in_`` for two-dimensional data with names
    X : (trial, time, input) array-like, NaN in all inputs after the end of a trial; or (trial, input): length 1
    reset : whether this is for `fit`

    Raises
    ------
    ValueError
        In scikit-learn's words, or as `CortwinError` where NaN stands inside a sequence.
    """
    if np.asarray(X).ndim != 3:
        flat = np.asarray(validate_data(estimator, X, reset=reset, dtype=np.float64))
        return Sequences(flat[:, None, :], np.ones(len(flat), dtype=np.int64))
    values = finite(X, allow_nan=True)
    if 0 in values.shape:
        raise CortwinError(f"the shape of X is {values.shape} = (trial, time, input): there is nothing in it")
    if reset:
        estimator.n_features_in_ = values.shape[2]  # type: ignore[attr-defined]
    elif values.shape[2] != estimator.n_features_in_:  # type: ignore[attr-defined]
        raise CortwinError(
            f"X has {values.shape[2]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"  # type: ignore[attr-defined]
        )
    there = (~np.isnan(values)).sum(axis=2) > 0
    empty = np.flatnonzero(there.sum(axis=1) == 0)
    if empty.size:
        raise CortwinError(f"X is NaN at all times of trial {empty[0]}: leave such trials out")
    found = Sequences(values, values.shape[1] - np.argmax(there[:, ::-1], axis=1))
    missing = np.argwhere(np.isnan(values) & found.inside[..., None])
    if missing.size:
        where = ", ".join(map(str, missing[0]))
        raise CortwinError(
            f"X[{where}] is NaN: only after the end of a sequence may there be NaN, and then in all of its inputs"
        )
    return Sequences(np.where(found.inside[..., None], values, 0), found.lengths)
