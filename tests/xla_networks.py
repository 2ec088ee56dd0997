"""Networks for the tests of `cortwin.xla`, and the comparison of a program with Brian2's own engine."""

from __future__ import annotations

import numpy as np
from brian2 import (
    EventMonitor,
    Network,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    defaultclock,
    ms,
    second,
)

from cortwin import xla


def raster_of(monitor: SpikeMonitor, n_steps: int) -> np.ndarray:
    """Return (step, neuron) booleans from the events of a Brian2 monitor that has run."""
    raster = np.zeros((n_steps, len(monitor.source)), dtype=bool)
    steps = np.round(np.asarray(monitor.t / second) / monitor.clock.dt_).astype(int)
    raster[steps, np.asarray(monitor.i)] = True
    assert raster.sum() == len(steps)
    return raster


def assert_same_as_brian2(network: Network, duration: float, *, rtol: float = 1e-10, minimum_spikes: int = 0):
    """Run a network with the program and with Brian2's active engine; every record and final value must agree.

    Returns the results of the program.
    """
    program = xla.compile(network)
    results = program.run(duration)
    network.run(duration * second, namespace={})
    n_compared = 0
    for obj in network.sorted_objects:
        if isinstance(obj, EventMonitor):
            raster = results[f"{obj.name}.raster"]
            assert raster.dtype == bool
            expected = raster_of(obj, raster.shape[0])
            assert expected.sum() >= minimum_spikes, f"only {expected.sum()} spikes"
            np.testing.assert_array_equal(raster, expected, err_msg=obj.name)
            np.testing.assert_array_equal(np.arange(raster.shape[0]) * obj.clock.dt_, results[f"{obj.name}.t"])
            n_compared += 1
        elif isinstance(obj, StateMonitor):
            np.testing.assert_array_equal(results[f"{obj.name}.t"], np.asarray(obj.t / second), err_msg=obj.name)
            for name in obj.recorded_variables:
                expected = np.asarray(obj.variables[name].get_value())
                np.testing.assert_allclose(
                    results[f"{obj.name}.{name}"], expected, rtol=rtol, atol=rtol, err_msg=f"{obj.name}.{name}"
                )
                n_compared += 1
        elif isinstance(obj, (NeuronGroup, Synapses)):
            for name, variable in obj.variables.items():
                if f"{obj.name}.{name}" in results:
                    expected = np.asarray(variable.get_value())
                    found = results[f"{obj.name}.{name}"]
                    assert found.dtype == expected.dtype
                    np.testing.assert_allclose(
                        np.atleast_1d(found), expected, rtol=rtol, atol=rtol, err_msg=f"{obj.name}.{name}"
                    )
                    n_compared += 1
    assert n_compared > 0
    return results


LIF = {
    "exact": """dv/dt = (I - v + g) / tau_m : 1 (unless refractory)
                dg/dt = -g / tau_s : 1
                I : 1""",
    "exponential_euler": """dv/dt = (I - v + g - 0.1 * v * g) / tau_m : 1 (unless refractory)
                            dg/dt = -g / tau_s : 1
                            I : 1""",
}


def lif_network(method: str, delays: str, seed: int, n: int = 200) -> Network:
    """Return recurrent LIF neurons with strong recurrence (a standard deviation of 0.25 thresholds per spike).

    Delays are ``"constant"``, on two pathways of the same synapses, or ``"heterogeneous"``, 0 to 4.9 ms.
    """
    rng = np.random.default_rng(seed)
    defaultclock.dt = 0.1 * ms
    lif = NeuronGroup(
        n,
        LIF[method],
        method=method,
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,
        namespace={"tau_m": 20 * ms, "tau_s": 5 * ms},
        name="lif",
    )
    lif.I = rng.uniform(0.9, 1.6, n)
    lif.v = rng.random(n)
    pre, post = np.nonzero(rng.random((n, n)) < 0.2)
    if delays == "constant":
        pathways = {"fast": "v_post += w", "slow": "g_post += 0.5 * w"}
        recurrent = Synapses(lif, lif, "w : 1", on_pre=pathways, delay={"fast": 1.5 * ms, "slow": 0.8 * ms}, name="rec")
        recurrent.connect(i=pre, j=post)
    else:
        recurrent = Synapses(lif, lif, "w : 1", on_pre="v_post += w; g_post += 0.5 * w", name="rec")
        recurrent.connect(i=pre, j=post)
        recurrent.pre.delay = rng.integers(0, 50, size=pre.size) * 0.1 * ms
    recurrent.w = rng.normal(size=pre.size) * 0.25
    return Network(lif, recurrent, SpikeMonitor(lif, name="spikes"), StateMonitor(lif, "v", record=[0, 7], name="v"))


def rate_network(n: int = 12, n_inputs: int = 3, n_samples: int = 5, seed: int = 0) -> Network:
    """Return rate units, all connected to all, that read a two-dimensional TimedArray; tau 100 ms, dt 10 ms."""
    rng = np.random.default_rng(seed)
    defaultclock.dt = 10 * ms
    stimulus = TimedArray(rng.normal(size=(n_samples, n_inputs)), dt=20 * ms, name="stimulus")
    cortex = NeuronGroup(
        n,
        """dx/dt = (-x + I_rec + b + stimulus(t, channel)) / tau : 1
           r = tanh(x) : 1
           I_rec : 1
           b : 1
           channel : integer (constant)""",
        method="euler",
        namespace={"tau": 100 * ms, "stimulus": stimulus},
        name="cortex",
    )
    cortex.channel = np.arange(n) % n_inputs
    cortex.x = rng.normal(size=n)
    cortex.b = 0.3 * rng.normal(size=n)
    recurrent = Synapses(cortex, cortex, "w : 1\nI_rec_post = w * r_pre : 1 (summed)", name="recurrent")
    recurrent.connect()
    recurrent.w = 1.5 * rng.normal(size=n * n) / np.sqrt(n)
    return Network(cortex, recurrent, StateMonitor(cortex, ["x", "r"], record=True, name="trace"))
