"""The process that computes points, one after another: started once, it imports the experiment once.

It reads orders, one JSON object a line, from its standard input and answers each with one line on its standard output;
what experiments print goes to the log. When the input ends, whoever gave the orders is gone: it ends at once, with
everything that it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cortwin import sources
from cortwin.errors import CortwinError
from cortwin.experiment import Experiment, Run, execute, load_experiment
from cortwin.interruption import kill_children
from cortwin.parameters import resolve
from cortwin.run_directory import MANIFEST, Destination
from cortwin.sweep.failure import write_failure
from cortwin.sweep.points import Options, Point, command


@dataclass(frozen=True)
class Terms:
    """What a worker is told before its first point.

    Parameters
    ----------
    target : name or script of the experiment
    code : fingerprints that the code must have here
    options : what all points share
    figures : whether figures and a report are made at once
    """

    target: str
    code: dict[str, Any]
    options: Options
    figures: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the terms as JSON."""
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> Terms:
        """Read what `to_json` wrote."""
        return Terms(**{**content, "options": Options(**content["options"])})


def compute_point(experiment: Experiment, terms: Terms, point: Point, place: Path) -> None:
    """Compute one point into its place; another process may do the same, and the first one stays.

    Raises
    ------
    CortwinError
        When the run failed.
    """
    if place.exists() and not (place / MANIFEST).is_file():
        shutil.rmtree(place)  # what an earlier failure left
    values = resolve(experiment.declared, point.given, quick=terms.options.quick)
    run = Run(seed=point.seed, quick=terms.options.quick, engine=terms.options.engine, jobs=1, show=False)
    run.record("threads", "BLAS fixed to 1")
    words = command(terms.target, point, terms.options)
    execute(experiment, values, run, Destination(place, True, shared=True), command=words, figures=terms.figures)


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the process that gives the orders
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    terms = Terms.from_json(orders.get())

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")

    try:
        experiment = load_experiment(terms.target)
        if experiment.sources != terms.code:
            raise CortwinError(
                f"the code in {sources.ENGINE} is not the code that the sweep was started with: start the sweep again"
            )
    except Exception as error:
        answer(state="refused", error=_in_words(error))
        return
    answer(state="ready")
    free: float | None = None
    while True:
        order = orders.get()
        waited = None if free is None else time.perf_counter() - free
        point, place, started = Point(**order["point"]), Path(order["place"]), time.perf_counter()
        try:
            compute_point(experiment, terms, point, place)
            error = ""
        except Exception as caught:
            error = _in_words(caught)
            write_failure(place, error, point, command(terms.target, point, terms.options))
        state = "failed" if error else "finished"
        free = time.perf_counter()
        answer(state=state, name=point.name, error=error, seconds=free - started, waited=waited)


def _listen(orders: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin.buffer:
        orders.put(json.loads(line))
    kill_children()
    with contextlib.suppress(OSError):
        shutil.rmtree(Path.cwd().parent)
    os._exit(0)


def _in_words(error: BaseException) -> str:
    if isinstance(error, CortwinError):
        return str(error)
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
