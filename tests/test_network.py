"""Large sparse networks as pages: the same spikes on every engine and in stock Brian2; one line for bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import brian2
import numpy as np
import pytest
from brian2 import ms, mV, second

from cortwin import resources
from cortwin.activity import activity
from cortwin.builder import Layout
from cortwin.connectivity import (
    AllToAll,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    FromArrays,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Uniform,
    draw,
    key_of,
)
from cortwin.errors import CortwinError
from cortwin.model import Lacking, Model, Pathway, Population, Writing
from cortwin.network import connections_of, run_network

DT, DURATION = 1e-4, 0.06
LIF = "dv/dt = (drive - v)/tau : volt (unless refractory)\ndrive : volt (constant)"
CONSTANTS = {
    "tau": 20 * ms,
    "t_ref": 2 * ms,
    "theta": 20 * mV,
    "v_reset": -1 * mV,
    "low": 21 * mV,
    "high": 30 * mV,
    "J": 1 * mV,
    "sd_J": 0.2 * mV,
    "J_inh": -3 * mV,
    "d": 1.5 * ms,
    "sd_d": 0.7 * ms,
    "d_min": 0.1 * ms,
}
WEIGHT = "w : volt (constant)"


class Nothing(NamedTuple):
    """Nothing is trained."""


def lif(size):
    """Return neurons above threshold, whose potentials and inputs are drawn."""
    return Population(
        LIF,
        size,
        method="exact",
        threshold="v > theta",
        reset="v = v_reset",
        refractory="t_ref",
        drawn={"v": Uniform("v_reset", "theta"), "drive": Uniform("low", "high")},
    )


def page(shapes=None, constants=None, **pathways):
    """Return a page of 40 excitatory and 10 inhibitory neurons."""
    spiking = Writing({"exc": lif(40), "inh": lif(10)}, pathways, {}, spikes=("exc", "inh"))
    lacking = Lacking("it is not needed")
    constants = CONSTANTS | (constants or {})
    return Model("toy", lacking, lacking, lacking, spiking, shapes or {}, Nothing, lambda *_: Nothing(), constants)


def drawn(source, target, rule, **changes):
    """Return a pathway with a drawn weight."""
    pathway = Pathway(source, target, rule, WEIGHT, on_pre="v_post += w", drawn={"w": Normal("J", "sd_J")}, delay="d")
    return replace(pathway, **changes)


# Every rule, drawn and constant weights and delays, listed synapses, none at all, and one that reads its source.
LISTS = {"sources": ("synapses",), "targets": ("synapses",), "weights": ("synapses",)}
NETWORK = page(
    LISTS,
    indegree=drawn("exc", "exc", FixedIndegree(5, autapses=False, multapses=False)),
    outdegree=drawn("exc", "inh", FixedOutdegree(4), delay=Normal("d", "sd_d", "d_min"), dtype={"w": "float32"}),
    total=Pathway("inh", "exc", FixedTotalNumber(90), on_pre="v_post += J_inh", delay=Normal("d", "sd_d", "d_min")),
    bernoulli=Pathway("inh", "inh", PairwiseBernoulli(0.3, autapses=False), on_pre="v_post += J_inh"),
    everyone=Pathway("inh", "inh", AllToAll(autapses=False), on_pre="v_post += 0.01*J_inh", delay="d"),
    alone=drawn("exc", "exc", OneToOne(), on_pre="v_post += 0.1*w*int(drive_pre > low)"),
    listed=Pathway(
        "inh",
        "exc",
        FromArrays("sources", "targets"),
        WEIGHT,
        on_pre="v_post += w",
        values={"w": "weights"},
        delay=Normal("d", "sd_d", "d_min"),
    ),
    none=Pathway("exc", "exc", PairwiseBernoulli(0.0), on_pre="v_post += J", delay="d"),
)
VALUES = {
    "sources": np.array([9, 0, 3, 0, 9, 3, 1]),
    "targets": np.array([0, 1, 2, 39, 3, 3, 3]),
    "weights": np.linspace(-2e-3, 2e-3, 7),
}


def trains(run):
    """Return (step, unit) of every spike of each population."""
    found = {}
    for name, spikes in run.spikes.items():
        steps = np.rint(spikes["time"].to_numpy() / DT).astype(int).tolist()
        found[name] = list(zip(steps, spikes["unit"].to_numpy().tolist(), strict=True))
    return found


@pytest.fixture(scope="module")
def interpreted():
    """Run the network in Brian2's interpreter."""
    return run_network(NETWORK, values=VALUES, duration=DURATION, dt=DT, seed=3, engine="numpy")


def test_a_network_runs_by_itself(interpreted):
    assert [spikes.attrs["n_units"] for spikes in interpreted.spikes.values()] == [40, 10]
    for name, spikes in interpreted.spikes.items():
        assert np.unique(spikes["unit"]).size > 0.5 * spikes.attrs["n_units"]
        assert interpreted.rate(name) == spikes.sizes["event"] / (spikes.attrs["n_units"] * DURATION)


def test_the_second_compiler_has_the_same_spikes(interpreted):
    found = run_network(NETWORK, values=VALUES, duration=DURATION, dt=DT, seed=3, engine="xla")
    assert trains(found) == trains(interpreted)


@pytest.mark.cpp
def test_compiled_drawing_has_the_same_spikes_whatever_the_seed(interpreted, monkeypatch):
    found = run_network(NETWORK, values=VALUES, duration=DURATION, dt=DT, seed=3)
    assert trains(found) == trains(interpreted)
    other = run_network(NETWORK, values=VALUES, duration=DURATION, dt=DT, seed=4)
    assert other.build_seconds == 0
    expected = run_network(NETWORK, values=VALUES, duration=DURATION, dt=DT, seed=4, engine="numpy")
    assert trains(other) == trains(expected) != trains(found)
    monkeypatch.setenv("CORTWIN_THREADS", "2")
    assert trains(run_network(NETWORK, values=VALUES, duration=DURATION, dt=DT, seed=3)) == trains(found)


def test_connections_can_be_handed_to_stock_brian2(interpreted):
    assert trains_of_stock_brian2(seed=3) == trains(interpreted)


def trains_of_stock_brian2(seed):
    """Simulate the same network as a user of Brian2 would, from the arrays of its connections alone."""
    text, constants = NETWORK.spiking, NETWORK.constants
    brian2.start_scope()
    brian2.prefs.codegen.target = "numpy"
    clock = brian2.Clock(DT * second)
    groups, monitors, synapses = {}, {}, []
    for name, part in text.populations.items():
        states = {"v": states_of(name, "v", seed), "drive": states_of(name, "drive", seed)}
        groups[name] = brian2.NeuronGroup(
            part.size,
            LIF,
            method="exact",
            threshold="v > theta",
            reset="v = v_reset",
            refractory=constants["t_ref"],
            namespace=constants,
            clock=clock,
        )
        for variable, values in states.items():
            groups[name].state(variable, use_units=False)[:] = values
        monitors[name] = brian2.SpikeMonitor(groups[name])
    for name, pathway in text.pathways.items():
        found = connections_of(NETWORK, name, values=VALUES, dt=DT, seed=seed)
        if not len(found):
            continue
        made = brian2.Synapses(
            groups[pathway.source],
            groups[pathway.target],
            pathway.equations,
            on_pre=pathway.on_pre,
            namespace=constants,
            clock=clock,
        )
        made.connect(i=found.source, j=found.target)
        made.delay = found.delay * second
        for variable, values in found.variables.items():
            made.state(variable, use_units=False)[:] = values
        synapses.append(made)
    network = brian2.Network(*groups.values(), *monitors.values(), *synapses)
    network.run(DURATION * second, namespace={})
    return {
        name: list(zip(np.rint(monitor.t / second / DT).astype(int).tolist(), monitor.i[:].tolist(), strict=True))
        for name, monitor in monitors.items()
    }


def states_of(population, variable, seed):
    """Return drawn states of a population, from the reference."""
    bounds = {"v": ("v_reset", "theta"), "drive": ("low", "high")}[variable]
    plain = Uniform(*(float(CONSTANTS[name]) for name in bounds))
    return draw(plain, {"exc": 40, "inh": 10}[population], key_of(seed, population), variable)


def test_an_input_says_for_how_long_a_network_runs():
    afferent = Population("u = stimulus(t, i) : 1", "inputs", threshold="u > 0.5", reset="", refractory="d_min")
    volley = Pathway("afferent", "exc", AllToAll(), on_pre="v_post += J")
    spiking = replace(page().spiking, populations={"afferent": afferent, "exc": lif(40)}, pathways={"volley": volley})
    model = replace(page(), spiking=replace(spiking, spikes=("afferent", "exc")))
    raster = np.zeros((1, 20, 3))
    raster[0, 4, 1] = 1
    inputs = activity(raster, dt=1e-3, last="input")
    with pytest.raises(CortwinError, match="leave out the duration"):
        run_network(model, duration=1.0, dt=1e-3, inputs=inputs, engine="numpy")


RANDOM = {
    "too large an in-degree": (FixedIndegree(40, autapses=False, multapses=False), "the in-degree is 40 without mult"),
    "negative": (FixedOutdegree(-1), "the out-degree -1 is not a whole number of at least 0"),
    "too many": (FixedTotalNumber(1601, multapses=False), "1601 without multapses, but there are 1600 possible pairs"),
    "a probability of 2": (PairwiseBernoulli(2.0), "the probability 2.0 is not between 0 and 1"),
    "not a number": (PairwiseBernoulli(float("nan")), "the probability nan is not between"),
    "a word": ("somehow", "connects 'somehow', not one of"),
}


@pytest.mark.parametrize(("rule", "complaint"), RANDOM.values(), ids=RANDOM)
def test_a_rule_that_cannot_be_met_is_refused(rule, complaint):
    with pytest.raises(CortwinError, match=complaint) as raised:
        page(p=Pathway("exc", "exc", rule, on_pre="v_post += J"))
    assert "\n" not in str(raised.value)


BAD = {
    "sizes that differ": ({"connect": OneToOne(), "target": "inh"}, "one-to-one between 40 and 10 neurons"),
    "a name that is no parameter": ({"drawn": {"u": Normal("J", "sd_J")}}, "'u' is drawn, which is not a parameter"),
    "a parameter without a value": ({"drawn": {}}, "the parameter w has no value and is not drawn"),
    "no distribution": ({"drawn": {"w": 3}}, "w is drawn from 3, which is no distribution"),
    "an unknown constant": ({"drawn": {"w": Normal("J", "sd")}}, "the sd 'sd' is not one of the constants"),
    "a unit": ({"drawn": {"w": Normal("J", "tau")}}, "the sd .* has the unit second, expected volt"),
    "a width": ({"drawn": {"w": Normal("J", -1 * mV)}}, "the sd -0.001 is negative"),
    "bounds": ({"drawn": {"w": Normal("J", "sd_J", 9 * mV)}}, "less than 0.001 of the normal distribution"),
    "bounds of a uniform": ({"drawn": {"w": Uniform("theta", "J")}}, "the minimum 0.02 is larger than the maximum"),
    "not finite": ({"drawn": {"w": Normal("J", np.inf * mV)}}, "the sd inf .*V is not finite"),
    "delays without a bound": ({"delay": Normal("d", "sd_d")}, "may be negative: set a minimum"),
    "negative delays": ({"delay": Normal("d", "sd_d", -1 * ms)}, "may be negative: set a minimum"),
    "values of a rule": ({"values": {"w": "W"}, "drawn": {}}, "takes the array 'W'|have no order"),
    "precision": ({"dtype": {"w": "float16"}}, "dtype makes w a float16"),
    "lists without a shape": ({"connect": FromArrays("a", "b")}, r"the array 'a' needs the shape \('synapses',\)"),
}


@pytest.mark.parametrize(("changes", "complaint"), BAD.values(), ids=BAD)
def test_a_pathway_that_makes_no_sense_is_refused(changes, complaint):
    with pytest.raises(CortwinError, match=complaint) as raised:
        page(p=drawn("exc", changes.pop("target", "exc"), FixedIndegree(5), **changes))
    assert "\n" not in str(raised.value)


RUNS = {
    "off the grid": ({"constants": {"d": 0.17 * ms}}, "the delay d = 0.00017 s is not a multiple of dt = 0.0001 s"),
    "too long": ({"constants": {"d": 70 * ms}}, "the delay of 0.07 s is longer than the 0.06 s simulated"),
    "too many steps": (
        {"delay": Normal("d", 1 * second, "d_min")},
        "delays of up to 8.3015 s are longer than 65,535 steps",
    ),
    "too large": ({"connect": FixedIndegree(10**12)}, r"needs about 146 TiB .* the 40,000,000,000,000 synapses of p"),
}


@pytest.mark.parametrize(("changes", "complaint"), RUNS.values(), ids=RUNS)
def test_a_run_that_cannot_be_is_refused(changes, complaint):
    constants = changes.pop("constants", {})
    model = page(
        constants=constants, p=replace(Pathway("exc", "exc", AllToAll(), on_pre="v_post += J", delay="d"), **changes)
    )
    with pytest.raises(CortwinError, match=complaint) as raised:
        run_network(model, duration=DURATION, dt=DT, engine="cpp")
    assert "\n" not in str(raised.value)


def test_more_synapses_than_are_counted_are_refused(monkeypatch):
    monkeypatch.setattr(resources, "free_memory", lambda: None)
    model = page(p=Pathway("exc", "exc", FixedIndegree(10**9), on_pre="v_post += J"))
    with pytest.raises(CortwinError, match=r"40,000,000,000 synapses; a pathway has at most 2,147,483,647"):
        run_network(model, duration=DURATION, dt=DT)


LISTED = {
    "out of range": ({"targets": np.array([0, 1, 2, 40, 3, 3, 3])}, r"targets\[3\] is 40, outside of the 40 neurons"),
    "negative": ({"sources": np.array([9, 0, -3, 0, 9, 3, 1])}, r"sources\[2\] is -3, outside of the 10 neurons"),
    "of two lengths": ({"sources": np.arange(6)}, "sources and targets list 6 sources and 7 targets"),
    "not whole": ({"sources": np.linspace(0, 1, 7)}, "sources is a float64 array"),
    "weights of another length": ({"weights": np.zeros(6)}, r"weights has the shape \(6,\), expected \(7,\)"),
}


@pytest.mark.parametrize(("changes", "complaint"), LISTED.values(), ids=LISTED)
def test_lists_that_make_no_synapses_are_refused(changes, complaint):
    with pytest.raises(CortwinError, match=complaint) as raised:
        run_network(NETWORK, values=VALUES | changes, duration=DURATION, dt=DT, engine="numpy")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("duration", [0.0, -1.0, np.nan, None])
def test_a_duration_is_positive(duration):
    with pytest.raises(CortwinError, match=r"the duration is .*, must be positive"):
        run_network(NETWORK, values=VALUES, duration=duration, dt=DT)


def test_an_unknown_pathway_is_refused():
    with pytest.raises(CortwinError, match="no pathway 'more'; there are indegree"):
        connections_of(NETWORK, "more", dt=DT)


def test_rows_take_few_bytes_a_synapse():
    constant = page(p=Pathway("exc", "exc", FixedIndegree(10**6), on_pre="v_post += J", delay="d"))
    single = page(
        p=drawn("exc", "exc", FixedIndegree(10**6), dtype={"w": "float32"}, delay=Normal("d", "sd_d", "d_min"))
    )
    layout = Layout.of_one_trial(constant.sizes({}), dt=DT, steps=1)
    for model, most in ((constant, 8), (single, 12)):
        need = resources.estimate(model, "spiking", layout)
        assert need.memory < most * 40 * 10**6
        assert need.disk < 2**21
