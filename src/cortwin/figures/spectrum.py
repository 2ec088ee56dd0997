"""Eigenvalues of the recurrent weights, trained and untrained."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cortwin.figures.style import (
    COLOURS,
    DOUBLE,
    FAINT,
    SINGLE,
    SOFT,
    colour_of,
    drawing,
    label_of,
    new_figure,
    panel_letter,
    say_why_empty,
)

MARKS = {"untrained": COLOURS["noise"], "trained": COLOURS["rate"]}


@drawing
def eigenvalues(spectra: Mapping[str, ArrayLike], *, tau: float | None = None) -> Figure:
    """Draw eigenvalues in the complex plane, one panel each on the same axes.

    Two boundaries are drawn. Around rest, where the activation has slope 1, the leaky rate network is unstable to the
    right of 1; the recurrence without leak is outside the unit circle.

    Parameters
    ----------
    spectra : name, for instance ``"untrained"`` and ``"trained"`` -> (unit,) eigenvalues
    tau : time constant of the units in s; with it, the axis on the right is the frequency of the oscillation

    Returns
    -------
    Figure
    """
    values = {name: np.asarray(eigenvalue, dtype=np.complex128).ravel() for name, eigenvalue in spectra.items()}
    n = max(len(values), 1)
    figure = new_figure(SINGLE if n == 1 else DOUBLE * min(0.41 * n, 1), 0.4 * DOUBLE if n < 3 else 0.34 * DOUBLE)
    if not values:
        say_why_empty(figure.add_subplot(), "no eigenvalue to draw")
        return figure
    finite = [value[np.isfinite(value)] for value in values.values()]
    reach = 1.12 * max([1.0, *(float(np.abs(value).max()) for value in finite if value.size)])
    panels = figure.subplots(1, n, squeeze=False)[0]
    for number, (axes, (name, value)) in enumerate(zip(panels, values.items(), strict=True)):
        colour = MARKS.get(name) or colour_of(name, number)
        axes.set_title(label_of(name), color=colour, fontweight="bold", pad=11)
        panel_letter(axes, "abcdefghijklmnopqrstuvwxyz"[number % 26])
        if not value.size or not np.isfinite(value).all():
            say_why_empty(axes, "the eigenvalues are not finite" if value.size else "no eigenvalue to draw")
            continue
        _boundaries(axes, reach)
        axes.plot(value.real, value.imag, "o", color=colour, alpha=0.75, markersize=2.6, markeredgewidth=0)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-reach, reach)
        axes.set_aspect("equal")
        axes.set_xlabel(r"Re $\lambda$")
        axes.annotate(
            rf"max$|\lambda|$ = {np.abs(value).max():.2f},  max Re$\,\lambda$ = {value.real.max():.2f}", (0.5, 1),
            xycoords="axes fraction", xytext=(0, 2), textcoords="offset points", ha="center", va="bottom",
            color=SOFT, fontsize=5.6,
        )  # fmt: skip
        if number == 0:
            axes.set_ylabel(r"Im $\lambda$")
        if tau is not None and number == n - 1:
            _frequency_axis(axes, 1 / (2 * math.pi * tau))
    return figure


def _frequency_axis(axes: Axes, hertz: float) -> None:
    """Add the axis on the right; `hertz` is the frequency of an imaginary part of 1."""
    right = axes.secondary_yaxis("right", functions=(lambda y: np.multiply(y, hertz), lambda f: np.divide(f, hertz)))
    right.set_ylabel(r"Im $\lambda$ / 2π$\tau$ (Hz)")
    right.spines["right"].set_visible(True)


def _boundaries(axes: Axes, reach: float) -> None:
    angle = np.linspace(0, 2 * np.pi, 361)
    axes.axhline(0, color=FAINT, linewidth=0.4, zorder=0)
    axes.axvline(0, color=FAINT, linewidth=0.4, zorder=0)
    axes.plot(np.cos(angle), np.sin(angle), color=SOFT, linewidth=0.7, zorder=1)
    axes.axvline(1, color=SOFT, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    axes.axvspan(1, reach, color=FAINT, alpha=0.18, linewidth=0, zorder=0)
    axes.annotate(
        "leaky network unstable", (1, 0.98), xycoords=axes.get_xaxis_transform(), xytext=(2, 0),
        textcoords="offset points", rotation=270, ha="left", va="top", color=SOFT, fontsize=5,
    )  # fmt: skip
