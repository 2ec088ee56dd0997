"""What several runs say together: bootstrap intervals, effect sizes, and comparisons paired by seed.

A run is one value here, so n is the number of runs. Everything that is not defined for the number of runs at hand is
NaN with its reason, which names the number that is needed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from cortwin.analysis.checks import is_constant
from cortwin.analysis.undefined import Undefined

RESAMPLES = 9999
STATISTICS: Mapping[str, Callable[..., np.ndarray]] = MappingProxyType({"mean": np.mean, "median": np.median})
# How often a nominal 95 % interval of the mean holds the true mean, by number of values drawn from a normal
# distribution: measured in 10,000 simulations each, and measured again, smaller, in the tests. Bootstrap intervals of
# few values are too narrow, and who reads one shall know by how much.
COVERAGE: Mapping[int, float] = MappingProxyType({2: 0.50, 3: 0.72, 4: 0.79, 5: 0.84, 7: 0.88, 10: 0.90, 20: 0.92})
# Below this a signed-rank test cannot give p < 0.05, whatever the data: its smallest p is 2 / 2^n.
SIGNED_RANK_PAIRS = 6
# Two quantities closer than this, relative to their size, are one quantity that was rounded in two ways: their
# differences have a sign and a spread, and mean nothing. The textbook and the rate text agree to about 1e-14.
AGREEMENT = 1e-9


@dataclass(frozen=True)
class Summary:
    """One quantity over runs.

    Parameters
    ----------
    n : runs that have a value
    runs : runs that were asked
    mean, median : of the n values
    sd : standard deviation of the sample, n - 1 in the denominator
    low, high : ends of the bootstrap interval of the statistic
    statistic : ``"mean"`` or ``"median"``
    level : nominal coverage
    """

    n: int
    runs: int
    mean: float
    median: float
    sd: float
    low: float
    high: float
    statistic: str = "mean"
    level: float = 0.95

    @property
    def centre(self) -> float:
        """The statistic that the interval belongs to."""
        return self.mean if self.statistic == "mean" else self.median

    def __str__(self) -> str:
        """State the number, its interval, and how many runs stand behind it."""
        of = f" of {self.runs}" if self.n < self.runs else ""
        between = f" [{self.low:.4g}, {self.high:.4g}]" if math.isfinite(self.low) else ""
        return f"{self.statistic} {self.centre:.4g}{between}, n = {self.n}{of}"


@dataclass(frozen=True)
class Paired:
    """Differences ``second - first`` between values that belong together, for instance of one seed.

    Parameters
    ----------
    n : pairs of which both values are there
    runs : pairs that were asked
    difference : their mean
    low, high : ends of the bootstrap interval of that mean
    effect_size : mean over standard deviation of the differences (d_z), without its small-sample bias
    larger : pairs whose second value is the larger one
    p : two-sided Wilcoxon signed-rank test, exact up to 50 pairs (13 where sizes are tied)
    level : nominal coverage of the interval
    """

    n: int
    runs: int
    difference: float
    low: float
    high: float
    effect_size: float
    larger: int
    p: float
    level: float = 0.95


def interval(
    values: ArrayLike, generator: np.random.Generator, level: float = 0.95, statistic: str = "mean"
) -> tuple[float, float]:
    """Return the bootstrap interval of a mean or median.

    Bias-corrected and accelerated (BCa; Efron 1987, doi:10.1080/01621459.1987.10478410); plain percentiles where BCa is
    not defined, for instance when every value but one is equal under the median. `COVERAGE` says how far to trust it.

    Parameters
    ----------
    values : (n,) array_like, one per run
    generator : draws the resamples
    level : nominal coverage, between 0 and 1
    statistic : ``"mean"`` or ``"median"``

    Returns
    -------
    low, high : float
        NaN with a reason for fewer than two values. Equal values give an interval of no width.

    Raises
    ------
    ValueError
        If a value is not finite, or for a level or statistic that does not exist.
    """
    values = _require_values(values)
    if statistic not in STATISTICS:
        raise ValueError(f"there is no statistic {statistic!r}: 'mean' or 'median'")
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, got {level}")
    if values.size < 2:
        nothing = Undefined(f"an interval needs at least 2 runs, there {_are(values.size)}")
        return nothing, nothing
    if is_constant(values):
        return float(values.min()), float(values.max())
    bounds = np.array([math.nan])
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            found = stats.bootstrap(
                (values,),
                STATISTICS[statistic],
                n_resamples=RESAMPLES,
                confidence_level=level,
                method=method,
                rng=generator,
            )
        bounds = np.array(found.confidence_interval)
        if np.isfinite(bounds).all():
            break
    return float(bounds[0]), float(bounds[1])


def summarise(
    values: ArrayLike, generator: np.random.Generator, level: float = 0.95, statistic: str = "mean"
) -> Summary:
    """Summarise one quantity over runs; runs in which it is NaN are left out and counted.

    Parameters
    ----------
    values : (runs,) array_like, NaN where a run has no value
    generator : draws the resamples
    level, statistic : of the interval

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        For a value that is infinite.
    """
    every = np.asarray(values, dtype=np.float64)
    there = every[~np.isnan(every)]
    low, high = interval(there, generator, level, statistic)
    mean, median, sd = math.nan, math.nan, math.nan
    if there.size == 0:
        mean = median = sd = Undefined("no run has a value")
    else:
        mean, median = float(np.mean(there)), float(np.median(there))
        sd = float(np.std(there, ddof=1)) if there.size > 1 else _needs(2, "a standard deviation", 1)
    return Summary(there.size, every.size, mean, median, sd, low, high, statistic, level)


def paired(first: ArrayLike, second: ArrayLike, generator: np.random.Generator, level: float = 0.95) -> Paired:
    """Compare two quantities of the same runs; runs in which either is NaN are left out and counted.

    Parameters
    ----------
    first, second : (runs,) array_like; values of one run stand at the same place
    generator : draws the resamples, of whole pairs
    level : of the interval

    Returns
    -------
    Paired

    Raises
    ------
    ValueError
        If they are not of one length, or a value is infinite.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"pairs need two rows of one length, got the shapes {one.shape} and {other.shape}")
    differences = other - one
    differences = _require_values(differences[~np.isnan(differences)])
    low, high = interval(differences, generator, level)
    n = differences.size
    effect_size, p = _paired_effect(differences), _signed_rank(differences)
    if n and np.abs(differences).max() <= AGREEMENT * max(np.nanmax(np.abs(one)), np.nanmax(np.abs(other))):
        effect_size = p = Undefined("the two agree up to rounding")
    mean = float(differences.mean()) if n else Undefined("no run has both values")
    return Paired(
        n=n,
        runs=one.size,
        difference=mean,
        low=low,
        high=high,
        effect_size=effect_size,
        larger=int((differences > 0).sum()),
        p=p,
        level=level,
    )


def unpaired_effect(first: ArrayLike, second: ArrayLike) -> float:
    """Return the effect size between two sets of runs that do not belong together in pairs.

    Hedges' g: the difference of the means over the pooled standard deviation, without its small-sample bias (Hedges
    1981, doi:10.3102/10769986006002107).

    Parameters
    ----------
    first, second : (n,), (m,) array_like

    Returns
    -------
    float
        ``mean(second) - mean(first)`` in pooled standard deviations; NaN with a reason for fewer than two values in
        either, or values that do not vary.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    one, other = _require_values(first), _require_values(second)
    for values in (one, other):
        if values.size < 2:
            return _needs(2, "an effect size between two sets", values.size)
    if is_constant(one) and is_constant(other):
        return Undefined("an effect size needs runs that vary: the values of either set are all equal")
    freedom = one.size + other.size - 2
    pooled = math.sqrt(((one.size - 1) * np.var(one, ddof=1) + (other.size - 1) * np.var(other, ddof=1)) / freedom)
    return float((other.mean() - one.mean()) / pooled) * _without_bias(freedom)


def _paired_effect(differences: np.ndarray) -> float:
    """Return d_z without its bias; with two pairs (one degree of freedom) its expectation does not exist."""
    n = differences.size
    if n < 3:
        return _needs(3, "an effect size of pairs", n)
    if is_constant(differences):
        return Undefined("an effect size needs differences that vary: they are all equal")
    return float(differences.mean() / np.std(differences, ddof=1)) * _without_bias(n - 1)


def _signed_rank(differences: np.ndarray) -> float:
    differences = differences[differences != 0]  # equal pairs have no sign (Wilcoxon's own rule)
    n = differences.size
    if n < SIGNED_RANK_PAIRS:
        return Undefined(
            f"a signed-rank test tells nothing below {SIGNED_RANK_PAIRS} runs that differ, there {_are(n)}"
        )
    found: Any = stats.wilcoxon(differences)  # exact up to 50 pairs, and up to 13 where sizes are tied
    return float(found.pvalue)


def _without_bias(freedom: int) -> float:
    """Return the factor J that frees a standardised mean of its bias under normality (Hedges 1981)."""
    return math.exp(special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)


def _require_values(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"one value per run is expected, got the shape {array.shape}")
    if not np.isfinite(array).all():
        place = int(np.argmin(np.isfinite(array)))
        raise ValueError(f"the value of run {place} is {array[place]}: leave out runs without a finite value")
    return array


def _needs(number: int, what: str, found: int) -> Undefined:
    return Undefined(f"{what} needs at least {number} runs, there {_are(found)}")


def _are(number: int) -> str:
    return {0: "is none", 1: "is 1"}.get(number, f"are {number}")
