"""TimedArray: samples that the code reads as a function of time, and of an element for two-dimensional ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from brian2.core.clocks import Clock
from brian2.core.functions import Function
from brian2.input.timedarray import TimedArray

from cortwin.errors import CortwinError
from cortwin.xla.indexing import take
from cortwin.xla.registry import Values


def is_timed_array(function: Function) -> TypeGuard[TimedArray]:
    """Whether a function in the code is a TimedArray."""
    return isinstance(function, TimedArray)


class TimedArrayFunction:
    """A TimedArray whose samples are among the values of the program, under ``"name.values"``.

    Parameters
    ----------
    timed_array : Brian2's object
    clock : clock of the group that reads it; Brian2 rounds time on a grid finer than this clock's dt
    """

    def __init__(self, timed_array: TimedArray, clock: Clock):
        self.key = f"{timed_array.name}.values"
        self.name = timed_array.name
        self.dt = float(timed_array.dt)
        # The power of two at least 8 dt_array / dt_group, as in Brian2's `_find_K`.
        self.upsampling = max(int(2 ** np.ceil(np.log2(8 / clock.dt_ * self.dt))), 1)

    def at(self, values: Values) -> Callable[..., Any]:
        """Return the function of time for these samples."""
        samples = values[self.key]
        return self._at_time(samples) if samples.ndim == 1 else self._at_time_and_element(samples)

    def _row(self, t: Any, n_rows: int) -> jax.Array:
        epsilon = self.dt / self.upsampling
        row = (jnp.round(t / epsilon) / self.upsampling).astype(jnp.int64)
        # Before the first sample and after the last one, Brian2 holds them.
        return jnp.clip(row, 0, n_rows - 1)

    def _at_time(self, samples: jax.Array) -> Callable[[Any], Any]:
        return lambda t: samples[self._row(t, samples.shape[0])]

    def _at_time_and_element(self, samples: jax.Array) -> Callable[[Any, Any], Any]:
        n_rows, n_columns = samples.shape

        def sample(t: Any, i: Any) -> jax.Array:
            row = self._row(t, n_rows)
            if isinstance(i, (np.ndarray, np.integer, int)):
                if np.any(np.asarray(i) < 0) or np.any(np.asarray(i) >= n_columns):
                    raise CortwinError(
                        f"{self.name}(t, i): i reaches {np.max(i)}, but the array has {n_columns} columns (0 to "
                        f"{n_columns - 1})"
                    )
                if row.ndim == 0:
                    now = jax.lax.dynamic_index_in_dim(samples, row, axis=0, keepdims=False)
                    return take(now, i)
                return samples[row, i]
            inside = (i >= 0) & (i < n_columns)  # outside, Brian2's C++ code gives NaN
            return jnp.where(inside, samples[row, jnp.clip(i, 0, n_columns - 1)], jnp.nan)

        return sample
