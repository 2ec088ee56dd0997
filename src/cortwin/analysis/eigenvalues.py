"""Eigenvalues of a recurrence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class RecurrenceSpectrum:
    """The eigenvalues of a matrix of recurrent weights.

    Attributes
    ----------
    eigenvalues : (unit,) complex ndarray, largest modulus first
    radius : spectral radius, the largest modulus
    abscissa : spectral abscissa, the largest real part
    """

    eigenvalues: np.ndarray
    radius: float
    abscissa: float


def recurrence_spectrum(W_rec: ArrayLike) -> RecurrenceSpectrum:
    """Find the eigenvalues of the recurrent weights.

    Parameters
    ----------
    W_rec : (unit, unit) array_like

    Raises
    ------
    ValueError
        If the matrix is not square, empty, or holds a number that is not finite.
    """
    W = np.asarray(W_rec, dtype=np.float64)
    if W.ndim != 2 or W.shape[0] != W.shape[1] or W.size == 0:
        raise ValueError(f"W_rec: expected a square matrix, got shape {W.shape}")
    if not np.isfinite(W).all():
        raise ValueError(f"W_rec: {np.count_nonzero(~np.isfinite(W))} weights are not finite")
    eigenvalues = np.linalg.eigvals(W).astype(np.complex128)
    # Modulus, then angle: one order for the members of a conjugate pair.
    eigenvalues = eigenvalues[np.lexsort((np.angle(eigenvalues), -np.abs(eigenvalues)))]
    return RecurrenceSpectrum(eigenvalues, float(np.abs(eigenvalues).max()), float(eigenvalues.real.max()))


def scaled_to_radius(W_rec: ArrayLike, radius: float) -> np.ndarray:
    """Scale recurrent weights to a spectral radius.

    Parameters
    ----------
    W_rec : (unit, unit) array_like
    radius : largest modulus of the eigenvalues that is wanted

    Raises
    ------
    ValueError
        As `recurrence_spectrum`, or if all eigenvalues are 0, which no factor changes.
    """
    found = recurrence_spectrum(W_rec).radius
    if found == 0:
        raise ValueError(f"W_rec: all eigenvalues are 0, and no factor makes the spectral radius {radius:g}")
    return np.asarray(W_rec, dtype=np.float64) * (radius / found)
