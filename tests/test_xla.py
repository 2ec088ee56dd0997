"""The XLA program against Brian2's own engines: same spikes, same values, to rounding.

The tolerance of values is 1e-10 where trajectories are chaotic or long (rounding of 1e-16 per operation, amplified
between spikes), 1e-12 for the short rate networks. Spikes must be identical.
"""

from __future__ import annotations

import gc

import numpy as np
import pytest
from brian2 import (
    Network,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    defaultclock,
    device,
    linked_var,
    ms,
    mV,
    prefs,
    second,
    set_device,
)
from xla_networks import assert_same_as_brian2, lif_network, raster_of, rate_network

from cortwin import xla


@pytest.fixture(autouse=True)
def _tenth_of_a_millisecond():
    defaultclock.dt = 0.1 * ms
    yield
    defaultclock.dt = 0.1 * ms


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("method", "delays"),
    [("exact", "constant"), ("exponential_euler", "heterogeneous")],
)
def test_recurrent_spikes_are_identical(method, delays, seed):
    assert_same_as_brian2(lif_network(method, delays, seed), 0.2, minimum_spikes=1000)


@pytest.mark.parametrize(("method", "delays"), [("exact", "heterogeneous"), ("exponential_euler", "constant")])
def test_recurrent_spikes_are_identical_the_other_way_round(method, delays):
    assert_same_as_brian2(lif_network(method, delays, 0), 0.2, minimum_spikes=1000)


def test_rate_network_with_summed_variable_and_input():
    results = assert_same_as_brian2(rate_network(), 0.3, rtol=1e-12)
    assert results["trace.x"].shape == (30, 12)
    assert np.std(results["trace.x"]) > 0.1


def neurons(n, equations, name="cells", **keywords):
    namespace = {"tau": 10 * ms, "ms": ms} | keywords.pop("namespace", {})
    return NeuronGroup(n, equations, method=keywords.pop("method", "euler"), namespace=namespace, name=name, **keywords)


@pytest.mark.parametrize(
    "expression",
    [
        "w * r_pre",
        "w * r_pre / N_pre - 0.5 * u * r_pre * r_post",
        "r_pre",
        "-w * (r_pre - r_post)",
        "w * exp(-r_pre / 2) / (1 + u ** 2) + sin(t / ms) * u",
        "cos(w * t / ms) * r_pre",
        "clip(w * r_pre, -0.1, 0.1)",
        "w * abs(r_pre) * int(r_post > 0)",
        "0.3",
    ],
)
@pytest.mark.parametrize("connection", ["all", "permuted", "rectangle", "sparse", "dense", "one_to_one", "none"])
def test_summed_variables(expression, connection):
    rng = np.random.default_rng(3)
    n_pre, n_post = 6, 6 if connection == "one_to_one" else 9
    sources = neurons(n_pre, "dr/dt = -r / tau : 1", name="sources")
    targets = neurons(n_post, "dr/dt = (total - r) / tau : 1\ntotal : 1", name="targets")
    synapses = Synapses(sources, targets, f"w : 1\nu : 1\ntotal_post = {expression} : 1 (summed)", name="syn")
    i, j = (ends.ravel() for ends in np.meshgrid(np.arange(n_pre), np.arange(n_post), indexing="ij"))
    match connection:
        case "permuted":
            order = rng.permutation(i.size)
            i, j = i[order], j[order]
        case "rectangle":
            kept = (i >= 2) & (j % 2 == 0)
            i, j = i[kept], j[kept]
        case "sparse":
            i, j = np.array([0, 5, 2]), np.array([8, 1, 8])
        case "dense":
            kept = rng.random(i.size) < 0.5
            i, j = i[kept], j[kept]
        case "one_to_one":
            i = j = np.arange(n_pre)
        case "none":
            i = j = np.array([], dtype=int)
    synapses.connect(i=i, j=j) if i.size else synapses.connect(False)
    synapses.w, synapses.u = rng.normal(size=i.size), rng.normal(size=i.size)
    sources.r, targets.r = rng.normal(size=n_pre), rng.normal(size=n_post)
    monitor = StateMonitor(targets, "r", record=True, name="trace")
    assert_same_as_brian2(Network(sources, targets, synapses, monitor), 0.003, rtol=1e-12)


def test_summed_variable_onto_the_presynaptic_side():
    rng = np.random.default_rng(0)
    cells = neurons(5, "dr/dt = (back - r) / tau : 1\nback : 1")
    synapses = Synapses(cells, cells, "w : 1\nback_pre = w * r_post : 1 (summed)", name="syn")
    synapses.connect()
    synapses.w, cells.r = rng.normal(size=25), rng.normal(size=5)
    results = assert_same_as_brian2(Network(cells, synapses), 0.002, rtol=1e-12)
    assert np.ptp(results["cells.back"]) > 0


@pytest.mark.parametrize("index", [np.repeat(np.arange(4), 3), np.tile(np.arange(4), 3), np.arange(12) % 3 + 1])
def test_linked_variables_with_an_index(index):
    rng = np.random.default_rng(1)
    units = neurons(4, "dx/dt = -x / tau : 1\nf = x ** 2 : 1", name="units")
    units.x = rng.normal(size=4)
    cells = neurons(12, "dv/dt = (gain * x - v + f_here) / tau : 1\nx : 1 (linked)\nf_here : 1 (linked)\ngain : 1")
    cells.x = linked_var(units, "x", index=index)
    cells.f_here = linked_var(units, "f", index=index)
    cells.gain = rng.normal(size=12)
    trace = StateMonitor(cells, ["v", "x", "f_here"], record=[0, 5, 11], name="trace")
    results = assert_same_as_brian2(Network(units, cells, trace), 0.01, rtol=1e-12)
    assert np.ptp(results["trace.v"]) > 0


def test_linked_variables_without_an_index_and_to_a_shared_one():
    units = neurons(3, "dx/dt = -x / tau : 1\nscale : 1 (shared)", name="units")
    units.x, units.scale = [1.0, -2.0, 3.0], 0.5
    cells = neurons(3, "dv/dt = (k * x - v) / tau : 1\nx : 1 (linked)\nk : 1 (linked)")
    cells.x, cells.k = linked_var(units, "x"), linked_var(units, "scale")
    assert_same_as_brian2(Network(units, cells, StateMonitor(cells, "v", record=True)), 0.01, rtol=1e-12)


@pytest.mark.parametrize("duration", [0.0006, 0.006, 0.0061, 0.0065])
def test_clocks_of_several_steps(duration):
    """Periods of 1, 2 and 3 ticks, whose only common divisor is 1, and monitors of 3 and 6."""
    fast = neurons(2, "dx/dt = (1 - x) / tau : 1", name="fast")
    slow = neurons(2, "dy/dt = (drive - y) / tau : 1\ndrive : 1 (linked)", name="slow", dt=0.2 * ms)
    slow.drive = linked_var(fast, "x")
    slower = neurons(2, "dz/dt = (t / ms + drive - z) / tau : 1\ndrive : 1 (linked)", name="slower", dt=0.3 * ms)
    slower.drive = linked_var(slow, "y")
    monitors = [
        StateMonitor(fast, "x", record=True, name="each"),
        StateMonitor(slower, "z", record=True, name="every_third"),
        StateMonitor(slow, "y", record=True, dt=0.6 * ms, when="end", name="every_sixth"),
    ]
    assert_same_as_brian2(Network(fast, slow, slower, *monitors), duration, rtol=1e-12)


@pytest.mark.parametrize("duration", [0.0, 0.0001, 0.005, 0.0123])
def test_a_coarse_monitor_and_spikes_in_between(duration):
    cells = neurons(3, "dv/dt = (I - v) / tau : 1\nI : 1", threshold="v > 1", reset="v = 0")
    cells.I = [1.5, 3.0, 6.0]
    monitors = [StateMonitor(cells, "v", record=True, dt=1 * ms, name="coarse"), SpikeMonitor(cells, name="spikes")]
    results = assert_same_as_brian2(Network(cells, *monitors), duration)
    assert results["spikes.raster"].shape == (round(duration * 1e4), 3)
    assert results["coarse.v"].shape == (-(-round(duration * 1e4) // 10), 3)


def test_monitors_see_the_slot_and_order_they_are_in():
    cells = neurons(4, "dv/dt = (I - v) / tau : 1\nI : 1", threshold="v > 1", reset="v = 0")
    cells.I = [1.5, 3.0, 6.0, 0.5]
    slots = ["start", "before_groups", "after_groups", "after_thresholds", "before_resets", "after_resets", "end"]
    monitors = [StateMonitor(cells, "v", record=True, when=slot, name=f"at_{slot}") for slot in slots]
    results = assert_same_as_brian2(Network(cells, *monitors), 0.02)
    assert results["at_after_thresholds.v"].max() > 1 > results["at_after_resets.v"].max()


def test_refractory_neurons_take_no_input_but_are_reset():
    """The conditional writes of `unless refractory`: in the state update and at synapses, not in the reset."""
    source = neurons(1, "v : 1", threshold="t > 0.5 * ms", reset="", name="source")
    target = neurons(
        2,
        "dv/dt = 0.1 / ms : 1 (unless refractory)\nu : 1",
        threshold="v > 1",
        reset="v = -1; u = 0",
        refractory="1 * ms * (i + 1)",
    )
    target.v = 0.95
    synapses = Synapses(source, target, on_pre="v_post += 0.03; u_post += 1", name="syn")
    synapses.connect()
    trace = StateMonitor(target, ["v", "u", "not_refractory"], record=True, name="trace")
    network = Network(source, target, synapses, trace, SpikeMonitor(target, name="spikes"))
    results = assert_same_as_brian2(network, 0.01, minimum_spikes=2)
    held = np.flatnonzero(~results["trace.not_refractory"][:, 1])
    assert held.size >= 15
    assert np.ptp(results["trace.v"][held, 1]) == 0.0
    assert np.ptp(results["trace.u"][held, 1]) > 5


def test_gap_junctions_between_groups_that_are_refractory():
    """Reading two variables that are `unless refractory` is no write: nothing holds the summed variable back."""
    rng = np.random.default_rng(0)
    equations = "dv/dt = (2 + gap - v) / tau : 1 (unless refractory)\ngap : 1"
    one, other = (
        neurons(4, equations, name=name, threshold="v > 1", reset="v = 0", refractory=2 * ms)
        for name in ("one", "other")
    )
    one.v, other.v = rng.random(4), rng.random(4)
    junctions = Synapses(one, other, "gap_post = 0.1 * (v_pre - v_post) : 1 (summed)", name="junctions")
    junctions.connect()
    network = Network(one, other, junctions, SpikeMonitor(other), StateMonitor(other, "gap", record=True))
    assert_same_as_brian2(network, 0.05, minimum_spikes=4)


def test_conditions_with_and_or_not():
    rng = np.random.default_rng(0)
    cells = neurons(
        20,
        """dv/dt = (I - v) / tau : 1
           dtheta/dt = (1 - theta) / (5 * tau) : 1
           I : 1
           high = v >= theta : boolean
           n_spikes : integer
           allowed : boolean""",
        threshold="(high and allowed) or (not (v <= 2)) or v == 7",
        reset="v -= 1; theta += 0.2 * int(v > 0.1); n_spikes += 1",
        refractory=0.5 * ms,
    )
    cells.theta, cells.I, cells.allowed = 1, rng.uniform(1, 6, 20), rng.random(20) < 0.5
    network = Network(cells, SpikeMonitor(cells, name="spikes"), StateMonitor(cells, "theta", record=True))
    results = assert_same_as_brian2(network, 0.1, minimum_spikes=200)
    np.testing.assert_array_equal(results["cells.n_spikes"], results["spikes.raster"].sum(axis=0))


def test_a_boolean_refractory_condition():
    cells = neurons(3, "dv/dt = (I - v) / tau : 1\nI : 1", threshold="v > 1", reset="", refractory="v > 0.9")
    cells.I = [1.5, 3.0, 0.5]
    assert_same_as_brian2(Network(cells, SpikeMonitor(cells)), 0.02, minimum_spikes=2)


def test_code_that_runs_regularly():
    """In slots before and after the update, at steps of its own, on integers and on what is refractory."""
    cells = NeuronGroup(
        4,
        "dv/dt = (2 - v)/(10*ms) : 1 (unless refractory)\nhigh : integer",
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,
        method="exact",
        name="cells",
    )
    cells.v = [0.0, 0.3, 0.6, 0.9]
    cells.run_regularly("high += 1 - int(abs(v) < 0.8)", when="after_groups")
    cells.run_regularly("v = v - 0.0625", dt=1 * ms)
    network = Network(cells, StateMonitor(cells, ("v", "high"), record=True, name="trace"), SpikeMonitor(cells))
    results = assert_same_as_brian2(network, 0.05, rtol=1e-12, minimum_spikes=4)
    assert results["trace.high"][-1].min() > 0


def test_synapses_that_learn():
    """Pathways that change synaptic variables: pair-based STDP with clock-driven traces, weights clipped."""
    rng = np.random.default_rng(5)
    cells = neurons(30, "dv/dt = (I - v) / tau : 1\nI : 1", threshold="v > 1", reset="v = 0", refractory=1 * ms)
    cells.I, cells.v = rng.uniform(1.0, 2.0, 30), rng.random(30)
    synapses = Synapses(
        cells,
        cells,
        """w : 1
           da/dt = -a / tau : 1 (clock-driven)
           db/dt = -b / tau : 1 (clock-driven)""",
        on_pre={
            "arrive": "v_post += w; I_post -= 0.1 * w; a += 0.02; w = clip(w - b, 0, 0.3)",
            "late": "I_post += 0.1 * w",
        },
        on_post="b += 0.01; w = clip(w + a, 0, 0.3)",
        delay={"late": 3 * ms},
        method="exact",
        namespace={"tau": 10 * ms},
        name="syn",
    )
    synapses.connect(p=0.3)
    synapses.w = rng.uniform(0, 0.1, len(synapses))
    synapses.arrive.delay = rng.integers(0, 20, len(synapses)) * 0.1 * ms
    before = np.array(synapses.w)
    network = Network(cells, synapses, SpikeMonitor(cells), StateMonitor(synapses, "w", record=[0, 3]))
    results = assert_same_as_brian2(network, 0.1, minimum_spikes=200)
    assert np.abs(results["syn.w"] - before).max() > 0.01


@pytest.mark.parametrize("delays", ["none", "constant", "heterogeneous"])
@pytest.mark.parametrize("connection", ["all", "one_to_one", "convergent", "divergent"])
def test_spikes_through_both_ends_of_regular_synapses(connection, delays):
    """Sums of spikes as matrix products, reshapes and copies, onto targets (on_pre) and onto sources (on_post)."""
    rng = np.random.default_rng(2)
    n_pre, n_post = {"all": (6, 8), "one_to_one": (8, 8), "convergent": (12, 4), "divergent": (4, 12)}[connection]
    equations = "dv/dt = (I + g - v) / tau : 1\ndg/dt = -g / (tau / 2) : 1\nI : 1"
    sources, targets = (
        neurons(n, equations, name=name, threshold="v > 1", reset="v = 0")
        for n, name in ((n_pre, "sources"), (n_post, "targets"))
    )
    for group in (sources, targets):
        group.I, group.v = rng.uniform(1.5, 3, len(group)), rng.random(len(group))
    delay = {"pre": 0.7 * ms, "post": 0.2 * ms} if delays == "constant" else None
    synapses = Synapses(
        sources,
        targets,
        "w : 1",
        on_pre="g_post += w * I_pre / N_pre; v_post -= 0.01",
        on_post="g_pre += 0.5 * w / I_post",
        delay=delay,
        name="syn",
    )
    match connection:
        case "all":
            synapses.connect()
        case "one_to_one":
            synapses.connect(j="i")
        case "convergent":
            synapses.connect(i=np.arange(12), j=np.arange(12) // 3)
        case "divergent":
            synapses.connect(i=np.arange(12) % 4, j=np.arange(12))
    synapses.w = rng.normal(size=len(synapses))
    if delays == "heterogeneous":
        synapses.pre.delay = rng.integers(0, 30, len(synapses)) * 0.1 * ms
        synapses.post.delay = rng.integers(0, 30, len(synapses)) * 0.1 * ms
    monitors = [SpikeMonitor(group, name=f"spikes_{group.name}") for group in (sources, targets)]
    trace = StateMonitor(targets, ["v", "g"], record=True, name="trace")
    assert_same_as_brian2(Network(sources, targets, synapses, trace, *monitors), 0.1, minimum_spikes=20)


def test_shared_variables_units_and_subexpressions_constant_over_dt():
    ramp = TimedArray(np.array([0.0, 1.0, 4.0]), dt=2 * ms, name="ramp")
    cells = NeuronGroup(
        3,
        """dv/dt = (E - v + R_drive) / tau_cell : volt
           E : volt (shared)
           tau_cell : second (constant)
           k = timestep(t, dt) % 3 : integer
           R_drive = ramp(t) * mV * (1 + k + sqrt(i + 1.0)) : volt (constant over dt)
           doubled = 2 * level : volt (shared)
           level : volt (shared)""",
        threshold="v > -50 * mV",
        reset="v = E",
        method="euler",
        namespace={"ramp": ramp, "mV": mV},
        name="cells",
    )
    cells.v, cells.E, cells.tau_cell, cells.level = -52 * mV, -52 * mV, [5, 6, 7] * ms, 3 * mV
    trace = StateMonitor(cells, ["v", "R_drive", "doubled"], record=[2, 0], name="trace")
    assert_same_as_brian2(Network(cells, trace, SpikeMonitor(cells)), 0.02, minimum_spikes=2, rtol=1e-12)


def test_functions_agree_with_brian2():
    cells = neurons(
        7,
        """dv/dt = 0.01 * (sin(v) + cos(v) * tan(v / 9) + sinh(v / 3) - cosh(v / 4) + tanh(v) + exp(-v) + log(3 + v)
                + log10(3 + v) + expm1(v / 9) + log1p(v + 2) + exprel(v) + sqrt(abs(v)) + arcsin(v / 9)
                + arccos(v / 9) + arctan(v) + sign(v) + ceil(3 * v) + floor(3 * v) + int(5 * v) + clip(v, -1, 1)
                + timestep(t, dt) + v // 0.3 + v % 0.7 + v ** 3 + 2 ** v + 7 // 2 + 7 / 2) / ms : 1""",
    )
    cells.v = [-1.9, -1.0, -0.25, 0.0, 0.4, 1.0, 2.9]
    results = assert_same_as_brian2(Network(cells, StateMonitor(cells, "v", record=True, name="trace")), 0.002)
    assert np.ptp(results["trace.v"], axis=0).min() > 1e-3


def test_values_replace_initial_values_parameters_weights_and_inputs():
    """Overriding a value is the same as building the network with it."""
    first, second_network = rate_network(seed=0), rate_network(seed=4)
    program, other = xla.compile(first), xla.compile(second_network)
    expected = other.run(0.2)
    found = program.run(0.2, values=other.state)
    assert set(program.state) == {
        *("cortex.x", "cortex.b", "cortex.I_rec", "cortex.channel", "recurrent.w", "stimulus.values")
    }
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)
    assert np.abs(program.run(0.2)["trace.x"] - found["trace.x"]).max() > 0.1


def test_compiling_and_running_leave_the_network_as_it_was():
    network = lif_network("exact", "constant", 0)
    before = np.array(network["lif"].v)
    program = xla.compile(network)
    once, twice = program.run(0.02), program.run(0.02)
    for key, value in once.items():
        np.testing.assert_array_equal(value, twice[key])
    np.testing.assert_array_equal(network["lif"].v, before)
    assert float(network.t) == 0.0
    network.run(1 * ms, namespace={})
    np.testing.assert_array_equal(program.state["lif.v"], before)


def test_a_program_outlives_the_network_it_was_made_from():
    program = xla.compile(lif_network("exact", "constant", 0))
    gc.collect()
    assert program.run(0.02)["spikes.raster"].sum() > 0


@pytest.fixture
def cpp_standalone(tmp_path):
    """Brian2's C++ standalone device with strict arithmetic; the runtime device comes back whatever happens."""
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O2", "-ffp-contract=off"]

    def activate(directory: str) -> None:
        set_device("cpp_standalone", build_on_run=False, directory=str(tmp_path / directory))

    try:
        yield activate
    finally:
        device.reinit()
        set_device("runtime")
        prefs.codegen.cpp.extra_compile_args_gcc = flags


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("method", "delays"), [("exact", "constant"), ("exponential_euler", "heterogeneous")])
def test_spikes_are_those_of_cpp_standalone(cpp_standalone, method, delays, seed):
    program = xla.compile(lif_network(method, delays, seed))
    found = program.run(1.0)

    cpp_standalone("lif")
    network = lif_network(method, delays, seed)
    network.run(1 * second, namespace={})
    device.build(compile=True, run=True, directory=None)
    expected = raster_of(network["spikes"], 10_000)
    assert expected.sum() >= 5000
    np.testing.assert_array_equal(found["spikes.raster"], expected)
    np.testing.assert_allclose(found["v.v"], network["v"].v.T, rtol=1e-9, atol=1e-9)
