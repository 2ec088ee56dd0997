"""What runs for every element at every step: updates of the equations, ``run_regularly``, and Poisson input."""

from __future__ import annotations

from typing import Any

from brian2.groups.group import CodeRunner
from brian2.groups.neurongroup import StateUpdater, SubexpressionUpdater
from brian2.input.poissoninput import PoissonInput
from brian2.synapses.synapses import StateUpdater as SynapticStateUpdater
from jax.ad_checkpoint import checkpoint_name

from cortwin.errors import CortwinError
from cortwin.xla.compiler import Compilation
from cortwin.xla.environment import Block, Execution
from cortwin.xla.registry import UPDATED, Operation, Values, translates


@translates(StateUpdater, SynapticStateUpdater, SubexpressionUpdater, CodeRunner, PoissonInput)
def state_updater(updater: Any, compilation: Compilation) -> Operation | None:
    """Run the update of every element of the group, all statements in order."""
    code = updated_code(updater, compilation)
    if not code.strip():
        return None
    block = Block(updater, code, compilation)
    for line in block.lines:
        if block.writes_variable(line) and not block.is_one_to_one(line.name):
            raise CortwinError(
                f"{updater.name}: '{line}' writes '{line.name}' through the index '{block.index_of(line.name)}', which "
                "is not covered where two elements write the same entry"
            )

    of_neurons = isinstance(updater, StateUpdater)

    def step(values: Values) -> dict[str, Any]:
        written = Execution(block, values).run().written()
        # Neurons' values are few beside synapses'.
        return {key: checkpoint_name(value, UPDATED) for key, value in written.items()} if of_neurons else written

    return Operation(updater.name, updater.clock, writes=block.writes(), step=step)


def updated_code(runner: Any, compilation: Compilation) -> str:
    """Return a runner's abstract code as Brian2 makes it before a run.

    Raises
    ------
    CortwinError
        With Brian2's reason, if it cannot make the code.
    """
    try:
        runner.update_abstract_code(run_namespace=compilation.namespace)
    except Exception as error:  # Brian2 raises what sympy, its parsers and its unit checks raise
        message = error.args[0] if error.args else error
        raise CortwinError(f"{runner.name}: {message}") from error
    return str(runner.abstract_code)
