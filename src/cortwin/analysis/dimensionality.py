"""How many dimensions activity fills."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cortwin.analysis.checks import is_constant, require_activity
from cortwin.analysis.undefined import Undefined


def participation_ratio(activity: xr.DataArray) -> float:
    """Return (sum of the covariance's eigenvalues)^2 / (sum of their squares).

    It is n where variance is shared equally by n dimensions, 1 where one dimension has it all. The covariance is that
    of the units over all times and trials.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray; rates are usually put through `soft_normalise` first

    Returns
    -------
    float
        `Undefined` where no unit varies.

    References
    ----------
    Gao et al. 2017, doi:10.1101/214262
    """
    samples = require_activity(activity).reshape(-1, activity.shape[2])
    if is_constant(samples, axis=0).all():
        return Undefined(f"{activity.name or 'activity'}: no unit varies")
    centred = samples - samples.mean(axis=0)
    gram = centred.T @ centred if samples.shape[1] <= samples.shape[0] else centred @ centred.T
    # trace(C)^2 / ||C||_F^2 is the ratio without the eigenvalues.
    return float(np.trace(gram) ** 2 / np.sum(gram**2))
