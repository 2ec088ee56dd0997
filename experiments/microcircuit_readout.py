"""What readouts of each layer tell of patterns that arrive through the thalamus: which is on, which was, and their XOR.

Spike templates, every spike moved a little each time, come through thalamic fibres into layers 4 and 6 of the cortical
microcircuit, one segment after another. Linear readouts of filtered spikes are fitted layer by layer. The same is asked
of circuits whose wiring was forgotten in two ways (after Haeusler & Maass 2007, doi:10.1093/cercor/bhj132) and of an
Elman network that was trained on the same spikes. A circuit is built once and sees all segments in one run.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from brian2 import Hz, Quantity, ms
from numpy.typing import NDArray

from cortwin import figures
from cortwin.activity import activity
from cortwin.analysis import filtered_spikes, interval, spikes_of
from cortwin.errors import CortwinError
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.models import elman
from cortwin.models import microcircuit as page
from cortwin.network import NetworkRun, run_network
from cortwin.readout import accuracies, asked_of
from cortwin.tasks import shown_in_order, spike_templates
from cortwin.training import Options, fit, textbook_activity

DT, SAMPLE = 1e-4, 1e-3  # s
LAYERS = ("L23", "L4", "L5", "L6")
LAGS = 3  # segments back
TAU_S = 20e-3  # s, of the filter
GRID = 5e-3  # s between samples of filtered spikes
SETTLING = 0.3  # s without a pattern
PENALTIES = (1e1, 1e2, 1e3, 1e4, 1e5)
CHANCE = 0.5
WINDOW, BIN = 4, 5e-3  # segments of a trial of the Elman network, and s of its step
UNITS = 50
# What the metrics of other circuits than the cortical one end with.
ENDINGS = {kind: f".{kind}" for kind in page.ARRANGEMENTS[1:]}
NAMES = {"lag_0": "pattern", "lag_1": "previous", "xor": "xor"}


def compute(
    run: Run,
    *,
    scale: Annotated[float, Parameter("of the circuit", quick=0.02, above=0, maximum=1)] = 1.0,
    circuits: Annotated[int, Parameter("of each kind", quick=1, minimum=1)] = 3,
    kinds: Annotated[tuple[str, ...], Parameter("wirings", choices=page.ARRANGEMENTS, quick=("cortical",))] = (
        page.ARRANGEMENTS
    ),
    segments: Annotated[int, Parameter("patterns shown one after another", quick=24, minimum=20)] = 400,
    duration: Annotated[Quantity, Parameter("of a pattern", minimum=10 * ms)] = 50 * ms,  # type: ignore
    rate: Annotated[Quantity, Parameter("of a fibre", above=0 * Hz, maximum=500 * Hz)] = 40 * Hz,  # type: ignore
    jitter: Annotated[Quantity, Parameter("standard deviation of a spike's time", minimum=0 * ms)] = 1 * ms,  # type: ignore
    neurons: Annotated[int, Parameter("of each layer that are read", quick=50, minimum=10)] = 400,
    updates: Annotated[int, Parameter("of the Elman network, 0 for none", quick=20, minimum=0)] = 1000,
    threads: Annotated[int, Parameter("of one circuit", minimum=1)] = 2,
) -> Results:
    """Show patterns to every circuit, and ask every layer."""
    length = float(duration)
    if abs(length / GRID - round(length / GRID)) > 1e-6:
        raise CortwinError(f"duration is {duration}, must be a multiple of {GRID * 1e3:g} ms")
    rows: list[dict[str, Any]] = []
    rates = []
    for seed in range(run.seed, run.seed + circuits):
        order, raster = _stream(run, seed, page.circuit(scale).fibres, segments, length, float(rate), float(jitter))
        for kind in kinds:
            model = page.model(scale, kind)
            quiet = np.zeros((round(SETTLING / SAMPLE), raster.shape[1]))
            inputs = activity(np.concatenate([quiet, raster])[None] * 1.0, dt=SAMPLE, last="input", name="thalamus")
            with run.timed("circuits"):
                network = run_network(model, inputs=inputs, dt=DT, seed=seed, threads=threads, engine=run.engine)
            rates += [{"kind": kind, "circuit": seed, "population": name, "rate": network.rate(name)}
                      for name in page.POPULATIONS]  # fmt: skip
            with run.timed("readouts"):
                rows += _read(run, network, kind, seed, order, length, neurons)
        if updates:
            with run.timed("Elman network"):
                rows += _elman(run, seed, order, raster, length, updates)
    summary = _summary(run, rows)
    metrics = {
        f"readout.accuracy.{row['layer']}.{row['asked']}{ENDINGS.get(row['kind'], '')}": row["accuracy"]
        for row in _last(summary)
    }
    metrics["readout.chance"] = CHANCE
    return Results(
        metrics=metrics,
        tables={"accuracies": rows, "summary": summary, "questions": _last(summary), "rates": rates},
        notes={"circuits": circuits, "segments": segments, "scale": scale},
    )


def _stream(
    run: Run, seed: int, fibres: int, segments: int, length: float, rate: float, jitter: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the order of the patterns of one circuit, and the spikes of all fibres, (time, fibre)."""
    of_templates, of_order, of_jitter = (run.generator(f"{what} {seed}") for what in ("templates", "order", "jitter"))
    templates = spike_templates(of_templates, patterns=2, fibres=fibres, duration=length, rate=rate, dt=SAMPLE)
    order = of_order.integers(2, size=segments)
    return order, shown_in_order(of_jitter, templates, order, jitter=jitter, dt=SAMPLE)


def _read(
    run: Run, network: NetworkRun, kind: str, seed: int, order: NDArray, length: float, neurons: int
) -> list[dict[str, Any]]:
    """Ask every layer, at every sample of a segment."""
    per_segment, rows = round(length / GRID), []
    first = round(SETTLING / GRID)
    grid = GRID * (first + 1 + np.arange(per_segment * len(order)))
    asked, n_training = asked_of(order, LAGS), _training(len(order))
    for layer in LAYERS:
        generator = run.generator(f"neurons {layer} {seed}")
        found = []
        total = sum(int(network.spikes[f"{layer}{sign}"].attrs["n_units"]) for sign in "EI")
        for sign in "EI":
            table = network.spikes[f"{layer}{sign}"]
            n = int(table.attrs["n_units"])
            number = min(n, max(1, round(neurons * n / total)))
            chosen = np.sort(generator.choice(n, number, replace=False))
            found.append(filtered_spikes(spikes_of(table, chosen), TAU_S, grid).to_numpy()[0])
        states = np.concatenate(found, axis=1).reshape(len(order), per_segment, -1)
        for step in range(1, per_segment, 2):
            for row in accuracies(states[LAGS:, step], asked, n_training, PENALTIES):
                delay = GRID * (step + 1)
                rows.append({"kind": kind, "circuit": seed, "layer": layer, "delay": delay, "last": length, **row})
    return rows


def _training(segments: int) -> int:
    return round(0.7 * (segments - LAGS))


def _elman(run: Run, seed: int, order: NDArray, raster: NDArray, length: float, updates: int) -> list[dict[str, Any]]:
    """Train an Elman network on the same spikes, counted in steps, and ask it at the end of every segment."""
    model, steps = elman.model(), round(length / BIN)
    counts = raster.reshape(len(order) * steps, -1, raster.shape[1]).sum(axis=1).astype(np.float64)
    asked = asked_of(order, LAGS)
    # A trial is a few segments and is asked about its last one alone: no earlier one lies within it whole.
    trial = np.stack([counts[(k - LAGS) * steps : (k + 1) * steps] for k in range(LAGS, len(order))])
    answers = np.stack([2.0 * values - 1 for values in asked.values()], axis=1)
    target = np.zeros((*trial.shape[:2], answers.shape[1]))
    target[:, -1], mask = answers, np.zeros(trial.shape[:2])
    mask[:, -1] = 1
    n = _training(len(order))
    options = Options(
        updates=updates, learning_rate=2e-3, schedule="cosine", batch_size=min(32, n), interval=min(20, updates)
    )
    given = activity(trial, dt=BIN, last="input", name="input")
    wanted = activity(target, dt=BIN, last="output", name="target")
    start = model.initial(run.generator(f"Elman {seed}"), trial.shape[2], UNITS, answers.shape[1])
    learned = fit(
        model, start, given[:n], wanted[:n], alpha=0.2, options=options, generator=run.generator(f"batches {seed}"),
        mask=mask[:n],
    )  # fmt: skip
    p = learned.parameters
    h = np.asarray(textbook_activity(model, p, trial[n:], 0.2)[1])[:, -1]
    right = (h @ np.asarray(p.W_out).T + np.asarray(p.b_out) > 0) == (answers[n:] > 0)
    return [
        {"kind": "elman", "circuit": seed, "layer": "elman", "delay": length, "last": length, "asked": name,
         "readout": "logistic", "accuracy": float(right[:, column].mean())}
        for column, name in enumerate(asked)
    ]  # fmt: skip


def _summary(run: Run, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and interval over circuits."""
    groups: dict[tuple, list[float]] = {}
    keys = ("kind", "layer", "delay", "last", "asked", "readout")
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row["accuracy"])
    found = []
    for key, values in groups.items():
        low, high = (None if math.isnan(end) else end for end in interval(values, run.generator("bootstrap")))
        row = dict(zip(keys, key, strict=True)) | {"accuracy": float(np.mean(values)), "low": low, "high": high}
        found.append({**row, "asked": NAMES.get(row["asked"], row["asked"]), "n": len(values)})
    return found


def draw(results: Results) -> list[Drawing]:
    """Draw what each layer tells over delay."""
    rows = [row for row in results.tables["summary"] if row["readout"] == "logistic"]
    return [
        Drawing(
            "delays",
            figures.accuracy_over_delay(rows, LAYERS, chance=CHANCE),
            "Which pattern, over delay",
            "Readouts of one layer each; a pattern began as long ago as the axis says, and others followed it. Lines: "
            "mean over circuits with its interval; dashed: chance.",
        ),
        Drawing(
            "questions",
            figures.accuracy_of_questions(results.tables["questions"], (*LAYERS, "elman"), chance=CHANCE),
            "Which pattern is on, which came before, and their exclusive or",
            "At the end of a pattern. Bars: mean over circuits and its interval; dashed: chance.",
        ),
    ]


def _last(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["readout"] == "logistic" and row["delay"] == row["last"]]


def report(results: Results) -> list[Section]:
    """Tell what the layers know."""
    few = results.notes["circuits"] < 2
    return [
        Section(
            "Patterns",
            "{parameters.segments} patterns of {parameters.duration} one after another; readouts are fitted to the "
            "first 70 % and asked about the others. Chance is {readout.chance}."
            + (" One circuit of each kind gives no interval." if few else ""),
            drawings=["delays", "questions"],
            tables=[
                Table(
                    "Accuracy at the end of a pattern, logistic readout: mean over circuits and ends of its interval.",
                    {"kind": "circuit", "layer": "layer", "asked": "asked", "accuracy": "accuracy", "low": "low",
                     "high": "high", "n": "circuits"},
                    records="questions",
                )
            ],
        )
    ]  # fmt: skip


if __name__ == "__main__":
    run_script(__file__)
