"""What the XLA compiler does not cover is refused before anything runs, naming object and line."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import (
    Network,
    NetworkOperation,
    NeuronGroup,
    SpikeGeneratorGroup,
    StateMonitor,
    Synapses,
    TimedArray,
    defaultclock,
    device,
    ms,
    set_device,
)
from xla_networks import rate_network

from cortwin import xla
from cortwin.errors import CortwinError, RunFailed


@pytest.fixture(autouse=True)
def _tenth_of_a_millisecond():
    defaultclock.dt = 0.1 * ms
    yield
    defaultclock.dt = 0.1 * ms


def cells(equations="dv/dt = -v / tau : 1", n=3, **keywords):
    keywords = {"threshold": "v > 1", "reset": "v = 0", "method": "euler", "name": "cells"} | keywords
    namespace = {"tau": 10 * ms} | keywords.pop("namespace", {})
    return NeuronGroup(n, equations, namespace=namespace, **keywords)


def function(python):
    def build():
        from brian2 import Function

        own = Function(python, arg_units=[1], return_unit=1)
        return [cells("dv/dt = own(v) / tau : 1", namespace={"own": own})]

    return build


def branch(x):
    return x if x > 0 else -x


def random_function_of_ones_own():
    from brian2 import Function

    own = Function(lambda: 0.5, arg_units=[], return_unit=1, stateless=False)
    return [cells("dv/dt = own() / tau : 1", namespace={"own": own})]


def random_sum():
    group = cells("dv/dt = -v / tau : 1\ng : 1")
    synapses = Synapses(group, group, "g_post = rand() : 1 (summed)", name="syn")
    synapses.connect()
    return [group, synapses]


def recorded_noise():
    group = cells("dv/dt = -v / tau : 1\nr = rand() : 1")
    return [group, StateMonitor(group, "r", record=True, name="trace")]


def synapses_onto_synapses():
    group = cells()
    first = Synapses(group, group, "w : 1", name="first")
    first.connect()
    second = Synapses(group, first, on_pre="w_post += 1", name="second")
    second.connect()
    return [group, first, second]


def two_spikes_in_a_step():
    return [cells(), SpikeGeneratorGroup(2, [0, 0], [1, 1.04] * ms, name="source")]


def period_off_the_grid():
    return [cells(), SpikeGeneratorGroup(2, [0], [1] * ms, period=1.25 * ms, name="source")]


def regularly_through_an_index():
    group = cells()
    synapses = Synapses(group, group, name="syn")
    synapses.connect()
    synapses.run_regularly("v_post = v_post + 0.125", dt=1 * ms)
    return [group, synapses]


def network_operation():
    return [cells(), NetworkOperation(lambda: None, name="operation")]


def unconnected():
    group = cells()
    return [group, Synapses(group, group, on_pre="v_post += 0.1", name="syn")]


def unlinked():
    return [cells("dv/dt = (x - v) / tau : 1\nx : 1 (linked)")]


def synapse(code):
    def build():
        group = cells("dv/dt = -v / tau : 1\nu : 1")
        synapses = Synapses(group, group, "w : 1", on_pre=code, name="syn")
        synapses.connect()
        return [group, synapses]

    return build


def two_conditions():
    group = cells(
        "dv/dt = -v / tau : 1 (unless refractory)\ndz/dt = 1 / tau : 1 (unless refractory)", refractory=1 * ms
    )
    synapses = Synapses(group, group, on_pre="v_post += 0.1 * z_pre", name="syn")
    synapses.connect()
    return [group, synapses]


def delayed(delay):
    def build():
        group = cells()
        synapses = Synapses(group, group, on_pre="v_post += 0.1", delay=delay * ms, name="syn")
        synapses.connect()
        return [group, synapses]

    return build


def undefined_name():
    return [cells("dv/dt = (missing - v) / tau : 1")]


def wrong_units():
    return [cells(reset="v = 1 * second")]


def too_few_columns():
    stimulus = TimedArray(np.zeros((4, 2)), dt=1 * ms, name="stimulus")
    return [cells("dv/dt = (stimulus(t, i) - v) / tau : 1", namespace={"stimulus": stimulus})]


def clocks_that_do_not_fit():
    return [cells(name="base"), cells(dt=0.25 * ms)]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            function(branch),
            r"cells_stateupdater: the function 'own' in '.*own\(v\).*' cannot run over JAX arrays \(The truth value",
        ),
        (function(np.cumsum), r"the function 'own' in '.*' is no plain Python function"),
        (function(lambda x: np.zeros((2, 2))), r"the function 'own' in '.*' gives an array of shape \(2, 2\)"),
        (random_function_of_ones_own, r"the function 'own' in '.*own\(\).*' is random or keeps a state"),
        (random_sum, r"syn_summed_variable_g_post: the random 'rand\(\)' is not covered here"),
        (recorded_noise, r"trace: the random 'rand\(\)' is not covered here"),
        (synapses_onto_synapses, r"second: 'first' is a Synapses, which is not covered here"),
        (two_spikes_in_a_step, r"source: a neuron spikes more than once in a time step of 0.0001 s"),
        (period_off_the_grid, r"source: its period of 0.00125 s is not a multiple of dt = 0.0001 s"),
        (regularly_through_an_index, r"syn_run_regularly: 'v_post \+= 0.125' writes 'v_post' through the index '_post"),
        (network_operation, r"operation: .* does not cover NetworkOperation"),
        (unconnected, r"syn: has no synapses yet"),
        (unlinked, r"cells: 'x' is declared as linked"),
        (synapse("v_post = 0.5"), r"syn_pre: 'v_post = 0.5' is not covered"),
        (synapse("v_post *= 0.5"), r"syn_pre: 'v_post \*= 0.5' is not covered"),
        (synapse("v_post += w * (1 - v_post)"), r"syn_pre: 'v_post \+= .*' reads what 'v_post"),
        (synapse("v_post += w; u_post += v_post"), r"syn_pre: 'u_post \+= v_post' reads what 'v_post \+= w' changes"),
        (synapse("v_post += w * v_pre"), r"syn_pre: .* depends on the order of the synapses"),
        (two_conditions, r"syn_pre: writes 'v_post' and uses 'z_pre', both `unless refractory`, of different neurons"),
        (delayed(0.25), r"syn_pre: a delay of 0.00025 s is half-way between two steps"),
        (delayed(-1.0), r"syn_pre: a delay of -0.001 s is negative"),
        (undefined_name, r"cells\S*: .*missing"),
        (wrong_units, r"cells_spike_resetter: units do not match"),
        (clocks_that_do_not_fit, r"dt = 0.00025 s is 2.5 times the shortest dt, 0.0001 s"),
    ],
)
def test_refused_when_compiled(build, message):
    network = Network(build())
    with pytest.raises(CortwinError, match=message) as caught:
        xla.compile(network)
    assert "\n" not in str(caught.value)
    assert float(network.t) == 0.0


def test_an_index_beyond_the_columns_of_the_input_is_refused():
    program = xla.compile(Network(too_few_columns()))
    with pytest.raises(CortwinError, match=r"stimulus\(t, i\): i reaches 2, but the array has 2 columns"):
        program.run(0.001)


def test_a_function_with_an_implementation_for_jax_is_taken():
    from brian2 import Function

    double = Function(lambda x: 2 * x, arg_units=[1], return_unit=1)
    double.implementations.add_implementation("jax", lambda x: 2 * x)
    group = cells("dv/dt = double(v) / tau : 1", namespace={"double": double})
    group.v = 0.5
    assert xla.compile(Network(group)).run(0.0001)["cells.v"][0] == pytest.approx(0.5 * (1 + 2 * 0.01), rel=1e-15)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"surrogate": "sigmoidal"}, "surrogate 'sigmoidal' is not one of fast_sigmoid, triangular"),
        ({"scale": 0.0}, "scale must be positive, got 0.0"),
        ({"scale": float("nan")}, "scale must be positive, got nan"),
    ],
)
def test_bad_options_are_refused(keywords, message):
    with pytest.raises(CortwinError, match=message):
        xla.compile(Network(cells()), **keywords)


def test_a_network_that_has_run_is_refused():
    network = Network(cells())
    network.run(1 * ms, namespace={})
    with pytest.raises(CortwinError, match=r"has already run to t = 0.001 s"):
        xla.compile(network)


def test_an_empty_network_is_refused():
    with pytest.raises(CortwinError, match="does nothing"):
        xla.compile(Network())


def test_another_device_is_refused(tmp_path):
    set_device("cpp_standalone", build_on_run=False, directory=str(tmp_path))
    try:
        network = Network(cells())
        with pytest.raises(CortwinError, match="active Brian2 device is CPPStandaloneDevice"):
            xla.compile(network)
    finally:
        device.reinit()
        set_device("runtime")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cortex.bb": 0.0}, "no value 'cortex.bb'; did you mean 'cortex.b'"),
        ({"zzz": 0.0}, "no value 'zzz'; there are cortex.I_rec, "),
        ({"cortex.b": np.zeros(5)}, r"cortex.b: expected an array of shape \(12,\), got \(5,\)"),
        ({"stimulus.values": np.zeros((5, 4))}, r"stimulus.values: expected an array of shape \(5, 3\), got \(5, 4\)"),
        ({"recurrent.w": np.full(144, np.nan)}, "recurrent.w: a given value is not finite"),
    ],
)
def test_bad_values_are_refused(values, message):
    program = xla.compile(rate_network())
    with pytest.raises(CortwinError, match=message):
        program.run(0.1, values=values)


def test_one_number_fills_an_array_and_inputs_may_be_longer():
    program = xla.compile(rate_network())
    filled = program.run(0.1, values={"cortex.b": 0.5})
    np.testing.assert_array_equal(filled["trace.x"], program.run(0.1, values={"cortex.b": np.full(12, 0.5)})["trace.x"])
    longer = program.run(0.1, values={"stimulus.values": np.ones((50, 3))})
    assert np.isfinite(longer["trace.x"]).all()


@pytest.mark.parametrize("duration", [0.105, -0.1, 0.1001])
def test_a_duration_off_the_grid_is_refused(duration):
    with pytest.raises(CortwinError, match=r"not a multiple of dt = 0\.01 s"):
        xla.compile(rate_network()).run(duration)


def test_a_run_that_blows_up_is_refused():
    group = cells("dv/dt = v ** 3 / tau : 1", threshold=None, reset=None)
    group.v = [0.0, 5.0, 0.0]
    program = xla.compile(Network(group, StateMonitor(group, "v", record=True, name="trace")))
    with pytest.raises(RunFailed, match=r"cells.v: 1 of 3 numbers are not finite, the first at \(1,\)"):
        program.run(0.1)
