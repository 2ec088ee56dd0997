"""Sequences told apart by the order of their inputs: trained networks, their twins, and the mistakes of each.

Three pulses come, one on each input, in one of six orders. Networks with a softmax output learn which; the twins are
read by the trained network's own output weights, and by a logistic readout fitted to their own activity. Whoever sees
the samples of a trial without their times guesses, and so does a network without recurrence once its currents are gone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import xarray as xr
from brian2 import Quantity, ms
from sklearn.metrics import confusion_matrix

from cortwin import figures
from cortwin.analysis import Proportion, paired, proportion
from cortwin.catalogue import page_module
from cortwin.cpp import compiler
from cortwin.errors import CortwinError
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.ladder import Spiking
from cortwin.model import Model
from cortwin.readout import fit_classes, order_free, state_at
from cortwin.simulation import simulate
from cortwin.tasks import OrderTask, OrderTrials
from cortwin.training import Fit, Options, fit, textbook_signals
from cortwin.twins import WRITINGS, Twins

PAGES = ("elman", "gru", "feedforward", "jordan", "relay", "lstm", "sublstm")
ALPHA = 0.1  # dt / tau of the textbook networks
READOUTS = {"transferred": "the trained output weights", "refitted": "a logistic readout fitted to the twin"}


def compute(
    run: Run,
    *,
    pages: Annotated[tuple[str, ...], Parameter("which networks", choices=PAGES, quick=("elman", "feedforward"))] = (
        "elman",
        "gru",
        "feedforward",
    ),
    units: Annotated[int, Parameter("units of each network", quick=16, minimum=2)] = 32,
    lessons: Annotated[int, Parameter("training trials of each class", quick=24, minimum=2)] = 64,
    tests: Annotated[int, Parameter("trials of each class to test, and to fit readouts", quick=4, minimum=2)] = 20,
    updates: Annotated[int, Parameter("updates of the weights", quick=500, minimum=1)] = 1500,
    learning_rate: Annotated[float, Parameter("learning rate of Adam, falling along a cosine", above=0)] = 5e-3,
    neurons: Annotated[tuple[int, ...], Parameter("LIF neurons per ensemble", quick=(4, 16), minimum=1)] = (
        1,
        4,
        16,
        64,
    ),
    neurons_per_unit: Annotated[int, Parameter("LIF neurons per ensemble of the spiking twin", minimum=1)] = 16,
    noise: Annotated[float, Parameter("s.d. of the noise on each sample of the inputs", minimum=0)] = 0.1,
    wait: Annotated[
        Quantity, Parameter("shortest time from the last pulse to the end; the longest: 200 ms more", minimum=100 * ms)
    ] = 400 * ms,  # type: ignore
    dt_spiking: Annotated[Quantity, Parameter("step of the spikes", above=0 * ms, quick=0.5 * ms)] = 0.1 * ms,  # type: ignore
) -> Results:
    """Train, simulate the twins, read the class."""
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    task = OrderTask(wait=(float(wait), float(wait) + 0.2), input_noise=noise)
    classes, spiking = np.arange(len(task.orders)), Spiking(dt=float(dt_spiking))
    learned = task.trials(np.tile(classes, lessons), run.seed_sequence("lessons"))
    # One simulation for the trials that are tested and those that readouts are fitted to; longer, to be read late.
    both = replace(task, rest=0.4).trials(np.tile(classes, 2 * tests), run.seed_sequence("trials"))
    tested, fitted = both[: len(both) // 2], both[len(both) // 2 :]
    metrics: dict[str, Any] = {"classify.chance": 1 / len(classes), "classify.trials": len(tested)}
    metrics |= baselines(fitted, tested)
    tables: dict[str, list[dict[str, Any]]] = {"over_time": [], "neurons": []}
    arrays: dict[str, np.ndarray] = {}
    example: dict[str, xr.DataArray] = {"inputs": tested.inputs[:1]}
    for page in pages:
        done, twins = trained(run, page, learned, units, updates, learning_rate, spiking, neurons_per_unit)
        arrays[f"history.{page}"] = done.history["error"]
        with run.timed("simulation"), run.progress(f"{page}: simulating the writings", 2 * len(both)) as bar:
            active = twins.activities(both.inputs, bar.advance)
        right: dict[tuple[str, str], np.ndarray] = {}
        for name, activity in active.items():
            output = twins.transferred(activity, both.target)
            tables["over_time"] += over_time(page, name, output, tested)
            if page == pages[0]:
                example[f"output.{name}"] = output[:1]
            for readout, answer in answers(output, activity["r"], fitted, tested).items():
                right[readout, name] = answer == tested.condition
                metrics |= named(f"classify.{page}.{readout}.{name}", proportion(right[readout, name]))
                arrays[f"confusion.{page}.{readout}.{name}"] = confusion_matrix(
                    tested.condition, answer, labels=classes
                )
        for readout in READOUTS:
            spikes, textbook = (right[readout, name] for name in ("spiking", "textbook"))
            found = paired(spikes, textbook, run.generator("intervals"))
            lost = Proportion(found.difference, found.low, found.high, found.n)
            metrics |= named(f"classify.{page}.{readout}.lost", lost)
        metrics[f"classify.{page}.exact_error"] = float(np.abs(active["rate"]["x"] - active["textbook"]["x"]).max())
        for size in neurons:
            found = {readout: proportion(right[readout, "spiking"]) for readout in READOUTS}
            if size != neurons_per_unit:
                with run.timed("simulation"), run.progress(f"{page}: {size} neurons", len(both)) as bar:
                    found = of_size(run, twins, size, both, bar.advance)
            for readout, one in found.items():
                tables["neurons"].append({"page": page, "readout": readout, "neurons": size, **one._asdict()})
                metrics |= named(f"classify.{page}.{readout}.spiking.{size}", one)
    notes = {"pages": list(pages), "classes": task.names, "asked": [task.reaction, task.wait[1]], "trials": len(tested)}
    return Results(metrics, {}, tables, example, weights=arrays, notes=notes)


def trained(
    run: Run, page: str, lessons: OrderTrials, units: int, updates: int, rate: float, spiking: Spiking, neurons: int
) -> tuple[Fit, Twins]:
    """Train a page's network on the orders, and put its writings together."""
    model: Model = page_module(page).model().with_output("softmax")
    sizes = lessons.inputs.sizes["input"], units, lessons.target.sizes["output"]
    start = model.initial(run.generator(f"{page} weights"), *sizes)
    options = Options("categorical_cross_entropy", learning_rate=rate, schedule="cosine", updates=updates)
    with run.timed("training"), run.progress(f"{page}: training", updates) as bar:
        done = fit(
            model, start, lessons.inputs, lessons.target, alpha=ALPHA, options=options, mask=lessons.mask,
            lengths=lessons.lengths, generator=run.generator(f"{page} batches"), advance=lambda n, _: bar.advance(n),
        )  # fmt: skip
    if done.diverged:
        raise CortwinError(f"training {page} did not succeed: {done.stopped}")
    lived = textbook_signals(model, done.parameters, lessons.inputs, ALPHA)
    engine = {"engine": run.engine, "batch": 12, "jobs": run.jobs}
    return done, Twins(model, done.parameters, lived, spiking, neurons, run.seed_sequence(f"{page} neurons"), engine)


def answers(
    output: xr.DataArray, rates: xr.DataArray, fitted: OrderTrials, tested: OrderTrials
) -> dict[str, np.ndarray]:
    """Return the class that each readout finds at the end of each tested trial.

    Parameters
    ----------
    output : (trial, time, output) of the trained output weights, the tested trials before those for the fit
    rates : (trial, time, unit), likewise
    """
    first, states = len(tested), state_at(rates, np.concatenate([tested.lengths, fitted.lengths]) - 1)
    return {
        "transferred": state_at(output[:first], tested.lengths - 1).argmax(axis=1),
        "refitted": fit_classes(states[first:], fitted.condition).predict(states[:first]),
    }


def of_size(run: Run, twins: Twins, size: int, both: OrderTrials, advance: Any) -> dict[str, Proportion]:
    """Return the accuracy of a spiking twin of another size by readout."""
    # A quick run compiles the twin of one size, and sends the others through XLA.
    options = {**twins.options, "engine": "xla" if run.quick else run.engine}
    values = twins.spiking.arrays(twins.model, twins.parameters, twins.represented, size, twins.seed)
    dt = twins.spiking.dt
    found = simulate(
        twins.model, "spiking", values, both.inputs, dt=dt, neurons_per_unit=size, advance=advance, **options
    )
    tested, fitted = both[: len(both) // 2], both[len(both) // 2 :]
    output = twins.transferred(found.activity, both.target)
    answered = answers(output, found.activity["r"], fitted, tested)
    return {readout: proportion(answer == tested.condition) for readout, answer in answered.items()}


def baselines(fitted: OrderTrials, tested: OrderTrials) -> dict[str, float]:
    """Return the accuracy of logistic readouts of the inputs: without times, of the last sample, of the whole trial."""
    features = {
        "bag": lambda trials: order_free(trials.inputs),
        "last_sample": lambda trials: state_at(trials.inputs, trials.lengths - 1),
        "whole_trial": lambda trials: trials.inputs.to_numpy().reshape(len(trials), -1),
    }
    found = {}
    for name, of in features.items():
        answer = fit_classes(of(fitted), fitted.condition).predict(of(tested))
        found |= named(f"classify.baseline.{name}", proportion(answer == tested.condition))
    return found


def over_time(page: str, writing: str, output: xr.DataArray, tested: OrderTrials) -> list[dict[str, Any]]:
    """Return how often the trained output weights are right, by the time since the end of the last pulse."""
    dt, times = tested.inputs.attrs["dt"], tested.inputs.sizes["time"]
    last = np.rint(tested.inputs["last_pulse"].to_numpy() / dt).astype(int)
    rows = []
    for lag in range(1 - min(last), times - max(last) + 1, 2):
        # The state at the end of a pulse is that of the sample before.
        answer = state_at(output[: len(tested)], last + lag - 1).argmax(axis=1)
        found = proportion(answer == tested.condition)
        rows.append({"page": page, "writing": writing, "time": lag * dt, **found._asdict()})
    return rows


def named(name: str, found: Proportion) -> dict[str, float]:
    """Return a proportion under the names of `metrics.json`."""
    return {name: found.share, f"{name}.low": found.low, f"{name}.high": found.high}


def draw(results: Results) -> list[Drawing]:
    """Draw what was saved."""
    notes, metrics, activity = results.notes, results.metrics, results.activity
    pages, classes, chance, n = notes["pages"], notes["classes"], metrics["classify.chance"], notes["trials"]
    matrices = [
        Drawing(
            f"confusion_{readout}",
            figures.confusion_matrices(
                {p: {w: results.weights[f"confusion.{p}.{readout}.{w}"] for w in WRITINGS} for p in pages},
                classes,
                {p: {w: f"{metrics[f'classify.{p}.{readout}.{w}']:.1%}" for w in WRITINGS} for p in pages},
            ),
            f"Confusion matrices, {readout}",
            f"Read at the end of each trial by {text}. Rows: the class that was shown; numbers: trials, of {n} "
            "that neither training nor any readout has seen; above: the share that is right.",
        )
        for readout, text in READOUTS.items()
    ]
    example = activity["inputs"]
    shown = int(example["condition"][0])
    pulses = {str(name): example.sel(input=name)[0].to_numpy() for name in example["input"].to_numpy()}
    chosen = {w: activity[f"output.{w}"][0].to_numpy() for w in WRITINGS}
    return [
        Drawing(
            "trial",
            figures.chosen_classes(pulses, chosen, example["time"], classes, shown=shown, end=float(example["end"][0])),
            f"One trial of the class {classes[shown]}",
            f"Inputs, and the softmax output of the {pages[0]} network's writings, read by the trained output weights. "
            "The line is the trial's end; what follows is padding that training never saw.",
        ),
        *matrices,
        Drawing(
            "over_time",
            figures.accuracy_over_time(results.tables["over_time"], chance=chance, asked=tuple(notes["asked"])),
            "When the answer is read",
            "Accuracy of the trained output weights against the time since the last pulse ended. Grey: the times at "
            f"which training asked for an answer, in the longest trials. Bands: 95 % Wilson intervals over {n} "
            "trials of one network.",
        ),
        Drawing(
            "neurons",
            figures.accuracy_by_neurons(
                results.tables["neurons"],
                {page: metrics[f"classify.{page}.transferred.textbook"] for page in pages},
                chance=chance,
            ),
            "How many neurons an answer needs",
            "Accuracy of the spiking twins at the end of the trial. Dotted: the textbook networks. Bars: 95 % Wilson "
            f"intervals over {n} trials of one network.",
        ),
    ]


def report(results: Results) -> list[Section]:
    """Tell who can tell the classes apart."""
    pages, n = results.notes["pages"], results.notes["trials"]
    first = pages[0]
    inputs = {"bag": "samples without their times", "last_sample": "the last sample", "whole_trial": "the whole trial"}
    ends = ("", ".low", ".high")
    return [
        Section(
            "Six orders of three pulses",
            "Guessing is right in {classify.chance:.3f} of the trials. A logistic readout of the samples of a trial "
            "without their times is right in {classify.baseline.bag:.3f}, of the inputs at the end in "
            "{classify.baseline.last_sample:.3f}: what tells the classes apart is the order, and it has to be "
            f"remembered to the end. The {first} network gets {{classify.{first}.transferred.textbook:.3f}} of {n} new "
            f"trials right, its spiking twin {{classify.{first}.transferred.spiking:.3f}}.",
            drawings=["trial", "confusion_transferred", "confusion_refitted"],
            tables=[
                Table(
                    f"Share of {n} new trials that is right. Transferred: {READOUTS['transferred']}; refitted: "
                    f"{READOUTS['refitted']}.",
                    ("network", *(f"{writing}, {readout}" for readout in READOUTS for writing in WRITINGS)),
                    [(p, *(f"classify.{p}.{r}.{w}" for r in READOUTS for w in WRITINGS)) for p in pages],
                ),
                Table(
                    f"What spikes lose: share right of the textbook less that of the spiking twin on the same {n} "
                    "trials, with bootstrap intervals (95 %, BCa) over trials. Exact: largest difference of x between "
                    "the rate text and the textbook.",
                    (
                        "network",
                        *(f"{r}{'' if not e else e.replace('.', ', ')}" for r in READOUTS for e in ends),
                        "exact",
                    ),
                    [
                        (p, *(f"classify.{p}.{r}.lost{e}" for r in READOUTS for e in ends), f"classify.{p}.exact_error")
                        for p in pages
                    ],
                ),
                Table(
                    f"Logistic readouts of the inputs themselves, with 95 % Wilson intervals (n = {n}).",
                    ("readout of", "share right", "low", "high"),
                    [(text, *(f"classify.baseline.{name}{end}" for end in ends)) for name, text in inputs.items()],
                ),
            ],
        ),
        Section("When the answer is read, and from how many neurons", drawings=["over_time", "neurons"]),
    ]


if __name__ == "__main__":
    run_script(__file__)
