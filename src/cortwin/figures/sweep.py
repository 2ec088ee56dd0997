"""A metric over the points of a sweep: lines with intervals, a heat map for two parameters, dots for random designs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray

from cortwin.analysis import Summary
from cortwin.figures.style import DOUBLE, INK, SINGLE, SOFT, drawing, new_figure, say_why_empty

MOST_LINES = 8


@dataclass(frozen=True)
class Axis:
    """What was swept.

    Parameters
    ----------
    name : of the parameter
    values : all of them, in order; quantities in SI units
    numeric : whether they are numbers
    unit, scale : symbol of the unit they are shown in, and how much it is in SI units
    log : whether they are even on a logarithmic scale
    """

    name: str
    values: tuple[Any, ...]
    numeric: bool
    unit: str = ""
    scale: float = 1.0
    log: bool = False

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def places(self) -> NDArray:
        """Where the values stand: themselves, or side by side."""
        return np.array(self.values, dtype=float) / self.scale if self.numeric else np.arange(len(self.values)) * 1.0

    def text(self, index: int) -> str:
        """Return one value in words."""
        value = self.values[index]
        return f"{value / self.scale:.4g}{f' {self.unit}' if self.unit else ''}" if self.numeric else str(value)


@dataclass(frozen=True)
class Cell:
    """A metric at one combination of values: the numbers of the values along each axis, and the runs there."""

    at: tuple[int, ...]
    summary: Summary


@drawing
def sweep_lines(metric: str, axes: Sequence[Axis], cells: Sequence[Cell], *, pooled: Sequence[str] = ()) -> Figure:
    """Draw the mean of a metric against the first axis, one line for each value of the second.

    Parameters
    ----------
    metric : its name
    axes : up to two
    cells : the metric at each combination, one number per axis in `Cell.at`
    pooled : parameters over which runs are taken together

    Returns
    -------
    Figure
        Bars are the intervals of the means; the number of runs behind each mean stands above.
    """
    figure = new_figure(SINGLE, 0.75 * SINGLE)
    panel = figure.add_subplot()
    finite = [cell for cell in cells if np.isfinite(cell.summary.mean)]
    if not finite:
        say_why_empty(panel, f"{metric} has no value at any point")
        return figure
    hues = axes[1] if len(axes) > 1 else None
    numbers = sorted({cell.at[1] for cell in finite}) if hues else [0]
    shown = [
        numbers[k]
        for k in np.unique(np.linspace(0, len(numbers) - 1, min(len(numbers), MOST_LINES)).round().astype(int))
    ]
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(shown))) if hues else [INK]
    for number, colour in zip(shown, colours, strict=True):
        line = [cell for cell in finite if hues is None or cell.at[1] == number]
        x = axes[0].places[[cell.at[0] for cell in line]] if axes else np.zeros(len(line))
        mean = np.array([cell.summary.mean for cell in line])
        low, high = (np.array([getattr(cell.summary, end) for cell in line]) for end in ("low", "high"))
        # Rounding may bring an end of an interval of no width past its mean.
        bars = np.nan_to_num(np.clip([mean - low, high - mean], 0, None))
        panel.errorbar(
            x, mean, yerr=bars, fmt="o-" if axes else "o", color=colour, capsize=1.5, elinewidth=0.7, capthick=0.7,
            label=hues.text(number) if hues else None,
        )  # fmt: skip
    if axes:
        _along(panel, axes[0], "x")
    else:
        panel.set_xticks([])
        panel.set_xlim(-1, 1)
    if hues:
        panel.legend(title=hues.label, loc="center left", bbox_to_anchor=(1.0, 0.5))
    panel.set_ylabel(metric)
    intervals = "; bars are 95 % bootstrap intervals" if any(cell.summary.n > 1 for cell in finite) else ""
    panel.set_title(_runs(finite, pooled) + intervals, color=SOFT, fontsize=6)
    # A first layout changes how many ticks there are, and so how wide their labels become.
    figure.draw_without_rendering()
    return figure


@drawing
def sweep_map(metric: str, axes: Sequence[Axis], cells: Sequence[Cell]) -> Figure:
    """Draw the mean of a metric over two axes as colours; combinations without a value stay white.

    Parameters
    ----------
    metric : its name
    axes : two
    cells : the metric at each combination

    Returns
    -------
    Figure
    """
    across, up = axes
    means = np.full((len(up.values), len(across.values)), np.nan)
    for cell in cells:
        means[cell.at[1], cell.at[0]] = cell.summary.mean
    figure = new_figure(SINGLE, 0.8 * SINGLE)
    panel = figure.add_subplot()
    image = panel.imshow(means, origin="lower", aspect="auto", cmap="viridis")
    for axis, name in ((across, "x"), (up, "y")):
        step = -(-len(axis.values) // 10)
        ticks = range(0, len(axis.values), step)
        bare = Axis(axis.name, axis.values, axis.numeric, scale=axis.scale)
        panel.set(**{f"{name}ticks": list(ticks), f"{name}ticklabels": [bare.text(k) for k in ticks]})
        panel.set(**{f"{name}label": axis.label})
    if means.size <= 100:
        middle = np.nanmin(means) + 0.6 * np.ptp(means[np.isfinite(means)]) if np.isfinite(means).any() else 0.0
        for (row, column), value in np.ndenumerate(means):
            if np.isfinite(value):
                colour = INK if value > middle else "white"
                panel.text(column, row, f"{value:.3g}", ha="center", va="center", color=colour, fontsize=5.5)
    panel.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=panel, label=metric)
    bar.outline.set_visible(False)  # type: ignore[operator]
    panel.set_title(_runs(cells, ()), color=SOFT, fontsize=6)
    return figure


@drawing
def sweep_scatter(metric: str, places: Mapping[Axis, NDArray], values: NDArray) -> Figure:
    """Draw a metric at every point of a random design, against each parameter in a panel of its own.

    Parameters
    ----------
    metric : its name
    places : axis -> (n,) where the points are
    values : (n,) the metric

    Returns
    -------
    Figure
    """
    columns = min(max(len(places), 1), 3)
    lines = -(-max(len(places), 1) // columns)
    figure = new_figure(SINGLE if columns == 1 else DOUBLE, 0.3 * DOUBLE * lines)
    if not places or not np.isfinite(values).any():
        say_why_empty(figure.add_subplot(), f"there is nothing to draw {metric} against")
        return figure
    first: Axes | None = None
    for number, (axis, at) in enumerate(places.items()):
        panel = figure.add_subplot(lines, columns, number + 1, sharey=first)
        first = first or panel
        panel.plot(at, values, ".", color=INK, markersize=3, alpha=0.7, markeredgewidth=0)
        _along(panel, axis, "x")
        if number % columns == 0:
            panel.set_ylabel(metric)
        else:
            panel.tick_params(labelleft=False)
    figure.suptitle(f"{np.isfinite(values).sum()} runs", color=SOFT, fontsize=6)
    return figure


def _along(panel: Axes, axis: Axis, name: str) -> None:
    """Label an axis of a panel; few values are its ticks."""
    places = axis.places
    if axis.log:
        panel.set(**{f"{name}scale": "log"})
    if not axis.numeric or len(places) <= 8:
        ruler = panel.xaxis if name == "x" else panel.yaxis
        ruler.set_ticks(places, [axis.text(k).removesuffix(f" {axis.unit}") for k in range(len(places))])
        ruler.set_minor_locator(NullLocator())
    elif panel.get_xscale() == "log":
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.set(**{f"{name}label": axis.label})


def _runs(cells: Sequence[Cell], pooled: Sequence[str]) -> str:
    """Say how many runs are behind each mean."""
    counts = [cell.summary.n for cell in cells if cell.summary.n]
    if not counts:
        return "no runs"
    low, high = min(counts), max(counts)
    runs = f"{low} run{'s' * (low > 1)}" if low == high else f"{low} to {high} runs"
    over = f", over all {', '.join(pooled)}" if pooled else ""
    return f"means of {runs}{over}" if high > 1 else runs + over
