"""Do the two compilers agree? Numbers for every run, because nothing else holds if they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from cortwin.activity import activity
from cortwin.model import Model
from cortwin.simulation import simulate


def largest_difference(first: Any, second: Any) -> float:
    """Return the largest absolute difference of any recorded variable of two simulations or rungs at any time."""
    return max(float(np.abs(first.activity[name] - second.activity[name]).max()) for name in first.activity)


def different_spikes(first: xr.Dataset, second: xr.Dataset) -> int:
    """Return how many spikes, by trial, neuron and time step, are in one table of events only."""

    def events(spikes: xr.Dataset) -> set[tuple[int, int, int]]:
        step = np.rint(spikes["time"].to_numpy() / spikes.attrs["dt"]).astype(np.int64)
        return set(
            zip(spikes["trial"].to_numpy().tolist(), spikes["unit"].to_numpy().tolist(), step.tolist(), strict=True)
        )

    return len(events(first) ^ events(second))


def compare_compilers(
    models: Sequence[Model],
    seeds: Sequence[np.random.SeedSequence],
    *,
    units: int = 200,
    duration: float = 1.0,
    dt: float = 1e-4,
) -> dict[str, int]:
    """Run recurrent spiking networks in C++ (strict profile) and in XLA and count the spikes that differ.

    Parameters
    ----------
    models : with a spiking writing, for instance one per integration method
    seeds : one network and input per seed and model
    units, duration, dt : size; seconds

    Returns
    -------
    dict with ``spikes`` (all that C++ found), ``different`` and ``networks``
    """
    counts = {"networks": 0, "spikes": 0, "different": 0}
    for model in models:
        for seed in seeds:
            generator = np.random.default_rng(seed)
            parameters = model.initial(generator, 2, units)
            steps = generator.standard_normal((1, round(duration / 0.01), 2)).cumsum(axis=1)
            inputs = activity(0.3 * steps, dt=0.01, last="input", name="input")
            found: list[Any] = [
                simulate(
                    model,
                    "spiking",
                    parameters._asdict(),
                    inputs,
                    dt=dt,
                    engine=engine,
                    spikes=True,
                    profile="strict",
                    batch=1,
                ).spikes
                for engine in ("cpp", "xla")
            ]
            counts["networks"] += 1
            counts["spikes"] += found[0].sizes["event"]
            counts["different"] += different_spikes(*found)
    return counts
