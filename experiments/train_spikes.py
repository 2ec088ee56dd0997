"""Recurrent spiking networks trained by surrogate gradients, and the same networks in C++.

A reach, a delayed exclusive or and a flip-flop; rates are kept low by a penalty. The trained weights go into Brian2
objects and run in C++: the same spikes, the same error. Beside them, on the reach, the ladder's twin of a trained rate
network: what it spends in spikes for its error.

Neftci, Mostafa & Zenke 2019, doi:10.1109/MSP.2019.2931595.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from cortwin import figures
from cortwin.errors import CortwinError
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.ladder import Spiking
from cortwin.models import elman
from cortwin.recurrent_lif import RecurrentLIF
from cortwin.simulation import simulate
from cortwin.study import Study
from cortwin.surrogate_descent import Descent, descend, in_cpp, in_xla
from cortwin.tasks import FlipFlopTask, ReachTask, Trials, delayed_xor
from cortwin.training import Options

DT, TAU_S, TAU_O = 5e-3, 50e-3, 50e-3  # s; currents as slow as NMDA's carry a memory over several spikes
START = {"recurrent": 0.5, "output": 0.1, "bias": 0.6}  # 5 to 20 Hz
TASKS = ("reach", "xor", "flipflop")


def compute(
    run: Run,
    *,
    tasks: Annotated[tuple[str, ...], Parameter("what is learned", choices=TASKS)] = TASKS,
    units: Annotated[int, Parameter("neurons", quick=48, minimum=1, maximum=256)] = 128,
    updates: Annotated[int, Parameter("updates of the weights", quick=120, minimum=1)] = 400,
    trials: Annotated[int, Parameter("training trials", quick=64, minimum=8)] = 256,
    tests: Annotated[int, Parameter("test trials in both compilers", quick=4, minimum=1)] = 16,
    learning_rate: Annotated[float, Parameter("of Adam, falling along a cosine", quick=3e-3, above=0)] = 1e-3,
    twin: Annotated[bool, Parameter("train a rate network too, for its twin", quick=False)] = True,
) -> Results:
    """Train on each task, and hold XLA against C++."""
    rows, twins, metrics, arrays = [], [], {}, {}
    for name in tasks:
        lessons, mask = _task(name, trials, run.seed_sequence(f"lessons of {name}"))
        shown, asked = _task(name, tests, run.seed_sequence(f"test of {name}"))
        sizes = RecurrentLIF(
            lessons.inputs.sizes["input"], units, lessons.target.sizes["output"], DT, tau_s=TAU_S, tau_o=TAU_O
        )
        start = sizes.initial(run.generator(f"weights of {name}"), **START)
        options = Descent(updates, min(32, trials), learning_rate)
        with run.timed("training"), run.progress(f"training on {name}", updates) as bar:
            batches = run.generator(f"batches of {name}")
            found, errors = descend(sizes, start, lessons.inputs, lessons.target, mask, options, batches, bar.advance)
        with run.timed("simulation"):
            here = in_xla(sizes, found, shown.inputs)
            there = in_cpp(sizes, found, shown.inputs) if run.engine == "cpp" else here
        rates = here.rates(DT)
        still = float(np.mean(np.asarray(shown.target) ** 2, axis=2)[asked > 0].mean())
        row: dict[str, Any] = {
            "task": name,
            "error": here.error(shown.target, asked) / still,
            "error_cpp": there.error(shown.target, asked) / still,
            "spikes": int(here.raster.sum()),
            "different": int((here.raster != there.raster).sum()),
            "rate": float(rates.mean()),
            "largest_rate": float(rates.max()),
            "spikes_per_second": float(here.raster.sum() / (tests * here.raster.shape[1] * DT)),
        }
        rows.append(row)
        metrics |= {f"train_spikes.{name}.{key}": value for key, value in row.items() if key != "task"}
        arrays |= {f"history.{name}": errors, f"output.{name}": here.output[0], f"raster.{name}": here.raster[0]}
        arrays |= {f"target.{name}": shown.target.to_numpy()[0], f"asked.{name}": asked[0]}
        arrays |= {f"{key}.{name}": value for key, value in found.items()}
    if twin:
        twins = _twins(run, units, updates, trials, tests)
        for one in twins:
            key = f"train_spikes.twin.{one['neurons']}"
            metrics |= {f"{key}.error": one["error"], f"{key}.spikes_per_second": one["spikes_per_second"]}
    tables = {"tasks": rows} | ({"twins": twins} if twin else {})
    return Results(metrics=metrics, tables=tables, weights=arrays, notes={"tasks": list(tasks)})


def _task(name: str, trials: int, seeds: np.random.SeedSequence) -> tuple[Trials, np.ndarray]:
    """Return trials of a task, and where its output counts."""
    if name == "reach":
        made = ReachTask(8, DT).trials(np.arange(trials) % 8, seeds)
        return made, np.ones(made.target.shape[:2])
    if name == "xor":
        return delayed_xor(trials, seeds, dt=DT, delay=2 * TAU_S)
    if name == "flipflop":
        made = FlipFlopTask(3, DT, 1.5, pause=(0.2, 0.5)).trials(trials, seeds)
        return made, np.ones(made.target.shape[:2])
    raise CortwinError(f"tasks names '{name}', expected one of {', '.join(TASKS)}")


def _twins(run: Run, units: int, updates: int, trials: int, tests: int) -> list[dict[str, Any]]:
    """Train a rate network on the reach; return the errors and the spikes of its spiking twins, by neurons a unit."""
    rows = []
    lessons = ReachTask(8, 0.01).trials(np.arange(trials) % 8, run.seed_sequence("lessons of the twin"))
    shown = ReachTask(8, 0.01).trials(np.arange(tests) % 8, run.seed_sequence("test of reach"))
    model = elman.model()
    for neurons in (1, 4, 16):
        study = Study(run, 0.1, Spiking(dt=2e-4), neurons)
        if neurons == 1:
            options = Options(learning_rate=1e-2, schedule="cosine", updates=updates, batch_size=min(32, trials))
            parameters = study.train(model, lessons, units, options)[1].parameters
        twins = study.twins(model, parameters, lessons)
        drawn = study.spiking.arrays(model, parameters, twins.represented, neurons, twins.seed)
        ran = simulate(
            model, "spiking", drawn | parameters._asdict(), shown.inputs, dt=study.spiking.dt,
            neurons_per_unit=neurons, spikes=True, **twins.options,
        )  # fmt: skip
        output, wanted = twins.transferred(ran.activity, shown.target).to_numpy(), shown.target.to_numpy()
        rows.append(
            {
                "neurons": neurons,
                "error": float(((output - wanted) ** 2).mean() / (wanted**2).mean()),
                "spikes_per_second": ran.spike_count / (tests * wanted.shape[1] * 0.01),
            }
        )
    return rows


def draw(results: Results) -> list[Drawing]:
    """Draw a trial of each task."""
    arrays = results.weights
    trials = {
        name: figures.Trial(
            DT * np.arange(len(arrays[f"target.{name}"])),
            np.where(np.asarray(arrays[f"asked.{name}"])[:, None] > 0, arrays[f"target.{name}"], np.nan),
            *(np.asarray(arrays[f"{part}.{name}"]) for part in ("output", "raster")),
        )
        for name in results.notes["tasks"]
    }
    return [
        Drawing(
            "trials",
            figures.spiking_tasks(trials),
            "A trial of each task",
            "Output (lines) and target (broad, grey) of one test trial; every spike of {parameters.units} neurons.",
        )
    ]


def report(results: Results) -> list[Section]:
    """Tell errors, rates and what C++ says."""
    columns = {
        "task": "task", "error": "error", "error_cpp": "error in C++", "spikes": "spikes", "different": "that differ",
        "rate": "mean rate (Hz)", "largest_rate": "largest (Hz)", "spikes_per_second": "spikes per s",
    }  # fmt: skip
    sections = [
        Section(
            "Trained spikes",
            "Errors are mean squares over those of an output that stays at 0; {parameters.tests} test trials.",
            drawings=["trials"],
            tables=[Table("One network for each task (n = 1).", columns, records="tasks")],
        )
    ]
    if "twins" in results.tables:
        twin = {"neurons": "neurons of a unit", "error": "error", "spikes_per_second": "spikes per s"}
        sections.append(
            Section(
                "Twins",
                "A rate network of as many units, trained on the reach, and its spiking twin.",
                tables=[Table("The twin by its neurons (n = 1).", twin, records="twins")],
            )
        )
    return sections


if __name__ == "__main__":
    run_script(__file__)
