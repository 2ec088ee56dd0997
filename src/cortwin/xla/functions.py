"""Brian2's functions over `jax.numpy`.

A function of the user's runs by its implementation for the target ``"jax"``, if it carries one
(``f.implementations.add_implementation("jax", jax_function)``, Brian2's own way to add a language), and otherwise by
its Python code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from brian2.core.functions import DEFAULT_FUNCTIONS, Function

from cortwin.xla.python_functions import NotTraceable, over_jax


def _to_int32(value):
    return jnp.asarray(value).astype(jnp.int32)


def _exprel(x):
    """Return (exp(x) - 1) / x, which is 1 at x = 0; the inner `where` keeps the gradient finite there."""
    x = jnp.asarray(x)
    x = x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float64)
    safe = jnp.where(jnp.abs(x) < 1e-16, 1.0, x)
    return jnp.where(jnp.abs(x) < 1e-16, 1.0, jnp.expm1(safe) / safe)


def _timestep(t, dt):
    """Return the step that a time belongs to; the shift by dt/1000 is Brian2's guard against rounding."""
    return jnp.asarray((t + 1e-3 * dt) / dt).astype(jnp.int64)


#: name in Brian2 -> function over `jax.numpy`
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": jnp.abs,
    "arccos": jnp.arccos,
    "arcsin": jnp.arcsin,
    "arctan": jnp.arctan,
    "ceil": lambda x: _to_int32(jnp.ceil(x)),
    "clip": lambda x, low, high: jnp.minimum(jnp.maximum(x, low), high),
    "cos": jnp.cos,
    "cosh": jnp.cosh,
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "exprel": _exprel,
    "floor": lambda x: _to_int32(jnp.floor(x)),
    "int": _to_int32,
    "log": jnp.log,
    "log10": jnp.log10,
    "log1p": jnp.log1p,
    "sign": jnp.sign,
    "sin": jnp.sin,
    "sinh": jnp.sinh,
    "sqrt": jnp.sqrt,
    "tan": jnp.tan,
    "tanh": jnp.tanh,
    "timestep": _timestep,
}


def jax_function(name: str, function: Function) -> Callable[..., Any]:
    """Return the JAX version of a Brian2 function.

    Raises
    ------
    NotTraceable
        With the reason, if there is none.
    """
    if not function.stateless:
        raise NotTraceable("is random or keeps a state")
    if function is DEFAULT_FUNCTIONS.get(name):
        return FUNCTIONS[name]
    try:
        return function.implementations["jax"].get_code(None)
    except KeyError:
        return over_jax(function, FUNCTIONS)
