"""Model -> Brian2 objects, made once and read by both compilers.

`arrays` gives the numbers of a simulation as plain NumPy arrays, under Brian2's own names of run arguments
(``"cortex.b"``, ``"recurrence.w"``, ``"stimulus.values"``). `objects` makes the Brian2 objects on whichever device is
active. All trials of a batch are simulated at once: every population is repeated for each trial, trial after trial, and
the pathways connect within a trial only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import brian2
import numpy as np
import xarray as xr
from brian2.devices.device import reset_device
from numpy.typing import NDArray

from cortwin import connectivity
from cortwin.blocks import Block, mark
from cortwin.blow_ups import COUNTER, LARGEST
from cortwin.connectivity import Connections, Distribution, FromArrays
from cortwin.connectivity.distributions import in_si
from cortwin.equations import definitions
from cortwin.errors import CortwinError
from cortwin.inputs import check_inputs
from cortwin.intervention import ADD, KEEP, Intervention, variable_of
from cortwin.model import OWNERS, SECOND, STIMULUS, SYNAPSES, Model, Pathway, Population, Writing, check_array

# Brian2's own tolerance for a duration that is a multiple of dt.
MULTIPLE_TOLERANCE = 1e-4
# The words that the random numbers of a run come from, (2,).
NOISE = "noise.key"
# Brian2 counts synapses, and numbers neurons, in 32 bits.
MOST_SYNAPSES = 2**31 - 1
# A delay that is drawn is kept in 16 bits; no normal deviate that is drawn is larger than this many sd.
LONGEST_DELAY, LARGEST_DEVIATE = 2**16 - 1, 8.3
# Timed arrays, (time, trial x element): what they have an element for.
TIMED = {STIMULUS: "inputs", KEEP: "units", ADD: "units"}


@dataclass(frozen=True)
class Layout:
    """Everything about a simulation except its numbers: what a compiled program is compiled for.

    Parameters
    ----------
    inputs, units, outputs, neurons_per_unit : sizes of the network
    trials : trials in a batch
    dt : integration step in seconds
    input_dt : time for which each input sample is held, in seconds; a multiple of dt
    input_steps : number of input samples
    record_dt : time between recorded samples in seconds, a multiple of dt
    spikes : whether every spike is recorded
    slots : places in the memory of a network that has one
    intervention : whether a hand is laid on the units' state, see `cortwin.intervention`

    Raises
    ------
    CortwinError
        For a size of zero, a time that is not a multiple of dt, a dt larger than the fastest forward-Euler time
        constant.
    """

    inputs: int
    units: int
    outputs: int
    neurons_per_unit: int
    trials: int
    dt: float
    input_dt: float
    input_steps: int
    record_dt: float
    spikes: bool = False
    slots: int = 1
    intervention: bool = False

    def __post_init__(self) -> None:
        """Check sizes and times."""
        for name in ("inputs", "units", "outputs", "slots", "neurons_per_unit", "trials", "input_steps"):
            if getattr(self, name) < 1:
                raise CortwinError(f"{name} is {getattr(self, name)}, must be at least 1")
        if not self.dt > 0:
            raise CortwinError(f"dt is {self.dt} s, must be positive")
        for name in ("input_dt", "record_dt"):
            multiple = getattr(self, name) / self.dt
            if not np.isfinite(multiple) or multiple < 0.5 or abs(multiple - round(multiple)) > MULTIPLE_TOLERANCE:
                raise CortwinError(f"{name} is {getattr(self, name)} s, not a multiple of dt = {self.dt} s")

    @classmethod
    def of_one_trial(cls, sizes: Mapping[str, int], *, dt: float, steps: int) -> Layout:
        """Return the layout of one trial whose inputs last a step each, every state recorded; dt in seconds."""
        return cls(**sizes, neurons_per_unit=1, trials=1, dt=dt, input_dt=dt, input_steps=steps, record_dt=dt)

    @property
    def sizes(self) -> dict[str, int]:
        """Elements per trial, by the names in `cortwin.model.SIZES`."""
        own = {"inputs": self.inputs, "units": self.units, "outputs": self.outputs, "slots": self.slots}
        return own | {name: own[of] * self.neurons_per_unit for name, of in OWNERS.items()}

    def elements(self, population: Population) -> int:
        """Elements of a population per trial."""
        return population.size if isinstance(population.size, int) else self.sizes[population.size]

    @property
    def duration(self) -> float:
        """Simulated time in seconds. The last input sample ends there."""
        return self.input_steps * self.input_dt

    @property
    def samples(self) -> int:
        """Recorded samples; sample k is the state at the time (k + 1) record_dt."""
        return round(self.duration / self.record_dt)


def layout_of(
    model: Model,
    values: Mapping[str, Any],
    inputs: xr.DataArray,
    *,
    dt: float,
    neurons_per_unit: int,
    record_dt: float | None,
    spikes: bool,
    trials: int,
    intervention: bool = False,
) -> Layout:
    """Return the layout of a simulation of given arrays on given inputs.

    Parameters
    ----------
    model, values : the network; its arrays tell their sizes
    inputs : (trial, time, input) DataArray
    record_dt : the inputs' dt when None
    dt, neurons_per_unit, spikes, trials, intervention : as of `Layout`

    Raises
    ------
    CortwinError
        For inputs that no writing can be shown, none at all, or times that do not fit.
    """
    check_inputs(inputs)
    if inputs.sizes["trial"] < 1:
        raise CortwinError("inputs have no trial")
    input_dt = float(inputs.attrs["dt"])
    layout = Layout(
        **model.sizes(values) | {"inputs": inputs.sizes["input"]},
        neurons_per_unit=neurons_per_unit,
        trials=trials,
        dt=dt,
        input_dt=input_dt,
        input_steps=inputs.sizes["time"],
        record_dt=input_dt if record_dt is None else record_dt,
        spikes=spikes,
        intervention=intervention,
    )
    if abs(layout.samples * layout.record_dt - layout.duration) > MULTIPLE_TOLERANCE * layout.dt:
        raise CortwinError(
            f"record_dt is {layout.record_dt} s, must divide the inputs' duration of {layout.duration} s"
        )
    return layout


def arrays(
    model: Model,
    writing: str,
    layout: Layout,
    values: Mapping[str, Any],
    inputs: Any,
    intervention: Intervention | None = None,
    *,
    seed: int = 0,
    first: int = 0,
    shared: Collection[str] = (),
) -> dict[str, NDArray]:
    """Return the numbers of a batch under Brian2's names, and what its connections are made of.

    A pathway of which something is drawn has ``"PATHWAY.key"``, the (2,) words that Philox draws it with; one whose
    synapses are listed has ``"PATHWAY.source"`` and ``"PATHWAY.target"``, sorted by source. `structure_of` names them.

    Parameters
    ----------
    model, writing, layout : what is simulated
    values : array by name, shapes as in ``model.shapes``
    inputs : (trial, time, input) array, at most ``layout.trials`` trials; missing trials are filled with zeros
    intervention : what is done to the state of the units in these trials, where the layout says that something is
    seed : of everything that a page draws: connections, weights, delays, initial states, and the noise of its drives
    first : number of the batch's first trial; each batch has noise of its own
    shared : pathways whose synapses serve every trial: their arrays are those of one trial

    Raises
    ------
    CortwinError
        For a missing or misshapen array, or one that is not finite.
    """
    check_steps(model, writing, layout.dt)
    check_delays(model, writing, layout)
    text = model.writing(writing)
    where = f"{model.name}, {writing} writing"
    found: dict[str, NDArray] = {}
    for name, population in text.populations.items():
        found |= _states(name, population, model, layout, values, seed, f"{where}, {name}")
    for name in text.pathways:
        found |= pathway_arrays(name, model, text, layout, values, seed, f"{where}, {name}", shared=name in shared)
    if text.drives:
        found[NOISE] = np.random.SeedSequence(seed, spawn_key=(*NOISE.encode(), first)).generate_state(2, np.uint32)
    samples = np.asarray(inputs, dtype=np.float64)
    expected = (layout.trials, layout.input_steps, layout.inputs)
    if samples.ndim != 3 or samples.shape[1:] != expected[1:] or samples.shape[0] > layout.trials:
        raise CortwinError(f"inputs have the shape {samples.shape}, expected at most {expected} = (trial, time, input)")
    if not np.isfinite(samples).all():
        raise CortwinError(f"inputs hold {np.count_nonzero(~np.isfinite(samples))} numbers that are not finite")
    timed = {STIMULUS: samples}
    if intervention is not None:
        share = layout.dt / float(model.constants["tau"])
        timed |= {KEEP: intervention.keep, ADD: intervention.add(share)}
    for name, array in timed.items():
        padded = np.zeros((layout.trials, layout.input_steps, layout.sizes[TIMED[name]]))
        if array.shape != (len(samples), *padded.shape[1:]):
            raise CortwinError(
                f"the intervention has the shape {array.shape}, expected {(len(samples), *padded.shape[1:])} = "
                "(trial, time, unit)"
            )
        padded[: len(samples)] = array
        found[f"{name}.values"] = padded.transpose(1, 0, 2).reshape(layout.input_steps, -1)
    return found


def check_steps(model: Model, writing: str, dt: float) -> None:
    """Refuse a step at which forward Euler overshoots: dt larger than a time constant named tau of the writing."""
    for population in model.writing(writing).populations.values():
        for item in definitions(population.equations, model.name):
            if item.kind != "differential" or population.method != "euler":
                continue
            divisor = (item.expression or "").rpartition("/")[2].strip()
            tau = float(model.constants[divisor]) if divisor in model.constants else np.inf
            if dt > tau * (1 + MULTIPLE_TOLERANCE):
                raise CortwinError(
                    f"{model.name}, {writing} writing: dt = {dt} s is larger than {divisor} = {tau} s, "
                    f"the time constant of {item.name}; choose a smaller dt"
                )


def check_delays(model: Model, writing: str, layout: Layout) -> None:
    """Refuse a delay that is not a multiple of the step, or longer than the simulation."""
    for name, pathway in model.writing(writing).pathways.items():
        where = f"{model.name}, {writing} writing, {name}"
        if pathway.delay is None:
            continue
        if isinstance(pathway.delay, Distribution):
            plain = in_si(pathway.delay, model.constants, SECOND, where)
            shortest, longest = plain.minimum, plain.largest(LARGEST_DEVIATE)
            if longest > LONGEST_DELAY * layout.dt:
                raise CortwinError(
                    f"{where}: delays of up to {longest:g} s are longer than {LONGEST_DELAY:,} steps of {layout.dt} s"
                )
        else:
            shortest = float(model.constants[pathway.delay])
            steps = shortest / layout.dt
            if abs(steps - round(steps)) > MULTIPLE_TOLERANCE * max(1.0, steps):
                raise CortwinError(
                    f"{where}: the delay {pathway.delay} = {shortest} s is not a multiple of dt = {layout.dt} s"
                )
        if shortest > layout.duration:
            raise CortwinError(f"{where}: the delay of {shortest} s is longer than the {layout.duration} s simulated")


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
    in ``blow_ups``, neuron by neuron, how often a state was not finite or beyond `LARGEST` before the reset could hide
    it.
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
            reset=population.reset,
            refractory=False if population.refractory is None else model.constants[population.refractory],  # type: ignore[arg-type]
            namespace=namespace,
            clock=clock,
            order=position * room,
            name=name,
        )
        if population.reset and counting:
            # Between the update and the threshold: the reset would put a potential that blew up back to rest.
            groups[name].run_regularly(_counting(population), when="after_groups", name=f"{name}_{COUNTER}")
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
            delay=_delay(pathway, model, alone=name in shared),
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
                _connect(synapses, synapses_of(name, model, text, layout, data or {}, made), pathway)
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


def timed_arrays(layout: Layout) -> tuple[str, ...]:
    """Return the names of the timed arrays of a simulation."""
    return tuple(TIMED) if layout.intervention else (STIMULUS,)


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


def owner(layout: Layout, size: str, of: str, where: str) -> NDArray[np.int64]:
    """Return, for each element of a population, the element of the other population that it belongs to."""
    sizes = layout.sizes
    if size == of:
        return np.arange(layout.trials * sizes[size])
    if OWNERS.get(size) != of:
        raise CortwinError(f"{where}: an element of size '{size}' belongs to no element of size '{of}'")
    return np.repeat(np.arange(layout.trials * sizes[of]), layout.neurons_per_unit)


def structure_of(text: Writing) -> set[str]:
    """Return the names of those arrays that are no values of a variable: who is connected to whom, and the noise."""
    found = {NOISE} if text.drives else set()
    for name, pathway in text.pathways.items():
        if isinstance(pathway.connect, FromArrays):
            found |= {f"{name}.source", f"{name}.target"}
        if pathway.random:
            found.add(f"{name}.key")
    return found


def connections(
    name: str, text: Writing, layout: Layout, where: str, data: Mapping[str, NDArray] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return source and target of every synapse of a batch, numbered by trial, then source, then target.

    Those of a rule, which every trial has the same, are numbered by trial, then source, and need data.
    """
    pathway = text.pathways[name]
    n_source, n_target = (layout.elements(text.populations[end]) for end in (pathway.source, pathway.target))
    within: tuple[NDArray, NDArray]
    if isinstance(pathway.connect, FromArrays):
        within = (data or {})[f"{name}.source"], (data or {})[f"{name}.target"]
    elif not isinstance(pathway.connect, str):
        same = pathway.source == pathway.target
        within = connectivity.connect(pathway.connect, n_source, n_target, (data or {}).get(f"{name}.key"), same=same)
    elif pathway.connect == "all_to_all":
        within = np.repeat(np.arange(n_source), n_target), np.tile(np.arange(n_target), n_source)
    elif pathway.connect == "one_to_one":
        if n_source != n_target:
            raise CortwinError(f"{where}: one-to-one between {n_source} and {n_target} elements")
        within = np.arange(n_source), np.arange(n_source)
    else:
        source, target = (text.populations[end] for end in (pathway.source, pathway.target))
        within = np.arange(n_source), _converges(layout, source, target, where)[:n_source]
    trial = np.arange(layout.trials)[:, None]
    return (
        (within[0] + trial * n_source).ravel().astype(np.int32),
        (within[1] + trial * n_target).ravel().astype(np.int32),
    )


def synapses_of(
    name: str, model: Model, text: Writing, layout: Layout, data: Mapping[str, NDArray], where: str
) -> Connections:
    """Return the synapses of a pathway as arrays, in the order of `connections`.

    Parameters
    ----------
    name : of the pathway
    model, text, layout : what is simulated
    data : from `pathway_arrays`
    where : what an error names
    """
    pathway = text.pathways[name]
    source, target = connections(name, text, layout, where, data)
    n = source.size // layout.trials
    dimensions = {item.name: item.dimensions for item in _synaptic(pathway, where)}
    variables = {variable: data[f"{name}.{variable}"] for variable in pathway.values}
    for variable, distribution in pathway.drawn.items():
        plain = in_si(distribution, model.constants, dimensions[variable], where)
        drawn = connectivity.draw(plain, n, data[f"{name}.key"], variable)
        drawn = drawn.astype(pathway.dtype.get(variable, "float64"))
        variables[variable] = np.tile(drawn, layout.trials)
    delay: float | NDArray = 0.0
    if isinstance(pathway.delay, Distribution):
        plain = in_si(pathway.delay, model.constants, SECOND, where)
        steps = connectivity.delay_steps(connectivity.draw(plain, n, data[f"{name}.key"], "delay"), layout.dt)
        delay = np.tile(steps, layout.trials) * layout.dt
    elif pathway.delay is not None:
        delay = float(model.constants[pathway.delay])
    return Connections(source, target, delay, variables)


def _connect(synapses: brian2.Synapses, found: Connections, pathway: Pathway) -> None:
    """Make the synapses of a pathway from arrays, and give them what is drawn for them."""
    if not found.source.size:
        synapses.connect(False)
        return
    synapses.connect(i=found.source, j=found.target)
    for variable in pathway.drawn:
        synapses.state(variable, use_units=False)[:] = found.variables[variable]
    if isinstance(pathway.delay, Distribution) and pathway.on_pre is not None:
        synapses.delay[:] = found.delay * brian2.second  # type: ignore[attr-defined]


def _synaptic(pathway: Pathway, where: str) -> tuple[Any, ...]:
    lines = [line for line in pathway.equations.splitlines() if "(summed)" not in line]
    return definitions("\n".join(lines), where)


def _structure(
    name: str, pathway: Pathway, text: Writing, layout: Layout, values: Mapping[str, Any], seed: int, where: str
) -> dict[str, NDArray]:
    """Return what the connections of a pathway are made of, checked; nothing where the layout says it all."""
    rule = pathway.connect
    n_source, n_target = (layout.elements(text.populations[end]) for end in (pathway.source, pathway.target))
    found: dict[str, NDArray] = {}
    if isinstance(rule, FromArrays):
        ends = {}
        for end, array, n in (("source", rule.source, n_source), ("target", rule.target, n_target)):
            if array not in values:
                raise CortwinError(f"{where}: no array '{array}' for the {end}s of its synapses")
            ends[end] = _indices(array, values[array], n, where)
        if ends["source"].size != ends["target"].size:
            sizes = f"{ends['source'].size} sources and {ends['target'].size} targets"
            raise CortwinError(f"{where}: {rule.source} and {rule.target} list {sizes}")
        order = _order(rule, values)
        found = {f"{name}.{end}": listed[order] for end, listed in ends.items()}
    elif not isinstance(rule, str):
        same = pathway.source == pathway.target
        if problem := rule.problem(n_source, n_target, same):
            raise CortwinError(f"{where}: {problem}")
        if layout.trials * rule.synapses(n_source, n_target, same) > MOST_SYNAPSES:
            raise CortwinError(
                f"{where}: {layout.trials * rule.synapses(n_source, n_target, same):,} synapses; a pathway has at most "
                f"{MOST_SYNAPSES:,}: divide a population"
            )
    if pathway.random:
        found[f"{name}.key"] = connectivity.key_of(seed, name)
    return found


def _order(rule: FromArrays, values: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the order in which listed synapses are kept: by source."""
    return np.argsort(np.asarray(values[rule.source]), kind="stable")


def _indices(name: str, values: Any, n: int, where: str) -> NDArray[np.int32]:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise CortwinError(
            f"{where}: {name} is a {array.dtype} array of shape {array.shape}, expected (synapse,) integers"
        )
    outside = (array < 0) | (array >= n)
    if outside.any():
        place = int(np.argmax(outside))
        raise CortwinError(f"{where}: {name}[{place}] is {array[place]}, outside of the {n} neurons")
    return array.astype(np.int32)


def _states(
    name: str,
    population: Population,
    model: Model,
    layout: Layout,
    values: Mapping[str, Any],
    seed: int,
    where: str,
) -> dict[str, NDArray]:
    """Return what the elements of a population are given or drawn, the same in every trial."""
    found = {}
    for variable, array in population.values.items():
        _check_given(array, values, where, variable)
        check_array(array, values[array], model.shapes[array], layout.sizes)
        found[variable] = np.asarray(values[array], dtype=np.float64)
    dimensions = {item.name: item.dimensions for item in definitions(population.equations, where)}
    for variable, distribution in population.drawn.items():
        plain = in_si(distribution, model.constants, dimensions[variable], f"{where}, {variable}")
        key = connectivity.key_of(seed, name)
        found[variable] = connectivity.draw(plain, layout.elements(population), key, variable)
    return {f"{name}.{variable}": np.tile(own, layout.trials) for variable, own in found.items()}


def pathway_arrays(
    name: str,
    model: Model,
    text: Writing,
    layout: Layout,
    values: Mapping[str, Any],
    seed: int,
    where: str,
    *,
    shared: bool = False,
) -> dict[str, NDArray]:
    """Return what the synapses of a pathway are given, and what they are made of; see `arrays`."""
    pathway = text.pathways[name]
    found = _structure(name, pathway, text, layout, values, seed, where)
    listed = isinstance(pathway.connect, FromArrays)
    order = _order(pathway.connect, values) if isinstance(pathway.connect, FromArrays) else np.zeros(0, np.int64)
    for variable, array in pathway.values.items():
        _check_given(array, values, where, variable)
        check_array(array, values[array], model.shapes[array], {**layout.sizes, SYNAPSES: order.size})
        flat = np.asarray(values[array], dtype=np.float64)
        if listed:
            flat = flat[order]
        else:
            _check_weights(pathway, array, model, text, where)
            # Brian2 numbers synapses by source, then target; the field writes weights as (target, source).
            flat = flat.T.ravel()
        found[f"{name}.{variable}"] = flat if shared else np.tile(flat, layout.trials)
    return found


def _delay(pathway: Pathway, model: Model, *, alone: bool) -> Any:
    """Return the delay that all synapses have; Brian2 keeps one for each where none is given."""
    if isinstance(pathway.delay, str):
        return model.constants[pathway.delay]
    return 0 * brian2.second if alone and pathway.on_pre else None


def block(pathway: Pathway, text: Writing, layout: Layout, where: str) -> Block:
    """Return the synapses of one trial, for all of them; errors as of `connections`."""
    source, target = (text.populations[end] for end in (pathway.source, pathway.target))
    n_source, n_target = layout.elements(source), layout.elements(target)
    if pathway.connect == "one_to_one" and n_source != n_target:
        raise CortwinError(f"{where}: one-to-one between {n_source} and {n_target} elements")
    if pathway.connect == "convergent":
        _converges(layout, source, target, where)
    return Block(str(pathway.connect), layout.trials, n_source, n_target)


def _converges(layout: Layout, source: Population, target: Population, where: str) -> NDArray[np.int64]:
    if isinstance(source.size, int) or isinstance(target.size, int):
        raise CortwinError(f"{where}: populations with a size of their own do not converge")
    return owner(layout, source.size, target.size, where)


def _check_given(array: str, values: Mapping[str, Any], where: str, variable: str) -> None:
    if array not in values:
        writing, _, name = where.rpartition(", ")
        raise CortwinError(f"{writing}: no array '{array}' for {name}.{variable}")


def synaptic_events(model: Model, spikes: int, neurons: int) -> int:
    """Return the synaptic events of a number of spikes, counted for the explicit network of that many neurons.

    In the network with one synapse from each neuron to each neuron of every unit it drives, a spike arrives at all of
    them.
    """
    pathways = model.writing("spiking").pathways.values()
    recurrent = any(pathway.connect == "all_to_all" and pathway.source == pathway.target for pathway in pathways)
    return spikes * neurons if recurrent else spikes


def _counting(population: Population) -> str:
    """Return the statement that counts the states of a population that left the range in this step."""
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


def _check_weights(pathway: Pathway, array: str, model: Model, text: Writing, where: str) -> None:
    sizes = tuple(text.populations[name].size for name in (pathway.target, pathway.source))
    expected = sizes if pathway.connect == "all_to_all" else sizes[1:]
    if model.shapes[array] != expected:
        raise CortwinError(
            f"{where}: {array} has the shape ({', '.join(map(str, model.shapes[array]))}), "
            f"expected ({', '.join(map(str, expected))})"
        )
