"""The metrics in which two runs differ, the largest difference on top."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from cortwin.figures.style import DOUBLE, FAINT, MM, SOFT, SPARE, drawing, new_figure, say_why_empty

DIFFERENCES_SHOWN = 40
SMALLEST = 1e-16  # of a relative difference: nothing between equal and this exists in float64
GREW, FELL = SPARE[1], SPARE[0]


@drawing
def metric_differences(rows: Sequence[Mapping[str, Any]], *, first: str = "first", second: str = "second") -> Figure:
    """Draw relative differences on a logarithmic axis, a row per metric, with both values beside it.

    Parameters
    ----------
    rows : ``metric``, ``first`` and ``second`` (values, None where undefined) and ``relative`` (their difference over
        the larger in size, None where there is none); drawn in this order, `DIFFERENCES_SHOWN` at most
    first, second : what the two runs are called

    Returns
    -------
    Figure
    """
    shown = rows[:DIFFERENCES_SHOWN]
    figure = new_figure(DOUBLE, max(len(shown), 4) * 3.6 * MM + 18 * MM)
    axes = figure.add_subplot()
    if not rows:
        say_why_empty(axes, "no metric differs")
        return figure
    axes.set_xscale("log")
    sizes = [abs(row["relative"]) for row in shown if row["relative"]]
    smallest = max(min(sizes, default=1.0), SMALLEST)
    left = 10.0 ** (math.floor(math.log10(smallest)) - 0.3)
    axes.set_xlim(left, 3.0)
    for place, row in enumerate(shown):
        axes.axhline(place, color=FAINT, linewidth=0.3, zorder=0)
        relative = row["relative"]
        if relative:
            colour = GREW if relative > 0 else FELL
            size = max(abs(relative), SMALLEST)
            axes.plot([left, size], [place, place], color=colour, linewidth=1.2, alpha=0.35, zorder=1)
            axes.plot(size, place, ">" if relative > 0 else "<", color=colour, markersize=4, zorder=2, clip_on=False)
        axes.annotate(
            f"{_text(row['first'])}  →  {_text(row['second'])}", (1, place), xycoords=axes.get_yaxis_transform(),
            xytext=(8, 0), textcoords="offset points", va="center", color=SOFT, fontsize=5.5,
        )  # fmt: skip
    axes.annotate(
        f"{first}  →  {second}", (1, -1), xycoords=axes.get_yaxis_transform(), xytext=(8, 0),
        textcoords="offset points", va="center", fontsize=6, fontweight="bold",
    )  # fmt: skip
    axes.set_ylim(len(shown) - 0.4, -0.8)
    axes.set_yticks(range(len(shown)), [row["metric"] for row in shown])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("difference, relative to the larger of the two values (1)")
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, markersize=4, label=f"{word} in {second}")
        for marker, colour, word in ((">", GREW, "larger"), ("<", FELL, "smaller"))
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, handletextpad=0.2)
    return figure


def _text(value: float | bool | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}".replace("-", "−")
