"""How long a training step of a recurrent network of spiking neurons takes, beside snnTorch's, Norse's and BrainPy's.

The same sizes, float32, Adam, each at its best number of threads; processes take turns. The forward run alone is timed
too, beside that of the same Brian2 network in C++. The scripts of all are in `experiments/contestants`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from cortwin import figures
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.speed import Contestant, Race
from cortwin.speed.environments import TRAINED, interpreters, version

SCRIPTS = Path(__file__).parent / "contestants"
NAMES = {"ours": "cortwin", "snntorch": "snnTorch", "norse": "Norse", "brainpy": "BrainPy", "cpp": "C++"}
COMMAND = "see 'Benchmarks' in the README"
TIMES = {"dt": 1e-3, "tau_m": 20e-3, "tau_s": 10e-3}


def compute(
    run: Run,
    *,
    peers: Annotated[str, Parameter("folder of the environments snntorch, norse and brainpy; none when empty")] = "",
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
    environments = interpreters(peers, TRAINED)
    sizes = {"units": units, "steps": steps, "batch": batch, "inputs": inputs, "outputs": outputs}
    case = {**TIMES, **sizes, "updates": updates}
    training = _contestants(environments, threads)
    forward = [*training, *_contestants({}, threads, "cpp")] if run.engine == "cpp" else training
    with Race.running(forward) as race, run.timed("updates"):
        steps_of = _seconds(race, {**case, "gradient": True}, repetitions, training)
        runs_of = _seconds(race, {**case, "gradient": False}, repetitions, forward)
    rows = [
        {"by": NAMES[who], "what": what, "threads": number, **_milliseconds(seconds)}
        for what, found in (("training step", steps_of), ("forward run", runs_of))
        for who, (number, seconds) in found.items()
    ]
    ours, alone = steps_of["ours"][1], runs_of["ours"][1]
    metrics: dict[str, float | None] = {
        "gradient.over_forward": float(np.median(ours) / np.median(alone)),
        "gradient.milliseconds": 1e3 * float(np.median(ours)),
    }
    reasons, ratios = {}, []
    compared = [(name, "training step", steps_of, ours, f"speed.gradient.{name}") for name in TRAINED]
    for name, what, found, own, metric in (*compared, ("cpp", "forward run", runs_of, alone, "speed.forward.cpp")):
        metrics[metric] = None
        if name in found:
            turns = found[name][1] / own
            ratio = metrics[metric] = float(np.median(found[name][1]) / np.median(own))
            ends = {"ratio": ratio, "low": float(turns.min()), "high": float(turns.max())}
            ratios.append({"cell": what, "size": NAMES[name], **ends})
        else:
            reasons[metric] = "the engine is not C++" if name == "cpp" else f"{NAMES[name]} is not installed: {COMMAND}"
    packages = [
        {"package": NAMES[name], "version": version(Path(python), TRAINED[name])}
        for name, python in environments.items()
    ]
    return Results(metrics=metrics, reasons=reasons, tables={"times": rows, "ratios": ratios, "versions": packages})


def _contestants(environments: Mapping[str, str], threads: int, us: str = "cortwin") -> list[Contestant]:
    """Return one of our scripts and those of the peers, each with every number of threads."""
    own = "ours" if us == "cortwin" else us
    return [
        *(Contestant(own, SCRIPTS / f"gradient_{us}.py", n) for n in range(1, threads + 1)),
        *(
            Contestant(name, SCRIPTS / f"gradient_{name}.py", n, python)
            for name, python in environments.items()
            for n in range(1, threads + 1)
        ),
    ]


def _seconds(
    race: Race, case: Mapping[str, Any], repetitions: int, contestants: Sequence[Contestant]
) -> dict[str, tuple[int, np.ndarray]]:
    """Return of each contestant its best number of threads, and the seconds of an update in every turn with it."""
    names = list(dict.fromkeys(one.name for one in contestants))
    found: dict[str, tuple[int, np.ndarray]] = {}
    for (name, threads), answers in race.measure(case, repetitions, names).items():
        seconds = np.array([answer["seconds"] for answer in answers]) / case["updates"]
        if name not in found or np.median(seconds) < np.median(found[name][1]):
            found[name] = (threads, seconds)
    return found


def _milliseconds(seconds: np.ndarray) -> dict[str, float]:
    found = 1e3 * seconds
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
