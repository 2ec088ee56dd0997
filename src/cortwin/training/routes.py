"""The two writings that gradients may pass through, as functions of one form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import xarray as xr

from cortwin.builder import Layout
from cortwin.errors import CortwinError
from cortwin.model import Model
from cortwin.training.forward import trained_activity
from cortwin.training.rate_text import rate_function

ROUTES = ("textbook", "rate")

# (parameters, inputs) -> x, h; shapes (trial, time, input) -> (trial, time, unit)
Forward = Callable[[Any, Any], tuple[jax.Array, jax.Array]]


def through_textbook(model: Model, alpha: float, truncation: int | None = None) -> Forward:
    """Return the textbook writing as a pure function, whatever the sizes."""
    model.recurrence()
    return lambda parameters, samples: trained_activity(model, parameters, samples, alpha, truncation)


def forward_through(
    route: str, model: Model, parameters: Any, inputs: xr.DataArray, alpha: float, truncation: int | None = None
) -> Forward:
    """Return a writing as a pure function ``(parameters, inputs) -> x, h``.

    Parameters
    ----------
    route : ``"textbook"`` or ``"rate"``
    model : the network
    parameters : the textbook's arrays, for their shapes
    inputs : (trial, time, input) DataArray; the rate text takes dt and the number of samples from it
    alpha : dt / tau
    truncation : of `textbook_activity`; the rate text has none

    Raises
    ------
    CortwinError
        If the rate text's own dt / tau is not alpha, or the model lacks the writing.
    """
    if route == "textbook":
        return through_textbook(model, alpha, truncation)
    if "dt" not in getattr(inputs, "attrs", {}):
        raise CortwinError("inputs have no attribute dt, which the rate text needs: make them with cortwin.activity")
    dt = float(inputs.attrs["dt"])
    if "tau" in model.constants and not math.isclose(dt, alpha * float(model.constants["tau"]), rel_tol=1e-9):
        tau = float(model.constants["tau"])
        raise CortwinError(
            f"alpha is {alpha}, but the rate text has dt / tau = {dt} s / {tau} s = {dt / tau:g}: they must be the same"
        )
    values = {name: getattr(parameters, name) for name in model.trained._fields}  # type: ignore[attr-defined]
    layout = Layout.of_one_trial(model.sizes(values), dt=dt, steps=inputs.sizes["time"])
    return rate_function(model, layout, values)
