"""The ladder: how far apart the writings are, rung by rung and by the number of spiking neurons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, DrawingArea
from matplotlib.patches import Circle
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    INK,
    SOFT,
    colour_of,
    drawing,
    label_of,
    new_figure,
    say_why_empty,
    spread,
)

RUNGS: Mapping[str, str] = {
    "R0": "as\nprinted",
    "R1": "leaky\ntextbook",
    "R2": "rate,\nsame dt",
    "R3": "rate,\ndt → 0",
    "R4": "tuning\ncurves",
    "R5": "spikes",
}
RUNG_COLOURS = {
    "R0": "textbook", "R1": "textbook", "R2": "rate", "R3": "rate", "R4": "tuning", "R5": "spiking",
}  # fmt: skip
ROUNDING = float(np.finfo(np.float64).eps)
EMPTY_DECADES = 4  # between two distances: the axis is cut there
QUESTION = "How many spiking neurons is one artificial unit worth?"


@drawing
def ladder_rungs(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the distance at each rung, to the rung before and to the leaky textbook network.

    Parameters
    ----------
    rows : one mapping a rung, with ``rung`` (``"R2"``), ``step`` and ``total`` (NRMSE; None or NaN where there is none)
        and, for a rung with several sizes, ``neurons_per_unit``

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.46 * DOUBLE)
    distances = [(_number(row.get("step")), _number(row.get("total"))) for row in rows]
    if not any(math.isfinite(value) for pair in distances for value in pair):
        say_why_empty(figure.add_subplot(), "no rung has a distance")
        return figure
    ranges = _ranges([value for pair in distances for value in pair if value > 0])
    panels = figure.subplots(len(ranges), 1, sharex=True, squeeze=False, height_ratios=[share for *_, share in ranges])[
        :, 0
    ]
    for axes, (low, high, _) in zip(panels, ranges, strict=True):
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_minor_formatter(NullFormatter())
        for place, (row, (step, total)) in enumerate(zip(rows, distances, strict=True)):
            colour = COLOURS[RUNG_COLOURS.get(row["rung"], "textbook")]
            _rung(axes, place, 0.0104 * len(rows), step, total, colour, lowest=axes is panels[-1])
    _break(list(panels))
    bottom, low = panels[-1], ranges[-1][0]
    if low < ROUNDING:
        bottom.axhspan(low, ROUNDING, color=FAINT, alpha=0.25, linewidth=0, zorder=0)
        bottom.annotate(
            "rounding of float64", (1, ROUNDING), xycoords=bottom.get_yaxis_transform(), xytext=(-3, -2),
            textcoords="offset points", ha="right", va="top", color=SOFT, fontsize=5.5,
        )  # fmt: skip
    for place, pair in enumerate(distances):
        if not any(math.isfinite(value) for value in pair):
            bottom.annotate(
                "reference",
                (place, low),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                color=SOFT,
                style="italic",
            )
    bottom.set_xticks(range(len(rows)), [_rung_title(row) for row in rows])
    bottom.tick_params(axis="x", length=0, pad=4)
    bottom.set_xlim(-0.6, len(rows) - 0.4)
    if any(row.get("neurons_per_unit") for row in rows):
        bottom.set_xlabel("rung; n neurons per unit", labelpad=5)
    figure.supylabel("distance (NRMSE of x)", fontsize=6.5)
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            color=SOFT,
            markersize=5,
            label="to the leaky textbook network (with its number)",
        ),
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            color=SOFT,
            markersize=5,
            markerfacecolor="white",
            label="to the rung before",
        ),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, handletextpad=0.2)
    return figure


def _ranges(values: Sequence[float]) -> list[tuple[float, float, float]]:
    """Return (low, high, share of the height) of one axis, or of two where many decades between lie empty."""
    logs = np.sort(np.log10(values)) if values else np.array([-2.0])
    gaps = np.diff(logs)
    if gaps.size and gaps.max() > EMPTY_DECADES:
        k = int(np.argmax(gaps))
        parts = [logs[k + 1 :], logs[: k + 1]]
    else:
        parts = [logs]
    limits = [(math.floor(part[0] - 0.2), part[-1] + 0.5) for part in parts]
    shares = [max(high - low, 1.2) for low, high in limits]
    # The part that is cut off is an aside.
    shares[1:] = [min(share, 0.4 * shares[0]) for share in shares[1:]]
    return [(10**low, 10**high, share) for (low, high), share in zip(limits, shares, strict=True)]


def _rung(axes: Axes, place: float, shift: float, step: float, total: float, colour: str, *, lowest: bool) -> None:
    low, high = axes.get_ylim()
    if total >= low:
        axes.plot(
            [place, place],
            [low, min(total, high)],
            color=colour,
            linewidth=16,
            alpha=0.13,
            solid_capstyle="butt",
            zorder=1,
        )
    for value, side, face in ((step, shift, "white"), (total, -shift, colour)):
        # A distance of exactly zero has no place on a logarithmic axis: it stands on the floor of the lowest.
        if low <= value <= high or (value == 0 and lowest):
            axes.plot(
                place + side,
                max(value, low),
                "o",
                color=colour,
                markersize=5,
                markerfacecolor=face,
                zorder=3,
                clip_on=False,
            )
    shown = total if math.isfinite(total) else step
    if low <= shown <= high or (shown == 0 and lowest):
        highest = max(value for value in (step, total, low) if math.isfinite(value) and value <= high)
        axes.annotate(
            _short(shown),
            (place, highest),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontsize=6.5,
        )


def _break(panels: Sequence[Axes]) -> None:
    """Mark where an axis is cut."""
    cut = {
        "marker": [(-1, -0.7), (1, 0.7)],
        "markersize": 6,
        "linestyle": "",
        "color": INK,
        "markeredgewidth": 0.5,
        "clip_on": False,
    }
    for upper, lower in pairwise(panels):
        upper.spines["bottom"].set_visible(False)
        upper.tick_params(axis="x", length=0, labelbottom=False)
        upper.plot([0], [0], transform=upper.transAxes, **cut)
        lower.plot([0], [1], transform=lower.transAxes, **cut)


@drawing
def neurons_per_unit(
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    units: int | None = None,
    floors: Mapping[str, float] | None = None,
    floor_text: str = "floor",
    tolerance: float = 0.05,
    question: str = QUESTION,
    subtitle: str = "",
) -> Figure:
    """Draw the distance of spiking twins from the rate network against the neurons that stand for one unit: the cover.

    Parameters
    ----------
    curves : activation -> rows with ``neurons_per_unit`` and ``nrmse`` and, where several seeds ran, ``low`` and
        ``high``; rows of another ``rung`` than R5 are passed over. The first curve is drawn strongest and answers
        the question
    units : units of the network; with it, the sizes of the whole networks are written above
    floors : activation -> NRMSE that no number of neurons gets below
    floor_text : what sets the floor, in a few words
    tolerance : distance at which a unit is taken to be replaced; where the first curve crosses it is the answer
    question, subtitle : text above

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.68 * DOUBLE)
    drawn = {name: _curve(rows) for name, rows in curves.items()}
    drawn = {name: curve for name, curve in drawn.items() if curve["neurons"].size}
    if not drawn:
        say_why_empty(figure.add_subplot(), "no spiking network has a finite distance")
        return figure
    known = {name: float(value) for name, value in (floors or {}).items() if name in drawn and value > 0}
    sizes = np.unique(np.concatenate([curve["neurons"] for curve in drawn.values()]))
    # Room for the largest picture, and for two lines of text around it, in points.
    share = 24 + _grid(int(sizes[-1]))[1] * _pitch(int(sizes[-1]))
    strip, axes = figure.subplots(2, 1, sharex=True, height_ratios=(share, 350 - share))
    lowest = min([*(curve["low"].min() for curve in drawn.values()), *known.values(), tolerance])
    highest = max(curve["high"].max() for curve in drawn.values())
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(0.48 * sizes[0], 2.4 * sizes[-1])
    axes.set_ylim(0.6 * lowest, 1.5 * highest)
    names = list(drawn)
    _guides(axes, drawn[names[0]], sizes)
    for number, name in reversed(list(enumerate(names))):
        colour = colour_of(name, number)
        if name in known:
            axes.hlines(
                known[name],
                axes.get_xlim()[0],
                sizes[-1],
                color=colour,
                linewidth=0.7,
                linestyle=(0, (1, 1.8)),
                zorder=1,
            )
        _draw_curve(axes, drawn[name], colour, strong=number == 0)
    _answer(axes, drawn[names[0]], tolerance)
    _name_ends(axes, drawn)
    for name in names[:1] if names[0] in known else list(known)[:1]:
        axes.annotate(
            f"{floor_text}, {_percent(known[name])}", (axes.get_xlim()[0], known[name]), xytext=(3, 2),
            textcoords="offset points", color=colour_of(name), fontsize=6,
        )  # fmt: skip
    axes.xaxis.set_major_locator(FixedLocator(sizes.tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("spiking neurons that stand for one unit", fontsize=7)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=30))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=6.5)
    axes.set_ylabel("distance from the rate network (NRMSE of x)", fontsize=7)
    _pictures(strip, sizes, units)
    strip.set_title(question, fontsize=11, fontweight="bold", loc="left", x=0, pad=18 if subtitle else 6)
    strip.annotate(
        subtitle, (0, 1), xycoords="axes fraction", xytext=(0, 7), textcoords="offset points", color=SOFT, fontsize=7
    )
    return figure


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _curve(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Return the rows that have a distance as arrays, sorted by size."""
    spiking = [row for row in rows if row.get("rung", "R5") == "R5" and _number(row.get("nrmse")) > 0]
    kept = sorted(spiking, key=lambda row: row["neurons_per_unit"])
    return {
        "neurons": np.array([row["neurons_per_unit"] for row in kept], dtype=np.float64),
        "nrmse": np.array([row["nrmse"] for row in kept], dtype=np.float64),
        "low": np.array([row.get("low", row["nrmse"]) for row in kept], dtype=np.float64),
        "high": np.array([row.get("high", row["nrmse"]) for row in kept], dtype=np.float64),
    }


def _draw_curve(axes: Axes, curve: Mapping[str, np.ndarray], colour: str, *, strong: bool) -> None:
    if (curve["high"] > curve["low"]).any():
        axes.fill_between(curve["neurons"], curve["low"], curve["high"], color=colour, alpha=0.15, linewidth=0)
    axes.plot(
        curve["neurons"], curve["nrmse"], "o-", color=colour, linewidth=2.0 if strong else 1.1,
        markersize=7 if strong else 4.5, markeredgecolor="white", markeredgewidth=0.9, zorder=5 + strong,
    )  # fmt: skip


def _guides(axes: Axes, curve: Mapping[str, np.ndarray], sizes: np.ndarray) -> None:
    """Draw what independent errors, and what ever finer sampling would give, from the first point on."""
    x0, y0, bottom = curve["neurons"][0], curve["nrmse"][0], axes.get_ylim()[0]
    for power, text in ((0.5, r"$\propto 1/\sqrt{n}$"), (1.0, r"$\propto 1/n$")):
        # A guide ends at the last size, or a little above the lower edge if it gets there before.
        end = min(sizes[-1], x0 * (y0 / (1.35 * bottom)) ** (1 / power))
        if end <= x0:
            continue
        axes.plot([x0, end], [y0, y0 * (x0 / end) ** power], color=FAINT, linewidth=0.9, zorder=1)
        axes.annotate(
            text,
            (end, y0 * (x0 / end) ** power),
            xytext=(3, 1),
            textcoords="offset points",
            color=SOFT,
            va="center",
            fontsize=6.5,
        )


def _answer(axes: Axes, curve: Mapping[str, np.ndarray], tolerance: float) -> None:
    """Mark where the curve crosses the tolerance, by a straight line between the logarithms."""
    n, error = np.log(curve["neurons"]), np.log(curve["nrmse"])
    below = np.flatnonzero(curve["nrmse"] <= tolerance)
    colour, error_text = COLOURS["spiking"], f"an error of {_percent(tolerance)}"
    left, bottom = axes.get_xlim()[0], axes.get_ylim()[0]
    if not below.size or below[0] == 0:
        edge = curve["neurons"][0 if below.size else -1]
        axes.hlines(tolerance, *axes.get_xlim(), color=INK, linewidth=0.6, linestyle=(0, (4, 2)), zorder=2)
        word = f"{edge:g} or fewer" if below.size else f"more than {edge:,.0f}"
        text, shift = f"{word} neurons, for {error_text}", -4
    else:
        k = below[0]
        share = (math.log(tolerance) - error[k - 1]) / (error[k] - error[k - 1])
        crossing = math.exp(n[k - 1] + share * (n[k] - n[k - 1]))
        axes.plot(
            [left, crossing, crossing],
            [tolerance, tolerance, bottom],
            color=INK,
            linewidth=0.6,
            linestyle=(0, (4, 2)),
            zorder=2,
        )
        axes.plot(crossing, tolerance, "o", markersize=3, color=INK, zorder=8)
        axes.annotate(
            f"≈ {crossing:.0f} neurons", (left, tolerance), xytext=(5, -5), textcoords="offset points", va="top",
            color=colour, fontsize=12, fontweight="bold",
        )  # fmt: skip
        text, shift = f"for {error_text}", -21
    axes.annotate(
        text, (left, tolerance), xytext=(5, shift), textcoords="offset points", va="top", color=INK, fontsize=7
    )


def _name_ends(axes: Axes, drawn: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write the name of each line to the right of its last point, far enough apart to be read."""
    if len(drawn) < 2:
        return
    bottom, top = np.log(axes.get_ylim())
    right = max(curve["neurons"][-1] for curve in drawn.values())
    heights = spread([math.log(curve["nrmse"][-1]) for curve in drawn.values()], 0.042 * (top - bottom))
    for number, (name, height) in enumerate(zip(drawn, heights, strict=True)):
        axes.annotate(
            label_of(name), (right, math.exp(height)), xytext=(9, 0), textcoords="offset points", va="center",
            color=colour_of(name, number), fontsize=7.5, fontweight="bold" if number == 0 else "normal",
        )  # fmt: skip


def _pictures(axes: Axes, sizes: np.ndarray, units: int | None) -> None:
    """Draw each size as that many dots, and the neurons of the whole network below."""
    for size in sizes:
        axes.add_artist(
            AnnotationBbox(
                _dots(int(size)),
                (size, 0),
                xybox=(0, 12),
                xycoords=axes.get_xaxis_transform(),
                boxcoords="offset points",
                frameon=False,
                pad=0,
                box_alignment=(0.5, 0),
            )
        )
        if units is not None:
            axes.text(size, 0.0, f"{size * units:,.0f}", transform=axes.get_xaxis_transform(), ha="center", color=SOFT)
    axes.annotate(
        "one unit",
        (0, 0),
        xycoords="axes fraction",
        xytext=(0, 12),
        textcoords="offset points",
        color=SOFT,
        va="bottom",
    )
    if units is not None:
        axes.text(0, 0.0, f"{units:,} units", transform=axes.transAxes, color=SOFT)
    axes.set_axis_off()


def _grid(size: int) -> tuple[int, int]:
    """Return columns and rows of the squarest grid of that many dots."""
    columns = math.ceil(math.sqrt(size))
    return columns, math.ceil(size / columns)


def _pitch(size: int) -> float:
    """Return the distance of dots in points: the same in every picture up to 256."""
    return min(3.3, 54 / _grid(size)[0])


def _dots(size: int) -> DrawingArea:
    (columns, rows), pitch = _grid(size), _pitch(size)
    area = DrawingArea(columns * pitch, rows * pitch)
    for k in range(size):
        row, column = divmod(k, columns)
        area.add_artist(
            Circle(((column + 0.5) * pitch, (row + 0.5) * pitch), 0.38 * pitch, color=COLOURS["spiking"], linewidth=0)
        )
    return area


def _percent(value: float) -> str:
    return f"{100 * value:.2g} %" if value < 1 else f"{100 * value:.0f} %"


def _short(value: float) -> str:
    """Return a distance in few characters: ``0.032``, ``2e-16``."""
    return (
        "0"
        if value == 0
        else f"{value:.2g}"
        if value >= 1e-3
        else f"{value:.0e}".replace("e-0", "e-").replace("-", "−")
    )


def _rung_title(row: Mapping[str, Any]) -> str:
    text = RUNGS.get(row["rung"], "")
    if row.get("neurons_per_unit"):
        text = f"{text.partition(chr(10))[0]}\nn = {row['neurons_per_unit']:g}"
    return f"{row['rung']}\n{text}"
