"""Peri-stimulus time histogram (PSTH): firing rates from spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cortwin.analysis.conditions import condition_average
from cortwin.analysis.grids import smooth
from cortwin.analysis.spikes import spike_counts


def firing_rate(
    spikes: xr.Dataset, bin_width: float, smoothing: float = 0.0, coordinates: Mapping[Any, object] | None = None
) -> xr.DataArray:
    """Return each unit's rate in each trial.

    Parameters
    ----------
    spikes : Dataset of events
    bin_width : seconds; the duration must be a multiple of it
    smoothing : standard deviation in seconds of a Gaussian; 0 for the bare histogram
    coordinates : of the trials, for instance ``{"condition": ("trial", conditions)}``

    Returns
    -------
    (trial, time, unit) DataArray in Hz, at the centres of the bins

    Raises
    ------
    ValueError
        If the events are malformed, the bins do not fit, or the smoothing is negative.
    """
    counts = spike_counts(spikes, bin_width, coordinates)
    rate = (counts / bin_width).assign_attrs(dt=float(bin_width), units="Hz").rename("rate")
    return smooth(rate, smoothing)


def psth(spikes: xr.Dataset, condition: ArrayLike, bin_width: float, smoothing: float = 0.0) -> xr.DataArray:
    """Return each unit's rate, averaged over the trials of each condition.

    Parameters
    ----------
    spikes : Dataset of events
    condition : (trial,) array_like of int, the condition of each trial
    bin_width, smoothing : as in `firing_rate`

    Returns
    -------
    (trial, time, unit) DataArray in Hz, one row per condition

    Raises
    ------
    ValueError
        As `firing_rate`; or if there is not one condition per trial.
    """
    conditions = np.asarray(condition)
    if conditions.shape != (spikes.attrs["n_trials"],):
        raise ValueError(f"condition: expected one per trial, ({spikes.attrs['n_trials']},), got {conditions.shape}")
    return condition_average(firing_rate(spikes, bin_width, smoothing, {"condition": ("trial", conditions)}))
