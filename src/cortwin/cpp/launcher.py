"""Run a compiled program in an empty folder of its own, and believe nothing before it is checked.

Brian2's generated program reports most failures on its output only, or not at all; its exit status is 0 all the same.
`cortwin.cpp.checks` says what is checked before and after.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cortwin.cpp import checks
from cortwin.cpp.program import Program
from cortwin.errors import RunFailed

COMPLAINTS = ("error", "could not", "cannot", "warning")
NO_MEMORY = ("bad_alloc", "length_error", "Cannot allocate memory")
THREADS = "CORTWIN_THREADS"  # what a program reads the number of its threads from
STEPPING = "stepping.seconds"
# glibc asks the kernel for large pages: spikes reach synapses all over the memory, and most of that time is looking up
# where pages lie. Other C libraries do not read it.
LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
LOG_TAIL = 50  # lines of a program's output that a failed run keeps
SIGNALS = {
    signal.SIGSEGV: "it read memory that is not its own (SIGSEGV)",
    signal.SIGABRT: "it gave up, mostly for lack of memory (SIGABRT)",
    signal.SIGKILL: "it was killed, mostly by the system for lack of memory (SIGKILL)",
    signal.SIGILL: "it was compiled for another processor (SIGILL); `cortwin cache --clear` builds it anew",
    signal.SIGBUS: "a file it reads was cut short, or the disk is full (SIGBUS)",
    signal.SIGTERM: "it was asked to end (SIGTERM)",
    signal.SIGINT: "it was interrupted (SIGINT)",
    signal.SIGFPE: "it divided a whole number by zero (SIGFPE)",
    signal.SIGXCPU: "it used up its limit of processor time (SIGXCPU)",
    signal.SIGXFSZ: "a file it wrote grew beyond the limit for files (SIGXFSZ)",
}


def run(
    program: Program,
    data: Mapping[str, NDArray],
    *,
    timeout: float | None = None,
    memory: int | None = None,
    threads: int = 1,
    stop: threading.Event | None = None,
) -> dict[str, NDArray]:
    """Run one batch and return its results, checked.

    Parameters
    ----------
    program : from `cortwin.cpp.program.build`
    data : array by Brian2's name, from `cortwin.builder.arrays`; synapses that all trials share may be given once
    timeout : seconds after which the program is killed, None for no limit
    memory : bytes that the program may ask for, None for no limit; there is none outside Linux
    threads : that one network may be divided among; results do not depend on them
    stop : kills the program when it is set

    Returns
    -------
    dict of arrays by Brian2's name, ``"recorded_POPULATION.VARIABLE"`` of shape (sample, element), ``"spikes.i"``,
        ``"spikes.t"``; and under `STEPPING` the seconds that its steps took, without what came before and after

    Raises
    ------
    CortwinError
        When a number that goes in is not finite, an array is missing, or the program is not whole.
    RunFailed
        When anything about the run or its results cannot be believed; no result is returned then.
    """
    data = checks.given(program, data)
    with _workplace() as folder:
        (folder / "static_arrays").symlink_to(program.folder / "static_arrays", target_is_directory=True)
        (folder / "results").mkdir()
        (folder / "data").mkdir()
        arguments = []
        for number, (name, entry) in enumerate(sorted(program.description["values"].items())):
            file = Path("data") / f"array_{number}"
            _write(folder / file, name, np.ascontiguousarray(data[name], dtype=entry["dtype"]))
            arguments.append(f"{name}={file}")
        command = [str(program.executable), "--results_dir", "results/", *arguments]
        log = _execute(command, folder, timeout, memory, threads, stop)
        try:
            return checks.after(program, data, folder / "results") | {STEPPING: _stepping(folder / "results")}
        except RunFailed as failed:
            failed.log = log
            raise


def _stepping(results: Path) -> NDArray:
    """Read what the program measured of its own run, from the first step to the last."""
    seconds, _ = (results / "last_run_info.txt").read_text().split()
    return np.array([float(seconds)])


def _write(file: Path, name: str, array: NDArray) -> None:
    try:
        array.tofile(file)
    except OSError as error:
        raise RunFailed(f"{name} could not be written to {file.parents[1]}: {error.strerror or error}") from error
    if file.stat().st_size != array.nbytes:
        raise RunFailed(f"{name} could not be written whole to {file.parents[1]}: {checks.FULL}")


def _execute(
    command: list[str],
    folder: Path,
    timeout: float | None,
    memory: int | None,
    threads: int,
    stop: threading.Event | None,
) -> str:
    """Run the program to its end and return the last lines of what it said; its other failures are raised."""
    environment = {**os.environ, **LARGE_PAGES, "OMP_NUM_THREADS": "1", THREADS: str(threads), "LC_ALL": "C"}
    # A group of its own: Ctrl+C reaches the Python process alone, which then ends this one and all that it started.
    with open(folder / "log", "wb") as log:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            raise RunFailed(
                f"{command[0]} does not start ({error.strerror}); `cortwin cache --clear` builds it anew"
            ) from error
        try:
            if memory is not None and hasattr(resource, "prlimit"):
                # It may be over already.
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
            status = _wait(process, timeout, stop)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = (folder / "log").read_text(errors="replace").strip().splitlines()
    kept = "\n".join(said[-LOG_TAIL:])
    if status is None:
        raise RunFailed(
            f"the simulation was stopped after {timeout} s" if timeout else "the simulation was stopped", kept
        )
    if status != 0:
        raise RunFailed(_words(status, said, memory), kept)
    for line in said:
        if any(word in line.lower() for word in COMPLAINTS):
            raise RunFailed(f"the simulation ended but complained: {line}", kept)
    return kept


def _words(status: int, said: list[str], memory: int | None) -> str:
    """Say how a program ended that did not end well."""
    if memory is not None and any(word in line for line in said for word in NO_MEMORY):
        return f"the simulation asked for more memory than the {memory / 2**30:.3g} GiB left to it: use smaller sizes"
    words = f"exit status {status}"
    if status < 0:
        number = signal.Signals(-status)
        words = SIGNALS.get(number, number.name)
    tail = " / ".join(said[-3:])
    return f"the simulation failed: {words}" + (f"; its last words: {tail}" if tail else "")


def _wait(process: subprocess.Popen, timeout: float | None, stop: threading.Event | None) -> int | None:
    """Wait for the end of a process; None when the time is up or it was stopped."""
    waited, pause = 0.0, 0.05
    while True:
        try:
            return process.wait(pause)
        except subprocess.TimeoutExpired:
            waited += pause
        if (timeout is not None and waited >= timeout) or (stop is not None and stop.is_set()):
            return None


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cortwin-run-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
