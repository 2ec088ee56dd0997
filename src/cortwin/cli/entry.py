"""From the words of a call to its exit status.

Everything heavy is imported inside the command that needs it, so that `--help` and `list` answer at once.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from cortwin.cli import (  # noqa: F401 - each registers its commands
    explain,
    export,
    finished,
    installation,
    listing,
    pages,
    provenance,
    recording,
    run,
    summary,
    sweep,
    twin,
)
from cortwin.cli.app import BAD_INPUT, FAILURE, Call, app
from cortwin.cli.output import discard_output, prepare_streams, say_error
from cortwin.cli.threads import THREAD_VARIABLES
from cortwin.errors import CortwinError, RunFailed
from cortwin.interruption import NOTHING_KEPT, Guard, Interrupted, kill_children


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit status: 0 done, 1 failed, 2 bad input, 124 timeout, 130 Ctrl+C."""
    raise SystemExit(_main(list(sys.argv[1:] if arguments is None else arguments)))


def _main(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    prepare_streams()
    fixed = [variable for variable in THREAD_VARIABLES if variable not in os.environ]
    os.environ.update(dict.fromkeys(fixed, "1"))
    os.environ.setdefault("MPLBACKEND", "Agg")
    guard = Guard()
    try:
        with guard:
            # In two steps: the one call that typer has for both turns Ctrl+C into an exception of its own.
            command = typer.main.get_command(app)
            with command.make_context("cortwin", arguments, obj=Call(guard, arguments, fixed)) as context:
                command.invoke(context)
            return 0
    except BaseException as error:
        if debug and not hasattr(error, "exit_code"):
            raise
        return _end(error)
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            discard_output()


def _end(error: BaseException) -> int:
    """Say in one line what went wrong, and choose the exit status."""
    if isinstance(error, BrokenPipeError):
        return 0  # who reads our output has left, as in `cortwin list | head -1`
    if isinstance(error, KeyboardInterrupt):
        kill_children()
        say_error(f"{str(error) or 'interrupted (Ctrl+C)'}: {NOTHING_KEPT}")
        return error.status if isinstance(error, Interrupted) else 130
    # Where more is said, for instance in the FAILED.json of a run.
    more = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    if isinstance(error, RunFailed):
        say_error(f"{error}{more}")
        return FAILURE
    if hasattr(error, "format_message"):  # wrong use of the command itself, said by typer
        message: str = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        say_error(f"{message}; see `cortwin --help`")
        return BAD_INPUT
    if hasattr(error, "exit_code"):  # --help, --version, or a status that a command chose
        return error.exit_code  # type: ignore[attr-defined]
    if isinstance(error, (CortwinError, ValueError, TypeError)):
        say_error(f"{str(error) or type(error).__name__}{more}")
        return BAD_INPUT
    if isinstance(error, MemoryError):
        say_error(f"not enough memory{f': {error}' if str(error) else ''}; use smaller sizes{more}")
    elif isinstance(error, OSError):
        say_error(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}{more}")
    elif isinstance(error, ModuleNotFoundError):
        say_error(f"{error}; `cortwin doctor` says what is missing{more}")
    else:
        say_error(f"{type(error).__name__}: {error}; --debug shows where{more}")
    return FAILURE
