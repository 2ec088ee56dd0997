"""Faults on purpose: what goes wrong with simulations, done to real ones, and what became of it.

A fault is survived when it is refused or mended with one clear line, nothing wrong was believed, and a simulation
afterwards gives the bytes that it gave before.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cortwin import cpp
from cortwin.builder import Layout, arrays
from cortwin.errors import CortwinError
from cortwin.model import Model
from cortwin.result_files import WEIGHTS, write_results
from cortwin.results import Results
from cortwin.run_directory import Destination, open_run, publish, seal, staging
from cortwin.simulation import simulate


@dataclass(frozen=True)
class Bench:
    """A small simulation that faults are injected into.

    Parameters
    ----------
    folder : scratch folder, which faults may fill
    model, values, inputs : what is simulated, as in `cortwin.simulation.simulate`
    engine : ``"cpp"`` or ``"numpy"``
    facts : what a manifest says about the run
    """

    folder: Path
    model: Model
    values: Mapping[str, Any]
    inputs: xr.DataArray
    engine: str
    facts: Mapping[str, Any]

    def simulate(self, **changes: Any) -> xr.Dataset:
        """Simulate the rate writing; ``changes`` replaces arguments of `simulate`."""
        given = {"values": self.values, "inputs": self.inputs, "dt": float(self.inputs.attrs["dt"])} | changes
        values, inputs = given.pop("values"), given.pop("inputs")
        return simulate(self.model, "rate", values, inputs, engine=self.engine, batch=2, **given).activity

    def with_array(self, name: str, value: float) -> dict[str, Any]:
        """Return the values with one number of an array replaced."""
        array = np.array(self.values[name])
        array.flat[0] = value
        return {**self.values, name: array}

    def program(self) -> tuple[cpp.Program, dict[str, NDArray]]:
        """Return the compiled program and the numbers of its first batch."""
        dt, sizes = float(self.inputs.attrs["dt"]), self.model.sizes(self.values)
        layout = Layout(
            inputs=self.inputs.sizes["input"],
            units=sizes["units"],
            outputs=sizes["outputs"],
            neurons_per_unit=1,
            trials=2,
            dt=dt,
            input_dt=dt,
            input_steps=self.inputs.sizes["time"],
            record_dt=dt,
        )
        data = arrays(self.model, "rate", layout, self.values, self.inputs[:2].to_numpy())
        return cpp.build(self.model, "rate", layout), data

    def finished(self, name: str) -> Path:
        """Write a finished run and return its directory."""
        target = Destination(self.folder / name, chosen=True)
        results = Results(metrics={"n": 1}, weights={"W_rec": np.asarray(self.values["W_rec"])})
        with staging(target) as folder:
            write_results(folder, results)
            seal(folder, dict(self.facts))
            return publish(folder, target)


@dataclass(frozen=True)
class Outcome:
    """What became of one fault."""

    fault: str
    happened: str
    survived: bool


class Believed(Exception):
    """Something wrong passed for right."""


def inject(bench: Bench, advance: Callable[[int], None] = lambda n: None) -> list[Outcome]:
    """Inject every fault that the bench's engine can meet, and simulate after each.

    Parameters
    ----------
    bench : what is disturbed
    advance : called with 1 after every fault
    """
    undisturbed = _bytes(bench.simulate())
    found = []
    for fault, (needs_compiler, cause) in FAULTS.items():
        if needs_compiler and bench.engine != "cpp":
            continue
        folder = bench.folder / fault.replace(" ", "-").replace("/", "-")
        folder.mkdir()
        try:
            happened, survived = cause(replace(bench, folder=folder)), True
        except Believed as wrong:
            happened, survived = str(wrong), False
        except Exception as error:  # a traceback where one line should have been
            happened, survived = f"{type(error).__name__}: {error}", False
        if _bytes(bench.simulate()) != undisturbed:
            happened, survived = f"{happened}; the next simulation gave other numbers", False
        found.append(Outcome(fault, happened, survived))
        advance(1)
    return found


def count(engine: str) -> int:
    """Return how many faults an engine can meet."""
    return sum(engine == "cpp" or not needs_compiler for needs_compiler, _ in FAULTS.values())


def wrapped(program: cpp.Program, folder: Path, script: str) -> cpp.Program:
    """Return the program with a Python script in place of its executable; the script finds the real one as ``REAL``."""
    folder.mkdir(parents=True, exist_ok=True)
    executable = folder / "main"
    # Through the shell, as pip does it: the path of an interpreter may hold a space, and a first line #! cannot.
    executable.write_text(
        f"#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} \"$0\" \"$@\"\n' '''\n"
        f"import os, pathlib, resource, signal, subprocess, sys\nREAL = [{str(program.executable)!r}, *sys.argv[1:]]\n"
        f"{script}\n",
        encoding="utf-8",
    )
    executable.chmod(0o755)
    (folder / "static_arrays").symlink_to(program.folder / "static_arrays")
    # A stand-in has another size than the executable that was built.
    files = {name: size for name, size in program.description["files"].items() if name != "main"}
    return replace(program, folder=folder, description={**program.description, "files": files})


def refusal(call: Callable[[], Any]) -> str:
    """Return the one line with which a call is refused."""
    try:
        returned = call()
    except CortwinError as error:
        message = str(error)
        if "\n" in message.strip():
            raise Believed(f"refused in several lines: {message}") from None
        return message
    raise Believed(f"nothing was noticed: {type(returned).__name__} returned")


def _bytes(found: xr.Dataset) -> bytes:
    return b"".join(found[name].to_numpy().tobytes() for name in sorted(found.data_vars, key=str))


def _not_finite(bench: Bench) -> str:
    return refusal(lambda: bench.simulate(values=bench.with_array("b", np.inf)))


def _unstable(bench: Bench) -> str:
    return refusal(lambda: bench.simulate(values=bench.with_array("b", 1.7e308)))


def _killed(bench: Bench) -> str:
    program, data = bench.program()
    return refusal(lambda: cpp.run(wrapped(program, bench.folder, "os.kill(os.getpid(), signal.SIGKILL)"), data))


def _flipped(bench: Bench) -> str:
    path = bench.finished("run")
    content = bytearray((path / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (path / WEIGHTS).write_bytes(content)
    open_run(path).metrics()
    return refusal(lambda: open_run(path).weights())


def _no_compiler(bench: Bench) -> str:
    with _environment(CXX="no-such-compiler"):
        return refusal(bench.program)


@contextlib.contextmanager
def _environment(**changes: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# Name: whether it needs a compiler, and its cause.
FAULTS: Mapping[str, tuple[bool, Callable[[Bench], str]]] = {
    "a parameter that is not finite": (False, _not_finite),
    "numbers that leave the range": (False, _unstable),
    "the program is killed": (True, _killed),
    "no compiler": (True, _no_compiler),
    "a bit of a result file flips": (False, _flipped),
}
