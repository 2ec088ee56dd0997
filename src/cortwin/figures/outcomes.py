"""What became of each of a list of trials that either end well or do not."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from cortwin.figures.style import COLOURS, FAINT, SINGLE, drawing, new_figure, say_why_empty

LINE = 0.135  # inches for one line of text


@drawing
def outcomes(ended_well: Mapping[str, bool]) -> Figure:
    """List what was tried, one mark each: a disc where it ended well, a cross where it did not.

    Parameters
    ----------
    ended_well : what was tried -> whether it ended well, drawn in this order

    Returns
    -------
    Figure
    """
    figure = new_figure(SINGLE, LINE * (len(ended_well) + 2) + 0.1)
    axes = figure.add_subplot()
    if not ended_well:
        say_why_empty(axes, "nothing was tried")
        return figure
    for place, well in enumerate(ended_well.values()):
        axes.axhline(place, color=FAINT, linewidth=0.3, zorder=0)
        mark, colour = ("o", COLOURS["tuning"]) if well else ("X", COLOURS["spiking"])
        axes.plot(0 if well else 1, place, mark, color=colour, markersize=4, clip_on=False)
    axes.set_yticks(range(len(ended_well)), list(ended_well))
    axes.set_xticks([0, 1], ["survived", "not survived"])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xlim(-0.5, 1.5)
    axes.set_ylim(len(ended_well) - 0.5, -0.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure
