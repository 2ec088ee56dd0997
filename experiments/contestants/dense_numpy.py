"""The limit of a dense rate network: NumPy's matrix-vector product, or matrix-matrix product, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def prepare(case: dict[str, Any]) -> Callable[[], None]:
    """Draw the matrix; each call multiplies it with a vector, or with one for each trial, in every step."""
    n, trials, steps = (case[name] for name in ("units", "trials", "steps"))
    generator = np.random.default_rng(1)
    W = 1.5 * generator.standard_normal((n, n)) / np.sqrt(n)
    r = generator.uniform(-1, 1, n if trials == 1 else (n, trials))
    out = np.empty_like(r)

    def multiply() -> None:
        for _ in range(steps):
            np.dot(W, r, out=out)

    return multiply
