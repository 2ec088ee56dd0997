"""Fixed points in state space, and the trajectories of every writing among them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    INK,
    SOFT,
    SPARE,
    colour_of,
    drawing,
    label_of,
    new_figure,
    panel_letter,
    say_why_empty,
)

# Marks of points with 0, 1, 2, ... unstable directions; more than that share the last.
MARKS = (("o", INK), ("o", "white"), ("s", "white"), ("^", "white"))


def turned(coordinates: ArrayLike, azimuth: float = 25.0, elevation: float = 20.0) -> np.ndarray:
    """Return points of three dimensions as an eye sees them that looks from far away.

    Parameters
    ----------
    coordinates : (..., 3) array_like
    azimuth, elevation : degrees, of the eye

    Returns
    -------
    (..., 2) ndarray : to the right, and up
    """
    a, e = math.radians(azimuth), math.radians(elevation)
    right = np.array([-math.sin(a), math.cos(a), 0.0])
    up = np.array([-math.sin(e) * math.cos(a), -math.sin(e) * math.sin(a), math.cos(e)])
    return np.asarray(coordinates, dtype=np.float64) @ np.stack([right, up], axis=1)


@drawing
def state_space(
    paths: Mapping[str, ArrayLike],
    points: Mapping[str, ArrayLike],
    unstable: Mapping[str, ArrayLike],
    slow: Mapping[str, ArrayLike],
    axes_of: Sequence[str] = ("PC 1", "PC 2", "PC 3"),
) -> Figure:
    """Draw trajectories and fixed points in three dimensions, a panel for each writing, all seen alike.

    Parameters
    ----------
    paths : writing -> (trial, time, 3) coordinates of its trajectories
    points : the same writings -> (point, 3) coordinates of fixed points; a writing without any gets those of the first
    unstable : writing -> (point,) number of unstable directions
    slow : writing -> (point,) whether a point is a slow one; those are crosses
    axes_of : names of the coordinates

    Returns
    -------
    Figure
    """
    names = list(paths)
    figure = new_figure(DOUBLE, 0.42 * DOUBLE)
    panels = figure.subplots(1, max(len(names), 1), squeeze=False)[0]
    if not names:
        say_why_empty(panels[0], "no trajectory to draw")
        return figure
    most, slowly = 0, False
    for axes, name, letter in zip(panels, names, "abcdef", strict=False):
        own = name if name in points else next(iter(points))
        axes.set_title(label_of(name), loc="left", color=colour_of(name), fontweight="bold")
        panel_letter(axes, letter)
        seen = turned(paths[name])
        for path in seen:
            axes.plot(path[:, 0], path[:, 1], color=colour_of(name), linewidth=0.35, alpha=0.55, zorder=1)
        at, directions = turned(points[own]), np.asarray(unstable[own], dtype=int)
        crosses = np.asarray(slow[own], dtype=bool)
        axes.plot(at[crosses, 0], at[crosses, 1], "x", color=SOFT, markersize=3.5, markeredgewidth=0.8, zorder=3)
        at, directions = at[~crosses], directions[~crosses]
        most, slowly = max(most, int(directions.max(initial=0))), slowly or bool(crosses.any())
        for number, (mark, face) in enumerate(MARKS):
            chosen = np.minimum(directions, len(MARKS) - 1) == number
            axes.plot(
                at[chosen, 0], at[chosen, 1], mark, color=INK, markerfacecolor=face, markersize=4.2 - 0.4 * number,
                markeredgewidth=0.7, zorder=3,
            )  # fmt: skip
        axes.set_axis_off()
    _tripod(panels[0], axes_of, 0.2 * float(np.ptp(turned(paths[names[0]])[..., 0])))
    low = np.min([axes.dataLim.min for axes in panels], axis=0)
    high = np.max([axes.dataLim.max for axes in panels], axis=0)
    margin = 0.04 * (high - low)
    for axes in panels:
        axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
        axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
        axes.set_aspect("equal")
    handles = [panels[-1].plot([], [], mark, color=INK, markerfacecolor=face, markersize=4)[0] for mark, face in MARKS][
        : most + 1
    ]
    labels = ["stable", *(f"{k} unstable direction{'s' if k > 1 else ''}" for k in range(1, most + 1))][: len(handles)]
    if slowly:
        handles.append(panels[-1].plot([], [], "x", color=SOFT, markersize=3.5)[0])
        labels.append("slow point")
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
    return figure


def _tripod(axes: Axes, names: Sequence[str], length: float) -> None:
    """Draw the three directions in a corner of the first panel."""
    low = axes.dataLim.min
    arms = length * turned(np.eye(3))
    for arm, name in zip(arms, names, strict=True):
        axes.plot([low[0], low[0] + arm[0]], [low[1], low[1] + arm[1]], color=SOFT, linewidth=0.7)
        axes.annotate(
            name, (low[0] + 1.15 * arm[0], low[1] + 1.15 * arm[1]), color=SOFT, fontsize=5, ha="center", va="center"
        )


@drawing
def held_bits(
    time: ArrayLike,
    inputs: ArrayLike,
    target: ArrayLike,
    outputs: Mapping[str, ArrayLike],
    distance: Mapping[str, ArrayLike],
) -> Figure:
    """Draw one trial: a panel for each bit, and below them the distance to the nearest stable point.

    Parameters
    ----------
    time : (time,) seconds
    inputs, target : (time, bit)
    outputs : writing -> (time, bit)
    distance : writing -> (time,), in units of the distance between neighbouring stable points

    Returns
    -------
    Figure
    """
    t, pulses, wanted = (np.asarray(values, dtype=np.float64) for values in (time, inputs, target))
    bits = wanted.shape[1]
    figure = new_figure(DOUBLE, (0.12 * bits + 0.2) * DOUBLE)
    panels = figure.subplots(bits + 1, 1, sharex=True, squeeze=False, height_ratios=[1] * bits + [1.2])[:, 0]
    for bit, axes in enumerate(panels[:bits]):
        axes.fill_between(t, 0, pulses[:, bit], color=FAINT, linewidth=0, step="post")
        axes.plot(t, wanted[:, bit], color=COLOURS["target"], linewidth=3.5)
        for name, values in outputs.items():
            width = 2.0 if name == "textbook" else 0.8  # the rate text lies upon it
            axes.plot(t, np.asarray(values)[:, bit], color=colour_of(name), linewidth=width, label=label_of(name))
        axes.set_ylabel(f"bit {bit + 1}")
        axes.set_yticks([-1, 0, 1])
    panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(outputs), borderaxespad=0.2)
    for name, values in distance.items():
        panels[-1].plot(t, values, color=colour_of(name), linewidth=2.0 if name == "textbook" else 0.8)
    panels[-1].axhline(1, color=FAINT, linewidth=0.5, zorder=0)
    panels[-1].set_ylim(bottom=0)
    panels[-1].set_ylabel("distance to\na point")
    panels[-1].set_xlabel("time (s)")
    for axes, letter in zip(panels, "abcdefgh", strict=False):
        panel_letter(axes, letter)
    figure.align_ylabels()
    return figure


@drawing
def growth_rates(growth: Mapping[str, Sequence[ArrayLike]], tau: float) -> Figure:
    """Draw the eigenvalues around each point as growth rates, a row of dots for each point; writings side by side.

    Parameters
    ----------
    growth : writing -> (unit,) complex growth rates in 1 / s of each point, fastest growth first
    tau : time constant in s; growth is drawn in units of 1 / tau

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.36 * DOUBLE)
    axes = figure.add_subplot()
    if not any(len(rates) for rates in growth.values()):
        say_why_empty(axes, "no point to draw")
        return figure
    axes.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    shift = np.linspace(-0.18, 0.18, len(growth)) if len(growth) > 1 else [0.0]
    for number, ((name, rates), by) in enumerate(zip(growth.items(), shift, strict=True)):
        for point, values in enumerate(rates):
            real = tau * np.real(np.asarray(values, dtype=np.complex128))[:12]
            colour = colour_of(name, number) if name in COLOURS else SPARE[number % len(SPARE)]
            axes.plot(
                np.full(real.size, point + 1 + by), real, "o", color=colour, markersize=2, alpha=0.8,
                label=label_of(name) if point == 0 else None,
            )  # fmt: skip
    axes.legend(loc="lower right")
    axes.set_xlabel("fixed point, the most stable first")
    axes.set_ylabel(r"growth around it, Re $\lambda$ (1/$\tau$)")
    return figure
