"""The cortical microcircuit, whole: its rates, irregularity, correlations and spectra, a thalamic volley, and its cost.

The page `cortwin.models.microcircuit` through the ordinary engine, every spike recorded, beside the published rates,
its own mean-field theory, and a loop that was written by hand for this one network: its speed is the limit of this
arithmetic on the machine. Networks of several seeds differ from each other as two of one model must; a distance to
anybody else's network is read beside that.
"""

from __future__ import annotations

import math
import resource
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import xarray as xr
from brian2 import Quantity, second
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from cortwin import figures
from cortwin.activity import activity
from cortwin.analysis import (
    MEASURES,
    distance_rows,
    event_triggered_rate,
    population_samples,
    population_spectrum,
    spikes_between,
)
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.experiments import _microcircuit as descriptions
from cortwin.models import microcircuit as page
from cortwin.network import NetworkRun, run_network
from cortwin.simulation import simulate
from cortwin.speed import Contestant, Race
from cortwin.speed.environments import interpreters
from cortwin.speed.loops import compile_loop, loop_spikes, run_loop
from cortwin.training import run_textbook

HERE = Path(__file__).parent
LOOP = HERE / "microcircuit_loop.cpp"
BAND = 0.05, 0.1  # a rate is that of the reference within 5 % or 0.1 Hz
SAMPLE = 1e-3  # s of the thalamic input, and of what is drawn around volleys
VOLLEY, APART, BEFORE, AFTER = 10e-3, 0.3, 20e-3, 80e-3  # s
FIRING = 0.12  # of a thalamic fibre in each millisecond of a volley
SHOWN = 0.4  # s of the raster
SCALES = 0.05, 0.1, 0.2, 0.5, 1.0
TURNS = 5  # of what takes a second or so, of which the median counts
SCALED = (
    " The circuit is scaled down: weights and a constant current keep mean and variance of the input at the rates of "
    "the full one. They cannot keep its correlations, which grow as sources are shared by fewer neurons, nor the size "
    "of a single event, which grows by one over the square root of the scale and lets rates fall (van Albada, Helias & "
    "Diesmann 2015, doi:10.1371/journal.pcbi.1004490). Reference rates are those of the full circuit."
)
SERIES = {
    "rate": "cortwin, median of seeds",
    "reference": "reference (full scale)",
    "theory": "mean field: textbook and rate text",
    "loop": "loop by hand",
}


def compute(
    run: Run,
    *,
    scale: Annotated[float, Parameter("of neurons and in-degrees", quick=0.02, above=0, maximum=1)] = 1.0,
    duration: Annotated[Quantity, Parameter("measured", quick=0.6 * second, above=0 * second)] = 10 * second,  # type: ignore
    settling: Annotated[Quantity, Parameter("left out before", quick=0.2 * second, above=0 * second)] = 0.5 * second,  # type: ignore
    seeds: Annotated[int, Parameter("networks", quick=2, minimum=1)] = 3,
    threads: Annotated[int, Parameter("the largest number of threads", minimum=1)] = 2,
    scales: Annotated[tuple[float, ...], Parameter("at which it is timed", quick=(0.02,), above=0, maximum=1)] = SCALES,
    stock: Annotated[float, Parameter("scale beside stock Brian2, 0 for none", quick=0.0, minimum=0, maximum=1)] = 0.1,
    peers: Annotated[str, Parameter("folder of environments; NEST in that named nest runs at full scale")] = "",
) -> Results:
    """Simulate every seed, hold it against everything else, and time it."""
    nest = interpreters(peers, ["nest"]).get("nest")
    numbers = page.circuit(scale)
    times = {"settling": float(settling), "duration": float(duration)}
    own = [_network(run, numbers, times, seed, threads) for seed in range(run.seed, run.seed + seeds)]
    again = {number: _network(run, numbers, times, run.seed, number) for number in sorted({1, threads})}
    metrics: dict[str, Any] = {
        "identical": all(_same(own[0], other) for other in again.values()),
        "memory_gb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20,
        "build_s": _drawing(own[0]),
        "compile_s": own[0].build_seconds,
        "neurons": int(numbers.neurons.sum()),
        "synapses": int(numbers.synapses.sum()),
    }
    measured = [_measured(one, times) for one in own]
    loops = _loops(run, numbers, times, threads) if run.engine == "cpp" else {}
    by_hand = next((spikes for _, spikes in loops.values()), None)
    samples = {
        name: population_samples(spikes, run.generator("chosen neurons"))
        for name, spikes in {**_numbered(run, measured), **({} if by_hand is None else {"loop": by_hand})}.items()
    }
    distances = distance_rows([samples[name] for name in samples if name != "loop"], samples.get("loop"))
    rates = _rates(measured, numbers, by_hand)
    for row in rates:
        metrics |= {f"{kind}.{row['population']}": row[kind] for kind in ("rate", "theory")}
    metrics["rates.within"] = sum(row["within"] for row in rates)
    metrics["rates.difference_of_writings"] = max(abs(row["theory"] - row["theory_brian2"]) for row in rates)
    for measure in MEASURES:
        for kind in ("seeds", "other"):
            found = [row[kind] for row in distances if row["measure"] == measure and row[kind] is not None]
            metrics[f"distance.{measure}.{kind}"] = float(np.median(found)) if found else math.nan
    metrics |= _speed(times, again, loops)
    known = {scale: (again[threads], times)}
    cost = [_cost(run, one, threads, times, known) for one in scales] if run.engine == "cpp" else []
    metrics |= _split(cost)
    metrics |= _beside_peers(run, stock, nest, threads)
    first = measured[0]
    spectra = {name: population_spectrum(table, min(1.0, float(duration) / 2)) for name, table in first.items()}
    reasons = {name: "not run" for name, value in metrics.items() if isinstance(value, float) and math.isnan(value)}
    shown = min(SHOWN, float(duration))
    return Results(
        metrics={f"microcircuit.{name}": value for name, value in metrics.items()},
        reasons={f"microcircuit.{name}": reason for name, reason in reasons.items()},
        tables={"rates": rates, "distances": distances, "cost": cost},
        activity={"responses": _responses(run, numbers, threads, times)},
        spikes={
            name: spikes_between(table, times["settling"], times["settling"] + shown) for name, table in first.items()
        },
        weights={
            **{f"samples.{network}.{name}.{measure}": values
               for network, populations in samples.items()
               for name, measures in populations.items()
               for measure, values in measures.items()},
            "frequency": next(iter(spectra.values()))["frequency"].to_numpy(),
            **{f"spectrum.{name}": spectrum.to_numpy() for name, spectrum in spectra.items()},
        },
        notes={"networks": list(samples), "scale": scale},
    )  # fmt: skip


def _network(
    run: Run, numbers: page.Circuit, times: Mapping[str, float], seed: int, threads: int, volleys: ArrayLike = ()
) -> NetworkRun:
    """Simulate the circuit of one seed; volleys through the thalamus begin at these times, in seconds."""
    steps = round(sum(times.values()) / SAMPLE)
    into = np.arange(steps)[:, None] * SAMPLE - np.asarray(volleys) + 1e-9
    within = ((into >= 0) & (into < VOLLEY)).any(axis=1)
    fires = np.less(run.generator("volleys").uniform(size=(steps, numbers.fibres)), FIRING)
    # One program for all: without a volley the fibres hear zeros.
    inputs = activity(1.0 * (fires & within[:, None])[None], dt=SAMPLE, last="input", name="thalamus")
    with run.timed("networks"):
        return run_network(
            page.model(numbers.scale), inputs=inputs, dt=descriptions.DT, seed=seed, threads=threads, engine=run.engine
        )


def _same(one: NetworkRun, other: NetworkRun) -> bool:
    """Tell whether two runs have the same spikes."""
    return all(one.spikes[name].identical(other.spikes[name]) for name in page.POPULATIONS)


def _drawing(network: NetworkRun) -> float:
    """Return the seconds of a program in which it did not step: synapses are drawn, results written."""
    return network.seconds - network.stepping_seconds


def _measured(network: NetworkRun, times: Mapping[str, float]) -> dict[str, xr.Dataset]:
    end = sum(times.values())
    return {name: spikes_between(network.spikes[name], times["settling"], end) for name in page.POPULATIONS}


def _numbered(run: Run, measured: list[dict[str, xr.Dataset]]) -> dict[str, dict[str, xr.Dataset]]:
    return {f"seed_{run.seed + number}": spikes for number, spikes in enumerate(measured)}


def _loops(
    run: Run, numbers: page.Circuit, times: Mapping[str, float], threads: int
) -> dict[int, tuple[dict[str, Any], dict[str, xr.Dataset]]]:
    """Run the loop by hand with one thread and with several; spikes by number of threads."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="cortwin-loop-") as folder, run.timed("loop by hand"):
        program = compile_loop(LOOP, Path(folder))
        for number in sorted({1, threads}):
            text = descriptions.loop_description(numbers, threads=number, seed=run.seed, **times)
            measured, pairs = run_loop(program, text, Path(folder) / "spikes")
            populations = zip(page.POPULATIONS, numbers.neurons.tolist(), strict=True)
            found[number] = measured, loop_spikes(pairs, populations, dt=descriptions.DT, duration=times["duration"])
    return found


def _rates(
    measured: list[dict[str, xr.Dataset]], numbers: page.Circuit, by_hand: Mapping[str, xr.Dataset] | None
) -> list[dict[str, Any]]:
    """Return the rates of every population in Hz, from all sides."""
    parameters, model = page.mean_field(numbers), page.model(numbers.scale)
    rest = activity(np.zeros((1, 500, 1)), dt=1e-3, last="input")
    textbook = run_textbook(model, parameters, rest, 0.1)["r"][0, -1]
    text = simulate(model, "rate", parameters._asdict(), rest, dt=1e-3, engine="numpy", batch=1).activity["r"][0, -1]
    rows = []
    for number, name in enumerate(page.POPULATIONS):
        found = [_rate(spikes[name]) for spikes in measured]
        rate, reference = float(np.median(found)), page.REFERENCE_RATES[number]
        rows.append(
            {
                "population": name,
                "rate": rate,
                "low": min(found),
                "high": max(found),
                "reference": reference,
                "within": bool(abs(rate - reference) <= max(BAND[0] * reference, BAND[1])),
                "theory": float(textbook[number]) / 10e-3,
                "theory_brian2": float(text[number]) / 10e-3,
                "loop": None if by_hand is None else _rate(by_hand[name]),
            }
        )
    return rows


def _rate(spikes: xr.Dataset) -> float:
    return spikes.sizes["event"] / (spikes.attrs["n_units"] * spikes.attrs["duration"])


def _speed(
    times: Mapping[str, float],
    own: Mapping[int, NetworkRun],
    loops: Mapping[int, tuple[dict[str, Any], Any]],
) -> dict[str, float]:
    """Return wall seconds of a simulated second, ours and by hand, and the loop's cost of building."""
    found = {}
    for number, network in own.items():
        found[f"rtf.{number}"] = network.stepping_seconds / sum(times.values())
    for number, (measured, _) in loops.items():
        found[f"loop.rtf.{number}"] = measured["run_s"] / times["duration"]
        found[f"ratio.loop.{number}"] = found[f"rtf.{number}"] / found[f"loop.rtf.{number}"]
    if loops:
        measured, _ = loops[max(loops)]
        found |= {"loop.build_s": measured["build_s"], "loop.memory_gb": measured["memory_gb"]}
        found["ratio.loop.build"] = _drawing(own[max(loops)]) / measured["build_s"]
    return found


def _cost(
    run: Run, scale: float, threads: int, times: Mapping[str, float], known: Mapping[float, tuple[NetworkRun, Any]]
) -> dict[str, float]:
    if scale in known:
        return _cost_of(scale, *known[scale])
    short = {**times, "duration": min(1.0, times["duration"])}
    networks = [_network(run, page.circuit(scale), short, run.seed, threads) for _ in range(TURNS)]
    return _cost_of(scale, sorted(networks, key=_stepping)[TURNS // 2], short)


def _stepping(network: NetworkRun) -> float:
    return network.stepping_seconds


def _cost_of(scale: float, network: NetworkRun, times: Mapping[str, float]) -> dict[str, float]:
    """Return synaptic events and wall seconds of a simulated second."""
    numbers, elapsed = page.circuit(scale), sum(times.values())
    outgoing = numbers.synapses.sum(axis=0) / numbers.neurons
    spikes = np.array([network.spikes[name].sizes["event"] for name in page.POPULATIONS])
    return {
        "scale": scale,
        "neurons": float(numbers.neurons.sum()),
        "events": float(spikes @ outgoing) / elapsed,
        "seconds": network.stepping_seconds / elapsed,
    }


def _split(cost: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return what each neuron and each synaptic event costs in a simulated second, and how far that is from a row.

    The sum of both is fitted to the rows, in relative size; each row gets it as its ``"fitted"``.
    """
    if len(cost) < 3:
        return {}
    parts = np.array([[row["neurons"], row["events"]] for row in cost])
    seconds = np.array([row["seconds"] for row in cost])
    neuron, event = nnls(parts / seconds[:, None], np.ones(len(cost)))[0]
    fitted = parts @ (neuron, event)
    for row, value in zip(cost, fitted, strict=True):
        row["fitted"] = float(value)
    return {
        "cost.neuron_us": 1e6 * float(neuron),
        "cost.event_ns": 1e9 * float(event),
        "cost.largest_error": float(np.abs(fitted / seconds - 1).max()),
    }


def _beside_peers(run: Run, stock: float, nest: str | None, threads: int) -> dict[str, float]:
    """Return how many times as long stock Brian2 and NEST take as we do, each at its best number of threads."""
    found = {"ratio.stock": math.nan, "ratio.nest": math.nan}
    if run.engine != "cpp":
        return found
    if stock:
        script = HERE / "contestants" / "microcircuit_brian2.py"
        found["ratio.stock"] = _ratio(run, Contestant("Brian2", script), stock, 2.0, [1], threads, TURNS)
    if nest:
        script = HERE / "contestants" / "microcircuit_nest.py"
        contestant = Contestant("NEST", script, python=nest)
        found["ratio.nest"] = _ratio(run, contestant, 1.0, 0.5, sorted({1, threads}), threads, 1)
    return found


def _ratio(
    run: Run, contestant: Contestant, scale: float, seconds: float, tried: list[int], threads: int, turns: int
) -> float:
    """Return the peer's time over ours for a number of simulated seconds, each at its best number of threads.

    Times are medians of turns.
    """
    numbers, theirs = page.circuit(scale), []
    for number in tried:
        one = Contestant(contestant.name, contestant.script, number, contestant.python)
        with Race.running([one]) as race, run.timed(contestant.name):
            found = race.measure(descriptions.case_of(numbers, seconds), turns)
        theirs.append(np.median([answer["seconds"] for answer in found[contestant.name, number]]))
    times = {"settling": 0.0, "duration": seconds}
    ours = [
        np.median([_stepping(_network(run, numbers, times, run.seed, number)) for _ in range(turns)])
        for number in sorted({1, threads})
    ]
    return float(min(theirs) / min(ours))


def _responses(run: Run, numbers: page.Circuit, threads: int, times: Mapping[str, float]) -> xr.DataArray:
    """Return every population's rate around volleys through the thalamic fibres, (volley, time, population)."""
    apart = min(APART, times["duration"])
    onset = times["settling"] + apart * np.arange(int(times["duration"] / apart + 1e-9))
    network = _network(run, numbers, times, run.seed, threads, onset)
    around = [
        event_triggered_rate(network.spikes[name], onset, before=BEFORE, after=AFTER, bin_width=SAMPLE)
        for name in page.POPULATIONS
    ]
    stacked = np.stack([one.to_numpy() for one in around], axis=2)
    return activity(stacked, dt=SAMPLE, t_start=-BEFORE + SAMPLE / 2, last="unit", name="rate")


def draw(results: Results) -> list[Drawing]:
    """Draw raster, rates, distributions, spectra, volleys and cost."""
    networks, rows = results.notes["networks"], results.tables["distances"]
    samples = {
        network: {
            name: {measure: results.weights[f"samples.{network}.{name}.{measure}"] for measure in MEASURES}
            for name in page.POPULATIONS
        }
        for network in networks
    }
    frequency = results.weights["frequency"]
    spectra = {
        name: xr.DataArray(results.weights[f"spectrum.{name}"], dims="frequency", coords={"frequency": frequency})
        for name in page.POPULATIONS
    }
    series = {key: label for key, label in SERIES.items() if results.tables["rates"][0][key] is not None}
    found = [
        Drawing("raster", figures.population_raster({name: results.spikes[name] for name in page.POPULATIONS}),
                "Spikes", "A share of every population's neurons; excitatory blue, inhibitory orange."),
        Drawing("rates", figures.rates_beside_reference(results.tables["rates"], series),
                "Rates", "Mean rates; bars: median and range over seeds."),
        Drawing("distributions", figures.population_distributions(samples, rows), "Distributions",
                "Over neurons and pairs: a line for each seed, dashed the loop by hand. Numbers: Kolmogorov-Smirnov "
                "distance to the loop / largest between two seeds."),
        Drawing("spectra", figures.population_spectra(spectra), "Spectra", "Of the rates of populations."),
    ]  # fmt: skip
    around = results.activity["responses"]
    responses = {name: around[:, :, number] for number, name in enumerate(page.POPULATIONS)}
    found.append(
        Drawing("volleys", figures.volley_responses(responses), "Thalamic volleys",
                "Mean over volleys with its standard error, in bins of a millisecond.")
    )  # fmt: skip
    if results.tables["cost"]:
        found.append(Drawing("cost", figures.cost_over_events(results.tables["cost"]), "Cost", "Numbers: the scale."))
    return found


def report(results: Results) -> list[Section]:
    """Tell what agrees, what differs and why, and what it costs."""
    scaled = "" if results.notes["scale"] == 1 else SCALED
    rates = Table(
        "Rates in Hz. The theory is the page's textbook and rate writing, which agree to rounding.",
        {"population": "", "rate": "cortwin", "low": "least", "high": "most", "reference": "reference",
         "theory": "textbook", "theory_brian2": "rate text", "loop": "loop"},
        records="rates",
    )  # fmt: skip
    return [
        Section(
            "Activity",
            "{microcircuit.neurons} neurons, {microcircuit.synapses} synapses; {microcircuit.rates.within} of 8 rates "
            "are those of the reference within 5 % or 0.1 Hz." + scaled,
            drawings=["raster", "rates"],
            tables=[rates],
        ),
        Section(
            "Theory",
            "Mean-field theory takes the spikes that a neuron hears for white noise of the mean in-degree. The network "
            "differs by what that leaves out: sources that neurons share (correlations), events that are each a "
            "hundredth of the threshold and four times that (shot noise), and in-degrees that scatter from neuron to "
            "neuron where the transfer function is convex.",
        ),
        Section(
            "Distributions",
            "Kolmogorov-Smirnov distances, median to the loop by hand and largest between two seeds: of rates "
            "{microcircuit.distance.rate.other} and {microcircuit.distance.rate.seeds}, of CV "
            "{microcircuit.distance.cv.other} and {microcircuit.distance.cv.seeds}, of correlations "
            "{microcircuit.distance.correlation.other} and {microcircuit.distance.correlation.seeds}.",
            drawings=["distributions", "spectra", "volleys"],
        ),
        Section(
            "Cost",
            "One and two threads, and two runs with one seed, give the same spikes: {microcircuit.identical}."
            + _beside(results.metrics)
            + _linear(results.metrics),
            drawings=["cost"] if results.tables["cost"] else [],
            tables=[
                Table(
                    "Wall seconds of a simulated second; seconds for drawing the network; GiB at the most.",
                    ("", "cortwin", "loop by hand"),
                    _cost_rows(results.metrics),
                )
            ],
        ),
    ]  # fmt: skip


def _beside(metrics: Mapping[str, Any]) -> str:
    """Return how much longer others take that were run, each at its best number of threads."""
    names = {"nest": "NEST", "stock": "Stock Brian2, at a scale of {parameters.stock},"}
    ratios = {name: metrics[f"microcircuit.ratio.{name}"] for name in names}
    run = [name for name, ratio in ratios.items() if ratio is not None and math.isfinite(ratio)]
    return "".join(f" {names[name]} takes {{microcircuit.ratio.{name}}} times as long as cortwin." for name in run)


def _linear(metrics: Mapping[str, Any]) -> str:
    """Return what cost is made of, where it was measured at several scales."""
    if "microcircuit.cost.event_ns" not in metrics:
        return ""
    return (
        " Over all scales a simulated second costs {microcircuit.cost.neuron_us:.3g} us for each neuron, which is "
        "driven and updated whether it fires or not, and {microcircuit.cost.event_ns:.2g} ns for each synaptic event; "
        "no scale is farther from that sum than {microcircuit.cost.largest_error:.0%}. In a small circuit the neurons "
        "cost most."
    )


def _cost_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return rows of what was measured: title, our metric, and the loop's where there is one."""
    known = {name.removeprefix("microcircuit.") for name in metrics}
    threads = sorted(int(name.removeprefix("rtf.")) for name in known if name.startswith("rtf."))
    titles = {f"rtf.{number}": f"{number} thread{'s' if number > 1 else ''}" for number in threads}
    titles |= {"build_s": "drawing", "memory_gb": "memory"}
    return [
        (title, f"microcircuit.{name}", f"microcircuit.loop.{name}" if f"loop.{name}" in known else "")
        for name, title in titles.items()
    ]


if __name__ == "__main__":
    run_script(__file__)
