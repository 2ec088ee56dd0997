"""Centre-out reaches by a trained network, its rate and spiking twins, and recorded motor cortex.

The Elman network of documents 002 and 004 is trained to move a hand; the ladder is climbed from its formula to spikes;
a readout is fitted to each writing; and all of them stand beside a recording (a synthetic one when no file is given).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import xarray as xr
from brian2 import Hz, Quantity, ms

from cortwin import figures
from cortwin.analysis import (
    aligned_rates,
    cosine_tuning,
    covered,
    firing_rate,
    recurrence_spectrum,
    rotations,
    similarities,
    spike_statistics,
)
from cortwin.brian2_export import Ran, references_of
from cortwin.cpp import compiler
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.ladder import Rung, Spiking, ladder_metrics
from cortwin.models import elman, lif
from cortwin.readout import decode_hand_velocity
from cortwin.study import Study
from cortwin.tasks import ReachTask, RecordedReachTask, Recording, direction_split, read_recording, synthetic_recording
from cortwin.training import Options, Penalties, run_textbook
from cortwin.twins import WRITINGS, refitted, scores

FULL_RATE = 100.0  # Hz that r = 1 stands for beside recorded rates
SMOOTHING = 0.025  # s, the Gaussian that recorded rates come smoothed with
# The rates of a logistic population rest at 1/2: pulling them to 0 would pull the network out of its range.
PENALTIES = {
    "tanh": Penalties(weight=3e-5, rate=1e-2),
    "relu": Penalties(weight=3e-5, rate=1e-2),
    "logistic": Penalties(rate=1e-3),
}


def compute(
    run: Run,
    *,
    units: Annotated[int, Parameter("cortical units", quick=32, minimum=2)] = 100,
    activation: Annotated[str, Parameter("f of the units", choices=tuple(elman.ACTIVATIONS))] = "tanh",
    tau: Annotated[Quantity, Parameter("time constant of the synaptic current", above=0 * ms)] = 100 * ms,  # type: ignore
    dt: Annotated[Quantity, Parameter("step of the textbook network, alpha tau", above=0 * ms)] = 10 * ms,  # type: ignore
    directions: Annotated[int, Parameter("reach directions; every other one is trained", minimum=6)] = 16,
    trials: Annotated[int, Parameter("training trials per trained direction", quick=8, minimum=2)] = 32,
    tests: Annotated[int, Parameter("trials per direction to fit readouts, and to test them", quick=1, minimum=1)] = 4,
    noise: Annotated[float, Parameter("s.d. of the noise on the input; there is none on the ladder", minimum=0)] = 0.1,
    updates: Annotated[int, Parameter("updates of the weights", quick=800, minimum=1)] = 1000,
    learning_rate: Annotated[float, Parameter("learning rate of Adam, falling along a cosine", above=0)] = 5e-3,
    neurons: Annotated[tuple[int, ...], Parameter("LIF neurons per unit on the ladder", quick=(4, 16), minimum=1)] = (
        *(1, 4, 16, 64, 256),
    ),
    neurons_per_unit: Annotated[int, Parameter("LIF neurons per unit of the spiking twin", minimum=1)] = 16,
    tau_m: Annotated[Quantity, Parameter("membrane time constant", above=0 * ms)] = 20 * ms,  # type: ignore
    tau_s: Annotated[Quantity, Parameter("fast synaptic time constant", above=0 * ms)] = 10 * ms,  # type: ignore
    t_ref: Annotated[Quantity, Parameter("refractory time", minimum=0 * ms)] = 2 * ms,  # type: ignore
    dt_spiking: Annotated[Quantity, Parameter("step of the spikes", above=0 * ms, quick=0.2 * ms)] = 0.1 * ms,  # type: ignore
    min_rate: Annotated[Quantity, Parameter("least of the neurons' maximum rates", above=0 * Hz)] = 100 * Hz,  # type: ignore
    max_rate: Annotated[Quantity, Parameter("largest of the neurons' maximum rates", above=0 * Hz)] = 200 * Hz,  # type: ignore
    others: Annotated[bool, Parameter("climb with the other activations too", quick=False)] = True,
    shuffles: Annotated[int, Parameter("shuffles behind the null of rotations", quick=100, minimum=1)] = 1000,
    recording: Annotated[Path | None, Parameter("file of recorded reaches: its directions, times, velocities")] = None,
) -> Results:
    """Train, climb, read out, compare."""
    constants = {"tau": tau, "tau_m": tau_m, "tau_s": tau_s, "t_ref": t_ref}
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    run.record("penalties", {name: asdict(penalties) for name, penalties in PENALTIES.items()})
    study = Study(
        run,
        alpha=float(dt / tau),
        spiking=Spiking(dt=float(dt_spiking), max_rates=(float(min_rate), float(max_rate))),
        neurons_per_unit=neurons_per_unit,
    )
    run.record("batch", study.batch)
    model = elman.model(activation).with_constants(**constants)
    study.check(model, float(dt))
    page = figures.page_texts(model)  # now, while the source file is sure to be the one that was imported
    if recording is None:
        recorded = synthetic_recording(run.generator("recording"), n_directions=directions, dt=float(dt))
        task, silent = (ReachTask(directions, dt=float(dt), input_noise=sd, cue_until="end") for sd in (noise, 0.0))
        trained, new = direction_split(directions)
    else:
        recorded = read_recording(recording)
        task, silent = (RecordedReachTask(recorded, float(dt), input_noise=sd, cue_until="end") for sd in (noise, 0.0))
        trained = new = np.arange(task.n_directions)
    every = np.arange(task.n_directions)
    lessons = task.trials(np.tile(trained, trials), run.seed_sequence("lessons"))
    tested = task.trials(np.tile(every, tests), run.seed_sequence("test"))
    fitted = task.trials(np.tile(trained, tests), run.seed_sequence("fit"))
    shown = silent.trials(every, run.seed_sequence("ladder"))

    options = Options(
        learning_rate=learning_rate,
        schedule="cosine",
        updates=updates,
        batch_size=min(32, len(lessons) // 2),
        validation_fraction=0.1,
    )
    start, done = study.train(model, lessons, units, replace(options, penalties=PENALTIES[activation]))
    twins = study.twins(model, done.parameters, lessons)
    rungs = study.climb(twins, shown, neurons)
    metrics = ladder_metrics([rung.row for rung in rungs]) | {
        "training.error": done.history["error"][-1],
        "training.updates": done.best_update,
    }
    tables = {"ladder": [_without_times(rung.row) for rung in rungs]}
    for name in elman.ACTIVATIONS if others else ():
        if name != activation:
            other = elman.model(name).with_constants(**constants)
            learned = study.train(other, lessons, units, replace(options, penalties=PENALTIES[name]))[1].parameters
            own = study.twins(other, learned, lessons)
            rows = [rung.row for rung in study.climb(own, shown, [n for n in neurons if n in (16, 64)] or neurons)]
            metrics |= ladder_metrics(rows, names=("R5",), suffix=f".{name}")
            tables[f"ladder.{name}"] = [_without_times(row) for row in rows]

    pages = [lif.model(method) for method in (lif.METHODS[:1] if run.quick else lif.METHODS)]
    found, tables["convergence"] = study.checks(twins, shown, rungs, pages)
    metrics |= found | study.floor(twins, shown, rungs[3], max(neurons))

    with run.timed("readout"):
        active = study.activities(twins, tested.inputs)
        practised = None if recording else study.activities(twins, fitted.inputs)
        predictions = refitted(active, tested.target, practised, fitted.target)
        transferred = {name: twins.transferred(activity, tested.target) for name, activity in active.items()}
        for kind, found in {"refitted": predictions, "transferred": transferred}.items():
            metrics |= {f"readout.r2.{name}.{kind}": value for name, value in scores(found, tested.target).items()}
            for name, value in scores(found, tested.target, new).items() if recording is None else ():
                metrics[f"readout.r2.{name}.{kind}.new_directions"] = value
        for suffix, penalty in {"": 10.0, ".cv": "nested"}.items():
            decoded = decode_hand_velocity(recorded, penalty=penalty).r2  # type: ignore[arg-type]
            metrics |= {f"readout.r2.recording{suffix}.{axis[-1]}": value for axis, value in decoded.items()}

    with run.timed("comparison"):
        networks = {**active, "untrained": run_textbook(model, start, tested.inputs, study.alpha)}
        rates = _beside(recorded, networks, tested.target)
        alike = similarities(rates["recording"], {name: rates[name] for name in networks}, run.generator("floors"))
        metrics |= {f"similarity.{name}": value for name, value in alike.items()}
        turning = {name: rates[name] if name != "recording" else recorded.rate for name in ("recording", *WRITINGS)}
        turned, planes = rotations(turning, run.generator("shuffles"), shuffles=shuffles)
        metrics |= {f"rotation.{name}": value for name, value in turned.items()}

    spiking = next(rung for rung in rungs if rung.name == f"R5.{_nearest(neurons, neurons_per_unit)}")
    ran = {
        "rate": Ran(float(dt), "ladder.R2"),
        "spiking": Ran(float(dt_spiking), f"ladder.{spiking.name}", spiking.name),
    }
    kept = twins.kept(shown.inputs, ran, spiking.row["neurons_per_unit"], references_of(elman))
    found, preferred, reason = _spike_metrics(spiking, float(t_ref))
    metrics |= found
    facts = {"dt": dt_spiking, "max_rates": f"{min_rate} to {max_rate}", "mean_rate": f"{found['spikes.rate']:.1f} Hz"}
    run.record("spiking", {name: str(value) for name, value in {**constants, **facts}.items()})
    spectra = {"untrained": recurrence_spectrum(start.W_rec), "trained": recurrence_spectrum(done.parameters.W_rec)}
    metrics |= {f"recurrence.{name}.radius": spectrum.radius for name, spectrum in spectra.items()}
    arrays = {f"trained.{name}": value for name, value in done.parameters._asdict().items()}
    arrays |= {f"untrained.{name}": value for name, value in start._asdict().items()}
    arrays |= {f"eigenvalues.{name}": spectrum.eigenvalues for name, spectrum in spectra.items()}
    arrays |= {f"history.{name}": values for name, values in done.history.items()} | {"preferred_direction": preferred}
    return Results(
        metrics=metrics,
        reasons={name: reason for name, value in found.items() if reason and np.isnan(value)},
        tables=tables,
        activity={
            **{f"ladder.{rung.name}": rung.activity for rung in rungs},
            **{f"hand.{name}": prediction for name, prediction in predictions.items()},
            **{f"rotation.{name}": plane.projections for name, plane in planes.items()},
            "hand.target": tested.target,
            **kept.activity,
        },
        spikes={spiking.name: spiking.spikes} if spiking.spikes is not None else {},
        weights=arrays | kept.weights,
        notes={
            **kept.notes,
            "page": page,
            "activation": activation,
            "units": units,
            "tau": float(tau),
            "trained": trained.tolist(),
            "spiking": spiking.name,
            "recording": "synthetic recording" if recording is None else "recording",
            "reasons": {name: plane.reason for name, plane in planes.items()},
        },
    )


def _beside(recorded: Recording, networks: dict[str, xr.Dataset], target: xr.DataArray) -> dict[str, xr.DataArray]:
    """Bring the networks' rates onto the recording's times, as far as every trial covers them."""
    time, onsets = recorded.rate["time"].to_numpy(), target["movement_onset"].to_numpy()
    kept = covered(onsets, float(target["time"][0]), float(target["time"][-1]), time)
    labels = {name: target[name] for name in ("condition", "movement_onset", "direction")}
    rates = {
        name: aligned_rates(activity["r"].assign_coords(labels), time[kept], width=SMOOTHING, scale=FULL_RATE)
        for name, activity in networks.items()
    }
    return {"recording": recorded.rate[:, kept], **rates}


def _spike_metrics(rung: Rung, t_ref: float) -> tuple[dict[str, Any], np.ndarray, str]:
    """Return the statistics of the spiking twin's neurons, their preferred directions, and why any are missing."""
    assert rung.spikes is not None  # R5 records them
    bin_width = 0.01
    found = spike_statistics(rung.spikes, t_ref, bin_width)
    metrics = {f"spikes.{name}": float(found[f"mean_{name}"]) for name in ("rate", "cv", "fano_factor", "correlation")}
    metrics |= {f"spikes.{name}": float(found[name].mean()) for name in ("silent", "saturated")}
    labels = {name: rung.activity[name] for name in ("condition", "direction")}
    tuning = cosine_tuning(firing_rate(rung.spikes, bin_width, coordinates=labels))
    return metrics, tuning["preferred_direction"].to_numpy(), found.attrs["reason"]


def _nearest(sizes: tuple[int, ...], wanted: int) -> int:
    return min(sizes, key=lambda size: abs(size - wanted))


def _without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.endswith("seconds")}


def draw(results: Results) -> list[Drawing]:
    """Draw what was saved."""
    notes, arrays, tables = results.notes, results.weights, results.tables
    target = results.activity["hand.target"]
    hands = {name: results.activity[f"hand.{name}"] for name in WRITINGS}
    marks = {name: f"$R^2$ = {results.metrics[f'readout.r2.{name}.refitted']:.3f}" for name in WRITINGS}
    spikes = results.spikes[notes["spiking"]]
    ladder = {name: results.activity[f"ladder.{name}"] for name in ("R1", "R3", notes["spiking"])}
    onsets = {"go": ladder["R1"]["go_time"].to_numpy(), "move": ladder["R1"]["movement_onset"].to_numpy()}
    events = [{name: float(times[k]) for name, times in onsets.items()} for k in range(len(onsets["go"]))]
    order = np.argsort(-ladder["R1"]["r"].std(("trial", "time")).to_numpy())
    busiest = order[:10:4]
    pair = [0, len(ladder["R1"]["trial"]) // 2]
    angles = [f"{angle:.0f}°" for angle in np.degrees(ladder["R1"]["direction"].to_numpy())]
    curves = {notes["activation"]: tables["ladder"]}
    curves |= {name: tables[f"ladder.{name}"] for name in elman.ACTIVATIONS if f"ladder.{name}" in tables}
    similarity = {n.removeprefix("similarity."): v for n, v in results.metrics.items() if n.startswith("similarity.")}
    spectra = {name: arrays[f"eigenvalues.{name}"] for name in ("untrained", "trained")}
    rows = tables["convergence"]
    return [
        Drawing(
            "equations",
            figures.typeset_page(notes["page"]),
            "One network, written three times",
            "Typeset from the functions and the texts that ran.",
        ),
        Drawing(
            "cover",
            figures.neurons_per_unit(curves, units=notes["units"]),
            "How many spiking neurons is one artificial unit worth?",
            "Distance of x between the spiking twin (R5) and the rate text (R3) at the same dt, against the LIF "
            "neurons "
            "that stand for one unit.",
        ),
        Drawing(
            "ladder",
            figures.ladder_rungs(tables["ladder"]),
            "The ladder",
            "Distance of x at every rung: to the rung before, and to the textbook (R1).",
        ),
        Drawing(
            "hands",
            figures.hand_paths(hands, target, trained=notes["trained"], notes=marks),
            "Hand paths",
            "Read from each writing by a ridge readout fitted to its own activity. Dashed: directions that were "
            "neither "
            "trained nor fitted.",
        ),
        Drawing(
            "activity",
            figures.example_units(
                {"textbook": ladder["R1"]["x"], "rate": ladder["R3"]["x"], "spiking": ladder[notes["spiking"]]["x"]},
                units=[int(unit) for unit in busiest],
                trials=pair,
                titles=[angles[k] for k in pair],
                spikes=spikes,
                events=[events[k] for k in pair],
            ),
            "Example units",
            "The current x of three units in two directions, in all three writings, with the spikes that stand for it.",
        ),
        Drawing(
            "raster",
            figures.spike_raster(spikes, arrays["preferred_direction"], events=events[0], title=angles[0]),
            "Spikes",
            "One reach; neurons sorted and coloured by preferred direction, the population rate below.",
        ),
        Drawing(
            "rotations",
            figures.rotation_planes({name: _panel(results, name) for name in ("recording", *WRITINGS)}),
            "Rotations",
            f"Leading jPCA plane of the {notes['recording']} and of each writing, from 50 ms before to 150 ms after "
            "movement onset, a line per direction.",
        ),
        Drawing(
            "similarity",
            figures.similarity_scores(similarity, results.reasons),
            "Similarity to the " + notes["recording"],
            "Beside the floors (untrained network, smooth noise, cross-condition average) and the ceiling (one half of "
            "the recorded units against the other). Maps are fitted without the direction that they score.",
        ),
        Drawing(
            "eigenvalues",
            figures.eigenvalues(spectra, tau=notes["tau"]),
            "Eigenvalues of the recurrence",
            "Before and after training.",
        ),
        Drawing(
            "training",
            figures.training_curves(
                arrays["history.error"],
                step=arrays["history.update"],
                validation=arrays["history.validation_loss"],
                validation_step=arrays["history.validation_update"],
                gradient_norm=arrays["history.gradient_norm"],
                clip=1.0,
                best=results.metrics["training.updates"],
            ),
            "Training",
            "Mean squared error of the network's own output, on mini-batches and on the trials held out, and the "
            "norm of its "
            "gradient.",
        ),
        Drawing(
            "convergence",
            figures.convergence_order(
                [row["dt"] for row in rows],
                {"rate": [row["error"] for row in rows]},
                slope=results.metrics["ladder.R3.slope"],
            ),
            "The rate text approaches its differential equation",
            "Error against an adaptive solver that starts anew wherever the input jumps.",
        ),
    ]


def _panel(results: Results, name: str) -> figures.RotationPanel:
    numbers = [
        results.metrics[f"rotation.{name}.{key}"] for key in ("frequency", "r2_skew", "r2", "null.r2_skew.quantile95")
    ]
    frequency, r2_skew, r2, null = (np.nan if number is None else number for number in numbers)
    return figures.RotationPanel(
        results.activity[f"rotation.{name}"], frequency, r2_skew, r2, null, results.notes["reasons"].get(name, "")
    )


def report(results: Results) -> list[Section]:
    """Tell what was found."""
    spiking, recorded = results.notes["spiking"], results.notes["recording"]
    size = spiking.removeprefix("R5.")
    columns = {
        "rung": "rung",
        "neurons_per_unit": "neurons per unit",
        "dt": "dt (s)",
        "step": "to the rung before",
        "total": "to R1",
        "nrmse": "to R3",
        "correlation": "correlation",
        "loss": "readout loss",
        "rate": "rate (Hz)",
        "spikes": "spikes",
        "synaptic_events": "synaptic events",
        "engine": "engine",
    }
    kinds = ["refitted", "transferred"]
    readouts = [(name, *(f"readout.r2.{name}.{kind}" for kind in kinds)) for name in WRITINGS]
    if f"readout.r2.rate.{kinds[0]}.new_directions" in results.metrics:
        readouts = [
            (name, *(f"readout.r2.{name}.{kind}{new}" for kind in kinds for new in ("", ".new_directions")))
            for name in WRITINGS
        ]
    header = (
        ("", "refitted", "transferred")
        if len(readouts[0]) == 3
        else ("", "refitted", "… new directions", "transferred", "… new directions")
    )
    others = ("textbook", "rate", "spiking", "untrained", "noise", "average", "ceiling")
    turning = ("frequency", "r2_skew", "null.r2_skew.quantile95", "r2", "null.r2.quantile95", "variance")
    return [
        Section(
            "Three writings",
            "The recurrence of documents 002 and 004 with its readout, the rate population, and the spiking "
            "population. "
            "Textbook and rate text agree to {ladder.R2.max_abs_error} in C++, and C++ and XLA to "
            "{ladder.R2.xla_max_abs_error}; the gradient of the loss through the rate text differs from the "
            "textbook's by "
            "{ladder.R2.gradient_error} (relative).",
            drawings=["equations"],
        ),
        Section(
            "The ladder",
            f"From the formula to spikes, a rung at a time, on one noise-free trial per direction. With {size} LIF "
            f"neurons for "
            f"each unit the current x is off by {{ladder.R5.nrmse.{size}}} of its standard deviation, at "
            f"{{ladder.R5.rate.{size}:.0f}} Hz per "
            "neuron.\n\nWhat is left at the largest number of neurons, on four trials: {ladder.floor.as_run} as run; "
            "{ladder.floor.decoder} when the tuning curves stand in for their spikes; {ladder.floor.half_grid} with "
            "spikes on a "
            "grid of half the dt; {ladder.floor.half_tau_s} with half the synaptic time constant; "
            "{ladder.floor.without_anticipation} when neurons do not anticipate the lag of their synapses.",
            drawings=["cover", "ladder", "activity", "raster", "convergence"],
            tables=[
                Table(
                    "Every rung, of one trained network and one draw of its neurons (n = 1). Distances are RMS "
                    "differences of x over the standard deviation of the reference.",
                    columns,
                    records="ladder",
                )
            ],
        ),
        Section(
            "The same readout on every writing",
            "R2 of the hand's velocity on held-out trials against the noise-free target. Refitted: a ridge readout "
            "of each "
            "writing's own activity, its penalty chosen by cross-validation over directions. Transferred: the "
            "output weights "
            "of the trained network. The spiking writing is read from filtered spikes alone.",
            drawings=["hands", "training", "eigenvalues"],
            tables=[
                Table(
                    "R2 pooled over held-out trials, times and both outputs, of one trained network (n = 1); "
                    "{parameters.tests} trials per direction.",
                    header,
                    readouts,
                ),
                Table(
                    f"R2 of a ridge readout of the {recorded}, each direction left out in turn.",
                    ("", "x", "y"),
                    [
                        ("penalty 10", "readout.r2.recording.x", "readout.r2.recording.y"),
                        ("nested penalty", "readout.r2.recording.cv.x", "readout.r2.recording.cv.y"),
                    ],
                ),
            ],
        ),
        Section(
            f"Beside the {recorded}",
            "Rates on one time grid and smoothing, aligned to movement onset, one row per direction. A score means "
            "something "
            "only between its floors and its ceiling, and a rotation only beyond its null.",
            drawings=["rotations", "similarity"],
            tables=[
                Table(
                    f"Similarity to the {recorded}: cross-condition mean kept, then removed.",
                    ("", "CKA", "CCA", "Procrustes", "CKA", "CCA", "Procrustes"),
                    [
                        (
                            name,
                            *(
                                f"similarity.{m}.{mean}.{name}"
                                for mean in ("mean_kept", "mean_removed")
                                for m in ("cka", "cca", "procrustes")
                            ),
                        )
                        for name in others
                    ],
                ),
                Table(
                    "Rotations (jPCA), with the 95 % quantile of {parameters.shuffles} shuffles of the directions "
                    "per unit.",
                    ("", "frequency (Hz)", "R2, skew", "null", "R2", "null", "variance in the PCs"),
                    [(name, *(f"rotation.{name}.{key}" for key in turning)) for name in ("recording", *WRITINGS)],
                ),
            ],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
