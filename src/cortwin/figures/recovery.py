"""How near to the truth parameters were recovered, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cortwin.figures.style import DOUBLE, SPARE, drawing, label_log_y, new_figure, panel_letter, say_why_empty


@drawing
def recovery(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the largest relative error of a fit (left) and its evaluations (right), a point for each seed.

    Parameters
    ----------
    rows : with ``fit``, ``method``, ``error`` and ``evaluations``

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.4 * DOUBLE)
    left, right = figure.subplots(1, 2)
    if not rows:
        say_why_empty(left, "nothing was fitted")
        return figure
    fits = list(dict.fromkeys(row["fit"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    for axes, key, label, letter in (
        (left, "error", "largest relative error", "a"),
        (right, "evaluations", "runs", "b"),
    ):
        panel_letter(axes, letter)
        for number, method in enumerate(methods):
            here = [row for row in rows if row["method"] == method]
            aside = min(0.2, 0.7 / len(methods)) * (number - (len(methods) - 1) / 2)
            spread = np.linspace(-0.06, 0.06, len(here)) if len(here) > 1 else np.zeros(1)
            x = [fits.index(row["fit"]) + aside + one for row, one in zip(here, spread, strict=True)]
            axes.plot(x, [max(row[key], 1e-12) for row in here], "o", color=SPARE[number], markersize=2.5, label=method)
        axes.set_yscale("log")
        axes.set_xticks(range(len(fits)), [fit.replace(", ", ",\n") for fit in fits])
        axes.set_xlim(-0.5, len(fits) - 0.5)
        axes.set_ylabel(label)
        label_log_y(axes)
    right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
