"""What it costs to hand a point to a worker, on this computer and through Dask, measured in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cortwin.errors import RunFailed
from cortwin.experiment import Experiment
from cortwin.sweep.design import Design
from cortwin.sweep.outcome import Outcome
from cortwin.sweep.points import Options, Point
from cortwin.sweep.run import Backend, plan, run_sweep


class Silent:
    """A watcher that looks away."""

    def ready(self, workers: int) -> None:
        """Look away."""

    def started(self, point: Point, worker: str) -> None:
        """Look away."""

    def ended(self, outcome: Outcome) -> None:
        """Look away."""

    def note(self, text: str) -> None:
        """Look away."""

    def tick(self) -> None:
        """Look away."""


def scheduling_cost(
    folder: Path,
    experiment: Experiment,
    settings: Mapping[str, str],
    options: Options,
    backends: Mapping[str, Backend],
    *,
    blocks: int,
    points: int,
) -> list[dict[str, Any]]:
    """Run the same small sweeps through every backend, in turns, so that what else the computer does falls on all.

    Parameters
    ----------
    folder : scratch folder
    experiment, settings, options : what is run; every point has a seed of its own
    backends : by name, of the same number of workers
    blocks : turns
    points : of one sweep

    Returns
    -------
    list of dict
        A row per block and backend: ``point``, the median of seconds that a worker spends on a point, and ``waited``,
        the median of seconds that it waits between the end of one and the beginning of the next.

    Raises
    ------
    RunFailed
        When a point fails.
    """
    rows = []
    for block in range(blocks):
        seeds = range(1 + block * points, 1 + (block + 1) * points)
        for name, backend in backends.items():
            path = folder / f"{name}-{block}"
            sweep = plan(
                path, experiment.name, experiment, Design(settings, seeds=seeds), options, ["cortwin", "sweep"]
            )
            outcomes = run_sweep(sweep, Silent(), backend).outcomes
            failed = [outcome for outcome in outcomes if outcome.error]
            if failed:
                raise RunFailed(f"{failed[0].point} failed: {failed[0].error}")
            waited = [outcome.waited for outcome in outcomes if outcome.waited is not None]
            rows.append(
                {
                    "backend": name,
                    "block": block,
                    "points": len(outcomes),
                    "point": float(np.median([outcome.seconds for outcome in outcomes])),
                    "waited": float(np.median(waited)) if waited else float("nan"),
                }
            )
    return rows


def median_over(rows: Sequence[Mapping[str, Any]], backend: str, column: str) -> float:
    """Median of a column over the blocks of a backend."""
    return float(np.median([row[column] for row in rows if row["backend"] == backend]))
