"""Reaches taken from a recording: its own directions, times and hand velocities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.interpolate import PchipInterpolator

from cortwin.activity import GRID_TOLERANCE
from cortwin.errors import CortwinError
from cortwin.tasks.recording import Recording
from cortwin.tasks.trials import INPUTS, Seeds, Trials, noisy_trials, trial_generators, valid_conditions


@dataclass(frozen=True, eq=False)
class RecordedReachTask:
    """The reaches of a recording, with the inputs of `ReachTask`.

    Times are the recording's own: seconds from movement onset, which is 0. The hand velocities are interpolated onto
    the task's dt by monotone cubics, which do not overshoot, starting at the recording's first time and ending within
    it: nothing is ever extrapolated. Inputs change at the first sample at or after the time that is asked for.

    Attributes
    ----------
    recording : where directions, times and hand velocities come from
    dt : time step in s
    baseline : s from the start to the moment at which the target is shown
    reaction : s from the go signal to movement onset
    go_duration : s for which the go signal lasts
    input_noise : standard deviation of the Gaussian noise on each sample of each input
    output_noise : standard deviation of the Gaussian noise on each sample of `Trials.noisy_target`
    cue_until : the target is shown until the ``"go"`` signal, or to the ``"end"`` of the trial

    Raises
    ------
    CortwinError
        Naming the attribute, the rule and the number.
    """

    recording: Recording
    dt: float = 0.01
    baseline: float = 0.1
    reaction: float = 0.1
    go_duration: float = 0.1
    input_noise: float = 0.0
    output_noise: float = 0.0
    cue_until: Literal["go", "end"] = "go"

    def __post_init__(self) -> None:
        """Refuse what cannot be a task."""
        if self.cue_until not in ("go", "end"):
            raise CortwinError(f"RecordedReachTask.cue_until must be 'go' or 'end', got {self.cue_until!r}")
        for name in ("dt", "baseline", "reaction", "go_duration", "input_noise", "output_noise"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0 or (name == "dt" and value == 0):
                rule = "positive" if name == "dt" else "0 or more"
                raise CortwinError(f"RecordedReachTask.{name} must be finite and {rule}, got {value:g}")
        first, last = self._recorded_time[[0, -1]]
        if self.n_steps < 2:
            raise CortwinError(
                f"RecordedReachTask.dt must be at most the recording's length, {last - first:g} s, got {self.dt:g} s"
            )
        if not first + self.baseline < -self.reaction <= last:
            raise CortwinError(
                f"RecordedReachTask: the target must be shown before the go signal, but with baseline = "
                f"{self.baseline:g} s and reaction = {self.reaction:g} s they come at {first + self.baseline:g} and "
                f"{-self.reaction:g} s of a recording from {first:g} to {last:g} s"
            )

    @property
    def n_directions(self) -> int:
        """Number of the recording's directions."""
        return self.recording.n_directions

    @property
    def angles(self) -> np.ndarray:
        """(n_directions,) ndarray: directions of the targets in radians."""
        return self.recording.rate["direction"].to_numpy()

    @property
    def n_steps(self) -> int:
        """Number of samples in a trial."""
        first, last = self._recorded_time[[0, -1]]
        return math.floor((last - first) / self.dt + GRID_TOLERANCE) + 1

    @property
    def duration(self) -> float:
        """Length of a trial in seconds, ``n_steps * dt``."""
        return self.n_steps * self.dt

    def trials(self, directions: Sequence[int] | np.ndarray, seeds: Seeds) -> Trials:
        """Make one trial per entry of `directions`.

        Parameters
        ----------
        directions : (n_trials,) numbers of the recording's conditions
        seeds : SeedSequence, whose child k belongs to trial k, or one seed per trial

        Raises
        ------
        CortwinError
            If there is no trial, a condition that the recording does not have, or not one seed per trial.
        """
        condition = valid_conditions(directions, self.n_directions)
        theta = self.angles[condition]
        time = self._recorded_time[0] + self.dt * np.arange(self.n_steps)
        cue = self._sample_at(time, time[0] + self.baseline)
        go = self._sample_at(time, -self.reaction)

        inputs = np.zeros((condition.size, time.size, len(INPUTS)))
        shown = slice(cue, go if self.cue_until == "go" else None)
        inputs[:, shown, 0] = np.cos(theta)[:, None]
        inputs[:, shown, 1] = np.sin(theta)[:, None]
        inputs[:, :go, 2] = 1
        inputs[:, go : self._sample_at(time, time[go] + self.go_duration), 3] = 1

        velocity = self.recording.hand_velocity.to_numpy()
        # The last sample may lie beyond the last recorded time by rounding.
        within = np.minimum(time, self._recorded_time[-1])
        target = PchipInterpolator(self._recorded_time, velocity, axis=1, extrapolate=False)(within)[condition]
        return noisy_trials(
            inputs,
            target,
            trial_generators(seeds, condition.size),
            input_noise=self.input_noise,
            output_noise=self.output_noise,
            dt=self.dt,
            t_start=float(time[0]),
            coordinates={
                "condition": ("trial", condition),
                "direction": ("trial", theta, {"units": "rad"}),
                "go_time": ("trial", np.full(condition.size, time[go]), {"units": "s"}),
                "movement_onset": ("trial", np.zeros(condition.size), {"units": "s"}),
            },
        )

    @property
    def _recorded_time(self) -> np.ndarray:
        return self.recording.hand_velocity["time"].to_numpy()

    def _sample_at(self, time: np.ndarray, moment: float) -> int:
        return int(np.searchsorted(time, moment - GRID_TOLERANCE * self.dt))
