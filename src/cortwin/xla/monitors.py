"""Monitors: what is kept of every step."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from brian2.monitors.ratemonitor import PopulationRateMonitor
from brian2.monitors.spikemonitor import EventMonitor, SpikeMonitor
from brian2.monitors.statemonitor import StateMonitor

from cortwin.xla.compiler import Compilation
from cortwin.xla.environment import Block, Elements, Execution, as_stored
from cortwin.xla.events import events_key, neurons_of
from cortwin.xla.groups import require_neurons
from cortwin.xla.registry import RASTER, Operation, Values, translates


@translates(StateMonitor)
def state_monitor(monitor: StateMonitor, compilation: Compilation) -> Operation:
    """Keep the chosen entries of each variable, ``"monitor.variable"``."""
    block = Block(monitor, monitor.abstract_code, compilation)
    recorded = np.asarray(monitor.record)
    layout = Elements(recorded)

    def record(values: Values) -> dict[str, Any]:
        kept = Execution(block, values, layout).run().local
        return {
            f"{monitor.name}.{name}": jnp.broadcast_to(
                as_stored(kept[f"_to_record_{name}"], variable, block.real), (recorded.size,)
            )
            for name, variable in monitor.recorded_variables.items()
        }

    return Operation(monitor.name, monitor.clock, record=record)


@translates(SpikeMonitor, EventMonitor)
def event_monitor(monitor: EventMonitor, compilation: Compilation) -> Operation:
    """Keep the events of every step, ``"monitor.raster"``, and other variables than i and t at every step."""
    require_neurons(monitor.source, monitor.name)
    events, neurons = events_key(monitor.source, monitor.event), neurons_of(monitor.source)
    further = sorted(set(monitor.record_variables) - {"i", "t"})
    block = Block(monitor, "\n".join(f"_to_record_{name} = _source_{name}" for name in further), compilation)
    layout = Elements(np.arange(neurons.start, neurons.stop))

    def record(values: Values) -> dict[str, Any]:
        kept = {f"{monitor.name}.{RASTER}": values[events][neurons]}
        if further:
            local = Execution(block, values, layout).run().local
            for name in further:
                value = as_stored(local[f"_to_record_{name}"], monitor.variables[name], block.real)
                kept[f"{monitor.name}.{name}"] = jnp.broadcast_to(value, (neurons.stop - neurons.start,))
        return kept

    return Operation(monitor.name, monitor.clock, record=record)


@translates(PopulationRateMonitor)
def rate_monitor(monitor: PopulationRateMonitor, compilation: Compilation) -> Operation:
    """Keep the share of neurons that spike, per second, ``"monitor.rate"``; gradients pass through it."""
    require_neurons(monitor.source, monitor.name)
    spikes, neurons = events_key(monitor.source), neurons_of(monitor.source)

    def record(values: Values) -> dict[str, Any]:
        return {f"{monitor.name}.rate": values[spikes][neurons].mean() / monitor.clock.dt_}

    return Operation(monitor.name, monitor.clock, record=record)
