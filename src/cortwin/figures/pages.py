"""Every page beside the others: how near the spikes come, and how the documents' samples learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from cortwin.figures.style import (
    DOUBLE,
    FAINT,
    SINGLE,
    SOFT,
    SPARE,
    drawing,
    label_log_y,
    new_figure,
    say_why_empty,
    spread,
)

PANEL = 1.45  # inches, height of a row of panels


@drawing
def distances_of_pages(rows: Sequence[Mapping[str, Any]], neurons: Sequence[int]) -> Figure:
    """Draw the distance of the spiking twin against the number of neurons, a line through the medians of each page.

    Parameters
    ----------
    rows : of the pages' ladders, with ``page``, ``rung``, ``neurons_per_unit`` and ``nrmse``
    neurons : LIF neurons in each ensemble

    Returns
    -------
    Figure
    """
    figure = new_figure(1.35 * SINGLE, SINGLE)
    axes = figure.add_subplot()
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        if row["rung"] == "R5" and row["nrmse"] is not None and np.isfinite(row["nrmse"]):
            found.setdefault(row["page"], {}).setdefault(row["neurons_per_unit"], []).append(row["nrmse"])
    if not found:
        say_why_empty(axes, "no page has a spiking twin")
        return figure
    names = sorted(found, key=lambda name: np.median(found[name][max(found[name])]))
    ends = {name: float(np.median(found[name][max(found[name])])) for name in names}
    for number, name in enumerate(names):
        colour = SPARE[number % len(SPARE)]
        style = "-" if number < len(SPARE) else (0, (4, 1.5))
        sizes = sorted(found[name])
        axes.plot(sizes, [np.median(found[name][n]) for n in sizes], linestyle=style, color=colour, linewidth=1.1)
        for n in sizes:
            axes.plot([n] * len(found[name][n]), found[name][n], "o", color=colour, markersize=2.4, alpha=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.axhline(0.1, color=FAINT, linewidth=0.7, zorder=0)
    axes.set_xticks(list(neurons))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    label_log_y(axes)
    low, high = (np.log10(limit) for limit in axes.get_ylim())
    # Names at the lines' right ends, moved apart where they would overlap.
    places = spread([np.log10(ends[name]) for name in names], 0.055 * (high - low))
    for number, (name, place) in enumerate(zip(names, places, strict=True)):
        axes.annotate(
            name.replace("_", " "), (max(found[name]), 10**place), xytext=(8, 0), textcoords="offset points",
            va="center", color=SPARE[number % len(SPARE)], annotation_clip=False,
        )  # fmt: skip
    axes.set_xlabel("LIF neurons in each ensemble")
    axes.set_ylabel("distance of x to the rate text (NRMSE)")
    return figure


@drawing
def sample_curves(errors: Mapping[str, ArrayLike], baselines: Mapping[str, float]) -> Figure:
    """Draw training errors, one panel for each sample, above the error of the best constant answer.

    Parameters
    ----------
    errors : name -> (update,) array_like
    baselines : name -> error

    Returns
    -------
    Figure
    """
    columns = 3
    figure = new_figure(DOUBLE, PANEL * (-(-len(errors) // columns)))
    for number, (name, values) in enumerate(errors.items()):
        axes = figure.add_subplot(-(-len(errors) // columns), columns, number + 1)
        error = np.asarray(values, dtype=np.float64)
        width = max(1, error.size // 100)
        whole = error[: error.size // width * width].reshape(-1, width)
        # Mini-batches scatter: the mean over a hundredth of the updates, above the scatter itself.
        axes.plot(error, color=FAINT, linewidth=0.5)
        axes.plot(width * (np.arange(len(whole)) + 0.5), whole.mean(axis=1), color=SPARE[0], linewidth=1.2)
        axes.axhline(baselines[name], color=SOFT, linewidth=0.8, linestyle=(0, (4, 2)))
        axes.set_ylim(0, 1.35 * max(baselines[name], float(whole.mean(axis=1).max())))
        axes.set_title(f"document {name}", loc="left")
        axes.set_xlabel("update")
        axes.set_ylabel("error")
    return figure
