"""A progress bar with the time left: on a terminal, in a notebook, and silent anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

REFRESH_INTERVAL = 0.2  # s; a notebook's page is slower to redraw than a terminal


class Bar(Protocol):
    """Progress of one part of a run."""

    def advance(self, n: float = 1) -> None:
        """Count n more of the total as done."""
        ...

    def update(self, text: str) -> None:
        """Show a short text behind the bar, for instance the loss."""
        ...


class _Silent:
    def advance(self, n: float = 1) -> None: ...

    def update(self, text: str) -> None: ...


class Display:
    """Shows the bars of one run; bars may be nested.

    Parameters
    ----------
    enabled : False keeps it silent; True still shows nothing where nobody could see it move
    """

    def __init__(self, *, enabled: bool = True):
        self._where = _place() if enabled else "nowhere"
        self._terminal: Any = None
        self._open = 0

    @contextmanager
    def bar(self, description: str, total: float | None = None) -> Iterator[Bar]:
        """Open a bar; `total` None is for work of unknown length."""
        if self._where == "nowhere":
            yield _Silent()
        elif self._where == "notebook":
            yield from self._notebook_bar(description, total)
        else:
            yield from self._terminal_bar(description, total)

    def _terminal_bar(self, description: str, total: float | None) -> Iterator[Bar]:
        if self._open == 0:
            self._terminal = _terminal_progress()
            self._terminal.start()
        self._open += 1
        task = self._terminal.add_task(description, total=total, text="")
        try:
            yield _TerminalBar(self._terminal, task)
        finally:
            self._open -= 1
            if self._open == 0:
                self._terminal.stop()

    def _notebook_bar(self, description: str, total: float | None) -> Iterator[Bar]:
        bar = _NotebookBar(description, total)
        try:
            yield bar
        finally:
            bar.show(last=True)


class _TerminalBar:
    def __init__(self, progress: Any, task: Any):
        self._progress, self._task = progress, task

    def advance(self, n: float = 1) -> None:
        self._progress.advance(self._task, n)

    def update(self, text: str) -> None:
        self._progress.update(self._task, text=text)


class _NotebookBar:
    """A `<progress>` element that is replaced in place; rich's own would need ipywidgets."""

    def __init__(self, description: str, total: float | None):
        self._description, self._total = description, total
        self._done, self._text = 0.0, ""
        self._start = self._shown = time.monotonic()
        self._handle: Any = None
        self.show(last=True)

    def advance(self, n: float = 1) -> None:
        self._done += n
        self.show()

    def update(self, text: str) -> None:
        self._text = text
        self.show()

    def show(self, last: bool = False) -> None:
        from html import escape

        from IPython.display import HTML, display  # type: ignore[import-not-found]

        now = time.monotonic()
        if not last and now - self._shown < REFRESH_INTERVAL:
            return
        self._shown = now
        fraction = f' value="{self._done / self._total:.4f}"' if self._total else ""
        left = ""
        if self._total and 0 < self._done < self._total:
            left = f"{_clock((now - self._start) * (self._total - self._done) / self._done)} left"
        elif self._total and self._done >= self._total:
            left = _clock(now - self._start)
        page = HTML(
            f"<div>{escape(self._description)} <progress{fraction}></progress> {left} {escape(self._text)}</div>"
        )
        if self._handle is None:
            self._handle = display(page, display_id=True)
        elif self._handle is not None:
            self._handle.update(page)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"


def _place() -> str:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and type(shell).__name__ == "ZMQInteractiveShell":
        return "notebook"
    stderr = sys.stderr
    return "terminal" if stderr is not None and not stderr.closed and stderr.isatty() else "nowhere"


def _terminal_progress() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        console=Console(stderr=True),
    )
