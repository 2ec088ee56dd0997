"""`report.html`: one page with figures, tables, parameters and the command, complete in itself.

Every number on it is read from `metrics.json`: sections name metrics, and the page looks them up. Everything that comes
from an experiment is escaped, and a content security policy keeps the page from loading anything from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortwin import result_files
from cortwin.errors import CortwinError
from cortwin.parameters import nearest
from cortwin.results import Drawing, Results, Section, Table
from cortwin.run_directory import FIGURES, PARAMETERS, REPORT, TIMINGS

TEMPLATE, STYLE = "report.html", "report.css"
# A raster of 1e5 spikes makes an SVG that no phone opens: it is embedded as PNG, and the SVG stays in `figures/`.
LARGEST_SVG = 1_500_000  # bytes
# A figure wider than this (width over height) can be scrolled sideways on a phone instead of shrinking to a stamp.
WIDE = 1.6
_PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_][A-Za-z0-9_.-]*)(?::(,?(?:\.\d{1,2})?[efgd%]?))?\}")
_MISSING = "–"
# Column of a table that says why other cells of its row are empty; it is shown as a footnote.
REASON = "reason"


def write_report(
    folder: Path,
    facts: Mapping[str, Any],
    summary: str,
    results: Results,
    drawings: Sequence[Drawing],
    sections: Sequence[Section],
) -> None:
    """Write the report of a run whose data and figures lie in the folder.

    Parameters
    ----------
    folder : of the run
    facts : the manifest without the files
    summary : one sentence, the title of the page
    results : as read back from the folder
    drawings, sections : what to show

    Raises
    ------
    CortwinError
        If a section names a metric, table or drawing that does not exist.
    """
    made = f"Seed {facts['seed']} · engine {facts['engine']} · cortwin {facts['versions']['cortwin']}"
    if git := facts["git"]:
        made += f" · revision {git['revision'][:10]}{' with changes' if git['modified'] else ''}"
    _write_page(
        folder, facts, results, drawings, sections, kind="experiment", title=summary, made=made,
        parameters=result_files.read_json(folder / PARAMETERS), timings=_timings(folder),
    )  # fmt: skip


def write_comparison(
    folder: Path,
    facts: Mapping[str, Any],
    results: Results,
    drawings: Sequence[Drawing],
    sections: Sequence[Section],
    *,
    kind: str,
    title: str,
    made: str,
) -> None:
    """Write a page over several runs, in the same hand as the report of one.

    Parameters
    ----------
    folder : where the figures lie
    facts : of the page itself: `manifest.origin`, with ``experiment``, ``quick`` and ``records``
    results : tables, and metrics if there are any
    drawings, sections : what to show
    kind, title, made : words above the page: what it is, its title, and which runs it is made of

    Raises
    ------
    CortwinError
        If a section names a metric, table or drawing that does not exist.
    """
    _write_page(
        folder, facts, results, drawings, sections, kind=kind, title=title, made=made, parameters=None, timings=[]
    )


def _write_page(
    folder: Path,
    facts: Mapping[str, Any],
    results: Results,
    drawings: Sequence[Drawing],
    sections: Sequence[Section],
    *,
    kind: str,
    title: str,
    made: str,
    parameters: Mapping[str, Any] | None,
    timings: Sequence[tuple[str, float]],
) -> None:
    import jinja2
    from markupsafe import Markup

    numbers = _Numbers(results, parameters or {})
    figures = {drawing.name: _figure(folder, drawing, numbers) for drawing in drawings}
    counter = _Counter()
    shown = [_section(section, figures, results, numbers, counter) for section in sections]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (Path(__file__).parent / STYLE).read_text(encoding="utf-8")
    page = environment.get_template(TEMPLATE).render(
        kind=kind,
        title=title.removesuffix(".") or facts["experiment"],
        made=made,
        facts=facts,
        command=shlex.join(facts["command"]),
        parameters=parameters,
        warnings=results.warnings(),
        sections=shown,
        metrics=[(name, numbers.cell(name, 6)) for name in sorted(results.metrics)],
        timings=[(name, f"{seconds:.2f}") for name, seconds in timings],
        versions=facts["versions"],
        records={name: _words(value) for name, value in sorted(facts["records"].items())},
        memory=_gibibytes(facts["machine"].get("memory_bytes")),
        # Markup: both come from this package, not from an experiment.
        style=Markup(style),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
    (folder / REPORT).write_text(page, encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Cell:
    """One number in text: ``mantissa`` x 10^``exponent``, or words, with the reason if there is no number."""

    text: str
    exponent: str = ""
    reason: str = ""
    number: bool = True

    @property
    def plain(self) -> str:
        """The same on one line."""
        superscript = self.exponent.translate(str.maketrans("−0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{self.text}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10{superscript}" if self.exponent else self.text


def cell(value: Any, digits: int = 3, reason: str = "") -> Cell:
    """Set a number as in print."""
    if value is None:
        return Cell(_MISSING, reason=reason)
    if isinstance(value, bool):
        return Cell("yes" if value else "no", number=False)
    if isinstance(value, str):
        return Cell(value, number=False)
    if isinstance(value, int):
        return Cell(f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "−"))
    if value and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return Cell(mantissa.replace("-", "−"), exponent=str(int(exponent)).replace("-", "−"))
    # Trailing zeros are significant digits, so they stay: 0.970, not 0.97.
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return Cell(f"{value:.{decimals}f}".replace("-", "−"))


class _Numbers:
    """Looks metrics and parameters up by name."""

    def __init__(self, results: Results, parameters: Mapping[str, Any]):
        self._metrics, self._reasons, self._parameters = results.metrics, results.reasons, parameters

    def cell(self, name: str, digits: int) -> Cell:
        return cell(self._value(name), digits, self._reasons.get(name, ""))

    def fill(self, text: str) -> str:
        """Replace ``{name}`` and ``{name:.2f}`` by numbers."""
        return _PLACEHOLDER.sub(self._replace, text)

    def _replace(self, match: re.Match[str]) -> str:
        name, form = match.groups()
        if name.startswith("parameters."):
            parameter = name.removeprefix("parameters.")
            if parameter not in self._parameters:
                raise CortwinError(f"report: there is no parameter {parameter!r}{nearest(parameter, self._parameters)}")
            return self._parameters[parameter]["text"]
        value = self._value(name)
        if form and value is not None:
            return format(value, form).replace("-", "−")
        return cell(value).plain

    def _value(self, name: str) -> Any:
        if name not in self._metrics:
            raise CortwinError(f"report: there is no metric {name!r}{_near(name, self._metrics)}")
        return self._metrics[name]


class _Counter:
    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def next(self, what: str) -> int:
        self._counts[what] = self._counts.get(what, 0) + 1
        return self._counts[what]


def _near(name: str, names: Mapping[str, Any]) -> str:
    hint = nearest(name, names)
    return hint if hint.startswith(": did") or len(names) < 10 else ""


def _figure(folder: Path, drawing: Drawing, numbers: _Numbers) -> dict[str, Any]:
    svg, png = (folder / FIGURES / f"{drawing.name}.{ending}" for ending in ("svg", "png"))
    vector = svg.stat().st_size <= LARGEST_SVG
    data = base64.b64encode((svg if vector else png).read_bytes()).decode()
    width, height = drawing.figure.get_size_inches()
    return {
        "name": drawing.name,
        "title": drawing.title,
        "caption": numbers.fill(drawing.caption),
        "source": f"data:image/{'svg+xml' if vector else 'png'};base64,{data}",
        "width": round(width * 96),
        "height": round(height * 96),
        "wide": width / height > WIDE,
    }


def _section(
    section: Section, figures: Mapping[str, Any], results: Results, numbers: _Numbers, counter: _Counter
) -> dict[str, Any]:
    shown = []
    for name in section.drawings:
        if name not in figures:
            raise CortwinError(f"report: section {section.title!r} names no drawing {name!r}{nearest(name, figures)}")
        shown.append({**figures[name], "number": counter.next("figure")})
    return {
        "title": section.title,
        "paragraphs": [part.strip() for part in re.split(r"\n\s*\n", numbers.fill(section.text)) if part.strip()],
        "figures": shown,
        "tables": [_table(table, results, numbers, counter) for table in section.tables],
    }


def _table(table: Table, results: Results, numbers: _Numbers, counter: _Counter) -> dict[str, Any]:
    if table.records is not None:
        if table.records not in results.tables:
            raise CortwinError(f"report: there is no table {table.records!r}{nearest(table.records, results.tables)}")
        records = results.tables[table.records]
        columns = _columns(table, records)
        header = list(columns.values())
        rows = [
            [cell(record.get(column), table.digits, str(record.get(REASON) or "")) for column in columns]
            for record in records
        ]
    else:
        header = list(table.header)
        rows = [
            [cell(row[0]), *(numbers.cell(name, table.digits) if name else cell("") for name in row[1:])]
            for row in table.rows
        ]
    if any(len(row) != len(header) for row in rows):
        raise CortwinError(f"report: a row of the table {table.caption!r} has not {len(header)} cells")
    reasons: list[str] = []
    reasons += dict.fromkeys(item.reason for row in rows for item in row if item.reason)
    return {
        "number": counter.next("table"),
        "caption": numbers.fill(table.caption),
        "header": header,
        "numeric": [all(row[k].number or row[k].text == "" for row in rows) for k in range(len(header))],
        "rows": rows,
        "reasons": reasons,
    }


def _columns(table: Table, records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    if isinstance(table.header, Mapping):
        return dict(table.header)
    names = list(records[0]) if records else []
    titles = list(table.header) or names
    if len(titles) != len(names):
        raise CortwinError(f"report: table {table.records!r} has {len(names)} columns, its header {len(titles)}")
    return dict(zip(names, titles, strict=True))


def _timings(folder: Path) -> list[tuple[str, float]]:
    timings = result_files.read_json(folder / TIMINGS)
    total = timings.pop("total", None)
    return [*timings.items(), *([("total", total)] if total is not None else [])]


def _words(value: Any) -> str:
    """A record of the manifest on one line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_words(item)}" for name, item in sorted(value.items()))
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    return str(value)


def _gibibytes(count: int | None) -> str:
    return f"{count / 2**30:.1f} GiB" if count else "unknown"
