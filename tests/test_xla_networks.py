"""Networks as Brian2's users write them run alike in XLA and in Brian2: every record to rounding, every spike.

The ordinary tests take Brian2's NumPy engine as the other side. ``python -m pytest -n 0 -m slow
tests/test_xla_networks.py`` compiles all networks into one C++ program, which takes long, and holds its results against
XLA's; with ``CORTWIN_TABLE=FILE`` in the environment it writes them to a file as a table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import EventMonitor, PopulationRateMonitor, StateMonitor, device, prefs, seed, set_device
from brian2_networks import NETWORKS, Case

from cortwin import xla

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
            dt = monitor.clock.dt_
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
    _forget(case)
    return found


def _forget(case: Case) -> None:
    """Tell Brian2 that objects were used, so that it does not warn when they are deleted."""
    for obj in case.network.objects:
        obj._network = obj._network or case.network.id


def row_of(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Compare all records of one network."""
    row: dict[str, Any] = {"values": 0, "difference": 0.0, "spikes": 0, "different": 0}
    for key, right in expected.items():
        left = found[key]
        assert left.shape == right.shape, key
        if key.endswith(".raster"):
            row["spikes"] += int(right.sum())
            row["different"] += int((left != right).sum())
        else:
            scale = np.abs(right).max() or 1.0
            row["values"] += right.size
            row["difference"] = max(row["difference"], float(np.abs(left - right).max() / scale))
    return row


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_runs_as_in_brian2(name):
    found = run_in_xla(name, "numpy")
    case = NETWORKS[name]()
    seed(SEED)
    if name == "poisson_drive":
        # NumPy draws binomial numbers in another way than C++; the same ones are handed to both there.
        _forget(case)
        assert found["drive_spikes.raster"].sum() > 50
        return
    case.network.run(case.duration, namespace=case.namespace)
    row = row_of(found, records(case))
    assert row["values"] + row["spikes"] > 0
    assert row["different"] == 0
    assert row["difference"] < RELATIVE
    if any(key.endswith(".raster") for key in found):
        assert row["spikes"] >= 10, "too few spikes to compare"


@pytest.fixture(scope="module")
def cpp(tmp_path_factory):
    """Run all networks in one program of Brian2's C++ standalone device, with strict arithmetic."""
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O1", "-ffp-contract=off"]
    make = prefs.devices.cpp_standalone.extra_make_args_unix
    prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]  # not all files at once
    set_device("cpp_standalone", build_on_run=False)
    try:
        cases = {}
        for name, build in NETWORKS.items():
            cases[name] = build()
            seed(SEED)
            cases[name].network.run(cases[name].duration, namespace=cases[name].namespace)
        device.build(directory=str(tmp_path_factory.mktemp("networks")), compile=True, run=True)
        yield {name: records(case) for name, case in cases.items()}
    finally:
        device.reinit()
        set_device("runtime")
        prefs.codegen.cpp.extra_compile_args_gcc = flags
        prefs.devices.cpp_standalone.extra_make_args_unix = make


@pytest.fixture(scope="module")
def rows(cpp):
    """Measure every network."""
    return {name: row_of(run_in_xla(name, "cpp"), expected) for name, expected in cpp.items()}


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the rows as a table."""
    lines = [
        "| network | recorded values | largest difference, of the largest value | spikes | that differ |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        difference = f"{row['difference']:.0e}" if row["values"] else ""
        lines.append(
            f"| `{name}` | {row['values'] or ''} | {difference} | {row['spikes'] or ''} | {row['different']} |"
        )
    return "\n".join(lines) + "\n"


@pytest.mark.cpp
@pytest.mark.slow
def test_every_network_runs_as_in_cpp(rows):
    if os.environ.get("CORTWIN_TABLE"):
        Path(os.environ["CORTWIN_TABLE"]).write_text(table(rows))
    wrong = {name: row for name, row in rows.items() if row["different"] or row["difference"] > RELATIVE}
    assert not wrong
    assert len(rows) >= 30
    assert sum(row["spikes"] for row in rows.values()) > 3000
