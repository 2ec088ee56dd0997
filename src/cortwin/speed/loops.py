"""Loops written by hand in C++: the limit that an engine is measured against, compiled as it compiles."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cortwin.cpp import compiler
from cortwin.cpp.device import LIBRARY
from cortwin.errors import CortwinError


def compile_loop(source: Path, folder: Path, profile: str = "release") -> Path:
    """Compile one file with the engine's compiler and flags, and its headers at hand; return the program.

    Raises
    ------
    CortwinError
        When there is no compiler, or it fails (with its first error line).
    """
    found, program = compiler.find(), folder / source.stem
    flags = [*compiler.PROFILES[profile], f"-I{LIBRARY}", "-pthread"]
    command = [*shlex.split(found.command), *flags, str(source), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        lines = done.stderr.splitlines()
        first = next((line for line in lines if "error" in line), lines[-1] if lines else "no output")
        raise CortwinError(f"{found.command} does not compile {source.name}: {first.strip()}")
    return program


def run_loop(program: Path, description: str, spikes: Path) -> tuple[dict[str, Any], NDArray[np.int32]]:
    """Run a loop that is described on its standard input and tells what it measured as JSON.

    Parameters
    ----------
    program : from `compile_loop`
    description : numbers, in the order in which the loop reads them
    spikes : file that it writes its spikes to, pairs of int32 (step, neuron)

    Returns
    -------
    measured : what it printed, and ``"memory_gb"``, the most memory that it held
    spikes : (event, 2) array

    Raises
    ------
    CortwinError
        When it fails, with its last words.
    """
    process = subprocess.Popen(
        [str(program), str(spikes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        # A loop that gives up does not read to the end, and says why.
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(description)
        with process.stdout, process.stderr:
            said, complained = process.stdout.read(), process.stderr.read()
        # Of this process alone: `resource` would tell the most that any child ever held.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        last = (complained.strip().splitlines() or [f"status {process.returncode}"])[-1]
        raise CortwinError(f"the loop {program.name} failed: {last}")
    # Linux tells KiB.
    return json.loads(said) | {"memory_gb": usage.ru_maxrss / 2**20}, np.fromfile(spikes, np.int32).reshape(-1, 2)


def loop_spikes(
    pairs: NDArray[np.int32], populations: Iterable[tuple[str, int]], *, dt: float, duration: float
) -> dict[str, xr.Dataset]:
    """Return the spikes of a loop by population, as tables of events.

    Parameters
    ----------
    pairs : (event, 2) array of step and neuron
    populations : names and sizes, in the order in which their neurons are numbered
    dt, duration : seconds
    """
    found, first = {}, 0
    for name, size in populations:
        own = pairs[(pairs[:, 1] >= first) & (pairs[:, 1] < first + size)]
        found[name] = xr.Dataset(
            {
                "trial": ("event", np.zeros(len(own), dtype=np.int64)),
                "unit": ("event", own[:, 1].astype(np.int64) - first),
                "time": ("event", own[:, 0] * dt, {"units": "s"}),
            },
            attrs={"n_trials": 1, "n_units": size, "t_start": 0.0, "duration": duration, "dt": dt},
        )
        first += size
    return found
