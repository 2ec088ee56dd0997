"""A dense rate network in ANNarchy: rate-coded neurons, an all-to-all projection as a dense matrix."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import ANNarchy as ann  # type: ignore[import-not-found]
import numpy as np

UNIT = ann.Neuron(
    parameters={"tau": 100.0},
    equations=[ann.Variable("tau * dx/dt = -x + sum(exc)", method="explicit"), "r = tanh(x)"],
)


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Compile the network and let it go on for the case's steps at each call."""
    network = ann.Network(dt=1.0, seed=1)
    network.config(num_threads=int(os.environ["OMP_NUM_THREADS"]))
    n = case["units"]
    generator = np.random.default_rng(1)
    population = network.create(geometry=n, neuron=UNIT)
    projection = network.connect(pre=population, post=population, target="exc")
    projection.from_matrix(1.5 * generator.standard_normal((n, n)) / np.sqrt(n), storage_format="dense")
    network.compile(directory="annarchy", silent=True)
    population.x = generator.standard_normal(n)

    def simulate() -> dict[str, Any]:
        start = time.perf_counter()
        network.simulate(1.0 * case["steps"])
        return {"seconds": time.perf_counter() - start, "spread": float(np.std(population.x))}

    return simulate
