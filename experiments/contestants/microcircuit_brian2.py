"""The cortical microcircuit in stock Brian2's C++ standalone: a group of neurons, two of synapses, listed by source."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonInput,
    SpikeMonitor,
    Synapses,
    defaultclock,
    device,
    ms,
    mV,
    pA,
    pF,
    prefs,
    second,
    seed,
    set_device,
)

EQUATIONS = """
dv/dt = (E_L - v)/tau_m + (I + I_dc)/C_m : volt (unless refractory)
dI/dt = -I/tau_syn : amp
I_dc : amp (constant)
"""


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the network of ``case``, the numbers of `cortwin.models.microcircuit.Circuit`; each call runs it."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
    prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
    set_device("cpp_standalone", build_on_run=False)
    seed(1)
    defaultclock.dt = 0.1 * ms
    generator = np.random.default_rng(1)
    sizes, synapses = np.array(case["neurons"]), np.array(case["synapses"])
    first = np.concatenate([[0], np.cumsum(sizes)])
    namespace = {"E_L": -65 * mV, "V_th": -50 * mV, "tau_m": 10 * ms, "tau_syn": 0.5 * ms, "C_m": 250 * pF}
    neurons = NeuronGroup(
        int(first[-1]),
        EQUATIONS,
        threshold="v > V_th",
        reset="v = E_L",
        refractory=2 * ms,  # type: ignore[arg-type]
        method="exact",
        namespace=namespace,
    )
    neurons.I_dc = np.repeat(case["current"], sizes) * pA
    mean, sd = (np.repeat(case[name], sizes) for name in ("start", "start_sd"))
    neurons.v = (mean + sd * generator.standard_normal(first[-1])) * mV
    parts: list[Any] = [neurons]
    for k, number in enumerate(case["external"]):
        population = neurons[int(first[k]) : int(first[k + 1])]
        parts.append(PoissonInput(population, "I", number, 8 * Hz, case["external_weight"] * pA))
    for inhibitory in (0, 1):
        source, target, weight = [], [], []
        for j in range(inhibitory, 8, 2):
            for i in range(8):
                n = synapses[i, j]
                source.append(generator.integers(first[j], first[j + 1], n))
                target.append(generator.integers(first[i], first[i + 1], n))
                mean_weight = case["weight"][i][j]
                weight.append(mean_weight * (1 + 0.1 * generator.standard_normal(n)))
        sources, targets, weights = (np.concatenate(part) for part in (source, target, weight))
        order = np.argsort(sources, kind="stable")
        d = 0.75 if inhibitory else 1.5
        delay = np.clip(d + d / 2 * generator.standard_normal(order.size), 0.1, None)
        pathway = Synapses(neurons, neurons, "w : amp (constant)", on_pre="I_post += w")
        pathway.connect(i=sources[order], j=targets[order])
        pathway.w = weights[order] * pA
        pathway.delay = delay * ms
        parts.append(pathway)
    monitor = SpikeMonitor(neurons)
    Network(*parts, monitor).run(case["seconds"] * second)
    device.build(directory=os.getcwd(), run=False)

    def simulate() -> dict[str, Any]:
        device.run()
        return {"seconds": device._last_run_time, "spikes": int(monitor.num_spikes)}

    return simulate
