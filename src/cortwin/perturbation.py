"""Perturbations: what is done to a network, said once and done to every writing of it.

| perturbation | textbook | rate | spiking |
|---|---|---|---|
| `Lesion` | nobody hears the units: their columns of every matrix are 0 | the same arrays | the same arrays |
| `ScaleWeights` | a matrix times a factor | the same array | the same array |
| `Clamp` | x is a value after each step | the same | the same; what spikes add to x is cut off too |
| `Pulse` | alpha times a current is added to each step | a current in tau dx/dt | the same |
| `Noise` | a current drawn anew for each step | the same numbers, held as long | the same numbers, held as long |
| `TimeConstant` of tau | alpha = dt / tau follows | tau | tau |
| of tau_m, tau_s, t_ref | has none | has none | the constant; the neurons and their decoders stay |

x is the state of a unit that the page compares: the synaptic current, the cell c of an LSTM, the state h of a GRU. The
textbook and the rate text agree to rounding under all of them, as they do without. Neurons that anticipate the lag of
their synapses do not know of a clamp or of a current that comes from outside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import brian2
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from cortwin.activity import GRID_TOLERANCE
from cortwin.errors import CortwinError
from cortwin.intervention import Intervention, state_of
from cortwin.model import WRITINGS, Lacking, Model, Writing


@dataclass(frozen=True)
class Perturbed:
    """A network with something done to it.

    Parameters
    ----------
    model, parameters : its constants and arrays
    intervention : what is done to its state, None for nothing
    touched : numbers of the units that something is done to directly; what the others show is the network's reaction
    """

    model: Model
    parameters: Any
    intervention: Intervention | None = None
    touched: tuple[int, ...] = ()

    @property
    def units(self) -> int:
        """Number of units."""
        return self.model.sizes(self.parameters._asdict())["units"]

    def touching(self, units: Iterable[Any]) -> Perturbed:
        """Return the same with some more units touched."""
        return replace(self, touched=tuple(sorted({*self.touched, *map(int, units)})))


class Perturbation:
    """Something that is done to every writing of a network alike."""

    def apply(self, network: Perturbed, inputs: xr.DataArray) -> Perturbed:
        """Return the network with this done to it, on trials (trial, time, input)."""
        raise NotImplementedError

    def reaches(self, model: Model) -> tuple[str, ...]:
        """Return the writings that it changes."""
        return ("textbook", *WRITINGS)


@dataclass(frozen=True)
class Lesion(Perturbation):
    """Units that nobody hears: what others and the readout hear of them is 0.

    The units go on hearing the others. Their LIF neurons spike on, to nobody.

    Parameters
    ----------
    units : number of a unit, or of several
    """

    units: int | Sequence[int]

    def apply(self, network: Perturbed, inputs: xr.DataArray) -> Perturbed:
        """Set the units' columns of every matrix that has one for each unit to 0."""
        units = _units(self, self.units, network.units)
        model = network.model
        _require_weights(model)
        changed = {}
        for name in model.trained._fields:  # type: ignore[attr-defined]
            # Weights are (target, source).
            if len(model.shapes[name]) == 2 and model.shapes[name][1] == "units":
                changed[name] = np.array(getattr(network.parameters, name), dtype=np.float64)
                changed[name][:, list(units)] = 0.0
        return replace(network, parameters=network.parameters._replace(**changed)).touching(units)


@dataclass(frozen=True)
class ScaleWeights(Perturbation):
    """An array of weights times a factor.

    Parameters
    ----------
    name : of one of the page's arrays, for instance ``"W_rec"``
    factor : a number, or an array that fits by NumPy's rules: (source,) for what each unit sends, (target, 1) for what
        each receives
    """

    name: str
    factor: ArrayLike

    def apply(self, network: Perturbed, inputs: xr.DataArray) -> Perturbed:
        """Multiply."""
        names = network.model.trained._fields  # type: ignore[attr-defined]
        if self.name not in names:
            raise CortwinError(f"{self}: {network.model.name} has no weights '{self.name}'; it has {', '.join(names)}")
        weights = np.asarray(getattr(network.parameters, self.name), dtype=np.float64)
        factor = _numbers(self, "factor", self.factor)
        try:
            scaled = factor * weights
        except ValueError:
            scaled = None
        if scaled is None or scaled.shape != weights.shape:
            raise CortwinError(
                f"ScaleWeights: a factor of shape {factor.shape} does not fit {self.name} {weights.shape}"
            )
        return replace(network, parameters=network.parameters._replace(**{self.name: scaled}))


@dataclass(frozen=True)
class Clamp(Perturbation):
    """Units whose x is held at a value after every step of a window; before the first step x is what it was.

    Parameters
    ----------
    units : number of a unit, or of several
    value : a number, or one for each of the units
    start, stop : s, the window, on the inputs' time axis; the whole trial where they are left out
    """

    units: int | Sequence[int]
    value: ArrayLike
    start: float | None = None
    stop: float | None = None

    def apply(self, network: Perturbed, inputs: xr.DataArray) -> Perturbed:
        """Hold the units in the window."""
        units = _units(self, self.units, network.units)
        value = _for_each(self, "value", self.value, units)
        hand, window = _hand(network, inputs), _window(self, self.start, self.stop, inputs)
        held, values = hand.held.copy(), hand.value.copy()
        held[:, window, units[:, None]] = True
        values[:, window, units[:, None]] = value[:, None]
        return replace(network, intervention=replace(hand, held=held, value=values)).touching(units)


@dataclass(frozen=True)
class Pulse(Perturbation):
    """A current into some units during a window: it stands beside the others in ``tau dx/dt = -x + ...``.

    Parameters
    ----------
    units : number of a unit, or of several
    amplitude : a number, or one for each of the units; of an Elman network that listens to nothing else, x goes there
    start, stop : s, the window, on the inputs' time axis; the whole trial where they are left out
    """

    units: int | Sequence[int]
    amplitude: ArrayLike
    start: float | None = None
    stop: float | None = None

    def apply(self, network: Perturbed, inputs: xr.DataArray) -> Perturbed:
        """Add the current in the window."""
        units = _units(self, self.units, network.units)
        amplitude = _for_each(self, "amplitude", self.amplitude, units)
        hand, window = _hand(network, inputs), _window(self, self.start, self.stop, inputs)
        current = hand.current.copy()
        current[:, window, units[:, None]] += amplitude[:, None]
        return replace(network, intervention=replace(hand, current=current)).touching(units)


@dataclass(frozen=True)
class Noise(Perturbation):
    """A Gaussian current into every unit, drawn once for each trial, unit and step, and the same in all writings.

    A number is held over one step of the textbook, so that slow units see white noise of the spectral density
    ``sd**2 dt`` with dt of the inputs. A seed draws the same numbers for the same number of trials, steps and units.

    Parameters
    ----------
    sd : standard deviation of the current
    seed : of the drawing
    """

    sd: float
    seed: int | np.random.SeedSequence

    def apply(self, network: Perturbed, inputs: xr.DataArray) -> Perturbed:
        """Draw and add."""
        (sd,) = np.atleast_1d(_numbers(self, "sd", self.sd))
        if sd < 0:
            raise CortwinError(f"{self}: sd is {sd}, must be 0 or more")
        hand = _hand(network, inputs)
        drawn = sd * np.random.default_rng(self.seed).standard_normal(hand.current.shape)
        return replace(network, intervention=replace(hand, current=hand.current + drawn))


@dataclass(frozen=True)
class TimeConstant(Perturbation):
    """Another value of a time that the page has among its constants, at the same dt.

    The neurons of the spiking writing stay as they were drawn, decoders included.

    Parameters
    ----------
    name : of the constant, for instance ``"tau"`` or ``"tau_m"``
    factor : times which it is taken
    value : its new value with a unit, in place of a factor
    """

    name: str
    factor: float | None = None
    value: Any = None

    def apply(self, network: Perturbed, inputs: xr.DataArray) -> Perturbed:
        """Replace the constant."""
        model = network.model
        times = [name for name, value in model.constants.items() if brian2.have_same_dimensions(value, brian2.second)]
        if self.name not in times:
            raise CortwinError(f"{self}: {model.name} has no time '{self.name}'; it has {', '.join(times)}")
        if (self.factor is None) == (self.value is None):
            raise CortwinError(f"TimeConstant: {self.name} needs either a factor or a value")
        if self.name != "tau" and "rate" in self.reaches(model):
            raise CortwinError(
                f"TimeConstant: the textbook of {model.name} has {self.name} built in as its step; it follows tau alone"
            )
        value = self.value
        if self.factor is not None:
            value = model.constants[self.name] * float(_numbers(self, "factor", self.factor))
        if not brian2.have_same_dimensions(value, brian2.second) or not 0 < float(value) < math.inf:
            raise CortwinError(f"TimeConstant: {self.name} = {value} must be a positive time, for instance 20*ms")
        return replace(network, model=model.with_constants(**{self.name: value}))

    def reaches(self, model: Model) -> tuple[str, ...]:
        """Return the writings whose text has the constant."""
        own = ("textbook",) if self.name == "tau" else ()
        texts = {name: getattr(model, name) for name in WRITINGS}
        return own + tuple(
            name for name, text in texts.items() if not isinstance(text, Lacking) and _names(text, self.name)
        )


def perturb(
    model: Model, parameters: Any, perturbations: Perturbation | Iterable[Perturbation], inputs: xr.DataArray
) -> Perturbed:
    """Return a network with one or several things done to it, in order.

    Parameters
    ----------
    model, parameters : the network
    perturbations : what is done; where two clamp the same unit at the same time, the later one holds it
    inputs : (trial, time, input) DataArray, the trials on which it is done

    Raises
    ------
    CortwinError
        Naming the perturbation, the rule and the offending number.
    """
    several = (perturbations,) if isinstance(perturbations, Perturbation) else tuple(perturbations)
    network = Perturbed(model, parameters)
    for one in several:
        if not isinstance(one, Perturbation):
            raise CortwinError(f"{one!r} is no perturbation; there are {', '.join(sorted(KINDS))}")
        network = one.apply(network, inputs)
    return network


KINDS = {kind.__name__: kind for kind in (Lesion, ScaleWeights, Clamp, Pulse, Noise, TimeConstant)}


def _hand(network: Perturbed, inputs: xr.DataArray) -> Intervention:
    """Return the hand that is laid on the network already, or one that does nothing."""
    if network.intervention is not None:
        return network.intervention
    state_of(network.model)  # refuses a page without such a state
    shape = (inputs.sizes["trial"], inputs.sizes["time"], network.units)
    return Intervention(np.zeros(shape, bool), np.zeros(shape), np.zeros(shape))


def _units(perturbation: Perturbation, units: int | Sequence[int], n: int) -> NDArray[np.int64]:
    name, numbers = type(perturbation).__name__, np.atleast_1d(np.asarray(units))
    if numbers.ndim != 1 or numbers.size == 0 or not np.issubdtype(numbers.dtype, np.integer):
        raise CortwinError(f"{name}: units are {units!r}, expected the number of a unit or a list of them")
    wrong = numbers[(numbers < 0) | (numbers >= n)]
    if wrong.size:
        raise CortwinError(f"{name}: there is no unit {wrong[0]}; the network has units 0 to {n - 1}")
    if np.unique(numbers).size < numbers.size:
        raise CortwinError(f"{name}: a unit is named twice in {units!r}")
    return numbers.astype(np.int64)


def _numbers(perturbation: Perturbation, what: str, value: Any) -> NDArray[np.float64]:
    name = type(perturbation).__name__
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise CortwinError(f"{name}: {what} is {value!r}, expected a number") from None
    if not np.isfinite(numbers).all():
        raise CortwinError(f"{name}: {what} is {value!r}, must be finite")
    return numbers


def _for_each(perturbation: Perturbation, what: str, value: Any, units: NDArray[np.int64]) -> NDArray[np.float64]:
    numbers = _numbers(perturbation, what, value)
    if numbers.shape not in ((), units.shape):
        raise CortwinError(
            f"{type(perturbation).__name__}: {what} has the shape {numbers.shape}, expected a number or one for each "
            f"of {units.size} units"
        )
    return np.broadcast_to(numbers, units.shape)


def _window(
    perturbation: Perturbation, start: float | None, stop: float | None, inputs: xr.DataArray
) -> NDArray[np.int64]:
    """Return the numbers of the samples that begin in [start, stop)."""
    name, dt, time = type(perturbation).__name__, float(inputs.attrs["dt"]), inputs["time"].to_numpy()
    first, end = float(time[0]), float(time[-1]) + dt
    begin, finish = first if start is None else float(start), end if stop is None else float(stop)
    slack = GRID_TOLERANCE * dt
    if not first - slack <= begin < finish <= end + slack:
        raise CortwinError(
            f"{name}: the window from {begin:.6g} to {finish:.6g} s does not lie in the trial, "
            f"{first:.6g} to {end:.6g} s"
        )
    chosen = np.flatnonzero((time >= begin - slack) & (time < finish - slack))
    if not chosen.size:
        raise CortwinError(f"{name}: no step of {dt:.6g} s begins between {begin:.6g} and {finish:.6g} s")
    return chosen


def _require_weights(model: Model) -> None:
    """Refuse a page whose units are heard through synapses that hold none of its weights."""
    for writing in WRITINGS:
        text = getattr(model, writing)
        if isinstance(text, Lacking):
            continue
        for name, pathway in text.pathways.items():
            heard = text.populations[pathway.source].size == "units" and pathway.connect == "all_to_all"
            if heard and not pathway.values:
                raise CortwinError(
                    f"Lesion: the units of {model.name} are heard through '{name}' too, whose synapses change by "
                    "themselves and have no weights to set to 0"
                )


def _names(text: Writing, constant: str) -> bool:
    """Tell whether a writing's text has a constant in it."""
    pieces = [population.equations for population in text.populations.values()]
    pieces += [population.refractory or "" for population in text.populations.values()]
    for pathway in text.pathways.values():
        pieces += [pathway.equations, pathway.on_pre or "", pathway.delay or ""]
    return any(re.search(rf"\b{re.escape(constant)}\b", piece) for piece in pieces)
