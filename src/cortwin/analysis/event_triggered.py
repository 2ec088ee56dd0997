"""What a population does around events."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cortwin.analysis.spikes import require_spikes


def event_triggered_rate(
    spikes: xr.Dataset, events: ArrayLike, *, before: float, after: float, bin_width: float
) -> xr.DataArray:
    """Return the population's rate around each event.

    Parameters
    ----------
    spikes : Dataset of events, of one trial
    events : (event,) array_like of seconds
    before, after : seconds that are counted on either side, multiples of the bin
    bin_width : seconds

    Returns
    -------
    (trial, time) DataArray in Hz, a trial for each event; times are those of the bins' centres after the event

    Raises
    ------
    ValueError
        For several trials, no event, or a time that the bins do not fit into.
    """
    require_spikes(spikes)
    times = np.atleast_1d(np.asarray(events, dtype=np.float64))
    counts = [round(before / bin_width), round(after / bin_width)]
    misfit = max(abs(counts[0] * bin_width - before), abs(counts[1] * bin_width - after))
    if spikes.attrs["n_trials"] != 1 or not times.size or misfit > 1e-6 * bin_width or sum(counts) < 1:
        raise ValueError(
            f"event_triggered_rate: {spikes.attrs['n_trials']} trials, {times.size} events, {before} and {after} s in "
            f"bins of {bin_width} s; expected one trial, an event, and whole bins"
        )
    # Edges a little early: a spike on an edge belongs to the bin that it opens.
    edges = (np.arange(-counts[0], counts[1] + 1) - 1e-6) * bin_width
    ordered = np.sort(spikes["time"].to_numpy())
    below = np.searchsorted(ordered, times[:, None] + edges)
    rate = np.diff(below, axis=1) / (bin_width * spikes.attrs["n_units"])
    centres = bin_width * (np.arange(-counts[0], counts[1]) + 0.5)
    return xr.DataArray(
        rate,
        dims=("trial", "time"),
        coords={"time": ("time", centres, {"units": "s"})},
        attrs={"dt": float(bin_width), "units": "Hz"},
        name="event_triggered_rate",
    )
