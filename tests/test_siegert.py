"""Siegert's rate against published numbers, plain quadrature and closed forms; stationary rates against Brunel's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erf

from cortwin.analysis import siegert_rate, stationary_rates

NEURON = {"tau_m": 10e-3, "t_ref": 2e-3, "threshold": 15.0, "reset": 0.0}
BRUNEL = {"tau_m": 20e-3, "t_ref": 2e-3, "threshold": 20.0, "reset": 10.0}


def by_quadrature(mu, sigma, tau_m, t_ref, threshold, reset):
    """Return the rate by the formula as it stands in the books; overflows where |y| is large."""
    low, high = (reset - mu) / sigma, (threshold - mu) / sigma
    integral = quad(lambda u: math.exp(u**2) * (1 + erf(u)), low, high, epsabs=0, epsrel=1e-11, limit=200)[0]
    return 1 / (t_ref + tau_m * math.sqrt(math.pi) * integral)


def test_the_rate_that_nest_publishes():
    # NEST's test_siegert_neuron.py
    assert siegert_rate(15, math.sqrt(1.5), **NEURON) == pytest.approx(27.1095934379, rel=1e-10)


@pytest.mark.parametrize(("mu", "sigma"), [(14, 5), (15, 10), (20, 6), (10, 8), (0, 5), (-3, 12), (17, 4), (6, 3.5)])
def test_the_rate_is_the_integral(mu, sigma):
    # Both signs of both bounds; 1 + erf loses digits on the left of 0, about 1e-16 / 1e-5 at u = -3.
    assert siegert_rate(mu, sigma, **NEURON) == pytest.approx(by_quadrature(mu, sigma, **NEURON), rel=1e-9)


def test_without_noise_the_rate_is_the_closed_form_and_little_noise_comes_close():
    mu = np.array([5.0, 15.0, 16.0, 30.0, 1000.0])
    expected = [0, 0, *(1 / (2e-3 + 10e-3 * math.log(m / (m - 15))) for m in mu[2:])]
    np.testing.assert_allclose(siegert_rate(mu, 0, **NEURON), expected, rtol=1e-14)
    # The difference is of order (sigma / (mu - threshold))^2.
    np.testing.assert_allclose(siegert_rate(mu[2:], 1e-5, **NEURON), expected[2:], rtol=1e-9)


def test_far_below_threshold_the_rate_is_kramers_and_then_nothing():
    # For y = (threshold - mu) / sigma large the integral is exp(y^2) / y (1 + 1 / (2 y^2) + 3 / (4 y^4) + ...).
    y = 15.0
    integral = math.exp(y**2) / y * (1 + 1 / (2 * y**2) + 3 / (4 * y**4) + 15 / (8 * y**6))
    # The next term of the series is 105 / (16 y^8) = 3e-9.
    assert siegert_rate(0, 1, **NEURON) == pytest.approx(1 / (10e-3 * math.sqrt(math.pi) * integral), rel=5e-9)
    assert siegert_rate(-1000, 1, **NEURON) == 0
    # With much drive and noise it is 1 / t_ref at most.
    assert siegert_rate(1e6, 1, **NEURON) == pytest.approx(500, rel=1e-3)


def test_arguments_broadcast():
    mu, sigma = np.linspace(5, 25, 5)[:, None], np.array([1.0, 2.0, 4.0])
    rates = siegert_rate(mu, sigma, **NEURON)
    assert rates.shape == (5, 3)
    one_by_one = [[float(siegert_rate(m, s, **NEURON)) for s in sigma] for m in mu[:, 0]]
    np.testing.assert_allclose(rates, one_by_one, rtol=1e-14)
    assert (np.diff(rates, axis=0) > 0).all()


def test_coloured_noise_shifts_threshold_and_reset():
    # Fourcaud & Brunel 2002: by sigma sqrt(tau_s / tau_m) alpha / 2, alpha = sqrt(2) |zeta(1/2)| = 2.0653
    sigma, shift = 4.0, 4.0 * math.sqrt(0.5 / 10) * 2.065253 / 2
    moved = {**NEURON, "threshold": 15 + shift, "reset": shift}
    assert siegert_rate(14, sigma, tau_s=0.5e-3, **NEURON) == pytest.approx(by_quadrature(14, sigma, **moved), rel=1e-6)


def test_steps_shift_the_threshold_by_the_overshoot_of_a_random_walk():
    # Chernoff's constant, 0.5826
    sigma = 4.0
    moved = {**NEURON, "threshold": 15 + 0.582597 * sigma * math.sqrt(0.1 / 10)}
    assert siegert_rate(14, sigma, dt=0.1e-3, **NEURON) == pytest.approx(by_quadrature(14, sigma, **moved), rel=1e-6)


def test_a_neuron_in_steps_fires_as_the_shifted_threshold_says():
    # A plain loop over 2000 neurons with the exact update of the process, 0.9 s after 0.1 s of settling.
    mu, sigma, dt, n = 14.0, 4.0, 0.1e-3, 2000
    generator = np.random.default_rng(1)
    decay = math.exp(-dt / 10e-3)
    spread = sigma * math.sqrt((1 - decay**2) / 2)
    v, silent, spikes = generator.uniform(0, 15, n), np.zeros(n, dtype=int), 0
    for step in range(10_000):
        v = np.where(silent > 0, v, mu + (v - mu) * decay + spread * generator.standard_normal(n))
        silent -= silent > 0
        fired = v > 15
        # The step of the spike is the first of the refractory time.
        v[fired], silent[fired] = 0, 19
        spikes += np.count_nonzero(fired) if step >= 1000 else 0
    rate = spikes / (0.9 * n)
    # 65,000 spikes of a train that is more regular than Poisson's: less than 0.4 % standard error.
    assert rate == pytest.approx(siegert_rate(mu, sigma, dt=dt, **NEURON), rel=0.015)
    assert rate < 0.97 * siegert_rate(mu, sigma, **NEURON)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mu": math.nan}, "mu: must be finite, got nan"),
        ({"sigma": -1.0}, "sigma: must be 0 or more, got -1.0"),
        ({"tau_m": 0.0}, "tau_m: must be positive, got 0.0"),
        ({"reset": 15.0}, "reset: must be below the threshold, got threshold - reset = 0.0"),
        ({"tau_s": 1e-3, "dt": 1e-4}, "dt: corrects for steps of white noise"),
    ],
)
def test_numbers_that_make_no_neuron_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        siegert_rate(**{"mu": 14.0, "sigma": 1.0, **NEURON, **given})


def brunel(g, eta, **given):
    """Return the two rates of Brunel's network: J = 0.1 mV, 1000 excitatory and 250 inhibitory inputs each."""
    J, C_E = 0.1, 1000
    C_I = C_E // 4
    drive = eta * 20.0  # tau_m J nu_ext; its variance is J times that
    return stationary_rates(
        [[C_E, C_I]] * 2, [[J, -g * J]] * 2, mean=[drive] * 2, variance=[J * drive] * 2, **BRUNEL, **given
    )


@pytest.mark.parametrize(("g", "eta", "rate"), [(5, 2, 37.95), (4.5, 0.9, 6.517)])
def test_the_stationary_rates_of_brunels_network(g, eta, rate):
    np.testing.assert_allclose(brunel(g, eta), rate, rtol=5e-4)

    def excess(nu):
        mu = eta * 20 + 20e-3 * 0.1 * (1000 - 250 * g) * nu
        sigma = math.sqrt(0.1 * eta * 20 + 20e-3 * 0.01 * (1000 + 250 * g**2) * nu)
        return by_quadrature(mu, sigma, **BRUNEL) - nu

    np.testing.assert_allclose(brunel(g, eta), brentq(excess, rate - 2, rate + 2, xtol=1e-10), rtol=1e-8)


def test_two_populations_have_rates_of_their_own():
    K, J = np.array([[100, 25], [150, 30]]), np.array([[0.2, -1.0], [0.2, -0.8]])
    mean, variance = np.array([22.0, 24.0]), np.array([3.0, 2.0])
    rates = stationary_rates(K, J, mean=mean, variance=variance, **BRUNEL)
    for k in range(2):
        mu = mean[k] + 20e-3 * sum(K[k, j] * J[k, j] * rates[j] for j in range(2))
        sigma = math.sqrt(variance[k] + 20e-3 * sum(K[k, j] * J[k, j] ** 2 * rates[j] for j in range(2)))
        assert rates[k] == pytest.approx(by_quadrature(mu, sigma, **BRUNEL), rel=1e-8)
    assert abs(rates[0] - rates[1]) > 1


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"indegrees: expected \(n, n\) like the weights, got shapes \(1, 2\)"):
        stationary_rates([[1, 2]], [[1, 2]], mean=[0], variance=[0], **BRUNEL)
