"""Brunel's network in stock Brian2: C++ standalone, `PoissonInput`, connections listed neuron by neuron."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import (
    Network,
    NeuronGroup,
    PoissonInput,
    SpikeMonitor,
    Synapses,
    defaultclock,
    device,
    ms,
    mV,
    prefs,
    second,
    seed,
    set_device,
)

WARM_UP = False


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the network; ``case["sorted"]`` lists its synapses by source."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
    set_device("cpp_standalone", build_on_run=False)
    seed(1)
    defaultclock.dt = 0.1 * ms
    n_e, n_i, c_e, c_i = (case[name] for name in ("n_e", "n_i", "c_e", "c_i"))
    J, g = case["J"] * mV, case["g"]
    tau_m, theta = 20 * ms, 20 * mV
    nu_ext = case["eta"] * theta / (J * c_e * tau_m)
    neurons = NeuronGroup(
        n_e + n_i,
        "dv/dt = -v/tau_m : volt (unless refractory)",
        threshold="v > theta",
        reset="v = 10*mV",
        refractory=2 * ms,  # type: ignore[arg-type]
        method="exact",
        namespace={"tau_m": tau_m, "theta": theta},
    )
    neurons.v = "10*mV + rand()*10*mV"
    excitatory, inhibitory = neurons[:n_e], neurons[n_e:]
    drive = PoissonInput(neurons, "v", c_e, nu_ext, J)
    generator = np.random.default_rng(1)
    parts = []
    for source, size, degree, weight in ((excitatory, n_e, c_e, J), (inhibitory, n_i, c_i, -g * J)):
        synapses = Synapses(source, neurons, on_pre="v_post += weight", delay=1.5 * ms, namespace={"weight": weight})
        i = generator.integers(size, size=(n_e + n_i) * degree)
        j = np.repeat(np.arange(n_e + n_i), degree)
        if case.get("sorted"):
            order = np.argsort(i, kind="stable")
            i, j = i[order], j[order]
        synapses.connect(i=i, j=j)
        parts.append(synapses)
    monitor = SpikeMonitor(neurons)
    network = Network(neurons, drive, *parts, monitor)
    network.run(case["seconds"] * second)
    device.build(directory=os.getcwd(), run=False)

    def simulate() -> dict[str, Any]:
        device.run()
        return {"seconds": device._last_run_time, "spikes": int(monitor.num_spikes)}

    return simulate
