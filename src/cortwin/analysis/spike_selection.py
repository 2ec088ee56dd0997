"""A part of a table of spikes: a stretch of time, or some of the neurons."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cortwin.activity import GRID_TOLERANCE
from cortwin.analysis.spikes import require_spikes


def spikes_between(spikes: xr.Dataset, start: float, end: float) -> xr.Dataset:
    """Return the spikes from one time on and before another, as a table of that stretch.

    Parameters
    ----------
    spikes : Dataset of events
    start, end : seconds

    Raises
    ------
    ValueError
        If the stretch is empty or reaches beyond the spikes' own.
    """
    require_spikes(spikes)
    first, slack = spikes.attrs["t_start"], GRID_TOLERANCE * spikes.attrs["dt"]
    if not first - slack <= start < end <= first + spikes.attrs["duration"] + slack:
        raise ValueError(
            f"spikes_between: {start}..{end} s, the spikes are of {first}..{first + spikes.attrs['duration']} s"
        )
    time = spikes["time"].to_numpy()
    inside = (time >= start - slack) & (time < end - slack)
    return spikes.isel(event=np.flatnonzero(inside)).assign_attrs(t_start=start, duration=end - start)


def spikes_of(spikes: xr.Dataset, units: ArrayLike) -> xr.Dataset:
    """Return the spikes of some neurons, which are numbered in the order given.

    Parameters
    ----------
    spikes : Dataset of events
    units : (n,) array_like of int

    Raises
    ------
    ValueError
        If there is no such neuron, or one is named twice.
    """
    require_spikes(spikes)
    chosen, n_units = np.asarray(units, dtype=np.int64), int(spikes.attrs["n_units"])
    if not chosen.size or chosen.min() < 0 or chosen.max() >= n_units or np.unique(chosen).size != chosen.size:
        raise ValueError(f"spikes_of: {chosen.size} neurons, must be different ones of 0..{n_units - 1}")
    place = np.full(n_units, -1)
    place[chosen] = np.arange(chosen.size)
    own = place[spikes["unit"].to_numpy()]
    kept = np.flatnonzero(own >= 0)
    return spikes.isel(event=kept).assign(unit=("event", own[kept])).assign_attrs(n_units=int(chosen.size))
