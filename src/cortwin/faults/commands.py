"""Faults around the command: processes that are killed or interrupted, folders with traps, terminals that are none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cortwin.errors import CortwinError
from cortwin.faults.bench import Believed, Bench, refusal, require
from cortwin.run_directory import open_run

_EXPERIMENT = """\"\"\"Wait, then give a number.\"\"\"

import time

from typing import Annotated

from brian2 import Quantity, second

from cortwin.experiment import Parameter, Results


def compute(
    run,
    *,
    wait: Annotated[Quantity, Parameter("time to pass")] = 0 * second,
    fail: Annotated[bool, Parameter("whether it fails")] = False,
):
    if fail:
        raise KeyError("a fault")
    if wait > 0 * second:
        print("waiting", flush=True)
        time.sleep(float(wait))
    return Results(metrics={"seed": run.seed})


def draw(results):
    return []
"""


def _start(bench: Bench, words: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    """Start `cortwin run` of a small experiment in the scratch folder."""
    (bench.folder / "wait.py").write_text(_EXPERIMENT, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cortwin", "run", "./wait.py", *words],
        cwd=bench.folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _run(bench: Bench, words: Sequence[str], status: int = 0, **environment: str) -> str:
    """Run to the end and return what was said as an error."""
    with _start(bench, words, **environment) as process:
        _, said = process.communicate(timeout=120)
    require(process.returncode == status, f"exit status {process.returncode} instead of {status}: {said.strip()}")
    return said.strip()


def _signalled(bench: Bench, number: signal.Signals) -> tuple[int, str]:
    """Send a signal while the experiment computes; return the exit status and what was said."""
    with _start(bench, ["--wait", "60s", "--out", "out"]) as process:
        assert process.stdout is not None
        require(process.stdout.readline() == "waiting\n", "the experiment did not start")
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    return process.returncode, said.strip()


def _left(bench: Bench) -> set[str]:
    return {path.name for path in bench.folder.iterdir()} - {"wait.py", "__pycache__"}


def _killed(bench: Bench) -> str:
    """SIGKILL leaves no time to clean up: what is left loads nowhere, and the next run clears it away."""
    _signalled(bench, signal.SIGKILL)
    for name in _left(bench):
        refusal(lambda name=name: open_run(bench.folder / name))
    _run(bench, ["--out", "out"])
    require(_left(bench) == {"out"}, f"left behind: {_left(bench)}")
    require(not open_run(bench.folder / "out").damaged, "the next run is not whole")
    return "nothing of it loads, and the next run cleared it away"


def _interrupted(number: signal.Signals, expected: int):
    def cause(bench: Bench) -> str:
        status, said = _signalled(bench, number)
        require(status == expected, f"exit status {status}")
        require(said.count("\n") == 0, f"several lines: {said}")
        require(not _left(bench), f"left behind: {_left(bench)}")
        return said

    return cause


def _timeout(bench: Bench) -> str:
    said = _run(bench, ["--wait", "60s", "--out", "out", "--timeout", "1"], status=124)
    require(not _left(bench), f"left behind: {_left(bench)}")
    return said


def _exception(bench: Bench) -> str:
    """An exception ends in one line, with all about it in the place of the run; the next run takes the place."""
    said = _run(bench, ["--fail", "--out", "out"], status=1)
    require(said.count("\n") == 0, f"several lines: {said}")
    refusal(lambda: open_run(bench.folder / "out"))
    _run(bench, ["--out", "out"])
    return said


def _preferences(bench: Bench) -> str:
    """A file that Brian2 would evaluate when it is imported."""
    trap = "codegen.target = open('attacked', 'w') and 'numpy'\n"
    (bench.folder / "brian_preferences").write_text(trap, encoding="utf-8")
    said = _run(bench, ["--out", "out"])
    require(not (bench.folder / "attacked").exists(), "the file was evaluated")
    return said


def _ascii(bench: Bench) -> str:
    """A terminal that knows no umlauts, and a path full of them."""
    place = Path("Läufe von Jürgen", "erster Lauf")
    _run(bench, ["--out", str(place)], PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    try:
        require(not open_run(bench.folder / place).damaged, "the run is not whole")
    except CortwinError as error:
        raise Believed(str(error)) from None
    return "the run is whole"


FAULTS = {
    "SIGKILL in the middle of a run": _killed,
    "Ctrl+C in the middle of a run": _interrupted(signal.SIGINT, 130),
    "SIGTERM in the middle of a run": _interrupted(signal.SIGTERM, 143),
    "the time of a run is over": _timeout,
    "an exception in an experiment": _exception,
    "a file brian_preferences in the folder": _preferences,
    "a terminal that knows ASCII alone": _ascii,
}
