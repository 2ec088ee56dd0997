"""The same Brian2 network in XLA and in Brian2: the same random numbers, and what of the records agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import EventMonitor, PopulationRateMonitor, StateMonitor, prefs, seed, set_device
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import all_devices
from brian2_networks import NETWORKS, Case

from cortwin import xla
from cortwin.cpp import units

SEED = 7

# Rounding errors of 1e-16 grow with the number of steps and with the gain of the dynamics between two spikes; the
# loosest is the Izhikevich network, whose spikes rise with 0.04 v^2 from -65 to 30.
RELATIVE = 1e-8


def draws_like_brian2(program: xla.Program, duration: float, engine: str) -> dict[str, np.ndarray]:
    """Return what Brian2's generators give after ``seed(SEED)``: the Mersenne Twister of NumPy's RandomState.

    One object after the other in the order of the schedule. Within an object NumPy draws one call after the other, for
    all elements, and C++ one element after the other, for all calls.
    """
    generator = np.random.RandomState(SEED)
    n_ticks = round(duration / program.dt)
    found: dict[str, list[np.ndarray]] = {name: [] for name in program.draws}
    of_runner: dict[str, list[Any]] = {}
    for draw in program.draws.values():
        of_runner.setdefault(draw.name.rsplit(".", 1)[0], []).append(draw)
    runners = [name for obj in program.network.sorted_objects if (name := obj.name) in of_runner]
    for tick in range(n_ticks):
        for name in runners:
            draws = of_runner[name]
            if tick % round(draws[0].clock.dt_ / program.dt):
                continue
            kinds = [draw.name.rsplit(".", 1)[1].split("_")[0] for draw in draws]
            if kinds == ["binomial"]:
                now = [binomial(generator, draws[0], program)]
            elif engine == "numpy":
                now = [getattr(generator, kind)(draws[0].size) for kind in kinds]
            else:
                now = np.array([[getattr(generator, kind)() for kind in kinds] for _ in range(draws[0].size)]).T
            for draw, numbers in zip(draws, now, strict=True):
                found[draw.name].append(np.asarray(numbers))
    return {name: np.array(rows) for name, rows in found.items()}


def binomial(generator: np.random.RandomState, draw: Any, program: xla.Program) -> np.ndarray:
    """Draw as a PoissonInput of few spikes a step does in C++: by inversion, one uniform number each."""
    (source,) = [obj for obj in program.network.objects if obj.name == draw.name.rsplit(".", 1)[0]]
    n, p = int(source.N), float(source.rate * source.clock.dt)
    counts = np.zeros(draw.size)
    for element in range(draw.size):
        left, probability = generator.rand(), (1 - p) ** n
        while left > probability:
            counts[element] += 1
            left -= probability
            probability *= (n - counts[element] + 1) * p / (counts[element] * (1 - p))
    return counts


def records(case: Case) -> dict[str, np.ndarray]:
    """Return what the monitors of a network that has run in Brian2 recorded, named and laid out as a program's."""
    found = {}
    for monitor in case.network.objects:
        if isinstance(monitor, StateMonitor):
            for name in monitor.recorded_variables:
                found[f"{monitor.name}.{name}"] = np.asarray(getattr(monitor, f"{name}_")).T
        elif isinstance(monitor, PopulationRateMonitor):
            found[f"{monitor.name}.rate"] = np.asarray(monitor.rate_)
        elif isinstance(monitor, EventMonitor):
            dt = case.dt if monitor.clock.name == "defaultclock" else monitor.clock.dt_
            raster = np.zeros((round(float(case.duration) / dt), len(monitor.source)), bool)
            raster[np.round(np.asarray(monitor.t_) / dt).astype(int), np.asarray(monitor.i)] = True
            found[f"{monitor.name}.raster"] = raster
    return found


def run_in_xla(name: str, engine: str) -> dict[str, np.ndarray]:
    """Compile a network and run it with the draws that Brian2 makes."""
    case = NETWORKS[name]()
    program = xla.compile(case.network, namespace=case.namespace)
    duration = float(case.duration)
    found = program.run(duration, draws_like_brian2(program, duration, engine))
    forget(case)
    return found


def forget(case: Case) -> None:
    """Tell Brian2 that objects were used, so that it does not warn when they are deleted."""
    for obj in case.network.objects:
        obj._network = obj._network or case.network.id


@dataclass(frozen=True)
class Row:
    """How a network's records in XLA compare with those in Brian2.

    Attributes
    ----------
    objects : number of the network's objects
    recorded : names of what monitors record, events apart
    values : how many numbers they recorded
    difference : the largest, relative to the largest value of the same variable
    spikes, equal : events in Brian2, and those of them that XLA has at the same step in the same neuron
    extra : events that XLA alone has
    parts : the first step at which an event differs or a value by more than `RELATIVE`, and of what; None if none does
    """

    objects: int
    recorded: tuple[str, ...]
    values: int
    difference: float
    spikes: int
    equal: int
    extra: int
    parts: tuple[int, str] | None

    @property
    def agrees(self) -> bool:
        """Whether every event is the same and every value equal to rounding."""
        return self.parts is None


def row_of(objects: int, found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> Row:
    """Compare all records of one network, (time, element) each."""
    difference, values, spikes, equal, extra = 0.0, 0, 0, 0, 0
    parts: list[tuple[int, str]] = []
    for key, right in expected.items():
        left = found[key]
        assert left.shape == right.shape, key
        if key.endswith(".raster"):
            spikes, equal = spikes + int(right.sum()), equal + int((left & right).sum())
            extra += int((left & ~right).sum())
            wrong = left != right
        else:
            away = np.abs(left - right) / (np.abs(right).max() or 1.0)
            values, difference = values + right.size, max(difference, float(away.max()))
            wrong = ~(away <= RELATIVE)
        steps = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
        parts += [(int(steps[0]), key)] if steps.size else []
    recorded = tuple(sorted(key.rpartition(".")[2] for key in expected if not key.endswith(".raster")))
    return Row(objects, recorded, values, difference, spikes, equal, extra, min(parts, default=None))


class InFewUnits(CPPStandaloneDevice):
    """Brian2's own device, whose files are put together before they are compiled: headers are read twice."""

    def generate_makefile(self, writer: Any, compiler: str, compiler_flags: str, linker_flags: str, **_: Any) -> None:
        """Write a makefile for the units instead of one for 300 files."""
        extra = units.combine(Path(str(self.project_dir)), writer, {})
        writer.write("makefile", units.makefile(writer.source_files, compiler_flags, linker_flags, extra))


def in_cpp(names: Sequence[str], folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """Run networks in one program of Brian2's C++ standalone device, with strict arithmetic; return their records.

    One program for many networks, and little optimisation, so that it compiles soon: the arithmetic is the same.
    """
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O1", "-ffp-contract=off"]
    all_devices["in_few_units"] = device = InFewUnits()
    set_device("in_few_units", build_on_run=False)
    try:
        cases = {}
        for name in names:
            cases[name] = NETWORKS[name]()
            seed(SEED)
            cases[name].network.run(cases[name].duration, namespace=cases[name].namespace)
        device.build(directory=str(folder), compile=True, run=True)
        return {name: records(case) for name, case in cases.items()}
    finally:
        device.reinit()
        set_device("runtime")
        del all_devices["in_few_units"]
        prefs.codegen.cpp.extra_compile_args_gcc = flags


def compared(name: str, engine: str, expected: Mapping[str, np.ndarray]) -> Row:
    """Run a network in XLA with an engine's random numbers, and compare."""
    case = NETWORKS[name]()
    forget(case)
    return row_of(len(case.network.objects), run_in_xla(name, engine), expected)
