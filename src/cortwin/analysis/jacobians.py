"""Products of the Jacobians along a trajectory: how a gradient shrinks or grows on its way back through time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def gradient_norms(jacobians: ArrayLike, gradient: ArrayLike) -> np.ndarray:
    """Return the norm of a loss's gradient by every state before, by backpropagation.

    ``dL/dx_{T-k} = J_{T-k}^T ... J_{T-1}^T dL/dx_T``, where ``J_t = dx_{t+1}/dx_t``.

    Parameters
    ----------
    jacobians : (time, unit, unit) array_like, from the first step to the last
    gradient : (unit,) array_like, dL/dx_T

    Returns
    -------
    (time + 1,) ndarray: the norm at lag 0, 1, ...

    Raises
    ------
    ValueError
        For shapes that do not fit.
    """
    J, g = _matrices(jacobians, "gradient_norms"), np.asarray(gradient, dtype=np.float64)
    if g.shape != J.shape[1:2]:
        raise ValueError(f"gradient_norms: a gradient of shape {g.shape} with Jacobians of shape {J.shape}")
    norms = [np.linalg.norm(g)]
    for step in J[::-1]:
        g = step.T @ g
        norms.append(np.linalg.norm(g))
    return np.array(norms)


def product_norms(jacobians: ArrayLike) -> np.ndarray:
    """Return the largest singular value of the product of the last k Jacobians: the most that a gradient can grow.

    Pascanu, Mikolov & Bengio 2013 (arXiv:1211.5063) bound it by the product of the largest singular values; here it is
    the product's own.

    Parameters
    ----------
    jacobians : (time, unit, unit) array_like, from the first step to the last

    Returns
    -------
    (time + 1,) ndarray: 1 at lag 0, then the 2-norm of the product of one, two, ... Jacobians, counted from the end

    Raises
    ------
    ValueError
        For arrays that are not square matrices.
    """
    J = _matrices(jacobians, "product_norms")
    product, norms = np.eye(J.shape[1]), [1.0]
    for step in J[::-1]:
        product = product @ step
        norms.append(float(np.linalg.norm(product, 2)))
    return np.array(norms)


def _matrices(jacobians: ArrayLike, what: str) -> np.ndarray:
    J = np.asarray(jacobians, dtype=np.float64)
    if J.ndim != 3 or J.shape[1] != J.shape[2]:
        raise ValueError(f"{what}: expected matrices (time, unit, unit), got shape {J.shape}")
    return J
