"""How often something was right, with the interval that so many trials allow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest


class Proportion(NamedTuple):
    """A share of n trials and the ends of its interval."""

    share: float
    low: float
    high: float
    n: int


def proportion(right: ArrayLike, level: float = 0.95) -> Proportion:
    """Return the share of trials that were right, with Wilson's interval.

    The trials have to be independent. Unlike a bootstrap of zeros and ones, the interval has a width when all trials
    were right, or none.

    Parameters
    ----------
    right : (trial,) array_like of bool
    level : nominal coverage, between 0 and 1

    Raises
    ------
    ValueError
        If there is no trial, or a value is neither true nor false.

    References
    ----------
    Wilson 1927, doi:10.1080/01621459.1927.10502953; Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286.
    """
    values = np.asarray(right)
    if values.ndim != 1 or not values.size or not np.isin(values, (0, 1)).all():
        raise ValueError(f"proportion: expected one true or false for each trial, got shape {values.shape}")
    found = binomtest(int(values.sum()), values.size)
    interval = found.proportion_ci(confidence_level=level, method="wilson")
    return Proportion(float(values.mean()), float(interval.low), float(interval.high), values.size)
