"""Effects of perturbations: what one unit does, how the effect grows, and whether the twins reacted alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from cortwin.analysis import others
from cortwin.figures.activity import LOOKS, WRITINGS
from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    MM,
    SOFT,
    colour_of,
    drawing,
    label_of,
    names_in_order,
    new_figure,
    panel_letter,
    say_why_empty,
)

POINTS = 1500  # dots of one scatter at most
ROW = 34 * MM


@dataclass(frozen=True)
class EffectPanel:
    """One perturbation.

    Parameters
    ----------
    title : what was done, in a few words
    before, after : writing -> (trial, time, unit) DataArray
    unit, trial : of the traces
    window : s, when it was done; None for the whole trial
    touched : numbers of units that something was done to directly; the middle and the right panel leave them out
    """

    title: str
    before: Mapping[str, xr.DataArray]
    after: Mapping[str, xr.DataArray]
    unit: int
    trial: int = 0
    window: tuple[float, float] | None = None
    touched: tuple[int, ...] = ()


@drawing
def effects_side_by_side(panels: Sequence[EffectPanel], reference: str = "textbook") -> Figure:
    """Draw a row for each perturbation: a unit's change, the change of all over time, and that of spikes on that of x.

    Parameters
    ----------
    panels : what was done
    reference : the writing on the horizontal axis of the right-hand panels

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, max(len(panels), 1) * ROW + 8 * MM)
    if not panels:
        say_why_empty(figure.add_subplot(), "no perturbation to draw")
        return figure
    grid = figure.subplots(len(panels), 3, squeeze=False, gridspec_kw={"width_ratios": (1.25, 1.25, 0.8)})
    for row, (axes, panel) in enumerate(zip(grid, panels, strict=True)):
        names = names_in_order(list(panel.before), WRITINGS)
        changes = {name: panel.after[name] - panel.before[name] for name in names}
        rest = {name: others(change, panel.touched) for name, change in changes.items()}
        last = row == len(panels) - 1
        _traces(axes[0], changes, panel, last=last)
        _growth(axes[1], rest, panel, last=last)
        _alike(axes[2], rest, reference, last=last)
        axes[0].set_title(panel.title, loc="left")
        panel_letter(axes[0], "abcdefghijklmnopqrstuvwxyz"[row % 26])
        if row == 0:
            axes[1].set_title("others, all trials")
            axes[2].set_title("others, at all times")
    figure.align_ylabels(grid[:, 0])
    names = names_in_order(list(panels[0].before), WRITINGS)
    handles = [Line2D([], [], color=colour_of(name), label=label_of(name), **LOOKS.get(name, {})) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


@drawing
def agreement_of_effects(
    numbers: Mapping[str, Mapping[str, ArrayLike]],
    marks: Mapping[str, Mapping[str, tuple[float, float, float]]],
    labels: Mapping[str, str],
) -> Figure:
    """Draw numbers of each perturbation, a panel for each kind of number: a dot for each network, mean and interval.

    Parameters
    ----------
    numbers : kind -> perturbation -> (networks,) values, NaN where there is none
    marks : kind -> perturbation -> mean and both ends of its interval
    labels : kind -> text of its axis

    Returns
    -------
    Figure
    """
    rows = max((len(each) for each in numbers.values()), default=1)
    figure = new_figure(DOUBLE, (6.5 * rows + 16) * MM)
    if not numbers:
        say_why_empty(figure.add_subplot(), "no perturbation to draw")
        return figure
    grid = figure.subplots(1, len(numbers), squeeze=False, sharey=True)[0]
    for axes, (kind, each) in zip(grid, numbers.items(), strict=True):
        axes.axvline(1.0, color=FAINT, linewidth=0.6, zorder=0)
        for place, (name, values) in enumerate(each.items()):
            shown = np.asarray(values, dtype=np.float64)
            axes.plot(
                shown, np.full(shown.shape, place - 0.14), "o", color=COLOURS["spiking"], markersize=2.6,
                markeredgewidth=0, alpha=0.6, clip_on=False,
            )  # fmt: skip
            mean, low, high = marks[kind][name]
            axes.plot([low, high], [place + 0.16] * 2, color=COLOURS["spiking"], linewidth=1.1)
            axes.plot(mean, place + 0.16, "|", color=COLOURS["spiking"], markersize=5, markeredgewidth=1.2)
        axes.set_xlabel(labels[kind])
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=5)
    grid[0].set_yticks(range(rows), list(next(iter(numbers.values()))))
    grid[0].set_ylim(rows - 0.5, -0.6)
    return figure


def _traces(axes: Axes, changes: Mapping[str, xr.DataArray], panel: EffectPanel, *, last: bool) -> None:
    _mark(axes, panel)
    for number, (name, change) in enumerate(changes.items()):
        one = change[panel.trial, :, panel.unit]
        axes.plot(one["time"], one, color=colour_of(name, number), zorder=2 + number, **LOOKS.get(name, {}))
    axes.set_ylabel(f"change of $x_{{{panel.unit}}}$ (1)")
    _over_time(axes, changes, last=last)


def _growth(axes: Axes, changes: Mapping[str, xr.DataArray], panel: EffectPanel, *, last: bool) -> None:
    _mark(axes, panel)
    for number, (name, change) in enumerate(changes.items()):
        rms = np.sqrt((change**2).mean(dim=("trial", change.dims[-1])))
        spread = float(others(panel.before[name], panel.touched).std())
        axes.plot(rms["time"], rms / spread, color=colour_of(name, number), zorder=2 + number, **LOOKS.get(name, {}))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("RMS (s.d. of x)")
    _over_time(axes, changes, last=last)


def _alike(axes: Axes, changes: Mapping[str, xr.DataArray], reference: str, *, last: bool) -> None:
    known, found = changes[reference].to_numpy().ravel(), changes["spiking"].to_numpy().ravel()
    every = max(1, -(-known.size // POINTS))
    limit = 1.05 * float(max(np.abs(known).max(), np.abs(found).max(), 1e-12))
    axes.plot([-limit, limit], [-limit, limit], color=FAINT, linewidth=0.6, zorder=0)
    axes.plot(
        known[::every], found[::every], "o", color=COLOURS["spiking"], markersize=1.3, markeredgewidth=0, alpha=0.35,
        rasterized=True,
    )  # fmt: skip
    axes.set_xlim(-limit, limit)
    axes.set_ylim(-limit, limit)
    axes.set_aspect("equal")
    axes.locator_params(nbins=4)
    axes.set_ylabel("change, spiking (1)")
    if last:
        axes.set_xlabel(f"change, {label_of(reference)} (1)")
    if np.ptp(known) > 0 and np.ptp(found) > 0:
        text = f"r = {np.corrcoef(known, found)[0, 1]:.3f}"
        axes.text(0.04, 0.96, text, transform=axes.transAxes, ha="left", va="top", color=SOFT, fontsize=5.5)


def _mark(axes: Axes, panel: EffectPanel) -> None:
    axes.axhline(0, color=FAINT, linewidth=0.4, zorder=0)
    if panel.window is not None:
        axes.axvspan(*panel.window, color=FAINT, alpha=0.35, linewidth=0, zorder=0)


def _over_time(axes: Axes, changes: Mapping[str, xr.DataArray], *, last: bool) -> None:
    time = next(iter(changes.values()))["time"].to_numpy()
    axes.set_xlim(time[0], time[-1])
    axes.locator_params(axis="y", nbins=4)
    axes.tick_params(labelbottom=last)
    if last:
        axes.set_xlabel("time (s)")
