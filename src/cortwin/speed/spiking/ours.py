"""cortwin's training step: `cortwin.differentiate` of a plain Brian2 network, and Adam."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from cortwin.differentiation import differentiate
from cortwin.recurrent_lif import PARAMETERS, RecurrentLIF
from cortwin.speed.spiking.case import DT, TAU_M, TAU_S
from cortwin.speed.spiking.case import SpikingCase as Case


def prepare(case: Case) -> Callable[[], None]:
    """Return a function that makes the case's updates."""
    sizes = RecurrentLIF(case.inputs, case.units, case.outputs, dt=DT, tau_m=TAU_M, tau_s=TAU_S)
    start = sizes.initial(np.random.default_rng(2))
    inputs, targets = (jnp.asarray(array) for array in case.data())
    network = sizes.network(np.asarray(inputs[0]), start)
    program = differentiate(network, [*PARAMETERS, "stimulus"], namespace={}, dtype="float32")
    run = program.function(case.steps * DT)
    optimizer = optax.adam(1e-3)

    def loss(parameters: dict[str, jax.Array]) -> jax.Array:
        def output(shown: jax.Array) -> jax.Array:
            return run({**parameters, "stimulus": shown}, None)["output"]["y"]

        return ((jax.vmap(output)(inputs) - targets) ** 2).mean()

    @jax.jit
    def step(parameters, state):
        if not case.gradient:
            return loss(parameters), state
        change, state = optimizer.update(jax.grad(loss)(parameters), state, parameters)
        return optax.apply_updates(parameters, change), state

    first = {name: jnp.asarray(start[name], jnp.float32) for name in PARAMETERS}

    def update() -> None:
        parameters, state = first, optimizer.init(first)
        for _ in range(case.updates):
            found, state = step(parameters, state)
            parameters = found if case.gradient else parameters
        jax.block_until_ready(found)

    return update
