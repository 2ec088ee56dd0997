"""scikit-learn's check of the rows that an estimator gets, with the types that it returns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data


def validated_rows(estimator: BaseEstimator, X: ArrayLike, *, reset: bool) -> np.ndarray:
    """Return the rows as float64, refusing numbers that are not finite and, unless reset, another number of features.

    Parameters
    ----------
    estimator : gets ``n_features_in_`` if reset
    X : (n_samples, n_features) array_like
    reset : True in `fit`, False afterwards
    """
    rows: Any = X
    return np.asarray(validate_data(estimator, rows, reset=reset, dtype=np.float64))


def validated_rows_and_targets(
    estimator: BaseEstimator, X: ArrayLike, y: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and targets as float64 in the same way, for `fit`.

    Parameters
    ----------
    X : (n_samples, n_features) array_like
    y : (n_samples,) or (n_samples, n_outputs) array_like
    """
    rows: Any = X
    targets: Any = y
    rows, targets = validate_data(estimator, rows, targets, multi_output=True, y_numeric=True, dtype=np.float64)
    return np.asarray(rows), np.asarray(targets, dtype=np.float64)
