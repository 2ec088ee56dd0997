"""How many threads linear algebra may use."""

from __future__ import annotations

import os
from collections.abc import Sequence

# Linear algebra in several threads rounds differently from machine to machine, and trials run in processes anyway.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def threads_in_words(fixed: Sequence[str]) -> str:
    """Say for a manifest which of the variables the command fixed, and which the user had set."""
    left = [f"{variable}={os.environ[variable]}" for variable in THREAD_VARIABLES if variable not in fixed]
    return f"BLAS fixed to 1{' except as the user set them: ' + ', '.join(left) if left else ''}"
