"""The adding problem: two numbers of a long sequence are marked, and their sum is asked for at its end."""

from __future__ import annotations

import numpy as np

from cortwin.errors import CortwinError

# The variance of a sum of two numbers that are uniform in [0, 1]: what the best constant answer, 1, leaves.
BASELINE = 1 / 6


def adding_problem(generator: np.random.Generator, trials: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw trials.

    Parameters
    ----------
    generator : NumPy Generator
    trials : number of trials
    steps : length of a trial

    Returns
    -------
    inputs : (trials, steps, 2) ndarray
        Numbers that are uniform in [0, 1), and marks: 1 at one step of the first half and at one of the second, else 0.
    target : (trials,) ndarray
        Sum of the two marked numbers.

    Raises
    ------
    CortwinError
        If there is no trial, or a trial has no two halves.

    References
    ----------
    Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; in the form of Le, Jaitly & Hinton 2015,
        doi:10.48550/arXiv.1504.00941.
    """
    if trials < 1 or steps < 2:
        raise CortwinError(f"adding_problem: needs at least 1 trial and 2 steps, got {trials} and {steps}")
    numbers = generator.uniform(size=(trials, steps))
    each, half = np.arange(trials), steps // 2
    first, second = generator.integers(0, half, trials), generator.integers(half, steps, trials)
    marks = np.zeros((trials, steps))
    marks[each, first] = marks[each, second] = 1
    return np.stack([numbers, marks], axis=2), numbers[each, first] + numbers[each, second]
