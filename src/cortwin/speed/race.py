"""Contestants that take turns at the same work, each in a process of its own with its own number of threads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from cortwin.errors import CortwinError
from cortwin.speed.case import Case

WORKER = Path(__file__).with_name("worker.py")

# What is timed, and the packages that it needs and whose versions matter.
CONTESTANTS = {"ours": ("jax", "jaxlib"), "pytorch": ("torch",), "keras": ("keras", "tensorflow")}
COMMAND = "pip install -e '.[compare]'"
# With one of these a session chooses what its libraries compute with. In a race they choose for the processor.
CHOSEN_BY_HAND = {
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "JAX_NUM_CPU_DEVICES",
}  # fmt: skip


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
class Contestant:
    """Somebody who can do the work: a script with a function ``prepare(case)``, see `cortwin.speed.worker`.

    Attributes
    ----------
    name : of the library or the way of writing
    script : its file
    threads : that it may use
    python : the interpreter, of the environment that its packages are in
    options : its own part of the case
    settings : variables of its process, beside those of all
    """

    name: str
    script: Path
    threads: int = 1
    python: str = sys.executable
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def trainers(names: Sequence[str], threads: Sequence[int]) -> list[Contestant]:
    """Return the contestants of `CONTESTANTS` with those names, with every number of threads."""
    here = Path(__file__).parent
    return [
        # We train on as many devices as there are threads, see `cortwin.training.devices`.
        Contestant(name, here / f"{name}.py", number, settings={"JAX_NUM_CPU_DEVICES": number})
        for name in names
        for number in threads
    ]


@dataclass(frozen=True)
class Runner:
    """The process of a contestant, and the empty folder that it works in."""

    contestant: Contestant
    process: subprocess.Popen[str]
    complaints: IO[str]
    folder: tempfile.TemporaryDirectory[str]

    def order(self, what: Mapping[str, Any] | None) -> Any:
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
            who = self.contestant
            raise CortwinError(f"the process of {who.name} with {who.threads} threads ended: {self._last_word()}")
        return json.loads(answer)

    def _last_word(self) -> str:
        """Return why the process has ended, as far as it or the system tells."""
        status = self.process.wait()
        if status == -signal.SIGKILL:
            return "it was killed, as a system does that runs out of memory"
        self.complaints.seek(0)
        return (self.complaints.read().strip().splitlines() or [f"without a word, status {status}"])[-1]


class Race:
    """Processes that wait for cases; see `running`."""

    def __init__(self, runners: Sequence[Runner]) -> None:
        self._runners = runners

    @classmethod
    @contextmanager
    def running(cls, contestants: Sequence[Contestant]) -> Iterator[Race]:
        """Start a process for each contestant, and end them all."""
        runners: list[Runner] = []
        try:
            for contestant in contestants:
                runners.append(_start(contestant))
            yield cls(runners)
        finally:
            for runner in runners:
                runner.process.kill()
                runner.process.wait()
                for stream in (runner.process.stdin, runner.process.stdout, runner.complaints):
                    # What a dead process was still to hear cannot be sent.
                    with suppress(BrokenPipeError):
                        if stream is not None:
                            stream.close()
                runner.folder.cleanup()

    def measure(
        self, case: Mapping[str, Any], repetitions: int, contestants: Sequence[str] | None = None
    ) -> dict[tuple[str, int], list[dict[str, Any]]]:
        """Return what each process found in every repetition, ``"seconds"`` among it, by contestant and threads.

        In a repetition each process has its turn, in another order every time, and the others wait.
        """
        self.prepare(case, contestants)
        return self.turns(repetitions, contestants)

    def prepare(self, case: Mapping[str, Any], contestants: Sequence[str] | None = None) -> None:
        """Let every process make a case ready and warm up, one after the other."""
        for runner in self._of(contestants):
            runner.order({**case, **runner.contestant.options})

    def turns(
        self, repetitions: int, contestants: Sequence[str] | None = None, threads: Mapping[str, int] | None = None
    ) -> dict[tuple[str, int], list[dict[str, Any]]]:
        """As `measure`, of the case that was prepared last.

        Parameters
        ----------
        repetitions : turns of each
        contestants : names of those who take part; all when None
        threads : the number of threads to take part with, by name; each of them when None
        """
        runners = [one for one in self._of(contestants) if threads is None or _key(one)[1] == threads[_key(one)[0]]]
        found: dict[tuple[str, int], list[dict[str, Any]]] = {_key(one): [] for one in runners}
        for repetition in range(repetitions):
            first = repetition % len(runners)
            for runner in (*runners[first:], *runners[:first]):
                found[_key(runner)].append(runner.order(None))
        return found

    def _of(self, contestants: Sequence[str] | None) -> list[Runner]:
        return [one for one in self._runners if contestants is None or one.contestant.name in contestants]

    def times(self, case: Case, repetitions: int, contestants: Sequence[str]) -> dict[tuple[str, int], list[float]]:
        """Return the seconds of one update in every repetition, by contestant and threads; see `measure`."""
        return {
            who: [answer["seconds"] / case.updates for answer in answers]
            for who, answers in self.measure(case._asdict(), repetitions, contestants).items()
        }


def _key(runner: Runner) -> tuple[str, int]:
    return runner.contestant.name, runner.contestant.threads


def _start(contestant: Contestant) -> Runner:
    threads = contestant.threads
    settings = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "CORTWIN_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        # XLA takes the size of its pool from NPROC.
        "NPROC": threads,
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        # As in an environment that is activated: some libraries call a compiler that lies beside the interpreter.
        "PATH": f"{Path(contestant.python).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        **contestant.settings,
    }
    complaints = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed when the race is over
    folder = tempfile.TemporaryDirectory(prefix="cortwin-race-")
    process = subprocess.Popen(
        # -P: what stands beside a script may have the name of a library.
        [contestant.python, "-P", str(WORKER), str(contestant.script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        cwd=folder.name,
        env={
            **{name: value for name, value in os.environ.items() if name not in CHOSEN_BY_HAND},
            **{name: str(value) for name, value in settings.items()},
        },
    )
    return Runner(contestant, process, complaints, folder)
