"""Monitors: what is kept of every step."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from brian2.monitors.spikemonitor import EventMonitor, SpikeMonitor
from brian2.monitors.statemonitor import StateMonitor

from cortwin.errors import CortwinError
from cortwin.xla.compiler import Compilation
from cortwin.xla.environment import Block, Elements, Execution, as_stored
from cortwin.xla.groups import require_neuron_group
from cortwin.xla.registry import RASTER, Operation, Values, translates
from cortwin.xla.threshold import spikes_key


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
                as_stored(kept[f"_to_record_{name}"], variable), (recorded.size,)
            )
            for name, variable in monitor.recorded_variables.items()
        }

    return Operation(monitor.name, monitor.clock, record=record)


@translates(SpikeMonitor, EventMonitor)
def spike_monitor(monitor: EventMonitor, compilation: Compilation) -> Operation:
    """Keep the spikes of every step, ``"monitor.raster"``."""
    require_neuron_group(monitor.source, monitor.name)
    if monitor.event != "spike":
        raise CortwinError(f"{monitor.name}: the event '{monitor.event}' is not covered; only 'spike' is")
    if further := sorted(set(monitor.record_variables) - {"i", "t"}):
        raise CortwinError(f"{monitor.name}: recording '{further[0]}' at spikes is not covered; use a StateMonitor")
    spikes = spikes_key(monitor.source)

    def record(values: Values) -> dict[str, Any]:
        return {f"{monitor.name}.{RASTER}": values[spikes]}

    return Operation(monitor.name, monitor.clock, record=record)
