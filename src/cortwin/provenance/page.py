"""Two runs on one page: parameters, origin, metrics, and figures over both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cortwin import figures
from cortwin.comparison import Page
from cortwin.provenance.causes import causes
from cortwin.provenance.metrics import MetricsComparison, compare_metrics, compare_parameters
from cortwin.results import Drawing, Results, Section, Table
from cortwin.run_directory import PARAMETERS, FinishedRun

LADDER = "ladder"  # the table that every climb of the ladder leaves


def difference_page(first: FinishedRun, second: FinishedRun, names: tuple[str, str]) -> Page:
    """Compare parameters, origin and metrics of two runs.

    Parameters
    ----------
    first, second : the runs
    names : what they are called on the page

    Returns
    -------
    Page
        With the tables ``parameters``, ``origin`` and ``metrics``: what differs first, then what does not.

    Raises
    ------
    CortwinError
        If the parameters or metrics of one of them are damaged.
    """
    runs = (first, second)
    results = first.metrics(), second.metrics()
    compared = compare_metrics(*results)
    tables = {
        "parameters": [
            {"parameter": name, "first": one, "second": other}
            for name, one, other in compare_parameters(*(run.json(PARAMETERS) for run in runs))
        ],
        "origin": [
            {"fact": cause.what, "first": cause.first, "second": cause.second}
            for cause in causes(first.manifest, second.manifest)
        ],
        "metrics": _metric_rows(compared, *results),
    }
    different = tables["metrics"][: len(compared.different)]
    more = len(different) - figures.DIFFERENCES_SHOWN
    drawings = [
        Drawing(
            "metrics",
            figures.metric_differences(different, first="A", second="B"),
            "Metrics that differ",
            f"The largest relative difference on top{f'; {more} more stand in the table' if more > 0 else ''}.",
        )
    ]
    if all(_has_ladder(one) for one in results):
        curves = {name: one.tables[LADDER] for name, one in zip("AB", results, strict=True)}
        drawings.append(
            Drawing(
                LADDER,
                figures.neurons_per_unit(curves, question="The ladder of both runs"),
                "The ladder of both runs",
                "Distance of x between the spiking twin and the rate text, against the LIF neurons that stand for one "
                "unit. A is drawn strongest.",
            )
        )
    experiments = list(dict.fromkeys(run.manifest["experiment"] for run in runs))
    return Page(
        kind="difference",
        experiment=" and ".join(experiments),
        title=f"{names[0]} and {names[1]}",
        made=f"A is {names[0]}, B is {names[1]}",
        quick=any(run.manifest["quick"] for run in runs),
        tables=tables,
        drawings=drawings,
        sections=_sections(tables, compared, [drawing.name for drawing in drawings], experiments),
    )


def metrics_in_words(compared: MetricsComparison, experiments: Sequence[str]) -> str:
    """Say how many metrics differ, are equal, and stand in one run only."""
    words = f"{len(compared.different)} metrics differ, {compared.equal} are equal"
    for only, run in ((compared.only_first, "A"), (compared.only_second, "B")):
        if only:
            words += f"; {len(only)} only in {run}"
    if len(experiments) > 1:
        words += f". The experiments are not the same ({' and '.join(experiments)}): metrics of one name are compared"
    return words


def _sections(
    tables: Mapping[str, list[dict[str, Any]]], compared: MetricsComparison, drawn: list[str], experiments: list[str]
) -> list[Section]:
    columns = {"first": "A", "second": "B"}
    sections = []
    for name, column, title in (("parameters", "parameter", "Parameters"), ("origin", "fact", "Origin")):
        if tables[name]:
            caption = "What differs." if name == "parameters" else "What is not the same where the runs come from."
            table = Table(caption, {column: column, **columns}, records=name)
            sections.append(Section(title, tables=[table]))
        else:
            sections.append(Section(title, "The same in both runs."))
    table = Table(
        "All metrics, those that differ first. Difference: B less A; relative: over the larger of the two in size.",
        {"metric": "metric", **columns, "absolute": "difference", "relative": "relative", "note": ""},
        records="metrics",
    )
    return [
        Section("Metrics", f"{metrics_in_words(compared, experiments)}.", drawings=drawn),
        *sections,
        *([Section("All metrics", tables=[table])] if tables["metrics"] else []),
    ]


def _metric_rows(compared: MetricsComparison, first: Results, second: Results) -> list[dict[str, Any]]:
    rows = [
        {
            "metric": one.name,
            "first": one.first,
            "second": one.second,
            "absolute": _finite(one.absolute),
            "relative": _finite(one.relative),
            "note": one.reason,
        }
        for one in compared.different
    ]
    differ = {one.name for one in compared.different}
    for name in sorted({*first.metrics, *second.metrics} - differ):
        there = name in first.metrics, name in second.metrics
        equal = all(there)
        rows.append(
            {
                "metric": name,
                "first": first.metrics.get(name),
                "second": second.metrics.get(name),
                "absolute": 0.0 if equal and first.metrics[name] is not None else None,
                "relative": 0.0 if equal and first.metrics[name] is not None else None,
                "note": "equal" if equal else f"only in {'A' if there[0] else 'B'}",
            }
        )
    return rows


def _has_ladder(results: Results) -> bool:
    rows = results.tables.get(LADDER, [])
    return any(row.get("rung") == "R5" and row.get("nrmse") and row.get("neurons_per_unit") for row in rows)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
