"""A trained LIF network here: the page `lif`, all trials in one batch that shares the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cortwin.activity import activity
from cortwin.models import lif
from cortwin.simulation import simulate
from cortwin.speed.fallbacks import fallbacks


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the program; each call simulates every trial."""
    n, trials = case["units"], case["trials"]
    generator = np.random.default_rng(1)
    low, high = case["background"]
    values = {
        "W_rec": case["jump"] * generator.standard_normal((n, n)) / np.sqrt(n),
        "b": generator.uniform(low, high, n),
        "W_in": generator.standard_normal((n, case["inputs"])) / np.sqrt(case["inputs"]),
        "v0": generator.uniform(size=n),
    }
    shown = case["noise"] * generator.standard_normal((trials, round(case["seconds"] / 0.01), case["inputs"]))
    inputs = activity(shown, dt=0.01, last="input", name="stimulus")
    model = lif.model("exponential_euler")

    def run() -> dict[str, Any]:
        done = simulate(model, "spiking", values, inputs, dt=1e-4, record_dt=0.1, spikes=True, batch=trials)
        return {
            "seconds": done.stepping_seconds,
            "spikes": done.spike_count,
            "fallbacks": fallbacks(done.code_objects),
        }

    return run
