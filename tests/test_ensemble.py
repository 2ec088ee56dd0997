"""Ensembles of LIF neurons against simulated neurons, decoders against least squares."""

import numpy as np
import pytest
from brian2 import second

from cortwin.activity import activity
from cortwin.ensemble import LIF, ensembles
from cortwin.errors import CortwinError
from cortwin.models import elman
from cortwin.simulation import simulate

TAU_M, T_REF, TAU_S = 0.02, 0.002, 0.01
MEMBRANE = LIF(TAU_M, T_REF)
EPS = np.finfo(float).eps


def spikes_of_one_neuron(J, duration, dt):
    """Count the spikes of LIF neurons at constant currents: exact steps between, threshold and reset at their ends."""
    v, silent_until, count = np.zeros_like(J), np.full_like(J, -np.inf), np.zeros(J.size)
    decay = np.exp(-dt / TAU_M)
    for k in range(round(duration / dt)):
        v = np.where(k * dt >= silent_until - dt / 2, J + (v - J) * decay, 0.0)
        spiked = v > 1
        count += spiked
        silent_until[spiked] = (k + 1) * dt + T_REF
        v[spiked] = 0
    return count


def test_rate_is_that_of_a_simulated_neuron():
    J, duration, dt = np.array([0.5, 1.0, 1.001, 1.2, 2.0, 5.0, 20.0]), 2.0, 1e-5
    found, expected = spikes_of_one_neuron(J, duration, dt) / duration, MEMBRANE.rate(J)
    # Half an interval is lost at either end of the count, and the grid makes every interval up to one step longer.
    np.testing.assert_array_less(np.abs(found - expected), 1 / duration + expected**2 * dt)
    assert (found[:2] == 0).all()
    assert found[-1] > 300


def test_rate_closed_form_and_inverse():
    assert MEMBRANE.rate(2.0) == pytest.approx(1 / (0.002 + 0.02 * np.log(2)), rel=1e-14)
    # Close to threshold J - 1 = exp(-T / tau_m) is what is left of J: 5e-5 at 10 Hz, which costs a rate 5 of 16 digits.
    for membrane in (MEMBRANE, LIF(TAU_M, T_REF, 1e-4), LIF(0.01, 0.0)):
        rates = np.linspace(10, 300, 50)
        np.testing.assert_allclose(membrane.rate(membrane.current(rates)), rates, rtol=1e-9)
    assert MEMBRANE.rate([-3.0, 1.0]).tolist() == [0, 0]


@pytest.mark.parametrize(("dt", "t_ref"), [(1e-4, T_REF), (4e-4, T_REF), (4e-4, 0.0), (4e-4, 2.3e-3)])
def test_rate_on_a_grid_is_that_of_the_spiking_writing(dt, t_ref):
    """On a grid every interval is a whole number of steps; over many currents they average out."""
    n, duration = 1000, 0.6
    J = np.linspace(2.0, 8.0, n)
    one = {"W_rec": np.zeros((1, 1)), "W_in": np.zeros((1, 1)), "b": np.zeros(1), "x0": np.zeros(1), "r0": np.zeros(1)}
    many = {"gain": np.zeros(n), "bias": J, "decoder": np.ones(n), "lead": np.zeros(n), "v0": np.zeros(n)}
    still = activity(np.zeros((1, round(duration / 0.02), 1)), dt=0.02, last="input")
    model = elman.model().with_constants(t_ref=t_ref * second)
    options = {"neurons_per_unit": n, "spikes": True, "engine": "xla", "batch": 1}
    spikes = simulate(model, "spiking", one | many, still, dt=dt, **options).spikes
    unit, time = spikes["unit"].to_numpy(), spikes["time"].to_numpy()
    count = np.bincount(unit, minlength=n)
    first, last = (np.array([f(time[unit == k]) for k in range(n)]) for f in (np.min, np.max))
    difference = ((last - first) / (count - 1) - 1 / LIF(TAU_M, t_ref, dt).rate(J)) / dt
    # Each lies within half a step, uniformly: the mean of n has a standard error of 1 / sqrt(12 n).
    assert np.abs(difference).max() <= 0.5 + 1e-6
    assert abs(difference.mean()) < 5 / np.sqrt(12 * n)


def counts_under_a_ramp(J0, slope, phase, start, end):
    """Count each neuron's spikes between two times under J = J0 + slope t, from spike to spike without a grid."""
    T = 1 / MEMBRANE.rate(J0)
    reset, count = T_REF - phase * T, np.zeros_like(J0)
    while reset.min() < end:
        at_reset = J0 + slope * reset - slope * TAU_M
        spike = reset + TAU_M * np.log(J0 / (J0 - 1))
        for _ in range(20):
            decay = np.exp(-(spike - reset) / TAU_M)
            v = J0 + slope * spike - slope * TAU_M - at_reset * decay
            spike -= (v - 1) / (slope + at_reset * decay / TAU_M)
        assert np.abs(v - 1).max() < 1e-12
        count += (spike >= start) & (spike < end)
        reset = spike + T_REF
    return count


@pytest.mark.parametrize("middle", [1.3, 2.0, 6.0])
def test_advance_is_that_of_a_population_under_a_ramp(middle):
    n, start, end = 40_000, 0.2, 1.2
    slope = 0.2 * (middle - 1)
    k = np.arange(n)
    # Currents within 10 % and phases by the golden ratio: evenly over both, so that nothing synchronises.
    J0 = middle + 0.1 * (middle - 1) * (2 * (k + 0.5) / n - 1)
    mean_count = counts_under_a_ramp(J0, slope, (k * (np.sqrt(5) - 1) / 2) % 1, start, end).mean()
    times = np.linspace(start, end, 201)
    J = J0[:, None][100::200] + slope * times
    quasistatic = np.trapezoid(MEMBRANE.rate(J), times, axis=1).mean()
    gained = (MEMBRANE.rate(J[:, -1]) - MEMBRANE.rate(J[:, 0])).mean()
    lead = (mean_count - quasistatic) / gained
    # To first order in the slope: during an interval J - 1 changes by less than a hundredth.
    assert lead == pytest.approx(MEMBRANE.advance(J).mean(), rel=0.02)


def test_advance_at_its_ends():
    """Far above threshold an interval is t_ref alone; close to it the membrane remembers tau_m of a long interval."""
    assert MEMBRANE.advance(1e9) == pytest.approx(T_REF / 2, rel=1e-6)
    assert MEMBRANE.advance(1 + 1e-9) == pytest.approx(1 / MEMBRANE.rate(1 + 1e-9) / 2 - TAU_M, rel=1e-6)


@pytest.mark.parametrize(("membrane", "limit"), [(MEMBRANE, "500"), (LIF(TAU_M, T_REF, 4e-4), "555.556")])
def test_a_rate_that_the_refractory_time_forbids_is_refused(membrane, limit):
    with pytest.raises(CortwinError, match=rf"max_rates: 600 Hz must be below 1 / t_ref \({limit} Hz\)"):
        membrane.current([100.0, 600.0])


def visited(seed=0, units=6):
    generator = np.random.default_rng(seed)
    return generator.uniform(-2, 2, units) + generator.uniform(0.1, 3, units) * generator.standard_normal(
        (3, 40, units)
    )


def drawn(n, *, seed=1, function=np.tanh, x=None, **options):
    x = visited() if x is None else x
    found = ensembles(function, [x], [x[0, 0]], n, MEMBRANE, TAU_S, np.random.default_rng(seed), **options)
    return found | {"gain": found["gain"][0]}


def ranges(x, margin=0.1):
    low, high = x.min(axis=(0, 1)), x.max(axis=(0, 1))
    return (low + high) / 2, (0.5 + margin) * (high - low)


@pytest.mark.parametrize("n", [1, 2, 7, 16])
def test_neurons_cover_their_units_range(n):
    x = visited()
    found = drawn(n, x=x, max_rates=(80.0, 120.0))
    center, radius = (part[:, None] for part in ranges(x))
    gain, bias = (found[name].reshape(-1, n) for name in ("gain", "bias"))
    sign = np.sign(gain)
    np.testing.assert_array_equal(sign, np.broadcast_to(np.where(np.arange(n) % 2 == 0, 1, -1), gain.shape))
    intercept = ((1 - bias) / gain - center) / radius * sign
    for direction in (1, -1):
        own = np.sort(intercept[:, sign[0] == direction], axis=1)
        strata = -(-n // 2)
        # One neuron to a stratum of -1..0.9; with an odd number the negative neurons leave one stratum out.
        rounding = 1e-12  # a few operations on numbers of order one
        place = np.floor((own + 1) / 1.9 * strata).astype(int)
        assert ((own >= -1 - rounding) & (own <= 0.9 + rounding)).all()
        assert all(len(set(row)) == len(row) and set(row) <= set(range(strata)) for row in place)
    fastest = MEMBRANE.rate(gain * (center + sign * radius) + bias)
    assert ((fastest >= 80 * (1 - 1e-9)) & (fastest <= 120 * (1 + 1e-9))).all()
    assert ((found["v0"] >= 0) & (found["v0"] < 1)).all()
    assert len(np.unique(found["v0"])) == found["v0"].size


def test_decoders_solve_the_ridge_problem():
    """Least squares on the tuning curves, with one more row for each neuron: sqrt(penalty) times its decoder is 0."""
    n, samples, noise, x = 8, 60, 0.05, visited()
    found = drawn(n, x=x, samples=samples, noise=noise)
    center, radius = ranges(x)
    for unit in range(x.shape[2]):
        own = slice(unit * n, unit * n + n)
        even = np.linspace(center[unit] - radius[unit], center[unit] + radius[unit], samples // 2)
        points = np.concatenate([even, np.quantile(x[..., unit], np.linspace(0, 1, samples - samples // 2))])
        current = points[:, None] * found["gain"][own] + found["bias"][own]
        rates = MEMBRANE.rate(current)
        rows = np.concatenate([rates, np.sqrt(samples) * noise * 200 * np.eye(n)])
        wanted = np.linalg.lstsq(rows, np.concatenate([np.tanh(points), np.zeros(n)]), rcond=None)[0]
        # Normal equations square the condition number, which stays below 1e4 here: 1e8 eps.
        assert np.linalg.cond(rows) < 1e4
        np.testing.assert_allclose(found["decoder"][own], wanted, rtol=1e8 * EPS, atol=1e8 * EPS * np.abs(wanted).max())
        first = MEMBRANE.rate(x[0, 0, unit] * found["gain"][own] + found["bias"][own])
        assert found["r0"][unit] == pytest.approx(first @ wanted, rel=1e-6)
        ahead = np.average(MEMBRANE.advance(current), axis=0, weights=rates + 1e-300)
        np.testing.assert_allclose(found["lead"][own], TAU_S - ahead, rtol=1e-9)


@pytest.mark.parametrize("function", [np.tanh, lambda x: 1 / (1 + np.exp(-x)), lambda x: np.maximum(x, 0)])
def test_more_neurons_decode_better(function):
    x = visited()
    errors = []
    for n in (1, 4, 16, 64):
        found = drawn(n, x=x, function=function)
        gain, bias, decoder = (found[name].reshape(-1, n) for name in ("gain", "bias", "decoder"))
        decoded = (MEMBRANE.rate(x[..., None] * gain + bias) * decoder).sum(axis=-1)
        errors.append(np.sqrt(np.mean((decoded - function(x)) ** 2)) / function(x).std())
    assert (np.diff(errors) < 0).all()
    assert errors[-1] < errors[0] / 10


def test_one_seed_draws_the_same_neurons():
    first, second, other = drawn(5), drawn(5), drawn(5, seed=2)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in first)
    assert {name: array.shape for name, array in first.items()} == {
        **dict.fromkeys(("gain", "bias", "decoder", "lead", "v0"), (30,)),
        "r0": (6,),
    }


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-9, 250.0])
def test_a_unit_that_never_moves_is_still_a_unit(value):
    x = visited()
    x[..., 2] = value
    found = drawn(16, x=x)
    assert all(np.isfinite(array).all() for array in found.values())
    own = slice(32, 48)
    decoded = MEMBRANE.rate(value * found["gain"][own] + found["bias"][own]) @ found["decoder"][own]
    assert decoded == pytest.approx(np.tanh(value), abs=0.02)
    assert found["r0"][2] == pytest.approx(np.tanh(value), abs=0.02)
