"""The benchmark CUBA of Brette et al. 2007 in stock Brian2, as in Brian2's own example, in C++ standalone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from brian2 import (
    Network,
    NeuronGroup,
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

EQUATIONS = """
dv/dt  = (ge + gi - (v - El))/taum : volt (unless refractory)
dge/dt = -ge/taue : volt
dgi/dt = -gi/taui : volt
"""

WARM_UP = False


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the network; each call runs it from its beginning."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
    set_device("cpp_standalone", build_on_run=False)
    seed(1)
    defaultclock.dt = 0.1 * ms
    namespace = {"taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms, "El": -49 * mV, "Vt": -50 * mV, "Vr": -60 * mV}
    namespace |= {"we": 1.62 * mV, "wi": -9 * mV}
    n = case["neurons"]
    P = NeuronGroup(
        n,
        EQUATIONS,
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * ms,  # type: ignore[arg-type]
        method="exact",
        namespace=namespace,
    )
    P.v = "Vr + rand() * (Vt - Vr)"
    Ce = Synapses(P, P, on_pre="ge += we", namespace=namespace)
    Ci = Synapses(P, P, on_pre="gi += wi", namespace=namespace)
    Ce.connect(f"i < {4 * n // 5}", p=case["probability"])
    Ci.connect(f"i >= {4 * n // 5}", p=case["probability"])
    monitor = SpikeMonitor(P)
    Network(P, Ce, Ci, monitor).run(case["seconds"] * second)
    device.build(directory=os.getcwd(), run=False)

    def simulate() -> dict[str, Any]:
        device.run()
        return {"seconds": device._last_run_time, "spikes": int(monitor.num_spikes)}

    return simulate
