"""Connectivity: the slow NumPy reference against what a rule promises, and compiled drawing against the reference."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cortwin.connectivity import (
    AllToAll,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Uniform,
    connect,
    delay_steps,
    draw,
    key_of,
)
from cortwin.connectivity.drawing import purpose_of
from cortwin.connectivity.philox import below, blocks, unit

HERE = Path(__file__).parent
LIBRARY = HERE.parent / "src" / "cortwin" / "cpp" / "lib"
KEY = key_of(1, "recurrence")

# Salmon et al. 2011, the known answers that come with their library Random123: key, counter, words.
KNOWN = (
    ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0xA4093822, 0x299F31D0),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Compile the headers of the compiled programs once; everything that is code there is an argument."""
    program = tmp_path_factory.mktemp("draw") / "draw"
    source = ["-I", str(LIBRARY), str(HERE / "draw.cpp"), "-o", str(program)]
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-O2", "-march=native", "-pthread"]
    subprocess.run(["g++", *flags, *source], check=True)

    def run(*arguments: object, dtype: str = "uint8", threads: int = 1):
        environment = {**os.environ, "CORTWIN_THREADS": str(threads)}
        done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, check=True, env=environment)
        return np.frombuffer(done.stdout, dtype)

    return run


def compiled(drawn, rule, n_source, n_target, key, same, trials=1, threads=1):
    """Return source and target of the synapses that compiled code draws."""
    autapses, multapses = getattr(rule, "autapses", True), getattr(rule, "multapses", True)
    number = next(
        (getattr(rule, name) for name in ("probability", "indegree", "outdegree", "number") if hasattr(rule, name)), 0
    )
    distinct = int(same and not autapses)
    given = (*key, n_source, n_target, distinct, int(multapses), number, trials)
    found = drawn(type(rule).__name__, *given, threads=threads)
    edge = 8 * (n_source * trials + 1)
    first, target = found[:edge].view(np.int64), found[edge:].view(np.int32)
    return np.repeat(np.arange(n_source * trials), np.diff(first)), target


@pytest.mark.parametrize(("key", "counter", "words"), KNOWN)
def test_philox_gives_the_published_words(key, counter, words):
    assert tuple(blocks(key, *counter)) == words


@pytest.mark.cpp
def test_compiled_philox_gives_the_published_words(drawn):
    for key, counter, words in KNOWN:
        assert tuple(drawn("words", *key, *counter, dtype="uint32")) == words


def test_whole_numbers_are_the_upper_half_of_a_product():
    words = np.array([0, 1, 2**63, 2**64 - 1, 0x123456789ABCDEF0], dtype=np.uint64)
    for n in (1, 2, 3, 77169, 2**31 - 1):
        assert below(words, n).tolist() == [int(word) * n >> 64 for word in words.tolist()]
    assert unit(words).min() == 2.0**-53
    assert unit(words).max() == 1 - 2.0**-53


@pytest.mark.cpp
@pytest.mark.parametrize(
    "rule",
    [
        PairwiseBernoulli(0.3, autapses=False),
        FixedIndegree(100),
        FixedOutdegree(100, multapses=False),
        FixedTotalNumber(20_000),
        FixedTotalNumber(80_000, autapses=False, multapses=False),
    ],
    ids=str,
)
def test_the_number_of_threads_changes_no_synapse(drawn, rule):
    """From 8192 synapses on threads share the rows."""
    source, target = compiled(drawn, rule, 300, 300, (5, 6), True)
    assert len(source) > 15_000
    for threads in (2, 3, 7):
        found = compiled(drawn, rule, 300, 300, (5, 6), True, threads=threads)
        assert np.array_equal(found[0], source)
        assert np.array_equal(found[1], target)


@pytest.mark.cpp
def test_the_number_of_threads_changes_no_value(drawn):
    normal = ("normal", 1, 2, 20_001, 3, 0.5, 1.0, 0.0, 2.0)
    values = drawn(*normal, dtype="float64")
    assert len(values) == 20_001
    assert (np.diff(values) != 0).all()
    for threads in (2, 3):
        assert np.array_equal(drawn(*normal, dtype="float64", threads=threads), values)


RULES = (
    (AllToAll(), 5, 7, False),
    (AllToAll(autapses=False), 5, 5, True),
    (AllToAll(autapses=False), 1, 1, True),
    (OneToOne(), 6, 6, True),
    (PairwiseBernoulli(0.3), 40, 60, False),
    (PairwiseBernoulli(0.9, autapses=False), 30, 30, True),
    (PairwiseBernoulli(1e-5), 3, 20_000, False),
    (PairwiseBernoulli(0.0), 4, 5000, False),
    (PairwiseBernoulli(1.0, autapses=False), 6, 6, True),
    (FixedIndegree(0), 5, 5, True),
    (FixedIndegree(20), 7, 30, False),
    (FixedIndegree(20, autapses=False), 3, 3, True),
    (FixedIndegree(7, multapses=False), 7, 30, False),
    (FixedIndegree(29, autapses=False, multapses=False), 30, 30, True),
    (FixedIndegree(3), 1, 1, True),
    (FixedOutdegree(20), 30, 7, False),
    (FixedOutdegree(5, autapses=False, multapses=False), 8, 8, True),
    (FixedTotalNumber(0), 5, 5, True),
    (FixedTotalNumber(101), 5, 9, False),
    (FixedTotalNumber(100, autapses=False), 4, 4, True),
    (FixedTotalNumber(20, multapses=False), 10, 10, False),
    (FixedTotalNumber(89, autapses=False, multapses=False), 10, 10, True),
    (FixedTotalNumber(90, autapses=False, multapses=False), 10, 10, True),
)


@pytest.mark.cpp
@pytest.mark.parametrize(("rule", "n_source", "n_target", "same"), RULES)
def test_compiled_synapses_are_those_of_the_reference(drawn, rule, n_source, n_target, same):
    source, target = connect(rule, n_source, n_target, KEY, same=same)
    found = compiled(drawn, rule, n_source, n_target, KEY, same)
    assert np.array_equal(found[0], source)
    assert np.array_equal(found[1], target)


def of_a_rule(build):
    """Return a strategy of rules with sizes that they can be met for."""
    return st.tuples(
        st.integers(1, 12), st.integers(1, 12), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 40)
    ).map(lambda drawn: build(*drawn))


def met(n_source, n_target, same, autapses, multapses, number):
    """Return a rule, its number cut down to what there is, for populations of one size where they are the same."""
    n_target = n_source if same else n_target
    sources, targets = (n - (same and not autapses) for n in (n_source, n_target))
    limits = {FixedIndegree: sources, FixedOutdegree: targets, FixedTotalNumber: n_source * targets}
    kind = (*limits, PairwiseBernoulli)[number % 4]
    if kind is PairwiseBernoulli:
        return PairwiseBernoulli(number / 40, autapses), n_source, n_target, same
    limit = limits[kind] if not multapses or limits[kind] == 0 else number
    return kind(min(number, limit), autapses, multapses), n_source, n_target, same


@pytest.mark.cpp
@settings(max_examples=60, deadline=None)
@given(case=of_a_rule(met), seed=st.integers(0, 2**32), trials=st.integers(1, 3))
def test_compiled_synapses_of_random_rules_are_those_of_the_reference(drawn, case, seed, trials):
    rule, n_source, n_target, same = case
    assert rule.problem(n_source, n_target, same) == ""
    key = key_of(seed, "pathway")
    source, target = connect(rule, n_source, n_target, key, same=same)
    found = compiled(drawn, rule, n_source, n_target, key, same, trials)
    trial = np.arange(trials)[:, None]
    assert np.array_equal(found[0], (source + trial * n_source).ravel())
    assert np.array_equal(found[1], (target + trial * n_target).ravel())


@pytest.mark.parametrize(("rule", "n_source", "n_target", "same"), RULES)
def test_a_rule_is_kept(rule, n_source, n_target, same):
    source, target = connect(rule, n_source, n_target, KEY, same=same)
    assert (np.diff(source) >= 0).all()
    if not isinstance(rule, PairwiseBernoulli):
        assert source.size == rule.synapses(n_source, n_target, same)
    if source.size:
        assert source.min() >= 0
        assert source.max() < n_source
        assert target.min() >= 0
        assert target.max() < n_target
    if same and not getattr(rule, "autapses", True):
        assert (source != target).all()
    pairs = source.astype(np.int64) * n_target + target
    if not getattr(rule, "multapses", False):
        assert np.unique(pairs).size == pairs.size
    if isinstance(rule, FixedIndegree):
        assert (np.bincount(target, minlength=n_target) == rule.indegree).all()
    if isinstance(rule, FixedOutdegree):
        assert (np.bincount(source, minlength=n_source) == rule.outdegree).all()


def p_value(counts, probabilities):
    """Return the chi-square p-value of counts, neighbouring bins joined until each expects five."""
    expected = np.asarray(probabilities) * counts.sum()
    edges = np.unique(np.searchsorted(np.cumsum(expected), np.arange(0, counts.sum(), 5)))
    observed, expected = (np.add.reduceat(values, edges) for values in (counts, expected))
    return stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue


# Eight p-values of uniform distribution below 1e-6 once in 1e5 seeds; the seed is fixed.
SMALLEST_P = 1e-6
N = 2000


@pytest.mark.parametrize(
    ("rule", "law"),
    [
        (PairwiseBernoulli(0.01), stats.binom(N, 0.01)),
        (PairwiseBernoulli(0.01, autapses=False), stats.binom(N - 1, 0.01)),
        (FixedIndegree(20), stats.binom(20 * N, 1 / N)),
        (FixedIndegree(20, multapses=False), stats.binom(N, 20 / N)),
        (FixedTotalNumber(20 * N), stats.binom(20 * N, 1 / N)),
        (FixedTotalNumber(20 * N, multapses=False), stats.hypergeom(N * N, N, 20 * N)),
    ],
)
def test_out_degrees_have_the_distribution_of_the_rule(rule, law):
    source, _ = connect(rule, N, N, KEY, same=True)
    degrees = np.bincount(source, minlength=N)
    most = degrees.max() + 60
    assert p_value(np.bincount(degrees, minlength=most), law.pmf(np.arange(most))) > SMALLEST_P


@pytest.mark.parametrize(
    ("rule", "law"),
    [
        (PairwiseBernoulli(0.01), stats.binom(N, 0.01)),
        (FixedOutdegree(20), stats.binom(20 * N, 1 / N)),
        (FixedOutdegree(20, multapses=False), stats.binom(N, 20 / N)),
        (FixedTotalNumber(20 * N), stats.binom(20 * N, 1 / N)),
        (FixedTotalNumber(20 * N, multapses=False), stats.hypergeom(N * N, N, 20 * N)),
    ],
)
def test_in_degrees_have_the_distribution_of_the_rule(rule, law):
    _, target = connect(rule, N, N, KEY, same=True)
    degrees = np.bincount(target, minlength=N)
    most = degrees.max() + 60
    assert p_value(np.bincount(degrees, minlength=most), law.pmf(np.arange(most))) > SMALLEST_P


@pytest.mark.parametrize(
    "rule",
    [
        FixedIndegree(2, multapses=False),
        FixedOutdegree(2, multapses=False),
        FixedTotalNumber(6, multapses=False),
        FixedTotalNumber(3, autapses=False, multapses=False),
    ],
)
def test_every_network_of_distinct_synapses_is_equally_likely(rule):
    # 3 neurons: all sets of synapses that obey the rule, counted over seeds.
    counts: dict[bytes, int] = {}
    seeds = 1000
    for seed in range(seeds):
        source, target = connect(rule, 3, 3, key_of(seed, "p"), same=True)
        matrix = np.zeros((3, 3), dtype=np.uint8)
        matrix[source, target] = 1
        counts[matrix.tobytes()] = counts.get(matrix.tobytes(), 0) + 1
    possible = {FixedIndegree: 27, FixedOutdegree: 27, FixedTotalNumber: 84 if rule.autapses else 20}[type(rule)]
    assert len(counts) == possible
    assert stats.chisquare(list(counts.values())).pvalue > SMALLEST_P


DISTRIBUTIONS = (
    Normal(2.0, 0.5),
    Normal(1.5e-3, 0.75e-3, 1e-4, None),
    Normal(-4.0, 0.4, None, 0.0),
    Normal(0.0, 1.0, 0.9, 1.1),
    Normal(3.0, 0.0),
    Uniform(-1.0, 3.0),
)


@pytest.mark.cpp
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("n", [0, 1, 10_001])
def test_compiled_numbers_are_those_of_the_reference(drawn, distribution, n):
    bounds = [distribution.minimum, distribution.maximum]
    if isinstance(distribution, Normal):
        low, high = (
            infinite if bound is None else bound for bound, infinite in zip(bounds, ("-inf", "inf"), strict=True)
        )
        arguments = ("normal", *KEY, n, purpose_of("w"), distribution.mean, distribution.sd, low, high)
    else:
        arguments = ("uniform", *KEY, n, purpose_of("w"), *bounds)
    # Quantiles of two algorithms, each to a few eps of a deviate of at most 8.3; then one product and one sum.
    eps = np.finfo(float).eps
    scale = 40 * eps * getattr(distribution, "sd", 1.0) + 2 * eps * abs(getattr(distribution, "mean", 4.0))
    assert np.abs(drawn(*arguments, dtype="float64") - draw(distribution, n, KEY, "w")).max(initial=0.0) <= scale


@pytest.mark.cpp
def test_compiled_delays_are_those_of_the_reference_in_steps(drawn):
    found = drawn("delay", *KEY, 10_001, purpose_of("delay"), 1.5e-3, 0.75e-3, 1e-4, "inf", 1e-4, dtype="uint16")
    expected = delay_steps(draw(Normal(1.5e-3, 0.75e-3, 1e-4, None), 10_001, KEY, "delay"), 1e-4)
    assert found.min() == 1
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("distribution", [DISTRIBUTIONS[0], DISTRIBUTIONS[1], DISTRIBUTIONS[3], DISTRIBUTIONS[5]])
def test_numbers_have_their_distribution(distribution):
    values = draw(distribution, 20_000, KEY, "w")
    if isinstance(distribution, Uniform):
        law = stats.uniform(distribution.minimum, distribution.maximum - distribution.minimum)
    else:
        bounds = (
            -np.inf if distribution.minimum is None else distribution.minimum,
            np.inf if distribution.maximum is None else distribution.maximum,
        )
        low, high = ((bound - distribution.mean) / distribution.sd for bound in bounds)
        law = stats.truncnorm(low, high, distribution.mean, distribution.sd)
        assert law.cdf(values.max()) > 0.9
        assert distribution.share_inside() == pytest.approx(np.diff(stats.norm.cdf([low, high]))[0], rel=1e-12)
    assert stats.kstest(values, law.cdf).pvalue > SMALLEST_P


def test_streams_of_names_seeds_and_variables_differ():
    keys = {tuple(key_of(seed, name)) for seed in range(3) for name in ("a", "b", "ab", "ba")}
    assert len(keys) == 12
    one, other = (draw(Uniform(0.0, 1.0), 1000, KEY, name) for name in ("w", "delay"))
    # Independent: a correlation of 1000 pairs has the standard deviation 1 / sqrt(1000); six of them.
    assert abs(np.corrcoef(one, other)[0, 1]) < 6 / np.sqrt(1000)
