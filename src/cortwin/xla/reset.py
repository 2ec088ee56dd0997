"""Resets: what a spike, or another event, changes in its own neuron."""

from __future__ import annotations

from typing import Any

from brian2.groups.neurongroup import Resetter

from cortwin.errors import CortwinError
from cortwin.xla.compiler import Compilation
from cortwin.xla.environment import ELEMENT, Block, Execution
from cortwin.xla.events import events_key
from cortwin.xla.registry import Operation, Values, translates
from cortwin.xla.stateupdate import updated_code
from cortwin.xla.surrogate import select


@translates(Resetter)
def resetter(runner: Resetter, compilation: Compilation) -> Operation | None:
    """Run the statements for all neurons, and keep the result where there is a spike, or another event.

    A neuron that spikes has just become refractory, so Brian2 lifts the condition of ``unless refractory`` here.
    """
    code = updated_code(runner, compilation)
    if not code.strip():
        return None
    block = Block(runner, code, compilation, override=tuple(runner.override_conditional_write or ()))
    for line in block.lines:
        if block.writes_variable(line) and block.index_of(line.name) != ELEMENT:
            raise CortwinError(f"{runner.name}: '{line}' writes '{line.name}', which is not the neuron's own variable")
    events = events_key(runner.group, runner.event)
    through = compilation.through_reset

    def step(values: Values) -> dict[str, Any]:
        new = Execution(block, values).run().written()
        return {key: select(values[events], after, values[key], through_spike=through) for key, after in new.items()}

    return Operation(runner.name, runner.clock, writes=block.writes(), step=step)
