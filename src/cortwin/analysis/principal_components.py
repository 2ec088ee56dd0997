"""Principal components of a matrix of samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

# Components that hold less than this fraction of the variance are rounding: eigenvalues of a covariance are exact to
# about eps * (number of units) = 1e-13 for a few hundred units.
RANK_TOLERANCE = 1e-12


@dataclass(frozen=True)
class PrincipalComponents:
    """The leading directions of variance.

    Attributes
    ----------
    components : (unit, component) ndarray, orthonormal columns, most variance first
    sums_of_squares : (component,) ndarray, of the scores
    fraction : of the total sum of squares that the components hold
    """

    components: np.ndarray
    sums_of_squares: np.ndarray
    fraction: float


def principal_components(samples: np.ndarray, n_components: int) -> PrincipalComponents:
    """Find the principal components of samples that are centred already.

    Fewer components than asked for come back where the samples have a lower rank; none where nothing varies.

    Parameters
    ----------
    samples : (sample, unit) ndarray
    n_components : at most this many

    Raises
    ------
    ValueError
        If no component is asked for.
    """
    if n_components < 1:
        raise ValueError(f"n_components: must be at least 1, got {n_components}")
    n_samples, n_units = samples.shape
    total = float(np.sum(samples**2))
    if total == 0.0:
        return PrincipalComponents(np.zeros((n_units, 0)), np.zeros(0), float("nan"))
    # The smaller of the two Gram matrices has the same non-zero eigenvalues, and only its upper end is needed.
    gram = samples.T @ samples if n_units <= n_samples else samples @ samples.T
    top = max(gram.shape[0] - n_components, 0)
    values, vectors = eigh(gram, subset_by_index=(top, gram.shape[0] - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > RANK_TOLERANCE * total
    values, vectors = values[kept], vectors[:, kept]
    components = vectors if n_units <= n_samples else samples.T @ vectors / np.sqrt(values)
    return PrincipalComponents(components, values, float(values.sum() / total))
