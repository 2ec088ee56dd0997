"""A training run between two compiled calls: what it has learned, when it ends, and what a checkpoint keeps of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from cortwin.errors import CortwinError
from cortwin.training.descent import Descent
from cortwin.training.options import Options


@dataclass
class Run:
    """A training run between two compiled calls.

    Attributes
    ----------
    now : where the descent stands
    best, best_update, best_error : parameters of the smallest validation error, when they were found, and the error
    history : as in `Fit`
    stopped : why the run is over; empty while it is not
    diverged : whether it is over because a loss or gradient was not finite
    """

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
        """The loss before the last update."""
        return float(self.history["loss"][-1]) if self.done else math.nan

    def note(self, records: Mapping[str, NDArray]) -> None:
        """Keep the records up to the first that is not finite."""
        fine = np.isfinite(records["loss"]) & np.isfinite(records["gradient_norm"])
        kept = fine.size if fine.all() else int(np.argmin(fine))
        if kept < fine.size:
            value, norm = records["loss"][kept], records["gradient_norm"][kept]
            at = self.done + kept
            self._diverge(f"the loss is {value:g} and the norm of its gradient {norm:g} at update {at}", at)
        self._append("update", self.done + np.arange(kept))
        for name, values in records.items():
            self._append(name, values[:kept])

    def judge(self, value: float, options: Options, *, held_out: bool) -> None:
        """See from the error of the present parameters whether they are the best so far and whether training is over.

        Parameters
        ----------
        value : error of the trials that are held out, or else of any
        """
        done = self.done
        if not math.isfinite(value):
            self._diverge(f"the error is {value:g} after update {done}", done)
            return
        if done == options.updates:
            self.stopped = f"all {done} updates are done"
        if not held_out:
            return
        self._append("validation_update", np.array([done]))
        self._append("validation_loss", np.array([value]))
        if value < self.best_error:
            self.best, self.best_update, self.best_error = self.now.parameters, done, value
        elif options.patience is not None and done - self.best_update >= options.patience:
            self.stopped = f"the validation error has not fallen for {done - self.best_update} updates"

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

    def restored(self, saved: Mapping[str, NDArray]) -> Run:
        """Return the run that a checkpoint holds; this one gives the structure."""
        leaves, structure = jax.tree.flatten((self.now, self.best))
        now, best = structure.unflatten([jnp.asarray(saved[f"leaf.{position}"]) for position in range(len(leaves))])
        history = {name.removeprefix("history."): saved[name] for name in saved if name.startswith("history.")}
        return Run(
            now,
            best,
            int(saved["best_update"]),
            float(saved["best_error"]),
            history,
            str(saved["stopped"]),
            bool(saved["diverged"]),
        )

    def outcome(self, *, held_out: bool) -> tuple[Any, int]:
        """Return the parameters that count and the number of updates that made them."""
        if held_out:
            return self.best, self.best_update
        return (self.now.good, self.done - 1) if self.diverged else (self.now.parameters, self.done)

    def _diverge(self, reason: str, update: int) -> None:
        if update == 0:
            raise CortwinError(f"{reason}, before anything was learned: are the initial weights too large?")
        self.stopped, self.diverged = f"{reason}; try a smaller learning rate or clip", True

    def _append(self, name: str, values: NDArray) -> None:
        self.history[name] = np.concatenate([self.history[name], values]) if name in self.history else values
