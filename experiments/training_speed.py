"""How long an update takes (forward, backward, Adam), beside PyTorch's own layers, and document 004's sample in Keras.

Same sizes, same arithmetic (float32), each at its best number of threads. The processes take turns, so that what else
the machine does falls on all alike. Ours are whole calls of `cortwin.training.fit`; PyTorch's and Keras's are the loops
that their users write. What a peer lacks is not made up for: PyTorch and Keras add a second bias to gates in places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from cortwin import figures
from cortwin.errors import CortwinError
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.speed import COMMAND, Case, Race, installed, trainers

CELLS = ("elman", "gru", "lstm")
NAMES = {"ours": "cortwin", "pytorch": "PyTorch", "keras": "Keras"}
# Document 004: SimpleRNN(10) and Dense(1) on (100, 10, 1), 10 epochs of mini-batches of 1.
SAMPLE = "sample of document 004"
RANGE = {"low": "least", "high": "most"}
# Products of weights in a measurement, or so, and its fewest updates: what a training does once, checks and transfers
# of its data, weighs little.
LOAD, FEWEST = 2e9, 30


def compute(
    run: Run,
    *,
    sizes: Annotated[tuple[str, ...], Parameter("units x steps x batch", quick=("10x10x1", "16x10x4"))] = (
        "10x10x1",
        "50x100x32",
        "100x100x32",
        "256x100x64",
    ),
    cells: Annotated[tuple[str, ...], Parameter("networks", choices=CELLS)] = CELLS,
    inputs: Annotated[int, Parameter("inputs of each network", minimum=1)] = 10,
    repetitions: Annotated[int, Parameter("measurements of each", quick=3, minimum=1)] = 9,
    threads: Annotated[int, Parameter("the largest number of threads", quick=1, minimum=1)] = 2,
    epochs: Annotated[int, Parameter("epochs of the document's sample", quick=2, minimum=1)] = 10,
) -> Results:
    """Let them take turns, and compare medians."""
    cases = {f"{cell}.{size}": _case(cell, size, inputs, run.quick) for size in sizes for cell in cells}
    cases["document_004"] = Case("elman", 10, 10, 1, 1, updates=100 * epochs, trials=100, last=True)
    versions = {name: installed(name) for name in NAMES}
    present = [name for name in NAMES if versions[name] is not None]
    metrics: dict[str, float | None] = {}
    reasons, rows, ratios = {}, [], []
    numbers = range(1, threads + 1)
    with (
        Race.running(trainers(present, numbers)) as race,
        run.progress("updates", len(cases)) as bar,
        run.timed("updates"),
    ):
        for name, case in cases.items():
            peer = "keras" if case.last else "pytorch"
            times = race.times(case, repetitions, ("ours", peer))
            best = {who: _best(times, who) for who in dict.fromkeys(who for who, _ in times)}
            rows += [_row(name, who, number, values) for (who, number), values in times.items()]
            metrics[f"milliseconds.{name}"] = 1e3 * float(np.median(best["ours"]))
            metrics[f"speed.{name}"] = None
            if peer in best:
                found = np.array(best[peer]) / np.array(best["ours"])
                ratio = float(np.median(best[peer]) / np.median(best["ours"]))
                metrics[f"speed.{name}"] = ratio
                cell, _, size = name.partition(".")
                ratios.append(
                    {
                        "cell": "elman against Keras" if case.last else cell,
                        "size": SAMPLE if case.last else size.replace("x", " x "),
                        "peer": NAMES[peer],
                        "ratio": ratio,
                        "low": float(found.min()),
                        "high": float(found.max()),
                    }
                )
            else:
                reasons[f"speed.{name}"] = f"{NAMES[peer]} is not installed: {COMMAND}"
            bar.advance()
    packages = [
        {"package": package, "version": number}
        for found in versions.values()
        for package, number in (found or {}).items()
    ]
    absent = [NAMES[name] for name in NAMES if name not in present]
    return Results(
        metrics=metrics,
        reasons=reasons,
        tables={"updates": rows, "ratios": ratios, "versions": packages},
        notes={"absent": absent, "repetitions": repetitions, "threads": threads, "inputs": inputs},
    )


def _case(cell: str, size: str, inputs: int, quick: bool) -> Case:
    try:
        units, steps, batch = (int(number) for number in size.split("x"))
    except ValueError:
        raise CortwinError(f"sizes names '{size}', expected units x steps x batch such as 50x100x32") from None
    if min(units, steps, batch) < 1:
        raise CortwinError(f"sizes names '{size}', every number must be at least 1")
    products = units * (units + inputs) * steps * batch
    updates = min(max(round((LOAD / 100 if quick else LOAD) / products), FEWEST), 1000)
    return Case(cell, units, steps, batch, inputs, updates=updates, trials=batch)


def _best(times: Mapping[tuple[str, int], list[float]], who: str) -> list[float]:
    """Return the times with the number of threads that is the fastest."""
    return min(
        (values for (name, _), values in times.items() if name == who), key=lambda values: float(np.median(values))
    )


def _row(name: str, who: str, threads: int, seconds: list[float]) -> dict[str, Any]:
    milliseconds = 1e3 * np.array(seconds)
    ends = {"low": milliseconds.min(), "median": np.median(milliseconds), "high": milliseconds.max()}
    return {"case": name, "by": NAMES[who], "threads": threads, **{end: float(value) for end, value in ends.items()}}


def draw(results: Results) -> list[Drawing]:
    """Draw the ratios."""
    notes = results.notes
    return [
        Drawing(
            "ratios",
            figures.speed_ratios(results.tables["ratios"]),
            "Time of the other library over ours",
            "Time of an update in the other library over ours, each at its best number of threads (at most "
            f"{notes['threads']}); units x steps x batch. Discs: of medians of {notes['repetitions']} turns; "
            "bars: smallest and largest ratio of a turn. PyTorch, but for the document's sample.",
        )
    ]


def report(results: Results) -> list[Section]:
    """Tell the ratios, and what they are of."""
    absent = "".join(f" {name} is not installed; `{COMMAND}` installs it." for name in results.notes["absent"])
    faster = sum(row["ratio"] >= 1 for row in results.tables["ratios"])
    return [
        Section(
            "Updates",
            f"In {faster} of {len(results.tables['ratios'])} cases an update takes no longer here than there.{absent} "
            f"Arithmetic is float32, with {results.notes['inputs']} inputs and one output at every step; the "
            "document's sample has one input, and its output counts at the last step. The GRU's reset gate stands "
            "behind the recurrent weights, as in PyTorch, whose cells have a second bias.",
            drawings=["ratios"],
            tables=[
                Table(
                    "Time of the other over ours: of medians, and range over turns.",
                    {
                        "cell": "network",
                        "size": "units x steps x batch",
                        "peer": "other",
                        "ratio": "ratio",
                        "low": "least",
                        "high": "most",
                    },
                    records="ratios",
                ),
                Table(
                    "Milliseconds of an update.",
                    {
                        "case": "case",
                        "by": "by",
                        "threads": "threads",
                        "median": "median",
                        "low": "least",
                        "high": "most",
                    },
                    records="updates",
                ),
                Table("Versions.", {"package": "package", "version": "version"}, records="versions"),
            ],
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
