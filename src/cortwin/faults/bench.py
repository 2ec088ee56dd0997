"""The small simulation that faults are injected into, and what counts as a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from cortwin.errors import CortwinError
from cortwin.model import Model
from cortwin.simulation import Simulation, simulate


@dataclass(frozen=True)
class Bench:
    """A small simulation, and a folder that faults may fill.

    Parameters
    ----------
    folder : scratch folder
    engine : ``"cpp"`` or ``"numpy"``
    model, values : a network with a rate writing, as for `cortwin.simulation.simulate`
    spiking_model, spiking_values : a network of five neurons with a reset, whose jumps are the array W_rec
    inputs : (trial, time, input) DataArray for both
    """

    folder: Path
    engine: str
    model: Model
    values: Mapping[str, Any]
    spiking_model: Model
    spiking_values: Mapping[str, Any]
    inputs: xr.DataArray

    @property
    def dt(self) -> float:
        """Step of the rate writing in seconds."""
        return float(self.inputs.attrs["dt"])

    def simulate(self, model: Model | None = None, **changes: Any) -> xr.Dataset:
        """Simulate the rate writing; ``changes`` replaces arguments of `simulate`."""
        given = {"values": self.values, "inputs": self.inputs, "dt": self.dt} | changes
        values, inputs = given.pop("values"), given.pop("inputs")
        return simulate(model or self.model, "rate", values, inputs, engine=self.engine, batch=2, **given).activity

    def spike(self, **arrays: Any) -> Simulation:
        """Simulate the spiking network for two trials; ``arrays`` replaces its arrays."""
        values = {**self.spiking_values, **arrays}
        inputs, options = self.inputs[:2], {"dt": 1e-4, "spikes": True, "engine": self.engine, "batch": 2}
        return simulate(self.spiking_model, "spiking", values, inputs, **options)

    def with_array(self, name: str, value: float) -> dict[str, Any]:
        """Return the values with one number of an array replaced."""
        array = np.array(self.values[name])
        array.flat[0] = value
        return {**self.values, name: array}


class Believed(Exception):
    """Something wrong passed for right."""


def refusal(call: Callable[[], Any]) -> str:
    """Return the one line with which a call is refused.

    Raises
    ------
    Believed
        When nothing was noticed, or the answer is not one line.
    """
    try:
        returned = call()
    except CortwinError as error:
        message = str(error)
        if "\n" in message.strip():
            raise Believed(f"refused in several lines: {message}") from None
        return message
    raise Believed(f"nothing was noticed: {type(returned).__name__} returned")


def told(note: str | None) -> str:
    """Return what was told about a result that stays.

    Raises
    ------
    Believed
        When nothing was told.
    """
    if not note:
        raise Believed("nothing was told")
    return note


def require(condition: bool, otherwise: str) -> None:
    """Refuse to call a fault survived.

    Raises
    ------
    Believed
        With the reason.
    """
    if not condition:
        raise Believed(otherwise)
