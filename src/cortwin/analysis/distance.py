"""Distance between two activities of the same units."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cortwin.activity import require_same_grid
from cortwin.analysis.checks import is_constant, require_activity
from cortwin.analysis.undefined import Undefined


def _pair(reference: xr.DataArray, other: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    values = require_activity(reference), require_activity(other)
    require_same_grid(reference, other)
    if reference.shape[2] != other.shape[2]:
        raise ValueError(
            f"{reference.name or 'reference'} has {reference.shape[2]} units, {other.name or 'other'} {other.shape[2]}"
        )
    return values


def nrmse(reference: xr.DataArray, other: xr.DataArray) -> float:
    """Return the RMS of the difference over the standard deviation of the reference.

    Both are taken over all trials, times and units at once.

    Parameters
    ----------
    reference, other : (trial, time, unit) DataArray on one grid

    Returns
    -------
    float
        `Undefined` where the reference is constant.

    Raises
    ------
    ValueError
        If the two differ in time step, times, trials, units, or hold values that are not finite.
    """
    a, b = _pair(reference, other)
    if is_constant(a):
        return Undefined(f"{reference.name or 'reference'}: is constant")
    return float(np.sqrt(np.mean((b - a) ** 2)) / np.std(a))


def correlation_per_unit(reference: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Return each unit's Pearson correlation over all trials and times.

    Parameters
    ----------
    reference, other : (trial, time, unit) DataArray on one grid

    Returns
    -------
    (unit,) DataArray
        NaN where a unit is constant in either; ``attrs["reason"]`` says how many.

    Raises
    ------
    ValueError
        As `nrmse`.
    """
    a, b = (x.reshape(-1, x.shape[2]) for x in _pair(reference, other))
    undefined = is_constant(a, axis=0) | is_constant(b, axis=0)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    product = np.sqrt(np.sum(a**2, axis=0) * np.sum(b**2, axis=0))
    values = np.where(undefined, np.nan, np.sum(a * b, axis=0) / np.where(undefined, 1.0, product))
    reason = f"{np.count_nonzero(undefined)} of {undefined.size} units are constant" if undefined.any() else ""
    return xr.DataArray(values, dims=[reference.dims[2]], attrs={"units": "1", "reason": reason}, name="correlation")
