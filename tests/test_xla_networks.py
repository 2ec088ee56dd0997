"""Networks as Brian2's users write them run alike in XLA and in Brian2: every record to rounding, every spike.

The ordinary tests take Brian2's NumPy engine as the other side for all networks, and C++ for a few that hold different
kinds of code. ``python -m pytest -n 0 -m slow tests/test_xla_networks.py`` compiles all of them into one C++ program;
``python tests/compare/make_networks.py`` does the same and writes the table beside itself.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from brian2 import seed
from brian2_networks import NETWORKS
from network_equality import RELATIVE, SEED, compared, forget, in_cpp, records, row_of, run_in_xla

#: Together: exponential Euler and subexpressions, event-driven plasticity on Poisson spikes, several clocks
FEW = ("stdp", "several_clocks")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_runs_as_in_brian2(name):
    found = run_in_xla(name, "numpy")
    case = NETWORKS[name]()
    seed(SEED)
    if name == "poisson_drive":
        # NumPy draws binomial numbers in another way than C++; the same ones are handed to both there.
        forget(case)
        assert found["drive_spikes.raster"].sum() > 50
        return
    case.network.run(case.duration, namespace=case.namespace)
    row = row_of(len(case.network.objects), found, records(case))
    assert row.values + row.spikes > 0
    assert row.agrees, row
    if any(key.endswith(".raster") for key in found):
        assert row.spikes >= 10, "too few spikes to compare"


def test_a_row_tells_where_two_runs_part():
    raster = np.zeros((5, 3), bool)
    raster[[1, 3], [0, 2]] = True
    expected = {"s.raster": raster, "m.v": np.ones((5, 2))}
    same = row_of(4, expected, expected)
    assert same.agrees
    assert (same.objects, same.recorded, same.values, same.spikes, same.equal) == (4, ("v",), 10, 2, 2)
    late = raster.copy()
    late[3], late[4, 1] = False, True
    near = np.ones((5, 2))
    near[2, 1] += 10 * RELATIVE
    row = row_of(4, {"s.raster": late, "m.v": expected["m.v"]}, expected)
    assert (row.spikes, row.equal, row.extra, row.parts) == (2, 1, 1, (3, "s.raster"))
    row = row_of(4, {"s.raster": late, "m.v": near}, expected)
    assert row.parts == (2, "m.v")
    assert row.difference == pytest.approx(10 * RELATIVE)
    assert not row_of(4, {"s.raster": raster, "m.v": np.full((5, 2), np.nan)}, expected).agrees
    assert dataclasses.replace(same, parts=(1, "m.v")).agrees is False


def agree_in_cpp(names, folder):
    """Hold networks against one C++ program; return their rows."""
    rows = {name: compared(name, "cpp", expected) for name, expected in in_cpp(names, folder).items()}
    assert {name: row.parts for name, row in rows.items() if not row.agrees} == {}
    return rows


@pytest.mark.cpp
def test_a_few_networks_run_as_in_cpp(tmp_path):
    rows = agree_in_cpp(FEW, tmp_path)
    assert sum(row.spikes for row in rows.values()) > 20
    assert all(row.values for row in rows.values())


@pytest.mark.cpp
@pytest.mark.slow
def test_every_network_runs_as_in_cpp(tmp_path):
    rows = agree_in_cpp(tuple(NETWORKS), tmp_path)
    assert len(rows) >= 30
    assert sum(row.spikes for row in rows.values()) > 3000
