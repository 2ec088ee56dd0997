"""Faults in what is written: directories of runs that are damaged, half, forged or in the way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cortwin import manifest
from cortwin.faults.bench import Bench, refusal, require
from cortwin.result_files import METRICS, WEIGHTS, write_results
from cortwin.results import Results
from cortwin.run_directory import (
    MANIFEST,
    Destination,
    leave_failure,
    open_run,
    publish,
    seal,
    staging,
)


def _finished(place: Path, metrics: dict[str, Any] | None = None) -> Path:
    """Write a small run and return its directory."""
    target = Destination(place, chosen=True)
    facts = {"format": manifest.FORMAT, "command": ["a fault"], "versions": {"cortwin": manifest.versions()["cortwin"]}}
    with staging(target) as folder:
        write_results(folder, Results(metrics=metrics or {"n": 1}, weights={"W": np.arange(9.0)}))
        seal(folder, facts)
        return publish(folder, target)


def _damaged(damage: Callable[[Path], None]) -> Callable[[Bench], str]:
    """Return the fault of a file that is not what the run wrote; the other files must still load."""

    def cause(bench: Bench) -> str:
        path = _finished(bench.folder / "run")
        damage(path / WEIGHTS)
        require(open_run(path).metrics().metrics == {"n": 1}, "the other files do not load")
        return refusal(lambda: open_run(path).weights())

    return cause


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _replace_by_link(file: Path) -> None:
    elsewhere = file.parent.parent / "elsewhere.npz"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


class _Attack:
    """An object that makes a file when somebody loads it from a pickle."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def _pickle(bench: Bench) -> str:
    """A file of weights that runs code when it is loaded, in a run whose hashes are right."""
    path = _finished(bench.folder / "run")
    np.savez(path / WEIGHTS, W=np.array([_Attack(bench.folder / "attacked")], dtype=object))
    facts = manifest.read(path / MANIFEST)
    facts.pop("files")
    seal(path, facts)
    message = refusal(lambda: open_run(path).weights())
    require(not (bench.folder / "attacked").exists(), "the pickle ran")
    return message


def _half(bench: Bench) -> str:
    """The process ended after the files and before the manifest."""
    with staging(Destination(bench.folder / "run", chosen=True)) as folder:
        write_results(folder, Results(metrics={"n": 1}))
        message = refusal(lambda: open_run(folder))
    require(not list(bench.folder.iterdir()), "something was left behind")
    return message


def _forged(bench: Bench) -> str:
    path = _finished(bench.folder / "run")
    content = json.loads((path / MANIFEST).read_text())
    content["files"][METRICS]["sha256"] = manifest.hash_of(path / WEIGHTS)
    (path / MANIFEST).write_text(json.dumps(content))
    return refusal(lambda: open_run(path))


def _older(bench: Bench) -> str:
    path = _finished(bench.folder / "run")
    content = manifest.read(path / MANIFEST) | {"format": 0}
    (path / MANIFEST).write_text(json.dumps(manifest.sealed(content)))
    return refusal(lambda: open_run(path))


def _outside(bench: Bench) -> str:
    results = Results(metrics={"n": 1}, weights={"../../outside": np.zeros(3)})
    (bench.folder / "run").mkdir()
    message = refusal(lambda: write_results(bench.folder / "run", results))
    require({path.name for path in bench.folder.iterdir()} == {"run"}, "something was written outside")
    return message


def _two_at_once(bench: Bench) -> str:
    """Two processes write into one place: the second one's run stands beside the first one's."""
    target = Destination(bench.folder / "run", chosen=True)
    with staging(target) as folder:
        write_results(folder, Results(metrics={"n": 2}))
        seal(folder, {"format": manifest.FORMAT})
        _finished(bench.folder / "run", {"n": 1})
        second = publish(folder, target)
    numbers = [open_run(path).metrics().metrics["n"] for path in (bench.folder / "run", second)]
    require(numbers == [1, 2], f"one of the two is lost: {numbers}")
    return f"both are there, the second as {second.name}"


def _failed(bench: Bench) -> str:
    """A run failed: its place says why, loads nothing, and is taken by the next run."""
    target = Destination(bench.folder / "run", chosen=True)
    with staging(target) as folder:
        write_results(folder, Results(metrics={"n": 1}))
        leave_failure(folder, target, {"error": "the simulation failed"})
    message = refusal(lambda: open_run(bench.folder / "run"))
    require(not open_run(_finished(bench.folder / "run")).damaged, "the next run is not whole")
    return message


FAULTS = {
    "a bit of a result file flips": _damaged(_flip),
    "a result file is cut short": _damaged(lambda file: os.truncate(file, 100)),
    "a result file is lost": _damaged(lambda file: file.unlink()),
    "a result file becomes a link out of the run": _damaged(_replace_by_link),
    "a file of weights that runs code": _pickle,
    "a crash between the files and the manifest": _half,
    "a manifest that was edited": _forged,
    "results of an older format": _older,
    "an array that would leave its folder": _outside,
    "two runs into one place": _two_at_once,
    "a run that failed is opened": _failed,
}
