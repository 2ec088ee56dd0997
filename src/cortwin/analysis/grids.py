"""Time grids: cut a window, resample, smooth."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter1d

from cortwin.activity import GRID_TOLERANCE


def grid_step(time: ArrayLike) -> float:
    """Return the step in seconds of an evenly spaced time axis.

    Raises
    ------
    ValueError
        If there are fewer than two times, or they are not evenly spaced and ascending.
    """
    times = np.asarray(time, dtype=np.float64)
    if times.ndim != 1 or times.size < 2:
        raise ValueError(f"time: needs at least two samples along one axis, got shape {times.shape}")
    dt = (times[-1] - times[0]) / (times.size - 1)
    jitter = np.abs(times - times[0] - dt * np.arange(times.size)).max()
    if not dt > 0 or not jitter <= GRID_TOLERANCE * dt:
        raise ValueError(f"time: not evenly spaced: mean step {dt:.6g} s, largest deviation {jitter:.6g} s")
    return float(dt)


def time_window(activity: xr.DataArray, start: float, stop: float) -> xr.DataArray:
    """Cut the samples from `start` to `stop`, both included.

    Parameters
    ----------
    activity : (..., time, ...) DataArray
    start, stop : seconds on the activity's own time axis

    Raises
    ------
    ValueError
        If the activity does not cover the window.
    """
    time = activity["time"].to_numpy()
    slack = GRID_TOLERANCE * activity.attrs["dt"]
    if not (time[0] - slack <= start <= stop <= time[-1] + slack):
        raise ValueError(
            f"{activity.name or 'activity'}: covers {time[0]:.6g}..{time[-1]:.6g} s, not the window {start}..{stop} s"
        )
    return activity.isel(time=np.flatnonzero((time >= start - slack) & (time <= stop + slack)))


def resample(activity: xr.DataArray, time: ArrayLike) -> xr.DataArray:
    """Interpolate linearly to other times; smooth first when the new grid is coarser than the signal.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray
    time : (time,) array_like of seconds, evenly spaced

    Raises
    ------
    ValueError
        If a time lies outside the activity (nothing is extrapolated) or the times are not evenly spaced.
    """
    dt = grid_step(time)
    times = np.asarray(time, dtype=np.float64)
    old = activity["time"].to_numpy()
    slack = GRID_TOLERANCE * activity.attrs["dt"]
    if times[0] < old[0] - slack or times[-1] > old[-1] + slack:
        raise ValueError(
            f"{activity.name or 'activity'}: covers {old[0]:.6g}..{old[-1]:.6g} s, "
            f"asked for {times[0]:.6g}..{times[-1]:.6g} s"
        )
    right = np.clip(np.searchsorted(old, times), 1, old.size - 1)
    weight = np.clip((times - old[right - 1]) / (old[right] - old[right - 1]), 0.0, 1.0)[:, None]
    values = activity.to_numpy().astype(np.float64)
    coordinates = {name: c for name, c in activity.coords.items() if "time" not in c.dims}
    return xr.DataArray(
        (1.0 - weight) * values[:, right - 1] + weight * values[:, right],
        dims=activity.dims,
        coords={"time": ("time", times, activity["time"].attrs), **coordinates},
        attrs={**activity.attrs, "dt": dt},
        name=activity.name,
    )


def smooth(activity: xr.DataArray, width: float) -> xr.DataArray:
    """Convolve with a Gaussian along time; the ends are reflected, so that the area is kept.

    Parameters
    ----------
    activity : (..., time, ...) DataArray
    width : standard deviation of the Gaussian in seconds; 0 leaves the activity as it is

    Raises
    ------
    ValueError
        If the width is negative or not finite.
    """
    if not (np.isfinite(width) and width >= 0):
        raise ValueError(f"width: must be a finite number of seconds, 0 or more, got {width}")
    values = activity.to_numpy().astype(np.float64)
    axis = activity.dims.index("time")
    return activity.copy(data=gaussian_filter1d(values, width / activity.attrs["dt"], axis) if width > 0 else values)
