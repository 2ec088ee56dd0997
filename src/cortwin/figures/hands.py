"""Hand paths and velocity profiles: the target, and what each writing's readout makes of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortwin.figures.style import (
    DOUBLE,
    FAINT,
    INK,
    SOFT,
    colour_of,
    direction_colours,
    drawing,
    label_of,
    new_figure,
    panel_letter,
    say_why_empty,
)

HELD_OUT = (0, (2.2, 1.4))  # dashes of directions that were never trained


@drawing
def hand_paths(
    velocities: Mapping[str, xr.DataArray],
    target: xr.DataArray,
    *,
    trained: Collection[int] | None = None,
    notes: Mapping[str, str] | None = None,
    trials_per_condition: int = 1,
) -> Figure:
    """Draw hand paths above velocity profiles, one column per writing, coloured by direction.

    Parameters
    ----------
    velocities : writing -> (trial, time, output) DataArray of hand velocity, the outputs x and y
    target : (trial, time, output) DataArray of the same trials, with the coordinates ``condition`` and ``direction``
        (radians) on ``trial``, and ``movement_onset`` (s) where profiles shall be aligned to it
    trained : conditions that were trained; all others are dashed and end in an open circle. All, when None
    notes : writing -> text under its name, for instance its R2
    trials_per_condition : how many trials of each condition are drawn, from the first

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a velocity has not the shape of the target.
    """
    figure = new_figure(DOUBLE, 0.92 * DOUBLE if len(velocities) < 3 else 0.78 * DOUBLE)
    trials = _first_trials(target, trials_per_condition)
    if not velocities or not trials.size:
        say_why_empty(figure.add_subplot(), "no hand movement to draw")
        return figure
    for name, velocity in velocities.items():
        if velocity.shape != target.shape:
            raise ValueError(f"hand_paths: {name} has the shape {velocity.shape}, the target {target.shape}")
    panels = figure.subplots(3, len(velocities), sharex="row", sharey="row", squeeze=False, height_ratios=(2.1, 1, 1))
    held_out = _held_out(target, trained)
    for column, (name, velocity) in enumerate(velocities.items()):
        path, *profiles = panels[:, column]
        path.set_title(label_of(name), color=colour_of(name, column), fontweight="bold")
        if notes and name in notes:
            path.annotate(
                notes[name], (0.5, 1), xycoords="axes fraction", xytext=(0, 1), textcoords="offset points",
                ha="center", va="bottom", color=SOFT, fontsize=6,
            )  # fmt: skip
            path.set_title(path.get_title(), color=colour_of(name, column), fontweight="bold", pad=10)
        if np.isfinite(velocity.to_numpy()[trials]).all():
            _paths(path, velocity, target, trials, held_out)
            _profiles(profiles, velocity, target, trials, held_out)
        else:
            for axes in (path, *profiles):
                say_why_empty(axes, "velocities are not finite")
    _label(panels, target)
    _legend(figure, bool(held_out.any()))
    return figure


def _first_trials(target: xr.DataArray, number: int) -> np.ndarray:
    """Return the first trials of every condition, in order."""
    conditions = target["condition"].to_numpy()
    chosen = [np.flatnonzero(conditions == condition)[:number] for condition in np.unique(conditions)]
    return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)


def _held_out(target: xr.DataArray, trained: Collection[int] | None) -> np.ndarray:
    conditions = target["condition"].to_numpy()
    return np.zeros(conditions.size, dtype=bool) if trained is None else ~np.isin(conditions, list(trained))


def _paths(axes: Axes, velocity: xr.DataArray, target: xr.DataArray, trials: np.ndarray, held_out: np.ndarray) -> None:
    colours = direction_colours(target["direction"].to_numpy())
    wanted, reached = (_positions(array) for array in (target, velocity))
    for k in trials:
        axes.plot(*wanted[k].T, color=FAINT, linewidth=2.2, alpha=0.75, zorder=1)
    for k in trials:
        axes.plot(*reached[k].T, color=colours[k], linestyle=HELD_OUT if held_out[k] else "-", zorder=2)
        axes.plot(
            *reached[k, -1], "o", markersize=3.4, markerfacecolor="white" if held_out[k] else colours[k],
            markeredgecolor=colours[k], markeredgewidth=0.9, zorder=3,
        )  # fmt: skip
    axes.plot(0, 0, "o", color=INK, markersize=2.2, zorder=4)
    axes.set_aspect("equal")
    axes.margins(0.06)


def _positions(velocity: xr.DataArray) -> np.ndarray:
    """Integrate velocity from rest at the origin, by trapezoids: (trial, time, output) ndarray."""
    values, dt = velocity.to_numpy(), float(velocity.attrs["dt"])
    return np.concatenate(
        [np.zeros_like(values[:, :1]), np.cumsum((values[:, 1:] + values[:, :-1]) * dt / 2, axis=1)], axis=1
    )


def _profiles(
    panels: list[Axes], velocity: xr.DataArray, target: xr.DataArray, trials: np.ndarray, held_out: np.ndarray
) -> None:
    colours = direction_colours(target["direction"].to_numpy())
    time = target["time"].to_numpy()
    onset = target["movement_onset"].to_numpy() if "movement_onset" in target.coords else np.zeros(held_out.size)
    for output, axes in enumerate(panels):
        for k in trials:
            axes.plot(
                time - onset[k], target.to_numpy()[k, :, output], color=FAINT, linewidth=1.8, alpha=0.75, zorder=1
            )
        for k in trials:
            axes.plot(
                time - onset[k], velocity.to_numpy()[k, :, output], color=colours[k], linewidth=0.7, zorder=2,
                linestyle=HELD_OUT if held_out[k] else "-",
            )  # fmt: skip
        axes.margins(x=0)


def _label(panels: np.ndarray, target: xr.DataArray) -> None:
    unit = target.attrs.get("units", "1")
    speed, length = ("arb. units", "arb. units") if unit == "1" else (unit, unit.removesuffix("/s"))
    aligned = "movement_onset" in target.coords
    for axes in panels[0]:
        axes.set_xlabel(f"x ({length})")
    for axes in panels[1]:
        axes.tick_params(labelbottom=False)
    for axes in panels[2]:
        axes.set_xlabel("time from movement onset (s)" if aligned else "time (s)")
    for row, text in zip(panels, (f"y ({length})", f"$v_x$ ({speed})", f"$v_y$ ({speed})"), strict=True):
        row[0].set_ylabel(text)
    for axes, letter in zip(panels[:, 0], "abc", strict=True):
        panel_letter(axes, letter)


def _legend(figure: Figure, with_held_out: bool) -> None:
    handles = [Line2D([], [], color=FAINT, linewidth=2.2, label="target")]
    if with_held_out:
        shown = {"color": SOFT, "marker": "o", "markersize": 3.4}
        handles.append(Line2D([], [], label="readout, trained direction", **shown))
        handles.append(
            Line2D([], [], label="readout, never trained", linestyle=HELD_OUT, markerfacecolor="white", **shown)
        )
    else:
        handles.append(Line2D([], [], color=SOFT, label="readout"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
