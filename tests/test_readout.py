"""Readouts: ridge against its normal equations and scikit-learn's grid search, lags against loops, held-out scores."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.readout import (
    Lags,
    RidgeReadout,
    SoftNormaliser,
    decode_hand_velocity,
    fit_classes,
    fit_readout,
    held_out_score,
    lagged,
    leave_one_condition_out,
    order_free,
    predict_readout,
    r2,
    r2_per_output,
    state_at,
)
from cortwin.tasks import synthetic_recording

ROW_ORDER_MATTERS = {
    "check_methods_subset_invariance": "a lagged copy of a row depends on the rows before it",
    "check_methods_sample_order_invariance": "a lagged copy of a row depends on the rows before it",
}


@parametrize_with_checks(
    [RidgeReadout(), RidgeReadout(penalty=1e-3), Lags(), Lags((0, 1, -2), edge="zero"), SoftNormaliser()],
    expected_failed_checks=lambda estimator: (
        ROW_ORDER_MATTERS if isinstance(estimator, Lags) and len(estimator.lags) > 1 else {}
    ),
)
def test_scikit_learn_takes_them_for_its_own(estimator, check):
    check(estimator)


def rows(n_samples=60, n_features=7, n_outputs=2, n_groups=6, noise=1.0):
    generator = np.random.default_rng(2)
    X = generator.normal(3.0, 1.0, (n_samples, n_features))
    y = X @ generator.normal(size=(n_features, n_outputs)) + 5 + noise * generator.normal(size=(n_samples, n_outputs))
    return X, y, np.repeat(np.arange(n_groups), n_samples // n_groups)


@pytest.mark.parametrize("penalty", [0, 0.3, 100.0])
def test_ridge_solves_the_normal_equations_with_a_free_intercept(penalty):
    X, y, _ = rows()
    ones = np.column_stack([X, np.ones(len(X))])
    penalised = np.diag([penalty] * X.shape[1] + [0.0])
    solution = np.linalg.solve(ones.T @ ones + penalised, ones.T @ y)
    readout = RidgeReadout(penalty).fit(X, y)
    # The condition number of the 8 x 8 matrix is below 1e4: 1e4 eps = 2e-12.
    np.testing.assert_allclose(readout.coef_, solution[:-1].T, atol=1e-11)
    np.testing.assert_allclose(readout.intercept_, solution[-1], atol=1e-11)
    np.testing.assert_allclose(readout.predict(X), ones @ solution, atol=1e-11)
    assert readout.penalty_ == penalty


@pytest.mark.parametrize(("n_groups", "max_folds"), [(6, 10), (6, 3)])
def test_nested_penalty_is_that_of_a_grid_search_over_conditions(n_groups, max_folds):
    X, y, groups = rows(n_groups=n_groups, noise=8.0)
    penalties = (1e-2, 1.0, 1e1, 1e2, 1e3)
    folds = LeaveOneGroupOut() if max_folds >= n_groups else GroupKFold(max_folds)
    search = GridSearchCV(Ridge(), {"alpha": penalties}, scoring="neg_mean_squared_error", cv=folds)
    search.fit(X, y, groups=groups)
    readout = RidgeReadout("nested", penalties=penalties, max_folds=max_folds).fit(X, y, groups=groups)
    assert readout.penalty_ == search.best_params_["alpha"]
    assert readout.penalty_ not in (penalties[0], penalties[-1])
    np.testing.assert_allclose(readout.cv_error_, -search.cv_results_["mean_test_score"], rtol=1e-10)
    np.testing.assert_allclose(readout.coef_, search.best_estimator_.coef_, rtol=1e-10)


def test_nested_penalty_of_a_single_output_is_the_same_in_any_order_of_the_grid():
    X, y, groups = rows(n_outputs=1, noise=8.0)
    up = RidgeReadout("nested", penalties=(0.1, 10.0, 1000.0)).fit(X, y[:, 0], groups)
    down = RidgeReadout("nested", penalties=(1000.0, 10.0, 0.1)).fit(X, y[:, 0], groups)
    assert up.penalty_ == down.penalty_
    assert up.coef_.shape == (7,)


def test_of_equally_good_penalties_the_largest_is_taken():
    X, _, groups = rows()
    readout = RidgeReadout("nested", penalties=(1.0, 100.0, 10.0)).fit(X, np.zeros((len(X), 1)), groups)
    assert readout.penalty_ == 100.0


def test_holding_out_conditions_chooses_otherwise_than_holding_out_samples():
    """Features that only name the condition help within the trained ones and mislead outside: whole groups tell."""
    generator = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 6)
    names = generator.normal(size=(40, 60))[groups]
    y = generator.normal(size=40)[groups] + 0.1 * generator.normal(size=groups.size)
    by_condition = RidgeReadout("nested").fit(names, y, groups)
    by_sample = RidgeReadout("nested").fit(names, y, np.tile(np.arange(10), 24))
    assert by_sample.penalty_ < 10
    assert by_sample.cv_error_.min() < 0.02  # the noise, 0.01
    assert by_condition.penalty_ > 100
    assert by_condition.cv_error_.min() > 0.5  # the variance of y, about 1: nothing can be known


def test_the_number_of_threads_changes_no_bit():
    X, y, groups = rows(n_samples=840, n_features=150)
    fits = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads, user_api="blas"):
            readout = RidgeReadout("nested").fit(X, y, groups)
            fits.append((readout.coef_, readout.cv_error_, readout.predict(X)))
    for one, two in zip(*fits, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.failure("learning: constant features, one class, NaN rows, few samples")
def test_more_features_than_samples_and_constant_features():
    X, y, _ = rows(n_samples=12, n_features=40)
    X[:, 3] = 7.0
    readout = RidgeReadout(0.5).fit(X, y)
    centred = X - X.mean(axis=0)
    # The dual form: w = Xc' (Xc Xc' + penalty)^-1 yc
    dual = centred.T @ np.linalg.solve(centred @ centred.T + 0.5 * np.eye(12), y - y.mean(axis=0))
    np.testing.assert_allclose(readout.coef_, dual.T, atol=1e-11)
    assert not readout.coef_[:, 3].any()


@pytest.mark.parametrize(
    ("readout", "groups", "message"),
    [
        (RidgeReadout(-1.0), None, r"penalty must be a finite number, 0 or more, or 'nested', got -1\.0"),
        (RidgeReadout(np.nan), None, r"penalty must be a finite number, .*, got nan"),
        (RidgeReadout("lasso"), None, r"penalty must be a finite number, .*, got 'lasso'"),
        (RidgeReadout("nested"), None, r"holds out whole conditions: pass groups to fit"),
        (RidgeReadout("nested"), np.zeros(60), r"needs at least 2 conditions, got 1"),
        (RidgeReadout("nested", penalties=()), np.arange(60), r"penalties must hold at least one penalty, got none"),
        (RidgeReadout("nested", penalties=(1.0, -2.0)), np.arange(60), r"penalty must be .* got -2\.0"),
    ],
)
def test_a_penalty_that_cannot_be_used_is_refused(readout, groups, message):
    X, y, _ = rows()
    with pytest.raises(ValueError, match=message):
        readout.fit(X, y, groups)


@pytest.mark.failure("learning: constant features, one class, NaN rows, few samples")
def test_nan_is_refused():
    X, y, _ = rows()
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        RidgeReadout().fit(X, y)


@pytest.mark.parametrize("edge", ["hold", "zero"])
def test_lags_are_those_of_a_slow_loop(edge):
    generator = np.random.default_rng(3)
    trials = generator.normal(size=(3, 5, 2))
    lags = (0, 2, -1, 7)
    expected = np.zeros((3, 5, len(lags), 2))
    for trial in range(3):
        for time in range(5):
            for k, lag in enumerate(lags):
                seen = time - lag
                if edge == "hold":
                    seen = min(max(seen, 0), 4)
                if 0 <= seen < 5:
                    expected[trial, time, k] = trials[trial, seen]
    got = Lags(lags, n_times=5, edge=edge).fit_transform(trials.reshape(15, 2))
    np.testing.assert_array_equal(got, expected.reshape(15, 8))


def test_lags_in_seconds_keep_the_labels():
    values = np.random.default_rng(3).normal(size=(2, 6, 3))
    x = activity(values, dt=0.02, t_start=-0.1, coordinates={"condition": ("trial", [4, 5]), "unit": [7, 8, 9]})
    both = lagged(x, [0.0, 0.04])
    np.testing.assert_array_equal(both[..., :3], values)
    np.testing.assert_array_equal(both[:, 2:, 3:], values[:, :-2])
    np.testing.assert_array_equal(both[:, :2, 3:], values[:, [0, 0]])
    assert both["lag"].to_numpy().tolist() == [0, 0, 0, 0.04, 0.04, 0.04]
    assert both["condition"].to_numpy().tolist() == [4, 5]
    np.testing.assert_array_equal(both["time"], x["time"])
    with pytest.raises(ValueError, match=r"a lag must be a multiple of dt = 0\.02 s, got 0\.03 s"):
        lagged(x, [0.03])
    with pytest.raises(ValueError, match=r"a lag must be shorter than a trial of 0\.12 s, got -0\.12 s"):
        lagged(x, [-0.12])


@pytest.mark.parametrize(
    ("lags", "message"),
    [
        (Lags(()), "at least one lag"),
        (Lags((0.5,)), r"whole numbers of samples, got 0\.5"),
        (Lags(edge="wrap"), r"edge must be 'hold' or 'zero', got 'wrap'"),
        (Lags(n_times=7), r"n_times must divide the number of rows, 60, got 7"),
    ],
)
def test_lags_that_cannot_be_are_refused(lags, message):
    with pytest.raises(ValueError, match=message):
        lags.fit(rows()[0])


def test_soft_normaliser_divides_by_range_plus_constant():
    X = np.array([[1.0, 10.0, 4.0], [3.0, -10.0, 4.0], [2.0, 0.0, 4.0]])
    np.testing.assert_allclose(SoftNormaliser(5.0).fit_transform(X), X / [7.0, 25.0, 5.0])
    with pytest.raises(ValueError, match="constant must be finite and positive, got 0"):
        SoftNormaliser(0).fit(X)


def population(n_conditions=4, n_repeats=2, n_times=10, n_units=5, noise=0.3):
    """Rates and a target that they explain but for noise, trials of one condition apart from one another."""
    generator = np.random.default_rng(6)
    condition = np.tile(np.arange(n_conditions), n_repeats)
    on_trial = {"condition": ("trial", condition)}
    values = generator.normal(size=(condition.size, n_times, n_units))
    wanted = values @ generator.normal(size=(n_units, 2)) + noise * generator.normal(size=(condition.size, n_times, 2))
    x = activity(values, dt=0.01, units="Hz", coordinates=on_trial, name="x")
    y = activity(wanted, dt=0.01, last="output", coordinates=on_trial | {"output": ["vx", "vy"]}, name="target")
    return x, y


def test_labelled_readout_is_that_of_the_rows():
    x, y = population()
    prediction = predict_readout(fit_readout(RidgeReadout(2.0), x, y), x, like=y)
    flat = Ridge(alpha=2.0).fit(x.to_numpy().reshape(-1, 5), y.to_numpy().reshape(-1, 2))
    expected = flat.predict(x.to_numpy().reshape(-1, 5)).reshape(y.shape)
    np.testing.assert_allclose(prediction, expected, rtol=1e-10)
    assert prediction.dims == ("trial", "time", "output")
    assert prediction["output"].to_numpy().tolist() == ["vx", "vy"]
    assert prediction.attrs == {"dt": 0.01, "units": "1"}
    assert prediction["condition"].to_numpy().tolist() == x["condition"].to_numpy().tolist()


def test_conditions_become_groups_also_inside_a_pipeline():
    x, y = population()
    grid = (1e-2, 1.0, 1e2)
    alone = fit_readout(RidgeReadout("nested", penalties=grid), x, y)
    piped = fit_readout(make_pipeline(Lags((0,), n_times=10), RidgeReadout("nested", penalties=grid)), x, y)
    by_hand = RidgeReadout("nested", penalties=grid).fit(
        x.to_numpy().reshape(-1, 5), y.to_numpy().reshape(-1, 2), np.repeat(x["condition"].to_numpy(), 10)
    )
    np.testing.assert_array_equal(alone.cv_error_, by_hand.cv_error_)
    np.testing.assert_array_equal(piped[-1].cv_error_, by_hand.cv_error_)


def test_r2_is_pooled():
    _, y = population()
    prediction = y + 0.5 * np.random.default_rng(8).normal(size=y.shape) * np.array([1.0, 3.0])
    residual = ((y - prediction) ** 2).sum(("trial", "time")).to_numpy()
    total = ((y - y.mean(("trial", "time"))) ** 2).sum(("trial", "time")).to_numpy()
    assert r2(y, prediction) == pytest.approx(1 - residual.sum() / total.sum(), rel=1e-12)
    per_output = r2_per_output(y, prediction)
    assert per_output == pytest.approx({"vx": 1 - residual[0] / total[0], "vy": 1 - residual[1] / total[1]}, rel=1e-12)
    assert r2(y, y) == 1
    assert r2(y, y.mean(("trial", "time")).broadcast_like(y).transpose(*y.dims).assign_attrs(y.attrs)) == (
        pytest.approx(0, abs=1e-12)
    )


def test_r2_of_a_target_that_does_not_vary_is_refused():
    _, y = population()
    still = y.copy(data=np.zeros(y.shape))
    with pytest.raises(ValueError, match="output 0 of the target does not vary"):
        r2(still, y)
    half = y.copy()
    half[..., 1] = 2.0
    assert np.isfinite(r2(half, y))
    with pytest.raises(ValueError, match="output 1 of the target does not vary"):
        r2_per_output(half, y)


def test_each_condition_is_predicted_by_a_readout_that_never_saw_it():
    x, y = population()
    prediction = leave_one_condition_out(lambda: RidgeReadout(2.0), x, y)
    for trial in range(8):
        others = [k for k in range(8) if k % 4 != trial % 4]
        ridge = Ridge(alpha=2.0).fit(x[others].to_numpy().reshape(-1, 5), y[others].to_numpy().reshape(-1, 2))
        np.testing.assert_allclose(prediction[trial], ridge.predict(x[trial].to_numpy()), rtol=1e-9, atol=1e-12)
    assert prediction["condition"].to_numpy().tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_the_target_of_a_held_out_condition_changes_nothing_in_its_prediction():
    x, y = population()
    other = y.copy()
    other[[1, 5]] = 1e3
    for make in (lambda: RidgeReadout(2.0), lambda: RidgeReadout("nested")):
        before, after = leave_one_condition_out(make, x, y), leave_one_condition_out(make, x, other)
        np.testing.assert_array_equal(before[[1, 5]], after[[1, 5]])
        assert np.abs(before[0] - after[0]).max() > 1


def test_held_out_score_is_that_of_scikit_learn():
    x, y = population()
    train, test = np.arange(5), [6, -1]
    ridge = Ridge(alpha=2.0).fit(x[:5].to_numpy().reshape(-1, 5), y[:5].to_numpy().reshape(-1, 2))
    wanted = y[6:].to_numpy().reshape(-1, 2)
    expected = r2_score(wanted, ridge.predict(x[6:].to_numpy().reshape(-1, 5)), multioutput="variance_weighted")
    readout = RidgeReadout(2.0)
    assert held_out_score(readout, x, y, train=train, test=test) == pytest.approx(expected, rel=1e-10)
    assert not hasattr(readout, "coef_")


@pytest.mark.parametrize("test", [[4, 5], [-1], [True] * 8])
@pytest.mark.failure("learning: the same trial in train and test")
def test_the_same_trial_in_train_and_test_is_refused(test):
    x, y = population()
    with pytest.raises(ValueError, match="trials are in both train and test, the first is"):
        held_out_score(RidgeReadout(), x, y, train=[0, 1, 4, 7], test=test)


def test_only_what_a_neuron_downstream_can_know_is_decoded():
    x, y = population()
    potential = x.copy().assign_attrs(kind="membrane_potential")
    with pytest.raises(ValueError, match="of kind 'membrane_potential', but only rate and filtered_spikes can be dec"):
        fit_readout(RidgeReadout(), potential, y)
    with pytest.raises(ValueError, match="membrane_potential"):
        predict_readout(fit_readout(RidgeReadout(), x, y), potential)
    for kind in ("rate", "filtered_spikes"):
        fit_readout(RidgeReadout(), x.copy().assign_attrs(kind=kind), y)


def regridded(y, dt):
    return activity(y.to_numpy(), dt=dt, last="output", coordinates={"output": y["output"]}, name="target")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, regridded(y, 0.02)), r"dt of x is 0\.01 s, of target 0\.02 s"),
        (lambda x, y: (x, y.isel(time=slice(1, None))), r"x covers 0\.\.0\.09 s in 10 samples, target 0\.01\.\.0\.09"),
        (lambda x, y: (x, y.assign_coords(time=y["time"] + 0.01)), r"x covers 0\.\.0\.09 s .* target 0\.01\.\.0\.1 s"),
        (lambda x, y: (x.isel(trial=slice(3)), y), r"x has 3 trials, target has 8"),
        (lambda x, y: (x, y.isel(trial=slice(None, None, -1))), r"trial 0 has condition 0 in x, 3 in target"),
        (lambda x, y: (x.rename(unit="neuron"), y), r"activity must be \(trial, time, unit\), got \(trial, time, neu"),
    ],
)
@pytest.mark.failure("analysis: activity of different dt, duration or units")
def test_activity_and_target_that_do_not_belong_together_are_refused(change, message):
    x, y = change(*population())
    with pytest.raises(ValueError, match=message):
        fit_readout(RidgeReadout(), x, y)


@pytest.mark.failure("learning: constant features, one class, NaN rows, few samples")
def test_too_few_conditions_are_refused():
    x, y = population(n_conditions=1)
    with pytest.raises(ValueError, match="needs at least 2 conditions, got 1"):
        leave_one_condition_out(RidgeReadout, x, y)
    with pytest.raises(ValueError, match="a nested penalty needs at least 2 conditions, got 1"):
        fit_readout(RidgeReadout("nested"), x, y)
    with pytest.raises(ValueError, match="the activity has no coordinate 'condition'"):
        leave_one_condition_out(RidgeReadout, x.drop_vars("condition"), y)


def test_decoding_of_hand_velocity_written_out():
    """Range over the recording plus 5, rates 100 ms earlier, one ridge for each direction that is left out."""
    recording = synthetic_recording(np.random.default_rng(0))
    decoding = decode_hand_velocity(recording)
    rate, velocity = recording.rate.to_numpy(), recording.hand_velocity.to_numpy()
    scaled = rate / (rate.max(axis=(0, 1)) - rate.min(axis=(0, 1)) + 5)
    earlier = scaled[:, np.maximum(np.arange(rate.shape[1]) - 10, 0)]
    expected = np.empty_like(velocity)
    for k in range(8):
        X, y = np.delete(earlier, k, axis=0).reshape(-1, rate.shape[2]), np.delete(velocity, k, axis=0).reshape(-1, 2)
        centred = X - X.mean(axis=0)
        w = np.linalg.solve(centred.T @ centred + 10 * np.eye(X.shape[1]), centred.T @ (y - y.mean(axis=0)))
        expected[k] = (earlier[k] - X.mean(axis=0)) @ w + y.mean(axis=0)
    np.testing.assert_allclose(decoding.prediction, expected, atol=1e-11)
    scores = 1 - ((velocity - expected) ** 2).sum(axis=(0, 1)) / ((velocity - velocity.mean(axis=(0, 1))) ** 2).sum(
        axis=(0, 1)
    )
    assert decoding.r2 == pytest.approx({"vx": scores[0], "vy": scores[1]}, rel=1e-9)
    xr.testing.assert_identical(decoding.prediction, decode_hand_velocity(recording).prediction)


def test_nested_penalty_decodes_a_clean_recording_better_than_a_large_one():
    recording = synthetic_recording(np.random.default_rng(0))
    nested = decode_hand_velocity(recording, penalty="nested").r2
    heavy = decode_hand_velocity(recording, penalty=1000.0).r2
    assert min(nested.values()) > 0.99
    assert max(heavy.values()) < 0.9


# --- classes ----------------------------------------------------------------------------------------------------------


def test_every_trial_is_read_at_its_own_time():
    values = np.random.default_rng(1).standard_normal((3, 5, 2))
    labelled = activity(values, dt=0.1)
    found = state_at(labelled, [4, 0, 2])
    for trial, step in enumerate((4, 0, 2)):
        np.testing.assert_array_equal(found[trial], values[trial, step])
    np.testing.assert_array_equal(state_at(labelled, 3), values[:, 3])
    for steps, message in (
        ([0, 1], r"the shape of steps is \(2,\), expected \(3,\)"),
        ([0, 5, 1], "steps has 5"),
        (-1, "has -1"),
    ):
        with pytest.raises(CortwinError, match=message):
            state_at(labelled, steps)


def test_order_free_features_do_not_know_the_time():
    values = np.random.default_rng(1).standard_normal((3, 21, 2))
    shuffled = np.stack([np.random.default_rng(k).permutation(trial) for k, trial in enumerate(values)])
    found = order_free(activity(values, dt=0.1), levels=21)
    np.testing.assert_array_equal(found, order_free(activity(shuffled, dt=0.1), levels=21))
    # With as many levels as samples the quantiles are the sorted samples.
    np.testing.assert_allclose(found.reshape(3, 21, 2), np.sort(values, axis=1), rtol=1e-12)


def test_classes_are_read_by_the_penalised_likelihood():
    """The gradient of C = 1 logistic regression, written out, is 0 at the fit (to its solver's tolerance)."""
    generator = np.random.default_rng(4)
    labels = np.repeat([0, 1, 2], 20)
    features = generator.standard_normal((60, 4)) + labels[:, None] * [1.0, 0.0, -1.0, 0.5]
    readout = fit_classes(features, labels)
    z = (features - features.mean(axis=0)) / features.std(axis=0)
    last = readout[-1]
    a = z @ last.coef_.T + last.intercept_
    p = np.exp(a - a.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(readout.predict_proba(features), p, rtol=1e-9)
    gradient = (p - np.eye(3)[labels]).T @ z + last.coef_
    assert np.abs(gradient).max() < 1e-4 * len(labels)
    assert last.coef_.shape == (3, 4)


def test_classes_that_cannot_be_read_are_named():
    with pytest.raises(CortwinError, match="there is one class only, 2: there is nothing to tell apart"):
        fit_classes(np.ones((3, 1)), [2, 2, 2])
    with pytest.raises(CortwinError, match=r"features\[1, 0\] is nan: a readout needs finite numbers"):
        fit_classes([[1.0], [np.nan]], [0, 1])
