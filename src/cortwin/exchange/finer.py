"""Finer steps: the task of a network that was trained as a map, solved by its rate text in continuous time.

One step of a network trained at alpha lasts alpha tau; a map, alpha = 1, steps once per tau. At a finer alpha the same
task takes alpha_source / alpha steps for each of them: the input is held over these steps, and the output is asked for
at the last of them, where the step of the source ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import NDArray

from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.exchange.imported import Imported
from cortwin.exchange.presented import Presented
from cortwin.model import Model
from cortwin.training import LOSSES, Fit, Options, fit, logits, outputs

# The loss of a target that is given, by the link of the output.
LOSS_OF_LINK = {
    "linear": "mean_squared_error",
    "logistic": "binary_cross_entropy",
    "softmax": "categorical_cross_entropy",
}


@dataclass(frozen=True, eq=False)
class Lessons:
    """Trials with a target, on the grid of some alpha.

    Attributes
    ----------
    inputs : (trial, time, input) DataArray
    target : (trial, time, output) DataArray
    mask : (trial, time) ndarray, 0 between the steps of the source
    steps : of this grid in one step of the source
    """

    inputs: xr.DataArray
    target: xr.DataArray
    mask: NDArray[np.float64]
    steps: int = 1

    def __getitem__(self, trials: slice) -> Lessons:
        """Return some of the trials."""
        return replace(self, inputs=self.inputs[trials], target=self.target[trials], mask=self.mask[trials])


def steps_of(alpha: float, finer: float) -> int:
    """Return how many steps at a finer alpha make one at the source's.

    Raises
    ------
    CortwinError
        If it is no whole number above 1.
    """
    steps = round(alpha / finer)
    if steps < 2 or abs(steps * finer - alpha) > 1e-9 * alpha:
        raise CortwinError(f"alpha = {finer:g} must divide the network's alpha = {alpha:g} into whole steps, 2 or more")
    return steps


def lessons_of(presented: Presented, target: NDArray, dt: float, steps: int = 1) -> Lessons:
    """Label trials, each sample held over some steps.

    Parameters
    ----------
    presented : the trials, with the source's samples
    target : (trial, time, output) array, what the output should be
    dt : seconds of a step of the source
    steps : in one step of the source
    """
    mask = np.zeros((*presented.mask.shape, steps))
    mask[:, :, -1] = presented.mask
    return Lessons(
        activity(np.repeat(presented.inputs, steps, axis=1), dt=dt / steps, last="input", name="input"),
        activity(np.repeat(target, steps, axis=1), dt=dt / steps, last="output", name="target"),
        mask.reshape(len(mask), -1),
        steps,
    )


def task_loss(model: Model, parameters: Any, r: Any, lessons: Lessons, loss: str) -> float:
    """Return the loss of what the network's own output weights read from an activity, where the steps end.

    Parameters
    ----------
    r : (trial, time, unit) array on the grid of the lessons
    loss : one of `cortwin.training.LOSSES`
    """
    function, link = LOSSES[loss]
    read = logits if link is not None else outputs
    return float(function(read(model, parameters, np.asarray(r)), lessons.target.to_numpy(), lessons.mask))


def constant_loss(lessons: Lessons, loss: str) -> float:
    """Return the loss of the best answer that is always the same, the weighted mean of the target."""
    z, m = lessons.target.to_numpy(), lessons.mask / lessons.mask.sum()
    mean = np.tensordot(m, z, 2)
    if loss == "mean_squared_error":
        return float(np.tensordot(m, ((z - mean) ** 2).mean(axis=2), 2))
    p = np.clip(mean, 1e-300, 1)
    if loss == "categorical_cross_entropy":
        return float(-(mean * np.log(p)).sum())
    return float(-(mean * np.log(p) + (1 - mean) * np.log(np.clip(1 - mean, 1e-300, 1))).mean())


def fine_tune(
    network: Imported,
    presented: Presented,
    target: NDArray,
    alphas: Sequence[float],
    options: Options,
    generator: Generator,
    advance: Callable[[int, float], None] | None = None,
) -> tuple[Imported, list[Fit]]:
    """Train a network on through its rate text, at one alpha after another.

    Parameters
    ----------
    network : the source
    presented, target : its trials, as of `lessons_of`
    alphas : finer and finer, each a whole part of the source's
    options : of each of these trainings; gradients go through the rate text, whatever they say
    generator : draws mini-batches
    advance : called with the number of updates that were done and the latest loss

    Returns
    -------
    the network at the last alpha, and every training

    Raises
    ------
    CortwinError
        For an alpha that does not fit, or when a training did not succeed.
    """
    dt, parameters, fits = network.alpha * float(network.model.constants["tau"]), network.parameters, []
    grids = [steps_of(network.alpha, alpha) for alpha in alphas]
    for steps in grids:
        lessons = lessons_of(presented, target, dt, steps)
        done = fit(
            network.model,
            parameters,
            lessons.inputs,
            lessons.target,
            alpha=network.alpha / steps,
            options=replace(options, through="rate"),
            generator=generator,
            mask=lessons.mask,
            advance=advance,
        )
        if done.diverged:
            raise CortwinError(f"fine-tuning at alpha = {network.alpha / steps:g} did not succeed: {done.stopped}")
        parameters = done.parameters
        fits.append(done)
    return replace(network, parameters=parameters, alpha=network.alpha / grids[-1]), fits
