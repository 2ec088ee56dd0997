"""Which input came first, second and third: trials that only a network with a memory can put into classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import permutations

import numpy as np
import xarray as xr

from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.tasks._steps import whole_steps
from cortwin.tasks.trials import Seeds, trial_generators, valid_conditions

LETTERS = "ABCD"


@dataclass(frozen=True, eq=False)
class OrderTrials:
    """Inputs and classes of some trials, filled up to one length.

    Every array carries, on ``trial``, the coordinates ``condition`` (number of the class), ``last_pulse`` (end of the
    last pulse, s) and ``end`` (of the trial, s). What follows the end is padding.

    Attributes
    ----------
    inputs : (trial, time, input) DataArray, noise included; the inputs are called A, B, ...
    target : (trial, time, output) DataArray, 1 for the trial's class and 0 elsewhere, at all times
    mask : (trial, time) ndarray, 1 where the answer is asked for and 0 elsewhere
    """

    inputs: xr.DataArray
    target: xr.DataArray
    mask: np.ndarray

    def __len__(self) -> int:
        """Return the number of trials."""
        return self.inputs.sizes["trial"]

    def __getitem__(self, trials: slice) -> OrderTrials:
        """Return some of the trials."""
        return OrderTrials(self.inputs[trials], self.target[trials], self.mask[trials])

    @property
    def condition(self) -> np.ndarray:
        """(trial,) ndarray of int: number of the class."""
        return self.inputs["condition"].to_numpy()

    @property
    def lengths(self) -> np.ndarray:
        """(trial,) ndarray of int: samples before the end."""
        return self.mask.shape[1] - np.argmax(self.mask[:, ::-1], axis=1)


@dataclass(frozen=True)
class OrderTask:
    """One pulse on each input, in an order that is the class.

    A trial is ``baseline | pulse | gap | pulse | gap | ... | pulse | wait``. Every input has one pulse, whatever the
    class, and amplitudes, gaps and the wait are drawn without regard to it. So the samples of a trial without their
    times say nothing about its class, and neither do the inputs at its end.

    Trials are of unequal length, since gaps and wait are. They are filled up to one length, with noise alone.

    Attributes
    ----------
    n_inputs : pulses; there are ``n_inputs!`` classes
    dt : time step in s
    baseline : s before the first pulse
    pulse : duration of a pulse in s
    gap : shortest and longest time in s between two pulses; each is drawn by itself, a whole number of steps
    wait : shortest and longest time in s from the end of the last pulse to the end of the trial
    reaction : s after the last pulse from which on the answer is asked for, to the end of the trial
    rest : s of padding after the longest trial
    amplitude : smallest and largest amplitude of a pulse, drawn uniformly
    input_noise : standard deviation of the Gaussian noise on each sample of each input

    Raises
    ------
    CortwinError
        Naming the attribute, the rule and the number.
    """

    n_inputs: int = 3
    dt: float = 0.01
    baseline: float = 0.1
    pulse: float = 0.1
    gap: tuple[float, float] = (0.05, 0.15)
    wait: tuple[float, float] = (0.4, 0.6)
    reaction: float = 0.05
    rest: float = 0.0
    amplitude: tuple[float, float] = (0.8, 1.2)
    input_noise: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be a task."""
        if self.n_inputs not in (2, 3, 4):
            raise CortwinError(f"OrderTask.n_inputs must be 2, 3 or 4, got {self.n_inputs}")
        numbers = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "n_inputs"}
        for name in ("gap", "wait", "amplitude"):
            pair = numbers.pop(name)
            if len(pair) != 2 or not pair[0] <= pair[1]:
                raise CortwinError(f"OrderTask.{name} must be (smallest, largest), got {pair}")
            numbers |= {f"{name}[0]": pair[0], f"{name}[1]": pair[1]}
        for name, value in numbers.items():
            positive = name in ("dt", "pulse")
            if not math.isfinite(value) or value < 0 or (positive and value == 0):
                rule = "positive" if positive else "0 or more"
                raise CortwinError(f"OrderTask.{name} must be finite and {rule}, got {value:g}")
        if not self.reaction < self.wait[0]:
            raise CortwinError(
                f"OrderTask.reaction must be shorter than the shortest wait, {self.wait[0]:g} s, "
                f"got {self.reaction:g} s"
            )
        for name in ("baseline", "pulse", "gap[0]", "gap[1]", "wait[0]", "wait[1]", "reaction", "rest"):
            whole_steps(f"OrderTask.{name}", numbers[name], self.dt)

    @property
    def orders(self) -> list[tuple[int, ...]]:
        """The inputs in the order in which they come, by class."""
        return list(permutations(range(self.n_inputs)))

    @property
    def names(self) -> list[str]:
        """The classes in letters: ``"ABC"``, ``"ACB"``, ..."""
        return ["".join(LETTERS[k] for k in order) for order in self.orders]

    @property
    def n_steps(self) -> int:
        """Number of samples in a trial, padding included."""
        longest = (self.baseline, self.wait[1], self.rest)
        within = self.n_inputs * self._steps(self.pulse) + (self.n_inputs - 1) * self._steps(self.gap[1])
        return sum(map(self._steps, longest)) + within

    def trials(self, classes: Sequence[int] | np.ndarray, seeds: Seeds) -> OrderTrials:
        """Make one trial per entry of `classes`.

        What a trial holds depends on its class and its own seed alone; with the same seed, two classes differ in
        nothing but which input has which pulse.

        Parameters
        ----------
        classes : (n_trials,) numbers of classes, 0 .. n_inputs! - 1
        seeds : SeedSequence, whose child k belongs to trial k, or one seed per trial

        Raises
        ------
        CortwinError
            If there is no trial, a class that the task does not have, or not one seed per trial.
        """
        condition = valid_conditions(classes, len(self.orders))
        generators = trial_generators(seeds, condition.size)
        inputs = np.zeros((condition.size, self.n_steps, self.n_inputs))
        mask = np.zeros(inputs.shape[:2])
        last, end = (np.zeros(condition.size, dtype=int) for _ in range(2))
        for k, generator in enumerate(generators):
            amplitudes = generator.uniform(*self.amplitude, size=self.n_inputs)
            gaps = self._drawn(generator, self.gap, self.n_inputs - 1)
            (wait,) = self._drawn(generator, self.wait, 1)
            now = self._steps(self.baseline)
            for place, number in enumerate(self.orders[condition[k]]):
                last[k] = now + self._steps(self.pulse)
                inputs[k, now : last[k], number] = amplitudes[place]
                now = last[k] + (gaps[place] if place < len(gaps) else 0)
            end[k] = last[k] + wait
            mask[k, last[k] + self._steps(self.reaction) : end[k]] = 1
            inputs[k] += self.input_noise * generator.standard_normal(inputs[k].shape)
        labels = {
            "condition": ("trial", condition),
            "last_pulse": ("trial", self.dt * last, {"units": "s"}),
            "end": ("trial", self.dt * end, {"units": "s"}),
        }
        target = np.broadcast_to(np.eye(len(self.orders))[condition][:, None], (*mask.shape, len(self.orders)))
        return OrderTrials(
            activity(
                inputs,
                dt=self.dt,
                last="input",
                name="inputs",
                coordinates={**labels, "input": list(LETTERS[: self.n_inputs])},
            ),
            activity(target, dt=self.dt, last="output", name="target", coordinates={**labels, "output": self.names}),
            mask,
        )

    def _drawn(self, generator: np.random.Generator, between: tuple[float, float], number: int) -> np.ndarray:
        low, high = map(self._steps, between)
        return generator.integers(low, high, size=number, endpoint=True)

    def _steps(self, seconds: float) -> int:
        return round(seconds / self.dt)
