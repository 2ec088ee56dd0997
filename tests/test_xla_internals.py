"""The details of Brian2 that `cortwin.xla` relies on, each with what to look at when it changes."""

from __future__ import annotations

import ast
import inspect
import re

import numpy as np
import pytest
from brian2 import (
    DEFAULT_FUNCTIONS,
    Hz,
    Network,
    NeuronGroup,
    PoissonInput,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    check_units,
    defaultclock,
    linked_var,
    ms,
)
from brian2.codegen.translation import analyse_identifiers, make_statements
from brian2.core.clocks import Clock
from brian2.core.variables import ArrayVariable, AuxiliaryVariable, Constant, Subexpression
from brian2.input.timedarray import TimedArray as TimedArrayClass

from cortwin import xla
from cortwin.xla.registry import _TRANSLATORS, translator_of


@pytest.fixture
def network():
    defaultclock.dt = 0.1 * ms
    lif = NeuronGroup(
        4,
        """dv/dt = (I - v + 0.1 * v * g) / tau : 1 (unless refractory)
           dg/dt = -g / tau : 1
           I : 1
           scale : 1 (shared)
           double = 2 * v : 1""",
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,
        method="exponential_euler",
        namespace={"tau": 10 * ms},
        name="lif",
    )
    synapses = Synapses(lif, lif, "w : 1\nI_post = w * g_pre : 1 (summed)", on_pre="v_post += w", name="syn")
    synapses.connect()
    monitors = StateMonitor(lif, "double", record=[2, 0], name="trace"), SpikeMonitor(lif, name="spikes")
    return Network(lif, synapses, *monitors)


def test_abstract_code_of_a_state_updater_is_lines_of_python(network):
    updater = network["lif_stateupdater"]
    updater.update_abstract_code(run_namespace={})
    lines = updater.abstract_code.strip().splitlines()
    assert lines[0] == "not_refractory = timestep(t - lastspike, dt) >= timestep(0.002, dt)", (
        "the refractory period is no longer the first line of the abstract code: see stateupdate.py, environment.py"
    )
    for line in lines:
        assert isinstance(ast.parse(line.strip()).body[0], ast.Assign), f"'{line}' is no assignment: see environment.py"
    assert "int(not_refractory)" in updater.abstract_code


def test_names_and_slots_of_the_runners(network):
    found = {obj.name: (obj.when, obj.order) for obj in network.sorted_objects}
    assert found == {
        "lif": ("start", 0),
        "syn": ("start", 0),
        "trace": ("start", 0),
        "syn_summed_variable_I_post": ("groups", -1),
        "lif_stateupdater": ("groups", 0),
        "lif_spike_thresholder": ("thresholds", 0),
        "spikes": ("thresholds", 1),
        "syn_pre": ("synapses", -1),
        "lif_spike_resetter": ("resets", 0),
    }, "Brian2 schedules its objects differently: see registry.py and each translator"
    assert [obj.name for obj in network.sorted_objects][3:] == [
        "syn_summed_variable_I_post",
        "lif_stateupdater",
        "lif_spike_thresholder",
        "spikes",
        "syn_pre",
        "lif_spike_resetter",
    ]


def test_every_object_of_an_ordinary_network_has_a_translator(network):
    for obj in network.sorted_objects:
        assert callable(translator_of(obj))
    modules = {translator.__module__ for translator in _TRANSLATORS.values()}
    assert {"cortwin.xla.reset", "cortwin.xla.monitors", "cortwin.xla.summed"} <= modules


def test_conditional_writes_are_marked_on_the_variable_and_lifted_in_the_resetter(network):
    lif = network["lif"]
    variables = lif.variables
    assert variables["v"].conditional_write is variables["not_refractory"], "see Block._add_conditions"
    assert variables["g"].conditional_write is None
    assert network["syn"].variables["v_post"].conditional_write is variables["not_refractory"]
    assert list(network["lif_spike_resetter"].override_conditional_write) == ["not_refractory"], "see reset.py"


def test_the_thresholder_says_whether_it_sets_refractoriness(network):
    thresholder = network["lif_spike_thresholder"]
    assert thresholder.template_kwds["_uses_refractory"] is True, "see threshold.py"
    thresholder.update_abstract_code(run_namespace={})
    assert thresholder.abstract_code == "_cond = (v > 1) and not_refractory"
    assert isinstance(thresholder.variables["_cond"], AuxiliaryVariable)
    assert float(network["lif"].variables["lastspike"].get_value()[0]) == -1e4


def test_kinds_and_indices_of_variables(network):
    lif, synapses = network["lif"], network["syn"]
    assert isinstance(lif.variables["N"], Constant)
    assert isinstance(lif.variables["double"], Subexpression)
    assert isinstance(lif.variables["t"], ArrayVariable)
    assert isinstance(lif.variables["t"].owner, Clock), "t is no variable of a clock: see is_clock_variable"
    assert {lif.variables[name].owner.name for name in ("t", "dt", "t_in_timesteps")} == {"defaultclock"}
    assert lif.variables["t_in_timesteps"].name == "timestep"
    assert lif.variables["i"].read_only
    assert not lif.variables["v"].read_only
    assert lif.variables["scale"].scalar
    assert lif.variables.indices["v"] == "_idx"
    indices = synapses.variables.indices
    assert (indices["w"], indices["v_pre"], indices["v_post"]) == ("_idx", "_presynaptic_idx", "_postsynaptic_idx"), (
        "the names of the synaptic indices changed: see sums.py, synapses.py"
    )
    assert synapses.variables["_presynaptic_idx"] is synapses.variables["_synaptic_pre"]
    assert synapses.variables["_synaptic_pre"].read_only
    pathway = network["syn_pre"]
    assert pathway.variables["delay"].get_value().shape == (16,)
    assert (pathway.prepost, pathway.event) == ("pre", "spike")
    assert network["syn_summed_variable_I_post"].target_varname == "I_post"
    assert network["syn_summed_variable_I_post"].target_var is lif.variables["I"]


def test_the_index_of_a_linked_variable_is_structure():
    units = NeuronGroup(2, "x : 1", name="units")
    cells = NeuronGroup(4, "x : 1 (linked)", name="cells")
    cells.x = linked_var(units, "x", index=[0, 0, 1, 1])
    index = cells.variables.indices["x"]
    assert cells.variables["x"] is units.variables["x"]
    assert cells.variables[index].read_only, "the index of a link could change: see is_structure"
    np.testing.assert_array_equal(cells.variables[index].get_value(), [0, 0, 1, 1])


def test_code_of_a_state_monitor(network):
    trace = network["trace"]
    assert trace.abstract_code == "_to_record_double = _source_double"
    assert list(trace.record) == [2, 0]
    assert set(trace.recorded_variables) == {"double"}


def test_statements_are_formed_as_the_compiler_expects(network):
    variables = network["lif"].variables
    defined, used, unknown = analyse_identifiers("v = double + tau\nh = v", variables, recursive=True)
    assert ("h" in defined, unknown, "v" in used) == (True, {"tau"}, True)
    _, vector = make_statements("v = v + double\nh = v", variables, np.float64, optimise=True)
    assert [(line.var, line.op) for line in vector] == [("double", ":="), ("v", "+="), ("h", ":=")]
    assert "optimise" in inspect.signature(inspect.unwrap(make_statements)).parameters


def test_a_timed_array_rounds_as_the_compiler_does():
    """The program's rule against Brian2's own function, at every time of a grid and between."""
    values = np.arange(40.0)
    timed = TimedArray(values, dt=0.3 * ms, name="timed")
    assert isinstance(timed, TimedArrayClass)
    defaultclock.dt = 0.1 * ms
    group = NeuronGroup(1, "x = timed(t) : 1\ny = timed(t - 0.05 * ms) : 1", namespace={"timed": timed}, name="group")
    monitor = StateMonitor(group, ["x", "y"], record=True, name="trace")
    found = xla.compile(Network(group, monitor)).run(0.013)
    steps = np.arange(130)
    np.testing.assert_array_equal(found["trace.x"][:, 0], np.minimum(steps // 3, 39))
    expected = [float(timed(max(step * 0.1 - 0.05, -1) * ms)) for step in steps]
    np.testing.assert_array_equal(found["trace.y"][:, 0], expected)


def test_compiled_objects_belong_to_the_network(network):
    xla.compile(network)
    assert {obj._network for obj in network.sorted_objects} == {network.id}
    network.run(1 * ms, namespace={})


def test_what_stands_behind_subgroups_events_and_input():
    group = NeuronGroup(
        4, "dv/dt = -v / (10*ms) : 1", threshold="v > 1", reset="v = 0", events={"crossing": "v > 0.5"}, name="parts"
    )
    part = group[1:3]
    assert part.variables.default_index == "_sub_idx"
    assert part.variables["v"].owner.name == "parts"
    np.testing.assert_array_equal(part.variables["_sub_idx"].get_value(), [1, 2])
    assert {runner.event for runner in group.thresholder.values()} == {"spike", "crossing"}
    drive = PoissonInput(part, "v", N=7, rate=10 * Hz, weight=0.5)
    assert re.fullmatch(r"v \+= poissoninput_binomial\w*\(\)\*0\.5", drive.abstract_code)
    assert (drive.N, float(drive.rate)) == (7, 10.0)
    source = SpikeGeneratorGroup(2, [1, 0], [2, 1] * ms, period=5 * ms)
    np.testing.assert_array_equal(source.variables["neuron_index"].get_value(), [0, 1])
    np.testing.assert_array_equal(source.variables["spike_time"].get_value(), [0.001, 0.002])
    assert source.variables["period"].get_value().item() == 0.005
    Network(group, drive, source)


def test_event_driven_code_stands_before_the_pathways_own():
    group = NeuronGroup(2, "v : 1", threshold="v > 1", reset="v = 0", name="ends")
    synapses = Synapses(group, group, "da/dt = -a / (10*ms) : 1 (event-driven)", on_pre="a += 1", name="traced")
    synapses.connect()
    synapses.pre.update_abstract_code(run_namespace={})
    first, *_, last = synapses.pre.abstract_code.strip().splitlines()
    assert "(t - lastupdate)" in first
    assert last == "lastupdate = t"
    Network(group, synapses)


def test_random_functions_are_told_by_these_marks():
    assert not DEFAULT_FUNCTIONS["rand"].stateless
    assert not DEFAULT_FUNCTIONS["randn"].stateless
    assert not DEFAULT_FUNCTIONS["poisson"].stateless
    random = {name for name, function in DEFAULT_FUNCTIONS.items() if not function.stateless}
    assert random == {"rand", "randn", "poisson"}


def test_the_decorator_of_units_keeps_the_function():
    @check_units(x=1, result=1)
    def double(x):
        return 2 * x

    assert double._orig_func(3) == 6
    assert double._orig_func is not double
