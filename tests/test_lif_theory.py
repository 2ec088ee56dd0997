"""`cortwin run lif_theory` in small: what it measures, against theory, and what it draws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from brian2 import second

from cortwin.analysis import mean_rate, stationary_rates
from cortwin.experiment import Run, load_experiment
from cortwin.models import brunel, cuba
from cortwin.network import NetworkRun, run_network
from cortwin.parameters import resolve


@pytest.fixture(scope="module")
def experiment():
    return load_experiment("lif_theory")


@pytest.fixture(scope="module")
def results(experiment):
    # NumPy's engine: nothing is compiled.
    given = {
        "noise_duration": 0.05 * second, "scale": 0.04, "asynchronous": 0.3 * second, "oscillating": 0.3 * second,
        "cuba_seeds": 1, "cuba_duration": 0.05 * second,
    }  # fmt: skip
    run = Run(show=False, quick=True, engine="numpy")
    return experiment.compute(run, resolve(experiment.declared, given, quick=True))


def test_a_neuron_fires_as_theory_says(results):
    metrics = results.metrics
    # The refractory time counts the step of the spike (one step less), and a crossing is seen at the end of its step.
    for step in ("fine", "coarse"):
        assert -1 - 1e-6 < metrics[f"constant.least_lag.{step}"] <= metrics[f"constant.most_lag.{step}"] < 1e-6
    # 16 noises of 0.2 s from the reset on: the first of some five spikes comes late, by half an interval at most.
    assert metrics["noise.ratio_in_steps.coarse"] == pytest.approx(0.95, abs=0.1)
    assert metrics["noise.ratio.coarse"] < metrics["noise.ratio_in_steps.coarse"]
    curve = [row for row in results.tables["curve"] if row["step"] == "coarse"]
    assert [row["siegert_in_steps"] < row["siegert"] for row in curve] == [True] * len(curve)
    # Below the threshold nothing but noise makes a neuron fire.
    assert (curve[0]["constant"], curve[0]["closed_form"]) == (0, 0)
    assert curve[0]["noise"] > 0


def test_networks_fire_as_their_mean_field_says(results):
    metrics = results.metrics
    # 500 neurons with jumps of an eighth of the threshold are far from the diffusion limit: 25 % at most.
    assert metrics["asynchronous.rate"] == pytest.approx(metrics["asynchronous.mean_field"], rel=0.25)
    assert metrics["oscillating.rate"] < metrics["asynchronous.rate"]
    assert metrics["asynchronous.mean_field_in_steps"] < metrics["asynchronous.mean_field"]
    assert 0.1 < metrics["asynchronous.cv"] < 3
    assert metrics["cuba.rate"] > 0


def test_its_figures_are_drawn_and_its_report_is_written(experiment, results):
    drawings = experiment.draw(results)
    assert [drawing.name for drawing in drawings] == ["rates", "states"]
    panels = [axes.get_title() for axes in drawings[1].figure.axes]
    assert panels[:2] == ["asynchronous", "oscillating"]
    shown = experiment.sections(results, drawings)
    assert {name for section in shown for name in section.drawings} == {"rates", "states"}


def test_populations_together_are_numbered_one_after_the_other(experiment):
    attrs = {"n_trials": 1, "t_start": 0.0, "duration": 1.0, "dt": 1e-4}
    tables = {
        name: xr.Dataset(
            {"trial": ("event", [0] * len(unit)), "unit": ("event", unit), "time": ("event", time)},
            attrs=attrs | {"n_units": n},
        )
        for name, unit, time, n in (("E", [0, 2], [0.2, 0.4], 3), ("I", [1], [0.3], 2))
    }
    both = experiment.module._together(NetworkRun(tables, xr.Dataset(), 0.0, 0.0))
    assert both["unit"].to_numpy().tolist() == [0, 4, 2]
    assert both.attrs["n_units"] == 5
    assert float(mean_rate(both).mean()) == pytest.approx(3 / 5)


def test_the_mean_field_is_that_of_the_page(experiment):
    """Rates from the page's own constants, which the experiment does not read."""
    model = brunel.model(4.5, 0.9)
    constants = {name: float(value) for name, value in model.constants.items()}
    n_source = {
        name: model.spiking.pathways[f"{name}_excitatory"].connect.indegree for name in ("excitatory", "inhibitory")
    }
    assert n_source == {"excitatory": 1000, "inhibitory": 250}
    drive = constants["tau_m"] * constants["J"] * 1000 * constants["nu_ext"]
    expected = stationary_rates(
        [[1000, 250]] * 2,
        [[constants["J"], constants["J_I"]]] * 2,
        mean=[drive] * 2,
        variance=[constants["J"] * drive] * 2,
        tau_m=constants["tau_m"],
        t_ref=constants["t_ref"],
        threshold=constants["theta"],
        reset=constants["V_r"],
    )
    assert experiment.module._mean_field(4.5, 0.9, 1.0) == pytest.approx(expected[0], rel=1e-8)


@pytest.mark.parametrize(("page", "size"), [(brunel, "neurons"), (cuba, "neurons")])
@pytest.mark.parametrize(
    ("scale", "message"), [("-1", "expected one of all positive"), ("1e-9", "too few|one in five")]
)
def test_a_scale_that_is_none_is_refused(page, size, scale, message):
    with pytest.raises(ValueError, match=message):
        page.model(scale=scale)


@pytest.mark.slow
@pytest.mark.cpp
@pytest.mark.parametrize(("g", "eta", "rate", "tolerance"), [(5, 2, 37.7, 0.05), (4.5, 0.9, 5.5, 0.15)])
def test_brunels_network_fires_as_published(g, eta, rate, tolerance):
    # Brunel 2000, table 1: tolerances are those of the published numbers
    done = run_network(brunel.model(g, eta), duration=0.7, dt=1e-4, seed=1)
    late = sum(np.count_nonzero(table["time"] >= 0.2) for table in done.spikes.values())
    assert late / (12_500 * 0.5) == pytest.approx(rate, rel=tolerance)


@pytest.mark.slow
@pytest.mark.cpp
def test_cuba_fires_as_in_other_simulators():
    rates = []
    for seed in range(5):
        done = run_network(cuba.model(), duration=5.0, dt=1e-4, seed=seed)
        rates.append(sum(table.sizes["event"] for table in done.spikes.values()) / (4000 * 5.0))
    assert np.mean(rates) == pytest.approx(5.52, rel=0.05)
