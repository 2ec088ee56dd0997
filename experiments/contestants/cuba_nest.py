"""The benchmark CUBA of Brette et al. 2007 in NEST: `iaf_psc_exp`, pairwise Bernoulli connections."""

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
    n = case["neurons"]
    neuron = {"C_m": 200.0, "tau_m": 20.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0, "t_ref": 5.0}
    neuron |= {"E_L": -49.0, "V_th": -50.0, "V_reset": -60.0}
    neurons = nest.Create("iaf_psc_exp", n, params=neuron)
    neurons.V_m = nest.random.uniform(-60.0, -50.0)
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    # A current of 10 pA moves the potential of a membrane of 10 nS by 1 mV; NEST's shortest delay is one step.
    rule = {"rule": "pairwise_bernoulli", "p": case["probability"]}
    nest.Connect(neurons[: 4 * n // 5], neurons, rule, {"weight": 16.2, "delay": 0.1})
    nest.Connect(neurons[4 * n // 5 :], neurons, rule, {"weight": -90.0, "delay": 0.1})
    nest.Prepare()

    def simulate() -> dict[str, Any]:
        before = recorder.n_events
        start = time.perf_counter()
        nest.Run(1e3 * case["seconds"])
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "spikes": recorder.n_events - before}

    return simulate
