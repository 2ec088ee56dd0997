"""Gradients on their way back through time, and the Lyapunov exponents that they follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    SINGLE,
    SOFT,
    colour_of,
    drawing,
    label_log_y,
    new_figure,
    panel_letter,
    say_why_empty,
    spread,
)


@dataclass(frozen=True)
class GradientPanel:
    """One panel of `gradient_norms`.

    Parameters
    ----------
    title : above the panel
    norms : name -> (trial, lag) norms of the gradient, 1 at lag 0
    marks : the same names -> norms of another writing, drawn as dots on the lines; may be left out
    interval : between two lags
    unit : of the interval, for the label of the axis
    """

    title: str
    norms: Mapping[str, ArrayLike]
    marks: Mapping[str, ArrayLike] = field(default_factory=dict)
    interval: float = 1.0
    unit: str = "steps"


def shades(n: int) -> list[str]:
    """Return n colours of an ordered quantity, light to dark."""
    return [to_hex(c) for c in matplotlib.colormaps["viridis"](np.linspace(0.85, 0.05, n))]


@drawing
def gradient_norms(panels: Sequence[GradientPanel]) -> Figure:
    """Draw the norm of a gradient against the lag: the median over trials, and a band from the 10th to the 90th.

    Parameters
    ----------
    panels : side by side, on one logarithmic axis

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.36 * DOUBLE)
    all_axes = figure.subplots(1, max(len(panels), 1), squeeze=False)[0]
    if not panels:
        say_why_empty(all_axes[0], "no gradient to draw")
        return figure
    first: dict[str, Axes] = {}
    for axes, panel, letter in zip(all_axes, panels, "abcdef", strict=False):
        axes.set_title(panel.title, loc="left")
        panel_letter(axes, letter)
        # Lags in the same unit are compared: their panels share an axis.
        if panel.unit in first:
            axes.sharey(first[panel.unit])
        first.setdefault(panel.unit, axes)
        _norms(axes, panel)
        axes.set_xlabel(f"lag ({panel.unit})")
    all_axes[0].set_ylabel("norm of the gradient, 1 at lag 0")
    for axes in first.values():
        label_log_y(axes)
    for axes, panel in zip(all_axes, panels, strict=True):
        low, high = np.log(axes.get_ylim())
        _name_ends(axes, panel, 0.05 * (high - low))
    return figure


def _norms(axes: Axes, panel: GradientPanel) -> None:
    axes.axhline(1, color=FAINT, linewidth=0.5, zorder=0)
    for colour, (name, values) in zip(shades(len(panel.norms)), panel.norms.items(), strict=True):
        norms = np.asarray(values, dtype=np.float64)
        lag = panel.interval * np.arange(norms.shape[1])
        low, middle, high = np.quantile(norms, (0.1, 0.5, 0.9), axis=0)
        axes.fill_between(lag, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(lag, middle, color=colour, linewidth=1.0)
        if name in panel.marks:
            other = np.median(np.asarray(panel.marks[name], dtype=np.float64), axis=0)
            every = slice(None, None, max(1, len(lag) // 12))
            axes.plot(lag[every], other[every], "o", color=colour, markersize=2.4, markerfacecolor="white")
    axes.set_yscale("log")
    axes.margins(x=0.01)


def _name_ends(axes: Axes, panel: GradientPanel, gap: float) -> None:
    ends = {name: float(np.median(np.asarray(values)[:, -1])) for name, values in panel.norms.items()}
    places = spread([np.log(end) for end in ends.values()], gap)
    for colour, name, place in zip(shades(len(ends)), ends, places, strict=True):
        axes.annotate(
            name, (1, np.exp(place)), xycoords=axes.get_yaxis_transform(), xytext=(3, 0), textcoords="offset points",
            color=colour, va="center", annotation_clip=False,
        )  # fmt: skip


@drawing
def lyapunov_exponents(
    spectra: Mapping[str, ArrayLike],
    gains: Sequence[Mapping[str, float]],
    theories: Sequence[Mapping[str, float]],
    growth: ArrayLike,
    *,
    theory: float,
    interval: float,
    sizes: tuple[int, int],
) -> Figure:
    """Draw whole spectra, the largest exponent over gains, and how one settles.

    Parameters
    ----------
    spectra : name -> (unit,) exponents per step, largest first
    gains, theories : rows of ``gain`` and ``exponent``, measured and expected, in 1 / tau
    growth : (interval, copy) growth of tangent vectors in each interval
    theory : the exponent that they should approach
    interval : in tau
    sizes : units of the networks over gains, and of the one that settles

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.36 * DOUBLE)
    left, middle, right = figure.subplots(1, 3)
    for axes, letter in zip((left, middle, right), "abc", strict=True):
        panel_letter(axes, letter)
        axes.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    for colour, values in zip(shades(len(spectra)), spectra.values(), strict=True):
        exponents = np.asarray(values, dtype=np.float64)
        left.plot((np.arange(exponents.size) + 0.5) / exponents.size, exponents, color=colour)
    low, high = left.get_ylim()
    ends = spread([float(np.asarray(values)[-1]) for values in spectra.values()], 0.05 * (high - low))
    for colour, name, place in zip(shades(len(spectra)), spectra, ends, strict=True):
        left.annotate(
            name, (1, place), xycoords=left.get_yaxis_transform(), xytext=(3, 0), textcoords="offset points",
            color=colour, va="center", annotation_clip=False,
        )  # fmt: skip
    left.set_title("whole spectra", loc="left")
    left.set_xlabel("rank of the exponent / units")
    left.set_ylabel("Lyapunov exponent (1/step)")

    for rows, look in (
        (theories, {"color": SOFT, "linewidth": 0.8, "linestyle": (0, (4, 2)), "label": "infinitely many units"}),
        (gains, {"color": COLOURS["rate"], "marker": "o", "linestyle": "", "label": f"{sizes[0]} units"}),
    ):
        middle.plot([row["gain"] for row in rows], [row["exponent"] for row in rows], **look)
    middle.set_title("random rate networks", loc="left")
    middle.set_xlabel("gain g")
    middle.set_ylabel(r"largest exponent (1/$\tau$)")
    middle.legend(loc="lower right")

    rates = np.asarray(growth, dtype=np.float64)
    time = interval * np.arange(1, len(rates) + 1)
    so_far = np.cumsum(rates, axis=0) / np.arange(1, len(rates) + 1)[:, None]
    right.plot(time, so_far, color=FAINT, linewidth=0.7)
    right.plot(time, so_far.mean(axis=1), color=colour_of("rate"), linewidth=1.2)
    right.axhline(theory, color=SOFT, linewidth=0.8, linestyle=(0, (4, 2)))
    right.annotate(
        "theory", (1, theory), xycoords=right.get_yaxis_transform(), xytext=(3, 0), textcoords="offset points",
        ha="left", va="center", color=SOFT, annotation_clip=False,
    )  # fmt: skip
    right.set_ylim(bottom=min(0.0, float(so_far.min())))
    right.set_title(f"{sizes[1]} units, mean so far", loc="left")
    right.set_xlabel(r"time ($\tau$)")
    right.set_ylabel(r"largest exponent (1/$\tau$)")
    return figure


@drawing
def exponents_over_sizes(
    rows: Sequence[Mapping[str, float | None]], *, theory: float, limit: float, slope: float
) -> Figure:
    """Draw the largest exponent against one over the units.

    Parameters
    ----------
    rows : of ``units``, ``exponent`` in 1 / tau, and its standard ``error`` or None
    theory : the exponent of infinitely many units
    limit, slope : of the line through the networks

    Returns
    -------
    Figure
    """
    figure = new_figure(SINGLE, 0.7 * SINGLE)
    axes = figure.subplots()
    if not rows:
        say_why_empty(axes, "no networks to draw")
        return figure
    n, exponent = (np.array([row[key] for row in rows], dtype=np.float64) for key in ("units", "exponent"))
    error = np.array([row["error"] or 0.0 for row in rows], dtype=np.float64)
    axes.errorbar(1 / n, exponent, error, fmt="o", color=COLOURS["rate"], markersize=3.5, elinewidth=0.9, zorder=3)
    ends = np.array([0, 1.1 / n.min()])
    axes.plot(ends, limit + slope * ends, color=COLOURS["rate"], linewidth=0.9)
    axes.plot([0], [theory], "D", color=SOFT, markersize=4, clip_on=False, zorder=4)
    axes.annotate("theory", (0, theory), xytext=(6, 3), textcoords="offset points", color=SOFT)
    axes.set_xlim(left=0)
    axes.set_xticks(1 / n, [f"{int(one)}" for one in n])
    axes.set_xlabel("units, at 1 / units")
    axes.set_ylabel(r"largest exponent (1/$\tau$)")
    return figure
