"""Run a sweep, or what is missing of it."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cortwin.errors import CortwinError
from cortwin.experiment import Experiment
from cortwin.run_directory import clear_leftovers
from cortwin.sweep.design import Design
from cortwin.sweep.folder import FINISHED, POINTS, Status, Sweep, is_sweep, locked, read_sweep, status
from cortwin.sweep.outcome import Outcome, Watcher
from cortwin.sweep.points import Options, Point, make_points
from cortwin.sweep.pool import Pool
from cortwin.sweep.process import clear_workplaces, prefix_of
from cortwin.sweep.worker import Terms

# From the terms, the place of a point, a watcher and the lock to the outcomes of points.
Outcomes = Generator[Outcome, None, None]
Backend = Callable[[Sweep, Terms, Sequence[Point], Watcher, int], Outcomes]


@dataclass(frozen=True)
class Done:
    """How a sweep ended.

    Parameters
    ----------
    before, after : what was on the disk
    outcomes : of the points that were computed now, in the order in which they ended
    seconds : wall time
    """

    before: Status
    after: Status
    outcomes: Sequence[Outcome]
    seconds: float


def plan(
    path: Path, target: str, experiment: Experiment, design: Design, options: Options, command: Sequence[str]
) -> Sweep:
    """Put a sweep together, with every point checked; nothing is written.

    Raises
    ------
    CortwinError
        For bad input.
    """
    code = json.loads(json.dumps(experiment.sources))
    return Sweep(path, target, design, options, code, make_points(experiment, design, options, code), command)


def fits(sweep: Sweep) -> bool:
    """Tell whether a sweep's folder is new, empty, or holds this very sweep."""
    if is_sweep(sweep.path):
        return read_sweep(sweep.path).plan == sweep.plan
    return not sweep.path.exists() or (sweep.path.is_dir() and not any(sweep.path.iterdir()))


def require_fitting(sweep: Sweep) -> Sweep:
    """Refuse a folder that holds another sweep or something else."""
    if not fits(sweep):
        kind = "another sweep" if is_sweep(sweep.path) else "something else"
        raise CortwinError(f"{sweep.path} holds {kind}: name a new folder with --out")
    return sweep


def run_sweep(sweep: Sweep, watcher: Watcher, backend: Backend, *, figures: bool = False) -> Done:
    """Compute every point of a sweep that is not finished.

    Parameters
    ----------
    sweep : from `plan`
    watcher : told of everything
    backend : `here` or a cluster
    figures : whether each point gets figures and a report at once

    Raises
    ------
    CortwinError
        When another process works on it, or nothing can be computed at all.
    """
    started = time.perf_counter()
    require_fitting(sweep)
    with locked(sweep.path) as lock:
        sweep.write()
        clear_workplaces(sweep.path)
        clear_leftovers(sweep.path / POINTS, ".")
        before = status(sweep)
        todo = [point for point in sweep.points if before.states[point.name] != FINISHED]
        for point in todo:
            # Failed or damaged: computed again, it takes the place of what is there.
            shutil.rmtree(sweep.place(point), ignore_errors=True)
        terms = Terms(sweep.target, dict(sweep.code), sweep.options, figures)
        outcomes = []
        try:
            # Closed on the way out, whatever happens: only then is every worker gone.
            with contextlib.closing(backend(sweep, terms, todo, watcher, lock)) as computed:
                for outcome in computed:
                    outcomes.append(outcome)
                    watcher.ended(outcome)
        finally:
            clear_leftovers(sweep.path / POINTS, ".")
    return Done(before, status(sweep), outcomes, time.perf_counter() - started)


def here(jobs: int, timeout: float | None = None) -> Backend:
    """Return the backend of this computer, with so many processes."""

    def run(sweep: Sweep, terms: Terms, todo: Sequence[Point], watcher: Watcher, lock: int) -> Outcomes:
        pool = Pool(terms, sweep.place, jobs, watcher, timeout=timeout, prefix=prefix_of(sweep.path), lock=lock)
        return pool.run(todo)

    return run
