"""Pathways: what arriving spikes do, through every synapse they arrive at."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from brian2.synapses.synapses import SynapticPathway

from cortwin.errors import CortwinError
from cortwin.xla.compiler import Compilation
from cortwin.xla.connectivity import POST, PRE, Connectivity, connectivity_of
from cortwin.xla.delays import Delay
from cortwin.xla.environment import ELEMENT, Block, Execution, as_stored, key_of
from cortwin.xla.events import events_key
from cortwin.xla.expressions import names_in
from cortwin.xla.registry import Operation, Values, translates
from cortwin.xla.stateupdate import updated_code
from cortwin.xla.sums import SynapticSum, without_temporaries
from cortwin.xla.surrogate import select

#: Name of the arriving spikes, 0 or 1, beside the names of the code
EVENT = "_event"

_SIGNS = {"+=": 1, "-=": -1}
_SIDES = {"_presynaptic_idx": PRE, "_postsynaptic_idx": POST}


@translates(SynapticPathway)
def pathway(runner: SynapticPathway, compilation: Compilation) -> Operation:
    """Queue this step's spikes, or other events, then run the code for the synapses at which one arrives now."""
    connectivity = connectivity_of(runner.synapses)
    block = Block(runner, updated_code(runner, compilation), compilation)
    _require_any_order(block)
    delay = Delay(
        runner.name,
        runner.variables["delay"].get_value(),
        runner.source.clock.dt_,
        connectivity.ends[runner.prepost],
        connectivity.sizes[runner.prepost],
    )
    deliver = _delivery(block, connectivity, runner.prepost if delay.is_homogeneous else "synapse", compilation)
    spikes, timestep = events_key(runner.source, runner.event), key_of(runner.clock.variables["timestep"])

    def step(values: Values) -> dict[str, Any]:
        ring, arriving = delay.push(values, values[spikes], values[timestep])
        return ring | deliver.run(values, arriving)

    return Operation(
        runner.name,
        runner.clock,
        writes=block.writes() | ({delay.key} if delay.longest else frozenset()),
        step=step,
        hidden={delay.key: delay.ring} if delay.longest else {},
        invariants=deliver.invariants,
    )


def _require_any_order(block: Block) -> None:
    """Refuse code whose result would depend on the order in which the synapses are visited."""
    for line in block.lines:
        if not block.writes_variable(line) or block.index_of(line.name) == ELEMENT:
            continue
        if block.index_of(line.name) not in _SIDES or line.op not in _SIGNS:
            raise CortwinError(
                f"{block.owner}: '{line}' is not covered: to a neuron's variable a synapse may only add or subtract"
            )
        for other in block.lines:
            if any(block.is_array(name) and block.key(name) == block.key(line.name) for name in names_in(other.node)):
                raise CortwinError(
                    f"{block.owner}: '{other}' reads what '{line}' changes, so the result depends on the order of the "
                    "synapses; keep the new value in another variable"
                )


def _delivery(
    block: Block, connectivity: Connectivity, event_side: str, compilation: Compilation
) -> AddingDelivery | GeneralDelivery:
    plain = None if block.draws else without_temporaries(block)
    if plain is not None and all(block.index_of(line.name) != ELEMENT for line, _ in plain[1]):
        return AddingDelivery(block, connectivity, event_side, plain[1])
    return GeneralDelivery(block, connectivity, event_side, compilation.through_reset)


class AddingDelivery:
    """The code only adds to variables of neurons: each addition is a sum over synapses."""

    def __init__(self, block: Block, connectivity: Connectivity, event_side: str, writes: list[Any]):
        self.block = block
        self.sums = [
            (
                line,
                SynapticSum(
                    f"{block.owner}.{position}",
                    block,
                    node,
                    connectivity,
                    _SIDES[block.index_of(line.name)],
                    {EVENT: event_side},
                ),
            )
            for position, (line, node) in enumerate(writes)
        ]

    def invariants(self, values: Values, written: frozenset[str]) -> dict[str, Any]:
        return {key: array for _, total in self.sums for key, array in total.invariants(values, written).items()}

    def run(self, values: Values, arriving: jax.Array) -> dict[str, Any]:
        changed: dict[str, Any] = {}
        for line, total in self.sums:
            change = _SIGNS[line.op] * total(values, {EVENT: arriving})
            _add(self.block, line.name, change, values, changed)
        return changed


class GeneralDelivery:
    """The code also changes variables of the synapses: all statements in order, for all synapses at once."""

    def __init__(self, block: Block, connectivity: Connectivity, event_side: str, through_spike: bool):
        self.block, self.connectivity, self.event_side = block, connectivity, event_side
        self.through_spike = through_spike

    def invariants(self, values: Values, written: frozenset[str]) -> dict[str, Any]:
        return {}

    def run(self, values: Values, arriving: jax.Array) -> dict[str, Any]:
        block = self.block
        event = arriving if self.event_side == "synapse" else self.connectivity.of_synapses(arriving, self.event_side)
        execution = Execution(block, values)
        changed: dict[str, Any] = {}
        for line in block.lines:
            if block.writes_variable(line) and block.index_of(line.name) != ELEMENT:
                side = _SIDES[block.index_of(line.name)]
                change = self.connectivity.sum(event * execution.value(line.node), side)
                _add(block, line.name, _SIGNS[line.op] * change, values, changed)
            else:
                execution.line(line)
        for name in block.assigned():
            if block.index_of(name) == ELEMENT:
                key = block.key(name)
                changed[key] = select(event, execution.local[name], values[key], through_spike=self.through_spike)
        return changed


def _add(block: Block, name: str, change: jax.Array, values: Values, changed: dict[str, Any]) -> None:
    """Add to a variable of the neurons, where its condition (``unless refractory``) allows it."""
    key = block.key(name)
    old = changed.get(key, values[key])
    new = as_stored(old + change, block.variables[name], block.real)
    if name in block.conditions:
        condition = block.key(block.conditions[name])
        new = jnp.where(values[condition], new, old)
    changed[key] = new
