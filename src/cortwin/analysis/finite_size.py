"""What networks of several sizes tell of infinitely many units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class FiniteSize(NamedTuple):
    """A line in 1 / N: its value at infinitely many units, the standard error of that, and its slope."""

    limit: float
    error: float
    slope: float


def finite_size_limit(units: ArrayLike, values: ArrayLike) -> FiniteSize:
    """Fit ``limit + slope / N`` to a quantity of networks of N units whose scatter shrinks as 1 / N, too.

    Parameters
    ----------
    units : (networks,) units of each network
    values : (networks,) what was found of each

    Raises
    ------
    ValueError
        For arrays of other shapes, and unless there are three networks of two sizes at least.
    """
    n, y = np.asarray(units, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if n.ndim != 1 or n.shape != y.shape:
        raise ValueError(f"finite_size_limit: units of shape {n.shape} for values of shape {y.shape}")
    if len(n) < 3 or len(np.unique(n)) < 2:
        raise ValueError(
            f"finite_size_limit: {len(n)} networks of {len(np.unique(n))} sizes, expected 3 of 2 at least: a line has "
            "two numbers and an error"
        )
    # Weights are one over the standard deviation.
    (slope, limit), covariance = np.polyfit(1 / n, y, 1, w=n, cov=True)
    return FiniteSize(float(limit), float(np.sqrt(covariance[1, 1])), float(slope))
