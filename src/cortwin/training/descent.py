"""Updates of the parameters, many in one compiled call."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from cortwin.model import Model
from cortwin.training.dropout import dropped_out
from cortwin.training.forward import logits, outputs
from cortwin.training.loss import LOSSES, penalty
from cortwin.training.options import Options
from cortwin.training.routes import Forward
from cortwin.training.samples import Samples


class Descent(NamedTuple):
    """What an update changes.

    ``good`` are the latest parameters whose loss and gradient were finite; after ``failed`` no further update is made.
    """

    parameters: Any
    good: Any
    optimizer: Any
    failed: Any


def error(
    model: Model, forward: Forward, parameters: Any, samples: Samples, name: str = "mean_squared_error"
) -> jax.Array:
    """Return the error of the output by the loss of that name, without penalties and dropout."""
    _, h = forward(parameters, samples.inputs)
    return _of_output(model, name, parameters, h, samples)


def loss(
    model: Model,
    forward: Forward,
    alpha: float,
    options: Options,
    parameters: Any,
    samples: Samples,
    seed: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Return the loss, whose gradient training follows, and the error that is part of it.

    Parameters
    ----------
    seed : of the dropout; None for none
    """
    _, h = forward(parameters, samples.inputs)
    heard = h if seed is None else dropped_out(h, options.dropout, seed)
    of_output = _of_output(model, options.loss, parameters, heard, samples)
    return of_output + penalty(options.penalties, parameters, h, alpha, samples.lengths), of_output


def _of_output(model: Model, name: str, parameters: Any, h: jax.Array, samples: Samples) -> jax.Array:
    chosen = LOSSES[name]
    found = (outputs if chosen.link is None else logits)(model, parameters, h)
    return chosen.function(found, samples.target, samples.mask)


def descend(
    model: Model,
    forward: Forward,
    optimizer: optax.GradientTransformation,
    alpha: float,
    options: Options,
    start: Descent,
    samples: Samples,
    batches: jax.Array,
    seeds: jax.Array | None = None,
) -> tuple[Descent, dict[str, jax.Array]]:
    """Make one update per mini-batch, up to the first loss or gradient that is not finite.

    Parameters
    ----------
    batches : (update, trial) numbers of trials
    seeds : (update,) seeds of the dropout; None for none

    Returns
    -------
    end : after the last update
    records : (update,) arrays ``loss``, ``error``, ``gradient_norm``, of the parameters before each update
    """

    def update(now: Descent, drawn: tuple[jax.Array, jax.Array | None]) -> tuple[Descent, dict[str, jax.Array]]:
        trials, seed = drawn

        def of(parameters: Any) -> tuple[jax.Array, jax.Array]:
            return loss(model, forward, alpha, options, parameters, samples.of(trials), seed)

        (value, of_output), gradient = jax.value_and_grad(of, has_aux=True)(now.parameters)
        gradient = gradient._replace(**{name: jnp.zeros_like(getattr(gradient, name)) for name in options.fixed})
        norm = jnp.sqrt(sum((array**2).sum() for array in gradient))
        change, state = optimizer.update(gradient, now.optimizer, now.parameters)
        changed = optax.apply_updates(now.parameters, change)

        failed = now.failed | ~(jnp.isfinite(value) & jnp.isfinite(norm))
        end = Descent(
            parameters=_select(failed, now.parameters, changed),
            good=_select(failed, now.good, now.parameters),
            optimizer=_select(failed, now.optimizer, state),
            failed=failed,
        )
        return end, {"loss": value, "error": of_output, "gradient_norm": norm}

    return jax.lax.scan(update, start, (batches, seeds))


def _select(condition: jax.Array, if_true: Any, if_false: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), if_true, if_false)
