"""The planes in which activity rotates, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    SOFT,
    colour_of,
    direction_colours,
    drawing,
    label_of,
    new_figure,
    panel_letter,
    say_why_empty,
)


@dataclass(frozen=True)
class RotationPanel:
    """What one panel shows.

    Attributes
    ----------
    projections : (trial, time, jpc) DataArray, one row per condition; coloured by the coordinate ``direction`` on
        ``trial``, without one by where the condition starts along jPC1
    frequency : in Hz
    r2_skew, r2 : of the rotation and of the unconstrained fit
    null : R2 of the rotation that shuffled conditions reach (95 % quantile)
    reason : why there is nothing to show, or empty
    """

    projections: xr.DataArray
    frequency: float
    r2_skew: float
    r2: float
    null: float
    reason: str = ""


@drawing
def rotation_planes(panels: Mapping[str, RotationPanel]) -> Figure:
    """Draw jPCA planes side by side: a line per condition from its dot to its arrow head.

    Parameters
    ----------
    panels : name of a writing or recording -> what is shown of it

    Returns
    -------
    Figure
    """
    n = max(len(panels), 1)
    columns = min(n, 4)
    rows = -(-n // columns)
    width = DOUBLE * min(1.0, 0.29 * columns)
    figure = new_figure(width, rows * (0.86 * width / columns + 0.62))
    if not panels:
        say_why_empty(figure.add_subplot(), "no plane to draw")
        return figure
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for number, (axes, (name, panel)) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        axes.set_box_aspect(1)
        axes.set_title(f"{label_of(name)}\n\n", color=colour_of(name, number), fontweight="bold")
        values = panel.projections.to_numpy()
        if panel.reason or not values.size or not np.isfinite(values).all():
            say_why_empty(axes, panel.reason or "the projections are not finite")
        else:
            axes.annotate(
                _numbers(panel), (0.5, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points",
                ha="center", va="bottom", fontsize=5.6, color=SOFT, linespacing=1.35,
            )  # fmt: skip
            _plane(axes, values, _colours(panel.projections))
        panel_letter(axes, "abcdefghijklmnopqrstuvwxyz"[number % 26])
    return figure


def _numbers(panel: RotationPanel) -> str:
    r2, r2_skew, null = (_number(value, ".2f") for value in (panel.r2, panel.r2_skew, panel.null))
    frequency = _number(panel.frequency, ".2f")
    return f"{frequency} Hz,  $R^2$ {r2}\n" + rf"$R^2_{{\mathrm{{skew}}}}$ {r2_skew} (null {null})"


def _number(value: float, form: str) -> str:
    return format(value, form).replace("-", "−") if math.isfinite(value) else "–"


def _colours(projections: xr.DataArray) -> np.ndarray:
    if "direction" in projections.coords:
        return direction_colours(projections["direction"].to_numpy())
    gradient = LinearSegmentedColormap.from_list("first_state", [COLOURS["rate"], SOFT, COLOURS["spiking"]])
    start = projections.to_numpy()[:, 0, 0]
    return gradient((start - start.min()) / max(float(np.ptp(start)), np.finfo(float).tiny))


def _plane(axes: Axes, values: np.ndarray, colours: np.ndarray) -> None:
    reach = 1.08 * float(np.abs(values).max()) or 1.0
    for spot in ("axhline", "axvline"):
        getattr(axes, spot)(0, color=FAINT, linewidth=0.4, zorder=0)
    for line, colour in zip(values, colours, strict=True):
        axes.plot(*line.T, color=colour, zorder=2)
        axes.plot(*line[0], "o", color=colour, markersize=2.8, zorder=3)
        # The head points along the last stretch that is long enough to have a direction.
        far = np.flatnonzero(np.linalg.norm(line - line[-1], axis=1) > 0.03 * reach)
        if far.size:
            axes.annotate(
                "", line[-1], xytext=line[far[-1]], zorder=3,
                arrowprops={
                    "arrowstyle": "-|>,head_width=0.16,head_length=0.32", "color": colour, "linewidth": 0.9,
                    "shrinkA": 0, "shrinkB": 0, "mutation_scale": 10,
                },
            )  # fmt: skip
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_xlabel("jPC$_1$ (arb. units)")
    axes.set_ylabel("jPC$_2$ (arb. units)")
