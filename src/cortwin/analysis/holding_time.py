"""For how long a network holds a value that was written into it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

# Shorter than a sample and longer than this many records, a time constant cannot be told from what was recorded.
LONGEST = 100.0


def holding_time(held: ArrayLike, first: ArrayLike, dt: float) -> float:
    """Fit an exponential decay to values that were written at time 0, each in units of itself.

    The least squares of ``held_k / first - exp(-t / T)`` over all values and times, ``t = dt, 2 dt, ...``.

    Parameters
    ----------
    held : (time, value) array_like, sample k at time ``(k + 1) dt``
    first : (value,) array_like, what was written; not 0
    dt : seconds between samples

    Returns
    -------
    float
        T in seconds; at most `LONGEST` times the record, which stands for no decay at all.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, or a written value is 0.
    """
    values, written = np.asarray(held, dtype=float), np.asarray(first, dtype=float)
    if values.ndim != 2 or written.shape != values.shape[1:]:
        raise ValueError(
            f"holding_time: held must be (time, value), first (value,), got {values.shape}, {written.shape}"
        )
    if not (np.isfinite(values).all() and np.isfinite(written).all()):
        raise ValueError("holding_time: held or first is not finite")
    if not written.all():
        raise ValueError("holding_time: a value that was written is 0, and cannot be told from one that was forgotten")
    time = dt * np.arange(1, len(values) + 1)
    # Every value has the same curve, so that their mean has the same minimum.
    mean = (values / written).mean(axis=1)

    def misfit(rate: float) -> float:
        return float(((mean - np.exp(-rate * time)) ** 2).sum())

    # Over the rate, which is 0 where nothing decays.
    slowest, fastest = 1 / (LONGEST * time[-1]), 5 / dt
    grid = np.geomspace(slowest, fastest, 200)
    best = int(np.argmin([misfit(rate) for rate in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    found = minimize_scalar(misfit, bounds=(low, high), method="bounded", options={"xatol": 1e-12 * high})
    return 1 / float(found.x)
