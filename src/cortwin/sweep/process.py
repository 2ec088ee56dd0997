"""A worker process seen from the side that gives the orders."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cortwin.interruption import kill_tree, kill_where
from cortwin.sweep.points import Point
from cortwin.sweep.worker import Terms

# Linear algebra in several threads rounds differently from machine to machine, and there is a process for every core.
ENVIRONMENT = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
) | {"MPLBACKEND": "Agg"}
_LOG_LINES = 20


class Worker:
    """A persistent process that computes points, in an empty folder of its own.

    Parameters
    ----------
    label : its number, for people
    terms : what it is told first
    prefix : of its folder, under the system's temporary folder
    lock : descriptor that it keeps open as long as it lives, None for none
    environment : variables beside those of this process

    Attributes
    ----------
    point : what it computes now, None when it waits
    since : `time.monotonic` when it was given that, or was started
    ready : whether it has imported the experiment
    """

    def __init__(
        self,
        label: str,
        terms: Terms,
        *,
        prefix: str = "cortwin-worker-",
        lock: int | None = None,
        environment: Mapping[str, str] | None = None,
    ):
        self.label = label
        self.point: Point | None = None
        self.since = time.monotonic()
        self.ready = False
        self.folder = Path(tempfile.mkdtemp(prefix=prefix))
        for name in ("here", "temporary"):
            (self.folder / name).mkdir()
        # Everything temporary lies in the folder, so that nothing is left of a worker that is killed.
        own = {**os.environ, **(environment or {}), **ENVIRONMENT, "TMPDIR": str(self.folder / "temporary")}
        if "PYTHONPATH" in own:
            own["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, own["PYTHONPATH"].split(os.pathsep)))
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "cortwin.sweep.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder / "here",
                env=own,
                pass_fds=() if lock is None else (lock,),
                start_new_session=True,  # Ctrl+C reaches this process alone
            )
        self._said = b""
        self._tell(terms.to_json())

    def fileno(self) -> int:
        """Descriptor that can be waited for."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def order(self, point: Point, place: Path) -> None:
        """Give it a point to compute."""
        self.point, self.since = point, time.monotonic()
        self._tell({"point": asdict(point), "place": str(place)})

    def answers(self) -> list[dict[str, Any]] | None:
        """Return what it has said, None when it is dead; to be called when its descriptor is readable."""
        data = os.read(self.fileno(), 65536)
        if not data:
            return None
        *lines, self._said = (self._said + data).split(b"\n")
        found = [json.loads(line) for line in lines]
        for answer in found:
            if answer["state"] == "ready":
                self.ready = True
            elif answer["state"] in ("finished", "failed"):
                self.point, self.since = None, time.monotonic()
        return found

    def log(self) -> list[str]:
        """Return the last lines that it wrote."""
        with contextlib.suppress(OSError):
            return (self.folder / "log").read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return []

    def end(self) -> str:
        """End it and everything that it started; return in words how it ended."""
        killed = self.process.poll() is None
        if killed:
            kill_tree(self.process.pid)
        status = self.process.wait()
        kill_where("TMPDIR", f"{self.folder}{os.sep}")  # a simulation whose worker was killed would go on
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        shutil.rmtree(self.folder, ignore_errors=True)
        if status >= 0:
            return f"ended with status {status}"
        return f"was killed ({signal.Signals(-status).name})"

    def _tell(self, content: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        # A worker that has died is found out when its answers end.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(content).encode() + b"\n")
            self.process.stdin.flush()


def wait(workers: Iterable[Worker], seconds: float) -> list[Worker]:
    """Wait until a worker has said something or has died; return those that have."""
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker, selectors.EVENT_READ, worker)
        return [key.data for key, _ in selector.select(seconds)]


def prefix_of(folder: Path) -> str:
    """Return the prefix of the folders of all workers of a sweep on this machine."""
    return f"cortwin-sweep-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}-"


def clear_workplaces(folder: Path) -> None:
    """End and remove what the workers of a sweep left when they and their parent were killed."""
    kill_where("TMPDIR", os.path.join(tempfile.gettempdir(), prefix_of(folder)))
    for place in Path(tempfile.gettempdir()).glob(f"{prefix_of(folder)}*"):
        shutil.rmtree(place, ignore_errors=True)
