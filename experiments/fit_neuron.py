"""Conductances of a Hodgkin-Huxley neuron, and an adaptive exponential one, recovered from noisy measurements.

Plain Brian2 neurons are run with parameters that are then forgotten, and found again from the membrane potential with
noise, or from spike times that are moved; with gradients, and without by the simplex method of scipy on the same runs.

An adaptive exponential neuron that spikes by itself has a loss with jumps: one spike more or less shifts all that
follow. So the fitted one is reset when the measured one was, and between two resets both see the same past. From the
potential, the loss is then the squared difference. From spikes it is minus the log-likelihood of a hazard which grows
with the potential and is 1 / jitter where the neuron spikes (an escape rate). `AdEx, own resets` is the fit without
this, by the gradients of a surrogate.

Spikes alone say little of the subthreshold adaptation a: its error falls with the jitter, so `AdEx, sharp spikes` has a
fifth of it.

Hodgkin & Huxley 1952, doi:10.1113/jphysiol.1952.sp004764; Brette & Gerstner 2005, doi:10.1152/jn.00686.2005; Jolivet,
Rauch, Luescher & Gerstner 2006, doi:10.1007/s10827-006-7074-5 (escape rates).
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

MEMBRANE = 1e-3  # V that a loss counts as one
THRESHOLD, SOFTNESS = -40e-3, 1e-3  # V where the adaptive exponential neuron spikes, and over which its hazard grows
RESET_SEEN = 15e-3
HH = """
dv/dt = (stimulus(t) - g_leak*(v + 54.4*mV) - g_Na*m**3*h*(v - 50*mV) - g_K*n**4*(v + 77*mV))/C : volt
dm/dt = 1/exprel(-(v/mV + 40)/10)/ms*(1 - m) - 4*exp(-(v/mV + 65)/18)/ms*m : 1
dh/dt = 0.07*exp(-(v/mV + 65)/20)/ms*(1 - h) - h/(1 + exp(-(v/mV + 35)/10))/ms : 1
dn/dt = 0.1/exprel(-(v/mV + 55)/10)/ms*(1 - n) - 0.125*exp(-(v/mV + 65)/80)/ms*n : 1
"""
ADEX = """
dv/dt = (g_leak*(-70.6*mV - v) + g_leak*2*mV*exp(clip((v + 50.4*mV)/(2*mV), -50, 5.2)) + stimulus(t) - w)/C : volt
dw/dt = (a*(v + 70.6*mV) - w)/tau_w : amp
"""


class Neuron(NamedTuple):
    """A neuron to be fitted: how its network is made, its true parameters, and the step in s."""

    make: Callable[..., Network]
    truth: dict[str, Any]
    around: dict[str, Any]
    dt: float
    scale: float


class Fit(NamedTuple):
    """What is fitted: a neuron, to its potential or its spikes, reset by itself or whenever a measured spike was.

    The jitter is divided by ``sharper``.
    """

    neuron: str
    from_spikes: bool
    forced: bool
    methods: tuple[str, ...]
    sharper: float = 1.0


def _network(group: NeuronGroup, stimulus: brian2.TimedArray) -> Network:
    dt = group.clock.dt
    trace = StateMonitor(group, "v", record=True, dt=dt, name="trace", when="end")
    before = StateMonitor(group, "v", record=True, dt=dt, name="before", when="after_groups")
    group.namespace["stimulus"] = stimulus
    return Network(group, trace, before, SpikeMonitor(group, name="spikes"))


def hodgkin_huxley(current: np.ndarray, dt: float, steps: int, forced: bool) -> Network:
    """Return a Hodgkin-Huxley neuron of 1 uF that hears steps of 5 ms of a current."""
    group = NeuronGroup(1, HH, threshold="v > 0*mV", refractory="v > 0*mV", method="rk4", dt=dt * second, name="cell")  # type: ignore
    group.v, group.m, group.h, group.n = -65 * mV, 0.05, 0.6, 0.32
    return _network(group, brian2.TimedArray(10e-6 * (1 + current) * brian2.amp, dt=5 * ms))


def adaptive_exponential(current: np.ndarray, dt: float, steps: int, forced: bool) -> Network:
    """Return an adaptive exponential neuron that hears steps of 5 ms of a current.

    Forced, it is reset where the samples of ``spiked`` are 1, whatever its potential.
    """
    group = NeuronGroup(
        1,
        ADEX,
        threshold="spiked(t) > 0.5" if forced else "v > -40*mV",
        reset="v = -70.6*mV; w += b",
        method="euler",
        dt=dt * second,
        name="cell",
    )
    group.v = -70.6 * mV
    if forced:
        group.namespace["spiked"] = brian2.TimedArray(np.zeros(steps), dt=dt * second, name="spiked")
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
FITS = {
    "HH, potential": Fit("hodgkin_huxley", False, False, ("gradient", "simplex")),
    "AdEx, potential": Fit("adex", False, True, ("gradient", "simplex")),
    "AdEx, spikes": Fit("adex", True, True, ("gradient", "simplex")),
    "AdEx, sharp spikes": Fit("adex", True, True, ("gradient", "simplex"), 5.0),
    "AdEx, own resets": Fit("adex", False, False, ("adam", "simplex")),
}


def compute(
    run: Run,
    *,
    seeds: Annotated[int, Parameter("noises and starts", quick=2, minimum=1)] = 10,
    duration: Annotated[Quantity, Parameter("of a measurement", quick=40 * ms, above=0 * ms)] = 200 * ms,  # type: ignore
    longer: Annotated[float, Parameter("times that, of an adaptive exponential neuron", above=0)] = 10.0,
    noise: Annotated[Quantity, Parameter("s.d. of the potential's noise", above=0 * mV)] = 0.5 * mV,  # type: ignore
    jitter: Annotated[Quantity, Parameter("s.d. of spike times", above=0 * ms)] = 0.5 * ms,  # type: ignore
    away: Annotated[float, Parameter("s.d. of the logarithms from which a search starts", above=0)] = 0.2,
    evaluations: Annotated[int, Parameter("runs of one search", quick=100, minimum=2)] = 400,
) -> Results:
    """Forget and find again."""
    rows: list[dict[str, Any]] = []
    with run.timed("fits"), run.progress("fits", seeds * len(FITS)) as bar:
        for name, fit in FITS.items():
            neuron = NEURONS[fit.neuron]
            truth = {key: float(value) for key, value in neuron.truth.items()}
            moved = float(jitter) / fit.sharper
            seconds = float(duration) * (longer if fit.neuron == "adex" else 1)
            objectives, record = _objectives(run, fit, seconds, moved)
            for number in range(seeds):
                generator = run.generator(f"{name} {number}")
                measured = _measured(record, generator, float(noise), moved, fit)
                start = {key: value * np.exp(away * generator.standard_normal()) for key, value in truth.items()}
                for method in fit.methods:
                    objective = partial(objectives[method == "simplex"], measured)
                    objective(start)  # compiled before the search is timed
                    found = search(objective, start, method, evaluations=evaluations)
                    cost = {"evaluations": found.evaluations, "seconds": found.seconds, "loss": found.loss}
                    errors = {f"error.{key}": abs(found.values[key] / truth[key] - 1) for key in truth}
                    of_truth = {"error": max(errors.values()), "loss.truth": float(objective(truth)[0])}
                    rows.append({"fit": name, "method": method, "seed": number, **of_truth, **cost, **errors})
                bar.advance()
    metrics = {}
    for fit, method in dict.fromkeys((row["fit"], row["method"]) for row in rows):
        here = [row for row in rows if (row["fit"], row["method"]) == (fit, method)]
        key = f"fit_neuron.{fit.replace(', ', '.').replace(' ', '_')}.{method}"
        for what in ("error", "evaluations", "seconds"):
            metrics[f"{key}.{what}"] = float(np.median([row[what] for row in here]))
        metrics[f"{key}.error.worst"] = max(row["error"] for row in here)
        for parameter in NEURONS[FITS[fit].neuron].truth:
            metrics[f"{key}.error.{parameter}"] = float(np.median([row[f"error.{parameter}"] for row in here]))
    metrics["fit_neuron.brian2modelfitting"] = None
    return Results(
        metrics=metrics,
        reasons={"fit_neuron.brian2modelfitting": _why_not_brian2modelfitting()},
        tables={"fits": rows},
    )


def _objectives(
    run: Run, fit: Fit, duration: float, jitter: float
) -> tuple[list[Callable[..., tuple[Any, Any]]], dict[str, np.ndarray]]:
    """Return (measured, values) -> loss and gradient, the same with zeros for a gradient, and the true records."""
    neuron = NEURONS[fit.neuron]
    steps = round(duration / neuron.dt)
    current = run.generator("current").standard_normal(-(-round(duration * 1e3) // 5))
    around = {**neuron.truth, **neuron.around}

    def simulation(forced: bool) -> Callable[..., Any]:
        network = neuron.make(current, neuron.dt, steps, forced)
        names = [*neuron.truth, "spiked"] if forced else list(neuron.truth)
        return differentiate(network, names, namespace=around, scale=neuron.scale).function(duration)

    simulate = simulation(fit.forced)

    def loss(values: Mapping[str, Any], measured: Mapping[str, jax.Array]) -> jax.Array:
        records = simulate({**values, "spiked": measured["spikes"]} if fit.forced else values, None)
        if fit.from_spikes:
            return _surprise(records["before"]["v"][:, 0], measured["spikes"], neuron.dt, jitter)
        found = records["trace"]["v"][:, 0]
        away = (jnp.minimum(found, THRESHOLD) if fit.forced else found) - measured["potential"]
        return ((away / MEMBRANE) ** 2).mean()

    both, alone = jax.jit(jax.value_and_grad(loss)), jax.jit(loss)
    records = jax.jit(simulation(False))({key: float(value) for key, value in neuron.truth.items()}, None)
    truth = {
        "potential": np.asarray(records["trace"]["v"][:, 0]),
        "spikes": np.asarray(records["spikes"]["raster"][:, 0]),
    }
    assert truth["potential"].shape == (steps,)

    def with_gradient(measured: Mapping[str, Any], values: Mapping[str, float]) -> tuple[Any, Any]:
        return both(dict(values), measured)

    def without(measured: Mapping[str, Any], values: Mapping[str, float]) -> tuple[Any, Any]:
        return alone(dict(values), measured), dict.fromkeys(values, 0.0)

    return [with_gradient, without], truth


def _surprise(potential: jax.Array, spikes: jax.Array, dt: float, jitter: float) -> jax.Array:
    """Return minus the log-likelihood per spike, with a hazard that grows to 1 / jitter where the neuron spikes.

    Parameters
    ----------
    potential : (step,) V, before resets
    spikes : (step,) 0 or 1
    dt, jitter : s
    """
    hazard = (jnp.minimum(potential, THRESHOLD) - THRESHOLD) / SOFTNESS - np.log(jitter)
    return (jnp.exp(hazard) * dt - spikes * hazard).sum() / spikes.sum()


def _measured(
    truth: Mapping[str, np.ndarray], generator: np.random.Generator, noise: float, jitter: float, fit: Fit
) -> dict[str, np.ndarray]:
    """Add noise to a potential, and see the resets in it; or move spikes by some steps."""
    potential = truth["potential"] + noise * generator.standard_normal(truth["potential"].shape)
    if not fit.from_spikes:
        return {"potential": potential, "spikes": np.diff(potential, prepend=potential[0]) < -RESET_SEEN}
    steps = np.flatnonzero(truth["spikes"] > 0)
    moved = np.clip(
        np.round(steps + jitter / NEURONS[fit.neuron].dt * generator.standard_normal(steps.size)), 0, potential.size - 1
    )
    raster = np.zeros(potential.size)
    raster[moved.astype(int)] = 1
    return {"potential": potential, "spikes": raster}


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
        "loss": "loss",
        "loss.truth": "of the truth",
    }
    return [
        Section(
            "Fits",
            "A run with its gradient counts as one. Less loss than at the true parameters says that the measurement, "
            "not the search, sets the error.",
            drawings=["recovery"],
            tables=[Table("Each fit.", columns, records="fits")],
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
