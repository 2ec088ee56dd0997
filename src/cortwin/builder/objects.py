"""Model -> Brian2 objects on whichever device is active."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import brian2
import numpy as np
from brian2.devices.device import reset_device
from numpy.typing import NDArray

from cortwin.blocks import mark
from cortwin.blow_ups import COUNTER, LARGEST
from cortwin.builder.layout import TIMED, Layout, timed_arrays
from cortwin.builder.synapses import block, connect_with, connections, delay_of, owner, structure_of, synapses_of
from cortwin.equations import definitions
from cortwin.errors import CortwinError
from cortwin.intervention import ADD, KEEP, variable_of
from cortwin.model import Model, Population, Writing


def objects(
    model: Model,
    writing: str,
    layout: Layout,
    data: Mapping[str, NDArray] | None = None,
    *,
    counting: bool = True,
    connect: Callable[[brian2.Synapses, str], None] | None = None,
    shared: Collection[str] = (),
) -> brian2.Network:
    """Make the Brian2 network of one batch on the active device.

    Parameters
    ----------
    model, writing, layout : what is simulated
    data : the numbers, from `arrays`; None leaves them out, for a program that is given them when it runs
    counting : whether states that leave the range are counted
    connect : makes the synapses of a pathway that has a rule, given the Brian2 object and the pathway's name; None for
        synapses made of the data
    shared : pathways whose synapses are made for one trial and serve all, on a device that can repeat them

    Returns
    -------
    brian2.Network with one object per population and pathway, named as in the page; a StateMonitor
    ``recorded_POPULATION`` for each recorded population, whose sample k is the state at the time k record_dt; and a
    SpikeMonitor for each population whose spikes count, named as in `spike_monitors`. A population with a reset counts
    in ``blow_ups``, neuron by neuron, the states that its resets found not finite or beyond `LARGEST`, and would hide;
    those of a neuron that is not reset are there at the end.
    """
    text = model.writing(writing)
    where = f"{model.name}, {writing} writing"
    clock = brian2.Clock(dt=layout.dt * brian2.second, name="simulation_clock")
    namespace = {**model.constants, **{name: _timed(name, layout, data) for name in timed_arrays(layout)}}
    groups: dict[str, brian2.NeuronGroup] = {}
    # Room between two populations for the pathways that come after the first, and before them for a hand.
    room = len(text.pathways) + (2 if layout.intervention else 1)
    for position, (name, population) in enumerate(text.populations.items()):
        groups[name] = brian2.NeuronGroup(
            layout.trials * layout.elements(population),
            _with_links(population.equations, population.linked)
            + (f"\n{COUNTER} : integer" if population.reset and counting else ""),
            method=population.method,
            threshold=population.threshold,
            # Before the reset puts a potential that blew up back to rest.
            reset=f"{_counting(population)}\n{population.reset}" if population.reset and counting else population.reset,
            refractory=False if population.refractory is None else model.constants[population.refractory],  # type: ignore[arg-type]
            namespace=namespace,
            clock=clock,
            order=position * room,
            name=name,
        )
        for variable, target in population.linked.items():
            source, _, linked = target.partition(".")
            size, of = population.size, text.populations[source].size
            if isinstance(size, int) or isinstance(of, int):
                raise CortwinError(f"{where}, {name}: populations with a size of their own cannot be linked")
            index = owner(layout, size, of, f"{where}, {name}.{variable}")
            setattr(groups[name], variable, brian2.linked_var(groups[source], linked, index=index))
    if layout.intervention:
        _lay_hands_on(groups, model, writing)
    for name, drive in text.drives.items():
        groups[drive.target].run_regularly(drive.statement, when="synapses", name=name)
    parts: list[Any] = [*groups.values()]
    for position, (name, pathway) in enumerate(text.pathways.items()):
        synapses = brian2.Synapses(
            groups[pathway.source],
            groups[pathway.target],
            model=pathway.equations,
            on_pre=pathway.on_pre,
            method=pathway.method,
            delay=delay_of(pathway, model, alone=name in shared),
            dtype={variable: np.dtype(dtype) for variable, dtype in pathway.dtype.items()} or None,
            namespace=namespace,
            clock=clock,
            name=name,
        )
        if name in shared:
            mark(synapses, block(pathway, text, layout, f"{where}, {name}"))
            synapses.connect()
        elif connect is not None and not isinstance(pathway.connect, str):
            connect(synapses, name)
        else:
            made = f"{where}, {name}"
            if isinstance(pathway.connect, str):
                source, target = connections(name, text, layout, made)
                synapses.connect(i=source, j=target)
            else:
                connect_with(synapses, synapses_of(name, model, text, layout, data or {}, made), pathway)
        for updater in synapses.summed_updaters.values():
            first = 0 if pathway.after is None else groups[pathway.after].order + room
            updater.order = first + position - len(text.pathways)
        parts.append(synapses)
    if text.activity:
        recording_clock = brian2.Clock(dt=layout.record_dt * brian2.second, name="recording_clock")
    for name, variables in _recorded(text).items():
        parts.append(
            brian2.StateMonitor(
                groups[name], variables, record=True, clock=recording_clock, when="start", name=f"recorded_{name}"
            )
        )
    if layout.spikes:
        parts += [brian2.SpikeMonitor(groups[name], name=monitor) for name, monitor in spike_monitors(text).items()]
    if data is not None:
        named = {part.name: part for part in parts}
        for key, array in data.items():
            name, _, variable = key.partition(".")
            if name not in TIMED and key not in structure_of(text):
                named[name].state(variable, use_units=False)[:] = array
    return brian2.Network(parts, name="cortwin_network")


@contextlib.contextmanager
def interpreted() -> Iterator[None]:
    """Make Brian2 objects for its own interpreter with NumPy code, whatever device and target are active."""
    target = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    brian2.set_device("runtime")
    try:
        yield
    finally:
        reset_device()
        brian2.prefs.codegen.target = target


def _timed(name: str, layout: Layout, data: Mapping[str, NDArray] | None) -> brian2.TimedArray:
    empty = np.zeros((layout.input_steps, layout.trials * layout.sizes[TIMED[name]]))
    steps = empty if data is None else data[f"{name}.values"]
    return brian2.TimedArray(steps, dt=layout.input_dt * brian2.second, name=name)


def _lay_hands_on(groups: Mapping[str, brian2.NeuronGroup], model: Model, writing: str) -> None:
    """Let the state of the units be kept and added to at the end of each step.

    Rates: after the last population that keeps a state, as in the textbook, whose step is over then, and before the
    pathways that sum after it. Spikes: after their arrival, which moves states too.
    """
    text = model.writing(writing)
    name, item = variable_of(model, writing)
    unit = "" if item.unit == "1" else f"*({item.unit})"
    keeping = [
        groups[other].order
        for other, population in text.populations.items()
        if any(own.kind == "differential" for own in definitions(population.equations, other))
    ]
    groups[name].run_regularly(
        f"{item.name} = {KEEP}(t, i)*{item.name} + {ADD}(t, i){unit}",
        when="end" if text.spikes else "groups",
        order=max(keeping) + 1,
        name=f"{name}_intervention",
    )


def _counting(population: Population) -> str:
    """Return the statement that counts the states of a population that are out of range at its reset."""
    states = [item for item in definitions(population.equations, "") if item.kind == "differential"]
    # A comparison with NaN is false.
    return f"{COUNTER} += " + " + ".join(f"1 - int(abs({item.name}) < {LARGEST}*({item.unit}))" for item in states)


def _with_links(equations: str, linked: Mapping[str, str]) -> str:
    lines = []
    for line in equations.splitlines():
        name = line.split(":")[0].strip()
        lines.append(f"{line.rstrip()} (linked)" if name in linked else line)
    return "\n".join(lines)


def spike_monitors(text: Writing) -> dict[str, str]:
    """Return the name of the SpikeMonitor of each population whose spikes count."""
    return {name: "spikes" if len(text.spikes) == 1 else f"spikes_{name}" for name in text.spikes}


def _recorded(text: Writing) -> dict[str, list[str]]:
    recorded: dict[str, list[str]] = {}
    for target in text.activity.values():
        name, _, variable = target.partition(".")
        if variable not in recorded.setdefault(name, []):
            recorded[name].append(variable)
    return recorded


def synaptic_events(model: Model, spikes: int, neurons: int) -> int:
    """Return the synaptic events of a number of spikes, counted for the explicit network of that many neurons.

    In the network with one synapse from each neuron to each neuron of every unit it drives, a spike arrives at all of
    them.
    """
    pathways = model.writing("spiking").pathways.values()
    recurrent = any(pathway.connect == "all_to_all" and pathway.source == pathway.target for pathway in pathways)
    return spikes * neurons if recurrent else spikes
