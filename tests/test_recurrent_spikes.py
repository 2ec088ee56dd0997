"""Recurrent LIF networks: against a slow loop, in three engines; training; float32; the tasks' delayed xor."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, StateMonitor, Synapses, ms, prefs, second

import cortwin
from cortwin.errors import CortwinError
from cortwin.recurrent_lif import PARAMETERS, RecurrentLIF
from cortwin.surrogate_descent import Behaviour, Descent, descend, in_cpp, in_xla
from cortwin.tasks import delayed_xor

SIZES = RecurrentLIF(3, 12, 2)


def shown(trials=2, steps=60):
    return np.random.default_rng(1).random((trials, steps, 3))


def weights(gain=8.0):
    return SIZES.initial(np.random.default_rng(0), gain)


def by_hand(inputs, found):
    """Integrate one trial exactly, step by step; return the output after every step and the raster."""
    W_in, W_rec, W_out = (found[name].reshape(-1, n) for name, n in (("w_in.w", 12), ("w_rec.w", 12), ("w_out.w", 2)))
    m, s, o = (np.exp(-SIZES.dt / tau) for tau in (SIZES.tau_m, SIZES.tau_s, SIZES.tau_o))
    mixed = SIZES.tau_s / (SIZES.tau_s - SIZES.tau_m) * (s - m)
    v, current, y = np.zeros(12), np.zeros(12), np.zeros(2)
    outputs, raster = [], []
    drive = np.zeros(12)
    for u in inputs:
        # Brian2 computes the summed drive at the start of a step, before the neurons' update.
        drive = u @ W_in + found["neurons.b"]
        v = v * m + current * mixed + drive * (1 - m)
        current, y = current * s, y * o
        spikes = v > 1
        v = v - spikes
        current, y = current + spikes @ W_rec, y + spikes @ W_out
        outputs.append(y)
        raster.append(spikes)
    return np.array(outputs), np.array(raster)


def test_a_network_is_what_its_equations_say():
    inputs, found = shown(), weights()
    here = in_xla(SIZES, found, inputs)
    assert here.raster.sum() > 30
    for trial, u in enumerate(inputs):
        output, raster = by_hand(u, found)
        np.testing.assert_array_equal(here.raster[trial], raster)
        # 60 steps of sums of 12 numbers of order 1.
        np.testing.assert_allclose(here.output[trial], output, rtol=0, atol=1e-12)


@pytest.mark.cpp
def test_trials_side_by_side_in_cpp_are_those_in_xla():
    here, there = (run(SIZES, weights(), shown()) for run in (in_xla, in_cpp))
    assert here.raster.sum() > 30
    np.testing.assert_array_equal(here.raster, there.raster)
    np.testing.assert_allclose(here.output, there.output, rtol=0, atol=1e-12)


def test_training_lowers_the_error_and_the_penalty_the_rates():
    generator = np.random.default_rng(2)
    inputs, start = shown(8), weights()
    target, mask = np.tile([0.5, -0.5], (8, 60, 1)), np.ones((8, 60))
    before = in_xla(SIZES, start, inputs)
    free, errors = descend(SIZES, start, inputs, target, mask, Descent(30, 8, 2e-2, penalty=0.0), generator)
    after = in_xla(SIZES, free, inputs)
    assert after.error(target, mask) < 0.5 * before.error(target, mask)
    # float32 against float64, and one spike more or less where they part.
    assert errors[0] == pytest.approx(before.error(target, mask), rel=0.05)
    calm, _ = descend(SIZES, start, inputs, target, mask, Descent(30, 8, 2e-2, rate=10.0), generator)
    assert in_xla(SIZES, calm, inputs).rates(SIZES.dt).mean() < 0.8 * after.rates(SIZES.dt).mean()


def test_an_error_counts_where_it_is_asked_for():
    behaviour = Behaviour(np.array([[[1.0, 0.0], [5.0, 5.0]]]), np.array([[[True], [False]]]))
    assert behaviour.error(np.zeros((1, 2, 2)), [[1, 0]]) == 0.5
    assert behaviour.rates(0.01) == pytest.approx([50.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RecurrentLIF(0, 2, 1), "RecurrentLIF.inputs must be positive, got 0"),
        (lambda: RecurrentLIF(1, 2, 1, tau_s=20e-3), r"tau_s must differ from tau_m, got 0.02 s"),
        (
            lambda: descend(
                SIZES, weights(), shown(), np.zeros((2, 60, 2)), np.ones((2, 60)), Descent(), np.random.default_rng(0)
            ),
            "Descent.batch must be at most the number of trials, 2, got 32",
        ),
        (lambda: delayed_xor(0, np.random.SeedSequence(1)), "number of trials must be at least 1, got 0"),
        (
            lambda: delayed_xor(1, np.random.SeedSequence(1), delay=0.0031),
            "delayed_xor: delay must be a multiple of dt",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(CortwinError, match=message):
        call()


def test_delayed_xor_asks_for_the_sign_of_the_product_at_the_end():
    trials, mask = delayed_xor(16, np.random.SeedSequence(3))
    inputs, target = trials.inputs.to_numpy(), trials.target.to_numpy()
    first, second = np.sign(inputs[:, :, 0].sum(axis=1)), np.sign(inputs[:, :, 1].sum(axis=1))
    assert set(first) == set(second) == {-1, 1}
    np.testing.assert_array_equal(target[:, -1, 0], np.where(first != second, 1, -1))
    assert mask.sum(axis=1) == pytest.approx(40)
    # Nothing is shown for a delay of 300 ms before the answer is asked for.
    assert np.abs(inputs[:, -100:]).sum() == 0
    assert np.abs(inputs[:, -101]).sum() > 0


def test_float32_is_float32_all_the_way_and_near_float64():
    network = SIZES.network(shown()[0], weights())
    kinds = {}
    for dtype in ("float64", "float32"):
        program = cortwin.differentiate(network, [*PARAMETERS, "stimulus"], namespace={}, dtype=dtype)
        records = program.function(0.02)({}, None)
        assert records["output"]["y"].dtype == records["spikes"]["raster"].dtype == dtype
        _, gradients = program.value_and_grad(lambda r: (r["output"]["y"] ** 2).mean(), 0.02)
        kinds[dtype] = (np.asarray(records["output"]["y"]), gradients["w_rec.w"])
        run = program.function(0.02)
        text = str(jax.make_jaxpr(run)({"w_rec.w": jnp.asarray(weights()["w_rec.w"], dtype)}))
        assert ("f64[12]" in text) is (dtype == "float64")
    # Twenty steps: rounding of 6e-8 a step, times weights of order 3.
    for wide, narrow in zip(kinds["float64"], kinds["float32"], strict=True):
        np.testing.assert_allclose(narrow, wide, rtol=1e-4, atol=1e-5 * np.abs(wide).max())
    assert np.abs(kinds["float64"][1]).max() > 0
    with pytest.raises(CortwinError, match="dtype 'float16' is not one of float64, float32"):
        cortwin.differentiate(network, dtype="float16")


def test_time_is_counted_in_float64_when_all_else_is_float32():
    group = NeuronGroup(1, "dv/dt = 1/second : 1 (unless refractory)", threshold="v > 0.0015", reset="v = 0",
                        refractory=1 * ms, method="euler", dt=0.1 * ms, name="cell")  # fmt: skip
    trace = StateMonitor(group, "v", record=True, dt=0.1 * ms, name="trace")
    program = cortwin.differentiate(Network(group, trace), namespace={}, dtype="float32")
    assert program.program.state["cell.lastspike"].dtype == np.float64
    found = program.run(20 * second)["trace"]["v"].to_numpy()[:, 0]
    # Sixteen steps up, and ten silent: the period does not drift over 200,000 steps.
    resets = np.flatnonzero(np.diff(found) < 0)
    assert set(np.diff(resets)) == {resets[1] - resets[0]}


def test_a_group_in_which_nothing_runs_has_a_clock():
    prefs.codegen.target = "numpy"
    heard = NeuronGroup(1, "u = 1000*t/second : 1", dt=2 * ms, name="heard")
    cell = NeuronGroup(1, "drive : 1", dt=1 * ms, name="cell")
    synapses = Synapses(heard, cell, "drive_post = u_pre : 1 (summed)", dt=1 * ms, name="synapses")
    synapses.connect()
    trace = StateMonitor(cell, "drive", record=True, dt=1 * ms, name="trace")
    network = Network(heard, cell, synapses, trace)
    found = cortwin.differentiate(network, namespace={}).run(6 * ms)["trace"]["drive"].to_numpy()
    network.run(6 * ms, namespace={})
    np.testing.assert_allclose(found[:, 0], network["trace"].drive[0], rtol=1e-12, atol=1e-12)
