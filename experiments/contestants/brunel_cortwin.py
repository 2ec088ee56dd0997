"""Brunel's network here: the page `brunel`, run by itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from cortwin.models import brunel
from cortwin.network import run_network
from cortwin.speed.fallbacks import fallbacks


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the program; each call draws the network and runs it from its beginning."""
    scale = case["n_e"] / brunel.EXCITATORY
    model = brunel.model(
        g=case["g"], eta=case["eta"], scale=scale, indegree=case["c_e"], spread=case.get("spread", 0.0)
    )
    threads = int(os.environ["CORTWIN_THREADS"])

    def simulate() -> dict[str, Any]:
        done = run_network(model, duration=case["seconds"], dt=1e-4, seed=1, threads=threads)
        spikes = sum(table.sizes["event"] for table in done.spikes.values())
        return {"seconds": done.stepping_seconds, "spikes": spikes, "fallbacks": fallbacks(done.code_objects)}

    return simulate
