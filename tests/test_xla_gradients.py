"""Gradients of XLA programs, against centred differences and against recurrences written by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, defaultclock, ms
from scipy.integrate import quad
from xla_networks import rate_network

from cortwin import xla
from cortwin.xla.surrogate import SURROGATES, fast_sigmoid, select, spike, triangular

KEYS = ("recurrent.w", "cortex.b", "cortex.x", "stimulus.values")
N_STEPS = 15


@pytest.fixture(autouse=True)
def _default_step():
    yield
    defaultclock.dt = 0.1 * ms


def by_hand(values, n_steps=N_STEPS):
    """Return x before each step of the rate network of `xla_networks`, written down as a recurrence."""
    alpha, n = 10e-3 / 100e-3, values["cortex.x"].size
    W = values["recurrent.w"].reshape(n, n)
    channel = np.arange(n) % values["stimulus.values"].shape[1]

    def step(x, k):
        u = values["stimulus.values"][jnp.minimum(k // 2, values["stimulus.values"].shape[0] - 1)]
        return x + alpha * (-x + jnp.tanh(x) @ W + values["cortex.b"] + u[channel]), x

    return jax.lax.scan(step, values["cortex.x"], jnp.arange(n_steps))[1]


def test_rate_gradient_is_that_of_the_recurrence_by_hand():
    program = xla.compile(rate_network())
    values = {key: jnp.asarray(program.state[key]) for key in KEYS}
    target = np.random.default_rng(1).normal(size=(N_STEPS, 12))

    def loss(simulate):
        return lambda values: jnp.mean((simulate(values) - target) ** 2)

    found = jax.grad(loss(lambda values: program.simulate(values, N_STEPS)["trace.x"]))(values)
    expected = jax.grad(loss(by_hand))(values)
    for key in KEYS:
        assert np.abs(expected[key]).max() > 1e-4
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-10, atol=1e-14)


def test_rate_gradient_is_that_of_centred_differences():
    """Along random directions; step 1e-5, whose error is about 1e-10 of rounding plus 1e-10 of curvature."""
    program = xla.compile(rate_network())
    rng = np.random.default_rng(2)
    values = {key: jnp.asarray(program.state[key]) for key in KEYS}

    @jax.jit
    def loss(values):
        return jnp.sum(jnp.sin(program.simulate(values, N_STEPS)["trace.r"]))

    gradient = jax.grad(loss)(values)
    for key in KEYS:
        direction = rng.normal(size=values[key].shape)
        direction /= np.linalg.norm(direction)
        ahead, behind = (loss(values | {key: values[key] + sign * 1e-5 * direction}) for sign in (1, -1))
        slope = float(np.sum(gradient[key] * direction))
        assert abs(slope) > 1e-3
        assert float(ahead - behind) / 2e-5 == pytest.approx(slope, rel=1e-6)


def test_trials_at_once_are_trials_one_by_one():
    """Also when weights and initial values differ between trials; to rounding of a matrix-matrix product."""
    program = xla.compile(rate_network())
    rng = np.random.default_rng(3)
    trials = {key: jnp.asarray(rng.normal(size=(4, *program.state[key].shape))) for key in KEYS}
    at_once = jax.vmap(lambda values: program.simulate(values, N_STEPS)["trace.x"])(trials)
    for k in range(4):
        alone = program.simulate({key: trials[key][k] for key in KEYS}, N_STEPS)["trace.x"]
        np.testing.assert_allclose(at_once[k], alone, rtol=1e-12, atol=1e-13)

    def loss(w, stimuli):
        run = jax.vmap(lambda u: program.simulate({"recurrent.w": w, "stimulus.values": u}, N_STEPS)["trace.x"])
        return jnp.mean(run(stimuli) ** 2)

    w = jnp.asarray(program.state["recurrent.w"])
    together = jax.grad(loss)(w, trials["stimulus.values"])
    single = [jax.grad(loss)(w, trials["stimulus.values"][k : k + 1]) for k in range(4)]
    np.testing.assert_allclose(together, np.mean(single, axis=0), rtol=1e-10, atol=1e-14)


def spiking_network(n=10, delay=0.0, refractory=0.5):
    """Return LIF neurons, all to all; dt 0.1 ms, tau_m 5 ms, forward Euler."""
    rng = np.random.default_rng(7)
    defaultclock.dt = 0.1 * ms
    lif = NeuronGroup(
        n,
        "dv/dt = (I - v) / tau_m : 1 (unless refractory)\nI : 1",
        threshold="v > 1",
        reset="v -= 1",
        refractory=refractory * ms,
        method="euler",
        namespace={"tau_m": 5 * ms},
        name="lif",
    )
    lif.I, lif.v = rng.uniform(1.2, 3, n), rng.random(n)
    recurrent = Synapses(lif, lif, "w : 1", on_pre="v_post += w", delay=delay * ms, name="rec")
    recurrent.connect()
    recurrent.w = 0.2 * rng.normal(size=n * n)
    return Network(lif, recurrent, SpikeMonitor(lif, name="spikes"), StateMonitor(lif, "v", record=True, name="trace"))


def lif_by_hand(v, drive, w, derivative, n_steps, delay_steps, refractory_steps, through_reset):
    """Return v before each step and the spikes of each step, in plain jax.numpy."""
    n = v.size
    W = w.reshape(n, n)

    @jax.custom_jvp
    def heaviside(distance):
        return jnp.where(distance > 0, 1.0, 0.0)

    @heaviside.defjvp
    def _(primals, tangents):
        return heaviside(*primals), derivative(primals[0]) * tangents[0]

    def step(state, k):
        v, last, line = state  # line: the spikes of the last steps, oldest first
        before = v
        active = k - last >= refractory_steps
        v = jnp.where(active, v + 0.1 / 5 * (drive - v), v)
        s = heaviside(v - 1) * active
        last = jnp.where(s > 0, k, last)
        line = jnp.concatenate([line, s[None]])
        v = jnp.where(active & (last != k), v + line[0] @ W, v)
        v = v - (s if through_reset else jax.lax.stop_gradient(s))
        return (v, last, line[1:]), (before, s)

    start = v, jnp.full(n, -10_000), jnp.zeros((delay_steps, n))
    return jax.lax.scan(step, start, jnp.arange(n_steps))[1]


@pytest.mark.parametrize("through_reset", [True, False])
@pytest.mark.parametrize("delay_steps", [0, 3])
@pytest.mark.parametrize(("name", "shape"), [("fast_sigmoid", fast_sigmoid), ("triangular", triangular)])
def test_spiking_gradient_is_that_of_the_recurrence_by_hand(name, shape, delay_steps, through_reset):
    program = xla.compile(
        spiking_network(delay=0.1 * delay_steps), surrogate=name, scale=2.0, through_reset=through_reset
    )
    n_steps = 80
    point = [jnp.asarray(program.state[key]) for key in ("lif.v", "lif.I", "rec.w")]
    weights = np.random.default_rng(0).normal(size=(2, n_steps, 10))

    def found(v, drive, w):
        results = program.simulate({"lif.v": v, "lif.I": drive, "rec.w": w}, n_steps)
        return results["trace.v"], results["spikes.raster"]

    def expected(v, drive, w):
        return lif_by_hand(v, drive, w, shape(2.0), n_steps, delay_steps, 5, through_reset)

    def loss(run):
        return jax.jit(lambda *point: sum(jnp.sum(a * b) for a, b in zip(weights, run(*point), strict=True)))

    for one, other in zip(found(*point), expected(*point), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    assert np.sum(found(*point)[1]) > 20
    for one, other in zip(
        jax.grad(loss(found), (0, 1, 2))(*point), jax.grad(loss(expected), (0, 1, 2))(*point), strict=True
    ):
        assert np.abs(other).max() > 0.1
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)


def test_checkpoints_change_no_gradient():
    network = spiking_network()
    network.add(StateMonitor(network["lif"], "v", record=True, dt=1 * ms, name="coarse"))
    network.remove(network["spikes"], network["trace"])
    program = xla.compile(network, scale=2.0)

    def loss(w, checkpoint):
        return jnp.sum(program.simulate({"rec.w": w}, 73, checkpoint=checkpoint)["coarse.v"] ** 2)

    w = jnp.asarray(program.state["rec.w"])
    plain, saving = (jax.jit(jax.grad(loss), static_argnums=1)(w, checkpoint) for checkpoint in (False, True))
    assert np.abs(plain).max() > 0.1
    np.testing.assert_allclose(saving, plain, rtol=1e-12, atol=1e-14)


def test_a_spike_carries_the_gradient_through_a_chain():
    """One neuron, one spike, one synapse: the chain rule on paper, with a threshold written `theta < v`."""
    defaultclock.dt = 0.1 * ms
    source = NeuronGroup(1, "v : 1\ntheta : 1", threshold="theta < v", reset="", name="source")
    source.v, source.theta = 1.25, 1.0
    target = NeuronGroup(1, "x : 1", name="target")
    synapse = Synapses(source, target, "w : 1", on_pre="x_post += w", name="syn")
    synapse.connect()
    synapse.w = 3.0
    program = xla.compile(Network(source, target, synapse), scale=4.0)

    def x(v, theta, w):
        return program.simulate({"source.v": v, "source.theta": theta, "syn.w": w}, 1)["target.x"][0]

    assert x(1.25, 1.0, 3.0) == 3.0
    slope = 4.0 / (1 + 4.0 * 0.25) ** 2
    np.testing.assert_allclose(jax.grad(x, (0, 1, 2))(1.25, 1.0, 3.0), (3 * slope, -3 * slope, 1.0), rtol=1e-14)
    np.testing.assert_allclose(jax.grad(x, (0, 1, 2))(0.75, 1.0, 3.0), (3 * slope, -3 * slope, 0.0), rtol=1e-14)


@pytest.mark.parametrize("scale", [0.5, 1.0, 20.0])
@pytest.mark.parametrize(
    ("name", "area"),
    [("fast_sigmoid", 2), ("triangular", 1), ("arctan", 1), ("gaussian", 1), ("straight_through", None)],
)
def test_surrogates_have_the_area_and_the_peak_that_they_say(name, area, scale):
    derivative = SURROGATES[name](scale)
    assert float(derivative(jnp.asarray(0.0))) == scale
    if area is None:
        assert float(derivative(jnp.asarray(-3.7))) == scale
        return
    half = (
        quad(lambda d: float(derivative(jnp.asarray(d))), 0, 1 / scale)[0]
        + quad(lambda d: float(derivative(jnp.asarray(d))), 1 / scale, np.inf)[0]
    )
    assert 2 * half == pytest.approx(area, rel=1e-6)
    assert float(derivative(jnp.asarray(-0.3 / scale))) == float(derivative(jnp.asarray(0.3 / scale))) < scale


def test_the_spike_is_the_comparison_and_its_derivative_the_surrogate():
    distance = jnp.asarray([-2.0, -0.1, 0.0, 0.3])
    forward, tangent = jax.jvp(lambda d: spike(triangular(1.0), d > 0, d), (distance,), (jnp.ones(4),))
    np.testing.assert_array_equal(forward, [0, 0, 0, 1])
    np.testing.assert_allclose(tangent, [0, 0.9, 1.0, 0.7])
    assert forward.dtype == jnp.float64


def test_selecting_by_a_spike_keeps_values_and_adds_its_gradient():
    s, new, old = jnp.asarray([0.0, 1.0]), jnp.asarray([5.0, 6.0]), jnp.asarray([1.0, 2.0])
    for through, expected in ((True, [4.0, 4.0]), (False, [0.0, 0.0])):
        np.testing.assert_array_equal(select(s, new, old, through_spike=through), [1.0, 6.0])
        slope = jax.grad(lambda s, through=through: select(s, new, old, through_spike=through).sum())(s)
        np.testing.assert_array_equal(slope, expected)
