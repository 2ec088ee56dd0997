"""Backpropagation through time: mini-batch gradient descent on a network's own output."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from cortwin.errors import CortwinError
from cortwin.model import Model
from cortwin.training.batches import held_out, mini_batches
from cortwin.training.checkpoint import read_checkpoint, write_checkpoint
from cortwin.training.descent import Descent, Forward, Samples, descend, error
from cortwin.training.forward import check_alpha, check_parameters, textbook_activity
from cortwin.training.optimizers import make_optimizer
from cortwin.training.options import Options


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
    advance: Callable[[int, float], None] | None = None,
    checkpoint: Path | str | None = None,
) -> Fit:
    """Train a network so that its own output follows a target.

    The loss is `mean_squared_error` plus the `penalty`; see `Options`. Sample k of the target is what the output should
    be after input k. Same arguments, same machine: the same weights to the last bit, also when interrupted and resumed.

    Parameters
    ----------
    model : the network
    parameters : its initial arrays, from ``model.initial``
    inputs : (trial, time, input) DataArray
    target : (trial, time, output) DataArray
    alpha : dt / tau of the textbook's leaky form
    options : how to train
    generator : draws the trials held out and the mini-batches, each from a child of its own
    mask : (trial, time) weights of the squared error; None for 1 everywhere
    advance : called after every `Options.interval` updates with their number and the latest loss
    checkpoint : file that keeps the state of the training; where it exists already, training goes on from there

    Raises
    ------
    CortwinError
        For data, parameters, options or a checkpoint that do not fit, or when the very first loss is not finite.
    """
    check_alpha(alpha)
    samples = _samples(inputs, target, mask, options.dtype)
    check_parameters(model, parameters, n_inputs=samples.inputs.shape[2], n_outputs=samples.target.shape[2])
    _check_names(model, options)
    of_batches, of_validation = generator.spawn(2)
    training, validation = held_out(of_validation, len(samples.inputs), options)
    batches = mini_batches(of_batches, training, options.batch_size, options.updates)

    forward = _forward(model, inputs, alpha, options)
    optimizer = make_optimizer(
        options.optimizer, options.learning_rate, schedule=options.schedule, updates=options.updates, clip=options.clip
    )
    start = model.trained(*(jnp.asarray(getattr(parameters, name), options.dtype) for name in _names(model)))
    run = _Run(Descent(start, start, optimizer.init(start), jnp.asarray(False)), start)
    fingerprint = _fingerprint(model, alpha, options, start, samples, batches, validation)
    file = None if checkpoint is None else Path(checkpoint)
    saved = None if file is None else read_checkpoint(file, fingerprint)

    samples = jax.device_put(samples)
    descend_some = jax.jit(partial(descend, model, forward, optimizer, alpha, options))
    evaluate = jax.jit(partial(error, model, forward))
    # Where nothing is held out, the last mini-batch tells whether the last update did harm.
    judged = samples.of(validation if validation.size else batches[-1])
    if saved is not None:
        run = run.restored(saved)
        if advance is not None:
            advance(run.done, run.latest_loss)
    elif validation.size:
        run.judge(float(evaluate(start, judged)), options)
    while not run.stopped:
        before = run.done
        run.now, records = descend_some(run.now, samples, batches[before : before + options.interval])
        run.note({name: np.asarray(values) for name, values in records.items()})
        if not run.stopped and (validation.size or run.done == options.updates):
            run.judge(float(evaluate(run.now.parameters, judged)), options)
        if file is not None:
            write_checkpoint(file, fingerprint, run.saved())
        if advance is not None:
            advance(run.done - before, run.latest_loss)
    return run.result(model, validated=bool(validation.size))


@dataclass
class _Run:
    """A training run between two compiled calls."""

    now: Descent
    best: Any
    best_update: int = 0
    best_error: float = math.inf
    history: dict[str, NDArray] = field(default_factory=dict)
    stopped: str = ""
    diverged: bool = False

    @property
    def done(self) -> int:
        """Number of updates."""
        return len(self.history.get("loss", ()))

    @property
    def latest_loss(self) -> float:
        return float(self.history["loss"][-1]) if self.done else math.nan

    def note(self, records: Mapping[str, NDArray]) -> None:
        """Keep the records up to the first that is not finite."""
        fine = np.isfinite(records["loss"]) & np.isfinite(records["gradient_norm"])
        kept = fine.size if fine.all() else int(np.argmin(fine))
        if kept < fine.size:
            at, value, norm = self.done + kept, records["loss"][kept], records["gradient_norm"][kept]
            reason = f"the loss is {value:g} and the norm of its gradient {norm:g} at update {at}"
            if at == 0:
                raise CortwinError(f"{reason}, before anything was learned: are the initial weights too large?")
            self.stopped, self.diverged = f"{reason}; try a smaller learning rate or clip", True
        self._append("update", self.done + np.arange(kept))
        for name, values in records.items():
            self._append(name, values[:kept])

    def judge(self, value: float, options: Options) -> None:
        """Compare the error of the present parameters with the best so far, and see whether training is over."""
        done = self.done
        if not math.isfinite(value):
            reason = f"the error is {value:g} after update {done}"
            if done == 0:
                raise CortwinError(f"{reason}, before anything was learned: are the initial weights too large?")
            self.stopped, self.diverged = f"{reason}; try a smaller learning rate or clip", True
            return
        self._append("validation_update", np.array([done]))
        self._append("validation_loss", np.array([value]))
        if value < self.best_error:
            self.best, self.best_update, self.best_error = self.now.parameters, done, value
        elif options.patience is not None and done - self.best_update >= options.patience:
            self.stopped = f"the validation error has not fallen for {done - self.best_update} updates"
        if done == options.updates:
            self.stopped = f"all {done} updates are done"

    def saved(self) -> dict[str, NDArray]:
        """Return everything as arrays, for a checkpoint."""
        leaves = jax.tree.leaves((self.now, self.best))
        scalars = {"best_update": self.best_update, "best_error": self.best_error}
        texts = {"stopped": self.stopped, "diverged": self.diverged}
        return {
            **{f"leaf.{position}": np.asarray(leaf) for position, leaf in enumerate(leaves)},
            **{f"history.{name}": values for name, values in self.history.items()},
            **{name: np.asarray(value) for name, value in {**scalars, **texts}.items()},
        }

    def restored(self, saved: Mapping[str, NDArray]) -> _Run:
        """Return the run that a checkpoint holds; this one gives the structure."""
        leaves, structure = jax.tree.flatten((self.now, self.best))
        now, best = structure.unflatten([jnp.asarray(saved[f"leaf.{position}"]) for position in range(len(leaves))])
        history = {name.removeprefix("history."): saved[name] for name in saved if name.startswith("history.")}
        return _Run(
            now,
            best,
            int(saved["best_update"]),
            float(saved["best_error"]),
            history,
            str(saved["stopped"]),
            bool(saved["diverged"]),
        )

    def result(self, model: Model, *, validated: bool) -> Fit:
        """Return the parameters that count."""
        if validated:
            chosen, update = self.best, self.best_update
        elif self.diverged:
            chosen, update = self.now.good, self.done - 1
        else:
            chosen, update = self.now.parameters, self.done
        parameters = model.trained(*(np.asarray(array, np.float64) for array in chosen))
        return Fit(parameters, self.history, update, self.stopped, self.diverged)

    def _append(self, name: str, values: NDArray) -> None:
        self.history[name] = np.concatenate([self.history[name], values]) if name in self.history else values


def _names(model: Model) -> tuple[str, ...]:
    return model.trained._fields  # type: ignore[attr-defined]


def _check_names(model: Model, options: Options) -> None:
    used = {"fixed": options.fixed, "penalties.weights": options.penalties.weights if options.penalties.weight else ()}
    for option, names in used.items():
        for name in names:
            if name not in _names(model):
                raise CortwinError(
                    f"the option {option} names '{name}'; the trained arrays of {model.name} are {', '.join(_names(model))}"
                )


def _samples(inputs: Any, target: Any, mask: Any, dtype: str) -> Samples:
    arrays = {"inputs": np.asarray(inputs), "target": np.asarray(target)}
    for name, array in arrays.items():
        if array.ndim != 3 or 0 in array.shape:
            raise CortwinError(f"{name} have the shape {array.shape}, expected (trial, time, {name}), none of them 0")
    if arrays["inputs"].shape[:2] != arrays["target"].shape[:2]:
        raise CortwinError(
            f"inputs have {arrays['inputs'].shape[:2]} (trials, times), the target {arrays['target'].shape[:2]}: "
            "they must be the same"
        )
    grid = arrays["target"].shape[:2]
    arrays["mask"] = np.ones(grid) if mask is None else np.asarray(mask)
    if arrays["mask"].shape != grid:
        raise CortwinError(f"the mask has the shape {arrays['mask'].shape}, expected {grid} = (trial, time)")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
            raise CortwinError(f"{name}[{', '.join(map(str, where))}] is {array[where]}: training needs finite numbers")
    if (arrays["mask"] < 0).any() or not arrays["mask"].any(axis=1).all():
        raise CortwinError("the mask must be 0 or more everywhere, and above 0 at some time of every trial")
    return Samples(*(array.astype(dtype) for array in arrays.values()))


def _forward(model: Model, inputs: Any, alpha: float, options: Options) -> Forward:
    return partial(_textbook, model, alpha)


def _textbook(model: Model, alpha: float, parameters: Any, inputs: Any) -> tuple[jax.Array, jax.Array]:
    return textbook_activity(model, parameters, inputs, alpha)


def _fingerprint(model: Model, alpha: float, options: Options, *data: Any) -> str:
    """Return a hash of all that the weights depend on."""
    digest = hashlib.sha256(repr((model.name, model.rate, dict(model.constants), float(alpha), options)).encode())
    for array in jax.tree.leaves(data):
        digest.update(repr((np.shape(array), str(np.asarray(array).dtype))).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
