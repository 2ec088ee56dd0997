"""How long a training step of a recurrent network of spiking neurons takes, beside snnTorch's, Norse's and BrainPy's.

The same sizes, float32, Adam, each at its best number of threads; processes take turns. The forward run alone is timed
too, beside that of the same Brian2 network in C++.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from cortwin import figures
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.speed import Race, SpikingCase, best_times, installed

PEERS = {"spiking.snntorch": "snnTorch", "spiking.norse": "Norse", "spiking.brainpy": "BrainPy"}
NAMES = {"spiking.ours": "cortwin", **PEERS, "spiking.cpp": "C++"}
COMMAND = "pip install -e '.[spiking]'"


def compute(
    run: Run,
    *,
    units: Annotated[int, Parameter("neurons", quick=32, minimum=1)] = 256,
    steps: Annotated[int, Parameter("steps of 1 ms", quick=50, minimum=1)] = 500,
    batch: Annotated[int, Parameter("trials of a step", quick=8, minimum=1)] = 64,
    inputs: Annotated[int, Parameter("inputs", minimum=1)] = 32,
    outputs: Annotated[int, Parameter("outputs", minimum=1)] = 2,
    updates: Annotated[int, Parameter("training steps of a measurement", minimum=1)] = 2,
    repetitions: Annotated[int, Parameter("measurements of each", quick=3, minimum=1)] = 9,
    threads: Annotated[int, Parameter("the largest number of threads", quick=1, minimum=1)] = 2,
) -> Results:
    """Let them take turns, and compare medians."""
    versions = {name: installed(name) for name in NAMES}
    present = [name for name in NAMES if versions[name] is not None and (name != "spiking.cpp" or run.engine == "cpp")]
    case = SpikingCase(units, steps, batch, inputs, outputs, updates)
    with Race.running(present, range(1, threads + 1)) as race, run.timed("updates"):
        training = best_times(race.times(case, repetitions, [name for name in present if name != "spiking.cpp"]))
        forward = best_times(race.times(case._replace(gradient=False), repetitions, present))
    rows = [
        {"by": NAMES[who], "what": what, "threads": number, **_milliseconds(seconds)}
        for what, found in (("training step", training), ("forward run", forward))
        for who, (number, seconds) in found.items()
    ]
    metrics: dict[str, Any] = {}
    reasons, ratios = {}, []
    ours, alone = training["spiking.ours"][1], forward["spiking.ours"][1]
    metrics["gradient.over_forward"] = float(np.median(ours) / np.median(alone))
    metrics["gradient.milliseconds"] = 1e3 * float(np.median(ours))
    compared = [(name, training, ours, f"speed.gradient.{name.partition('.')[2]}") for name in PEERS]
    for name, times, own, metric in (*compared, ("spiking.cpp", forward, alone, "speed.forward.cpp")):
        metrics[metric] = None
        if name in times:
            turns = np.array(times[name][1]) / np.array(own)
            metrics[metric] = float(np.median(times[name][1]) / np.median(own))
            what = "forward run" if name == "spiking.cpp" else "training step"
            ends = {"ratio": metrics[metric], "low": float(turns.min()), "high": float(turns.max())}
            ratios.append({"cell": what, "size": NAMES[name], **ends})
        else:
            reasons[metric] = "the engine is not C++" if name == "spiking.cpp" else f"not installed: {COMMAND}"
    packages = [{"package": name, "version": found} for all in versions.values() for name, found in (all or {}).items()]
    return Results(metrics=metrics, reasons=reasons, tables={"times": rows, "ratios": ratios, "versions": packages})


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    found = 1e3 * np.array(seconds)
    return {"low": float(found.min()), "median": float(np.median(found)), "high": float(found.max())}


def draw(results: Results) -> list[Drawing]:
    """Draw the ratios."""
    return [
        Drawing(
            "ratios",
            figures.speed_ratios(results.tables["ratios"]),
            "Time of the other over ours",
            "{parameters.units} neurons, {parameters.steps} steps, batches of {parameters.batch}; medians of "
            "{parameters.repetitions} turns, bars over turns.",
        )
    ]


def report(results: Results) -> list[Section]:
    """Tell times and ratios."""
    ends = {"low": "least", "median": "median", "high": "most"}
    return [
        Section(
            "Training steps",
            "A training step takes {gradient.milliseconds} ms, {gradient.over_forward} times the forward run.",
            drawings=["ratios"],
            tables=[
                Table("Milliseconds.", {"by": "by", "what": "what", "threads": "threads", **ends}, records="times"),
                Table("Versions.", {"package": "package", "version": "version"}, records="versions"),
            ],
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
