"""Run a network by itself: for a duration, without inputs, as large sparse networks mostly are.

The spikes of each population come apart, as (event,) arrays. Everything else is as in `cortwin.simulation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from cortwin.activity import activity
from cortwin.builder import Layout, pathway_arrays, spike_monitors, synapses_of
from cortwin.connectivity import Connections
from cortwin.errors import CortwinError
from cortwin.model import Model, Writing
from cortwin.simulation import simulate


@dataclass(frozen=True)
class NetworkRun:
    """What a network did by itself.

    Parameters
    ----------
    spikes : by population, each a Dataset of (event,) arrays ``trial``, ``unit`` (the population's own numbers) and
        ``time`` in seconds, with ``n_units``, ``n_trials``, ``duration`` and ``dt`` in its attributes
    activity : by name, (trial, time, unit); empty where the writing records none
    seconds, build_seconds : wall time of the run without the build, and of the build (0 when cached)
    stepping_seconds : what the steps alone took, without drawing the network; NaN where the engine does not tell
    code_objects : which template each part of the program got, as in `cortwin.simulation.Simulation`
    """

    spikes: Mapping[str, xr.Dataset]
    activity: xr.Dataset
    seconds: float
    build_seconds: float
    stepping_seconds: float = float("nan")
    code_objects: tuple[Mapping[str, str], ...] = ()

    def rate(self, population: str) -> float:
        """Return the mean firing rate of a population in Hz."""
        spikes = self.spikes[population]
        duration = spikes.attrs["n_trials"] * spikes.attrs["duration"]
        return spikes.sizes["event"] / (spikes.attrs["n_units"] * duration)


def run_network(
    model: Model,
    writing: str = "spiking",
    values: Mapping[str, Any] | None = None,
    *,
    duration: float | None = None,
    dt: float,
    inputs: xr.DataArray | None = None,
    seed: int = 0,
    threads: int = 1,
    record_dt: float | None = None,
    engine: str = "cpp",
    profile: str = "release",
    timeout: float | None = None,
) -> NetworkRun:
    """Simulate one trial of a writing, in silence or with an input.

    Parameters
    ----------
    model, writing : what is simulated
    values : array by name, shapes as in ``model.shapes``; None where there are none
    duration : simulated time in seconds, a multiple of dt; that of the inputs where there are some
    dt : integration step in seconds
    inputs : (1, time, input) DataArray; every sample is held for its dt. None for silence
    seed : of what the page draws: connections, weights, delays, initial states
    record_dt : seconds between recorded samples of the activity; dt when None
    threads, engine, profile, timeout : as in `cortwin.simulation.simulate`

    Raises
    ------
    CortwinError
        For a duration that cannot be had, and as in `cortwin.simulation.simulate`.
    RunFailed
        When the run ended without results that can be believed.
    """
    text = model.writing(writing)
    if inputs is None:
        if duration is None or not (np.isfinite(duration) and duration > 0):
            raise CortwinError(f"the duration is {duration} s, must be positive")
        # One silent sample: no equation hears it.
        inputs = activity(np.zeros((1, 1, 1)), dt=duration, last="input")
    elif duration is not None or inputs.sizes.get("trial") != 1:
        raise CortwinError("inputs of a network are one trial, and say for how long it runs: leave out the duration")
    found = simulate(
        model,
        writing,
        values or {},
        inputs,
        dt=dt,
        record_dt=dt if record_dt is None else record_dt,
        spikes=bool(text.spikes),
        engine=engine,
        profile=profile,
        batch=1,
        seed=seed,
        threads=threads,
        timeout=timeout,
    )
    sizes = model.sizes(values or {}) | {"inputs": inputs.sizes["input"]}
    spikes = {} if found.spikes is None else _apart(found.spikes, text, sizes)
    costs = found.seconds, found.build_seconds, found.stepping_seconds, found.code_objects
    return NetworkRun(spikes, found.activity, *costs)


def connections_of(
    model: Model,
    pathway: str,
    writing: str = "spiking",
    values: Mapping[str, Any] | None = None,
    *,
    dt: float,
    seed: int = 0,
) -> Connections:
    """Return the synapses of a pathway as arrays: the very ones that a run of the same seed has, in every engine.

    Parameters
    ----------
    model, writing, values : what is simulated
    pathway : its name
    dt : integration step in seconds, to which delays are rounded
    seed : as of `run_network`

    Raises
    ------
    CortwinError
        When there is no such pathway, or its rule cannot be met.
    """
    text, given = model.writing(writing), values or {}
    if pathway not in text.pathways:
        raise CortwinError(f"{model.name}: there is no pathway '{pathway}'; there are {', '.join(text.pathways)}")
    where = f"{model.name}, {writing} writing, {pathway}"
    layout = Layout.of_one_trial(model.sizes(given), dt=dt, steps=1)
    data = pathway_arrays(pathway, model, text, layout, given, seed, where)
    return synapses_of(pathway, model, text, layout, data, where)


def _apart(spikes: xr.Dataset, text: Writing, sizes: Mapping[str, int]) -> dict[str, xr.Dataset]:
    """Give each population its own spikes, with its own numbers of units."""
    found, first = {}, 0
    for name in spike_monitors(text):
        size = text.populations[name].size
        n = size if isinstance(size, int) else sizes[size]
        own = spikes.isel(event=(spikes["unit"] >= first) & (spikes["unit"] < first + n))
        found[name] = own.assign(unit=own["unit"] - first).assign_attrs(n_units=n)
        first += n
    return found
