"""The cortical microcircuit in NEST: `iaf_psc_exp`, fixed total numbers of synapses, a Poisson generator a population.

A copy of the synapse model for each target population, because NEST allows 134 million connections of one model and
thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import nest  # type: ignore[import-not-found]

NEURON = {"C_m": 250.0, "tau_m": 10.0, "tau_syn_ex": 0.5, "tau_syn_in": 0.5, "t_ref": 2.0}
POTENTIALS = {"E_L": -65.0, "V_th": -50.0, "V_reset": -65.0}


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the network of ``case``, as `microcircuit_brian2.py` does, and let it go on at each call."""
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=int(os.environ["OMP_NUM_THREADS"]), rng_seed=1, print_time=False)
    began = time.perf_counter()
    recorder = nest.Create("spike_recorder")
    populations = []
    for k, size in enumerate(case["neurons"]):
        neurons = nest.Create("iaf_psc_exp", size, params={**NEURON, **POTENTIALS, "I_e": case["current"][k]})
        neurons.V_m = nest.random.normal(case["start"][k], case["start_sd"][k])
        drive = nest.Create("poisson_generator", params={"rate": 8.0 * case["external"][k]})
        nest.Connect(drive, neurons, syn_spec={"weight": case["external_weight"], "delay": 1.5})
        nest.Connect(neurons, recorder)
        populations.append(neurons)
    for i, target in enumerate(populations):
        nest.CopyModel("static_synapse", f"to_{i}")
        for j, source in enumerate(populations):
            number, weight = case["synapses"][i][j], case["weight"][i][j]
            if number == 0:
                continue
            delay = 0.75 if j % 2 else 1.5
            bounds = {"max": 0.0} if weight < 0 else {"min": 0.0}
            synapse = {
                "synapse_model": f"to_{i}",
                "weight": nest.math.redraw(
                    nest.random.normal(weight, abs(0.1 * weight)), **{"min": -1e9, "max": 1e9, **bounds}
                ),
                "delay": nest.math.redraw(nest.random.normal(delay, delay / 2), min=0.05, max=1e9),
            }
            nest.Connect(source, target, {"rule": "fixed_total_number", "N": number}, synapse)
    nest.Prepare()
    build = time.perf_counter() - began

    def simulate() -> dict[str, Any]:
        before = recorder.n_events
        start = time.perf_counter()
        nest.Run(1e3 * case["seconds"])
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "spikes": recorder.n_events - before, "build": build}

    return simulate
