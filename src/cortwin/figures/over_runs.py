"""Metrics over runs: a point for every run, joined by seed, beside the interval that they give."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    MM,
    SOFT,
    SPARE,
    colour_of,
    drawing,
    label_log_y,
    names_in_order,
    new_figure,
    say_why_empty,
)

WRITINGS = frozenset({"textbook", "rate", "tuning", "spiking"})
COLUMNS = 4
LOG_RANGE = 30  # of a panel's values, largest over smallest, from which on its axis is logarithmic
# Values closer than this, relative to their size, are equal but for rounding, and no axis could show them apart.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Panel:
    """Metrics that are drawn side by side.

    Parameters
    ----------
    title : their common name, ``*`` for what differs
    metrics : category -> name of the metric; a single one has the category ``""``
    """

    title: str
    metrics: Mapping[str, str]


def panels_over_runs(values: Mapping[str, np.ndarray]) -> dict[str, list[Panel]]:
    """Sort metrics into groups by their first word, and into panels of those that differ in one word or number.

    What varies within a panel is a writing (or what stands beside one, for instance ``untrained``), or a number at the
    end of the name. A panel in which no value differs between runs is left out.

    Parameters
    ----------
    values : metric -> (runs,) ndarray

    Returns
    -------
    dict group -> panels, groups in which writings are compared in front
    """
    families: dict[str, dict[str, str]] = {}
    for name in values:
        words = name.split(".")
        numbered = len(words) > 1 and words[-1].isdigit()
        places = [len(words) - 1] if numbered else [k for k, word in enumerate(words) if k and word in COLOURS]
        for k in places[:1]:
            families.setdefault(".".join([*words[:k], "*", *words[k + 1 :]]), {})[words[k]] = name
        if not places:
            families[name] = {"": name}
    # A family of one is a metric like any other, in its own colour.
    families = {
        next(iter(metrics.values())) if len(metrics) == 1 else family: metrics for family, metrics in families.items()
    }
    groups: dict[str, list[Panel]] = {}
    for family, metrics in families.items():
        if any(_varies(values[name]) for name in metrics.values()):
            group, _, rest = family.partition(".")
            numbered = all(word.isdigit() for word in metrics)
            order = sorted(metrics, key=int) if numbered else names_in_order(list(metrics), list(COLOURS))
            panel = Panel(rest or group, {word: metrics[word] for word in order})
            groups.setdefault(group, []).append(panel)
    # What compares twins comes first.
    return dict(
        sorted(groups.items(), key=lambda item: not any(len(WRITINGS & set(one.metrics)) > 1 for one in item[1]))
    )


@drawing
def values_over_runs(
    panels: Sequence[Panel], values: Mapping[str, np.ndarray], marks: Mapping[str, tuple[float, float, float]]
) -> Figure:
    """Draw small panels, each with a point for every run and, beside them, centre and interval.

    Parameters
    ----------
    panels : what is drawn together
    values : metric -> (runs,) ndarray, NaN where a run has no value
    marks : metric -> centre and both ends of its interval, NaN where there is none

    Returns
    -------
    Figure
    """
    rows = max(1, math.ceil(len(panels) / COLUMNS))
    figure = new_figure(DOUBLE, (30 * rows + 4) * MM)
    if not panels:
        say_why_empty(figure.add_subplot(), "no metric differs between the runs")
        return figure
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw(axes, panel, values, marks)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    return figure


def _draw(
    axes: Axes, panel: Panel, values: Mapping[str, np.ndarray], marks: Mapping[str, tuple[float, float, float]]
) -> None:
    names = list(panel.metrics.values())
    shown = np.stack([values[name] for name in names])  # (category, run)
    there = shown[np.isfinite(shown)]
    if there.size and there.min() > 0 and there.max() > LOG_RANGE * there.min():
        axes.set_yscale("log")
    places = np.arange(len(names))
    if len(names) > 1:
        axes.plot(places - 0.12, shown, color=FAINT, linewidth=0.5, zorder=1)
    for place, (category, name) in enumerate(panel.metrics.items()):
        colour = colour_of(category) if category in COLOURS else SPARE[0]
        runs = np.full(shown.shape[1], place - 0.12)
        axes.plot(runs, shown[place], "o", color=colour, markersize=2.4, markeredgewidth=0, alpha=0.75, zorder=2)
        centre, low, high = marks[name]
        if math.isfinite(centre):
            axes.plot(place + 0.14, centre, "_", color=colour, markersize=6, markeredgewidth=1.2, zorder=3)
        if math.isfinite(low) and math.isfinite(high):
            axes.plot([place + 0.14] * 2, [low, high], color=colour, linewidth=1.1, zorder=3)
    axes.set_xlim(-0.6, len(names) - 0.4)
    if len(names) > 1:
        words = list(panel.metrics)
        turned = max(map(len, words)) * len(words) > 24
        axes.set_xticks(places, words, rotation=35 if turned else 0, ha="right" if turned else "center", fontsize=5)
    else:
        axes.set_xticks([])
    axes.tick_params(axis="x", length=0)
    if axes.get_yscale() == "log":
        label_log_y(axes)
    else:
        axes.locator_params(axis="y", nbins=4)
    axes.tick_params(axis="y", labelsize=5)
    axes.yaxis.get_offset_text().set_fontsize(5)
    axes.set_title(panel.title, fontsize=5.5, color=SOFT, loc="left", pad=4)


def _varies(values: np.ndarray) -> bool:
    there = values[np.isfinite(values)]
    return there.size > 0 and bool(np.ptp(there) > ROUNDING * np.abs(there).max())
