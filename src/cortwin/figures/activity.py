"""Activity of example units over time: textbook under rate under spikes, on the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    SOFT,
    colour_of,
    drawing,
    label_of,
    mark_events,
    names_in_order,
    new_figure,
    panel_letter,
    say_why_empty,
)

WRITINGS = ("textbook", "rate", "tuning", "spiking")
# The textbook is wide and pale and lies below, so that a rate line that equals it is seen to lie on it.
LOOKS = {
    "textbook": {"linewidth": 2.6, "alpha": 0.25},
    "rate": {"linewidth": 0.9},
    "tuning": {"linewidth": 0.8, "linestyle": (0, (3, 1.5))},
    "spiking": {"linewidth": 0.8},
}


@drawing
def example_units(
    activities: Mapping[str, xr.DataArray],
    *,
    units: Sequence[int],
    trials: Sequence[int],
    titles: Sequence[str] | None = None,
    spikes: xr.Dataset | None = None,
    quantity: str = "x",
    events: Sequence[Mapping[str, float]] | None = None,
) -> Figure:
    """Draw a few units in a few trials: one row a unit, one column a trial, all writings on the same axes.

    Parameters
    ----------
    activities : writing -> (trial, time, unit) DataArray
    units, trials : numbers of the units and trials that are drawn
    titles : text above each column, for instance the direction
    spikes : events of the spiking writing; those of each unit's own neurons are drawn below it. The neurons of unit i
        are numbers i n to (i + 1) n - 1
    quantity : symbol of what is drawn
    events : for each trial, name -> time in s of vertical marks

    Returns
    -------
    Figure
    """
    n_rows, n_columns = len(units), len(trials)
    figure = new_figure(DOUBLE, max(0.16 * max(n_rows, 1) + 0.12, 0.3) * DOUBLE)
    if not activities or not n_rows or not n_columns:
        say_why_empty(figure.add_subplot(), "no activity to draw")
        return figure
    names = names_in_order(list(activities), WRITINGS)
    n_units = activities[names[0]].sizes["unit"]
    ratios = (3, 1) if spikes is not None else (3,)
    per_row = len(ratios)
    grid = figure.add_gridspec(n_rows * per_row, n_columns, height_ratios=ratios * n_rows, hspace=0.02)
    first: dict[int, Axes] = {}
    top: Axes | None = None
    for row, unit in enumerate(units):
        for column, trial in enumerate(trials):
            axes = figure.add_subplot(grid[row * per_row, column], sharey=first.get(row), sharex=top)
            first.setdefault(row, axes)
            top = top or axes
            time = activities[names[0]]["time"].to_numpy()
            axes.set_xlim(time[0], time[-1])
            _traces(axes, {name: activities[name][trial, :, unit] for name in names})
            mark_events(axes, events[column] if events else None, named=row == 0)
            bottom = axes
            if spikes is not None:
                axes.tick_params(labelbottom=False, bottom=False)
                axes.spines["bottom"].set_visible(False)
                bottom = figure.add_subplot(grid[row * per_row + 1, column], sharex=top)
                _spikes(bottom, spikes, trial, unit, n_units, named=column == 0)
                mark_events(bottom, events[column] if events else None, named=False)
            bottom.tick_params(labelbottom=row == n_rows - 1)
            if row == n_rows - 1:
                bottom.set_xlabel("time (s)")
            if row == 0 and titles:
                axes.set_title(titles[column], pad=10 if events else 4)
            if column == 0:
                axes.set_ylabel(f"unit {unit}\n${quantity}$ ({_unit(activities[names[0]])})")
                panel_letter(axes, "abcdefghijklmnopqrstuvwxyz"[row % 26])
            else:
                axes.tick_params(labelleft=False)
    figure.align_ylabels(list(first.values()))
    handles = [Line2D([], [], color=colour_of(name), label=label_of(name), **LOOKS.get(name, {})) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _unit(activity: xr.DataArray) -> str:
    unit = activity.attrs.get("units", "1")
    return "1" if unit == "1" else unit


def _traces(axes: Axes, lines: Mapping[str, xr.DataArray]) -> None:
    finite = {name: line for name, line in lines.items() if np.isfinite(line.to_numpy()).any()}
    for number, (name, line) in enumerate(finite.items()):
        axes.plot(line["time"], line, color=colour_of(name, number), zorder=2 + number, **LOOKS.get(name, {}))
    if len(finite) < len(lines):
        missing = ", ".join(label_of(name) for name in lines if name not in finite)
        axes.text(0.98, 0.95, f"{missing}: no finite value", transform=axes.transAxes, ha="right", va="top", color=SOFT)


def _spikes(axes: Axes, spikes: xr.Dataset, trial: int, unit: int, n_units: int, *, named: bool) -> None:
    """Draw the spikes of a unit's neurons, one line each."""
    n = int(spikes.attrs["n_units"]) // n_units
    number = spikes["unit"].to_numpy()
    mine = (spikes["trial"].to_numpy() == trial) & (number // max(n, 1) == unit)
    axes.eventplot(
        [spikes["time"].to_numpy()[mine & (number == unit * n + k)] for k in range(n)],
        lineoffsets=range(n), linelengths=0.8, linewidths=0.35 if n > 8 else 0.5, colors=COLOURS["spiking"],
    )  # fmt: skip
    axes.set_ylim(-0.7, n - 0.3)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if named:
        axes.annotate(
            f"{n} neurons" if n > 1 else "neuron", (0, 0.5), xycoords="axes fraction", xytext=(-4, 0),
            textcoords="offset points", ha="right", va="center", fontsize=5.5, color=SOFT,
        )  # fmt: skip
