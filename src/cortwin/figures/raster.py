"""The spikes of one trial, sorted by preferred direction, and the population rate under them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cortwin.analysis import population_rate
from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    SOFT,
    direction_colours,
    drawing,
    mark_events,
    new_figure,
    panel_letter,
    say_why_empty,
)

ANGLES = {-np.pi: "−180°", -np.pi / 2: "−90°", 0.0: "0°", np.pi / 2: "90°", np.pi: "180°"}


@drawing
def spike_raster(
    spikes: xr.Dataset,
    preferred_direction: ArrayLike,
    *,
    trial: int = 0,
    bin_width: float = 0.01,
    largest: int = 2000,
    events: Mapping[str, float] | None = None,
    title: str = "",
) -> Figure:
    """Draw every spike of a trial as a dot, neurons sorted and coloured by preferred direction.

    Parameters
    ----------
    spikes : Dataset of events
    preferred_direction : (n_units,) array_like of radians; neurons without one (NaN) are left out of the raster
    trial : which trial
    bin_width : of the population rate in s; it must divide the duration
    largest : with more neurons, this many of them are drawn, evenly spaced in the order
    events : name -> time in s of vertical marks
    title : text above

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there is not one preferred direction for every neuron.
    """
    preferred = np.asarray(preferred_direction, dtype=np.float64)
    n_units = int(spikes.attrs["n_units"])
    if preferred.shape != (n_units,):
        raise ValueError(f"spike_raster: {preferred.shape} preferred directions for {n_units} neurons")
    figure = new_figure(DOUBLE, 0.52 * DOUBLE)
    sorted_neurons = np.argsort(_wrapped(preferred), kind="stable")[: np.count_nonzero(np.isfinite(preferred))]
    shown = sorted_neurons[
        np.linspace(0, sorted_neurons.size - 1, min(largest, sorted_neurons.size)).round().astype(int)
    ]
    if not n_units or not shown.size:
        say_why_empty(figure.add_subplot(), "no neuron has a preferred direction")
        return figure
    grid = figure.add_gridspec(2, 2, height_ratios=(3.2, 1), width_ratios=(1, 0.016), wspace=0.01)
    dots, strip = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    rate = figure.add_subplot(grid[1, 0], sharex=dots)
    _dots(dots, spikes, trial, shown, preferred)
    _strip(strip, preferred[shown])
    _rate(rate, population_rate(spikes, bin_width)[trial])
    dots.set_title(title, pad=10 if events else 4)
    mark_events(dots, events)
    mark_events(rate, events, named=False)
    start = float(spikes.attrs["t_start"])
    dots.set_xlim(start, start + float(spikes.attrs["duration"]))
    panel_letter(dots, "a")
    panel_letter(rate, "b")
    figure.align_ylabels()
    return figure


def _wrapped(angle: np.ndarray) -> np.ndarray:
    """Return angles in [-pi, pi)."""
    return np.mod(angle + np.pi, 2 * np.pi) - np.pi


def _dots(axes: Axes, spikes: xr.Dataset, trial: int, shown: np.ndarray, preferred: np.ndarray) -> None:
    rank = np.full(preferred.size, -1)
    rank[shown] = np.arange(shown.size)
    neuron = spikes["unit"].to_numpy()
    mine = (spikes["trial"].to_numpy() == trial) & (rank[neuron] >= 0)
    time, neuron = spikes["time"].to_numpy()[mine], neuron[mine]
    size = float(np.clip(400 / shown.size, 0.12, 4))
    # A picture inside the SVG: a hundred thousand outlines would be a file that no reader opens.
    axes.scatter(time, rank[neuron], s=size, c=direction_colours(preferred[neuron]), linewidths=0, rasterized=True)
    if not time.size:
        axes.text(0.5, 0.5, "no spike in this trial", transform=axes.transAxes, ha="center", color=SOFT, style="italic")
    axes.set_ylim(-0.5, shown.size - 0.5)
    axes.set_yticks([])
    axes.set_ylabel(
        f"{shown.size:,} neurons" if shown.size == preferred.size else f"{shown.size:,} of {preferred.size:,} neurons"
    )
    axes.tick_params(labelbottom=False)


def _strip(axes: Axes, preferred: np.ndarray) -> None:
    """Draw the key of colours along the sorted neurons, with the place of each quarter turn."""
    axes.imshow(
        direction_colours(preferred)[:, None], aspect="auto", origin="lower", interpolation="nearest",
        extent=(0, 1, -0.5, preferred.size - 0.5),
    )  # fmt: skip
    place = {angle: np.searchsorted(_wrapped(preferred), angle) - 0.5 for angle in ANGLES}
    axes.set_yticks(list(place.values()), list(ANGLES.values()))
    axes.yaxis.tick_right()
    axes.set_xticks([])
    axes.set_ylim(-0.5, preferred.size - 0.5)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=1.5)
    axes.set_ylabel("preferred direction", rotation=270, va="bottom")
    axes.yaxis.set_label_position("right")


def _rate(axes: Axes, rate: xr.DataArray) -> None:
    time, values, half = rate["time"].to_numpy(), rate.to_numpy(), float(rate.attrs["dt"]) / 2
    edges = np.append(time - half, time[-1] + half)
    axes.stairs(values, edges, fill=True, color=COLOURS["spiking"], alpha=0.2, linewidth=0)
    axes.stairs(values, edges, baseline=None, color=COLOURS["spiking"], linewidth=0.8)
    axes.set_ylim(0, max(1.1 * float(values.max()), 1.0))
    axes.set_xlabel("time (s)")
    axes.set_ylabel("mean rate\n(spikes/s)")
