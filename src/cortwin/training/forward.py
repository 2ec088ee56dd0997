"""The textbook writing over time and trials: pure JAX functions that `jax.grad` may pass through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.inputs import check_inputs
from cortwin.intervention import Intervention, after_step, state_of
from cortwin.links import LINKS
from cortwin.model import Model, Textbook
from cortwin.training.checks import check_alpha, check_parameters
from cortwin.training.through_time import through_time


def textbook_activity(
    model: Model,
    parameters: Any,
    inputs: Any,
    alpha: float,
    truncation: int | None = None,
    hand: tuple[Any, Any] | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Return the current and the state of every unit in the leaky textbook form.

    ``x_k = step(p, x_{k-1}, u_k, alpha)`` from ``x_{-1} = start(p)``, ``h_k = activation(x_k)``: sample k is the state
    after input k.

    Parameters
    ----------
    model : its textbook writing runs
    parameters : the textbook's arrays, among them the state before the first input
    inputs : (trial, time, input) array
    alpha : dt / tau, between 0 and 1
    truncation : steps after which gradients are cut off: time is divided into segments of as many steps, the state is
        carried from each into the next, and its gradient is not carried back; None for backpropagation to the start
    hand : what is kept of x after each step and what is added to it, (trial, time, unit) arrays; see
        `cortwin.intervention`

    Returns
    -------
    x, h : (trial, time, unit) arrays; of a state of several arrays, what the page compares and what its readout sees
    """
    textbook = model.recurrence()
    states = _states(model, parameters, inputs, alpha, truncation, hand)
    return _current_and_rate(textbook, parameters, states)


def trained_activity(
    model: Model, parameters: Any, inputs: Any, alpha: float, truncation: int | None = None
) -> tuple[jax.Array, jax.Array]:
    """Return what `textbook_activity` does, to rounding: fast in reverse mode, without forward mode.

    Parameters
    ----------
    model, parameters, inputs, alpha, truncation : as of `textbook_activity`

    Returns
    -------
    x, h : (trial, time, unit) arrays
    """
    textbook = model.recurrence()
    inputs = jnp.asarray(inputs)
    states = through_time(
        lambda p, x, u: textbook.step(p, x, u, alpha),
        parameters,
        _first(textbook, parameters),
        inputs,
        _borders(truncation, inputs.shape[1]),
    )
    if states is None:
        states = _states(model, parameters, inputs, alpha, truncation)
    return _current_and_rate(textbook, parameters, states)


def _first(textbook: Textbook, parameters: Any) -> Any:
    """Return the state before the first input, as precise as the parameters: a page may write zeros, in float64."""
    precision = jnp.result_type(*jax.tree.leaves(parameters))
    return jax.tree.map(lambda array: jnp.asarray(array, precision), textbook.start(parameters))


def _current_and_rate(textbook: Textbook, parameters: Any, states: Any) -> tuple[jax.Array, jax.Array]:
    return _everywhere(partial(textbook.current, parameters), states), _everywhere(
        lambda x: textbook.rate(textbook.activation(x)), states
    )


def recurrence_activity(model: Model, parameters: Any, inputs: Any, first: Any) -> jax.Array:
    """Return the states of the recurrence as the documents print it, rung R0 of the ladder.

    ``h_k = recurrence(p, h_{k-1}, u_k)`` from ``h_{-1} = first``. It equals h of `textbook_activity` at alpha = 1 when
    ``first = activation(start(p))``.

    Parameters
    ----------
    model : its textbook writing runs
    parameters : the textbook's arrays
    inputs : (trial, time, input) array
    first : the state before the first input, a (units,) array or what the page's cell has in its place

    Returns
    -------
    h : (trial, time, unit) array
    """
    textbook = model.recurrence()
    states = _over_time(lambda h, u: textbook.recurrence(parameters, h, u), first, inputs)
    return _everywhere(textbook.rate, states)


def _states(
    model: Model,
    parameters: Any,
    inputs: Any,
    alpha: float,
    truncation: int | None = None,
    hand: tuple[Any, Any] | None = None,
) -> Any:
    """Return the leaky form's states, arrays of (trial, time, ...)."""
    textbook = model.recurrence()
    first = _first(textbook, parameters)
    if hand is None:
        return _over_time(lambda x, u: textbook.step(parameters, x, u, alpha), first, inputs, truncation)

    place = state_of(model)

    def step(x: Any, now: tuple[jax.Array, jax.Array, jax.Array]) -> Any:
        u, keep, add = now
        return after_step(textbook.step(parameters, x, u, alpha), place, keep, add)

    return _over_time(step, first, (inputs, *hand), truncation)


def _over_time(step: Callable[[Any, Any], Any], first: Any, inputs: Any, truncation: int | None = None) -> Any:
    # Mapped over trials, the product of weights and state is one of two matrices.
    def trial(samples: jax.Array) -> Any:
        def advance(state: Any, now: tuple[jax.Array, jax.Array | None]) -> tuple[Any, Any]:
            u, border = now
            if border is not None:
                state = jax.tree.map(lambda array: jnp.where(border, jax.lax.stop_gradient(array), array), state)
            state = step(state, u)
            return state, state

        return jax.lax.scan(advance, jax.tree.map(jnp.asarray, first), (samples, borders))[1]

    borders = _borders(truncation, np.shape(jax.tree.leaves(inputs)[0])[1])
    return jax.vmap(trial)(jax.tree.map(jnp.asarray, inputs))


def _borders(truncation: int | None, n_steps: int) -> jax.Array | None:
    """Return over which steps no gradient is carried back."""
    steps = jnp.arange(n_steps)
    return None if truncation is None else (steps > 0) & (steps % truncation == 0)


def _everywhere(function: Callable[..., Any], *states: Any) -> Any:
    """Apply a function of one state to those of all trials and times."""
    return jax.vmap(jax.vmap(function))(*states)


def outputs(model: Model, parameters: Any, h: Any) -> jax.Array:
    """Return the network's own output of every state, its link applied.

    Parameters
    ----------
    h : (trial, time, unit) array

    Returns
    -------
    y : (trial, time, output) array
    """
    return LINKS[model.recurrence().link](logits(model, parameters, h))


def logits(model: Model, parameters: Any, h: Any) -> jax.Array:
    """Return the linear readout of every state, what stands before the link.

    Parameters
    ----------
    h : (trial, time, unit) array

    Returns
    -------
    a : (trial, time, output) array
    """
    at_one_time = jax.vmap(model.recurrence().output, in_axes=(None, 0))
    return jax.vmap(at_one_time, in_axes=(None, 0))(parameters, jnp.asarray(h))


def run_textbook(
    model: Model, parameters: Any, inputs: xr.DataArray, alpha: float, intervention: Intervention | None = None
) -> xr.Dataset:
    """Run the textbook writing on some trials, in float64, with labelled results.

    Parameters
    ----------
    model, parameters, alpha : as of `textbook_activity`
    inputs : (trial, time, input) DataArray
    intervention : what is done to the state of the units, sample by sample; None for nothing

    Returns
    -------
    Dataset of ``x`` and ``r``, (trial, time, unit); r is the textbook's h = f(x), by the name that it has in the other
    writings. Sample k is the state after input k and carries its time, as in `cortwin.simulation`.

    Raises
    ------
    CortwinError
        If the parameters do not fit the inputs, or the activity is not finite.
    """
    check_inputs(inputs)
    samples = np.asarray(inputs.to_numpy(), dtype=np.float64)
    check_parameters(model, parameters, inputs=samples.shape[-1])
    check_alpha(alpha)
    hand = None if intervention is None else (intervention.keep, intervention.add(alpha))
    x, h = jax.jit(lambda p, u, hand: textbook_activity(model, p, u, alpha, hand=hand))(parameters, samples, hand)
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
            np.asarray(values),
            dt=dt,
            t_start=float(inputs["time"][0]),
            last=model.dimension(name),
            coordinates=coordinates,
            name=name,
        )
        found[name].attrs["kind"] = "rate"
    return xr.Dataset(found, attrs={"writing": "textbook", "model": model.name, "dt": dt})


@dataclass(frozen=True)
class Signals:
    """What a network's ensembles of LIF neurons have to represent.

    Attributes
    ----------
    values : (trial, time, size) ndarrays by name, sample k in the state after input k
    start : (size,) ndarrays by name, before the first input; where that matters, the mean over the trials' first inputs
    """

    values: dict[str, NDArray[np.float64]]
    start: dict[str, NDArray[np.float64]]


def textbook_signals(model: Model, parameters: Any, inputs: xr.DataArray, alpha: float) -> Signals:
    """Run the textbook writing and return what the ensembles hear on the way: see `cortwin.model.Textbook.signals`.

    Parameters
    ----------
    model, parameters, inputs, alpha : as of `run_textbook`

    Raises
    ------
    CortwinError
        If the inputs are not finite, or the parameters do not fit them.
    """
    check_inputs(inputs)
    check_parameters(model, parameters, inputs=inputs.shape[-1])
    textbook = model.recurrence()

    def heard(p: Any, u: jax.Array) -> tuple[Any, Any]:
        values = _everywhere(partial(textbook.heard, p), _states(model, p, u, alpha), u)
        first = jax.vmap(lambda sample: textbook.heard(p, textbook.start(p), sample))(u[:, 0])
        return values, jax.tree.map(lambda trials: trials.mean(axis=0), first)

    values, start = jax.jit(heard)(parameters, np.asarray(inputs.to_numpy(), dtype=np.float64))
    return Signals(*({name: np.asarray(array) for name, array in found.items()} for found in (values, start)))
