"""`cortwin rerun` and `cortwin diff`: whether a run can be repeated, and how two runs differ."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortwin.cli.app import FAILURE, Call, app
from cortwin.cli.output import make_console, say, shown
from cortwin.cli.threads import threads_in_words
from cortwin.cli.values import whole
from cortwin.errors import CortwinError

if TYPE_CHECKING:
    from cortwin.provenance import Cause, FileComparison


@app.command("rerun")
def _rerun(
    context: typer.Context,
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Directory of a finished run.")],
    out: Annotated[str, typer.Option(metavar="NEW", help="New or empty folder; default results/NAME-rerun.")] = "",
    script: Annotated[str, typer.Option(metavar="FILE", help="Where the run's own script is now.")] = "",
    files: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="PARAMETER=FILE", help="Where a file that the run was given is now."),
    ] = None,
    jobs: Annotated[str, typer.Option(metavar="N", help="Processes at a time; default as in the run.")] = "",
) -> None:
    """Repeat a run from its manifest, and compare every file byte by byte; status 0 if all are equal, 1 if not.

    Parameters, seed, engine and sizes are those of the run. What may explain a difference is listed: versions,
    compiler and flags, machine, sources of the engine, the experiment and its pages, files that were given.
    """
    call: Call = context.obj
    from cortwin.brian2_import import import_brian2
    from cortwin.experiment import execute
    from cortwin.provenance import causes, compare_files, repetition
    from cortwin.run_directory import destination, open_run

    original = open_run(Path(directory))
    for note in import_brian2():
        say(f"note: {note}", sys.stderr)
    moved = {}
    for text in files or []:
        name, equals, place = text.partition("=")
        if not equals:
            raise CortwinError(f"--file {text}: write --file PARAMETER=FILE")
        moved[name.strip().replace("-", "_")] = place
    again = repetition(original, script=script, files=moved, jobs=whole(jobs, "--jobs", 1) if jobs else None)
    for note in again.notes:
        say(f"note: {note}", sys.stderr)
    again.run.record("threads", threads_in_words(call.threads_fixed))
    target = destination(Path(out) if out else None, f"{original.path.name}-rerun")
    place = execute(
        again.experiment,
        again.values,
        again.run,
        target,
        command=call.command,
        guard=call.guard,
        figures=again.figures,
    )
    repeated = open_run(place)
    compared = compare_files(original, repeated)
    _say_files(compared)
    different = sum(not one.same for one in compared)
    _say_causes(causes(original.manifest, repeated.manifest), bool(different))
    if different:
        say(f"{shown(place)}: {different} of {len(compared)} files differ from {directory}")
        raise typer.Exit(FAILURE)
    say(f"{shown(place)}: the same as {directory}, all {len(compared)} files byte by byte")


@app.command("diff")
def _diff(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="Directory of a finished run.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Directory of another.")],
    out: Annotated[
        str,
        typer.Option(metavar="DIR", help="New or empty folder for page, figure and CSV; default results/NAME-diff."),
    ] = "",
) -> None:
    """Compare two runs: parameters, versions, metrics, and a figure over both.

    What differs is listed, then how much is equal; the page has all of it. Of runs of different experiments the metrics
    of the same name are compared. The status is 0 whether or not anything differs.
    """
    call: Call = context.obj
    from cortwin.comparison import write_page
    from cortwin.provenance import compare_metrics, difference_page, metrics_in_words
    from cortwin.run_directory import destination, open_run

    runs = open_run(Path(first)), open_run(Path(second))
    if runs[0].path.resolve() == runs[1].path.resolve():
        raise CortwinError(f"{first} and {second} are the same run: name two")
    names = shown(runs[0].path), shown(runs[1].path)
    page = difference_page(*runs, names)
    experiments = list(dict.fromkeys(run.manifest["experiment"] for run in runs))
    target = destination(Path(out) if out else None, f"{'-'.join(experiments)}-diff")
    place = write_page(page, target, command=call.command, guard=call.guard)
    for letter, name, run in zip("AB", names, runs, strict=True):
        facts = run.manifest
        small = ", quick" if facts["quick"] else ""
        say(f"{letter}  {name}: {facts['experiment']}, seed {facts['seed']}{small}, finished {facts['finished']}")
    compared = compare_metrics(*(run.metrics() for run in runs))
    _say_rows(page.tables["parameters"], "parameter", "Parameters are the same.")
    _say_rows(page.tables["origin"], "fact", "Versions, compiler, machine and sources are the same.")
    _say_metrics(page.tables["metrics"][: len(compared.different)])
    say(f"{metrics_in_words(compared, experiments)}.")
    say(f"{shown(place)}: open {shlex.quote(shown(place / 'report.html'))}")


def _say_rows(rows: Sequence[Mapping[str, Any]], column: str, otherwise: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        say(f"\n{otherwise}")
        return
    table = Table(column, "A", "B", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(row[name]) for name in (column, "first", "second")))
    make_console().print("", table)


def _say_metrics(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from cortwin.report import cell

    table = Table("metric", "A", "B", "difference", "relative", "", box=None, pad_edge=False)
    for row in rows:
        relative = _percent(row["relative"])
        numbers = (cell(row[name], 4).plain for name in ("first", "second", "absolute"))
        table.add_row(row["metric"], *numbers, relative, escape(row["note"]))
    make_console().print("", *([table, ""] if rows else []))


def _percent(relative: float | None) -> str:
    if relative is None:
        return ""
    form = "+.0f" if abs(relative) >= 0.1 else "+.2g"
    return f"{format(100 * relative, form)} %".replace("-", "−")


def _say_files(compared: Sequence[FileComparison]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from cortwin.provenance import CLOCKED

    table = Table("file", "", "", box=None, pad_edge=False)
    for one in sorted(compared, key=lambda one: one.same):
        style = None if one.same else "bold"
        table.add_row(escape(one.name), "equal" if one.same else "differs", escape(one.words), style=style)
    for name, reason in CLOCKED.items():
        table.add_row(name, "left out", reason, style="dim")
    make_console().print(table, "")


def _say_causes(found: Sequence[Cause], differs: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not found:
        say(
            "Nothing that was recorded explains it: versions, compiler, machine and sources are the same.\n"
            if differs
            else "Versions, compiler, machine and sources are the same.\n"
        )
        return
    say("What may explain it:" if differs else "Not the same, and yet without influence here:")
    table = Table("", "run", "repeated", box=None, pad_edge=False)
    for cause in found:
        table.add_row(f"  {escape(cause.what)}", escape(cause.first), escape(cause.second))
    make_console().print(table, "")
