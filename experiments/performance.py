"""How fast populations run, beside other simulators, stock Brian2, NumPy and loops written by hand.

Everybody does the same work in a process of its own, in turns, so that what else the machine does falls on all alike.
What is compared is the simulation proper: starting, generating and compiling code, and drawing the network are left out
for all; C++ programs tell the time of their steps, the others are timed around the call that advances the network,
after a first one. Every spike is recorded. The scripts of all are in `experiments/contestants`, as their users write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import brian2
import numpy as np

from cortwin import figures
from cortwin.cpp import compiler
from cortwin.errors import CortwinError
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.speed import Contestant, Race
from cortwin.speed.environments import PACKAGES, interpreters, version

SCRIPTS = Path(__file__).parent / "contestants"
NAMES = {
    "ours": "cortwin",
    "together": "cortwin, threads",
    "stock": "Brian2",
    "sorted": "Brian2, sorted synapses",
    "nest": "NEST",
    "annarchy": "ANNarchy",
    "brainpy": "BrainPy",
    "numpy": "NumPy",
    "limit": "loop by hand",
}
COMMAND = "see 'Benchmarks' in the README"


@dataclass(frozen=True)
class Work:
    """One row of the table.

    Attributes
    ----------
    title : what it is
    script : first part of the names of its contestants' scripts
    bars : the least that the ratio of a peer has to be, by peer
    case : what the scripts are told
    quick : what is different for a quick run
    divided : whether it is one network, which threads of ours can go through together
    """

    title: str
    script: str
    bars: Mapping[str, float]
    case: Mapping[str, Any]
    quick: Mapping[str, Any]
    divided: bool = False


BRUNEL = {"n_e": 10_000, "n_i": 2_500, "c_e": 1000, "c_i": 250, "g": 5.0, "eta": 2.0, "J": 0.1, "seconds": 0.4}
SMALL_BRUNEL = {"n_e": 800, "n_i": 200, "c_e": 80, "c_i": 20, "J": 1.25, "seconds": 0.2}
# 20 Hz
LIF = {"units": 500, "trials": 64, "inputs": 2, "jump": 0.5, "background": (0.9, 1.1), "noise": 0.3, "seconds": 1.0}
WORKS = {
    "dense1": Work(
        "dense rate network, 1000 units, one trial",
        "dense",
        {"numpy": 1 / 1.15, "stock": 6, "annarchy": 3},
        {"units": 1000, "trials": 1, "steps": 2000},
        {"units": 100, "steps": 200},
    ),
    "dense64": Work(
        "dense rate network, 1000 units, 64 trials",
        "dense",
        {"numpy": 1 / 1.3},
        {"units": 1000, "trials": 64, "steps": 200},
        {"units": 100, "trials": 4, "steps": 50},
    ),
    "lif64": Work(
        "trained LIF network, 500 neurons, 64 trials of 1 s at 20 Hz", "lif", {"stock": 5}, LIF,
        {"units": 50, "trials": 4, "seconds": 0.2},
    ),
    "brunel": Work(
        "Brunel (2000), 12,500 neurons, (5, 2), 0.4 s", "brunel",
        {"limit": 1 / 2, "stock": 5, "sorted": 2.5, "nest": 3}, BRUNEL, SMALL_BRUNEL, divided=True,
    ),
    "cuba": Work(
        "CUBA (Brette et al. 2007), 4000 neurons, 2 s", "cuba",
        {"stock": 2, "nest": 1, "annarchy": 1, "brainpy": 1},
        {"neurons": 4000, "probability": 0.02, "seconds": 2.0}, {"seconds": 0.2}, divided=True,
    ),
}  # fmt: skip
# Of the events of a large network: each neuron hears so many others, at 38 Hz.
INDEGREE = {"c_e": 800, "c_i": 200}
BYTES = {"pathway": 8.0, "synapse": 12.0}  # bars
SPREAD = {"pathway": 0.0, "synapse": 0.1}  # of the weights
PEAK = 1.5


def compute(
    run: Run,
    *,
    works: Annotated[tuple[str, ...], Parameter("what is done", choices=tuple(WORKS), quick=("dense1", "brunel"))] = (
        *WORKS,
    ),
    peers: Annotated[str, Parameter("folder of the environments nest, annarchy and brainpy; none when empty")] = "",
    repetitions: Annotated[int, Parameter("turns of each", quick=2, minimum=1)] = 7,
    threads: Annotated[int, Parameter("the largest number of threads of a peer", quick=1, minimum=1)] = 2,
    neurons: Annotated[tuple[int, ...], Parameter("sizes of a sparse network", minimum=1000)] = (
        1000,
        3000,
        10_000,
        30_000,
        100_000,
    ),
    trials: Annotated[tuple[int, ...], Parameter("trials of a dense network", minimum=1)] = (
        1,
        4,
        16,
        64,
        256,
    ),
    memory: Annotated[int, Parameter("neurons of the network whose memory is watched", minimum=100)] = 12_500,
    growing: Annotated[
        bool, Parameter("whether networks of other sizes are run, and memory is watched", quick=False)
    ] = True,
) -> Results:
    """Let them take turns; then grow the networks."""
    run.record("compiler", compiler.find().describe("release"))
    environments = interpreters(peers, PACKAGES)
    metrics: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    ratios: list[dict[str, Any]] = []
    sizes, batches, spreads = (neurons, trials, SPREAD) if growing else ((), (), {})
    steps = len(works) + len(sizes) + len(batches) + len(spreads)
    with run.progress("works", steps) as bar:
        for name in works:
            work = WORKS[name]
            case = {**work.case, **(work.quick if run.quick else {})}
            with run.timed(name):
                times, spikes = _race(work, case, environments, repetitions, threads)
            rows += [_row(name, who, number, values, spikes.get(who)) for (who, number), values in times.items()]
            mine = next(np.array(values) for (who, _), values in times.items() if who == "ours")
            metrics[f"seconds.{name}"] = float(np.median(mine))
            if ("together", threads) in times:
                metrics[f"threads.{name}"] = float(np.median(mine) / np.median(times["together", threads]))
            for peer in _peers(work):
                metrics[f"ratio.{name}.{peer}"] = None
                theirs = [(number, np.array(values)) for (who, number), values in times.items() if who == peer]
                if not theirs:
                    reasons[f"ratio.{name}.{peer}"] = f"{NAMES[peer]} is not installed: {COMMAND}"
                    continue
                ((number, seconds),) = theirs
                ratio = float(np.median(seconds) / np.median(mine))
                metrics[f"ratio.{name}.{peer}"] = ratio
                one = {"work": name, "peer": NAMES[peer], "threads": number, "ratio": ratio}
                one |= {"low": float((seconds / mine).min()), "high": float((seconds / mine).max())}
                least = work.bars.get(peer)
                ratios.append(one | {"bar": least, "met": None if least is None else ratio >= least})
            bar.advance()
        costs = []
        for size in sizes:
            with run.timed("sizes"):
                costs.append(_cost("neurons", size, *_grown("brunel", _sparse(size), repetitions)))
            bar.advance()
        for number in batches:
            with run.timed("trials"):
                costs.append(_cost("trials", number, *_grown("lif", {**LIF, "trials": number}, repetitions)))
            bar.advance()
        for kind, spread in spreads.items():
            with run.timed("memory"):
                found, why = _memory({**_sized(memory), "seconds": 0.5, "spread": spread})
            metrics |= {f"memory.bytes_per_synapse.{kind}": found["bytes"], f"memory.peak.{kind}": found["peak"]}
            reasons |= {} if why is None else {name: why for name in metrics if name.endswith(f".{kind}")}
            bar.advance()
    for kind in ("neurons", "trials"):
        own = [row for row in costs if row["kind"] == kind and row["events"]]
        if len({row["events"] for row in own}) > 1:
            slope = np.polyfit(np.log([row["events"] for row in own]), np.log([row["seconds"] for row in own]), 1)[0]
            metrics[f"cost.exponent.{kind}"] = float(slope)
    missed = [f"{row['work']} beside {row['peer']}" for row in ratios if row["met"] is False]
    return Results(
        metrics=metrics,
        reasons=reasons,
        tables={"times": rows, "ratios": ratios, "costs": costs, "versions": _versions(environments)},
        notes={"repetitions": repetitions, "threads": threads, "missed": missed, "quick": run.quick,
               "absent": [NAMES[p] for p in PACKAGES if p not in environments]},
    )  # fmt: skip


def _peers(work: Work) -> list[str]:
    """Return who is compared with us at a work: all that have a script for it."""
    scripts = {"stock": "brian2", "sorted": "brian2"}
    there = [peer for peer in NAMES if (SCRIPTS / f"{work.script}_{scripts.get(peer, peer)}.py").is_file()]
    return [peer for peer in there if peer in work.bars]


def _contestants(work: Work, environments: Mapping[str, str], threads: int, trials: int) -> list[Contestant]:
    """Return everybody who can do a work: we, NumPy and loops by hand with one thread, peers with several numbers."""
    found = [Contestant("ours", SCRIPTS / f"{work.script}_cortwin.py")]
    if work.divided and threads > 1:
        found.append(Contestant("together", SCRIPTS / f"{work.script}_cortwin.py", threads))
    for peer in _peers(work):
        if peer in ("numpy", "limit"):
            found.append(Contestant(peer, SCRIPTS / f"{work.script}_{peer}.py"))
        elif peer in ("stock", "sorted"):
            # Of a trained network its users run one trial after another, or all at once.
            ways: list[dict[str, Any]] = [{"sorted": peer == "sorted"}]
            if work.script == "lif":
                ways = [{"copies": 1}, {"copies": trials}]
            for options in ways:
                name = "stock, copies" if options.get("copies", 1) > 1 else peer
                script = SCRIPTS / f"{work.script}_brian2.py"
                found += [Contestant(name, script, n, options=options) for n in range(1, threads + 1)]
        elif peer in environments:
            script, python = SCRIPTS / f"{work.script}_{peer}.py", environments[peer]
            found += [Contestant(peer, script, n, python) for n in range(1, threads + 1)]
    return found


def _race(
    work: Work, case: Mapping[str, Any], environments: Mapping[str, str], repetitions: int, threads: int
) -> tuple[dict[tuple[str, int], list[float]], dict[str, float]]:
    """Return the seconds of every turn, of each with its best number of threads, and the spikes of its last turn.

    One turn with every number of threads tells which is the best; it does not count.
    """
    field = _contestants(work, environments, threads, case.get("trials", 1))
    with Race.running(field) as race:
        race.prepare(case)
        first = race.turns(1)
        best = {
            name: min((who for who in first if who[0] == name), key=lambda who: first[who][0]["seconds"])[1]
            for name, _ in first
        }
        if "stock, copies" in best:
            both = {name: first[name, best[name]][0]["seconds"] for name in ("stock", "stock, copies")}
            del best[max(both, key=lambda name: both[name])]
        answers = race.turns(repetitions, list(best), best)
    _refuse_fallbacks(work.title, answers["ours", 1])
    names = {who: ("stock" if who[0] == "stock, copies" else who[0], who[1]) for who in answers}
    spikes = {names[who][0]: found[-1]["spikes"] for who, found in answers.items() if "spikes" in found[-1]}
    return {names[who]: [one["seconds"] for one in found] for who, found in answers.items()}, spikes


def _refuse_fallbacks(title: str, answers: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to time what no fast path took: it would be Brian2's own code under our name."""
    if stock := answers[-1]["fallbacks"]:
        raise CortwinError(f"{title}: {stock[0]}" + (f", and {len(stock) - 1} more" if len(stock) > 1 else ""))


def _sized(neurons: int) -> dict[str, Any]:
    """Return Brunel's case at a number of neurons, with the published in-degree as far as there are neurons."""
    n_e = 4 * neurons // 5
    c_e = min(1000, n_e)
    return {**BRUNEL, "n_e": n_e, "n_i": neurons - n_e, "c_e": c_e, "c_i": c_e // 4, "J": 100 / c_e}


def _sparse(neurons: int) -> dict[str, Any]:
    """Return Brunel's case at a number of neurons, each with 1000 synapses; larger networks run for a shorter time."""
    n_e = 4 * neurons // 5
    return {
        **BRUNEL, "n_e": n_e, "n_i": neurons - n_e, **INDEGREE, "J": 100 / INDEGREE["c_e"],
        "seconds": float(np.clip(round(1e4 / neurons, 1), 0.2, 2.0)),
    }  # fmt: skip


def _grown(script: str, case: dict[str, Any], repetitions: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a case of ours and what was found in its turns."""
    with Race.running([Contestant("ours", SCRIPTS / f"{script}_cortwin.py")]) as race:
        answers = race.measure(case, min(repetitions, 3))["ours", 1]
    _refuse_fallbacks(script, answers)
    return case, answers


def _cost(kind: str, number: int, case: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a row: what a simulated second costs, and how many synaptic events it has."""
    synapses = case["units"] if kind == "trials" else case["c_e"] + case["c_i"]
    events = answers[-1]["spikes"] * synapses / case["seconds"]
    seconds = float(np.median([one["seconds"] for one in answers])) / case["seconds"]
    nanoseconds = 1e9 * seconds / events if events else None
    return {"kind": kind, "number": number, "events": events, "seconds": seconds, "nanoseconds": nanoseconds}


def _memory(case: Mapping[str, Any]) -> tuple[dict[str, float | None], str | None]:
    """Return what each further synapse takes of a running program, in bytes, and the peak over what stays.

    Compared are as many neurons with half the synapses; what both have, neurons and libraries, belongs to neither.
    Instead: why they are not known.
    """
    half = {**case, "c_e": case["c_e"] // 2, "c_i": case["c_i"] // 2}
    with Race.running([Contestant("memory", SCRIPTS / "brunel_memory.py")]) as race:
        fewer, told = (race.measure(one, 1)["memory", 1][0] for one in (half, case))
    if told["stays"] is None or fewer["stays"] is None:
        return {"bytes": None, "peak": None}, "the system does not tell the memory of a process, or it ended at once"
    more = (case["n_e"] + case["n_i"]) * sum(case[kind] - half[kind] for kind in ("c_e", "c_i"))
    return {"bytes": (told["stays"] - fewer["stays"]) / more, "peak": told["peak"] / told["stays"]}, None


def _row(name: str, who: str, threads: int, seconds: Sequence[float], spikes: float | None) -> dict[str, Any]:
    ends = {"low": min(seconds), "median": float(np.median(seconds)), "high": max(seconds)}
    return {"work": name, "by": NAMES[who], "threads": threads, **ends, "spikes": spikes}


def _versions(environments: Mapping[str, str]) -> list[dict[str, str]]:
    own = [{"package": "Brian2", "version": brian2.__version__}, {"package": "NumPy", "version": np.__version__}]
    others = {peer: version(Path(python), PACKAGES[peer]) for peer, python in environments.items()}
    return own + [{"package": NAMES[peer], "version": number} for peer, number in others.items()]


def draw(results: Results) -> list[Drawing]:
    """Draw the ratios, and the cost against the size."""
    rows = [{**row, "size": row["work"], "cell": row["peer"]} for row in results.tables["ratios"]]
    drawings = [
        Drawing(
            "ratios",
            figures.speed_ratios(rows),
            "Time of the other over ours",
            f"Time of the simulation proper, of the other over ours. Discs: of medians of "
            f"{results.notes['repetitions']} turns; bars: smallest and largest ratio of a turn. We, NumPy and loops by "
            "hand use one thread, peers their best number.",
        )
    ]
    if results.tables["costs"]:
        drawings.append(
            Drawing(
                "cost",
                figures.cost_against_events(results.tables["costs"]),
                "Cost against size",
                "Wall time of a simulated second against its synaptic events: Brunel's network at (5, 2) with 1000 "
                "synapses to each neuron, and trials of a dense LIF network. The lines have a slope of 1.",
            )
        )
    return drawings


def report(results: Results) -> list[Section]:
    """Tell bars and ratios, costs, memory."""
    notes = results.notes
    absent = "".join(f" {name} is not installed: {COMMAND}." for name in notes["absent"])
    barred = [row for row in results.tables["ratios"] if row["bar"] is not None]
    met = len(barred) - len(notes["missed"])
    missed = f" Missed: {', '.join(notes['missed'])}." if notes["missed"] else ""
    works = [name.partition(".")[2] for name in results.metrics if name.startswith("threads.")]
    faster = ", ".join(f"{{threads.{work}:.2f}} in `{work}`" for work in works)
    together = f" Our time with one thread over that with {notes['threads']}: {faster}." if works else ""
    small = " The sizes are those of a quick run: the bars are not meant for them." if notes["quick"] else ""
    sections = [
        Section(
            "Works",
            f"{met} of {len(barred)} bars are met.{missed}{together}{small}{absent}\n\n"
            "Building a program and drawing a network are not part of the time, for nobody. Everybody records all "
            "spikes. Arithmetic is float64, but for BrainPy, whose users compute in float32. A program in which any "
            "part of a step fell back to one of Brian2's own templates is not timed.",
            drawings=["ratios"],
            tables=[
                Table(
                    "Time of the other over ours: of medians, and range over turns.",
                    {
                        "work": "work",
                        "peer": "other",
                        "threads": "its threads",
                        "ratio": "ratio",
                        "low": "least",
                        "high": "most",
                        "bar": "bar",
                        "met": "met",
                    },
                    records="ratios",
                ),
                Table(
                    "Seconds of a turn, and spikes in it.",
                    {
                        "work": "work",
                        "by": "by",
                        "threads": "threads",
                        "median": "median",
                        "low": "least",
                        "high": "most",
                        "spikes": "spikes",
                    },
                    records="times",
                ),
                Table("Versions.", {"package": "package", "version": "version"}, records="versions"),
            ],
        )
    ]
    if results.tables["costs"]:
        sections.append(
            Section(
                "Cost against size",
                " ".join(
                    f"Over {kind} the cost grows with the power {{cost.exponent.{kind}:.2f}} of the synaptic events."
                    for kind in ("neurons", "trials")
                    if f"cost.exponent.{kind}" in results.metrics
                ),
                drawings=["cost"],
                tables=[
                    Table(
                        "What a simulated second costs.",
                        {
                            "kind": "of",
                            "number": "number",
                            "events": "synaptic events",
                            "seconds": "wall seconds",
                            "nanoseconds": "ns per event",
                        },
                        records="costs",
                    )
                ],
            )
        )
    if "memory.bytes_per_synapse.pathway" in results.metrics:
        sections.append(
            Section(
                "Memory",
                f"Of a network of {{parameters.memory}} neurons: the bars are {BYTES['pathway']:g} bytes for a synapse "
                f"without a weight of its own, {BYTES['synapse']:g} with one, and a peak of {PEAK:g} times what stays.",
                tables=[
                    Table(
                        "What each further synapse takes, beside as many neurons with half the synapses, and the "
                        "program's peak over what stays while it runs.",
                        ("", "bytes per synapse", "peak"),
                        [
                            (f"one weight per {kind}", f"memory.bytes_per_synapse.{kind}", f"memory.peak.{kind}")
                            for kind in BYTES
                        ],
                    )
                ],
            )
        )
    return sections


if __name__ == "__main__":
    run_script(__file__)
