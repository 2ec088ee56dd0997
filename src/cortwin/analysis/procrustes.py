"""Orthogonal Procrustes: the best rotation and scale from one activity to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import orthogonal_procrustes


@dataclass(frozen=True)
class ProcrustesMap:
    """The map ``x = mean_x + scale * (y - mean_y) Q`` with an orthogonal Q.

    Attributes
    ----------
    mean_x, mean_y : (dimension,) ndarray; the smaller activity is padded with units that are always zero
    Q : (dimension, dimension) ndarray, orthogonal
    scale : float
    """

    mean_x: np.ndarray
    mean_y: np.ndarray
    Q: np.ndarray
    scale: float


def pad_units(values: np.ndarray, n_units: int) -> np.ndarray:
    """Append units that are always zero along the last axis."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, n_units - values.shape[-1])])


def fit_procrustes(x: np.ndarray, y: np.ndarray) -> ProcrustesMap:
    """Find the orthogonal map with one scale from y to x that leaves the least squared error.

    Parameters
    ----------
    x, y : (sample, unit) ndarray; the units may differ in number

    References
    ----------
    Schönemann 1966, doi:10.1007/BF02289451
    """
    n_units = max(x.shape[1], y.shape[1])
    x, y = pad_units(x, n_units), pad_units(y, n_units)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    Q, sum_of_singular_values = orthogonal_procrustes(y - mean_y, x - mean_x)
    sum_of_squares = float(np.sum((y - mean_y) ** 2))
    return ProcrustesMap(mean_x, mean_y, Q, float(sum_of_singular_values) / sum_of_squares if sum_of_squares else 0.0)


def apply_procrustes(fitted: ProcrustesMap, y: np.ndarray) -> np.ndarray:
    """Map (sample, unit) samples of y into the (padded) space of x."""
    padded = pad_units(y, fitted.mean_y.size)
    return fitted.mean_x + fitted.scale * (padded - fitted.mean_y) @ fitted.Q
