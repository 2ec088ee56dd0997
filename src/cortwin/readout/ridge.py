"""Ridge regression, its penalty given or chosen by cross-validation that holds out whole conditions."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from cortwin.readout._validated import validated_rows, validated_rows_and_targets

# The normal equations by Cholesky factors: no random numbers, no iteration, the same bits every time.
SOLVER = "cholesky"

# The last bits of a product depend on the number of threads, and many small problems are slower with more than one: a
# nested penalty for 141 units took 0.3 s with one thread, 4 s and more with two on two busy cores.
ONE_BLAS_THREAD = {"limits": 1, "user_api": "blas"}


class RidgeReadout(RegressorMixin, MultiOutputMixin, BaseEstimator):
    """Linear readout ``y = X w + b`` that minimises ``|y - X w - b|^2 + penalty |w|^2``; b is not penalised.

    Parameters
    ----------
    penalty : the weight of ``|w|^2``, 0 or more; or ``"nested"``: each of `penalties` is tried on whole conditions
        that were held out of its fit, and the one with the smallest squared error, summed over conditions and outputs,
        is used on all data (of equals the largest). Inside an outer cross-validation this choice is nested.
    penalties : the penalties to choose from
    max_folds : with ``"nested"``, conditions are held out one at a time, or in this many groups if there are more

    Attributes
    ----------
    coef_ : (n_outputs, n_features) or (n_features,) ndarray
    intercept_ : (n_outputs,) ndarray or float
    penalty_ : the penalty used
    cv_error_ : (n_penalties,) ndarray, with ``"nested"`` only: mean squared error on held-out conditions

    References
    ----------
    Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634
    """

    def __init__(
        self,
        penalty: float | Literal["nested"] = 1.0,
        *,
        penalties: Sequence[float] = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4),
        max_folds: int = 10,
    ) -> None:
        self.penalty = penalty
        self.penalties = penalties
        self.max_folds = max_folds

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> RidgeReadout:
        """Fit the weights.

        Parameters
        ----------
        X : (n_samples, n_features) array_like
        y : (n_samples,) or (n_samples, n_outputs) array_like
        groups : (n_samples,) condition of each sample; needed if the penalty is ``"nested"``

        Raises
        ------
        ValueError
            If the penalty is not a number that is 0 or more, or numbers are not finite, or a penalty is to be chosen
            without groups or from fewer than two conditions.
        """
        X, y = validated_rows_and_targets(self, X, y)
        with threadpool_limits(**ONE_BLAS_THREAD):
            if self.penalty == "nested":
                self.cv_error_ = self._held_out_error(X, y, groups)
                descending = np.argsort(self.penalties)[::-1]
                self.penalty_ = float(self.penalties[descending[np.argmin(self.cv_error_[descending])]])
            else:
                self.penalty_ = _checked(self.penalty)
            self.ridge_ = Ridge(alpha=self.penalty_, solver=SOLVER).fit(X, y)
        self.coef_, self.intercept_ = self.ridge_.coef_, self.ridge_.intercept_
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return ``X w + b``.

        Parameters
        ----------
        X : (n_samples, n_features) array_like
        """
        check_is_fitted(self)
        X = validated_rows(self, X, reset=False)
        with threadpool_limits(**ONE_BLAS_THREAD):
            return self.ridge_.predict(X)

    def _held_out_error(self, X: np.ndarray, y: np.ndarray, groups: ArrayLike | None) -> np.ndarray:
        penalties = [_checked(penalty) for penalty in self.penalties]
        if not penalties:
            raise ValueError("RidgeReadout.penalties must hold at least one penalty, got none")
        if groups is None:
            raise ValueError("RidgeReadout: a nested penalty holds out whole conditions: pass groups to fit")
        conditions = np.unique(groups)
        if conditions.size < 2:
            raise ValueError(f"RidgeReadout: a nested penalty needs at least 2 conditions, got {conditions.size}")
        # One copy of the outputs per penalty: scikit-learn takes a penalty for each output and shares X'X among them.
        copies = np.tile(y.reshape(len(y), -1), len(penalties))
        penalty_of_copy: Any = np.repeat(penalties, copies.shape[1] // len(penalties))
        squared_error = np.zeros(copies.shape[1])
        for train, test in GroupKFold(min(conditions.size, self.max_folds)).split(X, y, groups):
            ridge = Ridge(alpha=penalty_of_copy, solver=SOLVER).fit(X[train], copies[train])
            squared_error += ((ridge.predict(X[test]) - copies[test]) ** 2).sum(axis=0)
        return squared_error.reshape(len(penalties), -1).sum(axis=1) / y.size


def _checked(penalty: object) -> float:
    if not isinstance(penalty, Real) or not 0 <= float(penalty) < np.inf:
        raise ValueError(f"RidgeReadout.penalty must be a finite number, 0 or more, or 'nested', got {penalty!r}")
    return float(penalty)
