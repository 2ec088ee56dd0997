"""Thresholds: the condition, compared exactly forward, with a surrogate derivative backward."""

from __future__ import annotations

import ast
from typing import Any

import jax.numpy as jnp
import numpy as np
from brian2.groups.neurongroup import Thresholder

from cortwin.xla.compiler import Compilation
from cortwin.xla.environment import Block, Execution, key_of
from cortwin.xla.events import events_key
from cortwin.xla.expressions import Evaluator
from cortwin.xla.registry import Operation, Values, translates
from cortwin.xla.stateupdate import updated_code
from cortwin.xla.surrogate import Derivative, spike


class SpikeEvaluator(Evaluator):
    """Conditions as floats 0 and 1: an inequality is a spike of the difference of its sides, `and` is a product."""

    derivative: Derivative

    def compare(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        above = super().compare(op, left, right)
        match op:
            case ast.Gt() | ast.GtE():
                return spike(self.derivative, above, jnp.asarray(left - right, jnp.float64))
            case ast.Lt() | ast.LtE():
                return spike(self.derivative, above, jnp.asarray(right - left, jnp.float64))
        return jnp.asarray(above, jnp.float64)

    def every(self, values: list[Any]) -> Any:
        result = jnp.asarray(values[0], jnp.float64)
        for value in values[1:]:
            result = result * jnp.asarray(value, jnp.float64)
        return result

    def some(self, values: list[Any]) -> Any:
        return self.negate(self.every([self.negate(value) for value in values]))

    def negate(self, value: Any) -> Any:
        return 1.0 - jnp.asarray(value, jnp.float64)


@translates(Thresholder)
def thresholder(runner: Any, compilation: Compilation) -> Operation:
    """Find the events of this step; spikes make their neurons refractory, if the group has refractoriness."""
    block = Block(runner, updated_code(runner, compilation), compilation)
    group, clock = runner.group, runner.clock
    spikes = events_key(group, runner.event)
    n_neurons = len(group)
    evaluator = type("SpikeEvaluator", (SpikeEvaluator,), {"derivative": staticmethod(compilation.surrogate)})
    refractory = runner.template_kwds["_uses_refractory"]
    writes = {spikes}
    if refractory:
        not_refractory, last_spike = (key_of(group.variables[name]) for name in ("not_refractory", "lastspike"))
        writes |= {not_refractory, last_spike}
        time = key_of(clock.variables["t"])

    def step(values: Values) -> dict[str, Any]:
        condition = Execution(block, values, evaluator=evaluator).run().local["_cond"]
        now = jnp.broadcast_to(jnp.asarray(condition, jnp.float64), (n_neurons,))
        if not refractory:
            return {spikes: now}
        return {
            spikes: now,
            not_refractory: values[not_refractory] & ~(now > 0),
            last_spike: jnp.where(now > 0, values[time], values[last_spike]),
        }

    return Operation(runner.name, clock, writes=frozenset(writes), step=step, hidden={spikes: np.zeros(n_neurons)})
