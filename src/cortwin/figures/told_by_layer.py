"""What readouts of each layer tell, of circuits with different wirings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from cortwin.figures.style import DOUBLE, SOFT, drawing, new_figure, say_why_empty

COLOURS = {"cortical": "#0072b2", "degree_shuffled": "#e8a33d", "random": "#882255", "elman": "#57534e"}
LABELS = {"degree_shuffled": "degrees kept", "elman": "Elman network"}
STEP = 0.2  # of the axis: marks that followed its height would ask for more room once the panels have theirs
QUESTIONS = {"pattern": "pattern that is on", "previous": "pattern before", "xor": "exclusive or"}


@drawing
def accuracy_over_delay(rows: Sequence[Mapping[str, Any]], layers: Sequence[str], *, chance: float) -> Figure:
    """Draw how often a pattern is told, against the time since it began, a panel for each layer.

    Parameters
    ----------
    rows : with ``kind``, ``layer``, ``asked`` (``"pattern"``, ``"previous"``, ``"lag_2"`` ...), ``delay`` after the
        onset of the latest pattern, ``last`` (the duration of a pattern), ``accuracy``, ``low``, ``high``
    layers : in the order of the panels
    chance : accuracy without knowledge
    """
    figure = new_figure(DOUBLE, 0.32 * DOUBLE)
    panels = figure.subplots(1, len(layers), squeeze=False, sharey=True)[0]
    for axes, layer in zip(panels, layers, strict=True):
        here = [row for row in rows if row["layer"] == layer and _lag(row["asked"]) is not None]
        for kind in dict.fromkeys(row["kind"] for row in here):
            own = sorted((_since_onset(row), row) for row in here if row["kind"] == kind)
            _line(axes, [time for time, _ in own], [row for _, row in own], kind)
        axes.axhline(chance, color=SOFT, linewidth=0.7, linestyle=(0, (4, 2)))
        axes.set_title(layer)
        axes.set_xlabel("after onset (ms)")
        axes.set_ylim(_lowest(rows, chance), 1.03)
        if not here:
            say_why_empty(axes, "not asked")
    panels[0].set_ylabel("told rightly")
    panels[0].yaxis.set_major_locator(MultipleLocator(STEP))
    if rows:
        _legend(figure, panels[-1])
    return figure


def _lowest(rows: Sequence[Mapping[str, Any]], chance: float) -> float:
    """Return the lower end of the axis: as far below chance as guesses went."""
    ends = [row["low"] if row["low"] is not None else row["accuracy"] for row in rows]
    return min([chance - 0.1, *ends]) - 0.03


def _legend(figure: Figure, axes: Axes) -> None:
    """Name the kinds above all panels, where nothing stands."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=max(1, len(labels)))


def _lag(asked: str) -> int | None:
    """Return how many patterns back is asked; None where it is not one pattern."""
    if asked in ("pattern", "previous"):
        return int(asked == "previous")
    return int(asked.removeprefix("lag_")) if asked.startswith("lag_") else None


def _since_onset(row: Mapping[str, Any]) -> float:
    return 1e3 * (row["delay"] + (_lag(row["asked"]) or 0) * row["last"])


def _line(axes: Axes, times: Sequence[float], rows: Sequence[Mapping[str, Any]], kind: str) -> None:
    colour = COLOURS.get(kind, SOFT)
    axes.plot(times, [row["accuracy"] for row in rows], "o-", color=colour, label=LABELS.get(kind, kind), markersize=2)
    known = [(time, row) for time, row in zip(times, rows, strict=True) if row["low"] is not None]
    if known:
        axes.fill_between(
            [time for time, _ in known], [row["low"] for _, row in known], [row["high"] for _, row in known],
            color=colour, alpha=0.18, linewidth=0,
        )  # fmt: skip


@drawing
def accuracy_of_questions(rows: Sequence[Mapping[str, Any]], layers: Sequence[str], *, chance: float) -> Figure:
    """Draw how often each question is answered rightly, a panel for each, a group of bars for each layer.

    Parameters
    ----------
    rows : with ``kind``, ``layer``, ``asked``, ``accuracy``, ``low``, ``high``
    layers : in order
    chance : accuracy without knowledge
    """
    figure = new_figure(DOUBLE, 0.32 * DOUBLE)
    panels = figure.subplots(1, len(QUESTIONS), squeeze=False, sharey=True)[0]
    # What stands by itself comes last, and beside nobody.
    kinds = sorted(dict.fromkeys(row["kind"] for row in rows), key=lambda kind: kind == "elman")
    n_beside = max(1, len([kind for kind in kinds if kind != "elman"]))
    alone = {layer: len({row["kind"] for row in rows if row["layer"] == layer}) < 2 for layer in layers}
    for axes, (asked, title) in zip(panels, QUESTIONS.items(), strict=True):
        for number, kind in enumerate(kinds):
            own = [row for row in rows if row["kind"] == kind and row["asked"] == asked and row["layer"] in layers]
            width = 0.8 / n_beside
            place = [
                layers.index(row["layer"]) + (0 if alone[row["layer"]] else width * (number - (n_beside - 1) / 2))
                for row in own
            ]
            heights = np.array([row["accuracy"] for row in own])
            axes.bar(
                place,
                heights - chance,
                0.9 * width,
                bottom=chance,
                color=COLOURS.get(kind, SOFT),
                label=LABELS.get(kind, kind),
            )
            known = [(x, row) for x, row in zip(place, own, strict=True) if row["low"] is not None]
            for x, row in known:
                axes.plot([x, x], [row["low"], row["high"]], color="black", linewidth=0.8)
        axes.axhline(chance, color=SOFT, linewidth=0.7, linestyle=(0, (4, 2)))
        axes.set_xticks(range(len(layers)), [LABELS.get(layer, layer).replace(" network", "") for layer in layers])
        axes.set_title(title, loc="left")
        axes.set_ylim(_lowest(rows, chance), 1.03)
    panels[0].set_ylabel("told rightly")
    panels[0].yaxis.set_major_locator(MultipleLocator(STEP))
    if kinds:
        _legend(figure, panels[-1])
    return figure
