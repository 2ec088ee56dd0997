"""Canonical correlation analysis (CCA) on principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortwin.analysis.principal_components import principal_components


@dataclass(frozen=True)
class CanonicalMaps:
    """Two linear maps onto pairs of canonical variates.

    Attributes
    ----------
    mean_x, mean_y : (unit,) ndarray, subtracted first
    weights_x, weights_y : (unit, pair) ndarray; the variates have unit sum of squares on the samples that were fitted
    correlations : (pair,) ndarray, canonical correlations on those samples, largest first
    """

    mean_x: np.ndarray
    mean_y: np.ndarray
    weights_x: np.ndarray
    weights_y: np.ndarray
    correlations: np.ndarray


def fit_cca(x: np.ndarray, y: np.ndarray, n_components: int = 10) -> CanonicalMaps:
    """Find the pairs of directions along which two sets of samples correlate most.

    Both are reduced to their first principal components, which keeps noise dimensions from being matched with one
    another, and whitened; the canonical correlations are the singular values of what is left of the cross-product.

    Parameters
    ----------
    x, y : (sample, unit) ndarray
    n_components : principal components of each; fewer where the rank is lower, so that no pair comes from rounding

    References
    ----------
    Hotelling 1936, doi:10.1093/biomet/28.3-4.321; Björck & Golub 1973, doi:10.2307/2005662
    """
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean_x, y - mean_y
    pca_x, pca_y = principal_components(x, n_components), principal_components(y, n_components)
    whiten_x = pca_x.components / np.sqrt(pca_x.sums_of_squares)
    whiten_y = pca_y.components / np.sqrt(pca_y.sums_of_squares)
    u, correlations, vt = np.linalg.svd((x @ whiten_x).T @ (y @ whiten_y), full_matrices=False)
    return CanonicalMaps(mean_x, mean_y, whiten_x @ u, whiten_y @ vt.T, correlations)
