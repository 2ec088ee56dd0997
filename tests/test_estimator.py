"""The estimators: scikit-learn's own checks, its folds, searches and pipelines, and every page behind them."""

from __future__ import annotations

import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from cortwin import training
from cortwin.catalogue import MODELS, entries, page_module
from cortwin.errors import CortwinError
from cortwin.estimator import RNNClassifier, RNNRegressor, padded
from cortwin.estimator.network import network
from cortwin.model import Lacking
from cortwin.models import elman

PAGES = [name for name in entries(MODELS) if not isinstance(page_module(name).model().textbook, Lacking)]
pytestmark = pytest.mark.usefixtures("hasty_compilation")

# scikit-learn's checks that are expected to fail: its name, and why.
EXPECTED_FAILURES: dict[str, str] = {}


SMALL = {"units": 4, "epochs": 20, "learning_rate": 0.02}


# One check needs another array library and the variable SCIPY_ARRAY_API, and skips itself.
@parametrize_with_checks(
    [RNNRegressor(**SMALL), RNNClassifier(**SMALL)], expected_failed_checks=lambda estimator: EXPECTED_FAILURES
)
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


# -------------------------------------------------------------------------------------------------------------- shapes


def sequences(trials=12, times=5, inputs=2, seed=1):
    """Return sequences, and their running sums as targets."""
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((trials, times, inputs))
    return X, np.cumsum(X, axis=1) / times


TINY = {"units": 3, "epochs": 2, "random_state": 0}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_a_classifier(page):
    X, _ = sequences()
    labels = np.array(["left", "right", "up"])[np.arange(12) % 3]
    classifier = RNNClassifier(page, **TINY).fit(X, labels)
    found = classifier.predict_proba(X)
    assert found.shape == (12, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(classifier.predict(X), classifier.classes_[found.argmax(axis=1)])
    np.testing.assert_allclose(classifier.score(X, labels), accuracy_score(labels, classifier.predict(X)))
    assert (classifier.model_.name, classifier.model_.recurrence().link) == (page, "softmax")


# They differ from the classifiers in what stands behind the readout: one page is enough for every day.
@pytest.mark.parametrize(
    "page", ["elman", *(pytest.param(page, marks=pytest.mark.slow) for page in PAGES if page != "elman")]
)
def test_every_page_is_a_regressor(page):
    X, sums = sequences()
    regressor = RNNRegressor(page, **TINY).fit(X, sums[:, -1])
    found = regressor.predict(X)
    assert found.shape == (12, 2)
    assert (regressor.model_.name, regressor.model_.recurrence().link) == (page, "linear")
    np.testing.assert_allclose(regressor.score(X, sums[:, -1]), r2_score(sums[:, -1], found), rtol=1e-9)


def test_what_is_predicted_is_the_printed_recurrence():
    X, sums = sequences()
    labels = np.where(sums[:, -1, 0] > 0, "up", "down")
    regressor, classifier = RNNRegressor(**TINY).fit(X, sums[:, -1]), RNNClassifier(**TINY).fit(X, labels)
    for fitted, found in ((regressor, regressor.predict(X)), (classifier, classifier.predict_proba(X)[:, 1:])):
        p = fitted.parameters_
        h = np.tanh(np.tile(p.x0, (12, 1)))
        for k in range(X.shape[1]):
            h = np.tanh(h @ p.W_rec.T + X[:, k] @ p.W_in.T + p.b)
        a = h @ p.W_out.T + p.b_out
        np.testing.assert_allclose(found, a if fitted is regressor else 1 / (1 + np.exp(-a)), rtol=1e-11)
    np.testing.assert_array_equal(classifier.classes_, ["down", "up"])


def test_outputs_have_the_shape_of_what_was_trained():
    X, sums = sequences()
    for y, output, shape in (
        (sums[:, -1, 0], "last", (12,)),
        (sums[:, -1, :1], "last", (12, 1)),
        (sums[..., 0], "sequence", (12, 5)),
        (sums, "sequence", (12, 5, 2)),
    ):
        assert RNNRegressor(output=output, **TINY).fit(X, y).predict(X).shape == shape
    signs = np.where(sums[..., 0] > 0, "up", "down")
    classifier = RNNClassifier(output="sequence", **TINY).fit(X, signs)
    assert classifier.predict_proba(X).shape == (12, 5, 2)
    assert classifier.model_.recurrence().link == "logistic"
    np.testing.assert_allclose(classifier.score(X, signs), (classifier.predict(X) == signs).mean())


def test_two_dimensional_data_are_sequences_of_length_1():
    X, sums = sequences(times=1)
    flat, deep = (RNNRegressor(**TINY).fit(data, sums[:, 0]).predict(data) for data in (X[:, 0], X))
    np.testing.assert_array_equal(flat, deep)


def test_a_network_learns_what_it_could_not_without_its_past():
    """The first of five inputs is asked for after the last: without recurrence R2 is 0."""
    X, _ = sequences(trials=80, inputs=1, seed=3)
    y = np.tanh(X[:, 0, 0])
    scores = {
        page: RNNRegressor(page, units=12, epochs=150, batch_size=20, random_state=1)
        .fit(X[:60], y[:60])
        .score(X[60:], y[60:])
        for page in ("elman", "feedforward")
    }
    assert scores["elman"] > 0.8
    assert scores["feedforward"] < 0.3


def test_labels_are_learned_at_every_time():
    X, sums = sequences(trials=200)
    signs = np.where(sums[..., 0] > 0, "up", "down")
    classifier = RNNClassifier(output="sequence", units=8, epochs=60, random_state=1).fit(X[:150], signs[:150])
    assert classifier.score(X[150:], signs[150:]) > 0.9


# ------------------------------------------------------------------------------------------------------- unequal length


def test_padded_sequences_are_what_they_are_without_padding():
    X, sums = sequences()
    X_long, sums_long = sequences(times=9, seed=2)
    # All end after five samples; what the array holds after them is not seen.
    X_long[:, :5], X_long[:, 5:], sums_long[:, :5], sums_long[:, 5:] = X, np.nan, sums, np.nan
    for output, y, y_long in (("last", sums[:, -1], sums[:, -1]), ("sequence", sums, sums_long)):
        short, long = (
            RNNRegressor(output=output, **TINY).fit(data, target) for data, target in ((X, y), (X_long, y_long))
        )
        expected, found = short.predict(X), long.predict(X_long)
        np.testing.assert_allclose(found[:, :5] if output == "sequence" else found, expected, rtol=1e-9)
        np.testing.assert_allclose(long.score(X_long, y_long), short.score(X, y), rtol=1e-9)
    assert np.isnan(found[:, 5:]).all()


def test_every_sequence_is_read_out_at_its_own_end():
    generator = np.random.default_rng(5)
    ragged = [generator.standard_normal((length, 2)) for length in (3, 6, 1, 4)]
    X = padded(ragged)
    assert X.shape == (4, 6, 2)
    assert np.isnan(X).sum() == 2 * (3 + 5 + 2)
    model = RNNRegressor(**TINY).fit(X, np.arange(4.0))
    for trial, sequence in enumerate(ragged):
        np.testing.assert_allclose(model.predict(X)[trial], model.predict(sequence[None])[0], rtol=1e-12)
    labels = np.where(np.nan_to_num(X[..., 0]) > 0, "up", "down")
    classifier = RNNClassifier(output="sequence", **TINY).fit(X, labels)
    right = [
        classifier.predict(sequence[None])[0] == labels[trial, : len(sequence)] for trial, sequence in enumerate(ragged)
    ]
    np.testing.assert_allclose(classifier.score(X, labels), np.concatenate(right).mean(), rtol=1e-12)


# ------------------------------------------------------------------------------------------------ scikit-learn's tools


def test_a_grid_is_searched_in_parallel_over_grouped_folds():
    X, sums = sequences(trials=8)
    y, grid = sums[:, -1], {"optimizer": ["sgd", "adam"]}
    folds, groups = GroupKFold(2), np.repeat(np.arange(4), 2)
    search = GridSearchCV(RNNRegressor(**TINY), grid, cv=folds, n_jobs=2).fit(X, y, groups=groups)
    for optimizer, score in zip(grid["optimizer"], search.cv_results_["mean_test_score"], strict=True):
        model = RNNRegressor(optimizer=optimizer, **TINY)
        one_by_one = [model.fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds.split(X, y, groups)]
        np.testing.assert_allclose(score, np.mean(one_by_one), rtol=1e-9)


def test_threads_are_given_the_same_network():
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: network("jordan", None, "softmax", 0.75), range(8)))
    assert all(one is found[0] for one in found)


def test_a_random_search_over_folds_in_order_of_time():
    X, _ = sequences(trials=9)
    choices = {"learning_rate": [1e-3, 1e-2], "units": [2, 3], "batch_size": [2, None], "optimizer": ["sgd", "adam"]}
    search = RandomizedSearchCV(
        RNNClassifier(**TINY), choices, n_iter=2, cv=TimeSeriesSplit(2, max_train_size=3), random_state=0
    )
    search.fit(X, np.where(np.arange(9) % 2, "odd", "even"))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == (9,)


def test_it_stands_at_the_end_of_a_pipeline():
    X, sums = sequences()
    scaled = make_pipeline(StandardScaler(), RNNRegressor(**TINY))
    assert cross_val_score(scaled, X[:, 0], sums[:, 0], cv=3).shape == (3,)
    halved = make_pipeline(FunctionTransformer(np.negative), RNNRegressor(**TINY))
    assert halved.set_params(rnnregressor__units=2).fit(X, sums[:, -1]).predict(X).shape == (12, 2)


def test_clones_and_pickles_are_the_same():
    X, sums = sequences()
    model = RNNRegressor("gru", dropout=0.2, truncation=2, weight_decay=1e-3, **TINY).fit(X, sums[:, -1])
    again = clone(model)
    assert again.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        again.predict(X)
    np.testing.assert_array_equal(again.fit(X, sums[:, -1]).predict(X), model.predict(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_every_parameter_reaches_the_training(monkeypatch):
    """What training is asked for, with every parameter away from its default."""
    asked = {}

    def instead(model, start, inputs, target, **arguments):
        asked.update(arguments, model=model, start=start)
        return training.Fit(start, {}, 0, "", diverged=False)

    monkeypatch.setattr("cortwin.estimator.network.fit", instead)
    X, sums = sequences()
    chosen = {
        "variant": {"activation": "relu"}, "units": 5, "alpha": 0.5, "output": "sequence", "optimizer": "rmsprop",
        "learning_rate": 0.3, "schedule": "cosine", "batch_size": 5, "epochs": 7, "truncation": 2, "dropout": 0.25,
        "weight_decay": 0.125, "clip": 3.0, "random_state": 4,
    }  # fmt: skip
    assert {"page", *chosen} == set(RNNRegressor().get_params())
    RNNRegressor("jordan", **chosen).fit(X, sums)
    updates = 7 * 3  # twelve trials, five at a time
    assert asked["options"] == training.Options(
        optimizer="rmsprop", learning_rate=0.3, schedule="cosine", updates=updates, batch_size=5, clip=3.0,
        truncation=2, dropout=0.25, penalties=training.Penalties(weight=0.125), interval=updates,
    )  # fmt: skip
    assert (asked["model"].name, asked["alpha"]) == ("jordan", 0.5)
    expected = page_module("jordan").initial(np.random.default_rng(4), 2, 5, 2)
    np.testing.assert_array_equal(asked["start"].W_in, expected.W_in)
    np.testing.assert_array_equal(asked["model"].recurrence().activation(np.array([-1.0, 2.0])), [0, 2])


def test_a_seed_may_be_a_generator_of_either_kind():
    X, sums = sequences()
    for make in (np.random.default_rng, np.random.RandomState):
        first, again, other = (
            RNNRegressor(units=3, epochs=2, random_state=make(seed)).fit(X, sums[:, -1]).predict(X)
            for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 1e-6


def test_a_model_of_ones_own_is_trained():
    X, sums = sequences()
    own, by_name = (RNNRegressor(page, **TINY).fit(X, sums[:, -1]) for page in (elman.model(), "elman"))
    np.testing.assert_array_equal(own.predict(X), by_name.predict(X))


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"page": "elmann"}, "there is no page 'elmann'; there are .*elman.*gru"),
        ({"page": "lif"}, "lif has no textbook writing: a network of LIF neurons"),
        ({"variant": {"speed": 1}}, "the page elman has no variant 'speed'; it has activation"),
        ({"variant": {"activation": "step"}}, "activation is 'step', expected one of tanh"),
        ({"output": "first"}, "the parameter output is 'first', expected one of last, sequence"),
        ({"units": 0}, "the parameter units is 0, must be a whole number and at least 1"),
        ({"epochs": 1.5}, "the parameter epochs is 1.5, must be"),
        ({"batch_size": 0}, "the option batch_size is 0, must be"),
        ({"alpha": 2.0}, "alpha = dt / tau is 2.0"),
        ({"dropout": 1.5}, "the option dropout is 1.5"),
        ({"weight_decay": -1.0}, "the penalty weight is -1.0"),
    ],
)
def test_wrong_parameters_are_named(change, message):
    X, sums = sequences()
    with pytest.raises(ValueError, match=message):
        RNNRegressor(**{**TINY, **change}).fit(X, sums[:, -1])


def test_data_that_do_not_fit_are_named():
    X, sums = sequences()
    inside, empty = X.copy(), X.copy()
    inside[3, 2, 1] = np.nan
    empty[4] = np.nan
    y = sums[:, -1]
    regressor, several = RNNRegressor(**TINY), RNNRegressor(output="sequence", **TINY)
    classifier = RNNClassifier(**TINY)
    bad = sums.copy()
    bad[2, 1, 0] = np.nan
    for estimator, data, target, message in (
        (regressor, inside, y, r"X\[3, 2, 1\] is NaN: only after the end of a sequence"),
        (regressor, empty, y, "X is NaN at all times of trial 4"),
        (regressor, np.where(X > 2, np.inf, X), y, "infinity"),
        (regressor, X[:, :0], y, "0 sample|there is nothing in it"),
        (regressor, X, sums, r"the shape of y is \(12, 5, 2\), expected \(trial,\) or \(trial, output\)"),
        (regressor, X, y[:5], r"inconsistent numbers of samples: \[12, 5\]"),
        (regressor, X, np.where(np.arange(12)[:, None] == 1, np.nan, y), "Input y contains NaN"),
        (several, X, y, r"the shape of y is \(12, 2\), expected \(trial, time\) or"),
        (several, X, bad, r"target\[2, 1, 0\] is nan"),
        (classifier, X, np.full(12, 3), "y has one class only, 3: there is nothing to tell apart"),
        (classifier, X, np.linspace(0, 1, 12), "Unknown label type"),
        (RNNClassifier(output="sequence"), X, np.arange(12), r"the shape of y is \(12,\), expected \(12, 5\)"),
    ):
        with pytest.raises(ValueError, match=message):
            estimator.fit(data, target)
    with pytest.raises(CortwinError, match="X has 1 features, but RNNRegressor is expecting 2 features as input"):
        regressor.fit(X, y).predict(X[..., :1])
    for ragged, message in (
        ([], "no sequences to pad"),
        ([np.ones((2, 1)), np.ones((2, 2))], r"the shape of sequence 1 is \(2, 2\)"),
        ([np.ones((0, 1))], r"the shape of sequence 0 is \(0, 1\)"),
    ):
        with pytest.raises(CortwinError, match=message):
            padded(ragged)


def test_a_training_that_explodes_is_a_warning_with_its_reason():
    X, sums = sequences()
    wild = RNNRegressor(
        variant={"activation": "relu"},
        optimizer="sgd",
        learning_rate=1e3,
        clip=None,
        units=4,
        epochs=50,
        random_state=1,
    )
    with pytest.warns(ConvergenceWarning, match=re.escape("try a smaller learning rate or clip")):
        wild.fit(X, sums[:, -1])
    assert np.isfinite(wild.predict(X)).all()
