"""Labelled activity, the one container that every writing and every recording shares.

Activity is an `xarray.DataArray` with the dimensions ``(trial, time, unit)``, a coordinate ``time`` in seconds, and the
attributes ``dt`` (seconds between samples) and ``units`` (a string such as ``"1"`` or ``"Hz"``). Inputs and outputs are
the same thing with ``input`` or ``output`` as the last dimension.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

# Two samples are taken for simultaneous when they are closer than this fraction of dt: far above the rounding of a
# time axis of 1e6 steps (1e6 eps = 2e-10), far below any jitter that matters.
GRID_TOLERANCE = 1e-6


def activity(
    values: ArrayLike,
    *,
    dt: float,
    t_start: float = 0.0,
    units: str = "1",
    last: str = "unit",
    coordinates: Mapping[Any, object] | None = None,
    name: str | None = None,
) -> xr.DataArray:
    """Label an array of shape (trial, time, unit).

    Parameters
    ----------
    values : (n_trials, n_times, n_units) array_like
    dt : seconds between samples
    t_start : time of the first sample in seconds
    units : physical unit of the values, as text
    last : name of the last dimension: ``"unit"``, ``"input"`` or ``"output"``
    coordinates : further coordinates, for instance ``{"direction": ("trial", angles)}``
    name : name of the quantity, for instance ``"x"``

    Raises
    ------
    ValueError
        If the array has not three dimensions, holds a number that is not finite, or dt is not positive.
    """
    array = np.asarray(values, dtype=np.float64 if np.asarray(values).dtype != np.float32 else np.float32)
    label = name or "activity"
    if array.ndim != 3:
        raise ValueError(f"{label}: expected an array (trial, time, {last}), got shape {array.shape}")
    if not dt > 0:
        raise ValueError(f"{label}: dt must be positive, got {dt} s")
    if not np.isfinite(array).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(
            f"{label}: {np.count_nonzero(~np.isfinite(array))} values are not finite, the first at {where}"
        )
    time = t_start + dt * np.arange(array.shape[1])
    labelled = xr.DataArray(
        array,
        dims=("trial", "time", last),
        coords={"time": ("time", time, {"units": "s"}), **(coordinates or {})},
        attrs={"dt": float(dt), "units": units},
        name=name,
    )
    return labelled


def require_same_grid(first: xr.DataArray, second: xr.DataArray) -> None:
    """Refuse to compare activities of different time step, times, trials or units.

    Raises
    ------
    ValueError
        Naming the attribute and both values.
    """
    names = (first.name or "first", second.name or "second")
    if first.sizes["trial"] != second.sizes["trial"]:
        raise ValueError(f"{names[0]} has {first.sizes['trial']} trials, {names[1]} has {second.sizes['trial']}")
    if first.attrs["units"] != second.attrs["units"]:
        raise ValueError(f"{names[0]} is in {first.attrs['units']}, {names[1]} in {second.attrs['units']}")
    steps = (first.attrs["dt"], second.attrs["dt"])
    if abs(steps[0] - steps[1]) > GRID_TOLERANCE * steps[0]:
        raise ValueError(f"dt of {names[0]} is {steps[0]} s, of {names[1]} {steps[1]} s: resample one of them first")
    times = (first["time"].to_numpy(), second["time"].to_numpy())
    if times[0].shape != times[1].shape or np.abs(times[0] - times[1]).max() > GRID_TOLERANCE * steps[0]:
        raise ValueError(
            f"{names[0]} covers {times[0][0]:.6g}..{times[0][-1]:.6g} s in {times[0].size} samples, "
            f"{names[1]} {times[1][0]:.6g}..{times[1][-1]:.6g} s in {times[1].size}"
        )
