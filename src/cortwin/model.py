"""Model: one network in its three writings, checked when it is made.

A page in ``models/`` makes one `Model`. The textbook writing is a pure step function; the rate and the spiking writing
are Brian2 texts, put together here as `Population` (a NeuronGroup), `Pathway` (a Synapses object) and `Writing` (both).
Everything here is data: `cortwin.builder` makes the Brian2 objects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import brian2
import jax
import numpy as np
from brian2.units.fundamentalunits import DIMENSIONLESS

from cortwin.connectivity import (
    Distribution,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    FromArrays,
    PairwiseBernoulli,
    Rule,
)
from cortwin.connectivity.distributions import in_si
from cortwin.drives import PoissonDrive
from cortwin.equations import KEYWORDS, Definition, check_dimensions, definitions, names, statements
from cortwin.errors import CortwinError
from cortwin.links import LINKS

# Every page computes with jax.numpy and imports this module first: the textbook writing is float64 everywhere.
jax.config.update("jax_enable_x64", True)

# LIF neurons stand for units, outputs or inputs, the same number for each: the size of a population -> of its owners.
OWNERS = {"neurons": "units", "output_neurons": "outputs", "input_neurons": "inputs"}
# A network is simulated for one trial after another; these name the sizes that repeat with every trial.
# A slot is a place in a memory of past states.
SIZES = ("inputs", "units", "outputs", "slots", *OWNERS)
# What the arrays of a pathway that lists its synapses have an element for.
SYNAPSES = "synapses"
WRITINGS = ("rate", "tuning", "spiking")
CONNECTIONS = ("all_to_all", "one_to_one", "convergent")
STIMULUS = "stimulus"
SECOND = brian2.get_dimensions(brian2.second)


@dataclass(frozen=True)
class Population:
    """A NeuronGroup: equations, threshold and reset in Brian2's syntax, and where its numbers come from.

    Parameters
    ----------
    equations : Brian2 equation text
    size : which of `SIZES` it has one element for, or a number of its own
    method : Brian2 integration method, needed when there is a differential equation
    threshold, reset : condition and statements of a spiking population
    refractory : name of the constant that holds the refractory time
    values : names of the arrays that set its parameters and initial states, by variable
    linked : ``"population.variable"`` that a parameter reads of the unit that the element belongs to, by variable
    drawn : distributions that set its parameters and initial states, by variable
    """

    equations: str
    size: str | int
    method: str | None = None
    threshold: str | None = None
    reset: str | None = None
    refractory: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    linked: Mapping[str, str] = field(default_factory=dict)
    drawn: Mapping[str, Distribution] = field(default_factory=dict)


@dataclass(frozen=True)
class Pathway:
    """A Synapses object between two populations of the same trial.

    Parameters
    ----------
    source, target : names of populations
    connect : ``"all_to_all"`` (weights (target, source)), ``"one_to_one"``, or ``"convergent"`` (each element of the
        source to the unit it belongs to; weights (source,)), or a rule of `cortwin.connectivity`
    equations : Brian2 text of the synapse; ``(summed)`` variables end in ``_post``
    on_pre : statements at the arrival of a spike
    values : names of the arrays that set the synapse's parameters, by variable
    delay : name of the constant that holds the delay, or a distribution, whose numbers are rounded to the time step
    after : population that is advanced before this pathway sums, in the same time step
    method : Brian2 integration method, needed when a synapse has a differential equation; it is advanced after the sums
        and before the populations
    drawn : distributions that set the parameters of synapses, by variable
    dtype : ``"float32"`` for parameters that are kept in single precision, by variable
    """

    source: str
    target: str
    connect: str | Rule
    equations: str = ""
    on_pre: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    delay: str | Distribution | None = None
    after: str | None = None
    method: str | None = None
    drawn: Mapping[str, Distribution] = field(default_factory=dict)
    dtype: Mapping[str, str] = field(default_factory=dict)

    @property
    def random(self) -> bool:
        """Whether anything of the pathway is drawn: its connections, parameters or delays."""
        connected = isinstance(self.connect, PairwiseBernoulli | FixedIndegree | FixedOutdegree | FixedTotalNumber)
        return connected or bool(self.drawn) or isinstance(self.delay, Distribution)

    @property
    def in_rows(self) -> bool:
        """Whether compiled code keeps the synapses in rows: a rule, and only spikes go by their sources."""
        return not isinstance(self.connect, str) and not self._reads_sources()

    def _reads_sources(self) -> bool:
        """Tell whether anything but the delivery of spikes reads which neuron a synapse comes from."""
        if "(summed)" in self.equations:
            return True
        reactions = statements(self.on_pre or "", "")
        expressions = [item.expression for item in definitions(self.equations, "") if item.expression]
        used = {item.name for item in reactions}
        used |= set().union(*(names(text, "") for text in (*expressions, *(item.expression for item in reactions))))
        return any(name.endswith("_pre") or name in ("i", "j") for name in used)


@dataclass(frozen=True)
class Writing:
    """A biological writing: populations, pathways, and which variables are its activity.

    The text of one population hears the input as ``stimulus(t, i)``. ``activity`` names what is compared and decoded,
    ``{"x": "cortex.x", "r": "cortex.r"}``; ``spikes`` names the populations whose spikes count; ``drives`` are what
    populations hear from sources that are not simulated, by name.

    In one time step the pathways sum first, in the order in which they are declared; then the populations are advanced,
    in theirs, each followed by the pathways that come ``after`` it; then come thresholds, synapses and resets (Brian2's
    schedule).
    """

    populations: Mapping[str, Population]
    pathways: Mapping[str, Pathway]
    activity: Mapping[str, str]
    spikes: tuple[str, ...] = ()
    drives: Mapping[str, PoissonDrive] = field(default_factory=dict)


def _first_current(p: Any) -> Any:
    return p.x0


def _itself(*arguments: Any) -> Any:
    return arguments[-1]


@dataclass(frozen=True)
class Textbook:
    """The recurrence of the documents and its leaky form, as pure functions of ``(parameters, state, input)``.

    ``recurrence(p, h, u) -> h`` is the printed formula, ``step(p, x, u, alpha) -> x`` its leaky form in the current x,
    ``activation(x) -> h`` joins the two, ``output(p, r) -> a`` is the linear readout and ``y = link(a)``. A state is
    an array, or a NamedTuple of arrays where a cell has several.

    Parameters
    ----------
    recurrence, step, activation, output : as above
    start : ``start(p) -> x``, the state before the first input
    current : ``current(p, x) -> (n,) array``, what is compared on the ladder; the state itself where it is an array
    rate : ``rate(h) -> (units,) array``, what the readout sees
    signals : ``signals(p, x, u) -> dict of arrays``, what the ensembles of LIF neurons hear, by name; None where they
        hear ``current`` alone, as ``"x"``
    link : ``"linear"``, ``"logistic"`` or ``"softmax"``: what stands behind the readout
    """

    recurrence: Callable[[Any, Any, Any], Any]
    step: Callable[[Any, Any, Any, Any], Any]
    activation: Callable[[Any], Any]
    output: Callable[[Any, Any], Any]
    start: Callable[[Any], Any] = _first_current
    current: Callable[[Any, Any], Any] = _itself
    rate: Callable[[Any], Any] = _itself
    signals: Callable[[Any, Any, Any], Mapping[str, Any]] | None = None
    link: str = "linear"

    def __post_init__(self) -> None:
        """Refuse a link that is not known."""
        if self.link not in LINKS:
            raise CortwinError(f"the link of the output is '{self.link}', expected one of {', '.join(LINKS)}")

    def heard(self, p: Any, x: Any, u: Any) -> dict[str, Any]:
        """Return what the ensembles hear in the state x, by name."""
        return {"x": self.current(p, x)} if self.signals is None else dict(self.signals(p, x, u))


@dataclass(frozen=True)
class Ensemble:
    """Which population of LIF neurons computes a function, of what it hears, and by which decoder.

    The neurons of ``population`` hear the ``signals``; the ridge-fitted ``decoder`` array turns their spikes into
    ``function`` of them (Eliasmith & Anderson 2003, Neural Engineering, MIT Press).

    Parameters
    ----------
    population : its name in the tuning and the spiking writing
    function : of as many arrays as there are signals, in order; textbook numbers
    signals : names of what the neurons hear, of `Textbook.signals`
    size : of the population, one of `OWNERS`
    prefix : put before the names of its arrays (``gain``, ``bias``, ...), for pages with several ensembles
    synapse : constant that holds the time constant of the synapses whose lag the neurons make up for; None for none
    dale : whether each neuron excites or inhibits whatever the fit says (Dale's law): see `cortwin.ensemble.ensembles`
    """

    population: str
    function: Callable[..., Any]
    signals: tuple[str, ...] = ("x",)
    size: str = "neurons"
    prefix: str = ""
    synapse: str | None = "tau_s"
    dale: bool = False

    @property
    def gains(self) -> tuple[str, ...]:
        """Names of the neurons' gains, one array for each signal."""
        if len(self.signals) == 1:
            return (f"{self.prefix}gain",)
        return tuple(f"{self.prefix}gain_{signal}" for signal in self.signals)

    @property
    def shapes(self) -> dict[str, tuple[str, ...]]:
        """Symbolic shape of every array of the neurons by name."""
        own = (*self.gains, *(f"{self.prefix}{name}" for name in ("bias", "decoder", "lead", "v0")))
        return {**dict.fromkeys(own, (self.size,)), f"{self.prefix}r0": (OWNERS[self.size],)}


@dataclass(frozen=True)
class Lacking:
    """A writing that a page does not have, and why."""

    reason: str


@dataclass(frozen=True)
class Model:
    """One network in its three writings; a writing that it lacks says why (`Lacking`).

    Parameters
    ----------
    name : name of the page
    textbook, rate, spiking : the three writings
    tuning : the spiking writing with tuning curves in place of spikes, rung R4 of the ladder
    shapes : symbolic shape of every array by name, for instance ``{"W_rec": ("units", "units")}``, or numbers; those
        of the ensembles are added
    trained : names of the arrays that training changes; the textbook's parameters
    initial : ``initial(generator, inputs, units, outputs) -> parameters``, a NamedTuple of arrays
    constants : physical constants with units, for instance ``{"tau": 100 * ms}``
    ensembles : how spikes stand for the units

    Raises
    ------
    CortwinError
        Naming the writing, the object, the rule and the offending text or number.
    """

    name: str
    textbook: Textbook | Lacking
    rate: Writing | Lacking
    tuning: Writing | Lacking
    spiking: Writing | Lacking
    shapes: Mapping[str, tuple[str | int, ...]]
    trained: type
    initial: Callable[..., Any]
    constants: Mapping[str, Any]  # quantities; a number times a unit is an array to type checkers
    ensembles: tuple[Ensemble, ...] = ()

    def __post_init__(self) -> None:
        """Check everything that can be checked without sizes."""
        shapes = dict(self.shapes)
        for ensemble in self.ensembles:
            shapes |= ensemble.shapes
        object.__setattr__(self, "shapes", shapes)
        for name, value in self.constants.items():
            number = float(value)
            # Potentials, currents and weights have signs; times do not.
            too_small = number < 0 and brian2.get_dimensions(value) is SECOND
            if not math.isfinite(number) or too_small or (name.startswith("tau") and number <= 0):
                raise CortwinError(f"{self.name}: the constant {name} = {value} must be finite and positive")
        for name, shape in self.shapes.items():
            unknown = [size for size in shape if size not in (*SIZES, SYNAPSES) and not _is_count(size)]
            if unknown:
                raise CortwinError(
                    f"{self.name}: the shape of {name} names '{unknown[0]}', not one of {', '.join(SIZES)}"
                )
        for name in WRITINGS:
            if not isinstance(getattr(self, name), Lacking):
                _check_writing(getattr(self, name), self, f"{self.name}, {name} writing")

    def writing(self, name: str) -> Writing:
        """Return the biological writing of that name: ``"rate"``, ``"tuning"`` or ``"spiking"``."""
        if name not in WRITINGS:
            raise CortwinError(f"{self.name}: there is no writing '{name}'; there are {', '.join(WRITINGS)}")
        found = getattr(self, name)
        if isinstance(found, Lacking):
            raise CortwinError(f"{self.name} has no {name} writing: {found.reason}")
        return found

    def recurrence(self) -> Textbook:
        """Return the textbook writing."""
        if isinstance(self.textbook, Lacking):
            raise CortwinError(f"{self.name} has no textbook writing: {self.textbook.reason}")
        return self.textbook

    def sizes(self, values: Mapping[str, Any]) -> dict[str, int]:
        """Return the sizes of the given arrays: ``units``, ``inputs``, ``outputs``, ``slots``; 1 where none tells.

        Raises
        ------
        CortwinError
            When an array has the wrong number of dimensions.
        """
        sizes: dict[str, int] = dict.fromkeys(("inputs", "units", "outputs", "slots"), 1)
        for name, symbols in self.shapes.items():
            if name not in values or any(symbol in (*OWNERS, SYNAPSES) for symbol in symbols):
                continue
            shape = np.shape(values[name])
            if len(shape) != len(symbols):
                raise CortwinError(f"{name} has the shape {shape}, expected ({', '.join(map(str, symbols))})")
            for symbol, size in zip(symbols, shape, strict=True):
                if not isinstance(symbol, str):
                    continue
                # The first array tells; `check_array` finds the ones that disagree with it.
                sizes[symbol] = size if sizes[symbol] == 1 else sizes[symbol]
        return sizes

    def dimension(self, label: str) -> str:
        """Return the name of an activity's last dimension: ``"unit"``, ``"output"``, ``"input"`` or ``"neuron"``."""
        for name in WRITINGS:
            writing = getattr(self, name)
            if not isinstance(writing, Lacking) and label in writing.activity:
                size = writing.populations[writing.activity[label].partition(".")[0]].size
                return size.removesuffix("s") if isinstance(size, str) and size not in OWNERS else "neuron"
        return "unit"

    def with_constants(self, **constants: Any) -> Model:
        """Return the model with other physical constants, of the same units."""
        for name, value in constants.items():
            if name not in self.constants:
                raise CortwinError(f"{self.name}: there is no constant '{name}'; there are {', '.join(self.constants)}")
            if not brian2.have_same_dimensions(value, self.constants[name]):
                raise CortwinError(f"{self.name}: {name} = {value} should have the unit of {self.constants[name]}")
        return replace(self, constants={**self.constants, **constants})

    def with_output(self, link: str) -> Model:
        """Return the model with another function behind its linear readout, for instance a softmax.

        The textbook alone changes: what a page feeds back, and a biological writing that has its output in it, do not.

        Parameters
        ----------
        link : ``"linear"``, ``"logistic"`` or ``"softmax"``

        Raises
        ------
        CortwinError
            If the link is not known, or the model has no textbook writing.
        """
        return replace(self, textbook=replace(self.recurrence(), link=link))

    def check_parameters(self, parameters: Any, sizes: Mapping[str, int]) -> None:
        """Refuse parameters whose shapes do not fit the sizes, or that are not finite.

        Raises
        ------
        CortwinError
            Naming the array and both shapes, or the first number that is not finite.
        """
        for name in self.trained._fields:  # type: ignore[attr-defined]
            check_array(name, getattr(parameters, name), self.shapes[name], sizes)


def check_array(name: str, values: Any, shape: tuple[str | int, ...], sizes: Mapping[str, int]) -> None:
    """Refuse an array of the wrong shape or with a number that is not finite."""
    array = np.asarray(values)
    expected = tuple(sizes[size] if isinstance(size, str) else size for size in shape)
    if array.shape != expected:
        meaning = ", ".join(map(str, shape))
        raise CortwinError(f"{name} has the shape {array.shape}, expected {expected} = ({meaning})")
    if not np.isfinite(array).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise CortwinError(f"{name}[{', '.join(map(str, where))}] is {array[where]}: weights must be finite")


def _check_writing(writing: Writing, model: Model, where: str) -> None:
    defined = {}
    for name, population in writing.populations.items():
        _check_object_name(name, where)
        if population.size not in SIZES and not _is_count(population.size):
            raise CortwinError(
                f"{where}: the size {population.size!r} of {name} is not one of {', '.join(SIZES)}, nor a number of "
                "at least 1"
            )
        defined[name] = definitions(population.equations, f"{where}, {name}")
    summed = {name: set() for name in writing.populations}
    for name, pathway in writing.pathways.items():
        _check_object_name(name, where)
        for end in (pathway.source, pathway.target):
            if end not in writing.populations:
                raise CortwinError(f"{where}: the pathway {name} names the population '{end}', which does not exist")
        if not isinstance(pathway.connect, Rule) and pathway.connect not in CONNECTIONS:
            raise CortwinError(
                f"{where}: the pathway {name} connects '{pathway.connect}', not one of {', '.join(CONNECTIONS)}, nor "
                "by a rule of cortwin.connectivity"
            )
        if isinstance(pathway.connect, Rule):
            _check_rule(pathway, writing, model, f"{where}, {name}")
        summed[pathway.target] |= _check_pathway(pathway, defined, model, f"{where}, {name}")
    for name, population in writing.populations.items():
        _check_population(population, defined, summed[name], model, f"{where}, {name}")
    for label, target in writing.activity.items():
        population, _, variable = target.partition(".")
        if population not in defined or variable not in {item.name for item in defined[population]}:
            raise CortwinError(f"{where}: the activity {label} is '{target}', which does not exist")
    for name in writing.spikes:
        if name not in writing.populations or not writing.populations[name].threshold:
            raise CortwinError(f"{where}: the population {name} does not exist or has no threshold: it cannot spike")
    for name, drive in writing.drives.items():
        _check_object_name(name, where)
        if name in writing.populations or name in writing.pathways:
            raise CortwinError(f"{where}: the drive {name} has the name of a population or pathway")
        _check_drive(drive, defined, model, f"{where}, {name}")


def _check_population(
    population: Population, defined: Mapping[str, tuple[Definition, ...]], summed: set[str], model: Model, where: str
) -> None:
    own = definitions(population.equations, where)
    symbols = _symbols(own) | _constants(model)
    for item in own:
        given = [source for source in (population.values, population.linked, population.drawn) if item.name in source]
        if item.kind == "parameter" and not given and item.name not in summed:
            raise CortwinError(f"{where}: the parameter {item.name} has no value, link or summed input")
        if item.expression is not None:
            expected = item.dimensions / SECOND if item.kind == "differential" else item.dimensions
            check_dimensions(item.expression, expected, symbols, (STIMULUS,), f"{where}, {item.name}")
    if any(item.kind == "differential" for item in own) and population.method is None:
        raise CortwinError(f"{where}: there is a differential equation but no integration method")
    _check_values(population.values, own, model, where)
    _check_drawn(population, own, model, where)
    for variable, target in population.linked.items():
        other, _, linked = target.partition(".")
        if variable not in symbols or other not in defined or linked not in _symbols(defined[other]):
            raise CortwinError(f"{where}: {variable} is linked to '{target}', which does not exist")
    if (population.threshold is None) != (population.reset is None):
        raise CortwinError(f"{where}: a spiking population needs both a threshold and a reset")
    if population.threshold is not None and population.reset is not None:
        check_dimensions(population.threshold, None, symbols, (), f"{where}, threshold")
        for statement in statements(population.reset, f"{where}, reset"):
            if statement.name not in symbols:
                raise CortwinError(f"{where}: the reset changes '{statement.name}', which does not exist")
            check_dimensions(statement.expression, symbols[statement.name], symbols, (), f"{where}, reset")
    if population.refractory is not None and population.refractory not in model.constants:
        raise CortwinError(f"{where}: the refractory time '{population.refractory}' is not one of the constants")


def _check_pathway(
    pathway: Pathway, defined: Mapping[str, tuple[Definition, ...]], model: Model, where: str
) -> set[str]:
    """Check a pathway and return the variables of its target that it sums into."""
    summed = set()
    own, sums = [], []
    for line in filter(None, (line.strip() for line in pathway.equations.splitlines())):
        (sums if "(summed)" in line else own).append(line)
    synaptic = definitions("\n".join(own), where)
    symbols = _symbols(synaptic) | _constants(model)
    for end, name in (("pre", pathway.source), ("post", pathway.target)):
        symbols |= {f"{variable}_{end}": dim for variable, dim in _symbols(defined[name]).items()}
    for item in synaptic:
        if item.expression is not None:
            expected = item.dimensions / SECOND if item.kind == "differential" else item.dimensions
            check_dimensions(item.expression, expected, symbols, (), f"{where}, {item.name}")
    if any(item.kind == "differential" for item in synaptic) and pathway.method is None:
        raise CortwinError(f"{where}: there is a differential equation but no integration method")
    for line in sums:
        target = line.split("=")[0].strip()
        variable = target.removesuffix("_post")
        if not target.endswith("_post") or target not in symbols:
            raise CortwinError(f"{where}: '{line}' must sum into a parameter of {pathway.target}, written with _post")
        item = definitions(line.replace(target, variable, 1), where)[0]
        check_dimensions(item.expression or "", symbols[target], symbols, (), f"{where}, {target}")
        summed.add(variable)
    for statement in statements(pathway.on_pre or "", f"{where}, on_pre"):
        if statement.name not in symbols:
            raise CortwinError(f"{where}: on_pre changes '{statement.name}', which does not exist")
        check_dimensions(statement.expression, symbols[statement.name], symbols, (), f"{where}, on_pre")
    _check_values(pathway.values, synaptic, model, where)
    _check_drawn(pathway, synaptic, model, where)
    for item in synaptic:
        given = item.name in pathway.values or item.name in pathway.drawn
        if item.kind == "parameter" and isinstance(pathway.connect, Rule) and not given:
            raise CortwinError(f"{where}: the parameter {item.name} has no value and is not drawn")
    for variable, dtype in pathway.dtype.items():
        if variable not in {item.name for item in synaptic} or dtype not in ("float32", "float64"):
            raise CortwinError(f"{where}: dtype makes {variable} a {dtype}; it takes variables, float32 and float64")
    if isinstance(pathway.delay, Distribution):
        delay = in_si(pathway.delay, model.constants, SECOND, f"{where}, delay")
        if delay.minimum is None or delay.minimum < 0:
            raise CortwinError(f"{where}: delays drawn from {pathway.delay} may be negative: set a minimum")
    elif pathway.delay is not None and pathway.delay not in model.constants:
        raise CortwinError(f"{where}: the delay '{pathway.delay}' is not one of the constants")
    if pathway.after is not None and pathway.after not in defined:
        raise CortwinError(f"{where}: it comes after the population '{pathway.after}', which does not exist")
    return summed


def _check_drive(drive: PoissonDrive, defined: Mapping[str, tuple[Definition, ...]], model: Model, where: str) -> None:
    if drive.target not in defined:
        raise CortwinError(f"{where}: the drive names the population '{drive.target}', which does not exist")
    own = {item.name: item.dimensions for item in defined[drive.target] if item.kind != "subexpression"}
    if drive.variable not in own:
        raise CortwinError(
            f"{where}: the drive's variable '{drive.variable}' is no state or parameter of {drive.target}"
        )
    constants = _constants(model)
    for role, name, expected in (("rate", drive.rate, SECOND**-1), ("weight", drive.weight, own[drive.variable])):
        if name not in constants:
            raise CortwinError(f"{where}: the {role} '{name}' of the drive is not one of the constants")
        check_dimensions(name, expected, constants, (), f"{where}, {role}")


def _check_values(values: Mapping[str, str], own: tuple[Definition, ...], model: Model, where: str) -> None:
    for variable, array in values.items():
        if variable not in {item.name for item in own if item.kind != "subexpression"}:
            raise CortwinError(f"{where}: a value is given for '{variable}', which is not a parameter or state")
        if array not in model.shapes:
            raise CortwinError(f"{where}: {variable} takes the array '{array}', which has no shape in the model")


def _check_drawn(part: Population | Pathway, own: tuple[Definition, ...], model: Model, where: str) -> None:
    known = {item.name: item for item in own if item.kind != "subexpression"}
    for variable, distribution in part.drawn.items():
        if variable not in known:
            raise CortwinError(f"{where}: '{variable}' is drawn, which is not a parameter or state")
        if variable in part.values:
            raise CortwinError(f"{where}: {variable} is drawn and takes the array '{part.values[variable]}'")
        if not isinstance(distribution, Distribution):
            raise CortwinError(f"{where}: {variable} is drawn from {distribution!r}, which is no distribution")
        in_si(distribution, model.constants, known[variable].dimensions, f"{where}, {variable}")


def _check_rule(pathway: Pathway, writing: Writing, model: Model, where: str) -> None:
    """Refuse a rule that cannot be met, as far as sizes are known here, and arrays that do not list synapses."""
    rule, same = pathway.connect, pathway.source == pathway.target
    if isinstance(rule, FromArrays):
        for array in (rule.source, rule.target, *pathway.values.values()):
            if model.shapes.get(array) != (SYNAPSES,):
                raise CortwinError(f"{where}: the array '{array}' needs the shape ('{SYNAPSES}',) in the model")
        return
    if pathway.values:
        raise CortwinError(
            f"{where}: a rule's synapses have no order to give {', '.join(pathway.values)} in: draw them"
        )
    source, target = (writing.populations[end].size for end in (pathway.source, pathway.target))
    if _is_count(source) and _is_count(target) and (problem := rule.problem(source, target, same)):  # type: ignore[union-attr]
        raise CortwinError(f"{where}: {problem}")


def _is_count(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size >= 1


def _symbols(own: tuple[Definition, ...]) -> dict[str, Any]:
    here = {"t": SECOND, "dt": SECOND, "i": DIMENSIONLESS, "N": DIMENSIONLESS}
    return {item.name: item.dimensions for item in own} | here


def _constants(model: Model) -> dict[str, Any]:
    return {name: brian2.get_dimensions(value) for name, value in model.constants.items()}


def _check_object_name(name: str, where: str) -> None:
    if not name.isidentifier() or name in KEYWORDS or name.startswith("_"):
        raise CortwinError(f"{where}: '{name}' cannot name a population or pathway")
