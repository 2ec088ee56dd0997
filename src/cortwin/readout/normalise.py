"""Soft normalisation: every unit scaled by its range, the weak ones less."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from cortwin.readout._validated import validated_rows


class SoftNormaliser(TransformerMixin, BaseEstimator):
    """Divide each feature by its range plus a constant, ``x / (max - min + constant)``.

    The constant, in the unit of the features, keeps units that hardly fire from counting as much as the others.

    Parameters
    ----------
    constant : positive; 5 Hz for rates in Hz

    Attributes
    ----------
    scale_ : (n_features,) ndarray, range plus constant

    References
    ----------
    Churchland, Cunningham et al. 2012, doi:10.1038/nature11129
    """

    def __init__(self, constant: float = 5.0) -> None:
        self.constant = constant

    def fit(self, X: ArrayLike, y: object = None) -> SoftNormaliser:
        """Measure the range of each feature.

        Parameters
        ----------
        X : (n_samples, n_features) array_like

        Raises
        ------
        ValueError
            If the constant is not positive: a constant feature would be divided by 0.
        """
        X = validated_rows(self, X, reset=True)
        if not 0 < self.constant < np.inf:
            raise ValueError(f"SoftNormaliser.constant must be finite and positive, got {self.constant}")
        self.scale_ = np.ptp(X, axis=0) + self.constant
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the scaled features.

        Parameters
        ----------
        X : (n_samples, n_features) array_like
        """
        check_is_fitted(self)
        return validated_rows(self, X, reset=False) / self.scale_
