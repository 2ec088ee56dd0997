"""The order of an integration method: error against time step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from cortwin.figures.style import SINGLE, SOFT, colour_of, drawing, label_log_y, label_of, new_figure, say_why_empty


@drawing
def convergence_order(
    dt: ArrayLike, errors: Mapping[str, ArrayLike], *, slope: float | None = None, order: int = 1
) -> Figure:
    """Draw errors against the time step on logarithmic axes, beside the line of the expected order.

    Parameters
    ----------
    dt : (n,) array_like of seconds
    errors : name -> (n,) array_like, error relative to the reference's standard deviation
    slope : fitted slope, written beside the curve
    order : order of the method, the slope of the guide

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a curve has not one error per time step.
    """
    steps = np.asarray(dt, dtype=np.float64).ravel()
    figure = new_figure(SINGLE, 0.78 * SINGLE)
    axes = figure.add_subplot()
    curves = {}
    for name, values in errors.items():
        error = np.asarray(values, dtype=np.float64).ravel()
        if error.shape != steps.shape:
            raise ValueError(f"convergence_order: {error.size} errors of {name} at {steps.size} time steps")
        valid = np.isfinite(error) & (error > 0) & (steps > 0)
        if valid.any():
            order_of_steps = np.argsort(steps[valid])
            curves[name] = (1e3 * steps[valid][order_of_steps], error[valid][order_of_steps])
    if not curves:
        say_why_empty(axes, "no finite error to draw")
        return figure
    x, y = next(iter(curves.values()))
    # Below the first curve, so that parallel is seen as parallel.
    guide = 0.55 * y[-1] * (x / x[-1]) ** order
    axes.plot(x, guide, color=SOFT, linewidth=0.7, linestyle=(0, (4, 2)))
    middle = len(x) // 2
    axes.annotate(
        f"slope {order}", (x[middle], guide[middle]), xytext=(4, -3), textcoords="offset points", color=SOFT, va="top"
    )
    for number, (name, (at, error)) in enumerate(curves.items()):
        axes.plot(at, error, "o-", color=colour_of(name, number), label=label_of(name))
    axes.set_xscale("log")
    axes.set_yscale("log")
    if slope is not None and np.isfinite(slope):
        axes.annotate(
            f"fitted slope {slope:.3f}", (x[middle], y[middle]), xytext=(-5, 4), textcoords="offset points",
            ha="right", va="bottom", color=colour_of(next(iter(curves))),
        )  # fmt: skip
    if len(curves) > 1:
        axes.legend(loc="upper left")
    axes.set_xticks(np.unique(1e3 * steps[steps > 0]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    label_log_y(axes)
    axes.margins(x=0.06)
    axes.set_xlabel("time step (ms)")
    axes.set_ylabel("error against an adaptive solver (NRMSE)")
    return figure
