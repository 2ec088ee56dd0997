"""Which class was taken for which, and how often the answer was right: by reading time, and by neurons per unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    INK,
    SINGLE,
    SOFT,
    SPARE,
    WASH,
    colour_of,
    drawing,
    label_of,
    new_figure,
    panel_letter,
    say_why_empty,
)

SHARES = LinearSegmentedColormap.from_list("shares", ["#ffffff", COLOURS["rate"], INK])


@drawing
def confusion_matrices(
    counts: Mapping[str, Mapping[str, ArrayLike]], classes: Sequence[str], marks: Mapping[str, Mapping[str, str]]
) -> Figure:
    """Draw a matrix for each network (rows) and each writing (columns): the share of a class that got each answer.

    Parameters
    ----------
    counts : network -> writing -> (class, answer) array_like, number of trials
    classes : names
    marks : network -> writing -> what stands above the matrix

    Returns
    -------
    Figure
    """
    writings = list(next(iter(counts.values()), {}))
    if not writings:
        figure = new_figure(SINGLE, 0.4 * SINGLE)
        say_why_empty(figure.add_subplot(), "nothing was classified")
        return figure
    side = min(DOUBLE / (len(writings) + 0.6), 2.0)
    figure = new_figure(side * (len(writings) + 0.6), side * len(counts) + 0.25)
    panels = figure.subplots(len(counts), len(writings), sharex=True, sharey=True, squeeze=False)
    image = None
    for row, (network, matrices) in enumerate(counts.items()):
        for column, writing in enumerate(writings):
            axes = panels[row, column]
            number = np.asarray(matrices[writing], dtype=np.float64)
            share = number / np.maximum(number.sum(axis=1, keepdims=True), 1)
            image = axes.imshow(share, cmap=SHARES, vmin=0, vmax=1)
            for (shown, answered), value in np.ndenumerate(number):
                if value:
                    colour = "white" if share[shown, answered] > 0.45 else INK
                    axes.text(answered, shown, f"{value:.0f}", ha="center", va="center", fontsize=5, color=colour)
            axes.set_xticks(range(len(classes)), classes, rotation=90)
            axes.set_yticks(range(len(classes)), classes)
            axes.tick_params(length=0)
            axes.set_title(f"{label_of(writing)}  {marks[network][writing]}", color=colour_of(writing))
            axes.spines[:].set(visible=True, color=FAINT)
            if row == len(counts) - 1:
                axes.set_xlabel("answer")
        panels[row, 0].set_ylabel(f"{network}\nclass", labelpad=4)
    assert image is not None
    bar = figure.colorbar(image, ax=panels, shrink=0.8 / len(counts) ** 0.5, label="share of the class's trials")
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


@drawing
def accuracy_over_time(rows: Sequence[Mapping[str, Any]], *, chance: float, asked: tuple[float, float]) -> Figure:
    """Draw the accuracy against the time at which the answer is read, a panel for each network.

    Parameters
    ----------
    rows : with ``page``, ``writing``, ``time`` (s from the end of the last pulse), ``share``, ``low``, ``high``
    chance : accuracy of guessing
    asked : from when to when training asked for an answer, at the longest

    Returns
    -------
    Figure
    """
    pages = list(dict.fromkeys(row["page"] for row in rows))
    writings = list(dict.fromkeys(row["writing"] for row in rows))
    figure = new_figure(DOUBLE, 0.36 * DOUBLE)
    if not pages:
        say_why_empty(figure.add_subplot(), "nothing was classified")
        return figure
    panels = figure.subplots(1, len(pages), sharey=True, squeeze=False)[0]
    for number, (axes, page) in enumerate(zip(panels, pages, strict=True)):
        axes.axvspan(*asked, color=WASH, linewidth=0, zorder=0)
        axes.axhline(chance, color=SOFT, linewidth=0.7, linestyle=(0, (4, 2)))
        for place, writing in enumerate(writings):
            here = [row for row in rows if row["page"] == page and row["writing"] == writing]
            time, share, low, high = (
                np.array([row[name] for row in here]) for name in ("time", "share", "low", "high")
            )
            axes.fill_between(time, low, high, color=colour_of(writing), alpha=0.15, linewidth=0)
            # Textbook and rate text agree to rounding: dashes let the one below be seen.
            style = (0, (3, 2)) if writing == "rate" else "-"
            axes.plot(time, share, color=colour_of(writing), linestyle=style, label=label_of(writing), zorder=3 + place)
        axes.set_title(page)
        axes.set_xlabel("read at (s from the end of the last pulse)")
        axes.set_ylim(0, 1.03)
        panel_letter(axes, "abcdefghij"[number])
    panels[0].set_ylabel("accuracy")
    panels[0].annotate(
        "chance", (0, chance), xycoords=("axes fraction", "data"), xytext=(2, 1.5), textcoords="offset points",
        color=SOFT, fontsize=5.5,
    )  # fmt: skip
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@drawing
def accuracy_by_neurons(rows: Sequence[Mapping[str, Any]], textbook: Mapping[str, float], *, chance: float) -> Figure:
    """Draw the spiking twins' accuracy against the LIF neurons in each ensemble, a panel for each readout.

    Parameters
    ----------
    rows : with ``page``, ``readout``, ``neurons``, ``share``, ``low``, ``high``
    textbook : network -> accuracy of its textbook writing with its own readout
    chance : accuracy of guessing

    Returns
    -------
    Figure
    """
    readouts = list(dict.fromkeys(row["readout"] for row in rows))
    pages = list(dict.fromkeys(row["page"] for row in rows))
    figure = new_figure(DOUBLE, 0.4 * DOUBLE)
    if not pages:
        say_why_empty(figure.add_subplot(), "no network has a spiking twin")
        return figure
    panels = figure.subplots(1, len(readouts), sharey=True, squeeze=False)[0]
    for number, (axes, readout) in enumerate(zip(panels, readouts, strict=True)):
        axes.axhline(chance, color=SOFT, linewidth=0.7, linestyle=(0, (4, 2)))
        for place, page in enumerate(pages):
            here = [row for row in rows if row["page"] == page and row["readout"] == readout]
            _against_neurons(axes, here, SPARE[place % len(SPARE)], page, textbook[page], shift=1 + 0.03 * place)
        axes.set_title(readout)
        axes.set_xlabel("LIF neurons in each ensemble")
        panel_letter(axes, "ab"[number])
    panels[0].set_ylabel("accuracy of the spiking twin")
    panels[0].set_ylim(0, 1.03)
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _against_neurons(
    axes: Axes, rows: Sequence[Mapping[str, Any]], colour: str, name: str, level: float, shift: float
) -> None:
    x = np.array([row["neurons"] for row in rows], dtype=np.float64) * shift  # bars beside one another
    share, low, high = (np.array([row[end] for row in rows]) for end in ("share", "low", "high"))
    bars = np.clip([share - low, high - share], 0, None)
    axes.axhline(level, color=colour, linewidth=0.6, linestyle=(0, (1, 2)))
    axes.errorbar(x, share, yerr=bars, fmt="o-", color=colour, capsize=1.5, elinewidth=0.7, label=name)
    axes.set_xscale("log")
    axes.set_xticks([row["neurons"] for row in rows])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


@drawing
def chosen_classes(
    inputs: Mapping[str, ArrayLike],
    probabilities: Mapping[str, ArrayLike],
    time: ArrayLike,
    classes: Sequence[str],
    *,
    shown: int,
    end: float,
) -> Figure:
    """Draw one trial: its inputs, and below them the probability of each class in every writing.

    Parameters
    ----------
    inputs : name -> (time,) array_like
    probabilities : writing -> (time, class) array_like
    time : (time,) array_like of s
    classes : names
    shown : number of the trial's class
    end : of the trial in s

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.2 * DOUBLE * (1 + len(probabilities)) / 2 + 0.3)
    panels = figure.subplots(1 + len(probabilities), 1, sharex=True)
    for number, (name, values) in enumerate(inputs.items()):
        panels[0].plot(time, values, color=SPARE[number], linewidth=0.7, label=name)
    panels[0].set_ylabel("input")
    panels[0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    for axes, (writing, values) in zip(panels[1:], probabilities.items(), strict=True):
        values = np.asarray(values)
        others = np.delete(values, shown, axis=1)
        axes.plot(time, others, color=FAINT, linewidth=0.6, label=["the others", *[None] * (others.shape[1] - 1)])
        axes.plot(time, values[:, shown], color=colour_of(writing), linewidth=1.1, label=classes[shown])
        axes.axvline(end, color=SOFT, linewidth=0.6)
        axes.set_ylim(-0.03, 1.03)
        axes.set_ylabel(f"P, {label_of(writing)}")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    panels[0].axvline(end, color=SOFT, linewidth=0.6)
    panels[-1].set_xlabel("time (s)")
    return figure
