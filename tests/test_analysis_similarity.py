"""Similarity against other libraries, the HSIC formula and known answers; its floors and ceiling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import qr, subspace_angles
from scipy.spatial import procrustes as scipy_procrustes
from sklearn.cross_decomposition import CCA

from cortwin.activity import activity
from cortwin.analysis import (
    apply_procrustes,
    compare,
    condition_average,
    cross_condition_average,
    fit_cca,
    fit_procrustes,
    linear_cka,
    principal_components,
    procrustes_similarity,
    reason_of,
    remove_cross_condition_mean,
    smooth,
    smooth_noise_like,
    soft_normalise,
    split_halves,
)

# Sums over a few hundred terms of order one, chained through an SVD: eps * 1e3 leaves room for two orders.
ROUNDING = 1e-10


def conditions(values, *, dt=0.01, units="1", name=None):
    labels = {"condition": ("trial", np.arange(len(values)))}
    return activity(values, dt=dt, units=units, name=name, coordinates=labels)


def latent_activity(generator, n_units, n_conditions=8, n_times=50, n_latents=4, latents=None):
    """Smooth latents through a random loading: low-dimensional activity as in a recording."""
    if latents is None:
        latents = smooth(conditions(generator.standard_normal((n_conditions, n_times, n_latents))), 0.05).to_numpy()
    return latents, conditions(latents @ generator.standard_normal((latents.shape[-1], n_units)))


@pytest.fixture
def generator():
    return np.random.default_rng(1)


def test_cka_is_the_ratio_of_hsic(generator):
    x, y = generator.standard_normal((60, 7)), generator.standard_normal((60, 11))
    H = np.eye(60) - 1 / 60
    hsic = lambda a, b: np.trace(H @ (a @ a.T) @ H @ (b @ b.T))  # noqa: E731
    assert linear_cka(x, y) == pytest.approx(hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y)), rel=ROUNDING)


def test_cka_ignores_rotation_shift_and_isotropic_scale_but_not_a_shear(generator):
    x, y = generator.standard_normal((60, 7)), generator.standard_normal((60, 7))
    Q = qr(generator.standard_normal((7, 7)))[0]
    assert linear_cka(x, 3.0 * y @ Q + 5.0) == pytest.approx(linear_cka(x, y), rel=ROUNDING)
    assert linear_cka(x, x @ Q) == pytest.approx(1.0, rel=ROUNDING)
    assert linear_cka(x, x * np.arange(1, 8)) < 0.95


def test_cca_agrees_with_scikit_learn(generator):
    latent = generator.standard_normal((300, 3))
    x = latent @ generator.standard_normal((3, 5)) + generator.standard_normal((300, 5))
    y = latent @ generator.standard_normal((3, 6)) + generator.standard_normal((300, 6))
    estimator = CCA(n_components=5, scale=False, tol=1e-12, max_iter=10_000)
    a, b = estimator.fit_transform(x, y)
    expected = [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(5)]
    # scikit-learn iterates until its weights change by less than sqrt(tol) = 1e-6.
    np.testing.assert_allclose(fit_cca(x, y).correlations, expected, atol=1e-6)


def test_cca_is_the_cosine_of_the_angles_between_the_leading_subspaces(generator):
    x, y = generator.standard_normal((200, 30)), generator.standard_normal((200, 20))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    leading = [np.linalg.svd(z, full_matrices=False)[0][:, :10] for z in (x, y)]
    expected = np.sort(np.cos(subspace_angles(*leading)))[::-1]
    # An angle near 0 or its cosine near 0 loses half the digits at most.
    np.testing.assert_allclose(fit_cca(x, y, 10).correlations, expected, atol=1e-8)


def test_cca_maps_give_the_correlations_that_they_claim(generator):
    x, y = generator.standard_normal((100, 8)) + 2.0, generator.standard_normal((100, 9))
    maps = fit_cca(x, y)
    a, b = (x - maps.mean_x) @ maps.weights_x, (y - maps.mean_y) @ maps.weights_y
    np.testing.assert_allclose(a.T @ b, np.diag(maps.correlations), atol=ROUNDING)
    np.testing.assert_allclose(a.T @ a, np.eye(8), atol=ROUNDING)


def test_procrustes_agrees_with_scipy(generator):
    x, y = generator.standard_normal((50, 6)), generator.standard_normal((50, 4))
    residual = np.sum((x - apply_procrustes(fit_procrustes(x, y), y)) ** 2) / np.sum((x - x.mean(axis=0)) ** 2)
    # scipy's disparity is this residual, after both have been scaled to unit norm.
    expected = scipy_procrustes(x, np.pad(y, ((0, 0), (0, 2))))[2]
    assert residual == pytest.approx(expected, rel=ROUNDING)


def test_procrustes_recovers_a_known_map(generator):
    y = generator.standard_normal((50, 6))
    Q = qr(generator.standard_normal((6, 6)))[0]
    fitted = fit_procrustes(2.5 * y @ Q - 1.0, y)
    assert fitted.scale == pytest.approx(2.5, rel=ROUNDING)
    np.testing.assert_allclose(fitted.Q, Q, atol=ROUNDING)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
def test_principal_components_agree_with_an_svd(generator, shape):
    samples = generator.standard_normal(shape)
    found = principal_components(samples, 5)
    _, s, vt = np.linalg.svd(samples)
    np.testing.assert_allclose(found.sums_of_squares, s[:5] ** 2, rtol=ROUNDING)
    np.testing.assert_allclose(found.components @ found.components.T, vt[:5].T @ vt[:5], atol=ROUNDING)
    assert found.fraction == pytest.approx(np.sum(s[:5] ** 2) / np.sum(s**2), rel=ROUNDING)


def test_principal_components_stop_at_the_rank(generator):
    samples = generator.standard_normal((40, 3)) @ generator.standard_normal((3, 12))
    assert principal_components(samples, 10).components.shape == (12, 3)
    assert principal_components(np.zeros((40, 12)), 10).components.shape == (12, 0)
    with pytest.raises(ValueError, match="n_components: must be at least 1, got 0"):
        principal_components(samples, 0)


def test_a_rotated_scaled_and_shifted_copy_is_identical(generator):
    _, x = latent_activity(generator, 30)
    Q = qr(generator.standard_normal((30, 30)))[0]
    copy = x.copy(data=4.0 * x.to_numpy() @ Q + 3.0).assign_attrs(units="Hz")
    for name, value in compare(x, copy).items():
        assert value == pytest.approx(1.0, abs=1e-9), name


def test_compare_names_every_measure_and_is_the_loop_over_left_out_conditions(generator):
    latents, x = latent_activity(generator, 20)
    _, y = latent_activity(generator, 25, latents=latents)
    y = y.copy(data=y.to_numpy() + generator.standard_normal(y.shape))
    found = compare(x, y)
    assert list(found) == [f"{m}.{s}" for m in ("cka", "cca", "procrustes") for s in ("mean_kept", "mean_removed")]

    def slow(mean_removed):
        sums, residual, total = np.zeros((3, 4)), 0.0, 0.0
        for c in range(8):
            rest = [k for k in range(8) if k != c]
            train, test = [], []
            for z in (x.to_numpy(), y.to_numpy()):
                mean = z[rest].mean(axis=0) if mean_removed else np.zeros_like(z[0])
                samples = np.concatenate([z[k] - mean for k in rest])
                centre = samples.mean(axis=0)
                axes = np.linalg.svd(samples - centre, full_matrices=False)[2][:4].T
                train.append((samples - centre) @ axes)
                test.append((z[c] - mean - centre) @ axes)
            white = [np.linalg.svd(t, full_matrices=False) for t in train]
            u, _, vt = np.linalg.svd(white[0][0].T @ white[1][0])
            a = test[0] @ white[0][2].T / white[0][1] @ u
            b = test[1] @ white[1][2].T / white[1][1] @ vt.T
            sums += [(a * b).sum(axis=0), (a**2).sum(axis=0), (b**2).sum(axis=0)]
            left, s, right = np.linalg.svd(train[1].T @ train[0])
            predicted = s.sum() / np.sum(train[1] ** 2) * test[1] @ left @ right
            residual += np.sum((test[0] - predicted) ** 2)
            total += np.sum(test[0] ** 2)
        return np.mean(sums[0] / np.sqrt(sums[1] * sums[2])), 1 - residual / total

    four = compare(x, y, n_components=4)
    for suffix, removed in (("mean_kept", False), ("mean_removed", True)):
        cca, procrustes = slow(removed)
        assert four[f"cca.{suffix}"] == pytest.approx(cca, rel=1e-8)
        assert four[f"procrustes.{suffix}"] == pytest.approx(procrustes, rel=1e-8)
        z = [remove_cross_condition_mean(w) if removed else w for w in (x, y)]
        expected = linear_cka(*(w.to_numpy().reshape(-1, w.shape[2]) for w in z))
        assert four[f"cka.{suffix}"] == pytest.approx(expected, rel=ROUNDING)


def test_ceiling_is_above_and_floor_below_a_shared_signal(generator):
    latents, x = latent_activity(generator, 60, n_conditions=16)
    _, y = latent_activity(generator, 40, latents=latents)
    y = y.copy(data=y.to_numpy() + 0.5 * generator.standard_normal(y.shape))
    shared, ceiling = compare(x, y), compare(*split_halves(x, generator))
    noise = compare(x, smooth_noise_like(y, generator))
    for name in shared:
        assert noise[name] < shared[name] - 0.2, name
        assert noise[name] < ceiling[name] - 0.2, name
    # Nothing is shared with noise, so that a fitted map predicts nothing of a condition that was left out: 16 smooth
    # conditions hold a few hundred independent samples, hence a correlation within about 0.15 of zero.
    assert abs(noise["cca.mean_removed"]) < 0.15
    assert noise["procrustes.mean_removed"] < 0.05


def test_the_cross_condition_average_is_a_floor_only_with_the_mean_kept(generator):
    _, x = latent_activity(generator, 30)
    x = x.copy(data=x.to_numpy() + 3.0 * x.to_numpy()[:1])
    floor = compare(x, cross_condition_average(x))
    assert floor["cka.mean_kept"] > 0.3
    for measure in ("cka", "cca", "procrustes"):
        value = floor[f"{measure}.mean_removed"]
        assert np.isnan(value)
        assert reason_of(value) == "cross_condition_average does not differ between conditions"


def test_constant_activity_has_no_similarity_and_constant_units_do_no_harm(generator):
    _, x = latent_activity(generator, 30)
    silent = x.copy(data=np.full(x.shape, 0.1)).rename("spiking")
    for value in compare(x, silent).values():
        assert np.isnan(value)
        assert reason_of(value).startswith("spiking does not")
    half = x.copy(data=np.where(np.arange(30) < 5, 7.0, x.to_numpy()))
    padded = conditions(x.to_numpy()[:, :, 5:])
    for name, value in compare(x, half).items():
        assert value == pytest.approx(compare(x, padded)[name], abs=1e-9), name


def test_fewer_samples_than_units(generator):
    latents, x = latent_activity(generator, 200, n_conditions=4, n_times=10)
    _, y = latent_activity(generator, 150, n_conditions=4, n_times=10, latents=latents)
    found = compare(x, y)
    # Noise-free four latents: a linear map exists, and CCA, blind to shear, must find it on the left-out condition.
    assert found["cca.mean_kept"] == pytest.approx(1.0, abs=1e-6)
    assert all(np.isfinite(value) and value <= 1.0 + ROUNDING for value in found.values())


def test_the_units_kind_and_number_may_differ_but_not_the_grid(generator):
    values = generator.standard_normal((4, 20, 6))
    reference = conditions(values)
    compare(reference, conditions(values[:, :, :4], units="Hz"))
    with pytest.raises(ValueError, match=r"dt of first is 0.01 s, of second 0.02 s"):
        compare(reference, conditions(values, dt=0.02))
    with pytest.raises(ValueError, match="4 trials, second has 3"):
        compare(reference, conditions(values[:3]))
    swapped = reference.assign_coords(condition=("trial", [1, 0, 2, 3]))
    with pytest.raises(ValueError, match="trial 0 has condition 0 in the reference, 1 in the other"):
        compare(reference, swapped)


def test_bad_input_is_refused(generator):
    values = generator.standard_normal((4, 20, 6))
    reference = conditions(values)
    with pytest.raises(ValueError, match="needs at least 3 conditions, got 1"):
        compare(conditions(values[:1]), conditions(values[:1]))
    with pytest.raises(ValueError, match="average them with condition_average"):
        compare(reference.assign_coords(condition=("trial", [0, 0, 1, 2])), reference)
    broken = reference.copy(deep=True)
    broken[2, 3] = np.nan
    with pytest.raises(ValueError, match="6 values are not finite, the first in trial 2"):
        compare(reference, broken)
    with pytest.raises(ValueError, match=r"expected the dimensions \(trial, time, unit\)"):
        compare(reference[0], reference[0])


def test_condition_average_is_the_loop(generator):
    values = generator.standard_normal((6, 5, 3))
    condition = np.array([2, 0, 2, 0, 0, 1])
    direction = condition * 0.5
    labelled = activity(
        values,
        dt=0.1,
        t_start=-0.2,
        units="Hz",
        coordinates={
            "condition": ("trial", condition),
            "direction": ("trial", direction),
            "hold": ("trial", np.arange(6)),
        },
    )
    averaged = condition_average(labelled)
    for k in range(3):
        np.testing.assert_allclose(averaged[k], values[condition == k].mean(axis=0), rtol=1e-14)
    assert averaged["condition"].to_numpy().tolist() == [0, 1, 2]
    assert averaged["direction"].to_numpy().tolist() == [0.0, 0.5, 1.0]
    assert averaged["n_trials"].to_numpy().tolist() == [3, 1, 2]
    assert "hold" not in averaged.coords  # differs within a condition
    assert averaged.attrs == labelled.attrs
    np.testing.assert_array_equal(averaged["time"], labelled["time"])
    with pytest.raises(ValueError, match="no coordinate 'condition'"):
        condition_average(labelled.drop_vars("condition"))


def test_removing_the_mean_of_one_condition_is_refused():
    with pytest.raises(ValueError, match="one condition has no cross-condition mean"):
        remove_cross_condition_mean(conditions(np.ones((1, 3, 2))))


def test_soft_normalisation_divides_by_the_range_over_conditions_and_times(generator):
    x = conditions(generator.standard_normal((3, 20, 4)) * [0.0, 1.0, 10.0, 100.0])
    values = x.to_numpy()
    expected = values / (values.max(axis=(0, 1)) - values.min(axis=(0, 1)) + 5.0)
    np.testing.assert_allclose(soft_normalise(x), expected, rtol=1e-14)
    assert np.ptp(soft_normalise(x, 0.0).to_numpy(), axis=(0, 1)) == pytest.approx([0, 1, 1, 1])
    with pytest.raises(ValueError, match="softening: must be 0 or more, got -1"):
        soft_normalise(x, -1)


@pytest.mark.parametrize("n_times", [40, 41])
def test_noise_has_the_mean_and_the_power_spectrum_of_each_unit(generator, n_times):
    x = smooth(conditions(generator.standard_normal((5, n_times, 3)) * [1.0, 3.0, 10.0] + [0.0, 5.0, -5.0]), 0.02)
    n = 2000
    draws = np.concatenate([smooth_noise_like(x, generator).to_numpy() for _ in range(n // 5)])
    mean = x.to_numpy().mean(axis=(0, 1))
    wanted = np.mean(np.abs(np.fft.rfft(x.to_numpy() - mean, axis=1)) ** 2, axis=0)
    found = np.mean(np.abs(np.fft.rfft(draws - mean, axis=1)) ** 2, axis=0)
    # The periodogram of Gaussian noise is exponential (at 0 and Nyquist chi-squared with one degree of freedom, twice
    # the variance): relative standard error sqrt(2 / n) at most; five of them for the 63 values.
    np.testing.assert_allclose(found, wanted, rtol=5 * np.sqrt(2 / n))
    # Gaussian: kurtosis 3, with standard error sqrt(24 / n) for the n independent trials at one time.
    z = draws[:, 3, :] - mean
    kurtosis = np.mean(z**4, axis=0) / np.mean(z**2, axis=0) ** 2
    np.testing.assert_allclose(kurtosis, 3.0, atol=5 * np.sqrt(24 / n))


def test_noise_and_halves_depend_on_the_generator_alone(generator):
    x = conditions(generator.standard_normal((3, 10, 7)))
    for draw in (smooth_noise_like, lambda a, g: split_halves(a, g)[0]):
        first, again, other = (draw(x, np.random.default_rng(seed)).to_numpy() for seed in (5, 5, 6))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def test_halves_are_disjoint_and_complete(generator):
    x = conditions(np.broadcast_to(np.arange(7.0), (3, 10, 7)))
    first, second = split_halves(x, generator)
    assert (first.shape[2], second.shape[2]) == (4, 3)
    assert sorted([*first.to_numpy()[0, 0], *second.to_numpy()[0, 0]]) == list(range(7))
    with pytest.raises(ValueError, match="one unit cannot be split"):
        split_halves(x[:, :, :1], generator)


def test_procrustes_is_not_blind_to_shear_as_cca_is(generator):
    _, x = latent_activity(generator, 10, n_latents=10)
    sheared = x.copy(data=x.to_numpy() * np.geomspace(1, 30, 10))
    assert compare(x, sheared)["cca.mean_kept"] == pytest.approx(1.0, abs=1e-6)
    assert procrustes_similarity(x, sheared, mean_removed=False) < 0.9
