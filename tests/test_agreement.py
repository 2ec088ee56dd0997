"""Whether the compilers agree: counting differences must be able to find one."""

import numpy as np
import pytest
import xarray as xr

from cortwin import agreement
from cortwin.activity import activity
from cortwin.agreement import compare_compilers, different_spikes, largest_difference
from cortwin.models import lif
from cortwin.simulation import Simulation, simulate

DT = 1e-4


def table(events, dt=DT):
    trial, unit, step = np.array(sorted(events), dtype=np.int64).reshape(-1, 3).T
    columns = {"trial": ("event", trial), "unit": ("event", unit), "time": ("event", step * dt)}
    return xr.Dataset(columns, attrs={"n_trials": 2, "n_units": 9, "t_start": 0.0, "duration": 1.0, "dt": dt})


EVENTS = [(0, 3, 10), (0, 4, 10), (1, 3, 9999)]


@pytest.mark.parametrize(
    ("other", "count"),
    [
        (EVENTS, 0),
        ([(0, 3, 11), *EVENTS[1:]], 2),  # one step later
        ([(0, 5, 10), *EVENTS[1:]], 2),  # in another neuron
        ([(1, 3, 10), *EVENTS[1:]], 2),  # in another trial
        (EVENTS[:2], 1),
        ([*EVENTS, (1, 0, 0)], 1),
        ([], 3),
    ],
)
def test_spikes_differ_by_trial_neuron_and_step(other, count):
    assert different_spikes(table(EVENTS), table(other)) == count
    assert different_spikes(table(other), table(EVENTS)) == count


def test_a_rounding_of_the_time_is_no_difference():
    moved = table(EVENTS)
    moved["time"] = moved["time"] * (1 + 1e-13)
    assert different_spikes(table(EVENTS), moved) == 0


def test_largest_difference_is_over_every_variable():
    first, second = ({name: activity(np.zeros((1, 4, 2)), dt=0.01, name=name) for name in "xr"} for _ in range(2))
    second["r"][0, 2, 1] = -0.25
    second["x"][0, 0, 0] = 0.125
    pair = [Simulation(xr.Dataset(found), None, 0.0, 0.0) for found in (first, second)]
    assert largest_difference(*pair) == 0.25
    assert largest_difference(pair[0], pair[0]) == 0


SEEDS = [np.random.SeedSequence(7)]


@pytest.mark.cpp
def test_two_compilers_find_the_same_spikes_and_a_change_is_noticed(monkeypatch):
    counts = compare_compilers([lif.model()], SEEDS, units=50, duration=0.2)
    assert counts["networks"] == 1
    assert counts["different"] == 0
    assert counts["spikes"] > 100

    def sabotaged(model, writing, values, inputs, *, engine, **options):
        if engine == "xla":
            values = {**values, "W_rec": 1.05 * values["W_rec"]}
        return simulate(model, writing, values, inputs, engine=engine, **options)

    monkeypatch.setattr(agreement, "simulate", sabotaged)
    changed = compare_compilers([lif.model()], SEEDS, units=50, duration=0.2)
    assert changed["spikes"] == counts["spikes"]
    assert changed["different"] > 0
