"""The classifying experiment, small: who can tell orders apart, who cannot, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from cortwin.activity import activity
from cortwin.experiment import Run, load_experiment
from cortwin.experiments import classify
from cortwin.parameters import resolve
from cortwin.readout import state_at
from cortwin.tasks import OrderTask
from cortwin.training import run_textbook

SMALL = {
    "pages": ("elman",), "units": 8, "lessons": 8, "tests": 3, "updates": 60, "neurons": (2, 4), "neurons_per_unit": 4
}  # fmt: skip


@pytest.fixture(scope="module")
def experiment():
    return load_experiment("classify")


@pytest.fixture(scope="module")
def results(experiment):
    run = Run(quick=True, show=False, jobs=1)
    return experiment.compute(run, resolve(experiment.declared, SMALL, quick=True))


@pytest.mark.cpp
def test_twins_answer_and_every_answer_is_counted(results):
    metrics, n = results.metrics, 6 * SMALL["tests"]
    assert metrics["classify.trials"] == n
    assert 0 < metrics["classify.elman.exact_error"] <= 1e-10
    for readout in classify.READOUTS:
        for writing in ("textbook", "rate", "spiking"):
            name = f"{readout}.{writing}"
            counts = results.weights[f"confusion.elman.{name}"]
            np.testing.assert_array_equal(counts.sum(axis=1), [SMALL["tests"]] * 6)
            assert metrics[f"classify.elman.{name}"] == pytest.approx(np.trace(counts) / n, rel=1e-12)
            low, high = metrics[f"classify.elman.{name}.low"], metrics[f"classify.elman.{name}.high"]
            assert low <= metrics[f"classify.elman.{name}"] <= high
        for whole in ("classify.elman", "confusion.elman"):
            found = metrics if whole.startswith("classify") else results.weights
            np.testing.assert_array_equal(found[f"{whole}.{readout}.rate"], found[f"{whole}.{readout}.textbook"])
        lost = metrics[f"classify.elman.{readout}.textbook"] - metrics[f"classify.elman.{readout}.spiking"]
        assert metrics[f"classify.elman.{readout}.lost"] == pytest.approx(lost, abs=1e-12)
        of_size = metrics[f"classify.elman.{readout}.spiking.4"]
        assert of_size == metrics[f"classify.elman.{readout}.spiking"]
    sizes = [(row["neurons"], row["readout"]) for row in results.tables["neurons"]]
    assert sorted(sizes) == sorted((size, readout) for size in (2, 4) for readout in classify.READOUTS)


@pytest.mark.cpp
def test_it_draws_and_reports_what_was_saved(experiment, results):
    drawings = experiment.draw(results)
    names = {drawing.name for drawing in drawings}
    assert names == {"trial", "confusion_transferred", "confusion_refitted", "over_time", "neurons"}
    sections = experiment.sections(results, drawings)
    rows = [row for section in sections for table in section.tables for row in table.rows]
    assert rows
    assert all(name in results.metrics for row in rows for name in row[1:])
    for writing in ("textbook", "rate", "spiking"):
        np.testing.assert_allclose(results.activity[f"output.{writing}"].sum("output"), 1, rtol=1e-12)


def test_reading_times_are_counted_from_the_last_pulse():
    """An output that is right from a known time on, different in every trial."""
    trials = OrderTask(rest=0.4).trials(np.arange(6), np.random.SeedSequence(3))
    last = np.rint(trials.inputs["last_pulse"].to_numpy() / 0.01).astype(int)
    values = np.zeros((*trials.inputs.shape[:2], 6))
    for trial, step in enumerate(last):
        values[trial, :, (trial + 1) % 6] = 0.5
        values[trial, step + 5 :, trial] = 1  # the state at the end of this sample is that of lag 6
    rows = classify.over_time("none", "textbook", activity(values, dt=0.01, last="output"), trials)
    lags = np.array([round(row["time"] / 0.01) for row in rows])
    assert {lag % 2 for lag in lags} and min(lags) < -20 and max(lags) >= 95  # noqa: PT018
    np.testing.assert_array_equal([row["share"] for row in rows], (lags >= 6).astype(float))


def test_without_times_the_inputs_say_nothing_and_with_them_everything():
    task = OrderTask()
    fitted, tested = (task.trials(np.tile(np.arange(6), 40), np.random.SeedSequence(k)) for k in (1, 2))
    found = classify.baselines(fitted, tested)
    # 0.1 % of what guessing gives lies above.
    most = binom.ppf(0.999, 240, 1 / 6) / 240
    assert found["classify.baseline.bag"] <= most
    assert found["classify.baseline.last_sample"] <= most
    assert found["classify.baseline.whole_trial"] > 0.95


def test_without_recurrence_the_order_is_forgotten():
    """Trained alike: recurrence keeps the answer to the end; a leak of 100 ms has it at the last pulse and loses it."""
    task = OrderTask()
    lessons, tested = (task.trials(np.tile(np.arange(6), size), np.random.SeedSequence(size)) for size in (24, 25))
    accuracy = {}
    for page in ("gru", "feedforward"):
        run = Run(show=False)
        done, twins = classify.trained(run, page, lessons, 12, 200, 1e-2, classify.Spiking(), 1)
        active = run_textbook(twins.model, done.parameters, tested.inputs, classify.ALPHA)
        output = twins.transferred(active, tested.target)
        last = np.rint(tested.inputs["last_pulse"].to_numpy() / task.dt).astype(int)
        accuracy[page] = [
            (state_at(output, steps).argmax(axis=1) == tested.condition).mean() for steps in (last, tested.lengths - 1)
        ]
    assert accuracy["gru"][1] > 0.9
    assert accuracy["feedforward"][0] > 0.5
    # 0.1 % of what guessing gives lies above; a trace of the last pulse, exp(-4), tells one input from two at best.
    assert accuracy["feedforward"][1] < binom.ppf(0.999, len(tested), 1 / 3) / len(tested)
