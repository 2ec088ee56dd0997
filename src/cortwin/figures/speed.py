"""How many times as fast as others, and what it costs to grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cortwin.figures.style import DOUBLE, FAINT, INK, SOFT, SPARE, drawing, label_log_y, new_figure, say_why_empty

# between two points of one size, in distances between sizes
SPREAD = 0.22


@drawing
def speed_ratios(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the other library's time over ours, by size and network; above 1 ours is the faster.

    Parameters
    ----------
    rows : with ``cell``, ``size`` (where it stands), ``ratio``, and ``low`` and ``high``, the range over repetitions

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.38 * DOUBLE)
    axes = figure.add_subplot()
    if not rows:
        say_why_empty(axes, "nothing to compare with is installed")
        return figure
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    cells = list(dict.fromkeys(row["cell"] for row in rows))
    axes.axhline(1, color=INK, linewidth=0.7)
    for number, cell in enumerate(cells):
        here = [row for row in rows if row["cell"] == cell]
        x = [sizes.index(row["size"]) + _aside(row, rows) for row in here]
        ratios = [row["ratio"] for row in here]
        bars = [[max(r["ratio"] - r["low"], 0) for r in here], [max(r["high"] - r["ratio"], 0) for r in here]]
        axes.errorbar(x, ratios, yerr=bars, fmt="o", color=_colour(number), capsize=2, elinewidth=0.8, label=cell)
        for place, row in zip(x, here, strict=True):
            axes.annotate(
                f"{row['ratio']:.2g}" if row["ratio"] < 10 else f"{row['ratio']:.0f}",
                (place, max(row["high"], row["ratio"])),
                xytext=(0, 2.5),
                textcoords="offset points",
                ha="center",
                fontsize=5.5,
            )
    axes.set_yscale("log")
    axes.set_xticks(range(len(sizes)), sizes)
    axes.set_xlim(-0.6, len(sizes) - 0.4)
    label_log_y(axes)
    axes.annotate(
        "equally fast", (0, 1), xycoords=("axes fraction", "data"), xytext=(2, 1.5), textcoords="offset points",
        color=SOFT, fontsize=5.5,
    )  # fmt: skip
    axes.set_ylabel("time of the other over ours")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@drawing
def cost_against_events(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the wall time of a simulated second against its synaptic events, with lines of slope 1.

    Parameters
    ----------
    rows : with ``kind`` (what grows), ``number`` (of it), ``events`` and ``seconds``

    Returns
    -------
    Figure
    """
    figure = new_figure(0.6 * DOUBLE, 0.38 * DOUBLE)
    axes = figure.add_subplot()
    for number, kind in enumerate(dict.fromkeys(row["kind"] for row in rows)):
        own = sorted((row for row in rows if row["kind"] == kind and row["events"]), key=lambda row: row["events"])
        if not own:
            continue
        events, seconds = (np.array([row[name] for row in own]) for name in ("events", "seconds"))
        # Through the middle of the points: the mean of the logarithms.
        per_event = np.exp(np.mean(np.log(seconds / events)))
        axes.plot(events, per_event * events, color=FAINT, zorder=1)
        axes.plot(events, seconds, "o", color=_colour(number), label=kind, zorder=2)
        for row in own:
            axes.annotate(
                f"{row['number']:,}", (row["events"], row["seconds"]), xytext=(3, -6), textcoords="offset points",
                fontsize=5.5, color=SOFT,
            )  # fmt: skip
    if not axes.lines:
        say_why_empty(axes, "no network spiked")
        return figure
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("synaptic events in a simulated second")
    axes.set_ylabel("wall time of it (s)")
    axes.legend(loc="upper left")
    return figure


def _colour(number: int) -> str:
    return (*SPARE, INK, SOFT)[number % (len(SPARE) + 2)]


def _aside(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> float:
    """Return how far from the middle of its size a point stands, so that no two stand on each other."""
    together = [one["cell"] for one in rows if one["size"] == row["size"]]
    return SPREAD * (together.index(row["cell"]) - (len(together) - 1) / 2)
