"""Do the twins react alike? A trained network and its twins, perturbed in the same ways and by as much.

The Elman network learns to reach. Units are lesioned, clamped or driven, recurrent weights are scaled, noise is added,
time constants change; every strength is chosen so that the textbook's other units move by the same distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import jax
import numpy as np
import xarray as xr
from brian2 import Quantity, ms
from numpy.random import Generator, SeedSequence

from cortwin import figures
from cortwin.analysis import compare_effects, summarise
from cortwin.cpp import compiler
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.ladder import Spiking
from cortwin.models import elman
from cortwin.perturbation import Clamp, Lesion, Noise, Perturbation, Pulse, ScaleWeights, TimeConstant, perturb
from cortwin.tasks import ReachTask, Trials
from cortwin.training import Options, fit, textbook_activity, textbook_signals
from cortwin.twins import WRITINGS, Effects, Twins

ALPHA, STEP = 0.1, 0.01  # of the textbook network; s
DIRECTIONS = 8
HALVINGS = 10  # of the interval of strengths: the size is met to a thousandth of the range
TAU_M_FACTOR = 1.5
NUMBERS = ("correlation", "gain", "distance")


@dataclass(frozen=True)
class Kind:
    """One way to perturb, by strength.

    Parameters
    ----------
    says : what was done, with the strength, or the number of lesioned units, in place of {}
    most : the largest strength
    make : strength -> perturbation
    """

    says: str
    most: float
    make: Callable[[float], Perturbation]


def kinds(units: int, share: float, window: tuple[float, float], generator: Generator) -> dict[str, Kind]:
    """Return the ways to perturb a network, with units and signs drawn once."""
    order = generator.permutation(units)
    chosen = _first(order, share)
    sign = np.where(generator.uniform(size=len(chosen)) < 0.5, -1.0, 1.0)
    seed = int(generator.integers(2**31))
    return {
        "lesion": Kind("{} of the units lesioned", 0.5, lambda s: Lesion(_first(order, s))),
        "clamp": Kind("x of units held at {:.2g} or its negative", 5.0, lambda s: Clamp(chosen, s * sign, *window)),
        "pulse": Kind("a current of {:.2g} or its negative", 50.0, lambda s: Pulse(chosen, s * sign, *window)),
        "weights": Kind("W_rec weaker by the share {:.2g}", 1.0, lambda s: ScaleWeights("W_rec", 1 - s)),
        "noise": Kind("noise of s.d. {:.2g} into every unit", 20.0, lambda s: Noise(s, seed)),
        "tau": Kind("tau longer by the share {:.2g}", 4.0, lambda s: TimeConstant("tau", 1 + s)),
    }


def _first(order: np.ndarray, share: float) -> list[int]:
    """Return the numbers of the first units, at least one."""
    return np.sort(order[: max(1, round(share * order.size))]).tolist()


def compute(
    run: Run,
    *,
    units: Annotated[int, Parameter("units of each network", quick=16, minimum=4)] = 48,
    networks: Annotated[int, Parameter("networks, each with seeds of its own", quick=1, minimum=1)] = 5,
    updates: Annotated[int, Parameter("updates of the weights", quick=100, minimum=1)] = 600,
    trials: Annotated[int, Parameter("directions on which effects are measured", quick=4, minimum=1)] = DIRECTIONS,
    size: Annotated[float, Parameter("effect on the textbook's other units, in s.d. of x", above=0)] = 0.2,
    share: Annotated[float, Parameter("of the units that are clamped or driven", above=0, maximum=0.5)] = 0.2,
    neurons_per_unit: Annotated[int, Parameter("LIF neurons per unit", quick=16, minimum=1)] = 32,
    dt_spiking: Annotated[Quantity, Parameter("step of the spikes", above=0 * ms, quick=0.5 * ms)] = 0.1 * ms,  # type: ignore
) -> Results:
    """Train, perturb, compare."""
    # A quick run would spend its time on C++ builds: every change of a time constant is one.
    engine = "xla" if run.quick and run.engine == "cpp" else run.engine
    if engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    rows: list[dict[str, Any]] = []
    kept: dict[str, xr.DataArray] = {}
    notes: dict[str, Any] = {"panels": []}
    with run.timed("networks"), run.progress("perturbing", 7 * networks) as bar:
        for number, seed in enumerate(run.seed_sequence("networks").spawn(networks)):
            of_task, of_network, of_neurons, of_others, of_kinds = seed.spawn(5)
            twins, shown = _trained(units, updates, trials, of_task, of_network, of_neurons)
            options = {"engine": engine, "batch": trials, "jobs": run.jobs}
            spiking = Spiking(dt=float(dt_spiking))
            twins = replace(twins, spiking=spiking, neurons_per_unit=neurons_per_unit, options=options)
            other = replace(twins, seed=of_others)
            before = twins.activities(shown.inputs)
            others_before = other.activities(shown.inputs, writings=("spiking",))
            time = shown.inputs["time"].to_numpy()
            window = (float(time[len(time) * 2 // 5]), float(time[len(time) * 3 // 5]))
            ways = kinds(units, share, window, np.random.default_rng(of_kinds))
            made = _matched(ways, twins, shown.inputs, size)
            made["tau_m"] = TimeConstant("tau_m", TAU_M_FACTOR), f"tau_m {TAU_M_FACTOR} times as long"
            for name, (perturbation, words) in made.items():
                effects = twins.effects(shown.inputs, perturbation, before)
                again = other.effects(shown.inputs, perturbation, others_before)
                rows.append(_row(number, name, words, effects, again, shown))
                if number == 0:
                    kept |= {f"{name}.{writing}": effects.after[writing]["x"] for writing in WRITINGS}
                    panel = {"name": name, "words": words, "touched": list(effects.touched)}
                    windowed = isinstance(perturbation, Clamp | Pulse)
                    notes["panels"].append(panel | {"window": list(window) if windowed else None})
                bar.advance()
            if number == 0:
                kept |= {f"before.{writing}": before[writing]["x"] for writing in WRITINGS}
    metrics, reasons = over_networks(rows, run.generator("intervals"))
    return Results(metrics=metrics, reasons=reasons, tables={"effects": rows}, activity=kept, notes=notes)


def _trained(
    units: int, updates: int, trials: int, of_task: SeedSequence, of_network: SeedSequence, of_neurons: SeedSequence
) -> tuple[Twins, Trials]:
    """Train one network, and return its twins and the trials on which it is perturbed."""
    model = elman.model().with_constants(tau=STEP / ALPHA * 1000 * ms)
    of_lessons, of_test = of_task.spawn(2)
    of_weights, of_batches = of_network.spawn(2)
    task = ReachTask(DIRECTIONS, dt=STEP, input_noise=0.1, cue_until="end")
    lessons = task.trials(np.tile(np.arange(DIRECTIONS), 16), of_lessons)
    chosen = np.arange(trials) * DIRECTIONS // trials % DIRECTIONS
    shown = replace(task, input_noise=0.0).trials(chosen, of_test)
    start = model.initial(np.random.default_rng(of_weights), lessons.inputs.sizes["input"], units, 2)
    options = Options(learning_rate=5e-3, schedule="cosine", updates=updates)
    learned = fit(
        model,
        start,
        lessons.inputs,
        lessons.noisy_target,
        alpha=ALPHA,
        options=options,
        generator=np.random.default_rng(of_batches),
    ).parameters
    lived = textbook_signals(model, learned, lessons.inputs, ALPHA)
    return Twins(model, learned, lived, Spiking(), 1, of_neurons, {}), shown


def _matched(
    ways: dict[str, Kind], twins: Twins, inputs: xr.DataArray, size: float
) -> dict[str, tuple[Perturbation, str]]:
    """Return each kind as strong as wanted by its effect on the textbook's other units, or its strongest; and words."""
    run = jax.jit(lambda p, hand, alpha: textbook_activity(twins.model, p, inputs.to_numpy(), alpha, hand=hand)[0])
    shape = (inputs.sizes["trial"], inputs.sizes["time"], twins.parameters.x0.size)
    still = np.ones(shape), np.zeros(shape)

    def x(perturbations: Any) -> tuple[np.ndarray, tuple[int, ...]]:
        done = perturb(twins.model, twins.parameters, perturbations, inputs)
        alpha = STEP / float(done.model.constants["tau"])
        hand = still if done.intervention is None else (done.intervention.keep, done.intervention.add(alpha))
        return np.asarray(run(done.parameters, hand, alpha)), done.touched

    before = x(())[0]

    def effect(perturbation: Perturbation) -> float:
        after, touched = x(perturbation)
        rest = np.setdiff1d(np.arange(before.shape[2]), touched)
        return float(np.sqrt(np.mean((after - before)[:, :, rest] ** 2)) / before[:, :, rest].std())

    found = {}
    for name, kind in ways.items():
        low, high = 0.0, kind.most
        if effect(kind.make(high)) > size:
            for _ in range(HALVINGS):
                middle = (low + high) / 2
                low, high = (middle, high) if effect(kind.make(middle)) < size else (low, middle)
        made = kind.make(high)
        found[name] = made, kind.says.format(len(made.units) if isinstance(made, Lesion) else high)  # type: ignore
    return found


def _row(number: int, name: str, words: str, effects: Effects, again: Effects, shown: Trials) -> dict[str, Any]:
    """Return the numbers of one perturbation of one network."""
    found, outputs = effects.compared("x"), effects.compared("output")
    exact = max(
        float(np.abs(effects.after["rate"][quantity] - effects.after["textbook"][quantity]).max())
        for quantity in ("x", "r")
    )
    row: dict[str, Any] = {"network": number, "perturbation": name, "words": words, "exact_error": exact}
    row |= {f"size.{writing}": found[writing]["size"] for writing in WRITINGS}
    row |= {f"{one}.spiking": found["spiking"][one] for one in NUMBERS}
    row |= {f"{one}.output": outputs["spiking"][one] for one in NUMBERS}
    target = shown.target.to_numpy()
    for when, activity in (("before", effects.before), ("after", effects.after)):
        for writing in WRITINGS:
            row[f"error.{writing}.{when}"] = float(np.mean((activity[writing]["output"].to_numpy() - target) ** 2))
    # Two twins of other neurons: as alike as spiking twins can be expected to be.
    pairs = zip(effects.pair("x"), again.pair("x"), strict=True)
    before, after = ({"one": one["spiking"], "other": other["spiking"]} for one, other in pairs)
    between = compare_effects(before, after, reference="one")["other"]
    return row | {"correlation.between_twins": between["correlation"], "gain.between_twins": between["gain"]}


def over_networks(rows: list[dict[str, Any]], generator: Generator) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the mean of every number over networks with its interval, and why some have none."""
    metrics: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for name in dict.fromkeys(row["perturbation"] for row in rows):
        mine = [row for row in rows if row["perturbation"] == name]
        for column in (key for key in mine[0] if key not in ("network", "perturbation", "words")):
            key = f"effects.{name}.{column}"
            summary = summarise([row[column] for row in mine], generator)
            metrics[key] = summary.mean
            if np.isnan(summary.mean):
                reasons[key] = "the textbook has no such constant: nothing changed in it"
            elif column.startswith(("correlation", "gain")) and len(mine) > 1:
                metrics |= {f"{key}.low": summary.low, f"{key}.high": summary.high}
    return metrics, reasons


def draw(results: Results) -> list[Drawing]:
    """Draw the first network's effects, and how alike they are in all networks."""
    before = {writing: results.activity[f"before.{writing}"] for writing in WRITINGS}
    panels = []
    for panel in results.notes["panels"]:
        after = {writing: results.activity[f"{panel['name']}.{writing}"] for writing in WRITINGS}
        # The unit that reacts most, among those that nothing was done to.
        change = np.abs(after["spiking"] - before["spiking"]).mean(dim="time").to_numpy()
        change[:, panel["touched"]] = -1.0
        trial, unit = (int(place) for place in np.unravel_index(np.argmax(change), change.shape))
        window = None if panel["window"] is None else tuple(panel["window"])
        panels.append(figures.EffectPanel(panel["words"], before, after, unit, trial, window, tuple(panel["touched"])))
    rows = results.tables["effects"]
    names = list(dict.fromkeys(row["perturbation"] for row in rows))
    compared = [name for name in names if np.isfinite(_metric(results, f"effects.{name}.correlation.spiking"))]
    kinds = {
        "correlation.spiking": "correlation with the textbook's effect",
        "gain.spiking": "gain over the textbook's effect",
        "correlation.between_twins": "correlation between two spiking twins",
    }
    numbers = {
        kind: {name: [row[kind] for row in rows if row["perturbation"] == name] for name in compared} for kind in kinds
    }
    marks = {kind: {name: _mark(results, f"effects.{name}.{kind}") for name in compared} for kind in kinds}
    networks = len({row["network"] for row in rows})
    return [
        Drawing(
            "agreement",
            figures.agreement_of_effects(numbers, marks, kinds),
            "Do the twins react alike?",
            f"One dot for each network (n = {networks}); below the dots the mean and, from two networks on, its 95 % "
            "bootstrap interval. x of all units that nothing was done to. Right: two spiking twins of one "
            "network, with neurons drawn apart.",
        ),
        Drawing(
            "effects",
            figures.effects_side_by_side(panels),
            "Effects side by side",
            "What changed in the first network. Left: x of the unit that reacts most, in one trial. "
            "Middle: RMS over trials and units that nothing was done to, in s.d. of x before. Right: changes of the "
            "same units at some of the times, spiking against textbook, and their correlation over all. Grey: the "
            "window in which it was done. The rate text lies on the textbook.",
        ),
    ]


def _mark(results: Results, name: str) -> tuple[float, float, float]:
    return _metric(results, name), _metric(results, f"{name}.low"), _metric(results, f"{name}.high")


def _metric(results: Results, name: str) -> float:
    value = results.metrics.get(name)
    return float("nan") if value is None else float(value)


def report(results: Results) -> list[Section]:
    """Tell how large the effects were and how alike."""
    rows = results.tables["effects"]
    names = list(dict.fromkeys(row["perturbation"] for row in rows))
    n = len({row["network"] for row in rows})

    def table(caption: str, titles: dict[str, str]) -> Table:
        cells = []
        for name in names:
            there = [f"effects.{name}.{column}" for column in titles]
            cells.append((name, *(metric if metric in results.metrics else "" for metric in there)))
        return Table(caption, ("perturbation", *titles.values()), cells)

    what = {row["perturbation"]: row["words"] for row in rows if row["network"] == 0}
    return [
        Section(
            "Do the twins react alike?",
            "Every perturbation is done to the textbook, the rate text and the spiking twin. Its strength is chosen so "
            "that x of the textbook's other units changes by {parameters.size} standard deviations, or as near to that "
            "as its strongest comes; tau_m, which only the spikes have, is made 1.5 times as long. Correlation, "
            "gain and distance are those of the change in the spiking twin with the change in the textbook. In the "
            "first network: " + "; ".join(f"{name}: {words}" for name, words in what.items()) + ".",
            drawings=["agreement", "effects"],
            tables=[
                table(
                    f"Change of x, means of {n} networks of {{parameters.units}} units.",
                    {
                        "size.textbook": "size, textbook",
                        "size.spiking": "size, spiking",
                        "correlation.spiking": "correlation",
                        "correlation.spiking.low": "low",
                        "correlation.spiking.high": "high",
                        "gain.spiking": "gain",
                        "distance.spiking": "distance",
                        "correlation.between_twins": "between two spiking twins",
                        "exact_error": "rate against textbook, largest difference",
                    },
                ),
                table(
                    f"What the network's own output weights read: correlation and gain of its change, and the error of "
                    f"the hand's velocity before and after. Means of {n} networks.",
                    {
                        "correlation.output": "correlation",
                        "gain.output": "gain",
                        **{
                            f"error.{writing}.{when}": f"error {when}, {writing}"
                            for writing in ("textbook", "spiking")
                            for when in ("before", "after")
                        },
                    },
                ),
            ],
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
