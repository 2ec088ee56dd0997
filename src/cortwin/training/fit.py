"""Backpropagation through time: mini-batch gradient descent on a network's own output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from cortwin.model import Model
from cortwin.training.batches import held_out, mini_batches
from cortwin.training.checkpoint import read_checkpoint, write_checkpoint
from cortwin.training.checks import (
    check_alpha,
    check_names,
    check_parameters,
    checked_samples,
    trained_names,
)
from cortwin.training.compiler import compiler_options
from cortwin.training.descent import Descent, descend, error
from cortwin.training.dropout import dropout_seeds
from cortwin.training.itself import Itself
from cortwin.training.optimizers import make_optimizer
from cortwin.training.options import Options
from cortwin.training.routes import Forward, forward_through, through_textbook
from cortwin.training.run import Run
from cortwin.training.targets import check_loss, check_target


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained network.

    Attributes
    ----------
    parameters : NamedTuple of float64 ndarrays, the model's trained arrays: those of the smallest validation error, or
        of the last update where nothing was held out
    history : ndarrays by name. Before each update: ``update`` (its number, from 0), ``loss`` (with penalties, on its
        mini-batch), ``error`` (without) and ``gradient_norm`` (before clipping). At each validation:
        ``validation_update`` (updates done) and ``validation_loss`` (the error of the trials held out)
    best_update : number of updates that made `parameters`
    stopped : why training ended, in words
    diverged : whether it ended because a loss or gradient was not finite
    """

    parameters: Any
    history: dict[str, NDArray]
    best_update: int
    stopped: str
    diverged: bool


def fit(
    model: Model,
    parameters: Any,
    inputs: xr.DataArray,
    target: xr.DataArray,
    *,
    alpha: float,
    options: Options,
    generator: np.random.Generator,
    mask: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    advance: Callable[[int, float], None] | None = None,
    checkpoint: Path | str | None = None,
) -> Fit:
    """Train a network so that its own output follows a target.

    The loss is one of `LOSSES` plus the `penalty`; see `Options`. Sample k of the target is what the output should
    be after input k. Same arguments, same machine and same number of its devices (`cortwin.training.devices`): the same
    weights to the last bit, also when interrupted and resumed.

    Parameters
    ----------
    model : the network
    parameters : its initial arrays, from ``model.initial``
    inputs : (trial, time, input) DataArray
    target : (trial, time, output) DataArray; probabilities where the loss is a cross-entropy
    alpha : dt / tau of the textbook's leaky form
    options : how to train
    generator : draws the trials held out, the mini-batches and the dropout, each from a child of its own
    mask : (trial, time) weights of the error; None for 1 everywhere
    lengths : (trial,) number of samples of each trial, where they are of unequal length; what follows is padding, which
        may hold anything
    advance : called after every `Options.interval` updates with their number and the latest loss
    checkpoint : file that keeps the state of the training; where it exists already, training goes on from there

    Raises
    ------
    CortwinError
        For data, parameters, options or a checkpoint that do not fit, or when the very first loss is not finite.
    """
    check_alpha(alpha)
    check_names(model, "fixed", options.fixed)
    check_names(model, "penalties.weights", (options.penalties.weights or ()) if options.penalties.weight else ())
    check_loss(model, options.loss)
    samples = checked_samples(inputs, target, mask, options.dtype, lengths)
    check_target(samples.target, samples.mask, options.loss)
    check_parameters(model, parameters, inputs=samples.inputs.shape[2], outputs=samples.target.shape[2])
    of_batches, of_validation = generator.spawn(2)
    training, validation = held_out(of_validation, len(samples.inputs), options)
    batches = mini_batches(of_batches, training, options.batch_size, options.updates)
    seeds = dropout_seeds(generator.spawn(1)[0], options.updates) if options.dropout else None

    forward = forward_through(options.through, model, parameters, inputs, alpha, options.truncation)
    optimizer = _optimizer(options)
    start = model.trained(*(jnp.asarray(getattr(parameters, name), options.dtype) for name in trained_names(model)))
    run = Run(Descent(start, start, optimizer.init(start), jnp.asarray(False)), start)
    fingerprint = _fingerprint(model, alpha, options, start, samples, batches, validation, seeds)
    file = None if checkpoint is None else Path(checkpoint)
    saved = None if file is None else read_checkpoint(file, fingerprint)

    samples = jax.device_put(samples)
    several_updates, judge = _compiled(model, float(alpha), options, forward)
    validated = bool(validation.size)
    # Where nothing is held out, the last mini-batch tells whether the last update did harm.
    judged = samples.of(validation if validated else batches[-1])
    if saved is not None:
        run = run.restored(saved)
        if advance is not None:
            advance(run.done, run.latest_loss)
    elif validated:
        run.judge(float(judge(start, judged)), options, held_out=True)
    while not run.stopped:
        before = run.done
        now = slice(before, before + options.interval)
        run.now, records = several_updates(run.now, samples, batches[now], None if seeds is None else seeds[now])
        run.note({name: np.asarray(values) for name, values in records.items()})
        if not run.stopped and (validated or run.done == options.updates):
            run.judge(float(judge(run.now.parameters, judged)), options, held_out=validated)
        if file is not None:
            write_checkpoint(file, fingerprint, run.saved())
        if advance is not None:
            advance(run.done - before, run.latest_loss)
    chosen, update = run.outcome(held_out=validated)
    trained = model.trained(*(np.asarray(array, np.float64) for array in chosen))
    return Fit(trained, run.history, update, run.stopped, run.diverged)


def _optimizer(options: Options) -> optax.GradientTransformation:
    return make_optimizer(
        options.optimizer, options.learning_rate, schedule=options.schedule, updates=options.updates, clip=options.clip
    )


def _compiled(model: Model, alpha: float, options: Options, forward: Forward) -> tuple[Callable, Callable]:
    """Return `descend` and `error`, compiled; through the textbook, what was compiled before is used again."""
    if options.through == "textbook":
        return _of_textbook(Itself(model), alpha, options)
    return _jitted(model, alpha, options, forward)


@lru_cache(maxsize=32)
def _of_textbook(model: Itself, alpha: float, options: Options) -> tuple[Callable, Callable]:
    return _jitted(model.thing, alpha, options, through_textbook(model.thing, alpha, options.truncation))


def _jitted(model: Model, alpha: float, options: Options, forward: Forward) -> tuple[Callable, Callable]:
    compiled = partial(jax.jit, compiler_options=compiler_options())
    updates = compiled(partial(descend, model, forward, _optimizer(options), alpha, options))
    return updates, compiled(partial(error, model, forward, name=options.loss))


def _fingerprint(model: Model, alpha: float, options: Options, *data: Any) -> str:
    """Return a hash of all that the weights depend on."""
    settings = (model.name, model.recurrence().link, model.rate, sorted(model.constants.items()), float(alpha), options)
    digest = hashlib.sha256(repr(settings).encode())
    for array in map(np.asarray, jax.tree.leaves(data)):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
