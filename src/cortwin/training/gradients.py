"""How well the gradient through the rate text agrees with the textbook's, and that one with finite differences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from cortwin.model import Model
from cortwin.training.checks import check_alpha, check_parameters, checked_samples, trained_names
from cortwin.training.descent import error
from cortwin.training.routes import forward_through

# Truncation (step^2) and rounding (eps / step) of a centred difference balance at this step.
STEP = float(np.finfo(np.float64).eps ** (1 / 3))


@dataclass(frozen=True)
class GradientErrors:
    """Distances between gradients of the error, ``|a - b| / |b|`` in the Euclidean norm.

    Attributes
    ----------
    between_writings : through the rate text against through the textbook, over all arrays
    finite_difference : centred differences of the textbook against its gradient, over the entries that were drawn
    without_gradient : names of the matrices whose gradient is 0 everywhere, as of a step that is flat
    """

    between_writings: float
    finite_difference: float
    without_gradient: tuple[str, ...] = ()


def gradient_errors(
    model: Model,
    parameters: Any,
    inputs: xr.DataArray,
    target: xr.DataArray,
    *,
    alpha: float,
    generator: np.random.Generator,
    entries: int = 5,
) -> GradientErrors:
    """Compare the gradients of the mean squared error of the network's own output.

    Parameters
    ----------
    model, parameters : the network
    inputs : (trial, time, input) DataArray
    target : (trial, time, output) DataArray
    alpha : dt / tau
    generator : draws the entries of each array that are moved for finite differences
    entries : how many of each array, at most

    Raises
    ------
    CortwinError
        For data or parameters that do not fit.
    """
    check_alpha(alpha)
    samples = checked_samples(inputs, target, None, "float64")
    check_parameters(model, parameters, inputs=samples.inputs.shape[2], outputs=samples.target.shape[2])
    names = trained_names(model)
    start = model.trained(*(jnp.asarray(getattr(parameters, name), np.float64) for name in names))

    gradients = {}
    for route in ("textbook", "rate"):
        through = partial(error, model, forward_through(route, model, parameters, inputs, alpha))
        gradients[route] = jax.jit(jax.grad(through))(start, samples)
    textbook = jax.jit(partial(error, model, forward_through("textbook", model, parameters, inputs, alpha)))

    def moved(name: str, position: int, step: float) -> Any:
        array = np.array(getattr(start, name))
        array.ravel()[position] += step
        return start._replace(**{name: array})

    found, expected = [], []
    for name in names:
        flat = np.asarray(getattr(start, name)).ravel()
        for position in generator.permutation(flat.size)[:entries]:
            step = STEP * max(1.0, abs(float(flat[position])))
            both = [float(textbook(moved(name, position, sign * step), samples)) for sign in (1, -1)]
            found.append((both[0] - both[1]) / (2 * step))
            expected.append(float(np.asarray(getattr(gradients["textbook"], name)).ravel()[position]))
    all_of = {route: np.concatenate([np.ravel(array) for array in arrays]) for route, arrays in gradients.items()}
    return GradientErrors(
        _distance(all_of["rate"], all_of["textbook"]),
        _distance(np.array(found), np.array(expected)),
        tuple(
            name
            for name in names
            if getattr(start, name).ndim == 2 and not np.any(getattr(gradients["textbook"], name))
        ),
    )


def _distance(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
