"""Axonal delays: a ring of the last spikes, one row a step."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cortwin.errors import CortwinError

#: Brian2's NumPy and C++ engines round a delay half-way between two steps differently; closer than this is refused.
HALF_WAY = 1e-6


class Delay:
    """Steps from a spike to its arrival, one for all synapses of a pathway or one each.

    Parameters
    ----------
    name : of the pathway, for messages and for the key of the ring
    seconds : (1,) or (n_synapses,) delays
    dt : seconds per step of the source
    sources : (n_synapses,) int array, source of each synapse
    n_sources : number of source neurons
    """

    def __init__(self, name: str, seconds: np.ndarray, dt: float, sources: np.ndarray, n_sources: int):
        steps = np.asarray(seconds, dtype=np.float64) / dt
        for value in steps:
            if value < 0 or abs(value - np.floor(value) - 0.5) < HALF_WAY:
                rule = "negative" if value < 0 else "half-way between two steps"
                raise CortwinError(f"{name}: a delay of {value * dt:g} s is {rule} (dt = {dt:g} s)")
        self.steps = np.round(steps).astype(np.int64)
        self.key = f"{name}._ring"
        self.sources = sources
        self.longest = int(self.steps.max(initial=0))
        self.is_homogeneous = len(self.steps) < 2 or bool((self.steps == self.steps[0]).all())
        self.ring = np.zeros((self.longest + 1, n_sources))

    def push(self, values: Any, spikes: jax.Array, step: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
        """Store this step's spikes and return what arrives now.

        Returns
        -------
        changed : the ring, if there is one
        arriving : (n_sources,) array if all delays are equal, else (n_synapses,)
        """
        if self.longest == 0:
            return {}, spikes
        length = self.longest + 1
        ring = jax.lax.dynamic_update_index_in_dim(values[self.key], spikes, step % length, axis=0)
        if self.is_homogeneous:
            return {self.key: ring}, jax.lax.dynamic_index_in_dim(ring, (step + 1) % length, axis=0, keepdims=False)
        return {self.key: ring}, ring[jnp.mod(step - self.steps, length), self.sources]
