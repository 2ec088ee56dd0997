"""Cosine tuning to the direction of movement."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cortwin.analysis.checks import is_constant, require_activity
from cortwin.analysis.grids import time_window


def cosine_tuning(activity: xr.DataArray, start: float | None = None, stop: float | None = None) -> xr.Dataset:
    """Fit ``baseline + depth * cos(direction - preferred_direction)`` to each unit's mean activity.

    With ``b_x = depth cos(preferred)`` and ``b_y = depth sin(preferred)`` the model is linear in (baseline, b_x, b_y),
    so that least squares has a closed form.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray with a coordinate ``direction`` in radians on ``trial``
    start, stop : window in seconds over which activity is averaged; the whole time if left out

    Returns
    -------
    Dataset over ``unit``
        ``baseline`` and ``depth`` (the activity's unit), ``preferred_direction`` (radians, in (-pi, pi]), ``r2``. The
        preferred direction and r2 of a unit that does not vary are NaN, and ``attrs["reason"]`` counts them.

    Raises
    ------
    ValueError
        If there is no coordinate ``direction``, or the directions do not determine the three coefficients.

    References
    ----------
    Georgopoulos, Kalaska, Caminiti & Massey 1982, doi:10.1523/JNEUROSCI.02-11-01527.1982
    """
    require_activity(activity)
    name = activity.name or "activity"
    if "direction" not in activity.coords or activity["direction"].dims != ("trial",):
        raise ValueError(f"{name}: has no coordinate 'direction' on its trials")
    time = activity["time"].to_numpy()
    part = time_window(activity, time[0] if start is None else start, time[-1] if stop is None else stop)
    mean = require_activity(part).mean(axis=1)
    theta = activity["direction"].to_numpy()
    design = np.stack([np.ones_like(theta), np.cos(theta), np.sin(theta)], axis=1)
    if np.linalg.matrix_rank(design) < 3:
        raise ValueError(f"{name}: tuning needs at least three different directions, got {np.unique(theta).tolist()}")
    baseline, b_x, b_y = coefficients = np.linalg.lstsq(design, mean, rcond=None)[0]
    residual = np.sum((mean - design @ coefficients) ** 2, axis=0)
    total = np.sum((mean - mean.mean(axis=0)) ** 2, axis=0)
    constant = is_constant(mean, axis=0)
    preferred = np.where(constant, np.nan, np.arctan2(b_y, b_x))
    r2 = np.where(constant, np.nan, 1.0 - residual / np.where(constant, 1.0, total))
    units = activity.attrs["units"]
    unit = activity.dims[2]
    return xr.Dataset(
        {
            "baseline": (unit, baseline, {"units": units}),
            "depth": (unit, np.hypot(b_x, b_y), {"units": units}),
            "preferred_direction": (unit, preferred, {"units": "rad"}),
            "r2": (unit, r2, {"units": "1"}),
        },
        attrs={
            "reason": f"{np.count_nonzero(constant)} of {constant.size} units do not vary" if constant.any() else ""
        },
    )
