"""The folder of a sweep: what it is, in `sweep.json`, and which of its points are finished, seen from the disk alone.

Every point is a run directory, ``points/NAME``. What stands there and is not named by `sweep.json` was computed by
other code, or for another design: it is stale, counted, and never read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortwin import manifest, result_files
from cortwin.errors import CortwinError
from cortwin.run_directory import FAILED as REASON
from cortwin.run_directory import MANIFEST, failure_in
from cortwin.sweep.design import Design
from cortwin.sweep.points import Options, Point

SWEEP, POINTS, LOCK = "sweep.json", "points", ".lock"
FORMAT = 1
FINISHED, FAILED, DAMAGED, MISSING = "finished", "failed", "damaged", "missing"
# Seconds for the workers of a process that was killed to notice it and end.
PATIENCE = 10.0


@dataclass(frozen=True)
class Sweep:
    """A sweep as its folder describes it.

    Parameters
    ----------
    path : its folder, absolute
    target : name of the experiment, or absolute path of its script
    design, options : what is varied, and what is shared
    code : fingerprints of the code that computes it
    points : all of them, in order
    command : the words that started it
    """

    path: Path
    target: str
    design: Design
    options: Options
    code: Mapping[str, Any]
    points: Sequence[Point]
    command: Sequence[str]

    @property
    def title(self) -> str:
        """Short name of the experiment."""
        return Path(self.target).stem if os.sep in self.target else self.target

    @property
    def plan(self) -> dict[str, Any]:
        """What makes it this sweep and no other, whatever the version of the code."""
        return {
            "target": self.target,
            "design": self.design.to_json(),
            "quick": self.options.quick,
            "engine": self.options.engine,
        }

    def place(self, point: Point) -> Path:
        """Directory of a point."""
        return self.path / POINTS / point.name

    def write(self) -> None:
        """Write `sweep.json` in one step."""
        (self.path / POINTS).mkdir(parents=True, exist_ok=True)
        points = [
            {"name": point.name, "seed": point.seed, "given": list(point.given.items()), "values": dict(point.values)}
            for point in self.points
        ]
        content = {"format": FORMAT, **self.plan, "code": self.code, "command": list(self.command), "points": points}
        fresh = self.path / f".{SWEEP}.new"
        result_files.write_json(fresh, manifest.sealed(content))
        fresh.replace(self.path / SWEEP)


def is_sweep(path: Path) -> bool:
    """Tell whether a folder holds a sweep."""
    return (path / SWEEP).is_file()


def read_sweep(path: Path) -> Sweep:
    """Read what a folder says that it is.

    Raises
    ------
    CortwinError
        If it holds no sweep, or its description is damaged.
    """
    path = path.absolute()
    if not is_sweep(path):
        raise CortwinError(f"{path} is not the folder of a sweep: it has no {SWEEP}")
    content = result_files.read_json(path / SWEEP)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CortwinError(f"{path / SWEEP} is not a sweep of this version of cortwin: begin again in another folder")
    seal = content.pop("seal", None)
    if seal != manifest.sealed(content)["seal"]:
        raise CortwinError(f"{path / SWEEP} was changed by hand: give the design again, in another folder")
    return Sweep(
        path,
        content["target"],
        Design.from_json(content["design"]),
        Options(quick=content["quick"], engine=content["engine"]),
        content["code"],
        [Point(**{**point, "given": dict(point["given"])}) for point in content["points"]],
        content["command"],
    )


@dataclass(frozen=True)
class Status:
    """What the disk says about a sweep.

    Parameters
    ----------
    states : of every point by name: ``"finished"``, ``"failed"``, ``"damaged"`` or ``"missing"``
    stale : directories in `points` that belong to other code or another design
    """

    states: Mapping[str, str]
    stale: Sequence[str]

    def count(self, state: str) -> int:
        """Points in a state."""
        return sum(found == state for found in self.states.values())

    def __str__(self) -> str:
        counts = {state: self.count(state) for state in (FINISHED, FAILED, DAMAGED, MISSING)} | {
            "stale": len(self.stale)
        }
        shown = [f"{number} {state}" for state, number in counts.items() if number or state == FINISHED]
        return ", ".join(shown)


def status(sweep: Sweep) -> Status:
    """Look at every point on the disk."""
    folder = sweep.path / POINTS
    there = {entry.name for entry in os.scandir(folder) if entry.is_dir()} if folder.is_dir() else set()
    names = {point.name for point in sweep.points}
    states = {name: state_of(folder / name) if name in there else MISSING for name in names}
    return Status(
        {point.name: states[point.name] for point in sweep.points},
        sorted(name for name in there - names if not name.startswith(".")),
    )


def state_of(place: Path) -> str:
    """Say in which state the directory of a point is; files are compared by size, not by hash."""
    if not (place / MANIFEST).exists():
        return FAILED if (place / REASON).is_file() else DAMAGED if place.exists() else MISSING
    try:
        files = manifest.read(place / MANIFEST)["files"]
        whole = all((place / name).stat().st_size == stated["bytes"] for name, stated in files.items())
    except (CortwinError, OSError):
        return DAMAGED
    return FINISHED if whole else DAMAGED


def failure_of(place: Path) -> str:
    """Return why a point failed, in one line."""
    try:
        content = failure_in(place) or {}
    except CortwinError as error:
        return str(error)
    return " ".join(str(content.get("error", "the reason was not written")).split())


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a sweep's folder; what it yields is the lock's descriptor, which workers inherit.

    The lock is free when the process and all its workers are gone, so that the workers of a killed process cannot
    write beside those of the next.

    Raises
    ------
    CortwinError
        If another process works on the sweep.
    """
    path.mkdir(parents=True, exist_ok=True)
    lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = _holder(lock)
                if holder is not None or time.monotonic() > deadline:
                    who = f"process {holder}" if holder else "another process"
                    raise CortwinError(f"{who} works on the sweep in {path}: let it end first") from None
                time.sleep(0.05)
            except OSError:
                break  # some network file systems cannot lock
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def _holder(lock: int) -> int | None:
    """Return the process that wrote itself down, if it is alive; its workers may outlive it for a moment."""
    text = os.pread(lock, 20, 0)
    if not text.isdigit() or int(text) == os.getpid():
        return None
    try:
        os.kill(int(text), 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return int(text)
