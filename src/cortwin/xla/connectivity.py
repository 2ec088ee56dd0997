"""Which neuron each synapse comes from and goes to, and sums over synapses.

A sum over the synapses of every neuron is the innermost loop of a recurrent network. Where the synapses fill a
rectangle (all of some sources to all of some targets) their variables are matrices, and sums are matrix products, also
for many trials at once; elsewhere entries are added up neuron by neuron.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cortwin.xla.events import size_of_owner
from cortwin.xla.indexing import sum_at, take

PRE, POST = "pre", "post"


class Connectivity:
    """Source and target of every synapse.

    Parameters
    ----------
    pre, post : (n_synapses,) int arrays
    n_pre, n_post : numbers of neurons
    """

    def __init__(self, pre: np.ndarray, post: np.ndarray, n_pre: int, n_post: int):
        self.ends = {PRE: np.asarray(pre), POST: np.asarray(post)}
        self.sizes = {PRE: n_pre, POST: n_post}
        #: the neurons that have a synapse, in order: the rows (pre) and columns (post) of matrices
        self.neurons = {side: np.unique(ends) for side, ends in self.ends.items()}
        self.n_synapses = len(self.ends[PRE])
        self.shape = (len(self.neurons[PRE]), len(self.neurons[POST]))

    @cached_property
    def _position(self) -> np.ndarray:
        """Place of each synapse in the flattened matrix."""
        row = np.searchsorted(self.neurons[PRE], self.ends[PRE])
        column = np.searchsorted(self.neurons[POST], self.ends[POST])
        return row * self.shape[1] + column

    @cached_property
    def is_rectangle(self) -> bool:
        """Whether every source that has a synapse has exactly one to every target that has one."""
        n_pairs = self.shape[0] * self.shape[1]
        return self.n_synapses == n_pairs and len(np.unique(self._position)) == n_pairs

    def matrix(self, synaptic: Any) -> jax.Array:
        """Lay out one number per synapse as (rows, columns); where there is no synapse is zero."""
        synaptic = jnp.broadcast_to(synaptic, (self.n_synapses,))
        if not self.is_rectangle:
            flat = jnp.zeros(self.shape[0] * self.shape[1], synaptic.dtype).at[self._position].add(synaptic)
        elif np.array_equal(self._position, np.arange(self.n_synapses)):
            flat = synaptic
        else:
            flat = synaptic.at[np.argsort(self._position)].get(unique_indices=True)
        return flat.reshape(self.shape)

    def of_neurons(self, array: jax.Array, side: str) -> jax.Array:
        """Return a variable of all neurons for those that have a synapse."""
        everyone = self.shape[0 if side == PRE else 1] == self.sizes[side]
        return array if everyone else array[self.neurons[side]]

    def to_neurons(self, sums: jax.Array, side: str) -> jax.Array:
        """Return sums over the synapses of the neurons that have one as sums of all neurons."""
        if len(self.neurons[side]) == self.sizes[side]:
            return sums
        return jnp.zeros(self.sizes[side], sums.dtype).at[self.neurons[side]].set(sums, unique_indices=True)

    def of_synapses(self, array: jax.Array, side: str) -> jax.Array:
        """Return a variable of all neurons for every synapse."""
        return take(array, self.ends[side])

    def sum(self, synaptic: jax.Array, side: str) -> jax.Array:
        """Sum one number per synapse over the synapses of each neuron."""
        return sum_at(jnp.broadcast_to(synaptic, (self.n_synapses,)), self.ends[side], self.sizes[side])


def connectivity_of(synapses: Any) -> Connectivity:
    """Return the connectivity of a Synapses object, over all neurons of the groups that subgroups are part of."""
    pre, post = (synapses.variables[name].get_value() for name in ("_synaptic_pre", "_synaptic_post"))
    return Connectivity(np.array(pre), np.array(post), size_of_owner(synapses.source), size_of_owner(synapses.target))
