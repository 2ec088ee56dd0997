"""Figures over a whole sweep: every metric against what was swept, with intervals over seeds."""

from __future__ import annotations

import fnmatch
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cortwin.analysis import summarise
from cortwin.errors import CortwinError
from cortwin.figures import save
from cortwin.figures.sweep import Axis, Cell, sweep_lines, sweep_map, sweep_scatter
from cortwin.parameters import nearest
from cortwin.run_directory import FIGURES
from cortwin.sweep.collect import Collected
from cortwin.sweep.design import DRAWN, LOG, Design
from cortwin.sweep.folder import FINISHED, Sweep

MOST_METRICS = 12
# Intervals are drawn anew each time and must come out the same.
SEED = 20261120


def draw_summary(sweep: Sweep, collected: Collected, patterns: Sequence[str] = ()) -> tuple[list[str], int]:
    """Draw into the sweep's folder ``figures/``.

    Parameters
    ----------
    sweep, collected : what is drawn
    patterns : names of metrics, ``*`` for anything; without any, metrics that vary over the points, the first twelve

    Returns
    -------
    names : of the figures
    left_out : metrics that vary and were not drawn

    Raises
    ------
    CortwinError
        When no point is finished, or no metric fits.
    """
    rows = [row for row in collected.rows if row["status"] == FINISHED]
    if not rows:
        raise CortwinError(f"{sweep.path} has no finished point: there is nothing to draw")
    numeric = [name for name in collected.metrics if any(_number(row.get(name)) is not None for row in rows)]
    if patterns:
        chosen = [name for name in numeric if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
        if not chosen:
            raise CortwinError(f"no metric is called {patterns[0]!r}{nearest(patterns[0], numeric)}")
    else:
        varying = [name for name in numeric if len({row.get(name) for row in rows}) > 1]
        chosen = varying or numeric
    left_out = 0 if patterns else max(0, len(chosen) - MOST_METRICS)
    axes = [_axis(name, rows, collected, sweep.design) for name in sweep.design.swept]
    axes = [axis for axis in axes if len(axis.values) > 1]
    figures = {}
    for metric in chosen if patterns else chosen[:MOST_METRICS]:
        if sweep.design.kind in DRAWN:
            found = np.array([math.nan if (x := _number(row.get(metric))) is None else x for row in rows])
            places = {axis: np.array([_place(axis, row) for row in rows]) for axis in axes}
            figures[metric] = sweep_scatter(metric, places, found)
            continue
        # Along the horizontal axis runs what has most values.
        ordered = sorted(axes, key=lambda axis: (not axis.numeric, -len(axis.values)))
        cells = _cells(metric, rows, ordered[:2])
        figures[metric] = sweep_lines(metric, ordered[:2], cells, pooled=[axis.name for axis in ordered[2:]])
        if len(ordered) >= 2 and all(len(axis.values) >= 3 for axis in ordered[:2]):
            figures[f"{metric}.map"] = sweep_map(metric, ordered[:2], cells)
    _save(sweep.path, figures)
    return list(figures), left_out


def _save(folder: Path, figures: dict[str, Any]) -> None:
    """Replace the folder of figures as a whole."""
    fresh = Path(tempfile.mkdtemp(prefix=f".{FIGURES}-", dir=folder))
    try:
        for name, figure in figures.items():
            save(figure, fresh, name)
        fresh.chmod(0o755)
        shutil.rmtree(folder / FIGURES, ignore_errors=True)
        fresh.rename(folder / FIGURES)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _cells(metric: str, rows: Sequence[Any], axes: Sequence[Axis]) -> list[Cell]:
    """Summarise a metric at every combination of two axes over everything else."""
    found: dict[tuple[int, ...], list[float]] = {}
    for row in rows:
        key = tuple(_index(axis, row) for axis in axes)
        value = _number(row.get(metric))
        found.setdefault(key, []).append(math.nan if value is None else value)
    generator = np.random.default_rng(SEED)
    return [Cell(key, summarise(values, generator)) for key, values in sorted(found.items())]


def _axis(name: str, rows: Sequence[Any], collected: Collected, design: Design) -> Axis:
    unit, scale = collected.units.get(name, ("", 1.0))
    given = {row.get(name) for row in rows}
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in given)
    values = tuple(sorted(given) if numeric else sorted(given, key=str))
    text = design.settings.get(name, "")
    log = text.endswith(LOG) if ".." in text else numeric and _is_geometric(values)
    return Axis(name, values, numeric, unit, scale, log)


def _is_geometric(values: Sequence[float]) -> bool:
    """Tell whether values such as 1, 4, 16 are more even on a logarithmic scale."""
    if len(values) < 3 or values[0] <= 0:
        return False
    steps, ratios = np.diff(values), np.diff(np.log(values))
    return bool(np.std(ratios) / np.mean(ratios) < np.std(steps) / np.mean(steps) and values[-1] / values[0] >= 4)


def _index(axis: Axis, row: Any) -> int:
    return axis.values.index(row.get(axis.name))


def _place(axis: Axis, row: Any) -> float:
    return row[axis.name] / axis.scale if axis.numeric else float(_index(axis, row))


def _number(value: Any) -> float | None:
    if isinstance(value, (bool, int, float)) and math.isfinite(value):
        return float(value)
    return None
