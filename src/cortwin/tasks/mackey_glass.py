"""The Mackey-Glass series: a delayed feedback that is chaotic when the delay is long."""

from __future__ import annotations

import math

import numpy as np

from cortwin.errors import CortwinError


def mackey_glass(
    samples: int,
    *,
    start: float = 1.2,
    tau: float = 17.0,
    beta: float = 0.2,
    gamma: float = 0.1,
    n: float = 10.0,
    every: float = 1.0,
    step: float = 0.1,
    discard: float = 500.0,
) -> np.ndarray:
    """Integrate ``dx/dt = beta x(t - tau) / (1 + x(t - tau)^n) - gamma x`` and sample it.

    The classical Runge-Kutta method on a grid that holds the delay. Half a step back, where it asks for the past too,
    the past is the cubic through two grid points with their slopes, so that the error falls with the fourth power of
    the step. Time has no unit.

    Parameters
    ----------
    samples : number of samples
    start : x until time 0
    tau, beta, gamma, n : delay, production, decay and steepness; with these the series is chaotic
    every : time between samples
    step : of the integration; divides `tau`, `every` and `discard`
    discard : time that is left out at the beginning

    Returns
    -------
    (samples,) ndarray

    Raises
    ------
    CortwinError
        If a number is not finite or out of its range, or the step does not divide the times.

    References
    ----------
    Mackey & Glass 1977, doi:10.1126/science.267326
    """
    numbers = {"start": start, "tau": tau, "beta": beta, "gamma": gamma, "n": n, "every": every, "step": step}
    for name, value in numbers.items():
        if not math.isfinite(value) or value <= 0:
            raise CortwinError(f"mackey_glass: {name} must be finite and positive, got {value:g}")
    if samples < 1:
        raise CortwinError(f"mackey_glass: samples must be at least 1, got {samples}")
    lag, stride, first = (
        _steps(name, time, step) for name, time in (("tau", tau), ("every", every), ("discard", discard))
    )
    total = first + (samples - 1) * stride

    def production(past: float) -> float:
        return beta * past / (1 + past**n)

    # Entry k + lag is time k: the constant past lies in front.
    x = np.full(lag + total + 1, start)
    slope = np.zeros(lag + total + 1)
    # Time 0 has two slopes, 0 of the constant past and this one; an interval takes that of its own side.
    slope[lag] = production(start) - gamma * start
    for k in range(lag, lag + total):
        old, new = x[k - lag], x[k - lag + 1]
        left, right = slope[k - lag], (0.0 if k - lag + 1 == lag else slope[k - lag + 1])
        before, after = production(old), production(new)
        middle = production((old + new) / 2 + step / 8 * (left - right))
        k1 = before - gamma * x[k]
        k2 = middle - gamma * (x[k] + step / 2 * k1)
        k3 = middle - gamma * (x[k] + step / 2 * k2)
        k4 = after - gamma * (x[k] + step * k3)
        x[k + 1] = x[k] + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        slope[k + 1] = after - gamma * x[k + 1]
    return x[lag + first :: stride].copy()


def _steps(name: str, time: float, step: float) -> int:
    steps = round(time / step)
    if time < 0 or abs(time / step - steps) > 1e-6:
        raise CortwinError(f"mackey_glass: {name} must be a multiple of the step {step:g}, 0 or more, got {time:g}")
    return steps
