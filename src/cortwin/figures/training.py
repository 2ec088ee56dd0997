"""How training went: loss and norm of the gradient."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cortwin.figures.style import (
    COLOURS,
    INK,
    SINGLE,
    SOFT,
    drawing,
    label_log_y,
    new_figure,
    panel_letter,
    say_why_empty,
    spread,
)


@drawing
def training_curves(
    loss: ArrayLike,
    *,
    step: ArrayLike | None = None,
    validation: ArrayLike | None = None,
    validation_step: ArrayLike | None = None,
    gradient_norm: ArrayLike | None = None,
    clip: float | None = None,
    best: float | None = None,
) -> Figure:
    """Draw the loss, and the norm of the gradient below it, on logarithmic axes.

    Parameters
    ----------
    loss : (n,) array_like, training loss
    step : (n,) array_like, number of each step; 1, 2, ... when None
    validation : (m,) array_like, loss on trials that are not trained on; NaN where it was not taken
    validation_step : (m,) array_like; the steps of `loss` when None
    gradient_norm : (n,) array_like
    clip : norm above which gradients were clipped
    best : step whose weights were kept

    Returns
    -------
    Figure
    """
    values = np.asarray(loss, dtype=np.float64).ravel()
    steps = np.arange(1, values.size + 1) if step is None else np.asarray(step, dtype=np.float64)
    lines: dict[str, tuple[ArrayLike, ArrayLike]] = {"training": (steps, values)}
    if validation is not None:
        lines["validation"] = (steps if validation_step is None else validation_step, validation)
    with_gradient = gradient_norm is not None and np.asarray(gradient_norm).size > 0
    figure = new_figure(SINGLE, (0.86 if with_gradient else 0.62) * SINGLE)
    panels = figure.subplots(
        2 if with_gradient else 1, 1, sharex=True, squeeze=False, height_ratios=(1.7, 1)[: 1 + with_gradient]
    )
    panels = panels[:, 0]
    _curves(panels[0], lines, {"training": INK, "validation": COLOURS["spiking"]}, "loss")
    if best is not None:
        panels[0].axvline(best, color=SOFT, linewidth=0.5, linestyle=(0, (2, 2)))
        panels[0].annotate(
            "kept", (best, 1), xycoords=panels[0].get_xaxis_transform(), xytext=(0, 1), textcoords="offset points",
            ha="center", va="bottom", color=SOFT, fontsize=5.5,
        )  # fmt: skip
    if with_gradient:
        _curves(panels[1], {"gradient": (steps, gradient_norm)}, {"gradient": COLOURS["rate"]}, "gradient norm")
        if clip is not None:
            panels[1].axhline(clip, color=SOFT, linewidth=0.5, linestyle=(0, (2, 2)))
            panels[1].annotate(
                "clipped above", (1, clip), xycoords=panels[1].get_yaxis_transform(), xytext=(0, 1),
                textcoords="offset points", ha="right", va="bottom", color=SOFT, fontsize=5.5,
            )  # fmt: skip
        for axes, letter in zip(panels, "ab", strict=True):
            panel_letter(axes, letter)
    panels[-1].set_xlabel("training step")
    figure.align_ylabels()
    return figure


def _curves(axes: Axes, lines: dict, colours: dict[str, str], name: str) -> None:
    """Draw positive, finite values; several lines are named at their ends."""
    drawn = {}
    for label, (x, y) in lines.items():
        x, y = np.asarray(x, dtype=np.float64).ravel(), np.asarray(y, dtype=np.float64).ravel()
        if x.size != y.size:
            raise ValueError(f"training_curves: {y.size} values of {label} {name} at {x.size} steps")
        valid = np.isfinite(y) & (y > 0)
        if valid.any():
            axes.plot(x[valid], y[valid], color=colours[label], linewidth=0.9)
            drawn[label] = (x[valid][-1], y[valid][-1])
        if not np.isfinite(y[np.isfinite(x)]).all() and label != "validation":
            first = x[~np.isfinite(y)][0]
            axes.text(
                0.98,
                0.95,
                f"{name} not finite from step {first:g}",
                transform=axes.transAxes,
                ha="right",
                va="top",
                color=SOFT,
            )
    if not drawn:
        say_why_empty(axes, f"no finite {name} to draw")
        return
    axes.set_yscale("log")
    axes.margins(x=0.01)
    axes.set_ylabel(f"{name}\n(arb. units)")
    label_log_y(axes)
    if len(drawn) > 1:
        low, high = np.log(axes.get_ylim())
        ends = spread([np.log(y) for _, y in drawn.values()], 0.09 * (high - low))
        for label, height in zip(drawn, ends, strict=True):
            axes.annotate(
                label, (max(x for x, _ in drawn.values()), np.exp(height)), xytext=(3, 0), textcoords="offset points",
                color=colours[label], va="center", annotation_clip=False,
            )  # fmt: skip
