"""cortwin's updates, through `cortwin.training.fit` as its users call it: checks and batches are part of the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cortwin.activity import activity
from cortwin.catalogue import page_module
from cortwin.speed.case import Case
from cortwin.training import Options, fit


def prepare(given: dict[str, Any]) -> Callable[[], None]:
    """Return a function that makes the case's updates."""
    case = Case(**given)
    model = page_module(case.cell).model()
    start = model.initial(np.random.default_rng(2), case.inputs, case.units, 1)
    inputs, targets = case.data()
    mask = np.zeros(targets.shape[:2]) if case.last else np.ones(targets.shape[:2])
    mask[:, -1] = 1
    options = Options(
        updates=case.updates,
        interval=case.updates,
        batch_size=None if case.batch == case.trials else case.batch,
        clip=None,
        dtype="float32",
    )
    shown = activity(inputs, dt=1.0, last="input", name="inputs")
    wanted = activity(targets, dt=1.0, last="output", name="targets")

    def update() -> None:
        fit(model, start, shown, wanted, alpha=1.0, options=options, generator=np.random.default_rng(3), mask=mask)

    return update
