"""Memory capacity, linear registers and errors of forecasts: closed forms, scikit-learn, and loops written out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from cortwin.analysis import (
    LinearRegister,
    error_by_horizon,
    linear_memory_capacity,
    memory_capacity,
    nmse,
    reason_of,
    scaled_to_radius,
)


def cycle(n: int, r: float) -> np.ndarray:
    return r * np.roll(np.eye(n), 1, axis=0)


@pytest.fixture
def generator():
    return np.random.default_rng(11)


@pytest.mark.parametrize(("n", "r"), [(20, 0.9), (5, 0.5), (1, 0.3)])
def test_the_capacity_of_a_cycle_is_its_closed_form(generator, n, r):
    found = linear_memory_capacity(cycle(n, r), generator.uniform(0.5, 1, n), np.arange(1, 60 * n))
    assert found.sum() == pytest.approx(n - (1 - r ** (2 * n)), rel=1e-9)
    # One revolution of the cycle after the other, each r^2n of the last.
    np.testing.assert_allclose(found[n - 1 : 2 * n - 1], (1 - r ** (2 * n)) * r ** (2 * n), rtol=1e-9)


def test_all_delays_together_are_the_number_of_units(generator):
    W = scaled_to_radius(generator.standard_normal((6, 6)), 0.9)
    assert linear_memory_capacity(W, generator.standard_normal(6), np.arange(400)).sum() == pytest.approx(6, rel=1e-6)


def test_a_driven_cycle_has_the_capacity_of_its_closed_form(generator):
    """N = 20, r = 0.9 gives 19.015 within 0.3 %, over 60 delays: those beyond hold 6e-5."""
    n, r = 20, 0.9
    u, w = generator.uniform(-1, 1, 100_000), generator.uniform(-1, 1, n)
    W, x, states = cycle(n, r), np.zeros(n), []
    for value in u:
        x = W @ x + w * value
        states.append(x)
    found = memory_capacity(states, u, np.arange(1, 61), washout=200)
    # The sum scatters by 0.013 over draws of the input: four of that are 0.27 %.
    assert found.sum() == pytest.approx(19.015, rel=3e-3)


def test_the_capacity_is_the_adjusted_r2_of_a_least_squares_fit(generator):
    u = generator.standard_normal(400)
    x = np.stack([np.convolve(u, kernel)[:400] for kernel in generator.standard_normal((3, 5))], axis=1)
    x += 0.5 * generator.standard_normal(x.shape)
    delays = np.array([0, 2, 7])
    found = memory_capacity(x, u, delays, washout=30)
    for k, capacity in zip(delays, found, strict=True):
        states, past = x[30:], u[30 - k : 400 - k]
        r2 = LinearRegression().fit(states, past).score(states, past)
        assert capacity == pytest.approx(1 - (1 - r2) * (370 - 1) / (370 - 3 - 1), rel=1e-9)


def test_noise_has_no_capacity(generator):
    """Unadjusted, 40 states of 500 samples would explain 40 / 500 by chance at each of 50 delays: 4 in all."""
    sums = [
        memory_capacity(generator.standard_normal((500, 40)), generator.standard_normal(500), np.arange(50)).sum()
        for _ in range(20)
    ]
    assert abs(np.mean(sums)) < 4 * np.std(sums) / np.sqrt(20)
    assert np.std(sums) < 1


def test_a_copy_of_a_state_changes_nothing(generator):
    u, x = generator.standard_normal(300), generator.standard_normal((300, 3))
    np.testing.assert_allclose(
        memory_capacity(np.column_stack([x, x[:, 0]]), u, [1, 2]), memory_capacity(x, u, [1, 2]), atol=1e-12
    )


@pytest.mark.parametrize(
    ("states", "inputs", "delays", "message"),
    [
        (np.ones((10, 2)), np.ones(9), [1], "expected states"),
        (np.ones((10, 2)), np.ones(10), [-1], "delays must be whole numbers"),
        (np.ones((10, 2)), np.full(10, np.nan), [1], "not finite"),
        (np.ones((10, 2)), np.ones(10), [1], "the input is constant"),
        (np.ones((10, 8)), np.arange(10.0), [1], "9 samples are left"),
    ],
)
def test_what_has_no_capacity_is_refused(states, inputs, delays, message):
    with pytest.raises(ValueError, match=message):
        memory_capacity(states, inputs, delays)


def test_networks_without_closed_form_are_refused(generator):
    with pytest.raises(ValueError, match="spectral radius must be below 1, got 1"):
        linear_memory_capacity(np.eye(3), np.ones(3), [1])
    with pytest.raises(ValueError, match="condition"):
        linear_memory_capacity(0.1 * np.eye(3), np.ones(3), [1])


def test_weights_are_scaled_to_a_spectral_radius(generator):
    W = generator.standard_normal((12, 12))
    assert np.abs(np.linalg.eigvals(scaled_to_radius(W, 0.7))).max() == pytest.approx(0.7, rel=1e-12)
    with pytest.raises(ValueError, match="all eigenvalues are 0"):
        scaled_to_radius(np.zeros((2, 2)), 0.7)


# --- linear registers -------------------------------------------------------------------------------------------------


def test_a_register_finds_the_autoregression_that_made_a_series(generator):
    noise = 1e-3 * generator.standard_normal(3000)
    x = np.zeros(3000)
    for k in range(2, 3000):
        x[k] = 1.6 * x[k - 1] - 0.9 * x[k - 2] + 0.05 + noise[k]
    register = LinearRegister.fitted(x[:-1], x[1:], 2)
    # The standard errors of the two weights are sqrt((1 - 0.9^2) / 3000) = 0.008.
    np.testing.assert_allclose(register.weights, [1.6, -0.9], atol=0.032)
    told = register.predict(x[:-1])
    assert np.isnan(told[0])
    w, b = register.weights, register.intercept
    np.testing.assert_allclose(told[1:], [w[0] * x[k] + w[1] * x[k - 1] + b for k in range(1, 2999)], rtol=1e-10)
    first = w[0] * x[10] + w[1] * x[9] + b
    np.testing.assert_allclose(register.free_run(x[:11], 2), [first, w[0] * first + w[1] * x[10] + b], rtol=1e-12)


def test_too_few_samples_for_a_register_are_refused():
    with pytest.raises(ValueError, match="6 samples are too few for 4 taps"):
        LinearRegister.fitted(np.arange(6), np.arange(6), 4)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_the_normalised_error_is_1_for_the_mean_and_0_for_the_truth(generator):
    target = generator.standard_normal(50)
    assert nmse(target, target) == 0
    assert nmse(target, np.full(50, target.mean())) == pytest.approx(1, rel=1e-12)
    assert reason_of(nmse(np.ones(5), np.zeros(5))) == "the target is constant"
    with pytest.raises(ValueError, match="one shape"):
        nmse(target, target[1:])
    with pytest.raises(ValueError, match="not finite"):
        nmse(target, target + np.inf)


def test_a_forecast_is_held_against_the_samples_after_its_start():
    series = np.arange(10.0)
    forecasts = np.array([[3.0, 4.0, 5.5], [6.0, 8.0, 8.0]])
    # Starts 2 and 5: what comes is 3, 4, 5 and 6, 7, 8.
    np.testing.assert_allclose(
        error_by_horizon(series, forecasts, [2, 5], 2.0), [0, np.sqrt(0.5) / 2, np.sqrt(0.125) / 2], atol=1e-15
    )
    with pytest.raises(ValueError, match="reaches sample 10, the series has 10"):
        error_by_horizon(series, forecasts, [2, 7], 1.0)
