"""What a search found: heat maps of errors, what scores promise and what is kept, and over-fitting against updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    INK,
    SINGLE,
    SOFT,
    drawing,
    label_log_y,
    new_figure,
    panel_letter,
    say_why_empty,
)

PARTS = {"error": "held-out subjects", "training_error": "training subjects"}


@drawing
def search_maps(rows: Sequence[Mapping[str, Any]], across: str, up: str, *, names: Mapping[str, str]) -> Figure:
    """Draw the error of every combination of two parameters, on held-out and on training folds.

    Parameters
    ----------
    rows : with the two parameters, ``error``, ``error_sd``, ``training_error`` and ``training_error_sd``
    across, up : names of the parameters
    names : what the figure calls them

    Returns
    -------
    Figure
        The colour is the mean over folds, the numbers are mean and standard deviation; the best cell has a frame.
    """
    figure = new_figure(DOUBLE, 0.42 * DOUBLE)
    if not rows:
        say_why_empty(figure.add_subplot(), "nothing was searched")
        return figure
    columns, lines = (list(dict.fromkeys(row[name] for row in rows)) for name in (across, up))
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    every = [row[part] for row in rows for part in PARTS if np.isfinite(row[part])]
    scale = LogNorm(min(every), max(every) * (1 + 1e-9))
    image = None
    for number, (axes, (part, title)) in enumerate(zip(panels, PARTS.items(), strict=True)):
        means = np.full((len(lines), len(columns)), np.nan)
        for row in rows:
            place = lines.index(row[up]), columns.index(row[across])
            means[place] = row[part]
            if np.isfinite(row[part]):
                # Light letters on the dark half of the colours.
                colour = "white" if scale(row[part]) < 0.6 else INK
                axes.text(
                    place[1], place[0], f"{row[part]:.2f}\n±{row[f'{part}_sd']:.2f}", ha="center", va="center",
                    fontsize=5.5, color=colour,
                )  # fmt: skip
        image = axes.imshow(means, origin="lower", aspect="auto", cmap="viridis", norm=scale)
        best = np.unravel_index(np.nanargmin(means), means.shape)
        if part == "error":
            corner = (best[1] - 0.5, best[0] - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=COLOURS["spiking"], linewidth=1.6))
        axes.set_xticks(range(len(columns)), [_text(value) for value in columns])
        axes.set_yticks(range(len(lines)), [_text(value) for value in lines])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(title)
        axes.set_xlabel(names[across])
        panel_letter(axes, "ab"[number])
    panels[0].set_ylabel(names[up])
    assert image is not None
    bar = figure.colorbar(image, ax=panels, label="cross-entropy (nats)")
    bar.outline.set_visible(False)  # type: ignore[operator]
    ticks = [value for value in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if min(every) <= value <= max(every)]
    bar.set_ticks(ticks, labels=[f"{value:g}" for value in ticks])
    bar.minorticks_off()
    return figure


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


@drawing
def promised_and_kept(
    rows: Sequence[Mapping[str, float]], labels: Mapping[str, str], floors: Mapping[str, float]
) -> Figure:
    """Draw several scores of the same sets of data: a thin line for each set, and the means.

    Parameters
    ----------
    rows : one for each set, score by name
    labels : name -> what the figure calls the score, in order
    floors : what the figure calls it -> value of a level below which no score should be

    Returns
    -------
    Figure
    """
    figure = new_figure(1.3 * SINGLE, 0.9 * SINGLE)
    axes = figure.add_subplot()
    if not rows:
        say_why_empty(axes, "there are no scores")
        return figure
    values = np.array([[row[name] for name in labels] for row in rows])
    places = np.arange(len(labels))
    axes.plot(places, values.T, "-", color=FAINT, linewidth=0.7, zorder=1)
    axes.plot(places, values.T, "o", color=SOFT, markersize=2.2, markeredgewidth=0, zorder=2)
    half = 0.22
    axes.hlines(values.mean(axis=0), places - half, places + half, color=COLOURS["rate"], linewidth=1.8, zorder=3)
    for name, level in floors.items():
        axes.axhline(level, color=COLOURS["recording"], linewidth=0.7, linestyle=(0, (4, 2)), zorder=0)
        axes.annotate(
            name, (1, level), xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points",
            va="center", color=COLOURS["recording"], fontsize=5.5, annotation_clip=False,
        )  # fmt: skip
    axes.set_xticks(places, list(labels.values()))
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.set_ylabel("cross-entropy (nats)")
    return figure


@drawing
def overfitting_curves(
    curves: Mapping[str, Mapping[str, ArrayLike]], *, floor: float, stopped: Mapping[str, Sequence[float]]
) -> Figure:
    """Draw training and validation errors against updates, a panel for each remedy.

    Parameters
    ----------
    curves : remedy -> ``update``: (point,), ``training`` and ``validation``: (network, point) array_likes
    floor : the smallest error that there is
    stopped : remedy -> update with the smallest validation error, for each network

    Returns
    -------
    Figure
        Lines are means over networks, bands reach from the least to the most; marks: where each network's validation
        error is smallest.
    """
    figure = new_figure(DOUBLE, 0.3 * DOUBLE)
    if not curves:
        say_why_empty(figure.add_subplot(), "nothing was trained")
        return figure
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    styles = {"training": ("training", COLOURS["rate"]), "validation": ("held-out subjects", COLOURS["spiking"])}
    for number, (axes, (remedy, found)) in enumerate(zip(panels, curves.items(), strict=True)):
        axes.set_yscale("log")
        for part, (label, colour) in styles.items():
            values = np.asarray(found[part], dtype=np.float64)
            axes.fill_between(
                np.asarray(found["update"]),
                values.min(axis=0),
                values.max(axis=0),
                color=colour,
                alpha=0.18,
                linewidth=0,
            )
            axes.plot(found["update"], values.mean(axis=0), color=colour, label=label)
        axes.axhline(floor, color=COLOURS["recording"], linewidth=0.7, linestyle=(0, (4, 2)), label="floor")
        for update in stopped[remedy]:
            axes.plot(update, 0.03, "|", color=INK, transform=axes.get_xaxis_transform(), markersize=5)
        axes.set_title(remedy)
        axes.set_xlabel("update")
        axes.set_xlim(left=0)
        panel_letter(axes, "abcdefgh"[number])
    label_log_y(panels[0])
    panels[0].set_ylabel("cross-entropy (nats)")
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
