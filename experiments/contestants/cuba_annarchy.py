"""The benchmark CUBA of Brette et al. 2007 in ANNarchy, with its exponential integration."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import ANNarchy as ann  # type: ignore[import-not-found]

CUBA = ann.Neuron(
    parameters={"El": -49.0, "Vr": -60.0, "Vt": -50.0, "tau_m": 20.0, "tau_e": 5.0, "tau_i": 10.0},
    equations=[
        ann.Variable("tau_m * dv/dt = (El - v) + g_exc - g_inh", method="exponential"),
        ann.Variable("tau_e * dg_exc/dt = -g_exc", method="exponential"),
        ann.Variable("tau_i * dg_inh/dt = -g_inh", method="exponential"),
    ],
    spike="v > Vt",
    reset="v = Vr",
    refractory=5.0,
)


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Compile the network and let it go on for the case's time at each call."""
    network = ann.Network(dt=0.1, seed=1)
    network.config(num_threads=int(os.environ["OMP_NUM_THREADS"]))
    n = case["neurons"]
    population = network.create(geometry=n, neuron=CUBA)
    population.v = ann.Uniform(-60.0, -50.0)
    for part, target, weight in ((population[: 4 * n // 5], "exc", 1.62), (population[4 * n // 5 :], "inh", 9.0)):
        projection = network.connect(pre=part, post=population, target=target)
        projection.fixed_probability(weights=weight, probability=case["probability"])
    monitor = network.monitor(population, "spike")
    network.compile(directory="annarchy", silent=True)

    def simulate() -> dict[str, Any]:
        start = time.perf_counter()
        network.simulate(1e3 * case["seconds"])
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "spikes": sum(map(len, monitor.get("spike").values()))}

    return simulate
