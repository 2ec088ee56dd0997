"""Linear centred kernel alignment (CKA) of two matrices of samples."""

from __future__ import annotations

import numpy as np


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Return ``|X'Y|^2 / (|X'X| |Y'Y|)`` with centred columns and Frobenius norms.

    It is 1 for activities that differ by a rotation, a shift and an isotropic scale, and 0 for uncorrelated ones. No
    map is fitted, hence nothing is held out. With fewer samples than units it lies well above 0 for unrelated
    activities: read it beside its floors.

    Parameters
    ----------
    x, y : (sample, unit) ndarray; the units may differ in number

    Returns
    -------
    float
        NaN where one of them is constant.

    References
    ----------
    Kornblith, Norouzi, Lee & Hinton 2019, arXiv:1905.00414
    """
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    norm = float(np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    return float(np.linalg.norm(x.T @ y) ** 2 / norm) if norm > 0.0 else float("nan")
