"""A user's Python function over JAX arrays: its own code, with NumPy's and Brian2's names read as those of `jax.numpy`.

Quantities around the function become numbers in base units, as in Brian2's C++ code. What cannot be traced this way (a
branch on a value, a loop until something holds, a random number) is refused with the reason.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brian2.core.functions import Function
from brian2.units.fundamentalunits import Quantity

#: elements in the array on which a function is tried
TRIED = 3


class NotTraceable(Exception):
    """The reason why a Python function cannot run over JAX arrays."""


def over_jax(function: Function, by_name: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    """Return a Brian2 function's Python implementation as a function over JAX arrays.

    Parameters
    ----------
    function : made from a Python function
    by_name : Brian2's own functions over `jax.numpy`, by their names

    Raises
    ------
    NotTraceable
        With the reason.
    """
    original = getattr(function.pyfunc, "_orig_func", function.pyfunc)  # without the decorator that checks units
    if not isinstance(original, types.FunctionType):
        raise NotTraceable("is no plain Python function")
    translated = _translate_function(original, by_name, {})
    arguments = [jax.ShapeDtypeStruct((TRIED,), jnp.float64)] * len(function._arg_units or ())
    try:
        shape = jax.eval_shape(lambda *values: jnp.asarray(translated(*values)), *arguments).shape
    except Exception as error:  # whatever the user's code raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise NotTraceable(f"cannot run over JAX arrays ({reason})") from error
    if shape not in ((), (TRIED,)):
        raise NotTraceable(f"gives an array of shape {shape} for arguments of shape {(TRIED,)}")
    return translated


def _translate_function(
    function: types.FunctionType, by_name: dict[str, Callable[..., Any]], made: dict[int, types.FunctionType]
) -> types.FunctionType:
    if id(function) in made:
        return made[id(function)]

    def translate(value: Any) -> Any:
        return _translate(value, by_name, made)

    own: dict[str, Any] = {"__builtins__": function.__globals__.get("__builtins__", {})}
    closure = tuple(types.CellType() for _ in function.__closure__ or ())
    copied = types.FunctionType(function.__code__, own, function.__name__, None, closure or None)
    made[id(function)] = copied
    copied.__defaults__ = tuple(map(translate, function.__defaults__)) if function.__defaults__ else None
    copied.__kwdefaults__ = {name: translate(value) for name, value in (function.__kwdefaults__ or {}).items()} or None
    for name in _names(function.__code__):
        if name in function.__globals__:
            own[name] = translate(function.__globals__[name])
    for cell, outer in zip(closure, function.__closure__ or (), strict=True):
        cell.cell_contents = translate(outer.cell_contents)
    return copied


def _names(code: types.CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*(_names(one) for one in inner))


def _translate(value: Any, by_name: dict[str, Callable[..., Any]], made: dict[int, types.FunctionType]) -> Any:
    if value is np or value is math:
        return jnp
    if isinstance(value, Quantity):
        return np.asarray(value)
    name, module = getattr(value, "__name__", ""), str(getattr(value, "__module__", "") or "")
    if isinstance(value, np.ufunc) or module.split(".")[0] in ("numpy", "math"):
        return getattr(jnp, name, value)
    if module.startswith("brian2") and name in by_name:
        return by_name[name]
    if isinstance(value, types.FunctionType) and not module.startswith("jax"):
        return _translate_function(getattr(value, "_orig_func", value), by_name, made)
    return value
