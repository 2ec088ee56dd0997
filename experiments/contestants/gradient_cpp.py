"""The forward run of the same Brian2 network in C++: all trials side by side, with its files and its process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from cortwin.cpp.plain import compiled
from cortwin.recurrent_lif import RecurrentLIF

PROGRAM = ExitStack()  # stays until the process ends


def prepare(case: dict[str, Any]) -> Callable[[], None]:
    """Build the program; each call runs it as often as the others make updates."""
    sizes = RecurrentLIF(*(case[name] for name in ("inputs", "units", "outputs", "dt", "tau_m", "tau_s")))
    start = sizes.initial(np.random.default_rng(2))
    shown = np.random.default_rng(1).random((case["batch"], case["steps"], case["inputs"]), dtype=np.float32)
    _, run = PROGRAM.enter_context(compiled(lambda: sizes.network(shown, start), case["steps"] * case["dt"]))

    def update() -> None:
        for _ in range(case["updates"]):
            run()

    return update
