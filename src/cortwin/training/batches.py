"""Which trials are held out, and which are in each mini-batch: all drawn before the first update."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortwin.errors import CortwinError
from cortwin.training.options import Options


def held_out(generator: np.random.Generator, n_trials: int, options: Options) -> tuple[NDArray, NDArray]:
    """Split whole trials into those to train on and those to validate on.

    Returns
    -------
    training, validation : sorted numbers of trials; validation may be empty

    Raises
    ------
    CortwinError
        If a trial to hold out does not exist or is named twice, or no trial is left on one side.
    """
    if options.validation_fraction:
        count = round(options.validation_fraction * n_trials)
        if not 0 < count < n_trials:
            raise CortwinError(
                f"the option validation_fraction = {options.validation_fraction} holds out {count} of {n_trials} "
                "trials; at least one must be held out and one left"
            )
        validation = np.sort(generator.permutation(n_trials)[:count])
    else:
        validation = np.sort(np.asarray(options.validation_trials, dtype=np.int64))
    if validation.size and (validation[0] < 0 or validation[-1] >= n_trials):
        wrong = validation[0] if validation[0] < 0 else validation[-1]
        raise CortwinError(f"the option validation_trials names trial {wrong}; there are trials 0..{n_trials - 1}")
    if np.unique(validation).size != validation.size:
        raise CortwinError("the option validation_trials names a trial twice")
    training = np.setdiff1d(np.arange(n_trials), validation)
    if not training.size:
        raise CortwinError(f"the option validation_trials holds out all {n_trials} trials: none is left to train on")
    return training, validation


def mini_batches(
    generator: np.random.Generator, training: NDArray, batch_size: int | None, updates: int
) -> NDArray[np.int32]:
    """Draw the trials of every update: all trials in a new random order, again and again, cut into batches.

    Returns
    -------
    (updates, batch_size) array of numbers of trials

    Raises
    ------
    CortwinError
        If a batch is larger than the number of trials.
    """
    if batch_size is None:
        return np.tile(training, (updates, 1)).astype(np.int32)
    if batch_size > training.size:
        raise CortwinError(
            f"the option batch_size is {batch_size}, but there are {training.size} trials to train on; "
            "choose a smaller one, or None for all"
        )
    rounds = -(-updates * batch_size // training.size)
    orders = [generator.permutation(training) for _ in range(rounds)]
    return np.concatenate(orders)[: updates * batch_size].reshape(updates, batch_size).astype(np.int32)
