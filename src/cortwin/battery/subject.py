"""One variant of a page, and the small network, trials and sizes on which it is examined."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr

from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.model import Lacking, Model
from cortwin.training import GradientErrors, gradient_errors, run_textbook

SIZES = {"inputs": 2, "units": 6, "outputs": 2}
STEPS = 20
ALPHA = 0.1


@dataclass(frozen=True)
class Subject:
    """What a check is given.

    Parameters
    ----------
    page : the page's module
    arguments : of its ``model()``
    quick : whether fewer seeds and neurons will do
    """

    page: ModuleType
    arguments: dict[str, Any] = field(default_factory=dict)
    quick: bool = False

    @property
    def file(self) -> Path:
        """The page's file."""
        return Path(str(self.page.__file__))

    @cached_property
    def model(self) -> Model:
        """The model of this variant.

        Raises
        ------
        CortwinError
            When ``model()`` returns something else.
        """
        made = self.page.model(**self.arguments)
        if not isinstance(made, Model):
            raise CortwinError(f"model() returned a {type(made).__name__}, expected a cortwin.model.Model")
        return made

    @property
    def sizes(self) -> dict[str, int]:
        """Those of `SIZES` that the page's initial values ask for."""
        asked = inspect.signature(self.model.initial).parameters
        return {name: size for name, size in SIZES.items() if name in asked}

    @property
    def dt(self) -> float:
        """Step of the textbook in seconds, ``ALPHA tau``; 10 ms for a page that has no tau."""
        return float(self.model.constants["tau"]) / 10 if "tau" in self.model.constants else 0.01

    @property
    def dt_spiking(self) -> float:
        """Step of the spikes in seconds."""
        return self.dt / 20

    @property
    def has_both(self) -> bool:
        """Whether there is a textbook and a rate writing to hold against each other."""
        return not isinstance(self.model.textbook, Lacking) and not isinstance(self.model.rate, Lacking)

    @cached_property
    def parameters(self) -> Any:
        """Initial parameters, with everything that starts at zero moved away from it."""
        return self.drawn(6)

    def drawn(self, seed: int) -> Any:
        """Draw parameters, with everything that starts at zero moved away from it."""
        generator = np.random.default_rng(seed)
        parameters = self.model.initial(generator, **self.sizes)
        moved = {name: array for name, array in parameters._asdict().items() if not np.any(array)}
        return parameters._replace(**{name: 0.5 * generator.standard_normal(np.shape(a)) for name, a in moved.items()})

    @cached_property
    def inputs(self) -> xr.DataArray:
        """Two trials of white noise, (trial, time, input)."""
        return self.noise("input", STEPS)

    @cached_property
    def smooth_inputs(self) -> xr.DataArray:
        """Two trials of a random walk: what spikes can follow."""
        steps = np.random.default_rng(5).standard_normal((2, 30, SIZES["inputs"]))
        return activity(np.cumsum(steps, axis=1) / 5, dt=self.dt, last="input", name="input")

    @cached_property
    def textbook(self) -> xr.Dataset:
        """The textbook's activity on `inputs`."""
        return run_textbook(self.model, self.parameters, self.inputs, ALPHA)

    @cached_property
    def gradients(self) -> GradientErrors:
        """Gradients through both writings against each other, and one against centred differences."""
        target = self.noise("output", STEPS, seed=4)
        generator = np.random.default_rng(7)
        return gradient_errors(self.model, self.parameters, self.inputs, target, alpha=ALPHA, generator=generator)

    def noise(self, last: str, steps: int, seed: int = 3) -> xr.DataArray:
        """Return two trials of white noise."""
        drawn = np.random.default_rng(seed).standard_normal((2, steps, SIZES[f"{last}s"]))
        return activity(drawn, dt=self.dt, last=last, name=last)
