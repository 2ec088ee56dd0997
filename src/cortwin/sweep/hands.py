"""What a sweep leaves with every Dask worker: worker processes that compute the points.

A Dask worker computes in threads of a process that has other things to do. The same worker processes as on one
computer stand beside it, one for each thread at work: each with an empty folder of its own and one thread of linear
algebra, whatever the Dask worker was started with.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin, get_worker

from cortwin.sweep.failure import write_failure
from cortwin.sweep.folder import SWEEP
from cortwin.sweep.outcome import ATTEMPTS, died_too_often
from cortwin.sweep.packing import pack
from cortwin.sweep.points import Point, command
from cortwin.sweep.process import Worker, wait
from cortwin.sweep.worker import Terms

LISTEN = 0.5  # s


@dataclass(frozen=True)
class Errand:
    """What every Dask worker is told.

    Parameters
    ----------
    terms : what worker processes are told
    shared : folder of the sweep where workers write their results, None when results travel through Dask
    cache : folder of the build cache of who gives the orders; used where it can be seen
    timeout : seconds for one point, None for no limit
    """

    terms: Terms
    shared: str | None
    cache: str
    timeout: float | None = None


class Hands(WorkerPlugin):
    """Worker processes beside one Dask worker."""

    def __init__(self, errand: Errand):
        self._errand = errand

    def setup(self, worker: Any) -> None:
        """Begin with no process; each is started when there is a point for it."""
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    def teardown(self, worker: Any) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            waiting, self._all = list(self._all), set()
        for process in waiting:
            process.end()

    def compute(self, point: Point) -> dict[str, Any]:
        """Compute a point and return what became of it, packed if results travel through Dask."""
        errand = self._errand
        if errand.shared is not None:
            if not (Path(errand.shared) / SWEEP).is_file():
                return _refusal(f"{platform.node()} does not see {errand.shared}: give --results dask")
            return self._attempt(point, Path(errand.shared) / "points" / point.name)
        folder = Path(tempfile.mkdtemp(prefix="cortwin-result-"))
        try:
            answer = self._attempt(point, folder / point.name)
            if answer["state"] != "refused":
                answer["packed"] = pack(folder / point.name)
            return answer
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _attempt(self, point: Point, place: Path) -> dict[str, Any]:
        for attempt in range(ATTEMPTS):
            process = self._take()
            process.order(point, place)
            answer = self._listen(process)
            if answer is not None and answer["state"] == "late":
                return self._give_up(
                    process, point, place, f"it took longer than {self._errand.timeout:g} s (--timeout)"
                )
            if answer is not None:
                with self._lock:
                    self._idle.append(process)
                return answer
            if attempt < ATTEMPTS - 1:
                self._end(process)
        return self._give_up(process, point, place, None)

    def _listen(self, process: Worker) -> dict[str, Any] | None:
        """Return what became of the point a process is at; None when the process has died."""
        while True:
            for _ in wait([process], LISTEN):
                answers = process.answers()
                if answers is None:
                    return None
                for answer in answers:
                    if answer["state"] != "ready":
                        return answer
            if self._errand.timeout is not None and time.monotonic() - process.since > self._errand.timeout:
                return {"state": "late"}

    def _take(self) -> Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        environment = {}
        if os.path.isdir(self._errand.cache) and os.access(self._errand.cache, os.W_OK):
            # Builds are shared through the cache, whose keys tell processors and compilers apart.
            environment["CORTWIN_CACHE"] = self._errand.cache
        process = Worker(str(len(self._all) + 1), self._errand.terms, environment=environment)
        with self._lock:
            self._all.add(process)
            closed = self._closed
        if closed:
            process.end()
            raise RuntimeError("another command has taken over this sweep")
        return process

    def _give_up(self, process: Worker, point: Point, place: Path, error: str | None) -> dict[str, Any]:
        seconds, log, how = time.monotonic() - process.since, process.log(), self._end(process)
        error = error or died_too_often(how)
        terms = self._errand.terms
        write_failure(place, error, point, command(terms.target, point, terms.options), log)
        return {"state": "failed", "name": point.name, "error": error, "seconds": seconds}

    def _end(self, process: Worker) -> str:
        with self._lock:
            self._all.discard(process)
        return process.end()


def _refusal(error: str) -> dict[str, Any]:
    return {"state": "refused", "error": error}


def compute(plugin: str, point: Point) -> dict[str, Any]:
    """Hand a point to the processes beside the Dask worker that this is called in."""
    hands: Any = get_worker().plugins[plugin]
    return hands.compute(point)
