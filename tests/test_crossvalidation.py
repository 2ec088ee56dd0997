"""The cross-validating experiment, small: its numbers by hand, the same with one job and two, subjects kept whole."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold

from cortwin.errors import CortwinError
from cortwin.estimator import RNNClassifier
from cortwin.experiment import Run, load_experiment
from cortwin.experiments import crossvalidation
from cortwin.parameters import resolve
from cortwin.tasks import ChoiceTask

SMALL = {
    "subjects": 6, "trials": 4, "folds": 3, "epochs": 2, "units": (2, 3), "learning_rates": (0.01,), "sets": 2,
    "batch_sizes": (8,), "optimizers": ("sgd", "adam"), "networks": 2, "updates": 40, "remedies": ("none", "dropout"),
}  # fmt: skip


@pytest.fixture(scope="module")
def experiment():
    return load_experiment("crossvalidation")


def computed(experiment, jobs):
    run = Run(show=False, jobs=jobs)
    return experiment.compute(run, resolve(experiment.declared, SMALL, quick=False))


@pytest.fixture(scope="module")
def results(experiment):
    return computed(experiment, jobs=1)


def test_every_cell_of_a_grid_is_the_mean_over_whole_subjects(results):
    """One cell, by a loop over folds and NumPy's logarithm."""
    data = ChoiceTask().trials(6, 4, Run().generator("subjects"))
    seed = Run().generator("weights").integers(2**31)
    errors = []
    for train, test in GroupKFold(3).split(data.X, data.y, data.subjects):
        assert not set(data.subjects[train]) & set(data.subjects[test])
        network = RNNClassifier("elman", epochs=2, units=3, learning_rate=0.01, random_state=seed)
        p = network.fit(data.X[train], data.y[train]).predict_proba(data.X[test])
        errors.append(-np.log(p[np.arange(len(test)), data.y[test]]).mean())
    (row,) = (row for row in results.tables["architecture"] if row["units"] == 3)
    assert row["error"] == pytest.approx(np.mean(errors), rel=1e-9)
    assert row["error_sd"] == pytest.approx(np.std(errors), rel=1e-9)


def test_the_best_is_the_smallest_error(results):
    for name in ("architecture", "training"):
        rows = results.tables[name]
        best = min(rows, key=lambda row: row["error"])
        assert results.metrics[f"crossvalidation.{name}.best.error"] == best["error"]
        for parameter in set(best) & set(results.notes["chosen"]):
            assert results.notes["chosen"][parameter] == best[parameter]
    for name in ("plain", "grouped", "nested"):
        kept = "new_plain" if name == "plain" else "new"
        differences = [row[kept] - row[name] for row in results.tables["scores"]]
        assert results.metrics[f"crossvalidation.optimism.{name}"] == pytest.approx(np.mean(differences), rel=1e-9)


def test_two_jobs_give_the_same_bits(experiment, results):
    again = computed(experiment, jobs=2)
    assert again.metrics == results.metrics
    assert again.tables == results.tables


def test_it_draws_and_reports_what_was_saved(experiment, results):
    drawings = experiment.draw(results)
    assert [drawing.name for drawing in drawings] == ["architecture", "training", "scores", "overfitting"]
    sections = experiment.sections(results, drawings)
    rows = [row for section in sections for table in section.tables for row in table.rows]
    assert rows
    assert all(name in results.metrics for row in rows for name in row[1:])


def test_too_few_subjects_for_the_folds_are_named(experiment):
    with pytest.raises(CortwinError, match="subjects is 6, must be at least twice the folds, 8"):
        experiment.compute(Run(show=False), resolve(experiment.declared, {"subjects": 6, "folds": 4}, quick=True))


def test_few_sequences_are_over_fitted():
    """Training goes on to get better and held-out subjects get worse, once they were predicted best."""
    few = crossvalidation.overfit(Run(show=False), "elman", ChoiceTask(), ["none"], 1, 400, lambda: None)
    (row,), curves = few[1], few[0]
    assert row["training"] < 0.1 < ChoiceTask().best(known=False)
    assert row["held_out"] > 1.5 * row["held_out.stopped"]
    assert 0 < row["update.stopped"] < 300
    assert row["new.stopped"] < np.log(2) + 0.1
    assert curves[0]["update"] == 0
    assert curves[-1]["update"] == 400


# --- the task ---------------------------------------------------------------------------------------------------------


def test_the_best_cross_entropies_are_those_of_who_knows():
    """Answers predicted from the order, with the subject known and averaged over; four standard errors of the mean."""
    task = ChoiceTask()
    data = task.trials(400, 50, np.random.default_rng(1))
    preferred = np.array([data.y[data.subjects == s].mean() > 0.5 for s in range(400)])
    logistic = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    biased = np.where(preferred[data.subjects], 1, -1)
    known = logistic(3.0 * data.first + 2.0 * biased)
    new = (logistic(3.0 * data.first + 2.0) + logistic(3.0 * data.first - 2.0)) / 2
    for p, best in ((known, task.best(known=True)), (new, task.best(known=False))):
        each = -(data.y * np.log(p) + (1 - data.y) * np.log(1 - p))
        # Answers of a new subject hang together: the standard error is that of the subjects' means.
        means = each.reshape(400, 50).mean(axis=1)
        assert log_loss(data.y, p) == pytest.approx(best, abs=4 * means.std() / 20)
    assert task.best(known=True) < task.best(known=False) < np.log(2)


def test_sequences_hold_two_pulses_in_order_on_a_subjects_offset():
    task = ChoiceTask(noise=0.0, steps=6, inputs=3)
    data = task.trials(5, 30, np.random.default_rng(2))
    for x, order, who in zip(data.X, data.first, data.subjects, strict=True):
        offset = data.X[data.subjects == who].min(axis=(0, 1))
        pulses = x - offset
        places = [np.flatnonzero(pulses[:, k] > 0.5) for k in range(3)]
        assert [len(place) for place in places] == [1, 1, 0]
        assert (places[0][0] < places[1][0]) == (order == 1)
    assert set(data.first) == {-1, 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 1}, "ChoiceTask.steps must be a whole number and at least 2, got 1"),
        ({"noise": -0.1}, "ChoiceTask.noise must be finite and 0 or more, got -0.1"),
        ({"bias": float("nan")}, "ChoiceTask.bias must be finite and 0 or more, got nan"),
    ],
)
def test_choices_that_cannot_be_are_named(change, message):
    with pytest.raises(CortwinError, match=message):
        ChoiceTask(**change)
