"""Ctrl+C, SIGTERM and time limits: one line, the right exit status, nothing left behind, nothing finished lost.

A signal becomes an exception in the main thread, so that every `finally` on the way out runs. Python delivers it only
between two of its own instructions; while a compiler or a compiled loop runs it would wait for minutes. A watching
thread hears of the signal at once, gives the main thread a short time, and then cleans up itself and ends the process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

# Seconds for the main thread to unwind before the watching thread does it.
GRACE = 3.0
# The same after a second Ctrl+C.
IMPATIENT_GRACE = 0.5
# Seconds after which a signal comes again whose exception was ignored.
AGAIN = 0.01
NOTHING_KEPT = "nothing unfinished was kept, finished runs are untouched"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
_WORDS = {
    signal.SIGINT: "interrupted (Ctrl+C)",
    signal.SIGTERM: "stopped (SIGTERM)",
    signal.SIGHUP: "stopped (the terminal was closed)",
    signal.SIGALRM: "stopped (the time given by --timeout is over)",
}


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to stop."""

    def __init__(self, number: int):
        super().__init__(_WORDS[signal.Signals(number)])
        self.number = number
        self.status = 124 if number == signal.SIGALRM else 128 + number


class Guard:
    """Turns signals into `Interrupted` while it is entered; once one was raised, further ones are ignored for good.

    Attributes
    ----------
    cleanups : called when the main thread does not come back in time; they must be safe to call from another thread
    """

    def __init__(self) -> None:
        self.cleanups: list[Callable[[], object]] = []
        self._raised = False
        self._pending: int | None = None
        self._shields = 0
        self._repeats = 0
        self._unshielded = threading.Event()
        self._unshielded.set()
        self._done = threading.Event()

    def __enter__(self) -> Guard:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._old_handlers = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        self._old_wakeup = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        self._old_hook, sys.unraisablehook = sys.unraisablehook, self._ignored
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="cortwin-signals")
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._done.set()
        sys.unraisablehook = self._old_hook
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._old_handlers.items():
            # A second Ctrl+C must not change the exit status while the interpreter shuts down, when a handler in Python
            # counts no longer.
            signal.signal(number, signal.SIG_IGN if self._raised else handler)
        os.close(self._write_end)  # the watching thread reads the end and closes its own
        self._watcher.join(timeout=1)

    @contextlib.contextmanager
    def shield(self) -> Iterator[None]:
        """Let a short last step finish; a signal that came meanwhile is raised after it."""
        self._unshielded.clear()
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            self._unshielded.set()
        if self._pending is not None:
            number, self._pending = self._pending, None
            self._handle(number, None)

    def stop_after(self, seconds: float) -> None:
        """Raise `Interrupted` when the time is over."""
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._shields:
            self._pending = number
        elif not self._raised:
            # Further signals must not break the cleaning up that the first one started.
            self._raised = True
            raise Interrupted(number)

    def _ignored(self, unraisable: Any) -> None:
        """Send a signal again whose exception was raised where none can be, as while Python collects garbage."""
        if not isinstance(unraisable.exc_value, Interrupted):
            self._old_hook(unraisable)
            return
        self._raised = False
        self._repeats += 1
        threading.Timer(AGAIN, os.kill, (os.getpid(), unraisable.exc_value.number)).start()

    def _watch(self) -> None:
        first: int | None = None
        deadline: float | None = None
        with open(self._read_end, "rb", buffering=0) as signals:
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if not select.select([signals], [], [], left)[0]:
                    break
                received = signals.read(1)
                if not received:
                    return  # the guard was left
                if received[0] in _SIGNALS and self._repeats:
                    self._repeats -= 1
                elif received[0] in _SIGNALS:
                    deadline = time.monotonic() + (GRACE if first is None else IMPATIENT_GRACE)
                    first = first or received[0]
            self._unshielded.wait()
            if not self._done.wait(0.1):
                self._end_process(Interrupted(first or signal.SIGINT))

    def _end_process(self, interrupted: Interrupted) -> None:
        for cleanup in self.cleanups:
            with contextlib.suppress(Exception):
                cleanup()
        show_cursor = "\x1b[?25h" if sys.stderr is not None and sys.stderr.isatty() else ""
        with contextlib.suppress(OSError):
            os.write(2, f"{show_cursor}error: {interrupted}: {NOTHING_KEPT}\n".encode())
        os._exit(interrupted.status)


def kill_children() -> None:
    """Kill every process that descends from this one."""
    _kill(_descendants(os.getpid()))


def kill_tree(root: int) -> None:
    """Kill a process and every one that descends from it."""
    _kill([root, *_descendants(root)])


def kill_where(variable: str, beginning: str) -> None:
    """Kill processes in whose environment a variable begins so: who lost its parent is found by nothing else.

    Nothing is found where the system does not show environments.
    """
    wanted = os.fsencode(f"{variable}={beginning}")
    found = []
    for process, _ in _processes():
        with contextlib.suppress(OSError):
            entries = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
            if process != os.getpid() and any(entry.startswith(wanted) for entry in entries):
                found.append(process)
    _kill(found)


def children_of(root: int) -> list[int]:
    """Processes that a process has started itself, those that have ended left out."""
    return [process for process, parent in _processes() if parent == root]


def _kill(processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for process, parent in _processes():
        children.setdefault(parent, []).append(process)
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _processes() -> list[tuple[int, int]]:
    """All processes as (id, id of the parent)."""
    if Path("/proc/self/stat").exists():
        pairs = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    # The program's name, in parentheses, may hold anything; the parent is the second word after it.
                    after_name = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                    pairs.append((int(folder.name), int(after_name[1])))
        return pairs
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    return [(int(a), int(b)) for a, b in (line.split() for line in listed.splitlines())]
