"""A training step of a recurrent LIF network here: `cortwin.differentiate` of plain Brian2 objects, and Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from cortwin.differentiation import differentiate
from cortwin.recurrent_lif import PARAMETERS, RecurrentLIF


def prepare(case: dict[str, Any]) -> Callable[[], None]:
    """Compile the step, or the forward run alone; each call makes the case's updates."""
    sizes = RecurrentLIF(*(case[name] for name in ("inputs", "units", "outputs", "dt", "tau_m", "tau_s")))
    start = sizes.initial(np.random.default_rng(2))
    generator = np.random.default_rng(1)
    shapes = ((case["batch"], case["steps"], case[name]) for name in ("inputs", "outputs"))
    inputs, targets = (generator.random(shape, dtype=np.float32) for shape in shapes)
    network = sizes.network(inputs[0], start)
    program = differentiate(network, [*PARAMETERS, "stimulus"], namespace={}, dtype="float32")
    run = program.function(case["steps"] * case["dt"])
    optimizer = optax.adam(1e-3)

    def loss(parameters: dict[str, jax.Array]) -> jax.Array:
        def output(shown: jax.Array) -> jax.Array:
            return run({**parameters, "stimulus": shown}, None)["output"]["y"]

        return ((jax.vmap(output)(inputs) - targets) ** 2).mean()

    @jax.jit
    def step(parameters: Any, state: Any) -> Any:
        change, state = optimizer.update(jax.grad(loss)(parameters), state, parameters)
        return optax.apply_updates(parameters, change), state

    forward = jax.jit(loss)
    first = {name: jnp.asarray(start[name], jnp.float32) for name in PARAMETERS}

    def update() -> None:
        parameters, state = first, optimizer.init(first)
        for _ in range(case["updates"]):
            if case["gradient"]:
                parameters, state = step(parameters, state)
            else:
                jax.block_until_ready(forward(parameters))
        jax.block_until_ready(parameters)

    return update
