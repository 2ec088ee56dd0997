"""Memory of networks: errors over the length of what has to be remembered, and values that are held."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    SINGLE,
    SOFT,
    SPARE,
    drawing,
    label_log_y,
    new_figure,
    say_why_empty,
)

PANEL = 1.3  # inches, height of a row of panels


@drawing
def errors_over_length(
    errors: Mapping[str, Mapping[str, Mapping[int, float]]], baselines: Mapping[str, Mapping[int, float]]
) -> Figure:
    """Draw the error of every network against the length of the trials, a panel for each task.

    Parameters
    ----------
    errors : task -> network -> length -> error
    baselines : task -> length -> error without memory

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.62 * SINGLE)
    if not errors:
        say_why_empty(figure.add_subplot(), "nothing was learned")
        return figure
    panels = np.atleast_1d(figure.subplots(1, len(errors)))
    for axes, (task, networks) in zip(panels, errors.items(), strict=True):
        lengths = sorted({length for found in networks.values() for length in found})
        for number, (name, found) in enumerate(networks.items()):
            style = "-" if number < len(SPARE) else (0, (4, 1.5))
            colour = SPARE[number % len(SPARE)]
            axes.plot(list(found), list(found.values()), "o", linestyle=style, color=colour, label=name)
        own = baselines[task]
        axes.plot(list(own), list(own.values()), "_", linestyle=(0, (2, 1.5)), color=SOFT, label="without memory")
        axes.set_xscale("log")
        axes.set_yscale("log")
        label_log_y(axes)
        axes.set_xticks(lengths)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(task, loc="left")
        axes.set_xlabel("steps to remember")
        axes.set_ylabel("error of new trials")
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


@drawing
def held_values(held: Mapping[str, Mapping[str, ArrayLike]], closed_form: Mapping[str, ArrayLike], dt: float) -> Figure:
    """Draw values that networks hold, a panel for each network, a line for each value and writing.

    Parameters
    ----------
    held : network -> writing -> (time, value) array_like, sample k at time ``(k + 1) dt``
    closed_form : network -> the same, as it should decay
    dt : seconds between samples

    Returns
    -------
    Figure
    """
    columns = min(4, max(1, len(held)))
    rows = max(1, -(-len(held) // columns))
    figure = new_figure(DOUBLE, PANEL * rows + 0.4)
    if not held:
        say_why_empty(figure.add_subplot(), "nothing was held")
        return figure
    first = None
    for number, (name, writings) in enumerate(held.items()):
        axes = figure.add_subplot(rows, columns, number + 1, sharex=first, sharey=first)
        first = first or axes
        for writing, values in writings.items():
            curves = np.asarray(values, dtype=float)
            time = dt * np.arange(1, len(curves) + 1)
            lines = axes.plot(time, curves, color=COLOURS[writing], linewidth=0.7)
            lines[0].set_label(writing)
        expected = np.asarray(closed_form[name], dtype=float)
        lines = axes.plot(
            dt * np.arange(1, len(expected) + 1), expected, color=SOFT, linewidth=0.6, linestyle=(0, (3, 2))
        )
        lines[0].set_label("closed form")
        axes.axhline(0, color=FAINT, linewidth=0.4, zorder=0)
        axes.set_title(name, loc="left")
        if number % columns == 0:
            axes.set_ylabel("value")
        if number >= len(held) - columns:
            axes.set_xlabel("time (s)")
    handles = [line for line in figure.axes[0].lines if not str(line.get_label()).startswith("_")]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure
