"""What goes wrong with simulations, done on purpose: what is survived, and what a sweep through it costs.

Faults are injected into a small simulation of the Elman network, in folders of their own. A fault is survived when it
is refused or mended in one clear line, and the next simulation gives the same bytes as before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from cortwin import figures, manifest
from cortwin.activity import activity
from cortwin.experiment import Drawing, Results, Run, Section, Table, run_script
from cortwin.faults import Bench, count, inject
from cortwin.models import elman


def compute(run: Run) -> Results:
    """Disturb, and count what was survived."""
    metrics, tables = _faults(run)
    return Results(metrics=metrics, tables=tables)


def _faults(run: Run) -> tuple[dict, dict]:
    """Inject every fault; return metrics and the table of what happened."""
    generator = run.generator("network")
    parameters = elman.initial(generator, inputs=2, units=5, outputs=1)
    inputs = activity(generator.standard_normal((4, 20, 2)), dt=0.01, last="input", name="input")
    facts = {**manifest.origin(command=["cortwin", "run", "robustness"], seed=run.seed, script=None)}
    with (
        run.timed("faults"),
        run.progress("injecting faults", count(run.engine)) as bar,
        tempfile.TemporaryDirectory(prefix="cortwin-faults-") as folder,
    ):
        bench = Bench(Path(folder), elman.model(), parameters._asdict(), inputs, run.engine, facts)
        outcomes = inject(bench, bar.advance)
    rows = [
        {"fault": one.fault, "happened": one.happened.replace(folder, "..."), "survived": one.survived}
        for one in outcomes
    ]
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
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
