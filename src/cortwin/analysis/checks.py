"""What every analysis asks of the activity that it is given."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cortwin.activity import require_same_grid

# Averages of 1e4 equal numbers agree to about 1e4 eps = 2e-12 at worst; no activity is that flat and still of interest.
ROUNDING = 1e-12


def require_activity(activity: xr.DataArray) -> np.ndarray:
    """Return the values, float64; refuse anything but finite values over (trial, time, unit).

    Raises
    ------
    ValueError
        Naming the activity, its dimensions, or the first trial that holds a value that is not finite.
    """
    name = activity.name or "activity"
    if activity.ndim != 3 or activity.dims[:2] != ("trial", "time"):
        raise ValueError(f"{name}: expected the dimensions (trial, time, unit), got {activity.dims}")
    if activity.size == 0:
        raise ValueError(f"{name}: nothing to analyse, its shape is {activity.shape}")
    values = activity.to_numpy().astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        trial = int(np.argwhere(~finite)[0][0])
        raise ValueError(
            f"{name}: {np.count_nonzero(~finite)} values are not finite, the first in trial {trial}: drop those trials"
        )
    return values


def is_constant(values: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Tell where values do not vary along an axis, up to what averaging them leaves of rounding."""
    return np.ptp(values, axis=axis) <= ROUNDING * np.abs(values).max(axis=axis)


def require_conditions(activity: xr.DataArray, minimum: int) -> np.ndarray:
    """Return the values, float64; refuse activity that has not one row per condition, or too few of them.

    Raises
    ------
    ValueError
        If a condition occurs twice (average it first) or there are fewer than `minimum`.
    """
    values = require_activity(activity)
    name = activity.name or "activity"
    n_conditions = activity.sizes["trial"]
    if "condition" in activity.coords and np.unique(activity["condition"]).size < n_conditions:
        raise ValueError(f"{name}: a condition has several trials: average them with condition_average first")
    if n_conditions < minimum:
        raise ValueError(f"{name}: needs at least {minimum} conditions, got {n_conditions}")
    return values


def require_comparable(reference: xr.DataArray, other: xr.DataArray) -> None:
    """Refuse two activities whose rows or times do not correspond; their units may differ in number and in kind.

    Raises
    ------
    ValueError
        Naming what differs, with both values.
    """
    require_same_grid(reference, other.assign_attrs(units=reference.attrs["units"]))
    for coordinate in ("condition", "direction"):
        if coordinate in reference.coords and coordinate in other.coords:
            values = reference[coordinate].to_numpy(), other[coordinate].to_numpy()
            # Directions are angles that two programs may have computed; conditions are integers and compare exactly.
            if not np.allclose(values[0], values[1], rtol=0.0, atol=1e-9):
                row = int(np.argmax(np.abs(values[0] - values[1]) > 1e-9))
                raise ValueError(
                    f"trial {row} has {coordinate} {values[0][row]} in {reference.name or 'the reference'}, "
                    f"{values[1][row]} in {other.name or 'the other'}: bring them into one order first"
                )
