"""SpikeGeneratorGroup: spikes at times that are given."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from brian2.input.spikegeneratorgroup import SpikeGeneratorGroup

from cortwin.errors import CortwinError
from cortwin.xla.compiler import Compilation
from cortwin.xla.environment import key_of
from cortwin.xla.events import events_key
from cortwin.xla.registry import Operation, Values, translates

#: Brian2's guard against rounding of spike times to the step before, in units of dt
SHIFT = 1e-3


@translates(SpikeGeneratorGroup)
def spike_generator(group: SpikeGeneratorGroup, compilation: Compilation) -> Operation:
    """Look up which neurons spike in this step."""
    dt, n_neurons = group.clock.dt_, len(group)
    neurons = np.array(group.variables["neuron_index"].get_value())
    times = np.array(group.variables["spike_time"].get_value())
    bins = ((times + SHIFT * dt) / dt).astype(np.int64)
    if len(set(zip(bins.tolist(), neurons.tolist(), strict=True))) < len(bins):
        raise CortwinError(f"{group.name}: a neuron spikes more than once in a time step of {dt:g} s")
    period = _steps_of_period(group, dt)
    if period:
        bins = bins % period
    # One row for each step that has spikes, filled up with a neuron that is not there.
    steps, row = np.unique(bins, return_inverse=True)
    counts = np.bincount(row, minlength=len(steps))
    table = np.full((len(steps), counts.max(initial=1)), n_neurons)
    order = np.argsort(row, kind="stable")
    place = np.arange(len(bins)) - np.repeat(np.cumsum(counts) - counts, counts)
    table[row[order], place] = neurons[order]
    spikes, timestep = events_key(group), key_of(group.clock.variables["timestep"])

    def step(values: Values) -> dict[str, Any]:
        now = values[timestep] % period if period else values[timestep]
        found = jnp.clip(jnp.searchsorted(jnp.asarray(steps), now), 0, len(steps) - 1)
        hit = (jnp.asarray(steps)[found] == now).astype(compilation.real)
        return {spikes: jnp.zeros(n_neurons + 1, compilation.real).at[jnp.asarray(table)[found]].set(hit)[:-1]}

    none = {spikes: np.zeros(n_neurons)}
    if not len(steps):
        return Operation(group.name, group.clock, hidden=none, writes=frozenset({spikes}), step=lambda values: {})
    return Operation(group.name, group.clock, writes=frozenset({spikes}), step=step, hidden=none)


def _steps_of_period(group: SpikeGeneratorGroup, dt: float) -> int:
    period = float(np.asarray(group.variables["period"].get_value()).item())
    steps = np.round(period / dt)
    if period == 0 or steps > np.iinfo(np.int32).max:
        return 0
    if period < dt or abs(steps * dt - period) > period * np.finfo(np.float64).eps:
        raise CortwinError(f"{group.name}: its period of {period:g} s is not a multiple of dt = {dt:g} s")
    return int(steps)
