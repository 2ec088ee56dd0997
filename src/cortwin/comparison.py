"""A page over several finished runs: tables as CSV, figures, and everything on one page, in a folder of its own.

It is no run: it has no manifest, and its page names the runs that it was made of.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortwin import manifest
from cortwin.experiment import write_drawings
from cortwin.interruption import Guard, kill_children
from cortwin.report import write_comparison
from cortwin.results import Drawing, Results, Section, require_name
from cortwin.run_directory import Destination, publish, staging


@dataclass(frozen=True)
class Page:
    """What is said about several runs.

    Parameters
    ----------
    kind : what the page is, one word
    experiment : name of the experiment of the runs
    title : one sentence
    made : which runs, in a few words
    quick : whether any of the runs had small sizes
    tables : name -> rows; each becomes a CSV file
    drawings, sections : as for a report
    shown : name -> rows that sections show; the tables themselves where it is left out
    """

    kind: str
    experiment: str
    title: str
    made: str
    quick: bool
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    drawings: Sequence[Drawing] = field(default=())
    sections: Sequence[Section] = field(default=())
    shown: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def write_page(page: Page, target: Destination, *, command: list[str], guard: Guard | None = None) -> Path:
    """Write a page, its figures and its tables, and put the finished folder in its place.

    Parameters
    ----------
    page : what to write
    target : where it shall stand
    command : the words that asked for it
    guard : holder of signals, so that a stopped command leaves nothing behind

    Returns
    -------
    Path
        Where it stands.
    """
    guard = guard or Guard()
    facts = {
        **manifest.origin(command=command, seed=0, script=None),
        "experiment": page.experiment,
        "quick": page.quick,
        "records": {},
    }
    results = Results(
        tables={name: [dict(row) for row in rows] for name, rows in {**page.tables, **page.shown}.items()}
    )
    with staging(target) as folder:
        guard.cleanups += [kill_children, lambda: shutil.rmtree(folder, ignore_errors=True)]
        for name, rows in page.tables.items():
            write_csv(folder / f"{require_name(name, 'a table')}.csv", rows)
        write_drawings(folder, page.drawings)
        write_comparison(
            folder,
            facts,
            results,
            page.drawings,
            page.sections,
            kind=page.kind,
            title=page.title,
            made=page.made,
        )
        with guard.shield():
            return publish(folder, target)


def write_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, numbers to the last bit; what is not there is an empty cell."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with file.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
