"""How XLA is told to compile an update.

Measured on one core (CPU time of an update of the LSTM page, float32, AVX-512), these options take off 11 % at
(units, steps, batch) = (100, 100, 32) and 9 % at (256, 100, 64); values agree to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import jax

ON_A_CPU: Mapping[str, Any] = {
    # Eigen's products of a few dozen rows, and of thousands of them, beat those of YNNPACK that XLA takes by default.
    "xla_cpu_experimental_ynn_fusion_type": "",
    # Else LLVM keeps to vectors of 256 bits where the processor has 512.
    "xla_cpu_prefer_vector_width": 512,
}
# With this flag XLA writes small products out itself; of an update of 10 gated units, in vectors of 512 bits, jaxlib
# 0.10.2 makes so much code that LLVM takes all memory.
WRITTEN_OUT = "--xla_cpu_multi_thread_eigen=false"


@cache
def compiler_options() -> dict[str, Any]:
    """Return options for `jax.jit`: those that the installed XLA knows, on a CPU; else none."""
    if jax.default_backend() != "cpu":
        return {}
    wanted = dict(ON_A_CPU)
    if WRITTEN_OUT in os.environ.get("XLA_FLAGS", ""):
        del wanted["xla_cpu_prefer_vector_width"]
    return {name: value for name, value in wanted.items() if _known(name, value)}


def _known(name: str, value: Any) -> bool:
    """Return whether XLA takes an option: their names are no promise."""
    try:
        jax.jit(lambda: 0.0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
