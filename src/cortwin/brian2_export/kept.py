"""What a run keeps of a simulation so that it can be made again: its texts, constants and sizes, and all its numbers.

The texts are data. They pass the same checks as a page's when they are read.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any, NamedTuple

import brian2
import numpy as np
import xarray as xr

from cortwin.equations import KEYWORDS, UNITS
from cortwin.errors import CortwinError
from cortwin.model import Lacking, Model, Pathway, Population, Writing

# Of notes.json, and of the arrays and the group of activity that are kept for the simulation alone.
KEPT = "simulation"
_ABSENT = Lacking("it was not kept with the run")


@dataclass(frozen=True)
class Ran:
    """One writing that a run simulated.

    Parameters
    ----------
    dt : integration step in seconds
    activity : its group in activity.nc
    spikes : its group in spikes.nc, empty where it has none
    """

    dt: float
    activity: str
    spikes: str = ""


@dataclass(frozen=True)
class KeptSimulation:
    """A network, its inputs, and which of its writings ran on them.

    Parameters
    ----------
    model : its biological writings
    values : array by name, all that the writings need
    inputs : (trial, time, input) DataArray
    neurons_per_unit : LIF neurons that stand for one unit
    ran : by writing
    references : sources of the page, a line each
    """

    model: Model
    values: Mapping[str, Any]
    inputs: xr.DataArray
    neurons_per_unit: int
    ran: Mapping[str, Ran]
    references: Sequence[str] = field(default=())

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Arrays for the run's weights.npz."""
        return {f"{KEPT}.{name}": np.asarray(values, dtype=np.float64) for name, values in self.values.items()}

    @property
    def activity(self) -> dict[str, xr.DataArray]:
        """The inputs, for the run's activity.nc."""
        return {f"{KEPT}.inputs": self.inputs}

    @property
    def notes(self) -> dict[str, Any]:
        """Everything else, for the run's notes.json."""
        model = self.model
        return {
            KEPT: {
                "name": model.name,
                "writings": {name: asdict(model.writing(name)) for name in self.ran},
                "shapes": {name: list(shape) for name, shape in model.shapes.items()},
                "constants": {name: _with_unit(value) for name, value in model.constants.items()},
                "neurons_per_unit": self.neurons_per_unit,
                "ran": {name: asdict(one) for name, one in self.ran.items()},
                "references": list(self.references),
            }
        }


def references_of(page: ModuleType) -> list[str]:
    """Return the lines of a page's section References."""
    found = re.search(r"^References\n-+\n(.*)", inspect.getdoc(page) or "", re.MULTILINE | re.DOTALL)
    return [] if found is None else [line.strip() for line in found[1].splitlines() if line.strip()]


def read_kept(notes: Mapping[str, Any], weights: Mapping[str, Any], activity: Mapping[str, Any]) -> KeptSimulation:
    """Read what a run kept.

    Parameters
    ----------
    notes, weights, activity : of the run's files

    Raises
    ------
    CortwinError
        If the run kept no simulation, or what it kept is not whole.
    """
    if KEPT not in notes:
        raise CortwinError("the run keeps no simulation that could be made again (notes.json has no 'simulation')")
    try:
        stored = notes[KEPT]
        values = {
            name.removeprefix(f"{KEPT}."): array for name, array in weights.items() if name.startswith(f"{KEPT}.")
        }
        return KeptSimulation(
            model=_model(stored),
            values=values,
            inputs=activity[f"{KEPT}.inputs"],
            neurons_per_unit=int(stored["neurons_per_unit"]),
            ran={name: Ran(**one) for name, one in stored["ran"].items()},
            references=[str(line) for line in stored["references"]],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CortwinError(f"the run keeps a simulation that is not whole: {type(error).__name__}: {error}") from error


def _model(stored: Mapping[str, Any]) -> Model:
    for name in stored["constants"]:
        if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name in KEYWORDS:
            raise CortwinError(f"'{name}' cannot name a constant")
    kept = {name: _writing(text) for name, text in stored["writings"].items()}
    return Model(
        name=str(stored["name"]),
        textbook=_ABSENT,
        rate=kept.get("rate", _ABSENT),
        tuning=kept.get("tuning", _ABSENT),
        spiking=kept.get("spiking", _ABSENT),
        shapes={name: tuple(shape) for name, shape in stored["shapes"].items()},
        trained=NamedTuple("Nothing", []),
        initial=lambda generator: (),
        constants={name: number * UNITS[unit] for name, (number, unit) in stored["constants"].items()},
    )


def _writing(text: Mapping[str, Any]) -> Writing:
    return Writing(
        populations={name: Population(**one) for name, one in text["populations"].items()},
        pathways={name: Pathway(**one) for name, one in text["pathways"].items()},
        activity=text["activity"],
        spikes=tuple(text["spikes"]),
    )


def _with_unit(value: Any) -> list[Any]:
    """Return a constant as its number in SI units and the name of its unit."""
    for name, unit in UNITS.items():
        if brian2.have_same_dimensions(value, unit):
            return [float(value), name]
    raise CortwinError(f"the constant {value} has a unit that cannot be kept; known are {', '.join(UNITS)}")
