"""Conductances of a Hodgkin-Huxley neuron, and an adaptive exponential one, recovered from noisy measurements.

Plain Brian2 neurons are run with parameters that are then forgotten, and found again from the membrane potential with
noise, or from spike times that are moved; with gradients, and without by the simplex method of scipy on the same runs.

Hodgkin & Huxley 1952, doi:10.1113/jphysiol.1952.sp004764; Brette & Gerstner 2005, doi:10.1152/jn.00686.2005.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

import brian2
import jax
import jax.numpy as jnp
import numpy as np
from brian2 import Network, NeuronGroup, Quantity, SpikeMonitor, StateMonitor, ms, mV, nA, nS, pF, second, ufarad

from cortwin import differentiate, figures
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.fitting import search

MEMBRANE, TAU_SPIKES = 1e-3, 10e-3  # V that a loss counts as one; s of the filter on spikes
HH = """
dv/dt = (stimulus(t) - g_leak*(v + 54.4*mV) - g_Na*m**3*h*(v - 50*mV) - g_K*n**4*(v + 77*mV))/C : volt
dm/dt = 1/exprel(-(v/mV + 40)/10)/ms*(1 - m) - 4*exp(-(v/mV + 65)/18)/ms*m : 1
dh/dt = 0.07*exp(-(v/mV + 65)/20)/ms*(1 - h) - h/(1 + exp(-(v/mV + 35)/10))/ms : 1
dn/dt = 0.1/exprel(-(v/mV + 55)/10)/ms*(1 - n) - 0.125*exp(-(v/mV + 65)/80)/ms*n : 1
"""
ADEX = """
dv/dt = (g_leak*(-70.6*mV - v) + g_leak*2*mV*exp((v + 50.4*mV)/(2*mV)) + stimulus(t) - w)/C : volt
dw/dt = (a*(v + 70.6*mV) - w)/tau_w : amp
"""


class Neuron(NamedTuple):
    """A neuron to be fitted: how its network is made, its true parameters, and the step in s."""

    make: Callable[[np.ndarray, float], Network]
    truth: dict[str, Any]
    around: dict[str, Any]
    dt: float
    scale: float


def _network(group: NeuronGroup, stimulus: brian2.TimedArray) -> Network:
    trace = StateMonitor(group, "v", record=True, dt=group.clock.dt, name="trace", when="end")
    group.namespace["stimulus"] = stimulus
    return Network(group, trace, SpikeMonitor(group, name="spikes"))


def hodgkin_huxley(current: np.ndarray, dt: float) -> Network:
    """Return a Hodgkin-Huxley neuron of 1 uF that hears steps of 5 ms of a current."""
    group = NeuronGroup(1, HH, threshold="v > 0*mV", refractory="v > 0*mV", method="rk4", dt=dt * second, name="cell")  # type: ignore
    group.v, group.m, group.h, group.n = -65 * mV, 0.05, 0.6, 0.32
    return _network(group, brian2.TimedArray(10e-6 * (1 + current) * brian2.amp, dt=5 * ms))


def adaptive_exponential(current: np.ndarray, dt: float) -> Network:
    """Return an adaptive exponential neuron that hears steps of 5 ms of a current."""
    group = NeuronGroup(
        1, ADEX, threshold="v > -40*mV", reset="v = -70.6*mV; w += b", method="euler", dt=dt * second, name="cell"
    )
    group.v = -70.6 * mV
    return _network(group, brian2.TimedArray((0.8 + 0.3 * current) * nA, dt=5 * ms))


NEURONS = {
    "hodgkin_huxley": Neuron(
        hodgkin_huxley,
        {"g_leak": 0.3e-3 * brian2.siemens, "g_Na": 120e-3 * brian2.siemens, "g_K": 36e-3 * brian2.siemens},
        {"C": 1 * ufarad},
        0.05e-3,
        1.0,
    ),
    "adex": Neuron(
        adaptive_exponential,
        {"g_leak": 30 * nS, "a": 4 * nS, "b": 0.0805 * nA, "tau_w": 144 * ms},
        {"C": 281 * pF},
        0.1e-3,
        500.0,
    ),
}
# fit -> neuron, whether from spikes, methods
FITS = {
    "HH, potential": ("hodgkin_huxley", False, ("gradient", "simplex")),
    "AdEx, potential": ("adex", False, ("adam", "simplex")),
    "AdEx, spike times": ("adex", True, ("adam", "simplex")),
}


def compute(
    run: Run,
    *,
    seeds: Annotated[int, Parameter("noises and starts", quick=2, minimum=1)] = 10,
    duration: Annotated[Quantity, Parameter("of a measurement", quick=40 * ms, above=0 * ms)] = 200 * ms,  # type: ignore
    noise: Annotated[Quantity, Parameter("s.d. of the potential's noise", above=0 * mV)] = 0.5 * mV,  # type: ignore
    jitter: Annotated[Quantity, Parameter("s.d. of spike times", above=0 * ms)] = 0.5 * ms,  # type: ignore
    away: Annotated[float, Parameter("s.d. of the logarithms from which a search starts", above=0)] = 0.2,
    evaluations: Annotated[int, Parameter("runs of one search", quick=40, minimum=2)] = 200,
) -> Results:
    """Forget and find again."""
    rows: list[dict[str, Any]] = []
    with run.timed("fits"), run.progress("fits", seeds * len(FITS)) as bar:
        for fit, (name, from_spikes, methods) in FITS.items():
            neuron = NEURONS[name]
            truth = {key: float(value) for key, value in neuron.truth.items()}
            objective, record = _objective(run, neuron, float(duration), from_spikes)
            for number in range(seeds):
                generator = run.generator(f"{fit} {number}")
                measured = _measured(record, generator, float(noise), float(jitter) / neuron.dt, from_spikes)
                start = {key: value * np.exp(away * generator.standard_normal()) for key, value in truth.items()}
                for method in methods:
                    found = search(partial(objective, measured), start, method, evaluations=evaluations)
                    cost = {"evaluations": found.evaluations, "seconds": found.seconds, "loss": found.loss}
                    rows.append({"fit": fit, "method": method, "seed": number, "error": found.error(truth), **cost})
                bar.advance()
    metrics = {}
    for fit, method in dict.fromkeys((row["fit"], row["method"]) for row in rows):
        here = [row for row in rows if (row["fit"], row["method"]) == (fit, method)]
        key = f"fit_neuron.{fit.replace(', ', '.').replace(' ', '_')}.{method}"
        for what in ("error", "evaluations", "seconds"):
            metrics[f"{key}.{what}"] = float(np.median([row[what] for row in here]))
    metrics["fit_neuron.brian2modelfitting"] = None
    return Results(
        metrics=metrics,
        reasons={"fit_neuron.brian2modelfitting": _why_not_brian2modelfitting()},
        tables={"fits": rows},
    )


def _objective(run: Run, neuron: Neuron, duration: float, from_spikes: bool) -> tuple[Callable, np.ndarray]:
    """Return (measured, values) -> loss and gradient, compiled once, and what is recorded at the true parameters."""
    steps = round(duration / neuron.dt)
    current = run.generator("current").standard_normal(-(-round(duration * 1e3) // 5))
    network = neuron.make(current, neuron.dt)
    around = {**neuron.truth, **neuron.around}
    program = differentiate(network, list(neuron.truth), namespace=around, scale=neuron.scale)
    simulate = program.function(duration)

    def record(values: Mapping[str, Any]) -> jax.Array:
        records = simulate(values, None)
        return records["spikes"]["raster"][:, 0] if from_spikes else records["trace"]["v"][:, 0]

    def loss(values: Mapping[str, Any], measured: jax.Array) -> jax.Array:
        found = record(values)
        if from_spikes:
            return ((_filtered(found, neuron.dt) - _filtered(measured, neuron.dt)) ** 2).mean()
        return (((found - measured) / MEMBRANE) ** 2).mean()

    both = jax.jit(jax.value_and_grad(loss))
    truth = np.asarray(jax.jit(record)({key: float(value) for key, value in neuron.truth.items()}))
    assert truth.shape == (steps,)
    return lambda measured, values: both(dict(values), measured), truth


def _filtered(spikes: jax.Array, dt: float) -> jax.Array:
    """Return spikes behind a leaky integrator, which van Rossum's distance compares."""
    keep = np.exp(-dt / TAU_SPIKES)

    def step(before: jax.Array, now: jax.Array) -> tuple[jax.Array, jax.Array]:
        after = keep * before + now
        return after, after

    return jax.lax.scan(step, jnp.zeros(()), spikes)[1]


def _measured(
    record: np.ndarray, generator: np.random.Generator, noise: float, jitter: float, from_spikes: bool
) -> np.ndarray:
    """Add noise to a potential, or move spikes by some steps."""
    if not from_spikes:
        return record + noise * generator.standard_normal(record.shape)
    steps = np.flatnonzero(record > 0)
    moved = np.clip(np.round(steps + jitter * generator.standard_normal(steps.size)), 0, record.size - 1)
    raster = np.zeros(record.size)
    raster[moved.astype(int)] = 1
    return raster


def _why_not_brian2modelfitting() -> str:
    try:
        import brian2modelfitting  # type: ignore[import-not-found] # noqa: F401
    except ImportError as error:
        return f"brian2modelfitting cannot be imported: {error}"
    return "brian2modelfitting is installed, but not compared yet"


def draw(results: Results) -> list[Drawing]:
    """Draw errors and runs."""
    return [
        Drawing(
            "recovery",
            figures.recovery(results.tables["fits"]),
            "Parameters found again",
            "The largest relative error of a parameter, and the runs that it took; a point for each of "
            "{parameters.seeds} noises and starts. Simplex: without gradients (scipy, Nelder & Mead).",
        )
    ]


def report(results: Results) -> list[Section]:
    """Tell errors, runs and seconds."""
    columns = {
        "fit": "fit",
        "method": "method",
        "seed": "seed",
        "error": "error",
        "evaluations": "runs",
        "seconds": "s",
    }
    return [
        Section(
            "Fits",
            "A run with its gradient counts as one.",
            drawings=["recovery"],
            tables=[Table("Each fit.", columns, records="fits")],
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
