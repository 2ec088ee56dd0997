"""`cortwin.differentiate`: gradients of Brian2 networks against centred differences, and parameters back into them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    defaultclock,
    ms,
    mV,
    nA,
    nS,
    pF,
    second,
    volt,
)
from brian2.core.variables import ArrayVariable
from brian2_networks import NETWORKS
from network_equality import draws_like_brian2

import cortwin
from cortwin.errors import CortwinError, RunFailed


@pytest.fixture(autouse=True)
def _tenth_of_a_millisecond():
    defaultclock.dt = 0.1 * ms
    yield
    defaultclock.dt = 0.1 * ms


# Networks whose records are smooth functions of their parameters, and parameters of every kind: initial values,
# constants of the equations, shared and per-element variables, noise, weights, samples of a stimulus. Group names are
# those that Brian2 gives, so the owner is found by the variable.
SMOOTH = {
    "morris_lecar": ("v", "w", "I", "gCa", "phi"),
    "hodgkin_huxley": ("v", "n", "I", "gK", "EL"),
    "wilson_cowan": ("E", "P", "c_EE", "c_EI", "tau_E"),
    "fitzhugh_nagumo": ("v", "I", "a", "tau_w"),
    "ornstein_uhlenbeck": ("x", "sigma", "tau"),
    "multiplicative_noise": ("x", "tau"),
    "stratonovich_noise": ("x", "tau"),
    "tsodyks_markram": ("v", "u_S", "U_0", "tau_D", "tau_F"),
    "kuramoto": ("phi", "omega", "K"),
    "own_function": ("v",),
    "hindmarsh_rose": ("x", "I", "r", "x_R"),
    "functions_of_the_namespace": ("x",),
    "periodic_spikes": ("v", "w"),
}
# Centred differences at h and 2 h, extrapolated, err by h^4 and by rounding, eps f / h: with h = 1e-5 of each
# parameter's size the second is near 1e-11 of the loss.
STEP, RELATIVE, ROUNDING = 1e-5, 1e-6, 1e-10


def qualified(case, names):
    """Return the names with their groups: variables as ``group.variable``, constants as they are."""
    owners = {}
    for obj in case.network.objects:
        for name in names:
            if isinstance(obj, (NeuronGroup, Synapses)) and isinstance(obj.variables.get(name), ArrayVariable):
                owners.setdefault(name, f"{obj.variables[name].owner.name}.{name}")
    return [owners.get(name, name) for name in names]


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_those_of_centred_differences(name):
    case = NETWORKS[name]()
    names = qualified(case, SMOOTH[name])
    program = cortwin.differentiate(case.network, names, namespace=case.namespace)
    duration = min(float(case.duration), 0.03 if name != "tsodyks_markram" else 0.06)
    draws = draws_like_brian2(program.program, duration, "numpy")

    sizes = {
        (monitor, key): float(np.abs(array).max())
        for monitor, found in program.run(duration, draws=draws).items()
        for key, array in found.items()
        if key != "raster"
    }

    def loss(records):
        total = 0.0
        for (monitor, key), size in sizes.items():
            array = records[monitor][key]
            total = total + (jnp.cos(jnp.arange(array.size).reshape(array.shape)) * array / (size or 1.0)).sum()
        return total

    value, gradients = program.value_and_grad(loss, duration, draws=draws)
    generator = np.random.default_rng(3)
    direction = {
        key: (np.abs(start).max() or 1.0) * generator.standard_normal(start.shape)
        for key, start in program.parameters.items()
    }
    for key in names:
        differences = []
        for step in (STEP, 2 * STEP):
            ends = [
                program.value_and_grad(
                    loss, duration, {key: program.parameters[key] + sign * step * direction[key]}, draws=draws
                )[0]
                for sign in (1, -1)
            ]
            differences.append((ends[0] - ends[1]) / (2 * step))
        difference = (4 * differences[0] - differences[1]) / 3
        found = float((gradients[key] * direction[key]).sum())
        assert abs(difference) > 1e-6 * abs(value), f"{key}: nothing depends on it"
        assert found == pytest.approx(difference, rel=RELATIVE, abs=ROUNDING * max(1.0, abs(value))), key


def leaky(weights=(0.5, 0.25)):
    """Two spikes given, through two synapses onto leaky cells, with a stimulus and a conductance around them."""
    g_leak, C = 10 * nS, 200 * pF
    stimulus = TimedArray(np.full((4, 2), 0.1) * nA, dt=5 * ms)
    source = SpikeGeneratorGroup(2, [0, 1], [3, 7] * ms, name="source")
    neurons = NeuronGroup(2, "dv/dt = (stimulus(t, i) - g_leak*v)/C : volt", method="euler", name="neurons")
    synapses = Synapses(source, neurons, "w : volt", on_pre="v_post += w", delay=1 * ms, name="synapses")
    synapses.connect(j="i")
    synapses.w = np.array(weights) * mV
    trace = StateMonitor(neurons, "v", record=True, name="trace")
    spikes = SpikeMonitor(source, name="spikes")
    return Network(source, neurons, synapses, trace, spikes), {"stimulus": stimulus, "g_leak": g_leak, "C": C}


NAMES = ["neurons.g_leak", "synapses.w", "stimulus", "neurons.v"]


def test_records_are_labelled_as_the_monitors_are():
    network, around = leaky()
    results = cortwin.differentiate(network, NAMES, namespace=around).run(10 * ms)
    v, raster = results["trace"]["v"], results["spikes"]["raster"]
    assert v.dims == raster.dims == ("time", "element")
    assert v.attrs["units"] == "V"
    assert v.shape == (100, 2)
    assert results["trace"].attrs["dt"] == 1e-4
    np.testing.assert_allclose(v["time"], np.arange(100) * 1e-4, rtol=1e-12)
    assert raster.dtype == bool
    assert int(raster.sum()) == 2
    assert bool(raster[30, 0])
    assert bool(raster[70, 1])


def test_names_are_found_around_the_call_as_in_brian2():
    tau = 10 * ms
    group = NeuronGroup(1, "dv/dt = -v/tau : 1", method="euler", name="neurons")
    group.v = 1
    network = Network(group, StateMonitor(group, "v", record=True, name="trace"))
    program = cortwin.differentiate(network, ["tau"])
    value, gradients = program.value_and_grad(lambda records: records["trace"]["v"][-1, 0], 1 * ms)
    # v = (1 - dt/tau)^9 after nine steps, and its derivative with respect to tau.
    assert value == pytest.approx((1 - 0.01) ** 9, rel=1e-14)
    assert gradients["tau"] == pytest.approx(9 * (1 - 0.01) ** 8 * 0.01 / float(tau / second), rel=1e-12)


def test_what_was_learned_goes_back_into_the_objects():
    network, around = leaky()
    program = cortwin.differentiate(network, NAMES, namespace=around)
    changed = {
        "neurons.g_leak": 20 * nS,
        "synapses.w": [0.75, 1.5] * mV,
        "stimulus": np.linspace(0, 0.3, 8).reshape(4, 2) * nA,
        "neurons.v": [1.0, 2.0] * mV,
    }
    before = program.run(10 * ms)
    expected = program.run(10 * ms, changed)
    program.write_back(changed)
    again = program.run(10 * ms)
    network.run(10 * ms, namespace={"stimulus": around["stimulus"], "C": around["C"], "g_leak": 1e9 * nS})
    found = np.asarray(network["trace"].v_).T
    assert np.abs(found - before["trace"]["v"].to_numpy()).max() > 1e-4
    np.testing.assert_allclose(found, expected["trace"]["v"], rtol=1e-12)
    np.testing.assert_allclose(found, again["trace"]["v"], rtol=1e-12)


def test_learned_weights_give_the_same_spikes_in_brian2():
    rng = np.random.default_rng(1)
    group = NeuronGroup(
        20, "dv/dt = (I - v)/(10*ms) : 1\nI : 1", threshold="v > 1", reset="v = 0", method="exact", name="cells"
    )
    group.I = rng.uniform(0.9, 1.5, 20)
    recurrent = Synapses(group, group, "w : 1", on_pre="v_post += w", delay=0.5 * ms, name="recurrent")
    recurrent.connect(condition="i != j")
    recurrent.w = rng.normal(0, 0.05, len(recurrent))
    network = Network(group, recurrent, SpikeMonitor(group, name="spikes"))
    program = cortwin.differentiate(network, ["recurrent.w"], namespace={}, scale=5.0)

    def loss(records):
        return (records["spikes"]["raster"].mean(axis=0) - 0.01).sum() ** 2

    w = program.parameters["recurrent.w"]
    losses = []
    for _ in range(5):
        value, gradients = program.value_and_grad(loss, 50 * ms, {"recurrent.w": w})
        losses.append(value)
        w = w - 0.02 * gradients["recurrent.w"] / np.abs(gradients["recurrent.w"]).max()
    assert losses[-1] < losses[0]
    program.write_back({"recurrent.w": w})
    expected = program.run(50 * ms)["spikes"]["raster"].to_numpy()
    network.run(50 * ms, namespace={})
    events = network["spikes"]
    assert expected.sum() == len(events.t) > 30
    assert expected[np.round(np.asarray(events.t_) / 1e-4).astype(int), np.asarray(events.i)].all()


def test_forward_mode_is_reverse_mode():
    network, around = leaky()
    program = cortwin.differentiate(network, NAMES, namespace=around)

    def loss(records):
        return (records["trace"]["v"] ** 2).sum()

    value, reverse = program.value_and_grad(loss, 10 * ms)
    same, forward = program.value_and_grad(loss, 10 * ms, mode="forward")
    assert value == same
    for name in NAMES:
        np.testing.assert_allclose(reverse[name], forward[name], rtol=1e-12, atol=1e-20)
        assert np.abs(reverse[name]).max() > 0


def test_many_trials_at_once():
    network, around = leaky()
    run = cortwin.differentiate(network, NAMES, namespace=around).function(10 * ms)
    weights = np.random.default_rng(2).normal(size=(5, 2)) * 1e-3
    together = jax.jit(jax.vmap(lambda w: run({"synapses.w": w})["trace"]["v"]))(weights)
    for w, found in zip(weights, together, strict=True):
        np.testing.assert_allclose(found, run({"synapses.w": w})["trace"]["v"], rtol=1e-12, atol=1e-18)


def test_memory_of_a_gradient_grows_with_the_square_root_of_the_time():
    group = NeuronGroup(200, "dv/dt = (sin(v) - v)/(10*ms) : 1", method="rk4", name="cells")
    group.v = np.linspace(0.1, 1, 200)
    last = StateMonitor(group, "v", record=[0], dt=1 * ms, name="last")
    program = cortwin.differentiate(Network(group, last), ["cells.v"], namespace={})

    def memory(duration, checkpoint):
        run = program.function(duration, checkpoint=checkpoint)
        gradient = jax.jit(jax.grad(lambda v: run({"cells.v": v})["last"]["v"].sum()))
        analysis = gradient.lower(jnp.ones(200)).compile().memory_analysis()
        return analysis.temp_size_in_bytes

    # Sixteen times the time: four times the states between blocks, within one, and at the end. Of 32,000 ticks the
    # states of at most nine times the root are kept: one root between blocks, one in a block, six to seven at the end.
    short, long = memory(0.2, True), memory(3.2, True)
    assert long < 6 * short
    assert memory(3.2, False) > 32_000 / (9 * np.sqrt(32_000)) * long


def test_poisson_input_has_its_distribution():
    rates = [20.0, 100.0]
    target = NeuronGroup(400, "n : 1\nm : 1", name="target")
    few = PoissonInput(target, "n", N=50, rate=20 * Hz, weight=1)
    many = PoissonInput(target, "m", N=2000, rate=50 * Hz, weight=1)
    source = PoissonGroup(400, rates="(20*Hz)*int(i < 200) + (100*Hz)*int(i >= 200)", name="source")
    spikes = SpikeMonitor(source, name="spikes")
    program = cortwin.differentiate(Network(target, few, many, source, spikes), namespace={})
    steps = 500
    found = program.program.run(0.05, key=1)
    # Counts over 500 steps of 0.1 ms: binomial, and their normal approximation where Brian2 takes it (n p > 5).
    for name, n, p in (("n", 50, 0.002), ("m", 2000, 0.005)):
        counts = found[f"target.{name}"]
        deviation = np.sqrt(steps * n * p * (1 - p))
        assert abs(counts.mean() - steps * n * p) < 5 * deviation / 20
        assert abs(counts.std() / deviation - 1) < 5 / np.sqrt(2 * 400)
    raster = found["spikes.raster"]
    for rate, mine in zip(rates, (raster[:, :200], raster[:, 200:]), strict=True):
        expected = mine.size * rate * 1e-4
        assert abs(mine.sum() - expected) < 5 * np.sqrt(expected)


def test_a_key_gives_the_same_numbers_and_another_key_others():
    case = NETWORKS["ornstein_uhlenbeck"]()
    program = cortwin.differentiate(case.network, namespace=case.namespace)
    once, again, other = (program.run(5 * ms, key=key)["ou_trace"]["x"].to_numpy() for key in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 1e-3
    with pytest.raises(CortwinError, match=r"the network draws \S*randn, \S*randn_2: give a key, or the draws"):
        program.run(5 * ms)
    name = next(iter(program.program.draws))
    with pytest.raises(CortwinError, match=rf"{name}: expected draws of shape \(50, 20\), .* got \(3, 20\)"):
        program.run(5 * ms, draws={name: np.zeros((3, 20))}, key=1)


def test_facilitating_synapses_release_what_the_closed_form_says():
    tau_F, tau_D, U_0 = 1.5 * second, 0.2 * second, 0.2
    defaultclock.dt = 1 * ms
    inputs = SpikeGeneratorGroup(1, [0], [0] * ms, period=200 * ms)
    target = NeuronGroup(1, "v : 1")
    synapses = Synapses(
        inputs,
        target,
        "du/dt = (U_0 - u)/tau_F : 1 (event-driven)\ndx/dt = (1 - x)/tau_D : 1 (event-driven)\nr : 1",
        on_pre="u += U_0*(1 - u)\nr = u*x\nx -= r",
        name="synapses",
    )
    synapses.connect()
    synapses.x, synapses.u = 1, U_0
    released = StateMonitor(synapses, "r", record=[0], dt=200 * ms, name="released")
    network = Network(inputs, target, synapses, released)
    program = cortwin.differentiate(network, ["U_0"], namespace={"tau_F": tau_F, "tau_D": tau_D, "U_0": U_0})
    value, gradients = program.value_and_grad(lambda records: records["released"]["r"][-1, 0], 20 * second)

    def limit(U):
        """Return the release of a spike in the stationary state of a regular train (Tsodyks & Markram 1998)."""
        kept, lost = np.exp(-0.2 / 1.5), np.exp(-0.2 / 0.2)
        before = U / (1 - (1 - U) * kept)
        u = before + U * (1 - before)
        return u * (1 - lost) / (1 - (1 - u) * lost)

    assert limit(0.2) == pytest.approx(0.5140979, abs=5e-8)
    assert value == pytest.approx(limit(0.2), rel=1e-5)
    assert gradients["U_0"] == pytest.approx((limit(0.2 + 1e-6) - limit(0.2 - 1e-6)) / 2e-6, rel=1e-4)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["neurons.g_leek"], r"no parameter 'neurons.g_leek'.*; did you mean 'neurons.v'|there are"),
        (["synapses.ww"], r"no parameter 'synapses.ww', .*did you mean 'synapses.w'"),
        (["synapses.delay"], r"synapses.delay: a delay is a number of steps, which has no gradient"),
        (["synapses.i"], r"synapses.i: is part of the network's structure"),
        (["neurons.N"], r"neurons.N: is part of the network's structure"),
    ],
)
def test_what_is_no_parameter_is_refused(names, message):
    network, around = leaky()
    with pytest.raises(CortwinError, match=message) as caught:
        cortwin.differentiate(network, names, namespace=around)
    assert "\n" not in str(caught.value)


def test_an_expression_is_no_parameter():
    group = NeuronGroup(1, "dv/dt = -u/ms : 1\nu = 2*v : 1", method="euler", name="cells")
    network = Network(group, StateMonitor(group, "u", record=True))
    with pytest.raises(CortwinError, match=r"cells.u: is the expression '2\*v'; choose what it is made of"):
        cortwin.differentiate(network, ["cells.u"], namespace={})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.run(10 * mV), "the duration must be a time, got 10. mV"),
        (lambda p: p.run(10.05 * ms), "not a multiple of dt = 0.0001 s"),
        (lambda p: p.run(10 * ms, {"synapses.w": 3 * nS}), r"synapses.w: is in V, got S"),
        (lambda p: p.run(10 * ms, {"synapses.w": np.zeros(3)}), r"synapses.w: expected an array of shape \(2,\), got"),
        (lambda p: p.run(10 * ms, {"synapses.w": "big"}), "synapses.w: expected numbers, got 'big'"),
        (lambda p: p.run(10 * ms, {"neurons.C": 1.0}), "'neurons.C' is not a parameter; with_respect_to names neurons"),
        (
            lambda p: p.value_and_grad(lambda r: r["trace"]["v"], 10 * ms),
            r"one number, got an array of shape \(100, 2\)",
        ),
        (lambda p: p.value_and_grad(lambda r: 0.0, 10 * ms, mode="both"), "mode 'both' is not one of reverse, forward"),
        (lambda p: p.write_back({"synapses.w": [np.nan, 0] * volt}), "synapses.w: a number is not finite"),
        (lambda p: p.write_back({"synapses.w": np.zeros(3)}), r"synapses.w: expected an array of shape \(2,\), got"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    network, around = leaky()
    program = cortwin.differentiate(network, NAMES, namespace=around)
    with pytest.raises(CortwinError, match=message) as caught:
        call(program)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(np.asarray(network["synapses"].w_), [0.5e-3, 0.25e-3])


def test_a_gradient_that_is_not_finite_is_refused():
    group = NeuronGroup(1, "dv/dt = sqrt(v)/ms : 1", method="euler", name="cells")
    network = Network(group, StateMonitor(group, "v", record=True, name="trace"))
    program = cortwin.differentiate(network, ["cells.v"], namespace={})
    with pytest.raises(RunFailed, match=r"the gradient of cells.v is not finite"):
        program.value_and_grad(lambda records: records["trace"]["v"].sum(), 1 * ms)


def test_only_a_network_is_taken():
    with pytest.raises(CortwinError, match=r"takes a brian2.Network, got a list"):
        cortwin.differentiate([])  # type: ignore[arg-type]
