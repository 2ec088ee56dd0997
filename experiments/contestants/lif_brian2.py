"""A trained LIF network, every neuron connected to every other, in stock Brian2's C++ standalone.

``case["copies"]`` is how many trials one run holds: all, each with synapses of its own, or one, run again and again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import (
    Network,
    NeuronGroup,
    SpikeMonitor,
    Synapses,
    TimedArray,
    defaultclock,
    device,
    ms,
    prefs,
    second,
    set_device,
)

WARM_UP = False


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the program; each call simulates every trial."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
    set_device("cpp_standalone", build_on_run=False)
    defaultclock.dt = 0.1 * ms
    n, trials = case["units"], case["trials"]
    copies = min(case["copies"], trials)
    generator = np.random.default_rng(1)
    W = case["jump"] * generator.standard_normal((n, n)) / np.sqrt(n)
    low, high = case["background"]
    background = generator.uniform(low, high, n)
    shown = case["noise"] * generator.standard_normal((round(case["seconds"] / 0.01), copies * n))
    namespace = {"tau_m": 20 * ms, "stimulus": TimedArray(shown, dt=10 * ms)}
    neurons = NeuronGroup(
        copies * n,
        """dv/dt = (stimulus(t, i) + b - v)/tau_m : 1 (unless refractory)
           b : 1 (constant)""",
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,  # type: ignore[arg-type]
        method="exponential_euler",
        namespace=namespace,
    )
    synapses = Synapses(neurons, neurons, "w : 1", on_pre="v_post += w", delay=1.5 * ms)
    source, target = np.repeat(np.arange(n), n), np.tile(np.arange(n), n)
    trial = n * np.arange(copies)[:, None]
    synapses.connect(i=(source + trial).ravel(), j=(target + trial).ravel())
    synapses.w = np.tile(W.T.ravel(), copies)
    neurons.b = np.tile(background, copies)
    neurons.v = generator.uniform(size=copies * n)
    monitor = SpikeMonitor(neurons)
    Network(neurons, synapses, monitor).run(case["seconds"] * second)
    device.build(directory=os.getcwd(), run=False)

    def simulate() -> dict[str, Any]:
        seconds, spikes = 0.0, 0
        for _ in range(trials // copies):
            device.run()
            seconds += float(device._last_run_time)  # type: ignore[arg-type]
            spikes += int(monitor.num_spikes)
        return {"seconds": seconds, "spikes": spikes}

    return simulate
