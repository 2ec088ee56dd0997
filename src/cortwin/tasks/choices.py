"""Which of two pulses came first? Sequences with the answers of subjects who are biased, each in a way of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortwin.errors import CortwinError


@dataclass(frozen=True, eq=False)
class Choices:
    """Sequences, the answer to each, and whose it was.

    Attributes
    ----------
    X : (trial, time, input) ndarray
    y : (trial,) ndarray of 0 and 1
    subjects : (trial,) ndarray of int
    first : (trial,) ndarray of -1 and 1: the second or the first input had the first pulse
    """

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    subjects: NDArray[np.int64]
    first: NDArray[np.int64]


@dataclass(frozen=True)
class ChoiceTask:
    """Judgements of temporal order: the answer is noisy, and every subject prefers one answer.

    Two of the inputs have one pulse each, at two different times. A subject answers 1 with the probability
    ``logistic(evidence o + bias s)``, where o is 1 or -1, the order of the pulses, and s is 1 or -1 by subject, drawn
    evenly. Every subject's inputs have an offset of their own, as electrodes have, which gives away who it is and says
    nothing of a subject who has not been seen before.

    So there are two best cross-entropies: one for who knows the subject, and a higher one for a new subject. A score
    below that second one is not of new subjects.

    Attributes
    ----------
    steps : samples in a sequence
    inputs : at least 2; the others have offset and noise alone
    noise : standard deviation of the Gaussian noise on each sample
    offset : standard deviation of the offsets over subjects
    evidence, bias : log odds, 0 or more

    Raises
    ------
    CortwinError
        Naming the attribute, the rule and the number.
    """

    steps: int = 6
    inputs: int = 3
    noise: float = 0.1
    offset: float = 0.3
    evidence: float = 3.0
    bias: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot be a task."""
        for name in ("steps", "inputs"):
            number = getattr(self, name)
            if number != int(number) or number < 2:
                raise CortwinError(f"ChoiceTask.{name} must be a whole number and at least 2, got {number:g}")
        for name in ("noise", "offset", "evidence", "bias"):
            number = getattr(self, name)
            if not math.isfinite(number) or number < 0:
                raise CortwinError(f"ChoiceTask.{name} must be finite and 0 or more, got {number:g}")

    def trials(self, subjects: int, trials: int, generator: np.random.Generator) -> Choices:
        """Draw subjects, and for each as many sequences with their answers.

        Parameters
        ----------
        subjects : number of subjects
        trials : sequences of each
        generator : NumPy Generator

        Raises
        ------
        CortwinError
            If there is no subject or no trial.
        """
        if subjects < 1 or trials < 1:
            raise CortwinError(f"ChoiceTask.trials: there must be subjects and trials, got {subjects} and {trials}")
        who = np.repeat(np.arange(subjects), trials)
        offsets = self.offset * generator.standard_normal((subjects, self.inputs))
        preferred = generator.choice([-1, 1], size=subjects)
        first = generator.choice([-1, 1], size=who.size)
        X = offsets[who][:, None] + self.noise * generator.standard_normal((who.size, self.steps, self.inputs))
        for trial, order in enumerate(first):
            early, late = np.sort(generator.choice(self.steps - 1, size=2, replace=False))
            X[trial, early, 0 if order == 1 else 1] += 1
            X[trial, late, 1 if order == 1 else 0] += 1
        y = generator.uniform(size=who.size) < _logistic(self.evidence * first + self.bias * preferred[who])
        return Choices(X, y.astype(np.int64), who, first)

    def best(self, *, known: bool) -> float:
        """Return the smallest cross-entropy that there is, in nats, for known subjects or for new ones.

        It belongs to who sees the order of the pulses without doubt, and the subject's preference if the subject is
        known.
        """
        p = _logistic(self.evidence + self.bias * np.array([-1.0, 1.0]))
        return float(_entropy(p).mean() if known else _entropy(p.mean()))


def _logistic(a: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-a))


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return -(p * np.log(p) + (1 - p) * np.log(1 - p))
