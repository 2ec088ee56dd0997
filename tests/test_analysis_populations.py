"""Comparisons of networks of several populations: parts of spike tables, distances, rates around events, samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from cortwin.analysis import (
    distance_rows,
    event_triggered_rate,
    kolmogorov_smirnov,
    population_samples,
    spikes_between,
    spikes_of,
)


def table(times, units, n_units=4, duration=1.0):
    order = np.argsort(times, kind="stable")
    return xr.Dataset(
        {
            "trial": ("event", np.zeros(len(times), dtype=np.int64)),
            "unit": ("event", np.asarray(units)[order]),
            "time": ("event", np.asarray(times, dtype=float)[order]),
        },
        attrs={"n_trials": 1, "n_units": n_units, "t_start": 0.0, "duration": duration, "dt": 1e-4},
    )


def poisson(seed, rate=8.0, n_units=300, duration=20.0):
    generator = np.random.default_rng(seed)
    n = generator.poisson(rate * duration * n_units)
    return table(generator.uniform(0, duration, n), generator.integers(n_units, size=n), n_units, duration)


def test_the_distance_of_uniform_samples_is_that_of_their_distributions():
    # On a grid the two distributions differ by the shift, wherever both are.
    grid = np.arange(1000) / 1000
    assert kolmogorov_smirnov(grid, grid) == 0
    assert kolmogorov_smirnov(grid, grid + 0.25) == pytest.approx(0.25, abs=1.5e-3)
    assert kolmogorov_smirnov(grid, [*(grid + 2), math.nan]) == 1
    assert math.isnan(kolmogorov_smirnov(grid, [math.nan]))


def test_a_stretch_holds_its_first_time_and_not_its_last():
    spikes = table([0.1, 0.2, 0.3, 0.4], [0, 1, 2, 3])
    part = spikes_between(spikes, 0.2, 0.4)
    assert part["unit"].to_numpy().tolist() == [1, 2]
    assert (part.attrs["t_start"], part.attrs["duration"]) == (0.2, pytest.approx(0.2))
    with pytest.raises(ValueError, match=r"0\.5\.\.1\.5 s, the spikes are of 0\.0\.\.1\.0"):
        spikes_between(spikes, 0.5, 1.5)


def test_chosen_neurons_are_numbered_as_they_were_named():
    spikes = table([0.1, 0.2, 0.3, 0.4], [0, 3, 1, 3])
    part = spikes_of(spikes, [3, 0])
    assert part["unit"].to_numpy().tolist() == [1, 0, 0]
    assert part.attrs["n_units"] == 2
    for wrong in ([], [4], [-1], [1, 1]):
        with pytest.raises(ValueError, match=r"must be different ones of 0\.\.3"):
            spikes_of(spikes, wrong)


def test_rates_around_events_are_counted_by_hand():
    # Two neurons; a spike 1 ms before, at, and 2.5 ms after each of two events, and one far away.
    spikes = table([0.099, 0.1, 0.1025, 0.299, 0.3, 0.3025, 0.9], [0, 1, 0, 1, 0, 1, 0], n_units=2)
    found = event_triggered_rate(spikes, [0.1, 0.3], before=2e-3, after=4e-3, bin_width=1e-3)
    one = 1 / (2 * 1e-3)
    np.testing.assert_allclose(found.to_numpy(), 2 * [[0, one, one, 0, one, 0]])
    np.testing.assert_allclose(found["time"], np.array([-1.5, -0.5, 0.5, 1.5, 2.5, 3.5]) * 1e-3)
    with pytest.raises(ValueError, match="expected one trial, an event, and whole bins"):
        event_triggered_rate(spikes, [], before=2e-3, after=4e-3, bin_width=1e-3)


def test_samples_of_poisson_neurons_are_as_they_must_be():
    found = population_samples({"E": poisson(1)}, np.random.default_rng(1))["E"]
    assert found["rate"].size == 300
    # A mean of 300 neurons with 160 spikes each; the CV of n intervals is about 1 +- sqrt(1/n); six standard errors.
    assert abs(found["rate"].mean() - 8) < 6 * math.sqrt(8 / 20 / 300)
    assert abs(found["cv"].mean() - 1) < 0.02
    assert found["correlation"].size == 200 * 199 // 2
    # Independent pairs: 4000 windows each.
    assert abs(found["correlation"].std() - 1 / math.sqrt(4000)) < 0.002


def test_equal_counts_are_equal_rates_whatever_the_last_bit_of_a_duration():
    spikes = poisson(1, n_units=200, duration=0.6)
    later = spikes.assign(time=spikes["time"] + 0.2).assign_attrs(t_start=0.2, duration=0.8 - 0.2)
    assert later.attrs["duration"] != spikes.attrs["duration"]
    one, other = (population_samples({"E": table}, np.random.default_rng(1))["E"]["rate"] for table in (spikes, later))
    assert kolmogorov_smirnov(one, other) == 0


def test_another_network_is_as_far_as_seeds_are_or_farther():
    own = [population_samples({"E": poisson(seed)}, np.random.default_rng(1)) for seed in (1, 2, 3)]
    alike, faster = (population_samples({"E": poisson(9, rate=rate)}, np.random.default_rng(1)) for rate in (8.0, 9.0))
    near, far = ({row["measure"]: row for row in distance_rows(own, other)} for other in (alike, faster))
    assert near["rate"]["other"] < 2 * near["rate"]["seeds"]
    # A shift of 1 Hz where rates scatter by sqrt(8 / 20): 1.6 standard deviations.
    assert far["rate"]["other"] > 0.5
    assert {row["other"] for row in distance_rows(own, None)} == {None}
    assert distance_rows(own[:1], None)[0]["seeds"] is None
