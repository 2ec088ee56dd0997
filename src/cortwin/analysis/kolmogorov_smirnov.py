"""How far two samples' distributions are apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import ks_2samp

from cortwin.analysis.undefined import Undefined


def kolmogorov_smirnov(first: ArrayLike, second: ArrayLike) -> float:
    """Return the largest difference between the cumulative distributions of two samples.

    Parameters
    ----------
    first, second : array_like; what is not finite is left out

    Returns
    -------
    float
        0 to 1; NaN with its reason where a sample is empty.

    References
    ----------
    Gutzen et al. 2018, doi:10.3389/fninf.2018.00090 (spiking networks compared by such distances).
    """
    samples = [np.asarray(sample, dtype=np.float64).ravel() for sample in (first, second)]
    finite = [sample[np.isfinite(sample)] for sample in samples]
    if not all(sample.size for sample in finite):
        return Undefined("a sample has no finite number")
    found: Any = ks_2samp(finite[0], finite[1])
    return float(found.statistic)


def between_all(samples: list[ArrayLike]) -> list[float]:
    """Return the distance of every pair of samples, NaN left out."""
    pairs = [
        kolmogorov_smirnov(first, second) for number, first in enumerate(samples) for second in samples[number + 1 :]
    ]
    return [distance for distance in pairs if not math.isnan(distance)]
