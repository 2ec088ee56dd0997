"""A dense rate network in stock Brian2: a summed variable over all-to-all synapses, in C++ standalone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Network, NeuronGroup, Synapses, defaultclock, device, ms, prefs, set_device

WARM_UP = False


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the network; each call runs it from its beginning."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
    set_device("cpp_standalone", build_on_run=False)
    defaultclock.dt = 1 * ms
    n = case["units"]
    generator = np.random.default_rng(1)
    units = NeuronGroup(
        n,
        """dx/dt = (-x + recurrent)/tau : 1
           recurrent : 1
           r = tanh(x) : 1 (constant over dt)""",
        method="euler",
        namespace={"tau": 100 * ms},
    )
    synapses = Synapses(units, units, "w : 1\nrecurrent_post = w*r_pre : 1 (summed)")
    synapses.connect()
    # Brian2 numbers synapses by source, then target.
    synapses.w = (1.5 * generator.standard_normal((n, n)) / np.sqrt(n)).T.ravel()
    units.x = generator.standard_normal(n)
    Network(units, synapses).run(case["steps"] * ms)
    device.build(directory=os.getcwd(), run=False)

    def simulate() -> dict[str, Any]:
        device.run()
        return {"seconds": device._last_run_time, "spread": float(np.std(units.x[:]))}

    return simulate
