"""Soft normalisation: units of very different rates on comparable scales."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cortwin.analysis.checks import require_activity


def soft_normalise(activity: xr.DataArray, softening: float = 5.0) -> xr.DataArray:
    """Divide each unit by its range plus a constant, so that strong units count alike and weak ones do not grow.

    The range is the maximum minus the minimum over all conditions and all times that are given: normalise first, cut
    a window afterwards.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray
    softening : the constant, in the activity's own unit; 5 Hz is the field's choice for rates

    Raises
    ------
    ValueError
        If the softening is negative or not finite.

    References
    ----------
    Churchland, Cunningham, Kaufman et al. 2012, doi:10.1038/nature11129
    """
    values = require_activity(activity)
    if not (np.isfinite(softening) and softening >= 0):
        raise ValueError(f"softening: must be 0 or more, got {softening}")
    scale = np.ptp(values, axis=(0, 1)) + softening
    scale[scale == 0.0] = 1.0  # a constant unit without softening: nothing to scale
    return activity.copy(data=values / scale).assign_attrs(units="1")
