"""A sweep that is killed again and again, on purpose, and what is left of it.

A storm runs `cortwin sweep` in processes of its own and kills, at seeded moments, a worker, the process that gives the
orders, or all of them together; what was killed is started again with the same words.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cortwin import result_files
from cortwin.errors import RunFailed
from cortwin.interruption import children_of
from cortwin.result_files import DATA_FILES
from cortwin.run_directory import PARAMETERS
from cortwin.sweep.folder import POINTS, read_sweep, status

WORKER, PARENT, TOGETHER = "a worker", "the parent", "parent and workers"
KINDS = (WORKER, PARENT, TOGETHER)
LOOK = 0.02  # s between two looks at the folder
SPREAD = 0.5  # s over which a kill falls after its moment
# What must be equal in two runs of one point; the others tell the time.
COMPARED = (*DATA_FILES, PARAMETERS)


@dataclass(frozen=True)
class Kill:
    """One SIGKILL.

    Parameters
    ----------
    after : points that are finished before it
    delay : seconds that pass then
    kind : one of `KINDS`
    """

    after: int
    delay: float
    kind: str


def plan_kills(points: int, number: int, generator: np.random.Generator) -> list[Kill]:
    """Draw kills over a sweep of so many points; every kind in turn."""
    moments = np.sort(generator.choice(np.arange(1, points), number, replace=False))
    delays = generator.uniform(0, SPREAD, number)
    kinds = [KINDS[k % len(KINDS)] for k in range(number)]
    generator.shuffle(kinds)
    return [Kill(int(a), float(b), kind) for a, b, kind in zip(moments, delays, kinds, strict=True)]


def weather(
    words: Sequence[str],
    folder: Path,
    kills: Sequence[Kill],
    generator: np.random.Generator,
    advance: Callable[[int], object] = lambda finished: None,
) -> list[dict[str, Any]]:
    """Run a sweep through kills to its end.

    Parameters
    ----------
    words : of the command, after ``cortwin``
    folder : of the sweep
    kills : in the order of their moments
    generator : draws which worker
    advance : called with the number of finished points now and then

    Returns
    -------
    list of dict
        What was killed and when; a kill whose moment came after the end is not among them.

    Raises
    ------
    RunFailed
        When the sweep ends without having been killed and is not done.
    """
    done: list[dict[str, Any]] = []
    waiting = list(kills)
    while True:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cortwin", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        killed = False
        while process.poll() is None:
            finished = _finished(folder)
            advance(finished)
            if waiting and finished >= waiting[0].after:
                time.sleep(waiting[0].delay)
                if not _kill(process.pid, waiting[0].kind, generator):
                    continue  # no worker yet: in a moment there is one
                kill = waiting.pop(0)
                done.append({"killed": kill.kind, "finished": _finished(folder), "after": kill.after})
                if kill.kind != WORKER:
                    killed = True
                    break
            time.sleep(LOOK)
        said = process.communicate()[1] if not killed else ""
        if killed:
            process.wait()
            assert process.stderr is not None
            process.stderr.close()
        elif process.returncode == 0:
            return done
        else:
            raise RunFailed(f"the sweep ended with status {process.returncode}: {said.strip().splitlines()[-1:]}")


def _finished(folder: Path) -> int:
    try:
        return sum(not entry.name.startswith(".") for entry in os.scandir(folder / POINTS))
    except FileNotFoundError:
        return 0


def _kill(parent: int, kind: str, generator: np.random.Generator) -> bool:
    workers = sorted(children_of(parent))
    if kind != PARENT and not workers:
        return False
    doomed = {WORKER: [workers[generator.integers(len(workers))]] if workers else [], PARENT: [parent]}
    for process in doomed.get(kind, [parent, *workers]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return True


@dataclass(frozen=True)
class Balance:
    """What two folders of the same sweep hold.

    Parameters
    ----------
    lost : combinations of parameters and seed that are asked for and not there
    doubled : runs beyond the first of a combination, and whatever else stands among the points
    different_bytes : in which the files of the same points differ
    """

    lost: int
    doubled: int
    different_bytes: int


def balance(wanted: Sequence[tuple[Any, ...]], names: Sequence[str], first: Path, second: Path) -> Balance:
    """Count what is lost, doubled or different, from the list of parameters and what the runs say of themselves.

    Parameters
    ----------
    wanted : values of some parameters and then the seed, for every point
    names : of those parameters
    first, second : folders of sweeps; the second one is counted
    """
    there: Counter[tuple[Any, ...]] = Counter()
    strange = 0
    for entry in os.scandir(second / POINTS):
        place = Path(entry.path)
        try:
            saved, facts = result_files.read_json(place / PARAMETERS), result_files.read_json(place / "manifest.json")
        except ValueError:
            strange += 1
            continue
        there[(*(saved[name]["value"] for name in names), facts["seed"])] += 1
    asked = Counter(wanted)
    lost = sum((asked - there).values())
    doubled = sum((there - asked).values()) + strange
    different = 0
    sweep = read_sweep(second)
    states = status(sweep).states
    for point in sweep.points:
        if states[point.name] == "finished":
            for name in COMPARED:
                different += _different(first / POINTS / point.name / name, second / POINTS / point.name / name)
    return Balance(lost, doubled, different)


def _different(first: Path, second: Path) -> int:
    one, other = (
        np.frombuffer(file.read_bytes() if file.is_file() else b"", dtype=np.uint8) for file in (first, second)
    )
    length = min(one.size, other.size)
    return int(np.count_nonzero(one[:length] != other[:length])) + abs(one.size - other.size)
