"""Contestants that take turns at the same updates, each in a process of its own with its own number of threads."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import IO

from cortwin.errors import CortwinError
from cortwin.speed.case import Case
from cortwin.speed.spiking.case import SpikingCase

# What is timed, and the packages that it needs and whose versions matter.
CONTESTANTS = {"ours": ("jax", "jaxlib"), "pytorch": ("torch",), "keras": ("keras", "tensorflow")}
CONTESTANTS |= {
    "spiking.ours": ("jax", "jaxlib"),
    "spiking.cpp": ("brian2",),
    "spiking.snntorch": ("snntorch", "torch"),
    "spiking.norse": ("norse", "torch"),
    "spiking.brainpy": ("brainpy", "jax"),
}
COMMAND = "pip install -e '.[compare]'"


def installed(contestant: str) -> dict[str, str] | None:
    """Return the versions of a contestant's packages; None where one is missing."""
    if any(find_spec(package) is None for package in CONTESTANTS[contestant]):
        return None
    found = {}
    for package in CONTESTANTS[contestant]:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # tensorflow may be installed as tensorflow_cpu
            found[package] = version(f"{package}_cpu")
    return found


@dataclass(frozen=True)
class Runner:
    """The process of a contestant with some threads."""

    contestant: str
    threads: int
    process: subprocess.Popen[str]
    complaints: IO[str]

    def order(self, what: dict | None) -> float | None:
        """Send a case or, as None, the starting shot, and wait for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.complaints.seek(0)
            last = (self.complaints.read().strip().splitlines() or ["without a word"])[-1]
            raise CortwinError(f"the process of {self.contestant} with {self.threads} threads ended: {last}")
        return json.loads(answer)


class Race:
    """Processes that wait for cases; see `running`."""

    def __init__(self, runners: Sequence[Runner]) -> None:
        self._runners = runners

    @classmethod
    @contextmanager
    def running(cls, contestants: Sequence[str], threads: Sequence[int]) -> Iterator[Race]:
        """Start a process for each contestant and number of threads, and end them all."""
        runners: list[Runner] = []
        try:
            for contestant in contestants:
                for number in threads:
                    runners.append(_start(contestant, number))
            yield cls(runners)
        finally:
            for runner in runners:
                runner.process.kill()
                runner.process.wait()
                for stream in (runner.process.stdin, runner.process.stdout, runner.complaints):
                    if stream is not None:
                        stream.close()

    def times(
        self, case: Case | SpikingCase, repetitions: int, contestants: Sequence[str]
    ) -> dict[tuple[str, int], list[float]]:
        """Return the seconds of one update in every repetition, by contestant and threads.

        In a repetition each process has its turn, in another order every time, and the others wait.
        """
        runners = [runner for runner in self._runners if runner.contestant in contestants]
        for runner in runners:
            runner.order(case._asdict())
        found: dict[tuple[str, int], list[float]] = {(one.contestant, one.threads): [] for one in runners}
        for repetition in range(repetitions):
            first = repetition % len(runners)
            for runner in (*runners[first:], *runners[:first]):
                seconds = runner.order(None)
                assert seconds is not None
                found[runner.contestant, runner.threads].append(seconds / case.updates)
        return found


def _start(contestant: str, threads: int) -> Runner:
    several = "true" if threads > 1 else "false"
    settings = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        # XLA takes the size of its pool from NPROC.
        "NPROC": threads,
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen={several}",
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
    }
    complaints = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed when the race is over
    process = subprocess.Popen(
        [sys.executable, "-m", "cortwin.speed.worker", contestant],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        env={**os.environ, **{name: str(value) for name, value in settings.items()}},
    )
    return Runner(contestant, threads, process, complaints)


def best_times(times: Mapping[tuple[str, int], list[float]]) -> dict[str, tuple[int, list[float]]]:
    """Return of each contestant the number of threads with the least median, and its times."""
    found: dict[str, tuple[int, list[float]]] = {}
    for (contestant, threads), seconds in times.items():
        if contestant not in found or statistics.median(seconds) < statistics.median(found[contestant][1]):
            found[contestant] = (threads, seconds)
    return found
