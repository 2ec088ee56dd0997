"""The command `cortwin` itself: what stands before the name of a command, and what every command is given."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cortwin import __version__
from cortwin.cli.output import say
from cortwin.interruption import Guard

# Exit statuses.
BAD_INPUT, FAILURE = 2, 1

# As the help lists the commands: what is run, what is looked at, what is looked after.
ORDER = (
    *("run", "twin", "list", "show", "figures", "summary", "diff", "rerun", "export"),
    *("new", "check", "sweep", "collect", "recording", "explain", "cache", "doctor"),
)


class InOrder(TyperGroup):
    """Commands in the order in which a user meets them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names; one that `ORDER` does not have comes last."""
        return sorted(self.commands, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


app = typer.Typer(
    cls=InOrder,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Recurrent networks and their biological twins.",
)


class Call:
    """What the commands need to know about the call itself."""

    def __init__(self, guard: Guard, arguments: list[str], threads_fixed: list[str]):
        self.guard = guard
        self.threads_fixed = threads_fixed
        self.command = ["cortwin", *arguments]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    if version:
        say(f"cortwin {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())
