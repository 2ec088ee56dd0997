"""Lagged copies of activity, so that a readout of one moment can see others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from cortwin.activity import GRID_TOLERANCE
from cortwin.readout._validated import validated_rows

Edge = Literal["hold", "zero"]


class Lags(TransformerMixin, BaseEstimator):
    """Put lagged copies of the rows side by side: ``[x(t - lag_1), x(t - lag_2), ...]``.

    A positive lag looks back, a negative one ahead. Rows are the samples of one trial, or of several trials of
    `n_times` samples after one another; no lag crosses from a trial into the next.

    Parameters
    ----------
    lags : lags in samples
    n_times : samples per trial; None takes all rows for one trial
    edge : what a lag sees beyond the ends of its trial: the trial's first or last sample (``"hold"``), or ``"zero"``
    """

    def __init__(self, lags: Sequence[int] = (0,), *, n_times: int | None = None, edge: Edge = "hold") -> None:
        self.lags = lags
        self.n_times = n_times
        self.edge: Edge = edge

    def fit(self, X: ArrayLike, y: object = None) -> Lags:
        """Check the parameters; nothing is learned.

        Raises
        ------
        ValueError
            If there is no lag, a lag is not a whole number, the edge rule is unknown or the rows are not whole trials.
        """
        X = validated_rows(self, X, reset=True)
        if len(self.lags) == 0:
            raise ValueError("Lags.lags must hold at least one lag, got none")
        for lag in self.lags:
            if lag != int(lag):
                raise ValueError(f"Lags.lags must be whole numbers of samples, got {lag}")
        if self.edge not in ("hold", "zero"):
            raise ValueError(f"Lags.edge must be 'hold' or 'zero', got {self.edge!r}")
        self._require_whole_trials(X.shape[0])
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the lagged copies.

        Parameters
        ----------
        X : (n_samples, n_features) array_like

        Returns
        -------
        (n_samples, n_lags * n_features) ndarray, all features of the first lag first
        """
        check_is_fitted(self)
        X = validated_rows(self, X, reset=False)
        self._require_whole_trials(X.shape[0])
        trials = X.reshape(-1, self.n_times or X.shape[0], X.shape[1])
        return np.concatenate([_shift(trials, int(lag), self.edge) for lag in self.lags], axis=2).reshape(len(X), -1)

    def _require_whole_trials(self, n_samples: int) -> None:
        if self.n_times is not None and (self.n_times < 1 or n_samples % self.n_times):
            raise ValueError(f"Lags.n_times must divide the number of rows, {n_samples}, got {self.n_times}")

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether `fit` was called: it leaves nothing behind but the number of features."""
        return hasattr(self, "n_features_in_")


def _shift(trials: np.ndarray, lag: int, edge: Edge) -> np.ndarray:
    source = np.arange(trials.shape[1]) - lag
    shifted = trials[:, np.clip(source, 0, trials.shape[1] - 1)]
    if edge == "zero":
        shifted[:, (source < 0) | (source >= trials.shape[1])] = 0
    return shifted


def lagged(activity: xr.DataArray, lags: Sequence[float], *, edge: Edge = "hold") -> xr.DataArray:
    """Return lagged copies of every unit, trial by trial, as further units.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray
    lags : lags in seconds, multiples of dt; ``[0.1]`` makes the activity lead what it is aligned with by 100 ms
    edge : what a lag sees beyond the ends of its trial: the trial's first or last sample (``"hold"``), or ``"zero"``

    Returns
    -------
    (trial, time, unit) DataArray with ``len(lags)`` times the units; coordinate ``lag`` on ``unit``, in seconds

    Raises
    ------
    ValueError
        If a lag is not a multiple of dt or as long as a trial.
    """
    dt, (n_trials, n_times, n_units) = activity.attrs["dt"], activity.shape
    samples = [round(lag / dt) for lag in lags]
    for lag, steps in zip(lags, samples, strict=True):
        if abs(lag / dt - steps) > GRID_TOLERANCE:
            raise ValueError(f"lagged: a lag must be a multiple of dt = {dt:g} s, got {lag:g} s")
        if abs(steps) >= n_times:
            raise ValueError(f"lagged: a lag must be shorter than a trial of {n_times * dt:g} s, got {lag:g} s")
    rows = activity.to_numpy().reshape(-1, n_units)
    copies = Lags(samples, n_times=n_times, edge=edge).fit_transform(rows).reshape(n_trials, n_times, -1)
    on_unit = [name for name, coordinate in activity.coords.items() if "unit" in coordinate.dims]
    coordinates = {name: coordinate for name, coordinate in activity.coords.items() if name not in on_unit}
    return xr.DataArray(
        copies,
        dims=activity.dims,
        coords={**coordinates, "lag": ("unit", np.repeat(np.asarray(lags, dtype=float), n_units), {"units": "s"})},
        attrs=activity.attrs,
        name=activity.name,
    )
