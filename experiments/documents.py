"""Every network of the five documents: exact where it should be, as near as its spikes bring it where it cannot be.

Each page of ``models/`` is trained on a small task and climbs the ladder, over several seeds. The documents' samples
are quoted fault by fault, and the corrected form of each is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import xarray as xr
from brian2 import Quantity, ms
from numpy.random import Generator, SeedSequence

from cortwin import figures
from cortwin.activity import activity
from cortwin.battery import Trained, measure_trained
from cortwin.cpp import compiler
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.experiments._printed import EQUATIONS, FAULTS, SAMPLES, corrected_samples
from cortwin.ladder import Rung, Spiking
from cortwin.model import Lacking, Model
from cortwin.models import attention, elman, feedforward, gru, jordan, lstm, relay, sublstm
from cortwin.tasks import ReachTask
from cortwin.training import Options, textbook_signals

ALPHA, STEP = 0.1, 0.01  # of the textbook networks; s
DIRECTIONS = 8
PAGES = {
    "jordan": jordan.model(),
    "feedforward": feedforward.model(),
    "elman": elman.model(),
    "relay": relay.model(),
    "relay_as_printed": relay.model("as_printed"),
    "lstm": lstm.model(),
    "gru": gru.model(),
    "sublstm": sublstm.model(),
    "attention": attention.model(),
    "attention_softmax": attention.model("softmax"),
}


def compute(
    run: Run,
    *,
    pages: Annotated[
        tuple[str, ...], Parameter("which networks", choices=tuple(PAGES), quick=("jordan", "relay", "gru"))
    ] = tuple(PAGES),
    units: Annotated[int, Parameter("units of each network", quick=8, minimum=2)] = 24,
    seeds: Annotated[int, Parameter("networks of each page", quick=1, minimum=1)] = 3,
    updates: Annotated[int, Parameter("updates of the weights", quick=40, minimum=1)] = 300,
    neurons: Annotated[tuple[int, ...], Parameter("LIF neurons per ensemble", quick=(4, 16), minimum=1)] = (4, 16, 64),
    dt_spiking: Annotated[Quantity, Parameter("step of the spikes", above=0 * ms, quick=0.5 * ms)] = 0.1 * ms,  # type: ignore
    sample_updates: Annotated[int, Parameter("updates of the corrected samples", quick=100, minimum=1)] = 1000,
) -> Results:
    """Measure every page, and train every corrected sample."""
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    metrics: dict[str, Any] = {}
    tables: dict[str, list[dict[str, Any]]] = {"ladder": []}
    with run.timed("pages"), run.progress("pages", len(pages) * seeds) as bar:
        for name in pages:
            measured = []
            for seed in run.seed_sequence(name).spawn(seeds):
                measured.append(measure(run, name, units, updates, neurons, Spiking(dt=float(dt_spiking)), seed))
                bar.advance()
            found = {number: [one.numbers[number] for one in measured] for number in measured[0].numbers}
            metrics |= {f"pages.{name}.{number}": float(np.median(values)) for number, values in found.items()}
            metrics |= {
                f"pages.{name}.{number}.{end}": float(value)
                for number, values in found.items()
                if number.startswith("nrmse")
                for end, value in (("least", min(values)), ("most", max(values)))
            }
            tables["ladder"] += [{"page": name, "seed": k, **row} for k, one in enumerate(measured) for row in one.rows]
    with run.timed("samples"):
        samples, histories = corrected_samples(run, sample_updates)
    tables["samples"] = samples
    tables["faults"] = [vars(one) for one in FAULTS]
    tables["equations"] = [{"document": d, "printed": text, "page": page} for d, (text, page) in EQUATIONS.items()]
    metrics |= {f"samples.{row['document']}.{name}": row[name] for row in samples for name in ("error", "baseline")}
    return Results(
        metrics=metrics,
        tables=tables,
        weights={f"history.{document}": history for document, history in histories.items()},
        notes={
            "pages": list(pages),
            "texts": {name: figures.page_texts(PAGES[name]) for name in pages},
            "neurons": list(neurons),
            "seeds": seeds,
            "units": units,
            "lacking": {n: spiking.reason for n in pages if isinstance(spiking := PAGES[n].spiking, Lacking)},
        },
    )


def lessons(name: str, seed: SeedSequence, repetitions: int) -> tuple[xr.DataArray, xr.DataArray, np.ndarray | None]:
    """Return inputs, targets and mask of a page's task: hand velocities, or for the classifier the direction."""
    task = ReachTask(DIRECTIONS, dt=STEP, cue_until="end")
    trials = task.trials(np.tile(np.arange(DIRECTIONS), repetitions), seed)
    if name != "feedforward":
        return trials.inputs, trials.target, None
    shown = np.broadcast_to(np.eye(DIRECTIONS)[trials.condition][:, None], (*trials.inputs.shape[:2], DIRECTIONS))
    labels = activity(shown, dt=STEP, t_start=float(trials.inputs["time"][0]), last="output", name="class")
    # While no target is shown there is no answer.
    return trials.inputs, labels, (np.abs(trials.inputs.to_numpy()[:, :, :2]).sum(axis=2) > 0).astype(float)


def measure(
    run: Run, name: str, units: int, updates: int, neurons: Sequence[int], spiking: Spiking, seed: SeedSequence
) -> Trained:
    """Train one network of a page and measure it."""
    model = PAGES[name]
    of_weights, of_batches, of_trials, of_neurons, of_entries = seed.spawn(5)
    inputs, target, mask = lessons(name, of_trials, 8)
    loss = "categorical_cross_entropy" if name == "feedforward" else "mean_squared_error"
    shown = slice(0, DIRECTIONS, 2)
    found = measure_trained(
        model,
        _initial(model, np.random.default_rng(of_weights), inputs, units, target),
        inputs,
        target,
        mask=mask,
        alpha=ALPHA,
        options=Options(learning_rate=5e-3, schedule="cosine", updates=updates, loss=loss),
        shown=shown,
        neurons=neurons,
        spiking=spiking,
        batches=np.random.default_rng(of_batches),
        drawn=of_neurons,
        entries=np.random.default_rng(of_entries),
        engines=lambda writing, _: (
            run.engine if writing == "rate R2" or (writing == "spiking" and not run.quick) else "xla"
        ),
        jobs=run.jobs,
    )
    if name in ("lstm", "attention"):
        return replace(found, numbers=found.numbers | limits(model, found.parameters, found.rungs, inputs[shown]))
    return found


def limits(model: Model, parameters: Any, rungs: list[Rung], inputs: xr.DataArray) -> dict[str, float]:
    """Measure what the distance of the largest spiking network comes from.

    Returns
    -------
    dict with ``limit.decoding``: the squared distance without spikes over that with them, and for the LSTM
    ``limit.memory``: the rank correlation over units of the RMS error with the time for which the forget gate holds it
    """
    fine, last = rungs[3].activity["x"], rungs[-1]
    found = {"limit.decoding": float((rungs[-2].row["nrmse"] / last.row["nrmse"]) ** 2)}
    if model.name == "lstm":
        gate = textbook_signals(model, parameters, inputs, ALPHA).values["a_f"]
        memory = (1 + np.exp(gate)).mean(axis=(0, 1))  # 1 / (1 - f), in tau
        error = np.sqrt(np.asarray(((last.activity["x"] - fine) ** 2).mean(("trial", "time"))))
        ranks = [np.argsort(np.argsort(values)) for values in (memory, error)]
        found["limit.memory"] = float(np.corrcoef(ranks)[0, 1])
    return found


def _initial(model: Model, generator: Generator, inputs: xr.DataArray, units: int, target: xr.DataArray) -> Any:
    sizes = inputs.sizes["input"], units, target.sizes["output"]
    if model.trained is attention.ParametersOfMemory:
        return model.initial(generator, *sizes, slots=inputs.sizes["time"])
    return model.initial(generator, *sizes)


def draw(results: Results) -> list[Drawing]:
    """Draw what was saved."""
    notes, rows = results.notes, results.tables["ladder"]
    found = [
        Drawing(
            "distances",
            figures.distances_of_pages(rows, notes["neurons"]),
            "How near the spikes come",
            f"Distance of x between the spiking twin and the rate text, against the LIF neurons in each ensemble; "
            f"{notes['seeds']} networks of {notes['units']} units of each page, a line through their medians.",
        ),
        Drawing(
            "samples",
            figures.sample_curves(
                {document: results.weights[f"history.{document}"] for document in SAMPLES},
                {row["document"]: row["baseline"] for row in results.tables["samples"]},
            ),
            "The documents' samples, corrected",
            "Training error of each; dashed: the best constant answer.",
        ),
    ]
    return found + [
        Drawing(f"page_{name}", figures.typeset_page(texts), name, "Typeset from the functions and the texts that ran.")
        for name, texts in ((name, notes["texts"][name]) for name in notes["pages"])
    ]


def report(results: Results) -> list[Section]:
    """Say what was measured."""
    notes, metrics = results.notes, results.metrics
    n, sizes = notes["seeds"], notes["neurons"]
    lacking = " ".join(f"{name} has no spiking writing: {reason}." for name, reason in notes["lacking"].items())
    names = notes["pages"]

    def rows(*numbers: str) -> list[tuple[str, ...]]:
        return [
            (name, *(f"pages.{name}.{number}" if f"pages.{name}.{number}" in metrics else "" for number in numbers))
            for name in names
        ]

    spikes = [f"nrmse.{size}" for size in sizes]
    spread = [f"nrmse.{sizes[-1]}.{end}" for end in ("least", "most")]
    limited = [name for name in names if f"pages.{name}.limit.decoding" in metrics]
    sections = [
        Section(
            "Every page",
            "The rate text, compiled, against the textbook's own step; the gradient against centred differences; and "
            "the distance of x between the spiking twin and the rate text at the same dt (R5 to R3). " + lacking,
            drawings=["distances"],
            tables=[
                Table(
                    f"Medians of {n} trained networks of {notes['units']} units; neurons counted for each ensemble.",
                    (
                        "page",
                        "exact error",
                        "gradient error",
                        *(f"NRMSE, {size} neurons" for size in sizes),
                        "least",
                        "most",
                    ),
                    rows("exact_error", "gradient_error", *spikes, *spread),
                ),
                Table(
                    f"The same neurons without spikes: their tuning curves (R4). Medians of {n} networks.",
                    ("page", *(f"NRMSE, {size} neurons" for size in sizes)),
                    rows(*(f"without_spikes.{size}" for size in sizes)),
                ),
                Table(
                    f"Error of the task, in the first and the last updates. Medians of {n} networks.",
                    ("page", "first", "last"),
                    rows("error_before", "error"),
                ),
            ],
        )
    ]
    if limited:
        sections.append(
            Section(
                "What limits the gated cell and attention",
                "Decoding: the squared distance without spikes over that with them, at the most neurons; near 1 the "
                "decoders limit, near 0 the spikes' noise. Memory: rank correlation over units of the error "
                "with the time for which the forget gate holds it, 1 / (1 - f).",
                tables=[
                    Table(
                        f"Medians of {n} networks.",
                        ("page", "decoding", "memory"),
                        [row for row in rows("limit.decoding", "limit.memory") if row[0] in limited],
                    )
                ],
            )
        )
    return [
        *sections,
        Section(
            "The documents' samples",
            "Lines as they stand in the documents, what is wrong with them, and the corrected form, which was trained.",
            drawings=["samples"],
            tables=[
                Table(
                    "Faults.",
                    {"document": "document", "line": "line", "fault": "fault", "instead": "corrected form"},
                    records="faults",
                ),
                Table(
                    "Corrected samples: error of new trials, and of the best constant answer (n = 1).",
                    {
                        "document": "document",
                        "network": "network",
                        "task": "task",
                        "updates": "updates",
                        "error": "error",
                        "baseline": "constant",
                    },
                    records="samples",
                ),
            ],
        ),
        Section(
            "The documents' equations beside their twins",
            drawings=[f"page_{name}" for name in names],
            tables=[
                Table(
                    "The five recurrences, and the pages that hold them.",
                    {"document": "document", "printed": "as printed", "page": "page"},
                    records="equations",
                )
            ],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
