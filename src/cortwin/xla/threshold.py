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
    real: np.dtype

    def compare(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        above = super().compare(op, left, right)
        match op:
            case ast.Gt() | ast.GtE():
                return spike(self.derivative, above, jnp.asarray(left - right, self.real))
            case ast.Lt() | ast.LtE():
                return spike(self.derivative, above, jnp.asarray(right - left, self.real))
        return jnp.asarray(above, self.real)

    def every(self, values: list[Any]) -> Any:
        result = jnp.asarray(values[0], self.real)
        for value in values[1:]:
            result = result * jnp.asarray(value, self.real)
        return result

    def some(self, values: list[Any]) -> Any:
        return self.negate(self.every([self.negate(value) for value in values]))

    def negate(self, value: Any) -> Any:
        return 1.0 - jnp.asarray(value, self.real)


@translates(Thresholder)
def thresholder(runner: Any, compilation: Compilation) -> Operation:
    """Find the events of this step; spikes make their neurons refractory, if the group has refractoriness."""
    block = Block(runner, updated_code(runner, compilation), compilation)
    group, clock = runner.group, runner.clock
    spikes = events_key(group, runner.event)
    n_neurons = len(group)
    choices = {"derivative": staticmethod(compilation.surrogate), "real": compilation.real}
    evaluator = type("SpikeEvaluator", (SpikeEvaluator,), choices)
    refractory = runner.template_kwds["_uses_refractory"]
    writes = {spikes}
    if refractory:
        not_refractory, last_spike = (key_of(group.variables[name]) for name in ("not_refractory", "lastspike"))
        writes |= {not_refractory, last_spike}
        time = key_of(clock.variables["t"])

    def step(values: Values) -> dict[str, Any]:
        condition = Execution(block, values, evaluator=evaluator).run().local["_cond"]
        now = jnp.broadcast_to(jnp.asarray(condition, block.real), (n_neurons,))
        if not refractory:
            return {spikes: now}
        return {
            spikes: now,
            not_refractory: values[not_refractory] & ~(now > 0),
            last_spike: jnp.where(now > 0, values[time], values[last_spike]),
        }

    return Operation(runner.name, clock, writes=frozenset(writes), step=step, hidden={spikes: np.zeros(n_neurons)})
