"""Counting spikes: the events of a spike Dataset in bins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from cortwin.activity import GRID_TOLERANCE


def require_spikes(spikes: xr.Dataset) -> None:
    """Refuse a Dataset that is not a table of spikes.

    Raises
    ------
    ValueError
        Naming the variable or attribute that is missing, or the first event that lies outside.
    """
    missing = [name for name in ("trial", "unit", "time") if name not in spikes] + [
        name for name in ("n_trials", "n_units", "t_start", "duration", "dt") if name not in spikes.attrs
    ]
    if missing:
        raise ValueError(f"spikes: without {', '.join(missing)}; there must be trial, unit and time over events")
    if spikes.attrs["n_trials"] < 1 or spikes.attrs["n_units"] < 1 or not spikes.attrs["duration"] > 0:
        raise ValueError(
            f"spikes: {spikes.attrs['n_trials']} trials of {spikes.attrs['n_units']} units "
            f"over {spikes.attrs['duration']} s: nothing to analyse"
        )
    start, slack = spikes.attrs["t_start"], GRID_TOLERANCE * spikes.attrs["dt"]
    limits = {
        "trial": (0, spikes.attrs["n_trials"] - 1),
        "unit": (0, spikes.attrs["n_units"] - 1),
        "time": (start - slack, start + spikes.attrs["duration"] + slack),
    }
    for name, (low, high) in limits.items():
        values = spikes[name].to_numpy()
        outside = ~((values >= low) & (values <= high))  # NaN is outside too
        if outside.any():
            event = int(np.argmax(outside))
            raise ValueError(f"spikes: {name} of event {event} is {values[event]}, outside {low}..{high}")


def spike_counts(spikes: xr.Dataset, bin_width: float, coordinates: Mapping[Any, object] | None = None) -> xr.DataArray:
    """Count the spikes of each unit in each trial and bin.

    A bin holds its left edge and not its right one; its time is its centre.

    Parameters
    ----------
    spikes : Dataset of events
    bin_width : seconds; the duration must be a multiple of it
    coordinates : of the trials, for instance ``{"condition": ("trial", conditions)}``

    Returns
    -------
    (trial, time, unit) DataArray

    Raises
    ------
    ValueError
        If the events are malformed or the bins do not fit into the duration.
    """
    require_spikes(spikes)
    index, n_bins = _bins(spikes, bin_width)
    shape = (int(spikes.attrs["n_trials"]), n_bins, int(spikes.attrs["n_units"]))
    flat = np.ravel_multi_index((spikes["trial"].to_numpy(), index, spikes["unit"].to_numpy()), shape)
    counts = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)
    return xr.DataArray(
        counts,
        dims=("trial", "time", "unit"),
        coords={"time": _bin_centres(spikes, bin_width, n_bins), **(coordinates or {})},
        attrs={"dt": float(bin_width), "units": "1"},
        name="spike_count",
    )


def population_rate(spikes: xr.Dataset, bin_width: float) -> xr.DataArray:
    """Return the spikes per second and neuron in each trial and bin.

    Parameters
    ----------
    spikes : Dataset of events
    bin_width : seconds; the duration must be a multiple of it

    Returns
    -------
    (trial, time) DataArray in Hz

    Raises
    ------
    ValueError
        As `spike_counts`.
    """
    require_spikes(spikes)
    index, n_bins = _bins(spikes, bin_width)
    shape = (int(spikes.attrs["n_trials"]), n_bins)
    flat = np.ravel_multi_index((spikes["trial"].to_numpy(), index), shape)
    rate = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape) / (spikes.attrs["n_units"] * bin_width)
    return xr.DataArray(
        rate,
        dims=("trial", "time"),
        coords={"time": _bin_centres(spikes, bin_width, n_bins)},
        attrs={"dt": float(bin_width), "units": "Hz"},
        name="population_rate",
    )


def _bins(spikes: xr.Dataset, bin_width: float) -> tuple[np.ndarray, int]:
    duration = spikes.attrs["duration"]
    n_bins = round(duration / bin_width) if bin_width > 0 else 0
    if n_bins < 1 or abs(n_bins * bin_width - duration) > GRID_TOLERANCE * bin_width * n_bins:
        raise ValueError(f"bin_width: {bin_width} s does not divide the duration of {duration} s")
    # A spike on an edge may come out a rounding below it; it belongs to the bin that the edge opens.
    position = (spikes["time"].to_numpy() - spikes.attrs["t_start"]) / bin_width
    index = np.floor(position + GRID_TOLERANCE).astype(np.int64)
    return np.clip(index, 0, n_bins - 1), n_bins


def _bin_centres(spikes: xr.Dataset, bin_width: float, n_bins: int) -> tuple[str, np.ndarray, dict[str, str]]:
    return "time", spikes.attrs["t_start"] + bin_width * (np.arange(n_bins) + 0.5), {"units": "s"}
