"""Outputs over time: what each writing of a network answers, beside what it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortwin.figures.style import DOUBLE, colour_of, drawing, label_of, names_in_order, new_figure, say_why_empty

ORDER = ("target", "textbook", "rate", "spiking")
LOOKS = {
    "target": {"linewidth": 3.0, "drawstyle": "steps-pre"},
    "textbook": {"linewidth": 2.4, "alpha": 0.3},
    "rate": {"linewidth": 0.9},
    "spiking": {"linewidth": 0.8},
}


@drawing
def output_traces(
    columns: Mapping[str, Mapping[str, xr.DataArray]], *, outputs: Sequence[int], trial: int = 0
) -> Figure:
    """Draw a few outputs in one trial: a row for each output, a column for each network, all writings on the same axes.

    Parameters
    ----------
    columns : title -> name of a writing, or ``"target"`` -> (trial, time, output) DataArray
    outputs : numbers of the outputs that are drawn
    trial : number of the trial

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, max(0.15 * len(outputs) + 0.1, 0.28) * DOUBLE)
    if not columns or not outputs:
        say_why_empty(figure.add_subplot(), "no output to draw")
        return figure
    panels = figure.subplots(len(outputs), len(columns), sharex=True, sharey="row", squeeze=False)
    names: dict[str, None] = {}
    for column, (title, writings) in enumerate(columns.items()):
        panels[0, column].set_title(title)
        panels[-1, column].set_xlabel("time (s)")
        for row, output in enumerate(outputs):
            for name in names_in_order(list(writings), ORDER):
                y = writings[name]
                # A sample is the answer at the end of its step, and carries the time of its beginning.
                time = np.asarray(y["time"]) + float(y.attrs["dt"])
                look = LOOKS.get(name, {})
                panels[row, column].plot(time, y[trial, :, output], color=colour_of(name), zorder=len(names), **look)
                names.setdefault(name)
            if column == 0:
                panels[row, 0].set_ylabel(rf"$y_{{{output}}}$ (1)")
    figure.align_ylabels(panels[:, 0])
    handles = [
        Line2D([], [], color=colour_of(name), label=label_of(name), **LOOKS.get(name, {}))
        for name in names_in_order(list(names), ORDER)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure
