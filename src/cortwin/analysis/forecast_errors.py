"""How far forecasts are from what came."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cortwin.analysis.checks import is_constant
from cortwin.analysis.undefined import Undefined


def nmse(target: ArrayLike, prediction: ArrayLike) -> float:
    """Return the mean squared error over the variance of the target; 1 is what the target's mean would have.

    Parameters
    ----------
    target, prediction : (time,) array_like

    Returns
    -------
    float
        `Undefined` where the target is constant.

    Raises
    ------
    ValueError
        If shapes differ or numbers are not finite.
    """
    wanted, found = _pair(target, prediction)
    if is_constant(wanted):
        return Undefined("the target is constant")
    return float(np.mean((found - wanted) ** 2) / np.var(wanted))


def error_by_horizon(series: ArrayLike, forecasts: ArrayLike, starts: ArrayLike, deviation: float) -> np.ndarray:
    """Return the root of the mean squared error of forecasts at each horizon, over a standard deviation.

    Parameters
    ----------
    series : (time,) array_like
    forecasts : (starts, horizon) array_like; entry (s, k) is the forecast of sample ``starts[s] + 1 + k``
    starts : (starts,) array_like of int, the last samples that were heard
    deviation : of the series

    Returns
    -------
    (horizon,) ndarray

    Raises
    ------
    ValueError
        If a forecast reaches beyond the series, or numbers are not finite.

    References
    ----------
    Jaeger & Haas 2004, doi:10.1126/science.1091277 (the error 84 steps ahead, NRMSE_84)
    """
    found, heard = np.asarray(forecasts, dtype=float), np.asarray(starts)
    places = heard[:, None] + 1 + np.arange(found.shape[1])
    values = np.asarray(series, dtype=float)
    if places.max() >= values.size:
        raise ValueError(f"error_by_horizon: a forecast reaches sample {places.max()}, the series has {values.size}")
    wanted, found = _pair(values[places], found)
    return np.sqrt(np.mean((found - wanted) ** 2, axis=0)) / deviation


def _pair(target: ArrayLike, prediction: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    wanted, found = np.asarray(target, dtype=float), np.asarray(prediction, dtype=float)
    if wanted.shape != found.shape or wanted.size == 0:
        raise ValueError(f"target and prediction must be of one shape, got {wanted.shape} and {found.shape}")
    if not (np.isfinite(wanted).all() and np.isfinite(found).all()):
        raise ValueError("target or prediction is not finite")
    return wanted, found
