"""The rates of single neurons: the closed form where there is one, and silence below threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from brian2 import ms, second

from cortwin.experiment import Run, load_experiment
from cortwin.parameters import resolve


@pytest.fixture(scope="module")
def firing_rate():
    return load_experiment("firing_rate")


def computed(experiment, engine, **given):
    return experiment.compute(Run(engine=engine, show=False), resolve(experiment.declared, given, quick=False))


def test_the_rate_is_the_closed_form(firing_rate):
    given = {"current": 2.0, "t_ref": 5 * ms, "tau_m": 10 * ms, "units": 50, "trials": 1, "duration": 2 * second}
    results = computed(firing_rate, "numpy", **given)
    # T = t_ref + tau_m log(I / (I - 1)), by hand.
    period = 0.005 + 0.01 * math.log(2)
    assert results.metrics["rate.closed_form"] == pytest.approx(1 / period, rel=1e-12)
    # A spike falls on the time step after its moment, 0 to 1 steps late, and the refractory time is rounded to steps;
    # the first potentials are even over [0, 1), so the count of a neuron is exact to one spike.
    low, high = 1 / (period + 2e-4) - 0.5, 1 / period + 0.5
    assert low < results.metrics["rate.mean"] < high
    assert results.spikes["spiking"].sizes["event"] == results.metrics["spikes.count"]
    assert results.metrics["cv.mean"] < 1e-10
    assert len(firing_rate.draw(results)) == 1


def test_without_enough_current_or_noise_there_is_silence_and_a_reason(firing_rate):
    results = computed(firing_rate, "numpy", current=0.99, units=3, trials=1)
    assert results.metrics["rate.mean"] == results.metrics["rate.closed_form"] == 0
    assert math.isnan(results.metrics["cv.mean"])
    assert results.reasons["cv.mean"] == "every neuron is silent"
    noisy = computed(firing_rate, "numpy", current=0.99, noise=0.5, units=3, trials=1)
    assert noisy.metrics["rate.mean"] > 1
    assert np.isfinite(noisy.activity["potential"]).all()
