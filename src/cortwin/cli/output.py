"""What the command writes to a terminal, a pipe or nowhere."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def say_error(text: str) -> None:
    say(f"error: {' '.join(text.split())}", sys.stderr)


def say(text: str, stream: Any = None) -> None:
    """Print a line; a reader who has left must not break a run."""
    try:
        print(text, file=stream or sys.stdout, flush=True)
    except OSError:
        discard_output()


def discard_output() -> None:
    """Send what is still buffered nowhere, or Python would complain about it when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def prepare_streams() -> None:
    """Make sure that descriptors 0-2 are open, and that no character can break the output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Otherwise the next file that is opened takes the number, and a compiler cannot say anything.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def make_console() -> Console:
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich itself would exit with status 1

    # Piped output is read by people and grep: do not break its lines at 80 columns.
    return Output(highlight=False, width=None if sys.stdout.isatty() else 120)


def shown(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
