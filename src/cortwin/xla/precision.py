"""Which type real numbers have: float64, as in C++, or float32 where speed counts more than equal spikes.

In float32 the state, the parameters and what is computed from them are float32. Time stays float64: at 0.1 ms a step,
float32 cannot tell one step from the next after half an hour, and Brian2's guard against rounding, a thousandth of a
step, is lost after a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cortwin.errors import CortwinError

DTYPES = ("float64", "float32")

#: Variables of every group that hold times of the clock
TIMES = ("lastspike",)


def real_dtype(name: str) -> np.dtype:
    """Return the type of that name.

    Raises
    ------
    CortwinError
        If it is not one of `DTYPES`.
    """
    if name not in DTYPES:
        raise CortwinError(f"dtype '{name}' is not one of {', '.join(DTYPES)}")
    return np.dtype(name)


def stored_dtype(name: str, dtype: Any, real: np.dtype) -> np.dtype:
    """Return the type in which a variable of Brian2's type is stored.

    Parameters
    ----------
    name : of the variable, or ``"object.variable"``
    dtype : Brian2's type of it
    real : the program's type of real numbers
    """
    times = name.rpartition(".")[2] in TIMES
    return real if np.issubdtype(dtype, np.floating) and not times else np.dtype(dtype)


def alike(values: Sequence[Any]) -> list[Any]:
    """Let single numbers take the type of the arrays that they meet, as Python's own numbers do.

    Without it one constant in float64 would make a float32 array float64.
    """
    arrays = [value.dtype for value in values if isinstance(value, jax.Array) and value.ndim and _is_real(value)]
    if not arrays:
        return list(values)
    dtype = jnp.result_type(*arrays)
    return [
        jnp.asarray(value, dtype) if np.ndim(value) == 0 and _is_real(value) and value.dtype != dtype else value
        for value in values
    ]


def _is_real(value: Any) -> bool:
    return isinstance(value, jax.Array | np.generic) and jnp.issubdtype(value.dtype, jnp.floating)
