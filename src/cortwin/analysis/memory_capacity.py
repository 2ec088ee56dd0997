"""Memory capacity: how much of its past input a linear readout of a network's state can tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_discrete_lyapunov

# Of the covariance of a linear network's states; beyond it the closed form has no digits left.
LARGEST_CONDITION = 1e12


def memory_capacity(states: ArrayLike, inputs: ArrayLike, delays: ArrayLike, *, washout: int = 0) -> np.ndarray:
    """Measure the capacity at each delay k: the share of the variance of ``u_{t-k}`` that the states explain.

    A least-squares readout with intercept explains a share by chance, one part in the number of samples for each state.
    It is taken off (the adjusted R2), so that capacities are unbiased and may be slightly negative. Their sum over
    k >= 1 is the memory capacity; for independent inputs it is at most the number of states.

    Parameters
    ----------
    states : (time, unit) array_like, sample t after input t
    inputs : (time,) array_like, independent in time
    delays : (delays,) array_like of int, 0 or more
    washout : samples left out at the beginning, beside those whose delayed input is not known

    Returns
    -------
    (delays,) ndarray

    Raises
    ------
    ValueError
        If shapes do not fit, numbers are not finite, the input is constant, or there are too few samples.

    References
    ----------
    Jaeger 2001, Short term memory in echo state networks, GMD Report 152, doi:10.24406/publica-fhg-291107
    """
    x, u, lags = np.asarray(states, dtype=float), np.asarray(inputs, dtype=float), np.asarray(delays)
    if x.ndim != 2 or u.shape != x.shape[:1]:
        raise ValueError(
            f"memory_capacity: expected states (time, unit) and inputs (time,), got {x.shape} and {u.shape}"
        )
    if lags.ndim != 1 or lags.size == 0 or lags.dtype.kind not in "iu" or lags.min() < 0:
        raise ValueError(f"memory_capacity: delays must be whole numbers, 0 or more, got {delays}")
    if not (np.isfinite(x).all() and np.isfinite(u).all()):
        raise ValueError("memory_capacity: states or inputs are not finite")
    first = max(washout, int(lags.max()))
    samples = len(x) - first
    if samples <= x.shape[1] + 1:
        raise ValueError(
            f"memory_capacity: {samples} samples are left after delays and washout, "
            f"must be more than the {x.shape[1]} states and one"
        )
    past = np.stack([u[first - k : len(u) - k] for k in lags], axis=1)
    past -= past.mean(axis=0)
    if not past.any(axis=0).all():
        raise ValueError("memory_capacity: the input is constant")
    centred = x[first:] - x[first:].mean(axis=0)
    # An orthonormal basis of what the states span: explained is what a delayed input has in it.
    basis, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    basis = basis[:, sizes > np.finfo(float).eps * max(centred.shape) * sizes[0]]
    explained = ((basis.T @ past) ** 2).sum(axis=0) / (past**2).sum(axis=0)
    return 1 - (1 - explained) * (samples - 1) / (samples - basis.shape[1] - 1)


def linear_memory_capacity(W_rec: ArrayLike, w_in: ArrayLike, delays: ArrayLike) -> np.ndarray:
    """Return the exact capacities of the linear network ``x_t = W_rec x_{t-1} + w_in u_t``, independent inputs.

    ``m_k' C^-1 m_k`` with ``m_k = W_rec^k w_in`` and ``C = sum_k m_k m_k'``. Over all delays, 0 among them, they add up
    to the number of units.

    Parameters
    ----------
    W_rec : (units, units) array_like, its spectral radius below 1
    w_in : (units,) array_like
    delays : (delays,) array_like of int, 0 or more

    Returns
    -------
    (delays,) ndarray

    Raises
    ------
    ValueError
        If the network is not stable, or its states are too nearly dependent for float64.

    References
    ----------
    Jaeger 2001, as for `memory_capacity`; Rodan & Tino 2011, doi:10.1109/TNN.2010.2089641 (cycles).
    """
    W, w = np.asarray(W_rec, dtype=float), np.asarray(w_in, dtype=float)
    radius = float(np.abs(np.linalg.eigvals(W)).max())
    if radius >= 1:
        raise ValueError(f"linear_memory_capacity: the spectral radius must be below 1, got {radius:g}")
    covariance = solve_discrete_lyapunov(W, np.outer(w, w))
    condition = float(np.linalg.cond(covariance))
    if condition > LARGEST_CONDITION:
        raise ValueError(
            f"linear_memory_capacity: the states' covariance has condition {condition:.2g}, above {LARGEST_CONDITION:g}"
        )
    answers = np.stack([np.linalg.matrix_power(W, int(k)) @ w for k in np.asarray(delays)], axis=1)
    return (answers * np.linalg.solve(covariance, answers)).sum(axis=0)
