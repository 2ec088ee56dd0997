"""Lyapunov exponents: the rates at which neighbouring states part, from a step and its action on tangent vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# (state, tangents) -> (state, tangents) after an interval; shapes (..., unit) and (..., unit, vector) in and out
Advance = Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[ArrayLike, ArrayLike]]


@dataclass(frozen=True, eq=False)
class Lyapunov:
    """Lyapunov exponents along one trajectory, or several.

    Attributes
    ----------
    exponents : (..., vector) ndarray, largest first, in the inverse of the interval's unit
    growth : (interval, ..., vector) ndarray: growth of the vectors in each interval, of which they are means
    """

    exponents: np.ndarray
    growth: np.ndarray


def lyapunov_exponents(
    advance: Advance,
    state: ArrayLike,
    tangents: ArrayLike,
    *,
    interval: float = 1.0,
    intervals: int,
    transient: int = 0,
) -> Lyapunov:
    """Follow tangent vectors along a trajectory and keep them orthonormal.

    With one tangent vector this is the largest exponent; with k vectors the k largest; with as many as there are units
    the whole spectrum, whose sum is the mean of ``log |det J|``.

    Parameters
    ----------
    advance : moves a state by one interval, and tangent vectors by the Jacobian of that motion. An interval may be many
        steps, as long as the vectors neither overflow nor become parallel to rounding within it
    state : (..., unit) array_like to start from; several trajectories go side by side, each with its own exponents
    tangents : (..., unit, vector) array_like of full rank, drawn at random as a rule: vectors that happen to be
        orthogonal to a direction never find it
    interval : its length, for instance in s; the exponents are per this unit
    intervals : how many are counted
    transient : how many go before, until the state is on its attractor and the vectors have found their directions.
        Where exponents lie close together that is long: after a time T a vector still holds directions whose exponents
        are smaller by 1 / T

    Returns
    -------
    Lyapunov

    Raises
    ------
    ValueError
        If there is nothing to count, there are more vectors than units, or a vector has vanished or left the range.

    References
    ----------
    Benettin, Galgani, Giorgilli & Strelcyn 1980, doi:10.1007/BF02128236 and doi:10.1007/BF02128237.
    """
    x, Q = np.asarray(state, dtype=np.float64), np.asarray(tangents, dtype=np.float64)
    if intervals < 1 or transient < 0:
        raise ValueError(f"lyapunov_exponents: {intervals} intervals after {transient}, expected at least 1 after 0")
    if not interval > 0:
        raise ValueError(f"lyapunov_exponents: the interval is {interval}, must be positive")
    if x.ndim < 1 or Q.shape[:-1] != x.shape or not 1 <= Q.shape[-1] <= x.shape[-1]:
        raise ValueError(f"lyapunov_exponents: tangents of shape {Q.shape} for a state of shape {x.shape}")
    Q = np.linalg.qr(Q)[0]
    growth = np.empty((intervals, *Q.shape[:-2], Q.shape[-1]))
    for k in range(-transient, intervals):
        x, V = (np.asarray(values, dtype=np.float64) for values in advance(x, Q))
        if not np.isfinite(V).all():
            raise ValueError(f"lyapunov_exponents: a tangent vector left the range in interval {k}; take shorter ones")
        Q, R = np.linalg.qr(V)
        stretched = np.abs(np.diagonal(R, axis1=-2, axis2=-1))
        if not stretched.all():
            raise ValueError(f"lyapunov_exponents: a tangent vector vanished in interval {k}: it has no exponent")
        if k >= 0:
            growth[k] = np.log(stretched) / interval
    # Directions are found in order of their growth; over a finite time neighbours may have changed places.
    return Lyapunov(-np.sort(-growth.mean(axis=0), axis=-1), growth)


def lyapunov_spectrum(jacobians: ArrayLike, *, interval: float = 1.0, transient: int = 0) -> np.ndarray:
    """Return the whole spectrum from the Jacobians along a trajectory.

    Parameters
    ----------
    jacobians : (time, unit, unit) array_like; number k takes a tangent vector from time k to k + 1
    interval : length of a step
    transient : steps that are not counted

    Returns
    -------
    (unit,) ndarray, largest first

    Raises
    ------
    ValueError
        As `lyapunov_exponents`, and for arrays that are not square matrices.
    """
    J = np.asarray(jacobians, dtype=np.float64)
    if J.ndim != 3 or J.shape[1] != J.shape[2]:
        raise ValueError(f"lyapunov_spectrum: expected matrices (time, unit, unit), got shape {J.shape}")
    along = iter(J)

    def advance(state: np.ndarray, tangents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return state, next(along) @ tangents

    n = J.shape[1]
    return lyapunov_exponents(
        advance, np.zeros(n), np.eye(n), interval=interval, intervals=len(J) - transient, transient=transient
    ).exponents
