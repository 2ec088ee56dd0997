"""Layout: everything about a simulation except its numbers, which is what a program is compiled for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from cortwin.errors import CortwinError
from cortwin.inputs import check_inputs
from cortwin.intervention import ADD, KEEP
from cortwin.model import OWNERS, STIMULUS, Model, Population

# Brian2's own tolerance for a duration that is a multiple of dt.
MULTIPLE_TOLERANCE = 1e-4
# The words that the random numbers of a run come from, (2,).
NOISE = "noise.key"
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
    def of_one_trial(cls, sizes: Mapping[str, Any], *, dt: float, steps: int) -> Layout:
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


def timed_arrays(layout: Layout) -> tuple[str, ...]:
    """Return the names of the timed arrays of a simulation."""
    return tuple(TIMED) if layout.intervention else (STIMULUS,)
