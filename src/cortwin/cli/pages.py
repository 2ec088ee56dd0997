"""`cortwin new page` and `cortwin check`: a page of a user's own."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortwin.cli.app import FAILURE, Call, app
from cortwin.cli.output import say, say_error, shown

if TYPE_CHECKING:
    from cortwin.battery import Finding

new_app = typer.Typer(help="Begin something of your own from a template.")
app.add_typer(new_app, name="new")


@new_app.callback(invoke_without_command=True)
def _new(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        say(context.get_help())


@new_app.command("page")
def _new_page(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the page; the file is ./NAME.py.")],
) -> None:
    """Write ./NAME.py: a network in its three writings, to be changed into yours."""
    from cortwin.battery import new_page

    file = new_page(name, Path.cwd())
    say(f"{file.name}: a leaky network in its three writings; change it, then cortwin check ./{file.name}")


@app.command("check")
def _check(
    context: typer.Context,
    page: Annotated[str, typer.Argument(metavar="FILE", help="A page, ./my_page.py.")],
    quick: Annotated[bool, typer.Option("--quick", help="Fewer neurons and seeds.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="'CHECK'", help="This check alone; may come again.")
    ] = None,
    out: Annotated[str, typer.Option(metavar="DIR", help="New or empty folder for the table and the equations.")] = "",
) -> None:
    """Hold a page of your own against what every page of cortwin promises: a line for each check."""
    from cortwin.brian2_import import import_brian2
    from cortwin.run_directory import destination

    call: Call = context.obj
    # Before anything long begins.
    target = destination(Path(out), Path(page).stem) if out else None
    for note in import_brian2():
        say(f"note: {note}", sys.stderr)
    from cortwin.battery import check_page, load_page
    from cortwin.battery.report import battery_page

    module = load_page(Path(page))
    name, findings = Path(page).name, []
    for finding in check_page(module, quick=quick, only=only or []):
        if not findings or finding.variant != findings[-1].variant:
            say(f"{name}{', ' if finding.variant else ''}{finding.variant}")
        say(f"  {finding.mark:8}{finding.check:23}{finding.numbers:18}{finding.text}")
        findings.append(finding)
    failed = [finding for finding in findings if finding.passed is False]
    if target is not None:
        from cortwin.comparison import write_page

        made = battery_page(module, findings, quick=quick)
        place = write_page(made, target, command=call.command, guard=call.guard)
        say(f"{shown(place)}: open {shlex.quote(shown(place / 'report.html'))}")
    if failed:
        say_error(f"{name}: {len(failed)} of {len(findings)} checks failed: {_names(failed)}")
        raise typer.Exit(FAILURE)
    say(f"{name} passes {sum(finding.passed is True for finding in findings)} checks")


def _names(failed: Sequence[Finding]) -> str:
    return ", ".join(f"{one.check} ({one.variant})" if one.variant else one.check for one in failed)
