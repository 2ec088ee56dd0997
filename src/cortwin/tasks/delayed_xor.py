"""Delayed exclusive or: two pulses with a delay between them, and whether their signs differed."""

from __future__ import annotations

import numpy as np

from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.tasks._steps import whole_steps
from cortwin.tasks.trials import Seeds, Trials, trial_generators


def delayed_xor(
    trials: int, seeds: Seeds, *, dt: float = 0.005, pulse: float = 0.1, delay: float = 0.3, answer: float = 0.2
) -> tuple[Trials, np.ndarray]:
    """Make trials: a pulse of +1 or -1 on the first input, a delay, one on the second, a delay, the answer.

    Parameters
    ----------
    trials : how many
    seeds : SeedSequence, whose child k belongs to trial k, or one seed per trial
    dt, pulse, delay, answer : seconds

    Returns
    -------
    trials : two inputs and one output: 1 where the signs differed, -1 where not
    mask : (trial, time) ndarray, 1 while the answer is asked for, else 0

    Raises
    ------
    CortwinError
        If there is no trial, or a time is no number of steps.
    """
    if trials < 1:
        raise CortwinError(f"delayed_xor: the number of trials must be at least 1, got {trials}")
    times = {"pulse": pulse, "delay": delay, "answer": answer}
    n = {name: whole_steps(f"delayed_xor: {name}", seconds, dt) for name, seconds in times.items()}
    signs = np.array([2 * one.integers(2, size=2) - 1 for one in trial_generators(seeds, trials)])
    steps = 2 * (n["pulse"] + n["delay"]) + n["answer"]
    inputs, mask = np.zeros((trials, steps, 2)), np.zeros((trials, steps))
    second = n["pulse"] + n["delay"]
    inputs[:, : n["pulse"], 0] = signs[:, :1]
    inputs[:, second : second + n["pulse"], 1] = signs[:, 1:]
    mask[:, -n["answer"] :] = 1
    target = np.broadcast_to(-signs.prod(axis=1)[:, None, None], (trials, steps, 1)).astype(np.float64)

    wanted = activity(target, dt=dt, last="output", coordinates={"output": ["xor"]}, name="target")
    shown = activity(inputs, dt=dt, last="input", coordinates={"input": ["first", "second"]}, name="inputs")
    return Trials(shown, wanted, wanted), mask
