"""Points on this computer: persistent worker processes, one point each at a time.

A worker that dies loses the point it was at, which is tried again by a fresh one.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from cortwin.errors import CortwinError, RunFailed
from cortwin.sweep.failure import write_failure
from cortwin.sweep.outcome import ATTEMPTS, Outcome, Watcher, died_too_often
from cortwin.sweep.points import Point, command
from cortwin.sweep.process import Worker, wait
from cortwin.sweep.worker import Terms

TICK = 0.2  # s


class Pool:
    """Worker processes of this computer.

    Parameters
    ----------
    terms : what workers are told
    place : directory of a point
    jobs : processes
    watcher : told of everything
    timeout : seconds for one point, None for no limit
    prefix : of the workers' folders
    lock : descriptor that the workers keep open
    """

    def __init__(
        self,
        terms: Terms,
        place: Callable[[Point], Path],
        jobs: int,
        watcher: Watcher,
        *,
        timeout: float | None = None,
        prefix: str = "cortwin-worker-",
        lock: int | None = None,
    ):
        self._terms, self._place, self._jobs, self._watcher = terms, place, jobs, watcher
        self._timeout, self._prefix, self._lock = timeout, prefix, lock
        self._workers: list[Worker] = []
        self._waiting: deque[Point] = deque()
        self._attempts: Counter[str] = Counter()
        self._stillborn = 0

    def run(self, points: Sequence[Point]) -> Generator[Outcome, None, None]:
        """Compute points and yield each as it ends.

        Raises
        ------
        CortwinError
            When the workers cannot do it at all.
        """
        self._waiting.extend(points)
        try:
            while self._waiting or any(worker.point for worker in self._workers):
                self._staff()
                for worker in wait(self._workers, TICK):
                    yield from self._hear(worker)
                yield from self._stop_late()
                self._watcher.tick()
        finally:
            self.end()

    def end(self) -> None:
        """End all workers."""
        while self._workers:
            self._workers.pop().end()

    def _staff(self) -> None:
        """Keep as many workers as there is work for, each with a point."""
        busy = sum(worker.point is not None for worker in self._workers)
        while len(self._workers) < min(self._jobs, busy + len(self._waiting)):
            taken = {worker.label for worker in self._workers}
            label = next(str(k) for k in range(1, self._jobs + 1) if str(k) not in taken)
            self._workers.append(Worker(label, self._terms, prefix=self._prefix, lock=self._lock))
        for worker in self._workers:
            if worker.ready and worker.point is None and self._waiting:
                self._order(worker)

    def _order(self, worker: Worker) -> None:
        point = self._waiting.popleft()
        worker.order(point, self._place(point))
        self._watcher.started(point, worker.label)

    def _hear(self, worker: Worker) -> Iterator[Outcome]:
        point = worker.point
        answers = worker.answers()
        if answers is None:
            yield from self._bury(worker, point)
            return
        for answer in answers:
            if answer["state"] == "refused":
                raise CortwinError(answer["error"])
            if answer["state"] == "ready":
                self._stillborn = 0
                self._watcher.ready(sum(other.ready for other in self._workers))
            elif point is not None:
                # The next point first: the worker shall not wait while this one is counted.
                if self._waiting:
                    self._order(worker)
                yield Outcome(point, answer["error"], answer["seconds"], answer.get("waited"))

    def _bury(self, worker: Worker, point: Point | None) -> Iterator[Outcome]:
        log, seconds = worker.log(), time.monotonic() - worker.since
        how = worker.end()
        self._workers.remove(worker)
        if point is None:
            self._stillborn += not worker.ready
            if self._stillborn >= ATTEMPTS:
                raise RunFailed(f"workers do not start: the last one {how}: {' / '.join(log[-3:]) or 'without a word'}")
            return
        self._attempts[point.name] += 1
        if self._attempts[point.name] < ATTEMPTS:
            self._watcher.note(f"a worker {how}; its point is computed again: {point}")
            self._waiting.appendleft(point)
        else:
            yield self._give_up(point, died_too_often(how), seconds, log)

    def _stop_late(self) -> Iterator[Outcome]:
        """End workers that have been at one point for too long."""
        for worker in list(self._workers):
            seconds = time.monotonic() - worker.since
            if self._timeout is not None and worker.point is not None and seconds > self._timeout:
                point, log = worker.point, worker.log()
                worker.end()
                self._workers.remove(worker)
                yield self._give_up(point, f"it took longer than {self._timeout:g} s (--timeout)", seconds, log)

    def _give_up(self, point: Point, error: str, seconds: float, log: Sequence[str]) -> Outcome:
        words = command(self._terms.target, point, self._terms.options)
        write_failure(self._place(point), error, point, words, log)
        return Outcome(point, error, seconds)
