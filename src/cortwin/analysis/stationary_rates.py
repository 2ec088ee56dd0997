"""Rates at which populations of leaky integrate-and-fire neurons keep each other: mean field in the diffusion limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import root

from cortwin.analysis.siegert import siegert_rate

# Of each population's own equation, in Hz: far below what a simulation can tell.
TOLERANCE = 1e-9


def input_statistics(
    rates: ArrayLike, indegrees: ArrayLike, weights: ArrayLike, tau_m: float, mean: ArrayLike, variance: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mu and sigma of the input that independent Poisson trains of these rates make.

    ``mu = mean + tau_m K J rate`` and ``sigma^2 = variance + tau_m K J^2 rate``, summed over sources.

    Parameters
    ----------
    rates : (source,) array_like, Hz
    indegrees : (target, source) array_like, K
    weights : (target, source) array_like
        J, the jump of the potential by a spike; of an exponential synaptic current the height that the same charge
        would have as a jump.
    tau_m : seconds
    mean, variance : (target,) array_like
        What comes from elsewhere, with resting potential and constant currents in the mean.

    Returns
    -------
    mu, sigma : (target,) ndarray
    """
    J = np.asarray(weights, dtype=np.float64)
    KJ = np.asarray(indegrees, dtype=np.float64) * J
    rates = np.asarray(rates, dtype=np.float64)
    mu = np.asarray(mean, dtype=np.float64) + tau_m * (KJ @ rates)
    return mu, np.sqrt(np.asarray(variance, dtype=np.float64) + tau_m * ((KJ * J) @ rates))


def stationary_rates(
    indegrees: ArrayLike,
    weights: ArrayLike,
    *,
    mean: ArrayLike,
    variance: ArrayLike,
    tau_m: float,
    t_ref: float,
    threshold: float,
    reset: float,
    tau_s: float = 0.0,
    dt: float = 0.0,
) -> NDArray[np.float64]:
    """Return rates with ``rate = siegert_rate(mu(rate), sigma(rate))`` in every population.

    From silence, ``d rate / ds = siegert_rate - rate`` leads to the state that such dynamics would choose where there
    are several; a root finder then takes it to rounding. The state may still be unstable in a network with delays.

    Parameters
    ----------
    indegrees, weights, mean, variance
        As `input_statistics`; n populations.
    tau_m, t_ref, threshold, reset, tau_s, dt
        As `siegert_rate`.

    Returns
    -------
    (n,) ndarray
        Hz.

    Raises
    ------
    ValueError
        If the shapes do not fit, or no stationary state was found.

    References
    ----------
    Amit & Brunel 1997, doi:10.1093/cercor/7.3.237; Brunel 2000, doi:10.1023/A:1008925309027;
    Schuecker et al. 2017, doi:10.1371/journal.pcbi.1005179 (the dynamics).
    """
    K, J = np.asarray(indegrees, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or J.shape != K.shape:
        raise ValueError(f"indegrees: expected (n, n) like the weights, got shapes {K.shape} and {J.shape}")
    neuron = {"tau_m": tau_m, "t_ref": t_ref, "threshold": threshold, "reset": reset, "tau_s": tau_s, "dt": dt}

    def excess(rates: NDArray) -> NDArray:
        mu, sigma = input_statistics(np.clip(rates, 0, None), K, J, tau_m, mean, variance)
        return siegert_rate(mu, sigma, **neuron) - rates

    settled = solve_ivp(lambda _, rates: excess(rates), (0.0, 50.0), np.zeros(len(K)), method="LSODA").y[:, -1]
    rates = np.clip(root(excess, settled, tol=1e-13).x, 0, None)
    worst = float(np.abs(excess(rates)).max())
    if not worst < TOLERANCE * max(1.0, float(rates.max())):
        raise ValueError(f"stationary_rates: none found, the rates still miss their equations by {worst:.3g} Hz")
    return rates
