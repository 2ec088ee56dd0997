"""Imported: a network from elsewhere as a page's model and parameters, and the plain file that keeps it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np
from brian2 import second
from numpy.typing import ArrayLike, NDArray

from cortwin.catalogue import page_module
from cortwin.errors import CortwinError
from cortwin.exchange.arrays import numbers
from cortwin.model import Model
from cortwin.training import check_alpha, outputs, textbook_activity


@dataclass(frozen=True, eq=False)
class Imported:
    """A network as one of the pages holds it.

    Attributes
    ----------
    page : name of the page, for instance ``"gru"``
    variant : arguments of the page's ``model()``, for instance ``{"reset": "after"}``
    model : the page's model, with the link of the output
    parameters : NamedTuple of the page's arrays
    alpha : dt / tau of the textbook step that gives the source's outputs; 1 for a network that was trained as a map
    source : what it was made from, in words
    """

    page: str
    variant: Mapping[str, str]
    model: Model
    parameters: Any
    alpha: float
    source: str

    def outputs(self, inputs: ArrayLike) -> NDArray[np.float64]:
        """Return the network's outputs, by the textbook writing in float64.

        Parameters
        ----------
        inputs : (trial, time, input) array_like

        Returns
        -------
        (trial, time, output) ndarray : sample k follows input k

        Raises
        ------
        CortwinError
            If the inputs have another shape, or a number that is not finite.
        """
        u = numbers("inputs", inputs, self.source)
        size = self.sizes["inputs"]
        if u.ndim != 3 or u.shape[2] != size:
            raise CortwinError(f"{self.source}: inputs have the shape {u.shape}, expected (trial, time, {size})")
        return np.asarray(self._compiled(self.parameters, u))

    @cached_property
    def _compiled(self) -> Callable[[Any, Any], jax.Array]:
        def run(parameters: Any, u: Any) -> jax.Array:
            return outputs(self.model, parameters, textbook_activity(self.model, parameters, u, self.alpha)[1])

        return jax.jit(run)

    @property
    def sizes(self) -> dict[str, int]:
        """Numbers of ``inputs``, ``units``, ``outputs`` and ``slots``."""
        return self.model.sizes(self.parameters._asdict())

    def save(self, file: Path | str) -> None:
        """Write the network into an ``.npz`` file that `cortwin.from_npz` and ``cortwin twin`` read.

        Of the model's constants tau alone is kept.
        """
        link = self.model.recurrence().link
        settings: dict[str, Any] = {"cell": self.page, **self.variant, "output": link, "source": self.source}
        if "tau" in self.model.constants:
            settings["tau"] = float(self.model.constants["tau"])
        with Path(file).open("wb") as stream:
            np.savez(stream, alpha=self.alpha, **settings, **self.parameters._asdict())  # type: ignore[arg-type]


def imported(
    page: str,
    arrays: Mapping[str, Any],
    source: str,
    *,
    variant: Mapping[str, str] | None = None,
    output: str = "linear",
    alpha: float = 1.0,
    tau: float | None = None,
) -> Imported:
    """Put arrays under a page's own names into its model.

    Parameters
    ----------
    page, variant, alpha, source : as of `Imported`
    arrays : by the names of the page's parameters, all of them
    output : ``"linear"``, ``"logistic"`` or ``"softmax"``
    tau : time constant in s; the page's own when None

    Raises
    ------
    CortwinError
        Naming the page, variant, array or setting that does not fit, the rule, and both shapes.
    """
    make = page_module(page).model
    known = list(inspect.signature(make).parameters)
    for name in variant or {}:
        if name not in known:
            raise CortwinError(f"{source}: the page {page} has no '{name}'; it has {', '.join(known) or 'no variants'}")
    try:
        check_alpha(alpha)
        model = make(**(variant or {})).with_output(output)
        if tau is not None:
            model = model.with_constants(tau=tau * second)
    except ValueError as error:
        raise CortwinError(f"{source}: {error}") from error
    names = model.trained._fields  # type: ignore[attr-defined]
    for name in (*names, *arrays):
        if name not in arrays:
            raise CortwinError(f"{source}: there is no array {name}; {page} needs {', '.join(names)}")
        if name not in names:
            raise CortwinError(f"{source}: {name} is no array of {page}, which has {', '.join(names)}")
    parameters = model.trained(*(numbers(name, arrays[name], source) for name in names))
    try:
        model.check_parameters(parameters, model.sizes(parameters._asdict()))
    except CortwinError as error:
        raise CortwinError(f"{source}: {error}") from error
    return Imported(page, dict(variant or {}), model, parameters, alpha, source)
