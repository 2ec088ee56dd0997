"""States that leave the range: what counts as a blow-up, and how one is found that a reset would hide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortwin.errors import RunFailed

# In SI units no state of a network is larger; what is, has blown up, finite or not.
LARGEST = 1e100
# What `cortwin.builder` adds to a population with a reset: how often a reset of each neuron found a state out of range.
COUNTER = "blow_ups"
CAUSES = "is dt too large or a weight too strong?"


def out_of_range(values: NDArray) -> int:
    """Return how many numbers are not finite, or so large that they soon will not be."""
    # A comparison with NaN is false, whatever its sign. In single precision the bound itself would be infinite.
    return int(values.size - np.count_nonzero(np.abs(values) < np.float64(LARGEST)))


def require_in_range(name: str, values: NDArray) -> None:
    """Refuse results that left the range.

    Raises
    ------
    RunFailed
        Naming the array and how many of its numbers did.
    """
    if bad := out_of_range(values):
        raise RunFailed(f"{bad} of {values.size} numbers of {name} are not finite or beyond {LARGEST:g}: {CAUSES}")


def require_none(population: str, counts: NDArray) -> None:
    """Refuse a run in which a state left the range, though the reset brought it back.

    Parameters
    ----------
    population : name of the population
    counts : states of each neuron that were out of range, over all its resets

    Raises
    ------
    RunFailed
        Saying how many neurons had such states.
    """
    if bad := np.count_nonzero(counts):
        raise RunFailed(
            f"{population}: the states of {bad} of {counts.size} neurons were not finite or beyond {LARGEST:g}, and "
            f"their resets hid it: {CAUSES}"
        )
