"""One look for every figure: sizes for print, type, and colours that the colour-blind can tell apart.

Nothing here touches matplotlib's global state: a drawing function wears `drawing`, which sets the look while the figure
is made, settles the layout, and leaves the settings as they were.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import ParamSpec

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike

Drawn = ParamSpec("Drawn")

MM = 1 / 25.4
SINGLE, DOUBLE = 89 * MM, 183 * MM  # widths of one and of two columns, in inches

INK, SOFT, FAINT, WASH = "#1c1b1a", "#6a6661", "#c9c5be", "#f1eeea"

# Okabe & Ito (https://jfly.uni-koeln.de/color/) and the wine of Tol (https://sronpersonalpages.nl/~pault/) for what is
# compared, greys for what it is compared with.
COLOURS: Mapping[str, str] = {
    "textbook": INK,
    "rate": "#0072b2",
    "tuning": "#009e73",
    "spiking": "#d55e00",
    "recording": "#882255",
    "target": FAINT,
    "untrained": "#57534e",
    "noise": "#7d7973",
    "average": "#9a958e",
    "ceiling": "#882255",
    # Of spiking networks with different activations: one family of hues, told apart by lightness.
    "tanh": "#d55e00",
    "logistic": "#7d2f04",
    "relu": "#e8a33d",
}
LABELS: Mapping[str, str] = {
    "tuning": "tuning curves",
    "average": "cross-condition average",
    "noise": "smooth noise",
    "relu": "ReLU",
}
SPARE = ("#0072b2", "#d55e00", "#009e73", "#882255", "#e8a33d", "#56b4e9")

_LOOK = {
    # Named outright, and shipped with matplotlib: the same letters on every machine.
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 6.5,
    "axes.titlesize": 7,
    "axes.labelsize": 6.5,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6,
    "figure.facecolor": "white",
    "figure.dpi": 200,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.5,
    "axes.titlepad": 5,
    "axes.labelpad": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "lines.linewidth": 0.9,
    "lines.markersize": 3,
    "lines.solid_capstyle": "round",
    "lines.solid_joinstyle": "round",
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.03,
}


def drawing(function: Callable[Drawn, Figure]) -> Callable[Drawn, Figure]:
    """Make a function draw in the one look, and settle the layout of the figure that it returns."""

    @wraps(function)
    def draw(*args: Drawn.args, **kwargs: Drawn.kwargs) -> Figure:
        with matplotlib.style.context(["default", _LOOK]):
            figure = function(*args, **kwargs)
            # Ticks are made when a figure is first drawn, with the settings of that moment; and a layout that is found
            # once is the same in every format.
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
        return figure

    return draw


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches, which finds its layout by itself."""
    return Figure(figsize=(width, height), layout="constrained")


def colour_of(name: str, number: int = 0) -> str:
    """Return the colour of a writing, recording, floor or activation; a spare one, by number, for any other name."""
    return COLOURS.get(name, SPARE[number % len(SPARE)])


def label_of(name: str) -> str:
    """Return what a figure calls a writing, recording, floor or activation."""
    return LABELS.get(name, name)


def _circle_of_hues(n: int) -> ListedColormap:
    """Return hues around a circle, in OKLCh (Ottosson 2020, https://bottosson.github.io/posts/oklab/).

    Red is dark and green is light, so that lightness says what red against green says to others.
    """
    hue = 2 * np.pi * np.arange(n) / n + 0.5
    lightness, chroma = 0.64 - 0.1 * np.cos(hue), 0.125
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    lms = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    ) @ (lms**3)
    linear = np.clip(linear, 0, 1)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return ListedColormap(np.clip(rgb.T, 0, 1).tolist(), name="directions")


DIRECTIONS = _circle_of_hues(360)


def direction_colours(directions: ArrayLike) -> np.ndarray:
    """Return the colour of each direction.

    Parameters
    ----------
    directions : (n,) array_like of radians

    Returns
    -------
    (n, 4) ndarray
    """
    nearest = np.rint(np.degrees(np.asarray(directions, dtype=np.float64))).astype(int)
    return np.asarray(DIRECTIONS(nearest % DIRECTIONS.N))


def panel_letter(axes: Axes, letter: str) -> None:
    """Write the bold letter of a panel above its upper left corner."""
    axes.annotate(
        letter, (0, 1), xycoords="axes fraction", xytext=(-14, 7), textcoords="offset points",
        fontsize=8, fontweight="bold", ha="right", va="bottom", annotation_clip=False,
    )  # fmt: skip


def say_why_empty(axes: Axes, reason: str) -> None:
    """Leave a panel empty and write into it why."""
    axes.set_axis_off()
    text = textwrap.fill(reason, 36)
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=SOFT, style="italic")


def mark_events(axes: Axes, events: Mapping[str, float] | None, *, named: bool = True) -> None:
    """Draw a thin vertical line at each event, its name above the panel."""
    for name, time in (events or {}).items():
        axes.axvline(time, color=FAINT, linewidth=0.5, zorder=0)
        if named:
            axes.annotate(
                name, (time, 1), xycoords=axes.get_xaxis_transform(), xytext=(0, 1.5), textcoords="offset points",
                ha="center", va="bottom", color=SOFT, fontsize=5.5,
            )  # fmt: skip


def label_log_y(axes: Axes) -> None:
    """Give a logarithmic axis ticks that can be read: decades, or 1, 2, 5 with plain numbers where there are few."""
    _label_log(axes.yaxis, *axes.get_ylim())


def label_log_x(axes: Axes) -> None:
    """Give a horizontal logarithmic axis the same ticks."""
    _label_log(axes.xaxis, *axes.get_xlim())


def _label_log(axis: Axis, low: float, high: float) -> None:
    if high / low > 300:
        axis.set_major_locator(LogLocator(numticks=9))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=30))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())


def spread(positions: ArrayLike, gap: float) -> np.ndarray:
    """Move positions apart, as little as possible and without changing their order, until neighbours are a gap apart.

    Parameters
    ----------
    positions : (n,) array_like
    gap : smallest distance between two of them

    Returns
    -------
    (n,) ndarray
    """
    wanted = np.asarray(positions, dtype=np.float64)
    order = np.argsort(wanted, kind="stable")
    # Least squares under y[k+1] - y[k] >= gap is isotonic regression of wanted[k] - k gap: pool adjacent violators.
    blocks: list[tuple[float, int]] = []
    for k, value in enumerate(wanted[order]):
        mean, size = value - k * gap, 1
        while blocks and blocks[-1][0] > mean:
            other, others = blocks.pop()
            mean, size = (mean * size + other * others) / (size + others), size + others
        blocks.append((mean, size))
    placed = np.empty_like(wanted)
    placed[order] = np.repeat([mean for mean, _ in blocks], [size for _, size in blocks]) if blocks else []
    placed[order] += gap * np.arange(wanted.size)
    return placed


def names_in_order(names: Sequence[str], first: Sequence[str]) -> list[str]:
    """Return the names, those of `first` in front and in its order."""
    return [name for name in first if name in names] + [name for name in names if name not in first]
