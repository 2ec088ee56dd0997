"""Entries of an array at given positions, without a gather where the positions have a pattern.

A gather costs some nanoseconds per entry, and its gradient, a scatter, more. Networks are mostly regular: each unit's
value for every neuron of its ensemble, every source for every target.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def repeats_of(positions: np.ndarray, n: int) -> tuple[int, int] | None:
    """Return (outer, inner) if positions are 0..n-1, each `inner` times in a row, all that `outer` times; else None.

    Examples
    --------
    >>> repeats_of(np.array([0, 0, 1, 1]), 2), repeats_of(np.array([0, 1, 0, 1]), 2), repeats_of(np.array([1, 0]), 2)
    ((1, 2), (2, 1), None)
    """
    if n == 0 or positions.size == 0 or positions.size % n or positions[0] != 0:
        return None
    inner = int(np.argmax(positions != 0)) or positions.size
    if positions.size % (n * inner):
        return None
    outer = positions.size // (n * inner)
    regular = np.tile(np.repeat(np.arange(n), inner), outer)
    return (outer, inner) if np.array_equal(positions, regular) else None


def take(array: Any, positions: Any) -> Any:
    """Return ``array[positions]`` along the first axis."""
    if isinstance(array, np.ndarray) or not isinstance(positions, np.ndarray):
        return array[positions]
    pattern = repeats_of(positions, array.shape[0]) if array.ndim == 1 and positions.ndim == 1 else None
    if pattern is None:
        return array[positions]
    if pattern == (1, 1):
        return array
    outer, inner = pattern
    return jnp.broadcast_to(array[None, :, None], (outer, array.shape[0], inner)).reshape(-1)


def sum_at(entries: jax.Array, positions: np.ndarray, n: int) -> jax.Array:
    """Return the sums of the entries at each of n positions, the transpose of `take`."""
    pattern = repeats_of(positions, n)
    if pattern is not None:
        outer, inner = pattern
        return entries if pattern == (1, 1) else entries.reshape(outer, n, inner).sum(axis=(0, 2))
    if positions.size and (np.diff(positions) < 0).any():
        order = np.argsort(positions, kind="stable")
        entries, positions = entries.at[order].get(unique_indices=True), positions[order]
    return jax.ops.segment_sum(entries, positions, n, indices_are_sorted=True)
