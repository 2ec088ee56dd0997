"""Effects of a perturbation, side by side: what it changed in each writing, and whether they reacted alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from cortwin.activity import require_same_grid
from cortwin.analysis.checks import is_constant, require_activity
from cortwin.analysis.distance import nrmse
from cortwin.analysis.undefined import Undefined


def others(activity: xr.DataArray, touched: Sequence[int]) -> xr.DataArray:
    """Return the units that were not touched; all of them where every one was, or where there is one for each output.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray
    touched : numbers of units
    """
    if activity.dims[-1] != "unit":
        return activity
    rest = np.setdiff1d(np.arange(activity.sizes["unit"]), np.asarray(touched, dtype=int))
    return activity.isel(unit=rest) if rest.size else activity


def effect_over_time(before: xr.DataArray, after: xr.DataArray) -> xr.DataArray:
    """Return the RMS over trials and units of what changed, at each time, over the standard deviation before.

    Its mean square over time is the square of `nrmse`.

    Parameters
    ----------
    before, after : (trial, time, unit) DataArray on one grid

    Returns
    -------
    (time,) DataArray
        NaN with ``attrs["reason"]`` where the activity before was constant.
    """
    a = require_activity(before)
    change = _change(before, after)
    reason = f"{before.name or 'before'}: is constant" if is_constant(a) else ""
    spread = np.nan if reason else a.std()
    rms = np.sqrt((change**2).mean(axis=(0, 2))) / spread
    return xr.DataArray(rms, dims="time", coords={"time": before["time"]}, attrs={"reason": reason})


def compare_effects(
    before: Mapping[str, xr.DataArray], after: Mapping[str, xr.DataArray], reference: str = "textbook"
) -> dict[str, dict[str, float]]:
    """Say how large an effect was in each writing, and how like that in the reference.

    With d the change of every unit at every time in every trial:

    ``size``
        RMS of d over the standard deviation of the activity before
    ``correlation``
        Pearson's, of d with the reference's d
    ``gain``
        least-squares factor g of d = g d_reference: 1 where both react as strongly
    ``distance``
        RMS of the difference of both d over the RMS of the reference's

    Parameters
    ----------
    before, after : writing -> (trial, time, unit) DataArray on one grid
    reference : the writing that the others are held against

    Returns
    -------
    dict of the four numbers by writing
        `Undefined` where there is no effect to compare with.

    Raises
    ------
    ValueError
        If writings, grids or units do not fit.
    """
    if set(before) != set(after) or reference not in before:
        raise ValueError(
            f"writings before are {', '.join(before)}, after {', '.join(after)}: the same are needed, and {reference}"
        )
    changes = {name: _change(before[name], after[name]).ravel() for name in before}
    known = changes[reference]
    found: dict[str, dict[str, float]] = {}
    for name, change in changes.items():
        if change.size != known.size:
            raise ValueError(f"{name} has {change.size} values, {reference} {known.size}")
        reason = next((f"{one}: nothing changed" for one in (reference, name) if not changes[one].any()), "")
        numbers: dict[str, Any] = dict.fromkeys(("correlation", "gain", "distance"), Undefined(reason))
        if known.any():
            numbers["gain"] = float(change @ known / (known @ known))
            numbers["distance"] = float(np.sqrt(np.sum((change - known) ** 2) / np.sum(known**2)))
        if not reason:
            flat = [one for one in (reference, name) if is_constant(changes[one])]
            numbers["correlation"] = (
                Undefined(f"{flat[0]}: everything changed alike") if flat else float(np.corrcoef(known, change)[0, 1])
            )
        found[name] = {"size": nrmse(before[name], after[name]), **numbers}
    return found


def _change(before: xr.DataArray, after: xr.DataArray) -> np.ndarray:
    a, b = require_activity(before), require_activity(after)
    require_same_grid(before, after)
    if a.shape != b.shape:
        raise ValueError(f"{before.name or 'activity'} has the shape {a.shape} before and {b.shape} after")
    return b - a
