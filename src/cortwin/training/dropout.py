"""Dropout: units that the readout does not hear, drawn anew in every update."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray


def dropout_seeds(generator: np.random.Generator, updates: int) -> NDArray[np.uint32]:
    """Draw the seed of every update's dropout."""
    return generator.integers(2**32, size=updates, dtype=np.uint32)


def dropped_out(h: jax.Array, probability: float, seed: jax.Array) -> jax.Array:
    """Return h with some of its numbers 0 and the others ``1 / (1 - probability)`` times as large.

    The mean over seeds is h, so that nothing has to be scaled where nothing is dropped.

    Parameters
    ----------
    h : array
    probability : with which each number is dropped, below 1
    seed : whole number

    References
    ----------
    Srivastava et al. 2014, J. Machine Learning Research 15, 1929-1958
    """
    # The kind of generator is a setting of JAX; a result should not depend on it.
    kept = jax.random.bernoulli(jax.random.key(seed, impl="threefry2x32"), 1 - probability, h.shape)
    return jnp.where(kept, h / (1 - probability), 0)
