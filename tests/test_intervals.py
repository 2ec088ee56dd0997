"""Intervals and effect sizes: against all resamples, closed forms, simulation and hand arithmetic."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm

from cortwin.analysis import intervals, proportion, reason_of
from cortwin.analysis.intervals import COVERAGE, interval, paired, summarise, unpaired_effect

# Binary fractions: their sums are exact in any order, so that equal means are equal numbers.
SKEWED = [k / 1024 for k in (307, 1127, 410, 2561, 922, 1500)]


def generator(seed=1):
    return np.random.default_rng(seed)


def bca_by_hand(values, level, statistic):
    """BCa limits of Efron & Tibshirani (1993), equations 14.10 to 14.15, over all n^n resamples instead of a draw."""
    n = len(values)
    every = sorted(statistic([values[k] for k in picks]) for picks in itertools.product(range(n), repeat=n))
    observed = statistic(values)
    below = sum(value < observed for value in every) + 0.5 * sum(value == observed for value in every)
    z0 = norm.ppf(below / len(every))
    left_out = [statistic(values[:k] + values[k + 1 :]) for k in range(n)]
    centre = sum(left_out) / n
    cubes = sum((centre - value) ** 3 for value in left_out)
    squares = sum((centre - value) ** 2 for value in left_out)
    acceleration = cubes / (6 * squares**1.5)
    limits = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = z0 + norm.ppf(tail)
        limits.append(np.quantile(every, norm.cdf(z0 + z / (1 - acceleration * z))))
    return limits, float(np.std(every))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_is_the_one_of_all_resamples(level):
    limits, spread = bca_by_hand(SKEWED, level, lambda sample: sum(sample) / len(sample))
    # A quantile q of 9999 draws errs by sqrt(q (1 - q) / 9999) over the density there. About a normal distribution
    # that is 0.013 spreads at q = 0.1 and 0.027 at q = 0.025; four of the latter.
    assert interval(SKEWED, generator(), level) == pytest.approx(limits, abs=0.11 * spread)


def test_bca_is_not_the_percentile_interval():
    means = generator().choice(SKEWED, (9999, 6)).mean(1)
    assert interval(SKEWED, generator())[1] > np.quantile(means, 0.975) + 0.3 * means.std()


@pytest.mark.parametrize("n", [3, 10])
def test_coverage_is_what_the_table_says(n):
    draw, repeats, level = generator(n), 600, 0.95
    found = [interval(draw.standard_normal(n), draw, level) for _ in range(repeats)]
    share = np.mean([low <= 0 <= high for low, high in found])
    # Four standard errors of both simulations, this one and the table's of 10,000.
    slack = 4 * math.sqrt(COVERAGE[n] * (1 - COVERAGE[n]) * (1 / repeats + 1 / 10_000))
    assert abs(share - COVERAGE[n]) < slack
    assert slack < 0.08


def test_a_large_sample_gives_the_interval_of_the_central_limit_theorem():
    values = generator(2).standard_normal(2000)
    low, high = interval(values, generator())
    half = norm.ppf(0.975) * values.std(ddof=1) / math.sqrt(2000)
    # The skew of a normal sample of 2000 moves an end by less than 1 %, and 9999 resamples by about 2 % of half.
    assert high - values.mean() == pytest.approx(half, rel=0.08)
    assert values.mean() - low == pytest.approx(half, rel=0.08)


def test_the_median_lies_within_the_range_of_the_sample():
    values = [1.0, 2.0, 10.0, 11.0, 50.0]
    low, high = interval(values, generator(), statistic="median")
    assert 1.0 <= low < 10.0 < high <= 50.0
    assert (low, high) != interval(values, generator())


def test_degenerate_values():
    assert interval([2.0, 2.0, 2.0], generator()) == (2.0, 2.0)
    # Every jackknife median is the same: BCa has no acceleration there, and percentiles take over. A resample has the
    # median 5 if it holds the 5 at least four times of seven, in 1.1 % of cases.
    assert interval([1.0] * 6 + [5.0], generator(), statistic="median") == (1.0, 1.0)
    for values, words in (([], "there is none"), ([3.0], "there is 1")):
        low, high = interval(values, generator())
        assert math.isnan(low)
        assert reason_of(high) == f"an interval needs at least 2 runs, {words}"


def test_the_same_generator_gives_the_same_interval():
    assert interval([1.0, 2.0, 4.0], generator()) == interval([1.0, 2.0, 4.0], generator())
    many = generator().standard_normal(30)
    assert interval(many, generator(1)) != interval(many, generator(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval([1.0, math.nan], generator()), "the value of run 1 is nan"),
        (lambda: summarise([1.0, math.inf], generator()), "the value of run 1 is inf"),
        (lambda: interval([[1.0, 2.0]], generator()), r"got the shape \(1, 2\)"),
        (lambda: interval([1.0, 2.0], generator(), level=95), "between 0 and 1, got 95"),
        (lambda: interval([1.0, 2.0], generator(), statistic="mode"), "no statistic 'mode'"),
        (lambda: paired([1.0], [1.0, 2.0], generator()), r"\(1,\) and \(2,\)"),
    ],
)
def test_what_cannot_be_summarised_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_summary_says_how_many_runs_stand_behind_it():
    found = summarise([1.0, 2.0, math.nan, 6.0], generator())
    assert (found.n, found.runs) == (3, 4)
    assert (found.mean, found.median, found.centre) == (3.0, 2.0, 3.0)
    assert found.sd == pytest.approx(math.sqrt(7.0))  # ((1-3)^2 + (2-3)^2 + (6-3)^2) / 2
    assert str(found).startswith("mean 3 [")
    assert str(found).endswith("], n = 3 of 4")
    one = summarise([4.0], generator(), statistic="median")
    assert str(one) == "median 4, n = 1"
    assert reason_of(one.sd) == "a standard deviation needs at least 2 runs, there is 1"
    assert reason_of(summarise([math.nan], generator()).mean) == "no run has a value"


def test_pairs_by_hand():
    # Differences 1, 2, 3, 2: mean 2, variance 2/3, d_z = sqrt(6). J(3) = Gamma(3/2) / (sqrt(3/2) Gamma(1))
    # = sqrt(pi)/2 / sqrt(3/2) = sqrt(pi/6), so that the corrected effect size is sqrt(pi).
    found = paired([0.0, 10.0, 5.0, 7.0], [1.0, 12.0, 8.0, 9.0], generator())
    assert (found.n, found.runs, found.difference, found.larger) == (4, 4, 2.0, 4)
    assert found.effect_size == pytest.approx(math.sqrt(math.pi), rel=1e-12)
    assert found.low >= 1.0
    assert found.high <= 3.0
    assert reason_of(found.p) == "a signed-rank test tells nothing below 6 runs that differ, there are 4"


def test_pairs_are_taken_by_seed_and_not_by_spread():
    # The seeds differ by 100 and the twins by 1: only a comparison within seeds sees it.
    one = 100.0 * np.arange(8)
    other = one + np.array([1.1, 0.9, 1.0, 1.2, 0.8, 1.0, 1.1, 0.9])
    found = paired(one, other, generator())
    assert 0.8 < found.low < 1.0 < found.high < 1.2
    assert abs(unpaired_effect(one, other)) < 0.01 < 5 < found.effect_size
    assert found.larger == 8
    assert found.p == pytest.approx(2 / 2**8)  # all eight signs one way, either way


def test_the_signed_rank_test_goes_through_all_signs():
    # Two of one size share the ranks 1 and 2.
    differences, ranks = np.array([1.0, -1.0, 3.0, 4.0, 5.0, 6.0, 7.0]), (1.5, 1.5, 3, 4, 5, 6, 7)
    positive = sum(rank for rank, difference in zip(ranks, differences, strict=True) if difference > 0)
    sums = [sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
            for signs in itertools.product((0, 1), repeat=7)]  # fmt: skip
    expected = 2 * sum(total >= positive for total in sums) / 2**7
    assert paired(np.zeros(7), differences, generator()).p == pytest.approx(expected, rel=1e-12)


def test_missing_values_leave_their_pair_out():
    found = paired([1.0, math.nan, 3.0, 4.0], [2.0, 5.0, math.nan, 7.0], generator())
    assert (found.n, found.runs, found.difference) == (2, 4, 2.0)
    assert reason_of(found.effect_size) == "an effect size of pairs needs at least 3 runs, there are 2"
    assert reason_of(paired([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], generator()).effect_size).endswith("they are all equal")


def test_rounding_is_no_effect():
    # Without the rule these differences, all above zero, would make a large effect.
    one = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    found = paired(one, one * (1 + np.arange(1, 7) * 1e-14), generator())
    assert 0 < found.difference < 1e-13
    assert reason_of(found.effect_size) == reason_of(found.p) == "the two agree up to rounding"
    assert paired(one, one * (1 + np.arange(1, 7) * 1e-8), generator()).effect_size > 1


def test_the_effect_size_between_two_sets_by_hand():
    # Means 2 and 5, variances 1 and 4, pooled 2.5 with 4 degrees of freedom; J(4) = Gamma(2) / (sqrt(2) Gamma(3/2))
    # = 1 / (sqrt(2) sqrt(pi) / 2) = sqrt(2 / pi).
    found = unpaired_effect([1.0, 2.0, 3.0], [3.0, 5.0, 7.0])
    assert found == pytest.approx(3 / math.sqrt(2.5) * math.sqrt(2 / math.pi), rel=1e-12)
    assert unpaired_effect([3.0, 5.0, 7.0], [1.0, 2.0, 3.0]) == pytest.approx(-found)
    assert reason_of(unpaired_effect([1.0], [1.0, 2.0])).endswith("needs at least 2 runs, there is 1")
    assert "all equal" in reason_of(unpaired_effect([1.0, 1.0], [2.0, 2.0]))


def test_effect_sizes_have_no_bias():
    # Hedges (1981): under normality the corrected effect size has the true one as its expectation.
    draw, n, true, repeats = generator(5), 4, 0.8, 4000
    zero = np.zeros(n)
    pairs = [intervals._paired_effect(true + draw.standard_normal(n) - zero) for _ in range(repeats)]
    sets = [unpaired_effect(draw.standard_normal(n), true + draw.standard_normal(n)) for _ in range(repeats)]
    for found in (pairs, sets):
        slack = 4 * np.std(found) / math.sqrt(repeats)
        assert abs(np.mean(found) - true) < slack
        assert slack < 0.1  # without the correction the bias is 0.8 (1/J - 1) = 0.3 and 0.12


# --- proportions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "n"), [(0, 7), (3, 7), (7, 7), (117, 120)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_a_proportion_has_wilsons_interval(right, n, level):
    """Wilson's limits are where the observed share is z standard errors away: (p - q)^2 = z^2 q (1 - q) / n."""
    found = proportion([True] * right + [False] * (n - right), level)
    assert found.share == right / n
    assert found.n == n
    z = norm.ppf(0.5 + level / 2)
    for q in (found.low, found.high):
        if 0 < q < 1:
            assert (found.share - q) ** 2 == pytest.approx(z**2 * q * (1 - q) / n, rel=1e-9)
    assert found.low <= found.share <= found.high
    assert found.high - found.low > 0.01


def test_a_proportion_needs_trials_that_were_right_or_not():
    for values in ([], [0.5, 1], [[True]], [np.nan]):
        with pytest.raises(ValueError, match="expected one true or false for each trial"):
            proportion(values)
