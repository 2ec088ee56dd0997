"""What goes wrong with simulations, done on purpose: what is survived, and what a sweep through it costs.

Faults are injected into a small simulation of the Elman network, in folders of their own. A fault is survived when it
is refused or mended in one clear line, and the next simulation gives the same bytes as before.
"""

from __future__ import annotations

import importlib.util
import tempfile
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np

from cortwin import figures
from cortwin.activity import activity
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, load_experiment, run_script
from cortwin.faults import Bench, count, inject
from cortwin.models import elman, lif
from cortwin.sweep.cluster import connect, through_dask
from cortwin.sweep.cost import median_over, scheduling_cost
from cortwin.sweep.loopback import LoopbackCluster
from cortwin.sweep.points import Options
from cortwin.sweep.run import here
from cortwin.sweep.storm import balance, plan_kills, weather

# What the sweeps vary: the experiment `firing_rate` at 50 places, each with as many seeds as are needed.
SWEPT = {
    "current": (0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.35),
    "noise": (0.1, 0.2, 0.3, 0.4, 0.5),
}
QUICKLY_SWEPT = {"current": (0.9, 1.1), "noise": (0.1, 0.3)}
WORKERS = 2


def compute(
    run: Run,
    *,
    commands: Annotated[bool, Parameter("inject the faults around the command, each a process", quick=False)] = True,
    seeds: Annotated[int, Parameter("seeds of a sweep of 50 places (quick: 4 places)", quick=3, minimum=1)] = 40,
    simulated: Annotated[str, Parameter("what a point simulates; 3s takes about 0.3 s", quick="1s")] = "3s",
    kills: Annotated[int, Parameter("SIGKILLs that the sweep has to survive", quick=2, minimum=1)] = 12,
    blocks: Annotated[int, Parameter("turns in which the cost of scheduling is measured", quick=1, minimum=1)] = 5,
    block: Annotated[int, Parameter("points of one sweep in a turn", quick=6, minimum=4)] = 40,
) -> Results:
    """Disturb, and count what was survived."""
    metrics, tables = _faults(run, commands)
    for part in (_storm(run, seeds, simulated, kills), _cost(run, simulated, blocks, block)):
        metrics |= part[0]
        tables |= part[1]
    reasons = {name: "Dask is not installed" for name, value in metrics.items() if value is None}
    return Results(metrics=metrics, tables=tables, reasons=reasons)


def _storm(run: Run, seeds: int, simulated: str, kills: int) -> tuple[dict, dict]:
    """Run one sweep undisturbed and the same through kills; return what differs."""
    swept = QUICKLY_SWEPT if run.quick else SWEPT
    wanted = list(product(*swept.values(), range(1, seeds + 1)))
    generator = run.generator("kills")
    planned = plan_kills(len(wanted), kills, generator)
    with tempfile.TemporaryDirectory(prefix="cortwin-storm-") as folder:
        calm, stormy = Path(folder, "calm"), Path(folder, "stormy")
        for place, fates, part in ((calm, [], "sweep"), (stormy, planned, "sweep through kills")):
            # The disturbed sweep takes its points in another order.
            order = {name: values if place is calm else values[::-1] for name, values in swept.items()}
            words = [
                "sweep",
                "firing_rate",
                "--seeds",
                str(seeds),
                "--engine",
                run.engine,
                "--set",
                f"duration={simulated}",
            ]
            for name, values in order.items():
                words += ["--set", f"{name}={','.join(map(str, values))}"]
            words += ["--out", str(place), "--jobs", str(WORKERS)]
            with run.timed(part), run.progress(part, len(wanted)) as bar:
                follow = _Follow(bar)
                survived = weather(words, place, fates, generator, follow)
        found = balance(wanted, list(swept), calm, stormy)
    metrics = {
        "sweep.points": len(wanted),
        "sweep.kills": len(survived),
        "sweep.lost": found.lost,
        "sweep.doubled": found.doubled,
        "sweep.different_bytes": found.different_bytes,
    }
    return metrics, {"kills": survived}


class _Follow:
    """Moves a bar to the number of finished points."""

    def __init__(self, bar):
        self._bar, self._shown = bar, 0

    def __call__(self, finished: int) -> None:
        self._bar.advance(finished - self._shown)
        self._shown = finished


def _cost(run: Run, simulated: str, blocks: int, points: int) -> tuple[dict, dict]:
    """Measure what scheduling costs per point, by local processes and by Dask in turns."""
    experiment = load_experiment("firing_rate")
    settings = {"noise": "0.3", "duration": simulated}
    names = ("local", "dask", "dask_results")
    backends = {"local": here(WORKERS)}
    with run.timed("cost of scheduling"), tempfile.TemporaryDirectory(prefix="cortwin-cost-") as folder:
        options = Options(engine=run.engine)
        measure = {"blocks": blocks, "points": points}
        if importlib.util.find_spec("distributed") is None:
            rows = scheduling_cost(Path(folder), experiment, settings, options, backends, **measure)
        else:
            with LoopbackCluster(WORKERS) as cluster:
                backends["dask"] = through_dask(lambda timeout: connect(cluster.address, timeout))
                backends["dask_results"] = through_dask(lambda timeout: connect(cluster.address, timeout), "dask")
                rows = scheduling_cost(Path(folder), experiment, settings, options, backends, **measure)
    metrics = {
        f"sweep.{metric}.{name}": median_over(rows, name, column) if name in backends else None
        for name in names
        for metric, column in (("overhead_per_point_s", "waited"), ("seconds_per_point", "point"))
    }
    return metrics, {"scheduling": rows}


def _faults(run: Run, commands: bool) -> tuple[dict, dict]:
    """Inject every fault; return metrics and the table of what happened."""
    generator = run.generator("network")
    parameters = elman.initial(generator, inputs=2, units=5, outputs=1)
    inputs = activity(generator.standard_normal((4, 20, 2)), dt=0.01, last="input", name="input")
    spiking = lif.initial(generator, inputs=2, units=5)
    with (
        run.timed("faults"),
        run.progress("injecting faults", count(run.engine, around=commands)) as bar,
        tempfile.TemporaryDirectory(prefix="cortwin-faults-") as folder,
    ):
        networks = (elman.model(), parameters._asdict(), lif.model(), spiking._asdict())
        outcomes = inject(Bench(Path(folder), run.engine, *networks, inputs), bar.advance, around=commands)
    rows = [{"fault": one.fault, "happened": one.happened, "survived": one.survived} for one in outcomes]
    metrics = {"faults.injected": len(rows), "faults.survived": int(np.sum([row["survived"] for row in rows]))}
    return metrics, {"faults": rows}


def draw(results: Results) -> list[Drawing]:
    """Draw what was survived."""
    return [
        Drawing(
            "faults",
            figures.outcomes({row["fault"]: row["survived"] for row in results.tables["faults"]}),
            "Faults",
            "{faults.survived} of {faults.injected} faults were survived.",
        )
    ]


def report(results: Results) -> list[Section]:
    """Tell what was survived."""
    return [
        Section(
            "Faults",
            "Of {faults.injected} faults that were injected {faults.survived} were survived: refused or mended in one "
            "line, nothing wrong believed, and the next simulation gave the same bytes as before.",
            drawings=["faults"],
            tables=[
                Table(
                    "What was done, and the line that a user reads.",
                    {"fault": "fault", "happened": "what happened", "survived": "survived"},
                    records="faults",
                )
            ],
        ),
        Section(
            "A sweep through kills",
            "A sweep of {sweep.points} points on two workers was run to its end undisturbed, and once more in another "
            "order while {sweep.kills} SIGKILLs fell on a worker, on the process that gives the orders, or on all "
            "together, at seeded moments. Of the list of parameters {sweep.lost} runs were lost and {sweep.doubled} "
            "doubled; the results differ in {sweep.different_bytes} bytes from the undisturbed ones.",
            tables=[
                Table(
                    "What was killed.",
                    {"killed": "killed", "after": "planned after points", "finished": "finished points"},
                    records="kills",
                )
            ],
        ),
        Section(
            "The cost of scheduling",
            "Between two points a worker waits {sweep.overhead_per_point_s.local} s on this computer and "
            "{sweep.overhead_per_point_s.dask} s on a Dask cluster; {sweep.overhead_per_point_s.dask_results} s when "
            "results travel through Dask too. A point takes about {sweep.seconds_per_point.local} s. Medians over "
            "points, and over turns in which the three ways follow one another.",
            tables=[
                Table(
                    "Seconds, by turn.",
                    {"backend": "", "block": "turn", "points": "points", "point": "a point (s)", "waited": "wait (s)"},
                    records="scheduling",
                )
            ],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
