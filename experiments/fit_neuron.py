"""Conductances of a Hodgkin-Huxley neuron, and an adaptive exponential one, recovered from noisy measurements.

Plain Brian2 neurons are run with parameters that are then forgotten, and found again from the membrane potential with
noise, or from spike times that are moved; with gradients, and without by the simplex method of scipy on the same runs.
Potentials are fitted by brian2modelfitting too, where it has an environment: differential evolution (nevergrad's) with
four fifths of the runs, then its least squares (lmfit's) with the rest, within three standard deviations of the start.

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

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import brian2
import jax
import jax.numpy as jnp
import numpy as np
from brian2 import Network, NeuronGroup, Quantity, SpikeMonitor, StateMonitor, ms, mV, nA, nS, pF, second, ufarad
from brian2.units.fundamentalunits import get_unit

from cortwin import differentiate, figures
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.fitting import Found, search
from cortwin.speed import Contestant, Race
from cortwin.speed.environments import FITTED, interpreters, version

SCRIPT = Path(__file__).parent / "contestants" / "fit_brian2modelfitting.py"
COMMAND = "see 'Benchmarks' in the README"
PEER = "brian2modelfitting"
SAMPLES = 20  # runs of a generation of differential evolution
WITHIN = 3.0  # standard deviations of the start
STIMULUS_STEP = 5e-3  # s
FORCED = "spiked(t) > 0.5"  # the threshold of a neuron that is reset where the measured one was

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
    """A neuron to be fitted.

    Attributes
    ----------
    equations, threshold, reset, refractory, method : of Brian2
    hears : draws of a normal distribution -> what it hears, in A
    initial : states that are not zero
    truth, around : parameters that are found again, and those that are known
    dt : s
    scale : of the surrogate
    """

    equations: str
    threshold: str
    reset: str | None
    refractory: str | bool
    method: str
    hears: Callable[[np.ndarray], np.ndarray]
    initial: dict[str, float]
    truth: dict[str, Any]
    around: dict[str, Any]
    dt: float
    scale: float


class Fit(NamedTuple):
    """What is fitted: a neuron, to its potential or its spikes, reset by itself or whenever a measured spike was.

    The jitter is divided by ``sharper``. By ``peer``, brian2modelfitting fits it too.
    """

    neuron: str
    from_spikes: bool
    forced: bool
    methods: tuple[str, ...]
    sharper: float = 1.0
    peer: bool = False


NEURONS = {
    "hodgkin_huxley": Neuron(
        HH,
        threshold="v > 0*mV",
        reset=None,
        refractory="v > 0*mV",
        method="rk4",
        hears=lambda draws: 10e-6 * (1 + draws),
        initial={"v": -65e-3, "m": 0.05, "h": 0.6, "n": 0.32},
        truth={"g_leak": 0.3e-3 * brian2.siemens, "g_Na": 120e-3 * brian2.siemens, "g_K": 36e-3 * brian2.siemens},
        around={"C": 1 * ufarad},
        dt=0.05e-3,
        scale=1.0,
    ),
    "adex": Neuron(
        ADEX,
        threshold="v > -40*mV",
        reset="v = -70.6*mV; w += b",
        refractory=False,
        method="euler",
        hears=lambda draws: 1e-9 * (0.8 + 0.3 * draws),
        initial={"v": -70.6e-3},
        truth={"g_leak": 30 * nS, "a": 4 * nS, "b": 0.0805 * nA, "tau_w": 144 * ms},
        around={"C": 281 * pF},
        dt=0.1e-3,
        scale=500.0,
    ),
}
FITS = {
    "HH, potential": Fit("hodgkin_huxley", False, False, ("gradient", "simplex"), peer=True),
    "AdEx, potential": Fit("adex", False, True, ("gradient", "simplex"), peer=True),
    "AdEx, spikes": Fit("adex", True, True, ("gradient", "simplex")),
    "AdEx, sharp spikes": Fit("adex", True, True, ("gradient", "simplex"), 5.0),
    "AdEx, own resets": Fit("adex", False, False, ("adam", "simplex")),
}


def compute(
    run: Run,
    *,
    peers: Annotated[str, Parameter("folder of the environment brian2modelfitting; none when empty")] = "",
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
    environments = interpreters(peers, FITTED)
    contestants = [Contestant(PEER, SCRIPT, 1, python) for python in environments.values()]
    with (
        Race.running(contestants) as race,
        run.timed("fits"),
        run.progress("fits", seeds * len(FITS)) as bar,
    ):
        for name, fit in FITS.items():
            neuron = NEURONS[fit.neuron]
            truth = {key: float(value) for key, value in neuron.truth.items()}
            moved = float(jitter) / fit.sharper
            seconds = float(duration) * (longer if fit.neuron == "adex" else 1)
            objectives, record = _objectives(run, fit, seconds, moved)
            for number in range(seeds):
                generator = run.generator(f"{name} {number}")
                measured = _measured(record, generator, float(noise), moved, fit)
                start = {key: float(value * np.exp(away * generator.standard_normal())) for key, value in truth.items()}
                searches = []
                for method in fit.methods:
                    objective = partial(objectives[method == "simplex"], measured)
                    objective(start)  # compiled before the search is timed
                    searches.append((method, search(objective, start, method, evaluations=evaluations)))
                if fit.peer and contestants:
                    case = _case(run, fit, measured, start, np.exp(WITHIN * away), evaluations)
                    ((answer,),) = race.measure({**case, "seed": int(generator.integers(2**31))}, 1).values()
                    searches += [(method, Found(**answer[method])) for method in ("evolution", "refined")]
                of_truth = float(objectives[1](measured, truth)[0])
                for method, found in searches:
                    cost = {"evaluations": found.evaluations, "seconds": found.seconds, "loss": found.loss}
                    errors = {f"error.{key}": abs(found.values[key] / truth[key] - 1) for key in truth}
                    worst = {"error": max(errors.values()), "loss.truth": of_truth}
                    rows.append({"fit": name, "method": method, "seed": number, **worst, **cost, **errors})
                bar.advance()
    metrics, reasons = _metrics(rows)
    versions = [
        {"package": peer, "version": version(Path(python), FITTED[peer])} for peer, python in environments.items()
    ]
    return Results(metrics=metrics, reasons=reasons, tables={"fits": rows, "versions": versions})


def _metrics(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return medians over seeds and seconds beside the peer's, and why those are not known."""
    metrics: dict[str, float | None] = {}
    for fit, method in dict.fromkeys((row["fit"], row["method"]) for row in rows):
        here = [row for row in rows if (row["fit"], row["method"]) == (fit, method)]
        key = f"{_key(fit)}.{method}"
        for what in ("error", "evaluations", "seconds"):
            metrics[f"{key}.{what}"] = float(np.median([row[what] for row in here]))
        metrics[f"{key}.error.worst"] = max(row["error"] for row in here)
        for parameter in NEURONS[FITS[fit].neuron].truth:
            metrics[f"{key}.error.{parameter}"] = float(np.median([row[f"error.{parameter}"] for row in here]))
    reasons: dict[str, str] = {}
    for name in (name for name, fit in FITS.items() if fit.peer):
        metric, theirs = f"speed.{_key(name)}.{PEER}", metrics.get(f"{_key(name)}.refined.seconds")
        if theirs is None:
            metrics[metric], reasons[metric] = None, f"{PEER} is not installed: {COMMAND}"
        else:
            ours = metrics[f"{_key(name)}.gradient.seconds"]
            assert ours is not None
            metrics[metric] = theirs / ours
    return metrics, reasons


def _key(fit: str) -> str:
    return f"fit_neuron.{fit.replace(', ', '.').replace(' ', '_')}"


def _heard(run: Run, neuron: Neuron, duration: float) -> np.ndarray:
    """Return what a neuron hears in a duration in s, in A, a sample for each `STIMULUS_STEP`."""
    samples = math.ceil(round(duration / STIMULUS_STEP, 6))
    return neuron.hears(run.generator("current").standard_normal(samples))


def _case(
    run: Run,
    fit: Fit,
    measured: Mapping[str, np.ndarray],
    start: Mapping[str, float],
    factor: float,
    evaluations: int,
) -> dict[str, Any]:
    """Return what brian2modelfitting has to know: equations, measurement, runs, bounds a factor from the start."""
    neuron, steps = NEURONS[fit.neuron], measured["potential"].size
    heard = np.repeat(_heard(run, neuron, steps * neuron.dt), round(STIMULUS_STEP / neuron.dt))[:steps]
    # Where a neuron blows up exprel is zero, and Cython does not divide by that.
    model = neuron.equations.replace("exprel(-(v/", "exprel(-(clip(v, -1*volt, 1*volt)/")
    model = model.replace("stimulus(t)", "stimulus")
    for name, value in neuron.truth.items():
        model += f"{name} : {get_unit(value.dim)!r} (constant)\n"
    for name, value in neuron.around.items():
        model += f"{name} = {float(value)!r}*{get_unit(value.dim)!r} : {get_unit(value.dim)!r}\n"
    model += f"seen = {f'clip(v, -1*volt, {THRESHOLD!r}*volt)' if fit.forced else 'v'} : volt\n"
    rounds = max(1, 4 * evaluations // 5 // SAMPLES)
    return {
        "model": model,
        "method": neuron.method,
        "threshold": FORCED if fit.forced else None,
        "reset": neuron.reset if fit.forced else None,
        "initial": neuron.initial,
        "dt": neuron.dt,
        "stimulus": heard.tolist(),
        "spikes": measured["spikes"].astype(int).tolist(),
        # Recorded before a step there, and after it here.
        "target": [neuron.initial["v"], *measured["potential"][:-1].tolist()],
        "membrane": MEMBRANE,
        "bounds": {name: [value / factor, value * factor] for name, value in start.items()},
        "samples": SAMPLES,
        "rounds": rounds,
        "refinements": max(1, evaluations - rounds * SAMPLES),
    }


def _network(neuron: Neuron, heard: np.ndarray, steps: int, forced: bool) -> Network:
    """Return a neuron that hears a current in steps of `STIMULUS_STEP`, with its potential and spikes recorded.

    Forced, it is reset where the samples of ``spiked`` are 1, whatever its potential.
    """
    dt = neuron.dt * second
    group = NeuronGroup(
        1,
        neuron.equations,
        threshold=FORCED if forced else neuron.threshold,
        reset=neuron.reset,
        refractory=neuron.refractory,  # type: ignore[arg-type]
        method=neuron.method,
        dt=dt,
        name="cell",
    )
    group.set_states(neuron.initial, units=False)
    group.namespace["stimulus"] = brian2.TimedArray(heard * brian2.amp, dt=STIMULUS_STEP * second)
    if forced:
        group.namespace["spiked"] = brian2.TimedArray(np.zeros(steps), dt=dt, name="spiked")
    trace = StateMonitor(group, "v", record=True, dt=dt, name="trace", when="end")
    before = StateMonitor(group, "v", record=True, dt=dt, name="before", when="after_groups")
    return Network(group, trace, before, SpikeMonitor(group, name="spikes"))


def _objectives(
    run: Run, fit: Fit, duration: float, jitter: float
) -> tuple[list[Callable[..., tuple[Any, Any]]], dict[str, np.ndarray]]:
    """Return (measured, values) -> loss and gradient, the same with zeros for a gradient, and the true records."""
    neuron = NEURONS[fit.neuron]
    steps = round(duration / neuron.dt)
    heard = _heard(run, neuron, duration)
    around = {**neuron.truth, **neuron.around}

    def simulation(forced: bool) -> Callable[..., Any]:
        network = _network(neuron, heard, steps, forced)
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


def draw(results: Results) -> list[Drawing]:
    """Draw errors and runs."""
    return [
        Drawing(
            "recovery",
            figures.recovery(results.tables["fits"]),
            "Parameters found again",
            "The largest relative error of a parameter, and the runs that it took; a point for each of "
            "{parameters.seeds} noises and starts. Simplex: without gradients (scipy, Nelder & Mead). "
            "Evolution, and refined by least squares: brian2modelfitting.",
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
    compared = [metric for metric in results.metrics if metric.startswith("speed.")]
    ratios = ", ".join(f"{metric.split('.')[2]} {{{metric}}}" for metric in compared)
    return [
        Section(
            "Fits",
            "A run with its gradient counts as one. Less loss than at the true parameters says that the measurement, "
            f"not the search, sets the error. Seconds of {PEER}, refined, over those with gradients: {ratios}.",
            drawings=["recovery"],
            tables=[
                Table("Each fit.", columns, records="fits"),
                Table("Versions.", {"package": "package", "version": "version"}, records="versions"),
            ],
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
