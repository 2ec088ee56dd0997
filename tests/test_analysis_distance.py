"""NRMSE, correlations, time grids, tuning and eigenvalues: closed forms and slow references."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.analysis import (
    Undefined,
    correlation_per_unit,
    cosine_tuning,
    nrmse,
    reason_of,
    recurrence_spectrum,
    resample,
    smooth,
)

DIRECTIONS = 2 * np.pi * np.arange(8) / 8


@pytest.fixture
def generator():
    return np.random.default_rng(3)


def test_nrmse_is_the_loop(generator):
    a, b = generator.standard_normal((2, 3, 4, 5)) * 2.0 + 7.0
    values = [float(v) for v in a.ravel()]
    mean = sum(values) / len(values)
    deviation = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
    rms = (sum((float(p) - q) ** 2 for p, q in zip(b.ravel(), values, strict=True)) / len(values)) ** 0.5
    assert nrmse(activity(a, dt=0.1), activity(b, dt=0.1)) == pytest.approx(rms / deviation, rel=1e-12)


def test_nrmse_of_the_mean_is_one_and_of_itself_zero(generator):
    a = activity(generator.standard_normal((3, 4, 5)), dt=0.1)
    assert nrmse(a, a.copy(data=np.full(a.shape, a.mean()))) == pytest.approx(1.0, rel=1e-12)
    assert nrmse(a, a) == 0.0


def test_correlation_per_unit_is_that_of_numpy(generator):
    a, b = (activity(v, dt=0.1) for v in generator.standard_normal((2, 3, 4, 5)))
    expected = [np.corrcoef(a[..., k].to_numpy().ravel(), b[..., k].to_numpy().ravel())[0, 1] for k in range(5)]
    np.testing.assert_allclose(correlation_per_unit(a, b), expected, rtol=1e-12)
    assert correlation_per_unit(a, b).attrs["reason"] == ""


def test_constant_activity_is_undefined_with_a_reason(generator):
    a = activity(generator.standard_normal((3, 4, 5)), dt=0.1, name="x")
    constant = activity(np.full((3, 4, 5), 0.1), dt=0.1, name="rate")
    assert np.isnan(nrmse(constant, a))
    assert reason_of(nrmse(constant, a)) == "rate: is constant"
    half = a.copy(data=np.where(np.arange(5) < 2, 0.1, a.to_numpy()))
    found = correlation_per_unit(a, half)
    assert np.isnan(found).to_numpy().tolist() == [True, True, False, False, False]
    assert found.attrs["reason"] == "2 of 5 units are constant"
    np.testing.assert_allclose(found[2:], 1.0, rtol=1e-12)


@pytest.mark.failure("analysis: activity of different dt, duration or units")
def test_activities_that_do_not_correspond_are_refused(generator):
    values = generator.standard_normal((3, 4, 5))
    a = activity(values, dt=0.1)
    for other, message in [
        (activity(values, dt=0.2), "dt of first"),
        (activity(values, dt=0.1, t_start=0.1), "covers"),
        (activity(values, dt=0.1, units="Hz"), "is in 1, second in Hz"),
        (activity(values[:2], dt=0.1), "3 trials, second has 2"),
        (activity(values[:, :, :4], dt=0.1), "reference has 5 units, other 4"),
    ]:
        for measure in (nrmse, correlation_per_unit):
            with pytest.raises(ValueError, match=message):
                measure(a, other)
    broken = a.copy(deep=True)
    broken[1, 2, 3] = np.inf
    with pytest.raises(ValueError, match="1 values are not finite, the first in trial 1"):
        nrmse(a, broken)


def test_the_reason_survives_copies_and_other_processes():
    value = Undefined("the network is silent")
    for same in (value, copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert np.isnan(same)
        assert reason_of(same) == "the network is silent"
    assert repr(value) == "nan (the network is silent)"
    assert reason_of(float("nan")) == ""


def test_resampling_a_straight_line_is_exact_and_never_extrapolates():
    time = 0.02 * np.arange(11)
    line = activity(np.stack([3.0 * time, -time])[:, :, None], dt=0.02, units="Hz", name="rate")
    finer = resample(line, 0.005 * np.arange(41))
    np.testing.assert_allclose(finer[0, :, 0], 3.0 * finer["time"], atol=1e-15)
    assert finer.attrs == {"dt": pytest.approx(0.005), "units": "Hz"}
    np.testing.assert_array_equal(resample(line, line["time"].to_numpy()), line)
    with pytest.raises(ValueError, match=r"rate: covers 0..0.2 s, asked for 0..0.21 s"):
        resample(line, 0.01 * np.arange(22))
    with pytest.raises(ValueError, match="not evenly spaced"):
        resample(line, [0.0, 0.1, 0.15])
    with pytest.raises(ValueError, match="at least two samples"):
        resample(line, [0.0])


def test_smoothing_an_impulse_gives_the_gaussian():
    values = np.zeros((1, 201, 1))
    values[0, 100, 0] = 1.0
    impulse = activity(values, dt=0.001, t_start=-0.1)
    width = 0.01
    time = impulse["time"].to_numpy()
    expected = 0.001 * np.exp(-(time**2) / (2 * width**2)) / (width * np.sqrt(2 * np.pi))
    # The kernel is cut at four standard deviations and scaled back to area one: 1 - erf(4 / sqrt(2)) = 6e-5 of its
    # peak, and exp(-8) = 3e-4 of it where it is cut.
    np.testing.assert_allclose(smooth(impulse, width)[0, :, 0], expected, atol=4e-4 * expected.max())
    np.testing.assert_array_equal(smooth(impulse, 0.0), impulse)
    for width in (-0.1, np.nan):
        with pytest.raises(ValueError, match="width: must be a finite number"):
            smooth(impulse, width)


def test_smoothing_keeps_a_constant():
    constant = activity(np.full((1, 30, 2), 3.0), dt=0.01)
    np.testing.assert_allclose(smooth(constant, 0.05), 3.0, rtol=1e-12)


def tuned(preferred, depth, baseline, directions=DIRECTIONS, noise=0.0):
    mean = baseline + depth * np.cos(directions[:, None] - preferred)
    values = np.repeat(mean[:, None, :], 5, axis=1) + noise
    return activity(values, dt=0.1, units="Hz", coordinates={"direction": ("trial", directions)}, name="rate")


def test_tuning_recovers_known_cosines():
    preferred = np.array([-3.0, -1.0, 0.0, 0.7, 3.1])
    depth = np.array([0.5, 1.0, 5.0, 10.0, 20.0])
    found = cosine_tuning(tuned(preferred, depth, 12.0))
    np.testing.assert_allclose(found["preferred_direction"], preferred, atol=1e-12)
    np.testing.assert_allclose(found["depth"], depth, rtol=1e-12)
    np.testing.assert_allclose(found["baseline"], 12.0, rtol=1e-12)
    np.testing.assert_allclose(found["r2"], 1.0, rtol=1e-12)
    assert found["depth"].attrs["units"] == "Hz"


def test_tuning_with_even_directions_is_the_first_fourier_coefficient(generator):
    values = generator.standard_normal((8, 5, 6)) + 4.0
    x = activity(values, dt=0.1, coordinates={"direction": ("trial", DIRECTIONS)})
    found = cosine_tuning(x, start=0.1, stop=0.3)
    mean = values[:, 1:4].mean(axis=1)
    coefficient = 2 / 8 * np.sum(mean * np.exp(1j * DIRECTIONS)[:, None], axis=0)
    np.testing.assert_allclose(found["preferred_direction"], np.angle(coefficient), rtol=1e-10)
    np.testing.assert_allclose(found["depth"], np.abs(coefficient), rtol=1e-10)
    # Parseval: a harmonic of amplitude d explains d^2 / 2 of the variance.
    np.testing.assert_allclose(found["r2"], np.abs(coefficient) ** 2 / 2 / np.var(mean, axis=0), rtol=1e-10)


def test_tuning_of_units_that_do_not_vary_is_undefined():
    found = cosine_tuning(tuned(np.zeros(3), np.array([0.0, 1.0, 0.0]), 0.1))
    assert np.isnan(found["preferred_direction"]).to_numpy().tolist() == [True, False, True]
    assert np.isnan(found["r2"]).to_numpy().tolist() == [True, False, True]
    assert found.attrs["reason"] == "2 of 3 units do not vary"


def test_tuning_refuses_directions_that_do_not_determine_it():
    with pytest.raises(ValueError, match="at least three different directions"):
        cosine_tuning(tuned(np.zeros(3), 1.0, 1.0, np.array([0.0, np.pi, 0.0, np.pi])))
    with pytest.raises(ValueError, match="rate: has no coordinate 'direction'"):
        cosine_tuning(tuned(np.zeros(3), 1.0, 1.0).drop_vars("direction"))


def test_eigenvalues_of_matrices_with_known_ones(generator):
    theta = 0.3
    block = 1.2 * np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    W = np.zeros((3, 3))
    W[:2, :2], W[2, 2] = block, -1.5
    P = generator.standard_normal((3, 3))
    found = recurrence_spectrum(P @ W @ np.linalg.inv(P))
    expected = [-1.5, 1.2 * np.exp(-1j * theta), 1.2 * np.exp(1j * theta)]
    np.testing.assert_allclose(found.eigenvalues, expected, atol=1e-10)
    assert found.radius == pytest.approx(1.5)
    assert found.abscissa == pytest.approx(1.2 * np.cos(theta))


def test_spectral_radius_of_a_random_matrix_is_its_gain(generator):
    # Girko's circle; at N = 400 the largest modulus is within a few per cent of g.
    g, n = 1.5, 400
    W = generator.standard_normal((n, n)) * g / np.sqrt(n)
    assert recurrence_spectrum(W).radius == pytest.approx(g, rel=0.06)


def test_bad_weights_are_refused():
    with pytest.raises(ValueError, match=r"W_rec: expected a square matrix, got shape \(2, 3\)"):
        recurrence_spectrum(np.ones((2, 3)))
    with pytest.raises(ValueError, match="W_rec: 1 weights are not finite"):
        recurrence_spectrum([[1.0, np.nan], [0.0, 1.0]])
