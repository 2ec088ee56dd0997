"""A live table of a sweep on a terminal; a line now and then anywhere else."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from typing import Any

from cortwin.sweep.outcome import Outcome
from cortwin.sweep.points import Point

INTERVAL = 30.0  # s between two lines where there is no terminal
REFRESH = 4  # per second
SHOWN_WORKERS, SHOWN_NOTES = 8, 4


class Display:
    """Shows how far a sweep is; to be entered.

    Parameters
    ----------
    title : name of the experiment
    total : points of the sweep
    finished : of them, before it began
    """

    def __init__(self, title: str, total: int, finished: int):
        self._title, self._total, self._before = title, total, finished
        self._finished = self._failed = self._workers = 0
        self._at_work: dict[str, tuple[Point, float]] = {}
        self._notes: deque[str] = deque(maxlen=SHOWN_NOTES)
        self._first_ready: float | None = None
        self._told = time.monotonic()
        self._live: Any = None

    def __enter__(self) -> Display:
        if sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(stderr=True), get_renderable=self._table, refresh_per_second=REFRESH, transient=True
            )
            self._live.start()
        else:
            self._say(self.line())
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def ready(self, workers: int) -> None:
        """Count the workers."""
        self._workers = workers
        if workers and self._first_ready is None:
            self._first_ready = time.monotonic()

    def started(self, point: Point, worker: str) -> None:
        """Show what a worker is at."""
        self._at_work[worker] = (point, time.monotonic())

    def ended(self, outcome: Outcome) -> None:
        """Count a point."""
        self._at_work = {worker: (point, t) for worker, (point, t) in self._at_work.items() if point != outcome.point}
        if outcome.error:
            self._failed += 1
            self.note(f"failed: {outcome.point}: {outcome.error}")
        else:
            self._finished += 1

    def note(self, text: str) -> None:
        """Show a line, and keep it for a while."""
        text = " ".join(text.split())
        if self._live is None:
            self._say(text)
        self._notes.append(text)

    def tick(self) -> None:
        """Say a line when it is time for one."""
        if self._live is None and time.monotonic() - self._told >= INTERVAL:
            self._say(self.line())

    def line(self) -> str:
        """Return the whole state in one line."""
        done = self._before + self._finished
        parts = [f"{done} of {self._total} points finished"]
        parts += [f"{self._failed} failed"] if self._failed else []
        if done < self._total:
            parts += [f"{self._workers} worker{'s' * (self._workers > 1)}" if self._workers else "no worker yet"]
        left = self.seconds_left()
        return f"{self._title}: {', '.join(parts)}{f'; {clock(left)} left' if left is not None else ''}"

    def seconds_left(self) -> float | None:
        """Return the time left at the pace so far, None as long as nothing tells."""
        ended = self._finished + self._failed
        if self._first_ready is None or ended == 0:
            return None
        return (time.monotonic() - self._first_ready) / ended * (self._total - self._before - ended)

    def _say(self, text: str) -> None:
        self._told = time.monotonic()
        with contextlib.suppress(OSError, ValueError):  # nobody may listen, and the sweep goes on
            print(text, file=sys.stderr, flush=True)

    def _table(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        bar = ProgressBar(self._total, self._before + self._finished + self._failed, width=60)
        rows = Table.grid(padding=(0, 2))
        at_work = sorted(self._at_work.items(), key=lambda item: (len(item[0]), item[0]))
        for worker, (point, since) in at_work[:SHOWN_WORKERS]:
            rows.add_row(f"  {worker}", Text(str(point), no_wrap=True, overflow="ellipsis"), clock(now - since))
        if len(at_work) > SHOWN_WORKERS:
            rows.add_row("", f"and {len(at_work) - SHOWN_WORKERS} more at work", "")
        notes = [Text(f"  {note}", no_wrap=True, overflow="ellipsis", style="yellow") for note in self._notes]
        return Group(Text(self.line(), no_wrap=True), bar, rows, *notes)


def clock(seconds: float) -> str:
    """Return a time as ``1:02:03``, ``2:03`` or ``0:03``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
