"""The two experiments of the microcircuit, with Poisson spikes in place of the network: what they compute and draw."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
import xarray as xr

from cortwin.errors import CortwinError
from cortwin.experiment import Run, load_experiment
from cortwin.experiments import microcircuit, microcircuit_readout
from cortwin.models import microcircuit as page
from cortwin.network import NetworkRun
from cortwin.parameters import resolve


def poisson_network(model, *, inputs, dt, seed, threads, engine, faster=1.0):
    """Return independent Poisson neurons at the reference rates, in place of the circuit."""
    del threads, engine
    duration, generator, spikes = inputs.sizes["time"] * 1e-3, np.random.default_rng(seed), {}
    for name, rate in zip(page.POPULATIONS, page.REFERENCE_RATES, strict=True):
        n_units = model.spiking.populations[name].size
        n = generator.poisson(faster * rate * n_units * duration)
        spikes[name] = xr.Dataset(
            {
                "trial": ("event", np.zeros(n, dtype=np.int64)),
                "unit": ("event", generator.integers(n_units, size=n)),
                "time": ("event", np.sort(generator.integers(round(duration / dt), size=n)) * dt, {"units": "s"}),
            },
            attrs={"n_trials": 1, "n_units": n_units, "t_start": 0.0, "duration": duration, "dt": dt},
        )
    return NetworkRun(spikes, xr.Dataset(), 3.0, 0.0, 2.0)


def computed(name, **given):
    experiment = load_experiment(name)
    run = Run(show=False, quick=True, engine=given.pop("engine", "numpy"))
    return experiment, experiment.compute(run, resolve(experiment.declared, given, quick=True))


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(microcircuit, "run_network", poisson_network)
        patch.setattr(microcircuit, "_loops", lambda *_: {})
        given = {"engine": "cpp", "duration": "20s", "settling": "0.5s", "seeds": "3", "scales": "0.02,0.01"}
        return computed("microcircuit", **given)


def test_rates_and_distances_are_those_of_the_spikes(found):
    _, results = found
    # Of the smallest population 21 neurons fire 3600 times in 20 s: 1.7 %, and the median of three is nearer.
    assert results.metrics["microcircuit.rates.within"] == 8
    for name, rate in zip(page.POPULATIONS, page.REFERENCE_RATES, strict=True):
        assert results.metrics[f"microcircuit.rate.{name}"] == pytest.approx(rate, rel=0.05, abs=0.1)
    assert results.metrics["microcircuit.rates.difference_of_writings"] < 1e-9
    assert 0 < results.metrics["microcircuit.distance.rate.seeds"] < 0.5
    for name in ("distance.rate.other", "ratio.nest", "ratio.stock"):
        assert math.isnan(results.metrics[f"microcircuit.{name}"])
        assert results.reasons[f"microcircuit.{name}"]
    assert results.metrics["microcircuit.identical"] is True


def test_the_cost_counts_synaptic_events(found):
    _, results = found
    numbers = page.circuit(0.02)
    rows = {row["scale"]: row for row in results.tables["cost"]}
    # Every spike arrives at all targets of its source.
    expected = sum(numbers.synapses.sum(axis=0) * np.array(page.REFERENCE_RATES))
    assert rows[0.02]["events"] == pytest.approx(expected, rel=0.05)
    assert rows[0.02]["seconds"] == pytest.approx(2.0 / 20.5)
    assert rows[0.01]["seconds"] == pytest.approx(2.0 / 1.5)
    assert results.metrics["microcircuit.rtf.1"] == pytest.approx(2.0 / 20.5)
    assert results.metrics["microcircuit.build_s"] == 1.0


def test_everything_is_drawn_and_told(found):
    experiment, results = found
    drawings = {drawing.name: drawing.figure for drawing in experiment.draw(results)}
    assert list(drawings) == ["raster", "rates", "distributions", "spectra", "volleys", "cost"]
    assert all(figure.axes for figure in drawings.values())
    sections = experiment.sections(results, [])
    told = " ".join(section.text for section in sections)
    assert "scaled down" in told
    used = {name for section in sections for name in section.drawings}
    assert used == set(drawings)


def test_a_scale_that_leaves_nobody_is_refused_before_anything_runs():
    with pytest.raises(CortwinError, match="leaves L5I without neurons"):
        computed("microcircuit", scale="0.0004")
    with pytest.raises(CortwinError, match="leaves L5I without neurons"):
        computed("microcircuit_readout", scale="0.0004")


def test_an_environment_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(microcircuit, "run_network", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(CortwinError, match="peers is '/nowhere', which is no folder"):
        computed("microcircuit", engine="cpp", peers="/nowhere")


def test_readouts_of_neurons_that_hear_nothing_guess(monkeypatch):
    monkeypatch.setattr(microcircuit_readout, "run_network", poisson_network)
    given = {"segments": "120", "circuits": "2", "updates": "60", "neurons": "12", "duration": "20ms"}
    experiment, results = computed("microcircuit_readout", **given)
    rows = [row for row in results.tables["accuracies"] if row["kind"] == "cortical"]
    # 35 segments of two circuits are asked about: no guess is right far more often than a coin is, whatever is asked.
    assert abs(np.mean([row["accuracy"] for row in rows]) - 0.5) < 6 * 0.5 / math.sqrt(70)
    assert {row["layer"] for row in rows} == set(microcircuit_readout.LAYERS)
    # The Elman network hears the fibres themselves, and which pattern is on is there to see.
    assert results.metrics["readout.accuracy.elman.pattern"] > 0.8
    assert results.metrics["readout.chance"] == 0.5
    asked = {f"readout.accuracy.{layer}.{name}" for layer in ("L4", "L6") for name in ("pattern", "previous", "xor")}
    assert asked <= set(results.metrics)
    row = next(row for row in results.tables["summary"] if row["layer"] == "L4")
    assert row["low"] <= row["accuracy"] <= row["high"]
    drawings = experiment.draw(results)
    assert [drawing.name for drawing in drawings] == ["delays", "questions"]
    assert experiment.sections(results, drawings)[0].tables
    # What the report's table says of itself: the end of a pattern, one readout.
    assert {(row["readout"], row["delay"] == row["last"]) for row in results.tables["questions"]} == {
        ("logistic", True)
    }


def test_a_ratio_is_of_the_best_of_either_side(monkeypatch):
    """A peer whose median turn takes ten times as many seconds as it has threads; ours takes 2 s whatever it has."""

    class Race:
        @classmethod
        def running(cls, contestants):
            (cls.one,) = contestants
            return contextlib.nullcontext(cls)

        @classmethod
        def measure(cls, case, repetitions):
            assert (case["seconds"], repetitions) == (1.0, 3)
            turns = [{"seconds": seconds * cls.one.threads} for seconds in (1.0, 10.0, 500.0)]
            return {(cls.one.name, cls.one.threads): turns}

    monkeypatch.setattr(microcircuit, "run_network", poisson_network)
    monkeypatch.setattr(microcircuit, "Race", Race)
    peer = microcircuit.Contestant("peer", microcircuit.LOOP)
    assert microcircuit._ratio(Run(show=False), peer, 0.02, 1.0, [1, 2], 2, 3) == pytest.approx(10 / 2)


def test_costs_are_split_between_neurons_and_events():
    """Of costs that are made of both, to the last digit; a row that is not is told of."""
    rows = [{"neurons": n, "events": 3.0 * n**2, "seconds": 2e-5 * n + 4e-9 * 3.0 * n**2} for n in (10.0, 1e3, 1e5)]
    metrics = microcircuit._split(rows)
    assert metrics["cost.neuron_us"] == pytest.approx(20)
    assert metrics["cost.event_ns"] == pytest.approx(4)
    assert metrics["cost.largest_error"] < 1e-9
    assert [row["fitted"] for row in rows] == pytest.approx([row["seconds"] for row in rows])
    rows[1]["seconds"] *= 2
    assert microcircuit._split(rows)["cost.largest_error"] > 0.1
    assert microcircuit._split(rows[:2]) == {}
