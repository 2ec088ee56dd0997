"""Points on a Dask cluster, whose scheduler runs already or is started with a job queue.

Whatever happens to its workers and its scheduler, a point is done when its directory is: points that were lost are
handed out again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import queue
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cortwin.errors import CortwinError, RunFailed
from cortwin.sweep.failure import write_failure
from cortwin.sweep.folder import Sweep
from cortwin.sweep.outcome import Outcome, Watcher
from cortwin.sweep.packing import unpack
from cortwin.sweep.points import Point, command
from cortwin.sweep.run import Backend, Outcomes
from cortwin.sweep.worker import Terms

RESULTS = ("shared", "dask")
CONNECT = 10.0  # s to find a scheduler
PATIENCE = 120.0  # s to find it again when it was lost
TICK = 0.2  # s
# Points handed out beyond those at work, so that no worker waits for the next; more would only lie in the scheduler.
AHEAD = 2
INSTALL = "install it with `pip install 'cortwin[cluster]'`"


def connect(address: Any, timeout: float = CONNECT) -> Any:
    """Return a client of a scheduler.

    Parameters
    ----------
    address : ``"tcp://host:port"``, or a cluster object of Dask
    timeout : seconds

    Raises
    ------
    CortwinError
        When Dask is not installed, or nothing answers.
    """
    try:
        import distributed
    except ImportError as error:
        raise CortwinError(f"Dask is missing ({error}): {INSTALL}") from None
    # Dask reports every lost connection at length; what matters is said by the sweep.
    for name in ("distributed", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return distributed.Client(address, timeout=timeout, set_as_default=False)
    except (OSError, TimeoutError) as error:
        reason = f"within {timeout:g} s" if isinstance(error, TimeoutError) else f"({error})"
        raise CortwinError(f"no Dask scheduler answers at {address} {reason}: is it running, and reachable?") from None
    except ValueError as error:
        raise CortwinError(f"--scheduler {address}: {error}; write tcp://HOST:PORT") from None


def through_dask(
    reach: Callable[[float], Any], results: str = "shared", timeout: float | None = None, patience: float = PATIENCE
) -> Backend:
    """Return the backend of a Dask cluster.

    Parameters
    ----------
    reach : returns a client, given the seconds to try for
    results : ``"shared"`` (workers write into the sweep's folder) or ``"dask"`` (they send their results back)
    timeout : seconds for one point, None for no limit
    patience : seconds to wait for a scheduler that was lost
    """

    def run(sweep: Sweep, terms: Terms, todo: Sequence[Point], watcher: Watcher, lock: int) -> Outcomes:
        from cortwin.cpp.cache import directory
        from cortwin.sweep.hands import Errand

        shared = str(sweep.path) if results == "shared" else None
        errand = Errand(terms, shared, str(directory()), timeout)
        session = _Session(sweep, errand, reach, patience, watcher)
        try:
            yield from session.run(todo)
        finally:
            session.close()

    return run


class _Session:
    def __init__(self, sweep: Sweep, errand: Any, reach: Callable[[float], Any], patience: float, watcher: Watcher):
        self._sweep, self._errand, self._reach = sweep, errand, reach
        self._patience, self._watcher = patience, watcher
        self._plugin = f"cortwin-{hashlib.sha256(os.fsencode(sweep.path)).hexdigest()[:12]}"
        # What an earlier command, killed, left at work on the cluster must not be taken for the answer to this one.
        self._keys = f"{self._plugin}-{secrets.token_hex(4)}"
        self._waiting: deque[Point] = deque()
        self._flying: dict[Any, Point] = {}
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._client: Any = None
        self._threads, self._counted = 0, -1.0

    def run(self, points: Sequence[Point]) -> Iterator[Outcome]:
        self._waiting.extend(points)
        if points:
            self._begin(self._reach(CONNECT))
        while self._waiting or self._flying:
            if self._client.status != "running":
                self._find_again()
            self._hand_out()
            try:
                yield from self._take(self._ended.get(timeout=TICK))
            except queue.Empty:
                self._watcher.tick()

    def close(self) -> None:
        """Take back what was handed out, and end the processes on the cluster."""
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(Exception):  # it may be gone already
            if client.status == "running":
                client.cancel(list(self._flying), asynchronous=False)
                client.unregister_worker_plugin(self._plugin)
        with contextlib.suppress(Exception):
            client.close(timeout=2)

    def _begin(self, client: Any) -> None:
        from cortwin.sweep.hands import Hands

        self._client, self._counted = client, -1.0
        try:
            client.register_plugin(Hands(self._errand), name=self._plugin)
        except (ImportError, AttributeError) as error:
            raise CortwinError(f"cortwin is not installed as it is here on the cluster: {error}") from None

    def _find_again(self) -> None:
        """Find a scheduler that was lost; what was handed out is handed out again."""
        self._watcher.note("the scheduler was lost; waiting for it to come back")
        self._waiting.extendleft(reversed(self._flying.values()))
        self._flying.clear()
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self._begin(self._reach(min(CONNECT, self._patience)))
            except (CortwinError, OSError) as error:
                if time.monotonic() > deadline:
                    raise RunFailed(f"the scheduler was lost for {self._patience:g} s: {error}") from None
                self._watcher.tick()
                time.sleep(TICK)
            else:
                self._watcher.note("the scheduler is back")
                return

    def _hand_out(self) -> None:
        from cortwin.sweep.hands import compute

        now = time.monotonic()
        if now - self._counted > 1:
            with contextlib.suppress(OSError, TimeoutError):
                self._threads, self._counted = sum(self._client.nthreads().values()), now
                self._watcher.ready(self._threads)
        while self._waiting and len(self._flying) < self._threads + AHEAD:
            point = self._waiting.popleft()
            future = self._client.submit(compute, self._plugin, point, key=f"{self._keys}-{point.name}", pure=False)
            self._flying[future] = point
            future.add_done_callback(self._ended.put)

    def _take(self, future: Any) -> Iterator[Outcome]:
        point = self._flying.pop(future, None)
        if point is None:
            return
        if future.status != "finished":
            error = future.exception() if future.status == "error" else None
            if error is None:  # cancelled or lost, with a scheduler that went away
                self._waiting.appendleft(point)
                return
            yield self._failed(point, error)
            return
        answer = future.result()
        if answer["state"] == "refused":
            raise CortwinError(answer["error"])
        if "packed" in answer:
            unpack(answer["packed"], self._sweep.place(point))
        yield Outcome(point, answer["error"], answer["seconds"], answer.get("waited"))

    def _failed(self, point: Point, error: BaseException) -> Outcome:
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            text = "every Dask worker that computed it was lost, mostly for lack of memory"
        elif isinstance(error, (ImportError, KeyError)):
            raise CortwinError(f"the cluster's workers cannot compute points: {type(error).__name__}: {error}")
        else:
            text = f"{type(error).__name__}: {error}"
        terms = self._errand.terms
        write_failure(self._sweep.place(point), text, point, command(terms.target, point, terms.options))
        return Outcome(point, text, 0.0)
