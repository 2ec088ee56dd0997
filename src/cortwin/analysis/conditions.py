"""Averages over trials of a condition, and over conditions."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cortwin.analysis.checks import require_activity


def condition_average(activity: xr.DataArray) -> xr.DataArray:
    """Average the trials of each condition.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray with a coordinate ``condition`` on ``trial``

    Returns
    -------
    (trial, time, unit) DataArray
        One row per condition, in ascending order. Coordinates on ``trial`` that are the same in all trials of a
        condition, such as ``direction``, are kept; ``n_trials`` counts the trials.

    Raises
    ------
    ValueError
        If there is no coordinate ``condition``, or a value is not finite.
    """
    values = require_activity(activity)
    if "condition" not in activity.coords or activity["condition"].dims != ("trial",):
        raise ValueError(f"{activity.name or 'activity'}: has no coordinate 'condition' on its trials")
    conditions, first, members = np.unique(activity["condition"].to_numpy(), return_index=True, return_inverse=True)
    mean = np.stack([values[members == k].mean(axis=0) for k in range(conditions.size)])
    averaged = xr.DataArray(
        mean, dims=activity.dims, coords={"time": activity["time"]}, attrs=activity.attrs, name=activity.name
    )
    for name, coordinate in activity.coords.items():
        if coordinate.dims == ("trial",) and np.array_equal(
            coordinate.to_numpy()[first][members], coordinate.to_numpy()
        ):
            averaged = averaged.assign_coords({name: ("trial", coordinate.to_numpy()[first], coordinate.attrs)})
        elif "trial" not in coordinate.dims:
            averaged = averaged.assign_coords({name: coordinate})
    return averaged.assign_coords(n_trials=("trial", np.bincount(members)))


def cross_condition_average(activity: xr.DataArray) -> xr.DataArray:
    """Replace every condition by the average over conditions.

    As a floor of a comparison it knows the time course that all conditions share, and nothing about any one of them.
    The average of the *other* conditions would not do: it falls where the condition itself rises, which a linear map
    turns into knowledge of that condition.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray, one row per condition
    """
    mean = require_activity(activity).mean(axis=0, keepdims=True)
    floor = activity.copy(data=np.repeat(mean, activity.sizes["trial"], axis=0))
    return floor.rename("cross_condition_average")


def remove_cross_condition_mean(activity: xr.DataArray) -> xr.DataArray:
    """Subtract, at each time and unit, the average over conditions.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray, one row per condition

    Raises
    ------
    ValueError
        If there is one condition only: nothing would be left.
    """
    values = require_activity(activity)
    if activity.sizes["trial"] < 2:
        raise ValueError(f"{activity.name or 'activity'}: one condition has no cross-condition mean to remove")
    return activity.copy(data=values - values.mean(axis=0))
