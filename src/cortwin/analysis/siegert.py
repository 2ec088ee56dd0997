"""The firing rate of a leaky integrate-and-fire neuron under noise: first passage of an Ornstein-Uhlenbeck process."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import dawsn, erfcx, zeta

# How far the boundary seems to lie above the threshold, in standard deviations of the increment of a random walk that
# is looked at once a step: Chernoff 1965, doi:10.1214/aoms/1177700150; Broadie, Glasserman & Kou 1997,
# doi:10.1111/1467-9965.00035. 0.5826
OVERSHOOT = -float(zeta(0.5)) / math.sqrt(2 * math.pi)
# The same for a synaptic current of finite memory, in units of sigma sqrt(tau_s / tau_m): alpha / 2 of Fourcaud &
# Brunel 2002. 1.0326
COLOUR = -float(zeta(0.5)) / math.sqrt(2)
# Of a Gauss-Legendre rule over log(1 + u), where the integrand below has no corner: good to 1e-14 for any interval.
NODES = 48


def siegert_rate(
    mu: ArrayLike,
    sigma: ArrayLike,
    *,
    tau_m: ArrayLike,
    t_ref: ArrayLike,
    threshold: ArrayLike,
    reset: ArrayLike,
    tau_s: ArrayLike = 0.0,
    dt: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Return the rate of ``tau_m dv/dt = -v + mu + sigma sqrt(tau_m) xi(t)``, which spikes at the threshold.

    With y = (v - mu) / sigma at the threshold and at the reset, ::

        1 / rate = t_ref + tau_m sqrt(pi) integral from y_reset to y_threshold of exp(u^2) (1 + erf(u)) du

    The free potential has the standard deviation sigma / sqrt(2). All arguments broadcast against each other.

    Parameters
    ----------
    mu, sigma, threshold, reset : array_like
        In one unit of potential; sigma may be 0.
    tau_m, t_ref : array_like
        Seconds.
    tau_s : array_like
        Seconds. Time constant of exponential synaptic currents with the same integral of their autocorrelation: to
        first order in sqrt(tau_s / tau_m), threshold and reset shift by ``1.0326 sigma sqrt(tau_s / tau_m)``.
    dt : array_like
        Seconds between two looks at the threshold, for white noise that is simulated in steps: to first order in
        sqrt(dt / tau_m) the threshold, and it alone, shifts by ``0.5826 sigma sqrt(dt / tau_m)``.

    Returns
    -------
    ndarray
        Hz.

    Raises
    ------
    ValueError
        If a number is not finite; sigma, t_ref, tau_s or dt is negative; tau_m is not positive; the reset is not below
        the threshold; or tau_s and dt are both given, because a potential under coloured noise does not jump.

    References
    ----------
    Siegert 1951, doi:10.1103/PhysRev.81.617; Brunel 2000, doi:10.1023/A:1008925309027, equation 21;
    Fourcaud & Brunel 2002, doi:10.1162/089976602320264015, equation 4.33.
    """
    given = {"mu": mu, "sigma": sigma, "tau_m": tau_m, "t_ref": t_ref}
    given |= {"threshold": threshold, "reset": reset, "tau_s": tau_s, "dt": dt}
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in given.values()))
    _check(dict(zip(given, arrays, strict=True)))
    mu, sigma, tau_m, t_ref, threshold, reset, tau_s, dt = arrays
    colour = COLOUR * np.sqrt(tau_s / tau_m)
    noisy = sigma > 0
    scale = np.where(noisy, sigma, 1.0)
    high = (threshold - mu) / scale + colour + OVERSHOOT * np.sqrt(dt / tau_m)
    low = (reset - mu) / scale + colour
    # exp(high^2) would overflow far below threshold; the rate then underflows to 0.
    weight = np.exp(-(np.clip(high, 0, None) ** 2))
    with_noise = weight / (t_ref * weight + tau_m * math.sqrt(math.pi) * _scaled_integral(low, high))
    fires = mu > threshold
    drive = np.where(fires, (mu - reset) / np.where(fires, mu - threshold, 1.0), 2.0)
    without = np.where(fires, 1 / (t_ref + tau_m * np.log(drive)), 0.0)
    return np.where(noisy, with_noise, without)


def _check(given: dict[str, NDArray[np.float64]]) -> None:
    for name, values in given.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: must be finite, got {values[~np.isfinite(values)].flat[0]}")
    for name in ("sigma", "t_ref", "tau_s", "dt"):
        if (given[name] < 0).any():
            raise ValueError(f"{name}: must be 0 or more, got {given[name].min()}")
    if (given["tau_m"] <= 0).any():
        raise ValueError(f"tau_m: must be positive, got {given['tau_m'].min()}")
    if (given["reset"] >= given["threshold"]).any():
        gap = (given["threshold"] - given["reset"]).min()
        raise ValueError(f"reset: must be below the threshold, got threshold - reset = {gap}")
    if ((given["tau_s"] > 0) & (given["dt"] > 0)).any():
        raise ValueError("dt: corrects for steps of white noise, and tau_s says that the noise is coloured: give one")


def _scaled_integral(low: NDArray, high: NDArray) -> NDArray:
    """Return the integral of ``exp(u^2) (1 + erf(u)) = erfcx(-u)``, times exp(-high^2) where high is positive.

    On the left of 0 the integrand is below 1 and is summed as it stands; on the right it is ``2 exp(u^2) - erfcx(u)``,
    and Dawson's function is the integral of the first part.
    """
    left = _integral_of_erfcx(np.clip(-high, 0, None), np.clip(-low, 0, None))
    start, end = np.clip(low, 0, None), np.clip(high, 0, None)
    weight = np.exp(-(end**2))
    right = 2 * dawsn(end) - 2 * np.exp(start**2 - end**2) * dawsn(start)
    return left * weight + right - weight * _integral_of_erfcx(start, end)


def _integral_of_erfcx(start: NDArray, end: NDArray) -> NDArray:
    """Integrate erfcx between bounds that are not negative; for large u it falls as 1/u, so over log(1 + u)."""
    node, weight = np.polynomial.legendre.leggauss(NODES)
    width = np.log1p((end - start) / (1 + start))
    s = width[..., None] * (node + 1) / 2
    u = start[..., None] + (1 + start[..., None]) * np.expm1(s)
    return (width / 2) * ((erfcx(u) * (1 + u)) @ weight)
