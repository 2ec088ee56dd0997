"""The textbook writing over time and trials: pure JAX functions that `jax.grad` may pass through."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.model import Model
from cortwin.training.checks import check_alpha, check_parameters


def textbook_activity(model: Model, parameters: Any, inputs: Any, alpha: float) -> tuple[jax.Array, jax.Array]:
    """Return the current and the state of every unit in the leaky textbook form.

    ``x_k = step(p, x_{k-1}, u_k, alpha)`` from ``x_{-1} = x0``, ``h_k = f(x_k)``: sample k is the state after input k.

    Parameters
    ----------
    model : its textbook writing runs
    parameters : the textbook's arrays, among them ``x0``, the state before the first input
    inputs : (trial, time, input) array
    alpha : dt / tau, between 0 and 1

    Returns
    -------
    x, h : (trial, time, unit) arrays
    """

    # Mapped over trials, the product of weights and state is one of two matrices.
    def trial(samples: jax.Array) -> jax.Array:
        def advance(x: jax.Array, u: jax.Array) -> tuple[jax.Array, jax.Array]:
            x = model.recurrence().step(parameters, x, u, alpha)
            return x, x

        return jax.lax.scan(advance, jnp.asarray(parameters.x0), samples)[1]

    x = jax.vmap(trial)(jnp.asarray(inputs))
    return x, model.recurrence().activation(x)


def recurrence_activity(model: Model, parameters: Any, inputs: Any, first: Any) -> jax.Array:
    """Return the states of the recurrence as the documents print it, rung R0 of the ladder.

    ``h_k = recurrence(p, h_{k-1}, u_k)`` from ``h_{-1} = first``. It equals h of `textbook_activity` at alpha = 1 when
    ``first = f(x0)``.

    Parameters
    ----------
    model : its textbook writing runs
    parameters : the textbook's arrays
    inputs : (trial, time, input) array
    first : (units,) array, the state before the first input

    Returns
    -------
    h : (trial, time, unit) array
    """

    def trial(samples: jax.Array) -> jax.Array:
        def advance(h: jax.Array, u: jax.Array) -> tuple[jax.Array, jax.Array]:
            h = model.recurrence().recurrence(parameters, h, u)
            return h, h

        return jax.lax.scan(advance, jnp.asarray(first), samples)[1]

    return jax.vmap(trial)(jnp.asarray(inputs))


def outputs(model: Model, parameters: Any, h: Any) -> jax.Array:
    """Return the network's own output of every state.

    Parameters
    ----------
    h : (trial, time, unit) array

    Returns
    -------
    y : (trial, time, output) array
    """
    at_one_time = jax.vmap(model.recurrence().output, in_axes=(None, 0))
    return jax.vmap(at_one_time, in_axes=(None, 0))(parameters, jnp.asarray(h))


def run_textbook(model: Model, parameters: Any, inputs: xr.DataArray, alpha: float) -> xr.Dataset:
    """Run the textbook writing on some trials, in float64, with labelled results.

    Parameters
    ----------
    model, parameters, alpha : as of `textbook_activity`
    inputs : (trial, time, input) DataArray

    Returns
    -------
    Dataset of ``x`` and ``r``, (trial, time, unit); r is the textbook's h = f(x), by the name that it has in the other
    writings. Sample k is the state after input k and carries its time, as in `cortwin.simulation`.

    Raises
    ------
    CortwinError
        If the parameters do not fit the inputs, or the activity is not finite.
    """
    samples = np.asarray(inputs.to_numpy(), dtype=np.float64)
    check_parameters(model, parameters, inputs=samples.shape[-1])
    check_alpha(alpha)
    x, h = jax.jit(lambda p, u: textbook_activity(model, p, u, alpha))(parameters, samples)
    if not np.isfinite(x).all():
        trial, step, unit = (int(k) for k in np.argwhere(~np.isfinite(x))[0])
        raise CortwinError(
            f"{model.name}, textbook writing: x is not finite, first in trial {trial}, step {step}, unit {unit}; "
            "are the weights too large?"
        )
    dt = float(inputs.attrs["dt"])
    coordinates = {str(name): coordinate for name, coordinate in inputs.coords.items() if coordinate.dims == ("trial",)}
    found: dict[str, xr.DataArray] = {}
    for name, values in {"x": x, "r": h}.items():
        found[name] = activity(
            np.asarray(values), dt=dt, t_start=float(inputs["time"][0]), coordinates=coordinates, name=name
        )
        found[name].attrs["kind"] = "rate"
    return xr.Dataset(found, attrs={"writing": "textbook", "model": model.name, "dt": dt})
