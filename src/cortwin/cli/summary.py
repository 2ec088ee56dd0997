"""`cortwin summary`: several runs of one experiment, over their seeds."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cortwin.cli.app import Call, app
from cortwin.cli.output import make_console, say, shown
from cortwin.errors import CortwinError

# Columns of text: names of metrics and intervals stay whole, and a narrow terminal wraps lines.
WIDTH = 180


@app.command("summary")
def _summary(
    context: typer.Context,
    directories: Annotated[
        list[str], typer.Argument(metavar="DIR...", help="Runs of one experiment, each with a seed of its own.")
    ],
    statistic: Annotated[str, typer.Option(metavar="mean|median", help="What the intervals are of.")] = "mean",
    level: Annotated[str, typer.Option(metavar="PERCENT", help="Nominal coverage of the intervals.")] = "95",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="'PATTERN'", help="Metrics of this name alone, for instance 'readout.*'."),
    ] = None,
    out: Annotated[
        str,
        typer.Option(metavar="DIR", help="New or empty folder for page, figures, CSV; default results/NAME-summary."),
    ] = "",
) -> None:
    """State every metric over seeds: how many runs, mean, bootstrap interval; and twins compared within each seed.

    The runs must have the same parameters. Comparisons are paired by seed and come with an effect size.
    """
    call: Call = context.obj
    if statistic not in ("mean", "median"):
        raise CortwinError(f"--statistic is mean or median, got {statistic!r}")
    share = _share(level)
    from cortwin.comparison import write_page
    from cortwin.over_seeds import coverage_in_words, gather, seeds_page
    from cortwin.run_directory import destination, open_run

    found = gather([open_run(Path(directory)) for directory in directories], only or [])
    target = destination(Path(out) if out else None, f"{found.experiment}-summary")
    page = seeds_page(found, level=share, statistic=statistic)
    place = write_page(page, target, command=call.command, guard=call.guard)
    _say_metrics(page.tables["metrics"], statistic, f"{100 * share:g} %")
    if "pairs" in page.tables:
        _say_pairs(page.tables["pairs"], f"{100 * share:g} %")
    n = len(found.seeds)
    small = "; small sizes (--quick)" if found.quick else ""
    say(f"{found.experiment}: n = {n} runs, seeds {', '.join(map(str, found.seeds))}{small}")
    if words := coverage_in_words(n, share):
        say(words)
    for fact, values in found.differing.items():
        say(f"note: {fact} is not the same in all runs: {', '.join(values)}", sys.stderr)
    say(f"{shown(place)}: open {shlex.quote(shown(place / 'report.html'))}")


def _say_metrics(rows: Sequence[Mapping[str, Any]], statistic: str, percent: str) -> None:
    from cortwin.report import cell

    table = _table("metric", "n", statistic, f"{percent} interval", "s.d.")
    for row in rows:
        numbers = cell(row[statistic], 4).plain, _between(row), cell(row["sd"], 2).plain
        table.add_row(row["metric"], str(row["n"]), *numbers)
    _print(table)
    _say_notes(rows)


def _say_pairs(rows: Sequence[Mapping[str, Any]], percent: str) -> None:
    from cortwin.report import cell

    table = _table("within a seed", "", "n", "difference", f"{percent} interval", "effect size", "larger in", "p")
    for row in rows:
        table.add_row(
            row["metric"],
            f"{row['second']} − {row['first']}",
            str(row["n"]),
            cell(row["difference"]).plain,
            _between(row),
            cell(row["effect_size"]).plain,
            row["larger"],
            cell(row["p"], 2).plain,
        )
    _print(table)
    _say_notes(rows)


def _print(table: Any) -> None:
    console = make_console()
    console.width = max(console.width, WIDTH)
    console.print(table, soft_wrap=True)


def _table(*titles: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=True, overflow="ignore")
    return table


def _say_notes(rows: Sequence[Mapping[str, Any]]) -> None:
    """Say once, below a table, why numbers are missing."""
    notes = list(dict.fromkeys(part for row in rows for part in row["reason"].split("; ") if part))
    say("".join(f"–  {note}\n" for note in notes))


def _between(row: Mapping[str, Any]) -> str:
    from cortwin.over_seeds import interval_in_words

    return interval_in_words(row["low"], row["high"]) or "–"


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise CortwinError(f"--level takes a percentage between 0 and 100, got {text!r}")
    return share
