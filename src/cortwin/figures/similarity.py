"""How alike activities are to the recording, beside the floors below and the ceiling above."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    SOFT,
    WASH,
    colour_of,
    drawing,
    label_of,
    names_in_order,
    new_figure,
    panel_letter,
    say_why_empty,
)

MEASURES = {"cka": "CKA", "cca": "CCA", "procrustes": "Procrustes $R^2$"}
MEANS = {"mean_kept": "cross-condition mean kept", "mean_removed": "cross-condition mean removed"}
WRITINGS, FLOORS, CEILING = ("textbook", "rate", "tuning", "spiking"), ("untrained", "noise", "average"), "ceiling"
LOWEST = -0.25  # a score far below zero stands at the left edge, with an arrow


@drawing
def similarity_scores(scores: Mapping[str, float | None], reasons: Mapping[str, str] | None = None) -> Figure:
    """Draw every similarity to the recording, a column per measure, with the cross-condition mean kept and removed.

    The band on the left reaches to the highest floor: there, a network says no more than noise does. The band on the
    right begins at the ceiling, one half of the recorded units against the other.

    Parameters
    ----------
    scores : ``"measure.mean.name"`` -> score, for instance ``"cka.mean_kept.spiking"``; measures ``cka``, ``cca``,
        ``procrustes``; names of writings, of the floors ``untrained``, ``noise``, ``average``, and ``ceiling``
    reasons : ``"measure.mean.name"`` -> why a score is missing

    Returns
    -------
    Figure
    """
    table: dict[tuple[str, str], dict[str, float]] = {}
    for key, score in scores.items():
        measure, mean, name = key.split(".", 2)
        table.setdefault((measure, mean), {})[name] = math.nan if score is None else float(score)
    measures = names_in_order(list(dict.fromkeys(measure for measure, _ in table)), list(MEASURES))
    means = [mean for mean in MEANS if any(mean == other for _, other in table)]
    found = list(dict.fromkeys(name for panel in table.values() for name in panel if name != CEILING))
    floors = [name for name in FLOORS if name in found]
    names = names_in_order([name for name in found if name not in floors], WRITINGS) + floors
    figure = new_figure(DOUBLE, (0.032 * max(len(names), 3) + 0.075) * max(len(means), 1) * DOUBLE)
    if not table or not names:
        say_why_empty(figure.add_subplot(), "no similarity to draw")
        return figure
    panels = figure.subplots(len(means), len(measures), sharex="col", sharey=True, squeeze=False)
    for row, mean in enumerate(means):
        for column, measure in enumerate(measures):
            axes = panels[row, column]
            here = table.get((measure, mean), {})
            column_scores = [value for (one, _), part in table.items() if one == measure for value in part.values()]
            axes.set_xlim(LOWEST if min(filter(math.isfinite, column_scores), default=0.0) < 0 else 0, 1.02)
            why = {name: (reasons or {}).get(f"{measure}.{mean}.{name}", "") for name in names}
            _panel(axes, here, names, why, named=row == 0 and column == len(measures) - 1)
            if row == 0:
                axes.set_title(MEASURES.get(measure, measure), fontweight="bold", pad=14)
            if row == len(means) - 1:
                axes.set_xlabel("similarity to the recording (1)")
        first = panels[row, 0]
        first.annotate(
            MEANS[mean], (0, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points", color=SOFT,
            style="italic", va="bottom",
        )  # fmt: skip
        first.set_yticks(range(len(names)), [label_of(name) for name in names])
        for label, name in zip(first.get_yticklabels(), names, strict=True):
            label.set_color(colour_of(name))
        first.set_ylim(len(names) - 0.4, -0.6)
        panel_letter(first, "ab"[row])
    return figure


def _panel(
    axes: Axes, scores: Mapping[str, float], names: Sequence[str], why: Mapping[str, str], *, named: bool
) -> None:
    floor = max([value for name in FLOORS if math.isfinite(value := scores.get(name, math.nan))], default=math.nan)
    ceiling = scores.get(CEILING, math.nan)
    left, right = axes.get_xlim()
    if floor > left:
        axes.axvspan(left, floor, color=WASH, linewidth=0, zorder=0)
    if math.isfinite(ceiling):
        axes.axvspan(ceiling, right, color=COLOURS[CEILING], alpha=0.13, linewidth=0, zorder=0)
        axes.axvline(ceiling, color=COLOURS[CEILING], linewidth=0.9, zorder=1)
    if named:
        for place, text, side, colour in (
            (floor, "floor", "right", SOFT),
            (ceiling, "ceiling", "left", COLOURS[CEILING]),
        ):
            if math.isfinite(place):
                axes.annotate(
                    text, (place, 1), xycoords=axes.get_xaxis_transform(), xytext=(0, 2), textcoords="offset points",
                    ha=side, va="bottom", color=colour, fontsize=5.5,
                )  # fmt: skip
    for place, name in enumerate(names):
        score, colour = scores.get(name, math.nan), colour_of(name)
        axes.axhline(place, color=FAINT, linewidth=0.3, zorder=0.5)
        if not math.isfinite(score):
            if name in scores:
                text = f"– {why[name]}" if why[name] else "–"
                axes.text(
                    left + 0.02 * (right - left),
                    place - 0.3,
                    text,
                    va="center",
                    color=SOFT,
                    style="italic",
                    fontsize=5,
                    zorder=4,
                )
            continue
        if score < left:
            axes.plot(left, place, "<", color=colour, markersize=4, clip_on=False)
            axes.annotate(
                f"{score:.1f}".replace("-", "−"),
                (left, place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=5.5,
                color=colour,
            )
            continue
        strong = name not in FLOORS
        axes.plot(score, place, "o", color=colour, markersize=5 if strong else 3.4, clip_on=False, zorder=3)
        axes.annotate(
            f"{score:.2f}".replace("-", "−"), (score, place), xytext=(0, 3.6), textcoords="offset points", ha="center",
            va="bottom", fontsize=5, color=colour, annotation_clip=False,
        )  # fmt: skip
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
