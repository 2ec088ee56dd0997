"""The flip-flop: several bits, each set by the sign of its last pulse and held until the next."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.tasks._steps import whole_steps
from cortwin.tasks.trials import Seeds, Trials, trial_generators


@dataclass(frozen=True)
class FlipFlopTask:
    """A memory of several bits.

    Each input carries pulses of +1 or -1, with equal probability; each output is the sign of the last pulse of its own
    input, from the end of the pulse on. A first pulse on every input at the trial's start sets all bits; the target is
    0 until then.

    Attributes
    ----------
    bits : number of inputs and of outputs
    dt : time step in s
    duration : length of a trial in s
    pulse : length of a pulse in s
    pause : shortest and longest time in s between two pulses of an input; each is a whole number of steps, drawn
        uniformly
    input_noise : standard deviation of the Gaussian noise on each sample of each input

    Raises
    ------
    CortwinError
        Naming the attribute, the rule and the number.

    References
    ----------
    Sussillo & Barak 2013, doi:10.1162/NECO_a_00409.
    """

    bits: int = 3
    dt: float = 0.01
    duration: float = 2.0
    pulse: float = 0.1
    pause: tuple[float, float] = (0.2, 1.0)
    input_noise: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be a task."""
        if self.bits != int(self.bits) or self.bits < 1:
            raise CortwinError(f"FlipFlopTask.bits must be a whole number of at least 1, got {self.bits:g}")
        if len(self.pause) != 2 or not 0 <= self.pause[0] <= self.pause[1]:
            raise CortwinError(f"FlipFlopTask.pause must be (shortest, longest) in s, not negative, got {self.pause}")
        for name in ("dt", "duration", "pulse"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise CortwinError(f"FlipFlopTask.{name} must be finite and positive, got {value:g}")
        if not (math.isfinite(self.input_noise) and self.input_noise >= 0):
            raise CortwinError(f"FlipFlopTask.input_noise must be finite and 0 or more, got {self.input_noise:g}")
        if self.pulse >= self.duration:
            raise CortwinError(f"FlipFlopTask.pulse must be shorter than a trial, got {self.pulse:g} s")
        numbers = {"duration": self.duration, "pulse": self.pulse, "pause[0]": self.pause[0], "pause[1]": self.pause[1]}
        for name, seconds in numbers.items():
            whole_steps(f"FlipFlopTask.{name}", seconds, self.dt)

    @property
    def n_steps(self) -> int:
        """Number of samples in a trial."""
        return round(self.duration / self.dt)

    def trials(self, n_trials: int, seeds: Seeds) -> Trials:
        """Make trials; each depends on its own seed alone, and noise changes no pulse.

        Parameters
        ----------
        n_trials : how many
        seeds : SeedSequence, whose child k belongs to trial k, or one seed per trial

        Returns
        -------
        Trials
            With the coordinate ``quiet``, (trial, time): seconds since the last pulse on any input ended, 0 during one.

        Raises
        ------
        CortwinError
            If there is no trial, or not one seed per trial.
        """
        if n_trials < 1:
            raise CortwinError(f"FlipFlopTask: the number of trials must be at least 1, got {n_trials}")
        shape = (n_trials, self.n_steps, self.bits)
        pulses, target, noise = np.zeros(shape), np.zeros(shape), np.empty(shape)
        for k, generator in enumerate(trial_generators(seeds, n_trials)):
            for bit in range(self.bits):
                self._set(pulses[k, :, bit], target[k, :, bit], generator)
            noise[k] = generator.standard_normal(shape[1:])
        # Samples since the last one at which any input was on.
        step = np.broadcast_to(np.arange(self.n_steps), shape[:2])
        last = np.maximum.accumulate(np.where((pulses != 0).any(axis=2), step, 0), axis=1)
        coordinates = {"quiet": (("trial", "time"), self.dt * (step - last), {"units": "s"})}
        names = [f"bit {bit + 1}" for bit in range(self.bits)]

        def label(values: np.ndarray, last: str, name: str):
            return activity(values, dt=self.dt, last=last, coordinates={**coordinates, last: names}, name=name)

        wanted = label(target, "output", "target")
        return Trials(label(pulses + self.input_noise * noise, "input", "inputs"), wanted, wanted)

    def _set(self, pulses: np.ndarray, target: np.ndarray, generator: np.random.Generator) -> None:
        """Write the pulses of one bit, and what it is to hold, into rows of zeros."""
        length = round(self.pulse / self.dt)
        shortest, longest = (round(pause / self.dt) for pause in self.pause)
        start = 0
        while start < self.n_steps:
            sign = 2 * generator.integers(2) - 1
            pulses[start : start + length] = sign
            target[start + length :] = sign
            start += length + int(generator.integers(shortest, longest, endpoint=True))
