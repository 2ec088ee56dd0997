"""Centre-out reaches: a cue, a hold, a go signal, and the minimum-jerk velocity that the hand should have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cortwin.errors import CortwinError
from cortwin.tasks._steps import whole_steps
from cortwin.tasks.trials import INPUTS, OUTPUTS, Seeds, Trials, noisy_trials, trial_generators, valid_conditions


def minimum_jerk_speed(time: ArrayLike, *, duration: float, amplitude: float) -> np.ndarray:
    """Return the speed of a straight minimum-jerk movement that starts at time 0.

    ``v(t) = 30 A/T s^2 (1 - s)^2`` with ``s = t/T``: it integrates to A, and its peak is ``1.875 A/T`` at ``t = T/2``.
    Before the start and after the end the speed is 0.

    Parameters
    ----------
    time : array_like of seconds since the movement's start
    duration : T in seconds
    amplitude : A, the length of the movement

    References
    ----------
    Flash & Hogan 1985, doi:10.1523/JNEUROSCI.05-07-01688.1985
    """
    s = np.clip(np.asarray(time, dtype=float) / duration, 0, 1)
    return 30 * amplitude / duration * s**2 * (1 - s) ** 2


def direction_split(n_directions: int) -> tuple[np.ndarray, np.ndarray]:
    """Split directions into those to train on and those never to be trained on: every other one.

    Returns
    -------
    trained, never_trained : (n_directions / 2,) ndarrays of int

    Raises
    ------
    CortwinError
        If the number of directions is odd: two neighbours on the circle would then fall into one half.
    """
    if n_directions < 2 or n_directions % 2:
        raise CortwinError(f"direction_split: n_directions must be even and at least 2, got {n_directions}")
    return np.arange(0, n_directions, 2), np.arange(1, n_directions, 2)


@dataclass(frozen=True)
class ReachTask:
    """Centre-out reaches to targets on a circle.

    A trial is ``baseline | hold with the target shown | go: reaction | movement | rest``. Its four inputs are currents
    of order one: the cosine and sine of the target's direction while it is shown, 1 until the go signal (hold), and 1
    for a moment from the go signal on (go). The target output is the hand's velocity. All durations are multiples of
    dt. Trials have one length, that of the longest hold; a shorter hold is followed by a longer rest.

    Attributes
    ----------
    n_directions : number of targets; number k lies at the angle 2 pi k / n_directions
    dt : time step in s
    baseline : s before the target is shown
    hold : shortest and longest time in s from target to go signal; each trial draws a whole number of steps uniformly
    go_duration : s for which the go signal lasts
    reaction : s from the go signal to the start of the movement
    movement : duration of the movement in s
    rest : s after the movement of the trial with the longest hold
    amplitude : length of the reach, arbitrary units; the peak speed is 1.875 amplitude / movement (default: 0.94)
    input_noise : standard deviation of the Gaussian noise on each sample of each input
    output_noise : standard deviation of the Gaussian noise on each sample of `Trials.noisy_target`
    cue_until : the target is shown until the ``"go"`` signal, or to the ``"end"`` of the trial

    Raises
    ------
    CortwinError
        Naming the attribute, the rule and the number.
    """

    n_directions: int = 16
    dt: float = 0.01
    baseline: float = 0.1
    hold: tuple[float, float] = (0.3, 0.5)
    go_duration: float = 0.1
    reaction: float = 0.1
    movement: float = 0.5
    rest: float = 0.2
    amplitude: float = 0.25
    input_noise: float = 0.0
    output_noise: float = 0.0
    cue_until: Literal["go", "end"] = "go"

    def __post_init__(self) -> None:
        """Refuse what cannot be a task."""
        if self.cue_until not in ("go", "end"):
            raise CortwinError(f"ReachTask.cue_until must be 'go' or 'end', got {self.cue_until!r}")
        if len(self.hold) != 2:
            raise CortwinError(f"ReachTask.hold must be (shortest, longest), got {len(self.hold)} numbers")
        numbers = {field.name: getattr(self, field.name) for field in fields(self)} | {
            "hold[0]": self.hold[0],
            "hold[1]": self.hold[1],
        }
        del numbers["cue_until"], numbers["hold"]
        for name, value in numbers.items():
            positive = name in ("n_directions", "dt", "movement", "amplitude")
            if not math.isfinite(value) or value < 0 or (positive and value == 0):
                rule = "positive" if positive else "0 or more"
                raise CortwinError(f"ReachTask.{name} must be finite and {rule}, got {value:g}")
        if self.n_directions != int(self.n_directions):
            raise CortwinError(f"ReachTask.n_directions must be a whole number, got {self.n_directions:g}")
        if self.hold[0] > self.hold[1]:
            raise CortwinError(
                f"ReachTask.hold must be (shortest, longest), got ({self.hold[0]:g}, {self.hold[1]:g}) s"
            )
        if self.go_duration > self.reaction + self.movement + self.rest:
            raise CortwinError(
                f"ReachTask.go_duration must fit between go and end, {self.reaction + self.movement + self.rest:g} s, "
                f"got {self.go_duration:g} s"
            )
        for name in ("baseline", "hold[0]", "hold[1]", "go_duration", "reaction", "movement", "rest"):
            whole_steps(f"ReachTask.{name}", numbers[name], self.dt)

    @property
    def angles(self) -> np.ndarray:
        """(n_directions,) ndarray: directions of the targets in radians."""
        return 2 * np.pi * np.arange(self.n_directions) / self.n_directions

    @property
    def n_steps(self) -> int:
        """Number of samples in a trial."""
        return sum(self._steps(part) for part in (self.baseline, self.hold[1], self.reaction, self.movement, self.rest))

    @property
    def duration(self) -> float:
        """Length of a trial in seconds, ``n_steps * dt``."""
        return self.n_steps * self.dt

    def trials(self, directions: Sequence[int] | np.ndarray, seeds: Seeds) -> Trials:
        """Make one trial per entry of `directions`.

        What a trial holds depends on its direction and its own seed alone, not on the other trials or their order; a
        change of noise changes neither the hold nor the other noise.

        Parameters
        ----------
        directions : (n_trials,) numbers of directions, 0 .. n_directions - 1
        seeds : SeedSequence, whose child k belongs to trial k, or one seed per trial

        Raises
        ------
        CortwinError
            If there is no trial, a direction that the task does not have, or not one seed per trial.
        """
        condition = valid_conditions(directions, self.n_directions)
        n_trials = condition.size
        generators = trial_generators(seeds, n_trials)
        theta = self.angles[condition]
        toward = np.stack([np.cos(theta), np.sin(theta)], axis=1)

        cue = self._steps(self.baseline)
        shortest, longest = (self._steps(hold) for hold in self.hold)
        go = cue + np.array([g.integers(shortest, longest, endpoint=True) for g in generators])
        onset = go + self._steps(self.reaction)

        time = self.dt * np.arange(self.n_steps)
        inputs = np.zeros((n_trials, self.n_steps, len(INPUTS)))
        target = np.zeros((n_trials, self.n_steps, len(OUTPUTS)))
        for k in range(n_trials):
            inputs[k, cue : go[k] if self.cue_until == "go" else None, :2] = toward[k]
            inputs[k, : go[k], 2] = 1
            inputs[k, go[k] : go[k] + self._steps(self.go_duration), 3] = 1
            since_onset = time - self.dt * onset[k]
            speed = minimum_jerk_speed(since_onset, duration=self.movement, amplitude=self.amplitude)
            target[k] = speed[:, None] * toward[k]
        return noisy_trials(
            inputs,
            target,
            generators,
            input_noise=self.input_noise,
            output_noise=self.output_noise,
            dt=self.dt,
            coordinates={
                "condition": ("trial", condition),
                "direction": ("trial", theta, {"units": "rad"}),
                "go_time": ("trial", self.dt * go, {"units": "s"}),
                "movement_onset": ("trial", self.dt * onset, {"units": "s"}),
            },
        )

    def _steps(self, seconds: float) -> int:
        return round(seconds / self.dt)
