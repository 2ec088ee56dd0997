"""Simulate a biological writing: the same call and the same labelled results for every engine.

Trials run in batches of a fixed size, one process a batch, so that a trial's numbers do not depend on the number of workers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import brian2
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cortwin import cpp
from cortwin.activity import activity
from cortwin.builder import Layout, arrays, objects
from cortwin.errors import CortwinError, RunFailed
from cortwin.model import Model

ENGINES = ("cpp", "numpy")


@dataclass(frozen=True)
class Simulation:
    """What a writing did: activity by name (trial, time, unit), spikes, and what it cost.

    ``seconds`` is the wall time of the runs without the build, ``build_seconds`` that of the build (0 when cached).
    """

    activity: xr.Dataset
    spikes: xr.Dataset | None
    seconds: float
    build_seconds: float

    @property
    def spike_count(self) -> int:
        """Number of recorded spikes."""
        return 0 if self.spikes is None else self.spikes.sizes["event"]


def simulate(
    model: Model,
    writing: str,
    values: Mapping[str, Any],
    inputs: xr.DataArray,
    *,
    dt: float,
    neurons_per_unit: int = 1,
    record_dt: float | None = None,
    spikes: bool = False,
    engine: str = "cpp",
    profile: str = "release",
    batch: int = 8,
    jobs: int = 1,
    timeout: float | None = None,
    advance: Callable[[int], None] | None = None,
) -> Simulation:
    """Simulate trials of the rate, tuning or spiking writing.

    Parameters
    ----------
    model, writing : what is simulated
    values : array by name, shapes as in ``model.shapes``
    inputs : (trial, time, input) DataArray; every sample is held for its dt
    dt : integration step in seconds
    neurons_per_unit : LIF neurons that stand for one unit
    record_dt : seconds between recorded samples, the inputs' dt when None
    spikes : whether every spike is recorded
    engine : ``"cpp"`` (compiled) or ``"numpy"`` (Brian2's own interpreter; needs no compiler)
    profile : compiler profile, ``"release"`` or ``"strict"``
    batch : trials per process, whatever the number of workers
    jobs : processes at a time
    timeout : seconds that a batch may take
    advance : called with the number of trials after every batch

    Raises
    ------
    CortwinError
        For input that does not fit.
    RunFailed
        When a run ended without results that can be believed.
    """
    if engine not in ENGINES:
        raise CortwinError(f"the engine is '{engine}', expected one of {', '.join(ENGINES)}")
    if inputs.sizes["trial"] < 1:
        raise CortwinError("inputs have no trial")
    input_dt = float(inputs.attrs["dt"])
    parameters = np.asarray(values["W_out"]) if "W_out" in values else np.zeros((1, 1))
    units = np.asarray(values["b"]).size
    layout = Layout(
        inputs=inputs.sizes["input"],
        units=units,
        outputs=parameters.shape[0],
        neurons_per_unit=neurons_per_unit,
        trials=batch,
        dt=dt,
        input_dt=input_dt,
        input_steps=inputs.sizes["time"],
        record_dt=input_dt if record_dt is None else record_dt,
        spikes=spikes,
    )
    samples = inputs.to_numpy()
    batches = [samples[first : first + batch] for first in range(0, len(samples), batch)]
    data = [arrays(model, writing, layout, values, part) for part in batches]
    if engine == "cpp":
        program = cpp.build(model, writing, layout, profile)
        build_seconds = program.build_seconds
        stop = threading.Event()

        def work(part: dict[str, NDArray]) -> dict[str, NDArray]:
            return cpp.run(program, part, timeout=timeout, stop=stop)
    else:
        build_seconds, jobs, stop = 0.0, 1, threading.Event()

        def work(part: dict[str, NDArray]) -> dict[str, NDArray]:
            return _interpret(model, writing, layout, part)

    started = time.perf_counter()
    results = _in_parallel(work, data, [len(part) for part in batches], jobs, stop, advance)
    seconds = time.perf_counter() - started
    return Simulation(
        _activity(model, writing, layout, results, inputs),
        _spikes(layout, results, len(samples)) if spikes else None,
        seconds,
        build_seconds,
    )


def _in_parallel(
    work: Callable[[Any], Any],
    data: list[Any],
    trials: list[int],
    jobs: int,
    stop: threading.Event,
    advance: Callable[[int], None] | None,
) -> list[Any]:
    """Run every batch, in order of the list; end the others when one fails or the user interrupts."""
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        futures = [pool.submit(work, part) for part in data]
        try:
            pending, reported = set(futures), set()
            while pending:
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
                for future in done - reported:
                    future.result()
                    reported.add(future)
                    if advance is not None:
                        advance(trials[futures.index(future)])
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
    return [future.result() for future in futures]


def _interpret(model: Model, writing: str, layout: Layout, data: dict[str, NDArray]) -> dict[str, NDArray]:
    """Run the same Brian2 objects with Brian2's NumPy code, without a compiler."""
    target = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    brian2.set_device("runtime")
    try:
        network = objects(model, writing, layout, data)
        network.run((layout.duration + layout.dt) * brian2.second, namespace={})
    finally:
        brian2.reset_device()
        brian2.prefs.codegen.target = target
    results = {}
    for part in network.objects:
        if isinstance(part, brian2.StateMonitor):
            for variable in part.record_variables:
                results[f"{part.name}.{variable}"] = np.asarray(getattr(part, variable)).T
        elif isinstance(part, brian2.SpikeMonitor):
            results["spikes.i"], results["spikes.t"] = np.asarray(part.i), np.asarray(part.t)
    for name, values in results.items():
        if not np.isfinite(values).all():
            raise RunFailed(f"{np.count_nonzero(~np.isfinite(values))} numbers of {name} are not finite: is dt too large?")
    return results


def _activity(model: Model, writing: str, layout: Layout, results: list[Any], inputs: xr.DataArray) -> xr.Dataset:
    coordinates = {name: coordinate for name, coordinate in inputs.coords.items() if coordinate.dims == ("trial",)}
    found = {}
    for label, target in model.writing(writing).activity.items():
        name, _, variable = target.partition(".")
        # The first sample is the initial state; sample k of the activity is the state at the end of its k-th interval.
        blocks = [result[f"recorded_{name}.{variable}"][1:] for result in results]
        values = np.concatenate([block.reshape(len(block), layout.trials, -1).transpose(1, 0, 2) for block in blocks])
        found[label] = activity(
            values[: inputs.sizes["trial"]], dt=layout.record_dt, t_start=layout.record_dt, coordinates=coordinates, name=label
        )
        found[label].attrs["kind"] = "filtered_spikes" if writing == "spiking" and label == "r" else "rate"
    return xr.Dataset(found, attrs={"writing": writing, "model": model.name, "dt": layout.dt})


def _spikes(layout: Layout, results: list[Any], trials: int) -> xr.Dataset:
    neurons = layout.sizes["neurons"]
    step = np.concatenate([np.rint(result["spikes.t"] / layout.dt).astype(np.int64) for result in results])
    index = np.concatenate(
        [result["spikes.i"].astype(np.int64) + k * layout.trials * neurons for k, result in enumerate(results)]
    )
    trial, unit = np.divmod(index, neurons)
    kept = (trial < trials) & (step < round(layout.duration / layout.dt))
    trial, unit, step = trial[kept], unit[kept], step[kept]
    order = np.lexsort((unit, step, trial))
    return xr.Dataset(
        {
            "trial": ("event", trial[order]),
            "unit": ("event", unit[order]),
            "time": ("event", step[order] * layout.dt, {"units": "s"}),
        },
        attrs={"n_trials": trials, "n_units": neurons, "t_start": 0.0, "duration": layout.duration, "dt": layout.dt},
    )
