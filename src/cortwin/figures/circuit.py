"""Large networks of several populations: who fires when, how often, how regularly, and what a volley does to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cortwin.figures.style import (
    DOUBLE,
    FAINT,
    INK,
    SOFT,
    drawing,
    label_log_y,
    new_figure,
    panel_letter,
    say_why_empty,
)

EXCITATORY, INHIBITORY = "#0072b2", "#d55e00"
MARKED = (INK, "#882255", "#009e73")
TITLES = {"rate": "rate (Hz)", "cv": "CV of intervals", "correlation": "correlation of counts"}
BINS = {"rate": (0, 20, 41), "cv": (0, 1.6, 33), "correlation": (-0.04, 0.08, 41)}


def colour_of_population(name: str) -> str:
    """Return the colour of an excitatory or, where the name ends in I, an inhibitory population."""
    return INHIBITORY if name.endswith("I") else EXCITATORY


@drawing
def population_raster(
    spikes: Mapping[str, xr.Dataset], *, share: float = 0.025, events: Sequence[float] = ()
) -> Figure:
    """Draw a share of every population's neurons, the first population at the top.

    Parameters
    ----------
    spikes : by population, Datasets of events of one trial over one stretch of time
    share : of neurons that are drawn, at least 5 of each population
    events : seconds of vertical marks
    """
    figure = new_figure(DOUBLE, 0.6 * DOUBLE)
    axes = figure.add_subplot()
    top, ticks, names = 0, [], []
    counts = {
        name: max(min(5, int(table.attrs["n_units"])), round(share * table.attrs["n_units"]))
        for name, table in spikes.items()
    }
    size = float(np.clip(1000 / sum(counts.values()), 0.5, 6))
    for name, table in reversed(list(spikes.items())):
        shown = counts[name]
        # Neurons of a population are alike: the first ones are as good as any.
        mine = table["unit"].to_numpy() < shown
        axes.scatter(
            table["time"].to_numpy()[mine], top + table["unit"].to_numpy()[mine], s=size, linewidths=0,
            color=colour_of_population(name), rasterized=True,
        )  # fmt: skip
        axes.axhspan(top - 0.5, top + shown - 0.5, color=FAINT, alpha=0.15 * (len(ticks) % 2), linewidth=0, zorder=0)
        ticks.append(top + shown / 2)
        names.append(name)
        top += shown
    for event in events:
        axes.axvline(event, color=INK, linewidth=0.6, linestyle=(0, (2, 2)))
    first = next(iter(spikes.values())).attrs
    axes.set_xlim(first["t_start"], first["t_start"] + first["duration"])
    axes.set_ylim(-0.5, top - 0.5)
    axes.set_yticks(ticks, names)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("time (s)")
    axes.set_ylabel(f"{top:,} neurons")
    return figure


@drawing
def rates_beside_reference(rows: Sequence[Mapping[str, Any]], series: Mapping[str, str]) -> Figure:
    """Draw each population's rate as several sources tell it.

    Parameters
    ----------
    rows : with ``population``, one column of Hz for each series, and ``low`` and ``high``, the range over seeds of the
        first series
    series : column -> what a legend calls it; the first are bars, the others marks
    """
    figure = new_figure(DOUBLE, 0.36 * DOUBLE)
    axes = figure.add_subplot()
    x = np.arange(len(rows))
    first, *others = series
    heights = np.array([row[first] for row in rows])
    bars = np.array([[row[first] - row["low"], row["high"] - row[first]] for row in rows]).T
    colours = [colour_of_population(row["population"]) for row in rows]
    axes.bar(x, heights, 0.62, color=colours, alpha=0.45, label=series[first])
    axes.errorbar(x, heights, yerr=np.maximum(bars, 0), fmt="none", ecolor=INK, elinewidth=0.8, capsize=2)
    marks = ("_", "o", "x", "^")
    for number, column in enumerate(others):
        place = x + 0.11 * (number - (len(others) - 1) / 2)
        known = [k for k, row in enumerate(rows) if row.get(column) is not None]
        axes.plot(
            place[known], [rows[k][column] for k in known], marks[number % 4], color=MARKED[number % len(MARKED)],
            markersize=11 if number == 0 else 4, markeredgewidth=1.3, fillstyle="none", label=series[column],
        )  # fmt: skip
    axes.set_xticks(x, [row["population"] for row in rows])
    axes.set_ylabel("mean rate (Hz)")
    axes.legend(loc="upper left", ncols=2)
    return figure


@drawing
def population_distributions(
    samples: Mapping[str, Mapping[str, Mapping[str, NDArray]]], rows: Sequence[Mapping[str, Any]]
) -> Figure:
    """Draw the distributions of rate, CV and correlation of every population, a line for each network.

    Parameters
    ----------
    samples : network -> population -> measure -> (n,) numbers; the last network is drawn in the other colour where its
        name is ``"loop"``
    rows : distances between seeds and to the loop, ``population``, ``measure``, ``seeds``, ``other``
    """
    names = list(next(iter(samples.values())))
    figure = new_figure(DOUBLE, 0.52 * DOUBLE)
    panels = figure.subplots(len(BINS), len(names), squeeze=False)
    known = {(row["population"], row["measure"]): row for row in rows}
    for line, (measure, (low, high, n)) in enumerate(BINS.items()):
        for column, name in enumerate(names):
            axes = panels[line, column]
            for network, populations in samples.items():
                edges = np.linspace(low, high, n)
                density = np.histogram(populations[name][measure], edges)[0]
                if density.sum():
                    axes.stairs(
                        density / density.sum(), edges, baseline=None, linewidth=0.8,
                        color=INK if network == "loop" else colour_of_population(name),
                        linestyle=(0, (2, 1.5)) if network == "loop" else "-",
                        alpha=1 if network == "loop" else 0.55,
                    )  # fmt: skip
            axes.set_yticks([])
            axes.set_ylim(0, 1.18 * axes.get_ylim()[1])  # the distances stand above the peak
            axes.set_xlim(low, high)
            _say_distance(axes, known.get((name, measure)))
            if line == 0:
                axes.set_title(name, color=colour_of_population(name), fontweight="bold")
        figure_label = panels[line, 0]
        figure_label.set_ylabel("share of " + ("pairs" if measure == "correlation" else "neurons"))
        panels[line, len(names) // 2].set_xlabel(TITLES[measure])
    return figure


def _say_distance(axes: Axes, row: Mapping[str, Any] | None) -> None:
    if row is None:
        return
    said = [f"{value:.2f}" for value in (row["other"], row["seeds"]) if value is not None]
    axes.text(
        0.97, 0.95, " / ".join(said), transform=axes.transAxes, ha="right", va="top", fontsize=5, color=SOFT
    )  # fmt: skip


@drawing
def population_spectra(spectra: Mapping[str, xr.DataArray], *, highest: float = 200.0) -> Figure:
    """Draw the power spectrum of every population's rate, layer by layer.

    Parameters
    ----------
    spectra : by population, (frequency,) DataArrays
    highest : Hz, the end of the axis
    """
    return _by_layer(spectra, _draw_spectrum, highest)


@drawing
def volley_responses(responses: Mapping[str, xr.DataArray]) -> Figure:
    """Draw the rate of every population around a volley, mean over volleys with its standard error, layer by layer.

    Parameters
    ----------
    responses : by population, (trial, time) DataArrays in Hz, times after the volley
    """
    return _by_layer(responses, _draw_response, None)


def _by_layer(found: Mapping[str, xr.DataArray], draw: Any, limit: float | None) -> Figure:
    layers = list(dict.fromkeys(name[:-1] for name in found))
    figure = new_figure(DOUBLE, 0.3 * DOUBLE)
    if not found:
        say_why_empty(figure.add_subplot(), "nothing was measured")
        return figure
    panels = figure.subplots(1, len(layers), squeeze=False, sharey=True)[0]
    for number, (axes, layer) in enumerate(zip(panels, layers, strict=True)):
        for name, values in found.items():
            if name[:-1] == layer:
                draw(
                    axes,
                    values,
                    colour_of_population(name),
                    limit,
                    "inhibitory" if name.endswith("I") else "excitatory",
                )
        axes.set_title(layer)
        panel_letter(axes, "abcdefgh"[number % 8])
    panels[0].legend(loc="upper right")
    _label_first(panels[0], draw)
    return figure


def _label_first(axes: Axes, draw: Any) -> None:
    if draw is _draw_spectrum:
        axes.set_ylabel("power (Hz²/Hz)")
        label_log_y(axes)
    else:
        axes.set_ylabel("rate (Hz)")
        axes.set_ylim(bottom=0)


def _draw_spectrum(axes: Axes, spectrum: xr.DataArray, colour: str, highest: float | None, label: str) -> None:
    frequency = spectrum["frequency"].to_numpy()
    shown = (frequency > 0) & (frequency <= (highest or np.inf))
    axes.plot(frequency[shown], spectrum.to_numpy()[shown], color=colour, linewidth=0.8, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("frequency (Hz)")


def _draw_response(axes: Axes, response: xr.DataArray, colour: str, limit: float | None, label: str) -> None:
    del limit
    time, values = 1e3 * response["time"].to_numpy(), response.to_numpy()
    mean = values.mean(axis=0)
    error = values.std(axis=0) / np.sqrt(len(values))
    axes.axvline(0, color=FAINT, linewidth=0.7, zorder=0)
    axes.fill_between(time, mean - error, mean + error, step="mid", color=colour, alpha=0.25, linewidth=0)
    axes.step(time, mean, where="mid", color=colour, linewidth=0.8, label=label)
    axes.set_xlabel("after the volley (ms)")


@drawing
def cost_over_events(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw what a simulated second costs against its synaptic events, and what it would if they alone cost anything.

    Parameters
    ----------
    rows : with ``events`` (in a simulated second), ``seconds`` (wall time of one) and ``scale``; and ``fitted``, the
        part of neurons and that of events together, where it is known
    """
    figure = new_figure(DOUBLE / 2, 0.4 * DOUBLE)
    axes = figure.add_subplot()
    if not rows:
        say_why_empty(axes, "no scale was measured")
        return figure
    events, seconds = (np.array([row[name] for row in rows]) for name in ("events", "seconds"))
    line = np.geomspace(events.min(), events.max(), 50)
    axes.plot(line, seconds[np.argmax(events)] * line / events.max(), color=FAINT, label="proportional to events")
    if all("fitted" in row for row in rows):
        order = np.argsort(events)
        fitted = np.array([row["fitted"] for row in rows])
        axes.plot(events[order], fitted[order], color=EXCITATORY, lw=1, label="so much a neuron, so much an event")
    axes.plot(events, seconds, "o", color=EXCITATORY)
    for row in rows:
        axes.annotate(f"{row['scale']:g}", (row["events"], row["seconds"]), xytext=(3, -6), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("synaptic events in a simulated second")
    axes.set_ylabel("wall seconds")
    axes.legend(loc="upper left")
    return figure
