"""Simulate a biological writing: the same call and the same labelled results for every engine.

Trials run in batches of a fixed size, one process a batch, so that a trial's numbers do not depend on the number of
workers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import brian2
import jax
import numpy as np
import xarray as xr
from brian2.core.variables import ArrayVariable
from numpy.typing import NDArray

from cortwin import cpp, resources, xla
from cortwin.activity import activity
from cortwin.analysis import pathology
from cortwin.blow_ups import COUNTER, require_in_range, require_none
from cortwin.builder import (
    NOISE,
    Layout,
    arrays,
    interpreted,
    layout_of,
    objects,
    spike_monitors,
    structure_of,
    timed_arrays,
)
from cortwin.errors import CortwinError
from cortwin.intervention import Intervention
from cortwin.model import Model, Writing

ENGINES = ("cpp", "xla", "numpy")


@dataclass(frozen=True)
class Simulation:
    """What a writing did: activity by name (trial, time, unit), spikes, and what it cost.

    ``spikes.attrs["note"]`` is there when no neuron spiked, or all at their limit: their statistics mean nothing then.
    ``seconds`` is the wall time of the runs without the build, ``build_seconds`` that of the build (0 when cached);
    ``stepping_seconds`` what the steps of the batches alone took, summed, without drawing connections, where the engine
    is C++; ``code_objects`` then tells which template each part of the program got, as `cortwin.cpp.device.Note`.
    """

    activity: xr.Dataset
    spikes: xr.Dataset | None
    seconds: float
    build_seconds: float
    stepping_seconds: float = float("nan")
    code_objects: tuple[Mapping[str, str], ...] = ()

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
    intervention: Intervention | None = None,
    engine: str = "cpp",
    profile: str = "release",
    batch: int = 8,
    jobs: int = 1,
    seed: int = 0,
    threads: int = 1,
    timeout: float | None = None,
    advance: Callable[[int], None] | None = None,
) -> Simulation:
    """Simulate trials of the rate, tuning or spiking writing.

    Sample k of the activity is the state at the end of the interval over which input k is held, and carries the time at
    which that interval starts: input, activity and target of one step of the textbook have one time.

    Parameters
    ----------
    model, writing : what is simulated
    values : array by name, shapes as in ``model.shapes``
    inputs : (trial, time, input) DataArray; every sample is held for its dt
    dt : integration step in seconds
    neurons_per_unit : LIF neurons that stand for one unit
    record_dt : seconds between recorded samples, the inputs' dt when None
    spikes : whether every spike is recorded
    intervention : what is done to the state of the units, sample by sample; None for nothing
    engine : ``"cpp"`` (Brian2's code generation), ``"xla"`` (the differentiable second compiler) or ``"numpy"``
        (Brian2's own interpreter; needs no compiler)
    profile : compiler profile, ``"release"``, ``"strict"`` (no contraction of a*b+c) or ``"stock"`` (Brian2's own
        templates throughout)
    batch : trials per process, whatever the number of workers
    jobs : processes at a time
    seed : of what the page draws: connections, weights, delays, initial states, the same in every trial; and of the
        noise of its drives, another one in each
    threads : among which a large sparse network is divided, in C++; results do not depend on them
    timeout : seconds that a batch may take
    advance : called with the number of trials after every batch

    Raises
    ------
    CortwinError
        For input that does not fit, or more memory or disk than there is.
    RunFailed
        When a run ended without results that can be believed.
    """
    if engine not in ENGINES:
        raise CortwinError(f"the engine is '{engine}', expected one of {', '.join(ENGINES)}")
    layout = layout_of(
        model,
        values,
        inputs,
        dt=dt,
        neurons_per_unit=neurons_per_unit,
        record_dt=record_dt,
        spikes=spikes,
        trials=batch,
        intervention=intervention is not None,
    )
    samples = inputs.to_numpy()
    trials = [slice(first, min(first + batch, len(samples))) for first in range(0, len(samples), batch)]
    hands = [None if intervention is None else intervention.part(part) for part in trials]
    batches = [_Batch(part.start, samples[part], hand) for part, hand in zip(trials, hands, strict=True)]
    # Before anything long begins: what does not fit into the machine, and arrays that do not fit the model.
    processes = min(max(1, jobs), len(batches)) if engine == "cpp" else 0
    shared = cpp.shared(model, writing, profile) if engine == "cpp" else ()
    need = resources.estimate(model, writing, layout, values, shared=shared, compiled=engine == "cpp")
    memory = resources.require(need, len(batches), processes)

    def prepare(part: _Batch) -> dict[str, NDArray]:
        drawn = {"seed": seed, "first": part.first}
        return arrays(model, writing, layout, values, part.inputs, part.intervention, shared=shared, **drawn)

    prepare(batches[0])
    build_seconds, code_objects = 0.0, ()
    if engine == "cpp":
        program = cpp.build(model, writing, layout, profile)
        build_seconds, shared = program.build_seconds, program.shared
        code_objects = tuple(program.description["code_objects"])
    started = time.perf_counter()
    if engine == "cpp":
        run = partial(cpp.run, program, timeout=timeout, memory=memory, threads=threads)
        results = _in_parallel(lambda part, stop: run(prepare(part), stop=stop), batches, jobs, advance)
    else:
        through = _interpret if engine == "numpy" else _through_xla
        results = []
        for part in batches:
            results.append(through(model, writing, layout, prepare(part)))
            if advance is not None:
                advance(len(part))
    seconds = time.perf_counter() - started
    found = _spikes(model.writing(writing), layout, results, len(samples)) if spikes else None
    if found is not None and (note := pathology(found, _t_ref(model, writing))):
        found.attrs["note"] = note
    stepping = sum(float(result.get(cpp.STEPPING, [math.nan])[0]) for result in results)
    shown = _activity(model, writing, layout, results, inputs)
    return Simulation(shown, found, seconds, build_seconds, stepping, code_objects)


@dataclass(frozen=True)
class _Batch:
    """The trials of one process, and the number of the first."""

    first: int
    inputs: NDArray
    intervention: Intervention | None

    def __len__(self) -> int:
        return len(self.inputs)


def _in_parallel(
    run: Callable[[_Batch, threading.Event], dict[str, NDArray]],
    batches: list[_Batch],
    jobs: int,
    advance: Callable[[int], None] | None,
) -> list[dict[str, NDArray]]:
    """Run every batch in a process of its own; end the others when one fails or the user interrupts."""
    stop = threading.Event()
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        futures = [pool.submit(run, part, stop) for part in batches]
        try:
            for future, part in zip(futures, batches, strict=True):
                # A wait without a limit would hold back the user's interrupt.
                while wait([future], timeout=0.2).not_done and not any(_failed(other) for other in futures):
                    pass
                if not future.done():
                    continue
                future.result()
                if advance is not None:
                    advance(len(part))
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise


def _failed(future: Future) -> bool:
    return future.done() and not future.cancelled() and future.exception() is not None


def _through_xla(model: Model, writing: str, layout: Layout, data: dict[str, NDArray]) -> dict[str, NDArray]:
    """Run the Brian2 objects of one trial through the second compiler, for every trial of the batch at once."""
    single = replace(layout, trials=1)
    shared = structure_of(model.writing(writing))  # by all trials
    own = {name: values if name in shared else values[: len(values) // layout.trials] for name, values in data.items()}
    timed = {
        f"{name}.values": data[f"{name}.values"].reshape(layout.input_steps, layout.trials, -1).transpose(1, 0, 2)
        for name in timed_arrays(layout)
    }
    with interpreted():
        network = objects(model, writing, single, own | {name: steps[0] for name, steps in timed.items()})
        program = xla.compile(network)
        # One step more than the duration: see `cortwin.cpp.program.generate`.
        n_steps = round(layout.duration / layout.dt) + 1
        states: dict[str, Any] = {
            name: values.reshape(layout.trials, -1)
            for name, values in data.items()
            if name in program.state and name not in shared
        }
        # An input that nobody hears is not among them.
        states |= {name: steps for name, steps in timed.items() if name in program.state}
        simulate_one = partial(program.simulate, n_steps=n_steps, differentiable=False)
        keys = jax.random.split(
            jax.random.wrap_key_data(jax.numpy.asarray(data.get(NOISE, np.zeros(2, np.uint32)))), layout.trials
        )
        found = jax.jit(jax.vmap(lambda values, key: simulate_one(values, key=key)))(states, keys)
    results: dict[str, NDArray] = {}
    for name, values in found.items():
        if name.startswith("recorded_") and not name.endswith(".t"):
            results[name] = np.asarray(values).transpose(1, 0, 2).reshape(values.shape[1], -1)
    for name in found:
        if name.endswith(".raster"):
            monitor, raster = name.removesuffix(".raster"), np.asarray(found[name]) > 0
            trial, step, unit = np.nonzero(raster)
            results[f"{monitor}.i"], results[f"{monitor}.t"] = trial * raster.shape[2] + unit, step * layout.dt
    counters = {name.partition(".")[0]: values for name, values in found.items() if name.endswith(f".{COUNTER}")}
    ends = {name: np.asarray(values) for name, values in found.items() if name.partition(".")[0] in counters}
    _check({name: values for name, values in ends.items() if values.dtype.kind == "f"} | results, counters)
    return results


def _interpret(model: Model, writing: str, layout: Layout, data: dict[str, NDArray]) -> dict[str, NDArray]:
    """Run the same Brian2 objects with Brian2's NumPy code, without a compiler."""
    with interpreted():
        network = objects(model, writing, layout, data)
        if NOISE in data:
            brian2.seed(int(data[NOISE][0]))
        network.run((layout.duration + layout.dt) * brian2.second, namespace={})
    results: dict[str, NDArray] = {}
    for part in network.objects:
        if isinstance(part, brian2.StateMonitor):
            for variable in part.record_variables:
                results[f"{part.name}.{variable}"] = np.asarray(getattr(part, variable)).T
        elif isinstance(part, brian2.SpikeMonitor):
            results[f"{part.name}.i"], results[f"{part.name}.t"] = np.asarray(part.i), np.asarray(part.t)
    groups = [part for part in network.objects if isinstance(part, brian2.NeuronGroup)]
    spiking = [group for group in groups if COUNTER in group.variables]
    ends = {
        f"{group.name}.{name}": variable.get_value()
        for group in spiking
        for name, variable in group.variables.items()
        if isinstance(variable, ArrayVariable) and np.dtype(variable.dtype).kind == "f"
    }
    _check(ends | results, {group.name: group.variables[COUNTER].get_value() for group in spiking})
    return results


def _check(results: Mapping[str, NDArray], counters: Mapping[str, Any]) -> None:
    """Refuse results and last states that left the range; the C++ program is checked by its launcher."""
    for name, values in results.items():
        require_in_range(name, values)
    for population, counts in counters.items():
        require_none(population, np.asarray(counts))


def _activity(model: Model, writing: str, layout: Layout, results: list[Any], inputs: xr.DataArray) -> xr.Dataset:
    coordinates = {name: coordinate for name, coordinate in inputs.coords.items() if coordinate.dims == ("trial",)}
    t_start = float(inputs["time"][0])
    found = {}
    for label, target in model.writing(writing).activity.items():
        name, _, variable = target.partition(".")
        # The monitor's first sample is the initial state, which no input has reached yet.
        blocks = [result[f"recorded_{name}.{variable}"][1:] for result in results]
        values = np.concatenate([block.reshape(len(block), layout.trials, -1).transpose(1, 0, 2) for block in blocks])
        found[label] = activity(
            values[: inputs.sizes["trial"]],
            dt=layout.record_dt,
            t_start=t_start,
            last=model.dimension(label),
            coordinates=coordinates,
            name=label,
        )
        found[label].attrs["kind"] = "filtered_spikes" if writing == "spiking" and label == "r" else "rate"
    return xr.Dataset(found, attrs={"writing": writing, "model": model.name, "dt": layout.dt})


def _t_ref(model: Model, writing: str) -> float:
    """Return the refractory time of the writing's neurons in seconds, 0 where they have none or different ones."""
    populations = model.writing(writing).populations.values()
    times = {float(model.constants[part.refractory]) if part.refractory else 0.0 for part in populations if part.reset}
    return times.pop() if len(times) == 1 else 0.0


def _spikes(text: Writing, layout: Layout, results: list[Any], trials: int) -> xr.Dataset:
    """Put the spikes of all batches and populations together; the neurons of one population follow another's."""
    found, first = [], 0
    for population, monitor in spike_monitors(text).items():
        neurons = layout.elements(text.populations[population])
        for position, result in enumerate(results):
            step = np.rint(result[f"{monitor}.t"] / layout.dt).astype(np.int64)
            trial, unit = np.divmod(result[f"{monitor}.i"].astype(np.int64), neurons)
            found.append((trial + position * layout.trials, first + unit, step))
        first += neurons
    trial, unit, step = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = (trial < trials) & (step < round(layout.duration / layout.dt))
    trial, unit, step = trial[kept], unit[kept], step[kept]
    order = np.lexsort((unit, step, trial))
    return xr.Dataset(
        {
            "trial": ("event", trial[order]),
            "unit": ("event", unit[order]),
            "time": ("event", step[order] * layout.dt, {"units": "s"}),
        },
        attrs={"n_trials": trials, "n_units": first, "t_start": 0.0, "duration": layout.duration, "dt": layout.dt},
    )
