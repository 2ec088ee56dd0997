"""A writing as plain Brian2 objects, for a session of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brian2
import xarray as xr

from cortwin.builder import arrays, layout_of, objects
from cortwin.model import Model


def brian2_network(
    model: Model,
    writing: str,
    values: Mapping[str, Any],
    inputs: xr.DataArray,
    *,
    dt: float,
    neurons_per_unit: int = 1,
    record_dt: float | None = None,
) -> brian2.Network:
    """Return the Brian2 objects of a writing on some trials, ready to run on the active device.

    They are those that cortwin compiles: every population and pathway by its name, ``recorded_POPULATION`` (a
    StateMonitor of the activity, sample k at the time k record_dt, before the step that begins there) and ``spikes`` or
    ``spikes_POPULATION`` (SpikeMonitors), for instance ``network["spikes"]``. All trials run at once: elements
    ``k n`` to ``(k + 1) n - 1`` of a population of n elements are those of trial k. A run of the inputs' duration gives
    the spikes of `cortwin.simulation.simulate`; the last sample of the activity needs one dt more.

    Parameters
    ----------
    model, writing, values : what is simulated, as in `cortwin.simulation.simulate`
    inputs : (trial, time, input) DataArray; every sample is held for its dt
    dt : integration step in seconds
    neurons_per_unit : LIF neurons that stand for one unit
    record_dt : seconds between recorded samples, the inputs' dt when None

    Returns
    -------
    brian2.Network

    Raises
    ------
    CortwinError
        For input that does not fit.
    """
    layout = layout_of(
        model,
        values,
        inputs,
        dt=dt,
        neurons_per_unit=neurons_per_unit,
        record_dt=record_dt,
        spikes=bool(model.writing(writing).spikes),
        trials=inputs.sizes["trial"],
    )
    data = arrays(model, writing, layout, values, inputs.to_numpy())
    return objects(model, writing, layout, data, counting=False)
