"""Brunel's network in NEST: `iaf_psc_delta`, fixed in-degree, a Poisson generator, as in NEST's own example."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import nest  # type: ignore[import-not-found]


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the network and let it go on for the case's time at each call."""
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=int(os.environ["OMP_NUM_THREADS"]), rng_seed=1, print_time=False)
    n_e, n_i, c_e, c_i = (case[name] for name in ("n_e", "n_i", "c_e", "c_i"))
    J, g = case["J"], case["g"]
    neuron = {"C_m": 1.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 10.0, "V_th": 20.0}
    nest.SetDefaults("iaf_psc_delta", neuron)
    excitatory, inhibitory = nest.Create("iaf_psc_delta", n_e), nest.Create("iaf_psc_delta", n_i)
    neurons = excitatory + inhibitory
    neurons.V_m = nest.random.uniform(10.0, 20.0)
    # threshold / (J tau_m) spikes a second bring a neuron just to its threshold
    noise = nest.Create("poisson_generator", params={"rate": 1e3 * case["eta"] * 20.0 / (J * 20.0)})
    recorder = nest.Create("spike_recorder")
    nest.CopyModel("static_synapse", "excitatory", {"weight": J, "delay": 1.5})
    nest.CopyModel("static_synapse", "inhibitory", {"weight": -g * J, "delay": 1.5})
    nest.Connect(noise, neurons, syn_spec="excitatory")
    nest.Connect(neurons, recorder)
    nest.Connect(excitatory, neurons, {"rule": "fixed_indegree", "indegree": c_e}, "excitatory")
    nest.Connect(inhibitory, neurons, {"rule": "fixed_indegree", "indegree": c_i}, "inhibitory")
    nest.Prepare()

    def simulate() -> dict[str, Any]:
        before = recorder.n_events
        start = time.perf_counter()
        nest.Run(1e3 * case["seconds"])
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "spikes": recorder.n_events - before}

    return simulate
