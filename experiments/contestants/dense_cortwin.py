"""A dense rate network here: the rate writing of the page `elman`, whose input is silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cortwin.activity import activity
from cortwin.models import elman
from cortwin.simulation import simulate
from cortwin.speed.fallbacks import fallbacks

DT = 1e-3


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the program; each call runs every trial from its beginning."""
    n, trials, duration = case["units"], case["trials"], case["steps"] * DT
    generator = np.random.default_rng(1)
    drawn = elman.initial(generator, 1, n, 1)
    W = 1.5 * generator.standard_normal((n, n)) / np.sqrt(n)
    values = drawn._replace(W_rec=W, x0=generator.standard_normal(n))._asdict()
    silence = activity(np.zeros((trials, 1, 1)), dt=duration, last="input", name="silence")
    model = elman.model()

    def run() -> dict[str, Any]:
        done = simulate(model, "rate", values, silence, dt=DT, batch=trials)
        spread = float(done.activity["x"][0, -1].std())
        return {"seconds": done.stepping_seconds, "spread": spread, "fallbacks": fallbacks(done.code_objects)}

    return run
