"""The random tanh network in the limit of many units: how large its activity is, and how fast neighbours part."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq

# Gauss-Hermite nodes: tanh has poles at i pi/2, and the averages below are then good to about 1e-6 at variances of 1.
NODES = 80


@dataclass(frozen=True)
class MeanField:
    """The chaotic state of ``tau dx/dt = -x + W tanh(x)``, W_ij normal with variance g^2 / N, for N to infinity.

    Attributes
    ----------
    variance : mean of x^2
    exponent : largest Lyapunov exponent times tau
    """

    variance: float
    exponent: float


def random_network(gain: float, *, points: int = 4000) -> MeanField:
    """Solve the dynamic mean-field theory of a random tanh network.

    The autocorrelation D(s) of x is the motion of a particle in the potential ``V = -D^2/2 + g^2 <F(x) F(y)>``, where
    F = log cosh and x, y are normal with variance D(0) and covariance D; the one that decays to 0 has V(D(0)) = V(0).
    With E the lowest eigenvalue of ``-d^2/ds^2 - V''(D(s))``, the exponent is ``sqrt(1 - E) - 1``.

    Parameters
    ----------
    gain : g; up to 1 the network comes to rest
    points : of the grid of delays on which E is found

    Returns
    -------
    MeanField : at rest variance 0, exponent g - 1

    References
    ----------
    Sompolinsky, Crisanti & Sommers 1988, doi:10.1103/PhysRevLett.61.259.
    """
    if gain <= 1:
        return MeanField(0.0, gain - 1)
    variance = _variance(gain)
    delay, covariance = _autocorrelation(variance, gain)
    # Even about 0, so half of the line with a flat end at 0; the operator by second differences.
    s = (np.arange(points) + 0.5) * delay[-1] / points
    curvature = 1 - gain**2 * _average_of_products(_slope, covariance, variance)
    step = s[1] - s[0]
    diagonal = CubicSpline(delay, curvature)(s) + 2 / step**2
    diagonal[0] -= 1 / step**2
    energy = eigh_tridiagonal(diagonal, np.full(points - 1, -1 / step**2), select="i", select_range=(0, 0))[0][0]
    return MeanField(variance, math.sqrt(1 - float(energy)) - 1)


def _variance(gain: float) -> float:
    """Return D(0): the particle that starts there comes to rest at D = 0."""

    def excess(variance: float) -> float:
        return float(np.diff(_potential([0.0, variance], variance, gain))[0])

    return cast(float, brentq(excess, 1e-3 * (gain - 1), gain**2, xtol=1e-14))


def _autocorrelation(variance: float, gain: float) -> tuple[NDArray, NDArray]:
    """Return delays and D(s), from the conservation of energy: ds = -dD / sqrt(2 (V(0) - V(D)))."""
    grid = np.linspace(0.0, variance, 400)
    V = CubicSpline(grid, _potential(grid, variance, gain))
    # D = D(0) - w^2: the speed is 0 at the start, and its square root would be a singularity. Down to 1e-3 of D(0),
    # where V(0) - V(D), of order D^2, is still far above the rounding of V.
    w = np.sqrt(variance * (1 - np.geomspace(1, 1e-3, 400)))
    node, weight = np.polynomial.legendre.leggauss(6)
    half = np.diff(w) / 2
    inside = (w[:-1] + half)[:, None] + half[:, None] * node
    slowness = 2 * inside / np.sqrt(2 * (V(0.0) - V(variance - inside**2)))
    delay = np.concatenate([[0.0], np.cumsum(half * (slowness @ weight))])
    covariance = variance - w**2
    # Further out D falls exponentially: the last rate goes on.
    rate = math.log(covariance[-2] / covariance[-1]) / (delay[-1] - delay[-2])
    tail = np.linspace(1, 3, 200)[1:] * delay[-1]
    far = covariance[-1] * np.exp(-rate * (tail - delay[-1]))
    return np.concatenate([delay, tail]), np.concatenate([covariance, far])


def _potential(covariance: ArrayLike, variance: float, gain: float) -> NDArray:
    D = np.asarray(covariance, dtype=np.float64)
    return -(D**2) / 2 + gain**2 * _average_of_products(_log_cosh, D, variance)


def _average_of_products(function: Callable[[NDArray], NDArray], covariance: NDArray, variance: float) -> NDArray:
    """Return <f(x) f(y)> over normal x and y with that variance and those covariances."""
    z, weight = np.polynomial.hermite_e.hermegauss(NODES)
    weight = weight / weight.sum()
    shared = np.sqrt(np.clip(covariance, 0, variance))[:, None, None] * z[:, None]
    own = np.sqrt(np.clip(variance - covariance, 0, None))[:, None, None] * z
    return np.einsum("k,dk->d", weight, (function(shared + own) @ weight) ** 2)


def _log_cosh(x: NDArray) -> NDArray:
    return np.logaddexp(x, -x) - math.log(2)


def _slope(x: NDArray) -> NDArray:
    return 1 / np.cosh(x) ** 2
