"""Compiler two: Brian2 objects become a pure, differentiable JAX step and scan.

`compile` reads the very objects that the first compiler turns into C++, takes the abstract code that Brian2 itself
would hand to its code generation, and runs it over `jax.numpy` in Brian2's schedule order. What it does not cover is
refused before anything runs. One file per kind of Brian2 object; a new file in this package that registers a translator
is found by itself (`registry.py`).
"""

from __future__ import annotations

import jax

# The one place where float64 is switched on: spikes at the same step as in C++ need it. It must precede any array.
jax.config.update("jax_enable_x64", True)

from cortwin.xla.compiler import compile as compile  # noqa: E402
from cortwin.xla.functions import FUNCTIONS as FUNCTIONS  # noqa: E402
from cortwin.xla.program import Program as Program  # noqa: E402
from cortwin.xla.registry import Operation as Operation  # noqa: E402
from cortwin.xla.registry import translates as translates  # noqa: E402
from cortwin.xla.surrogate import SURROGATES as SURROGATES  # noqa: E402
from cortwin.xla.surrogate import Derivative as Derivative  # noqa: E402
