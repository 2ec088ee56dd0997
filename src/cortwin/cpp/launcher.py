"""Run a compiled program in an empty folder of its own, and believe nothing before it is checked.

Brian2's generated program reports most failures on its output only, or not at all; its exit status is 0 all the same.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cortwin.cpp.program import Program
from cortwin.errors import CortwinError, RunFailed

COMPLAINTS = ("error", "could not", "cannot", "warning")
SIGNALS = {
    signal.SIGSEGV: "it read memory that is not its own (SIGSEGV)",
    signal.SIGABRT: "it gave up, mostly for lack of memory (SIGABRT)",
    signal.SIGKILL: "it was killed, mostly by the system for lack of memory (SIGKILL)",
    signal.SIGILL: "it was compiled for another processor (SIGILL); `cortwin cache --clear` builds it anew",
    signal.SIGBUS: "a file it reads was cut short, or the disk is full (SIGBUS)",
    signal.SIGTERM: "it was asked to end (SIGTERM)",
    signal.SIGINT: "it was interrupted (SIGINT)",
}


def run(
    program: Program, data: Mapping[str, NDArray], *, timeout: float | None = None, stop: threading.Event | None = None
) -> dict[str, NDArray]:
    """Run one batch and return its results, checked.

    Parameters
    ----------
    program : from `cortwin.cpp.program.build`
    data : array by Brian2's name, from `cortwin.builder.arrays`
    timeout : seconds after which the program is killed, None for no limit
    stop : kills the program when it is set

    Returns
    -------
    dict of arrays by Brian2's name, ``"recorded_POPULATION.VARIABLE"`` of shape (sample, element), ``"spikes.i"``,
        ``"spikes.t"``

    Raises
    ------
    CortwinError
        When a number that goes in is not finite or an array is missing.
    RunFailed
        When anything about the run or its results cannot be believed; no result is returned then.
    """
    description = program.description
    _check_data(description, data)
    with _workplace() as folder:
        (folder / "static_arrays").symlink_to(program.folder / "static_arrays", target_is_directory=True)
        (folder / "results").mkdir()
        (folder / "data").mkdir()
        arguments = []
        for number, (name, entry) in enumerate(sorted(description["values"].items())):
            file = Path("data") / f"array_{number}"
            array = np.ascontiguousarray(data[name], dtype=entry["dtype"])
            array.tofile(folder / file)
            if (folder / file).stat().st_size != array.nbytes:
                raise RunFailed(f"{name} could not be written whole: is the disk full?")
            arguments.append(f"{name}={file}")
        _execute([str(program.executable), "--results_dir", "results/", *arguments], folder, timeout, stop)
        return _results(description, data, folder / "results")


def _check_data(description: Mapping, data: Mapping[str, NDArray]) -> None:
    for name in description["values"]:
        if name not in data:
            raise CortwinError(f"no array is given for {name}")
        if not np.isfinite(data[name]).all():
            raise CortwinError(f"{name} holds {np.count_nonzero(~np.isfinite(data[name]))} numbers that are not finite")


def _execute(command: list[str], folder: Path, timeout: float | None, stop: threading.Event | None) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "LC_ALL": "C"}
    # A group of its own: Ctrl+C reaches the Python process alone, which then ends this one.
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            status = _wait(process, timeout, stop)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    said = (folder / "log").read_text(errors="replace").strip().splitlines()
    tail = said[-3:]
    if status is None:
        raise RunFailed(f"the simulation was stopped after {timeout} s" if timeout else "the simulation was stopped")
    if status != 0:
        words = (
            SIGNALS.get(signal.Signals(-status), signal.Signals(-status).name)
            if status < 0
            else f"exit status {status}"
        )
        raise RunFailed(f"the simulation failed: {words}" + (f"; its last words: {' / '.join(tail)}" if tail else ""))
    for line in said:
        if any(word in line.lower() for word in COMPLAINTS):
            raise RunFailed(f"the simulation ended but complained: {line}")


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


def _results(description: Mapping, data: Mapping[str, NDArray], folder: Path) -> dict[str, NDArray]:
    def load(entry: Mapping) -> NDArray:
        return np.fromfile(folder / entry["file"], dtype=entry["dtype"])

    for file, dtype, size in description["arrays"]:
        path = folder / file
        if not path.is_file():
            raise RunFailed(f"the result {file} is missing: is the disk full?")
        bytes_found, item = path.stat().st_size, np.dtype(dtype).itemsize
        if bytes_found % item or (size is not None and bytes_found != size * item):
            raise RunFailed(
                f"the result {file} has {bytes_found} bytes, not {size} numbers of {item}: is the disk full?"
            )
        if np.dtype(dtype).kind == "f":
            values = np.fromfile(path, dtype=dtype)
            bad = np.count_nonzero(~np.isfinite(values))
            if bad:
                raise RunFailed(
                    f"{bad} of {values.size} numbers in {file} are not finite: is dt too large or a weight too strong?"
                )
    reached = float(load(description["clock"])[0])
    if abs(reached - description["end"]) > 1e-9 * max(1.0, description["end"]):
        raise RunFailed(f"the simulation stopped at {reached} s instead of {description['end']} s")
    for name, entry in description["values"].items():
        if entry["constant"] and not np.array_equal(load(entry), np.asarray(data[name], dtype=entry["dtype"]).ravel()):
            raise RunFailed(f"the simulation did not use the {name} that it was given")
    results = {name: load(entry) for name, entry in description["results"].items()}
    for name in list(results):
        monitor, _, variable = name.partition(".")
        if not monitor.startswith("recorded_"):
            continue
        samples = description["samples"] + 1
        if variable == "t" and results[name].size != samples:
            raise RunFailed(f"{monitor} holds {results[name].size} samples, expected {samples}: is the disk full?")
        if variable not in ("t", "N", "i"):
            if results[name].size % samples:
                raise RunFailed(f"{name} holds {results[name].size} numbers, not a multiple of {samples} samples")
            results[name] = results[name].reshape(samples, -1)
    if "spikes.N" in results:
        counts = {"N": int(results["spikes.N"][0]), "i": results["spikes.i"].size, "t": results["spikes.t"].size}
        if len(set(counts.values())) != 1:
            raise RunFailed(f"the spikes do not add up: {counts}: is the disk full?")
    return results


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cortwin-run-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
