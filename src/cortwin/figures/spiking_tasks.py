"""What a spiking network answers on a trial of each task, and its spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cortwin.figures.style import DOUBLE, FAINT, INK, SPARE, drawing, new_figure, panel_letter, say_why_empty


class Trial(NamedTuple):
    """One trial: times in s, (time, output) target and output, (time, neuron) raster."""

    time: NDArray
    target: NDArray
    output: NDArray
    raster: NDArray


@drawing
def spiking_tasks(trials: Mapping[str, Trial]) -> Figure:
    """Draw a column for each task: output (lines) over its target (broad and grey), and below the spikes.

    Parameters
    ----------
    trials : name of the task -> a trial

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.5 * DOUBLE)
    panels = figure.subplots(2, max(len(trials), 1), squeeze=False, sharex="col")
    if not trials:
        say_why_empty(panels[0, 0], "no task was trained")
    for (above, below), (name, trial), letter in zip(panels.T, trials.items(), "abcdef", strict=False):
        above.set_title(name, loc="left")
        panel_letter(above, letter)
        for k, (wanted, found) in enumerate(zip(trial.target.T, trial.output.T, strict=True)):
            above.plot(trial.time, wanted, color=FAINT, linewidth=3)
            above.plot(trial.time, found, color=SPARE[k], linewidth=0.9)
        step, neuron = np.nonzero(trial.raster)
        below.plot(trial.time[step], neuron, ",", color=INK)
        below.set_ylim(-1, trial.raster.shape[1])
        below.set_xlabel("time (s)")
    panels[0, 0].set_ylabel("output")
    panels[1, 0].set_ylabel("neuron")
    return figure
