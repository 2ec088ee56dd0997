"""Exponentially filtered spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.signal import lfilter

from cortwin.activity import GRID_TOLERANCE
from cortwin.analysis.grids import grid_step
from cortwin.analysis.spikes import require_spikes


def filtered_spikes(
    spikes: xr.Dataset, tau_s: float, time: ArrayLike, coordinates: Mapping[Any, object] | None = None
) -> xr.DataArray:
    """Sample ``y(t) = sum over spikes t_k <= t of exp(-(t - t_k) / tau_s) / tau_s``.

    The kernel is causal and has area one, so that y is a rate in Hz. It starts at the spike times themselves, not at
    bins: from one sample to the next y decays by ``exp(-dt / tau_s)``, and each spike in between adds what is left of
    it. Only the spikes enter, never a membrane potential.

    Parameters
    ----------
    spikes : Dataset of events
    tau_s : time constant in seconds
    time : (time,) array_like of seconds, evenly spaced, where y is wanted
    coordinates : of the trials, for instance ``{"condition": ("trial", conditions)}``

    Returns
    -------
    (trial, time, unit) DataArray in Hz

    Raises
    ------
    ValueError
        If tau_s is not positive, the times are not evenly spaced, or the events are malformed.
    """
    require_spikes(spikes)
    if not (np.isfinite(tau_s) and tau_s > 0):
        raise ValueError(f"tau_s: must be positive, got {tau_s} s")
    times, dt = np.asarray(time, dtype=np.float64), grid_step(time)
    events = spikes["time"].to_numpy()
    # The first sample at or after the spike; a spike that comes out a rounding after its sample still belongs to it.
    index = np.maximum(np.ceil((events - times[0]) / dt - GRID_TOLERANCE).astype(np.int64), 0)
    seen = index < times.size
    index = index[seen]
    age = np.maximum(times[index] - events[seen], 0.0)
    shape = (int(spikes.attrs["n_trials"]), times.size, int(spikes.attrs["n_units"]))
    flat = np.ravel_multi_index((spikes["trial"].to_numpy()[seen], index, spikes["unit"].to_numpy()[seen]), shape)
    arriving = np.bincount(flat, weights=np.exp(-age / tau_s) / tau_s, minlength=int(np.prod(shape))).reshape(shape)
    return xr.DataArray(
        lfilter([1.0], [1.0, -np.exp(-dt / tau_s)], arriving, axis=1),
        dims=("trial", "time", "unit"),
        coords={"time": ("time", times, {"units": "s"}), **(coordinates or {})},
        attrs={"dt": dt, "units": "Hz"},
        name="filtered_spikes",
    )
