"""Random numbers: drawn from a JAX key at every step, or handed in.

Every place in the code where Brian2 draws has a name, ``"runner.function"`` (``"cells_stateupdater.randn"``; the next
one of the same runner ends in ``_2``), and draws one number for each element at each step of the runner's clock. Draws
that are handed in make a noisy run an ordinary function, the same in C++ and in XLA, and open to centred differences.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.input.binomial import BinomialFunction
from brian2.input.poissoninput import PoissonInput

from cortwin.xla.registry import Values

#: name of the run's key among its values
KEY = "_random.key"

#: (key, shape, arguments of the call) -> draws
Sampler = Callable[..., jax.Array]


def _uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.uniform(key, shape, jnp.float64)


def _normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.normal(key, shape, jnp.float64)


def _poisson(key: jax.Array, shape: tuple[int, ...], rate: Any) -> jax.Array:
    return jax.random.poisson(key, jnp.broadcast_to(jax.lax.stop_gradient(rate), shape), shape, jnp.int32)


def _of_poisson_input(runner: PoissonInput) -> Sampler:
    """Return the counts of a PoissonInput: binomial, or where Brian2 takes a normal approximation, that one."""
    n, p = int(runner.N), float(runner.rate) * runner.clock.dt_
    if n * p > 5 and n * (1 - p) > 5:
        mean, deviation = n * p, np.sqrt(n * p * (1 - p))
        return lambda key, shape: mean + deviation * _normal(key, shape)
    return lambda key, shape: jax.random.binomial(key, float(n), p, shape, jnp.float64)


_SAMPLERS: dict[str, Sampler] = {"rand": _uniform, "randn": _normal, "poisson": _poisson}


def sampler_of(name: str, function: Function, runner: Any) -> Sampler | None:
    """Return how a function of the code draws, None if it is not one that is known to be random."""
    if isinstance(function, BinomialFunction):
        return _of_poisson_input(runner) if isinstance(runner, PoissonInput) else None
    if function is DEFAULT_FUNCTIONS.get(name):
        return _SAMPLERS.get(name)
    return None


@dataclass(frozen=True)
class Draw:
    """One place in the code that draws.

    Attributes
    ----------
    name : under which draws can be handed in, (n_steps, n_elements)
    number : tells the places of a network apart
    size : number of elements
    clock : of the runner
    timestep : key of the clock's step
    sampler : how it draws
    arguments : of the call
    real : type of real numbers
    """

    name: str
    number: int
    size: int
    clock: Any
    timestep: str
    sampler: Sampler
    arguments: tuple[ast.expr, ...]
    real: np.dtype

    def __call__(self, values: Values, arguments: tuple[Any, ...]) -> jax.Array:
        """Return this step's numbers, (n_elements,)."""
        step = values[self.timestep]
        if self.name in values:
            return self._stored(values[self.name][step])
        own = jax.random.fold_in(jax.random.fold_in(values[KEY], self.number), step)
        return self._stored(self.sampler(own, (self.size,), *arguments))

    def _stored(self, drawn: jax.Array) -> jax.Array:
        return drawn.astype(self.real) if jnp.issubdtype(drawn.dtype, jnp.floating) else drawn


class CallsToDraws(ast.NodeTransformer):
    """Put a name in the place of every call that draws.

    Parameters
    ----------
    functions : names of the functions that draw
    draw : (name of the function, arguments) -> name for its result
    """

    def __init__(self, functions: set[str], draw: Callable[[str, tuple[ast.expr, ...]], str]):
        self.functions, self.draw = functions, draw

    def visit_Call(self, node: ast.Call) -> ast.expr:
        arguments = [self.visit(argument) for argument in node.args]
        if isinstance(node.func, ast.Name) and node.func.id in self.functions:
            return ast.Name(self.draw(node.func.id, tuple(arguments)))
        return ast.Call(func=node.func, args=arguments, keywords=[])
