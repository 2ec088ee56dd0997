"""The forward run of the same Brian2 network in C++, all trials side by side, with its files and its process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np

from cortwin.cpp.plain import compiled
from cortwin.errors import CortwinError
from cortwin.recurrent_lif import RecurrentLIF
from cortwin.speed.spiking.case import DT, TAU_M, TAU_S
from cortwin.speed.spiking.case import SpikingCase as Case


def prepare(case: Case) -> Callable[[], None]:
    """Return a function that makes the case's updates."""
    if case.gradient:
        raise CortwinError("C++ has no gradient: time its forward run")
    sizes = RecurrentLIF(case.inputs, case.units, case.outputs, dt=DT, tau_m=TAU_M, tau_s=TAU_S)
    start = sizes.initial(np.random.default_rng(2))
    stack = ExitStack()  # the program stays until the process ends
    make = compiled(lambda: sizes.network(case.data()[0], start), case.steps * DT)
    _, run = stack.enter_context(make)

    def update() -> None:
        for _ in range(case.updates):
            run()

    update.stack = stack  # type: ignore[attr-defined]
    return update
