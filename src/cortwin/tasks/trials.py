"""Trials: what a task shows to a network and what it wants from it, one row a trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.integrate import cumulative_trapezoid

from cortwin.activity import activity
from cortwin.errors import CortwinError

INPUTS = ["cos", "sin", "hold", "go"]
OUTPUTS = ["vx", "vy"]

Seeds = np.random.SeedSequence | Sequence[int] | Sequence[np.random.SeedSequence]


@dataclass(frozen=True, eq=False)
class Trials:
    """Inputs and targets of some trials, all of one length.

    Sample k holds at time ``t_start + k dt``. Every array of a reach carries, on ``trial``, the coordinates
    ``condition`` (the number of the direction), ``direction`` (radians), ``go_time`` and ``movement_onset`` (seconds).

    Attributes
    ----------
    inputs : (trial, time, input) DataArray
        Noise included. The inputs are called ``cos``, ``sin`` (of the target's direction), ``hold`` and ``go``.
    target : (trial, time, output) DataArray
        Hand velocity without noise; the outputs are called ``vx`` and ``vy``.
    noisy_target : (trial, time, output) DataArray
        Hand velocity with the task's output noise: what a network is trained on. Equals `target` if there is none.
    """

    inputs: xr.DataArray
    target: xr.DataArray
    noisy_target: xr.DataArray

    def __len__(self) -> int:
        """Return the number of trials."""
        return self.inputs.sizes["trial"]

    @property
    def condition(self) -> np.ndarray:
        """(trial,) ndarray of int: number of the direction."""
        return self.inputs["condition"].to_numpy()

    @property
    def direction(self) -> np.ndarray:
        """(trial,) ndarray: direction of the target in radians."""
        return self.inputs["direction"].to_numpy()

    @property
    def go_time(self) -> np.ndarray:
        """(trial,) ndarray: time of the go signal in seconds."""
        return self.inputs["go_time"].to_numpy()

    @property
    def movement_onset(self) -> np.ndarray:
        """(trial,) ndarray: time in seconds at which the hand starts to move."""
        return self.inputs["movement_onset"].to_numpy()

    @property
    def position(self) -> xr.DataArray:
        """(trial, time, output) DataArray: the integral of `target` (trapezoidal rule)."""
        path = cumulative_trapezoid(self.target.to_numpy(), dx=self.target.attrs["dt"], axis=1, initial=0)
        return self.target.copy(data=path).rename("position").assign_coords(output=["x", "y"])


def valid_conditions(directions: Sequence[int] | np.ndarray, n_directions: int) -> np.ndarray:
    """Return the numbers of directions as an array of int64.

    Raises
    ------
    CortwinError
        If there is none, or one that the task does not have.
    """
    condition = np.asarray(directions)
    if condition.ndim != 1 or condition.size == 0 or condition.dtype.kind not in "iu":
        raise CortwinError(
            f"directions must be a list of at least one whole number, got {condition.dtype} of shape {condition.shape}"
        )
    if condition.min() < 0 or condition.max() >= n_directions:
        wrong = condition[(condition < 0) | (condition >= n_directions)][0]
        raise CortwinError(f"directions must lie in 0..{n_directions - 1}, got {wrong}")
    return condition.astype(np.int64)


def trial_generators(seeds: Seeds, n_trials: int) -> list[np.random.Generator]:
    """Return one generator per trial, each from its own seed.

    Parameters
    ----------
    seeds : SeedSequence, or one seed per trial
        Trial k of a SeedSequence gets its child k; the sequence itself is left as it was, so the same call returns the
        same trials again.
    n_trials : number of trials

    Raises
    ------
    CortwinError
        If the number of seeds is not the number of trials.
    """
    if isinstance(seeds, np.random.SeedSequence):
        # Written out because `spawn` counts the children that it has given away.
        seeds = [
            np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, k), pool_size=seeds.pool_size)
            for k in range(n_trials)
        ]
    if len(seeds) != n_trials:
        raise CortwinError(f"seeds must be one per trial, {n_trials}, got {len(seeds)}")
    return [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]


def noisy_trials(
    inputs: np.ndarray,
    target: np.ndarray,
    generators: list[np.random.Generator],
    *,
    input_noise: float,
    output_noise: float,
    dt: float,
    coordinates: Mapping[str, object],
    t_start: float = 0.0,
) -> Trials:
    """Add to each trial the noise that its own generator draws, and label the arrays.

    Parameters
    ----------
    inputs : (n_trials, n_times, n_inputs) ndarray
    target : (n_trials, n_times, n_outputs) ndarray
    generators : one per trial
    input_noise, output_noise : standard deviations per sample
    dt, t_start : grid in s
    coordinates : coordinates on ``trial``
    """
    # Both noises are always drawn: switching one on or off leaves the other as it was.
    noise = [(g.standard_normal(inputs.shape[1:]), g.standard_normal(target.shape[1:])) for g in generators]
    noisy_inputs = inputs + input_noise * np.stack([of_input for of_input, _ in noise])
    noisy_target = target + output_noise * np.stack([of_output for _, of_output in noise])

    def label(values: np.ndarray, last: str, names: list[str], name: str) -> xr.DataArray:
        return activity(values, dt=dt, t_start=t_start, last=last, coordinates={**coordinates, last: names}, name=name)

    return Trials(
        inputs=label(noisy_inputs, "input", INPUTS, "inputs"),
        target=label(target, "output", OUTPUTS, "target"),
        noisy_target=label(noisy_target, "output", OUTPUTS, "noisy_target"),
    )
