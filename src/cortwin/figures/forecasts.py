"""Forecasts of series: errors of many networks, what they say running freely, and how long they remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cortwin.figures.style import (
    DOUBLE,
    FAINT,
    INK,
    SINGLE,
    SOFT,
    SPARE,
    colour_of,
    drawing,
    label_log_x,
    label_log_y,
    new_figure,
    say_why_empty,
)

LINE = 0.17  # inches for one line of text


@drawing
def forecast_errors(errors: Mapping[str, Mapping[str, Sequence[float]]], quantity: str = "NMSE") -> Figure:
    """Mark the error of every network, a panel for each series, a line for each kind of network.

    Parameters
    ----------
    errors : series -> kind of network -> errors; a kind that has none is left empty
    quantity : what the errors are

    Returns
    -------
    Figure
    """
    kinds = list(dict.fromkeys(kind for found in errors.values() for kind in found))
    figure = new_figure(DOUBLE, LINE * (len(kinds) + 4))
    if not kinds:
        say_why_empty(figure.add_subplot(), "nothing was forecast")
        return figure
    panels = np.atleast_1d(figure.subplots(1, len(errors), sharey=True))
    for axes, (name, found) in zip(panels, errors.items(), strict=True):
        for place, kind in enumerate(kinds):
            values = [value for value in found.get(kind, ()) if np.isfinite(value)]
            axes.axhline(place, color=FAINT, linewidth=0.3, zorder=0)
            if values:
                colour = _colour(kind)
                axes.plot(values, [place] * len(values), "o", color=colour, markersize=2.6, alpha=0.7)
                axes.plot(np.median(values), place, "|", color=colour, markersize=9, markeredgewidth=1.4)
        axes.axvline(1, color=SOFT, linewidth=0.6, linestyle=(0, (4, 2)), zorder=0)
        axes.set_xscale("log")
        label_log_x(axes)
        axes.set_title(name, loc="left")
        axes.set_xlabel(f"{quantity} of new samples")
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(kinds)), kinds)
    panels[0].set_ylim(len(kinds) - 0.5, -0.5)
    return figure


@drawing
def free_runs(
    heard: ArrayLike, continued: ArrayLike, forecasts: Mapping[str, ArrayLike], *, unit: str = "samples"
) -> Figure:
    """Draw a series, and below one another what each network makes of its continuation.

    Parameters
    ----------
    heard : (past,) array_like, the end of what they heard
    continued : (horizon,) array_like, how the series goes on
    forecasts : network -> (horizon,) array_like
    unit : of the time axis

    Returns
    -------
    Figure
    """
    figure = new_figure(1.35 * SINGLE, 0.48 * max(1, len(forecasts)) + 0.4)
    if not forecasts:
        say_why_empty(figure.add_subplot(), "nothing ran freely")
        return figure
    past, future = np.asarray(heard, dtype=float), np.asarray(continued, dtype=float)
    whole = np.concatenate([past, future])
    margin = 0.15 * np.ptp(whole)
    panels = np.atleast_1d(figure.subplots(len(forecasts), 1, sharex=True))
    for axes, (name, values) in zip(panels, forecasts.items(), strict=True):
        axes.plot(np.arange(1 - past.size, future.size + 1), whole, color=FAINT, linewidth=2.2)
        axes.plot(np.arange(1, future.size + 1), np.asarray(values, dtype=float), color=_colour(name), linewidth=0.9)
        axes.axvline(0.5, color=SOFT, linewidth=0.5)
        # A forecast that leaves the range of the series leaves the panel.
        axes.set_ylim(whole.min() - margin, whole.max() + margin)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylabel(name.replace(", ", ",\n"), rotation=0, ha="right", va="center", color=_colour(name))
    panels[-1].set_xlabel(f"{unit} after the last that was heard")
    return figure


@drawing
def errors_by_horizon(errors: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Draw the error of free runs against how far they have come, a panel for each series.

    Parameters
    ----------
    errors : series -> network -> (horizon,) array_like of errors over the standard deviation

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.62 * SINGLE)
    if not errors:
        say_why_empty(figure.add_subplot(), "nothing ran for long")
        return figure
    panels = np.atleast_1d(figure.subplots(1, len(errors)))
    for axes, (name, found) in zip(panels, errors.items(), strict=True):
        for kind, values in found.items():
            curve = np.asarray(values, dtype=float)
            axes.plot(np.arange(1, curve.size + 1), curve, color=_colour(kind), linestyle=_style(kind), label=kind)
        axes.axhline(1, color=SOFT, linewidth=0.6, linestyle=(0, (4, 2)), zorder=0)
        axes.set_yscale("log")
        axes.set_ylim(None, min(10.0, axes.get_ylim()[1]))
        label_log_y(axes)
        axes.set_title(name, loc="left")
        axes.set_xlabel("samples ahead")
        axes.set_ylabel("error (NRMSE)")
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


@drawing
def memory_curves(capacities: Mapping[str, ArrayLike], first: int = 1) -> Figure:
    """Draw the memory capacity at each delay, a line for each network.

    Parameters
    ----------
    capacities : network -> (delays,) array_like
    first : delay of the first entry

    Returns
    -------
    Figure
    """
    figure = new_figure(1.2 * SINGLE, 0.62 * SINGLE)
    axes = figure.add_subplot()
    if not capacities:
        say_why_empty(axes, "nothing remembers")
        return figure
    for name, values in capacities.items():
        curve = np.asarray(values, dtype=float)
        label = f"{name}: {curve.sum():.1f} in all"
        axes.plot(first + np.arange(curve.size), curve, color=_colour(name), linestyle=_style(name), label=label)
    axes.axhline(0, color=FAINT, linewidth=0.5, zorder=0)
    axes.set_ylim(-0.05, 1.05)
    axes.set_xlabel("delay (samples)")
    axes.set_ylabel("capacity: share of variance explained")
    axes.legend(loc="upper right")
    return figure


def _colour(kind: str) -> str:
    """Return the colour of a network by its name: writings of a reservoir keep theirs, baselines are grey."""
    if kind.startswith("reservoir, "):
        return colour_of(kind.removeprefix("reservoir, "))
    named = {"last value": SOFT, "linear": "#9a958e", "Elman": SPARE[2], "GRU": SPARE[3], "LSTM": SPARE[5]}
    return named.get(kind, INK)


def _style(kind: str) -> tuple[int, tuple[float, ...]] | str:
    return (0, (2, 1.2)) if kind in ("last value", "linear", "cycle") else "-"
