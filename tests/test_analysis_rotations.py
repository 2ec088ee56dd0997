"""Rotations with known frequency, jPCA against a slow writing of it, its null, and the participation ratio."""

from __future__ import annotations

import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.analysis import (
    jpca,
    jpca_null,
    linear_dynamics,
    participation_ratio,
    reason_of,
    smooth,
    time_window,
)

DT = 0.01


def recorded(values, *, t_start=-0.3, dt=DT, **coordinates):
    labels = {"condition": ("trial", np.arange(len(values))), **coordinates}
    return activity(values, dt=dt, t_start=t_start, units="Hz", coordinates=labels, name="recording")


def rotation(frequency, *, n_conditions=8, n_units=24, dt=DT):
    """Rates 20 + 10 cos(2 pi f t + condition - unit): a circle in the space of the units.

    The phases of conditions and units are multiples of the same angle, so that every unit has the very same range.
    """
    time = -0.3 + dt * np.arange(round(0.7 / dt) + 1)
    condition, unit = (2 * np.pi * np.arange(n) / n_conditions for n in (n_conditions, n_units))
    phase = condition[:, None, None] + 2 * np.pi * frequency * time[None, :, None] - unit[None, None, :]
    return recorded(20.0 + 10.0 * np.cos(phase), dt=dt, direction=("trial", condition))


def smooth_random(generator, n_conditions=8, n_units=30):
    return smooth(recorded(10.0 * generator.standard_normal((n_conditions, 71, n_units))), 0.03)


@pytest.fixture
def generator():
    return np.random.default_rng(2)


@pytest.mark.parametrize("frequency", [0.5, 2.0, -2.0])
@pytest.mark.parametrize("dt", [0.01, 0.002])
def test_a_pure_rotation_gives_its_closed_form(frequency, dt):
    found = jpca(rotation(frequency, dt=dt))
    theta = 2 * np.pi * abs(frequency) * dt  # turned in one step
    # dX = (R - 1) X / dt with the rotation R by theta: linear, hence R2 = 1; its skew-symmetric part is
    # sin(theta) / dt, and the part that is left, (cos(theta) - 1) / dt, costs (1 - cos(theta)) / 2 of R2.
    assert found.r2 == pytest.approx(1.0, abs=1e-10)
    assert found.r2_skew == pytest.approx((1 + np.cos(theta)) / 2, abs=1e-10)
    assert found.frequency == pytest.approx(np.sin(theta) / (2 * np.pi * dt), rel=1e-10)
    assert found.variance == pytest.approx(1.0, abs=1e-10)
    assert found.variance_plane == pytest.approx(1.0, abs=1e-10)
    assert found.n_components == 2
    assert found.reason == ""


def test_projections_turn_anticlockwise_and_start_along_the_first_axis(generator):
    for values in (rotation(1.0), rotation(-1.0)):
        p = jpca(values).projections.to_numpy()
        turned = np.diff(np.unwrap(np.angle(p[..., 0] + 1j * p[..., 1]), axis=1), axis=1)
        np.testing.assert_allclose(turned, 2 * np.pi * DT, rtol=1e-9)
    found = jpca(smooth_random(generator))
    first = found.projections.to_numpy()[:, 0]
    scatter = first.T @ first
    assert abs(scatter[0, 1]) < 1e-10 * scatter[0, 0]
    assert scatter[0, 0] > scatter[1, 1]
    assert first[0, 0] >= 0
    np.testing.assert_allclose(found.plane.to_numpy().T @ found.plane.to_numpy(), np.eye(2), atol=1e-10)
    p, M = found.projections.to_numpy(), found.plane
    assert p.shape == (8, 21, 2)
    assert M.dims == ("unit", "jpc")
    assert found.projections["time"].to_numpy()[[0, -1]] == pytest.approx([-0.05, 0.15])


def test_a_fit_finds_the_dynamics_that_made_the_states(generator):
    M = generator.standard_normal((4, 4))
    X = generator.standard_normal((5, 1, 4))
    states = [X]
    for _ in range(30):
        states.append(states[-1] + DT * states[-1] @ M)
    fit = linear_dynamics(np.concatenate(states, axis=1), DT)
    np.testing.assert_allclose(fit.M, M, atol=1e-9)
    assert fit.r2 == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_array_equal(fit.M_skew, -fit.M_skew.T)
    assert fit.r2_skew < fit.r2


def slow_jpca(values, time, start, stop, n_components, softening):
    """The eight steps of the definition as loops, the skew-symmetric fit over an explicit basis."""
    n_conditions, _, n_units = values.shape
    scaled = np.empty_like(values)
    for u in range(n_units):
        scaled[:, :, u] = values[:, :, u] / (values[:, :, u].max() - values[:, :, u].min() + softening)
    inside = [k for k, t in enumerate(time) if start - 1e-9 <= t <= stop + 1e-9]
    window = scaled[:, inside] - scaled[:, inside].mean(axis=0)
    _, s, vt = np.linalg.svd(window.reshape(-1, n_units), full_matrices=False)
    X, dX = [], []
    for c in range(n_conditions):
        states = window[c] @ vt[:n_components].T
        for k in range(len(inside) - 1):
            X.append(states[k])
            dX.append((states[k + 1] - states[k]) / (time[1] - time[0]))
    X, dX = np.array(X), np.array(dX)
    M = np.linalg.lstsq(X, dX, rcond=None)[0]
    basis = []
    for i in range(n_components):
        for j in range(i):
            B = np.zeros((n_components, n_components))
            B[i, j], B[j, i] = 1.0, -1.0
            basis.append(B)
    weights = np.linalg.lstsq(np.stack([(X @ B).ravel() for B in basis], axis=1), dX.ravel(), rcond=None)[0]
    K = sum(w * B for w, B in zip(weights, basis, strict=True))
    r2 = [1 - np.sum((dX - X @ m) ** 2) / np.sum((dX - dX.mean(axis=0)) ** 2) for m in (M, K)]
    frequency = np.linalg.eigvals(K).imag.max() / (2 * np.pi)
    return (*r2, frequency, np.sum(s[:n_components] ** 2) / np.sum(s**2))


@pytest.mark.parametrize("options", [{}, {"start": -0.1, "stop": 0.3, "n_components": 4, "softening": 0.5}])
def test_jpca_is_its_definition_written_slowly(generator, options):
    x = smooth_random(generator)
    found = jpca(x, **options)
    settings = {"start": -0.05, "stop": 0.15, "n_components": 6, "softening": 5.0, **options}
    expected = slow_jpca(x.to_numpy(), x["time"].to_numpy(), **settings)
    np.testing.assert_allclose((found.r2, found.r2_skew, found.frequency, found.variance), expected, rtol=1e-8)


def test_float32_and_float64_recordings_agree(generator):
    x = smooth_random(generator)
    low = x.astype(np.float32)
    # A float32 carries 6e-8, which the division by dt raises by about 1e2 against the size of the derivative.
    assert jpca(low).r2 == pytest.approx(jpca(x).r2, abs=1e-4)
    assert jpca(low).projections.dtype == np.float64


def test_the_null_is_jpca_of_shuffled_units(generator):
    x = smooth_random(generator, n_conditions=5, n_units=9)
    null = jpca_null(x, np.random.default_rng(3), n_shuffles=3)
    again = np.random.default_rng(3)
    for k in range(3):
        # One independent permutation of the conditions for each unit, drawn in the same way.
        order = again.permuted(np.tile(np.arange(5)[:, None, None], (1, 1, 9)), axis=0)[:, 0, :]
        shuffled = x.copy()
        for u in range(9):
            shuffled[:, :, u] = x.to_numpy()[order[:, u], :, u]
        assert len(set(map(tuple, order.T))) > 1
        expected = jpca(shuffled)
        assert null.r2[k] == pytest.approx(expected.r2, rel=1e-9)
        assert null.r2_skew[k] == pytest.approx(expected.r2_skew, rel=1e-9)


def test_a_rotation_stands_out_of_its_null_and_smooth_noise_does_not(generator):
    noise = smooth_random(generator, n_units=60)
    turning = noise.copy(data=noise.to_numpy() / 2 + rotation(2.0, n_units=60).to_numpy())
    null = jpca_null(turning, np.random.default_rng(4), 100).summary
    assert jpca(turning).r2_skew > null["r2_skew.quantile95"] + 0.1
    # Independent units are exchangeable with their shuffles: 25 recordings, each above its own 95 % quantile with
    # probability 1/20; more than 6 of them happen once in 5000 times.
    above = 0
    for seed in range(25):
        x = smooth_random(np.random.default_rng(100 + seed))
        above += jpca(x).r2 > jpca_null(x, np.random.default_rng(seed), 40).summary["r2.quantile95"]
    assert above <= 6


def test_the_summary_is_mean_and_quantile(generator):
    null = jpca_null(smooth_random(generator), np.random.default_rng(5), 21)
    for name, values in (("r2", null.r2), ("r2_skew", null.r2_skew)):
        assert null.summary[f"{name}.quantile95"] == pytest.approx(np.sort(values)[19])  # 0.95 * 20 = 19
        assert null.summary[f"{name}.mean"] == pytest.approx(sum(values) / 21)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full((4, 71, 5), 0.1), "no difference between conditions"),
        (np.ones((4, 1, 1)) * np.random.default_rng(0).random((1, 71, 5)), "no difference between conditions"),
        (np.ones((1, 71, 1)) * np.random.default_rng(0).random((4, 1, 5)), "does not change"),
        (np.random.default_rng(0).random((4, 71, 1)) * np.arange(5.0), "one dimension"),
    ],
    ids=["constant", "same in all conditions", "static", "one dimension"],
)
def test_undefined_rotations_say_why(values, reason):
    found = jpca(recorded(values))
    assert np.isnan([found.r2, found.r2_skew, found.frequency, found.variance, found.variance_plane]).all()
    assert reason in found.reason
    assert np.isnan(found.projections).all()
    null = jpca_null(recorded(values), np.random.default_rng(0), 2)
    assert np.isnan(null.r2).all()


def test_bad_input_is_refused(generator):
    x = smooth_random(generator)
    with pytest.raises(ValueError, match="needs at least 2 conditions, got 1"):
        jpca(x[:1])
    with pytest.raises(ValueError, match=r"covers -0.3..0.4 s, not the window -0.05..0.5 s"):
        jpca(x, stop=0.5)
    with pytest.raises(ValueError, match=r"2 samples in 0.0..0.01 s, jPCA needs at least 3"):
        jpca(x, start=0.0, stop=0.01)
    with pytest.raises(ValueError, match="average them with condition_average"):
        jpca(x.assign_coords(condition=("trial", [0] * 8)))
    with pytest.raises(ValueError, match="n_shuffles: must be at least 1, got 0"):
        jpca_null(x, generator, 0)
    broken = x.copy(deep=True)
    broken[3] = np.nan
    with pytest.raises(ValueError, match="not finite, the first in trial 3"):
        jpca(broken)


def test_a_window_includes_both_ends(generator):
    x = smooth_random(generator)
    assert time_window(x, -0.05, 0.15).sizes["time"] == 21
    assert time_window(x, 0.0, 0.0).sizes["time"] == 1


def test_participation_ratio_of_known_covariances(generator):
    # Columns of an orthogonal matrix, made orthogonal to the constant: a covariance that is exact, not sampled.
    samples = np.linalg.qr(np.column_stack([np.ones(60), generator.standard_normal((60, 12))]))[0][:, 1:]

    def ratio(scale):
        return participation_ratio(activity((samples * scale).reshape(6, 10, 12), dt=DT))

    assert ratio(np.ones(12)) == pytest.approx(12.0, rel=1e-10)
    assert ratio(np.arange(12) == 3) == pytest.approx(1.0, rel=1e-10)
    variances = np.geomspace(1, 100, 12)
    assert ratio(np.sqrt(variances)) == pytest.approx(variances.sum() ** 2 / np.sum(variances**2), rel=1e-10)


def test_participation_ratio_is_that_of_the_eigenvalues_of_the_covariance(generator):
    for n_units in (7, 80):
        x = activity(generator.standard_normal((3, 20, n_units)) @ generator.random((n_units, n_units)) + 9.0, dt=DT)
        eigenvalues = np.linalg.eigvalsh(np.cov(x.to_numpy().reshape(60, n_units).T))
        expected = eigenvalues.sum() ** 2 / np.sum(eigenvalues**2)
        assert participation_ratio(x) == pytest.approx(expected, rel=1e-9)


def test_participation_ratio_of_constant_activity_is_undefined():
    value = participation_ratio(activity(np.full((3, 20, 5), 0.1), dt=DT, name="x"))
    assert np.isnan(value)
    assert reason_of(value) == "x: no unit varies"
