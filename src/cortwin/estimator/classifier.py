"""A recurrent network that tells classes of sequences apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d

from cortwin.errors import CortwinError
from cortwin.estimator.network import RecurrentNetwork
from cortwin.estimator.sequences import Sequences, checked_sequences


class RNNClassifier(ClassifierMixin, RecurrentNetwork):
    """A page's textbook network trained on the cross-entropy: a logistic output for two classes, a softmax for more.

    X is (trial, time, input), or (trial, input) for sequences of length 1. A sequence that ends early is filled up with
    NaN (`padded`). y is (trial,), a label for each trial; with ``output="sequence"``, (trial, time), one a sample.

    Parameters
    ----------
    page, variant, units, alpha : of the network, as of `RNNRegressor`
    output : ``"last"`` or ``"sequence"``
    optimizer, learning_rate, schedule, batch_size, epochs : of the training, as of `RNNRegressor`
    truncation, dropout, weight_decay, clip, random_state : also of the training

    Attributes
    ----------
    classes_ : the labels in order
    parameters_ : NamedTuple of ndarrays, the page's trained arrays
    model_ : `Model` that they are of
    history_ : ndarrays by name: ``loss``, ``error`` and ``gradient_norm`` before each update
    n_features_in_ : number of inputs
    """

    def fit(self, X: Any, y: Any) -> RNNClassifier:
        """Train on sequences and their labels.

        Raises
        ------
        ValueError
            If the data or a parameter do not fit, or there is one class only.
        """
        self._check()
        sequences = checked_sequences(self, X, reset=True)
        counted, labels = self._labels(sequences, y)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) == 1:
            raise CortwinError(f"y has one class only, {self.classes_[0]}: there is nothing to tell apart")
        binary = len(self.classes_) == 2
        target = np.zeros((*counted.shape, 1 if binary else len(self.classes_)))
        target[counted] = numbers[:, None] if binary else np.eye(len(self.classes_))[numbers]
        loss = "binary_cross_entropy" if binary else "categorical_cross_entropy"
        self._train(sequences, target, counted, "logistic" if binary else "softmax", loss)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class: (trial, class) or, of sequences, (trial, time, class)."""
        check_is_fitted(self)
        found = self._outputs(checked_sequences(self, X, reset=False))
        return np.concatenate([1 - found, found], axis=-1) if len(self.classes_) == 2 else found

    def predict(self, X: Any) -> NDArray:
        """Return the most probable label: (trial,) or (trial, time); after the end of a sequence it means nothing."""
        check_is_fitted(self)
        return self.classes_[np.argmax(self.predict_proba(X), axis=-1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of labels that are found, over trials or, of sequences, over their samples."""
        if self.output == "last":
            return super().score(X, y, sample_weight)
        check_is_fitted(self)
        counted, labels = self._labels(checked_sequences(self, X, reset=False), y)
        weights = None if sample_weight is None else np.broadcast_to(np.asarray(sample_weight)[:, None], counted.shape)
        found = self.predict(X)[counted]
        return accuracy_score(labels, found, sample_weight=None if weights is None else weights[counted])

    def _labels(self, sequences: Sequences, y: Any) -> tuple[NDArray[np.bool_], NDArray]:
        """Return where a label counts, (trial, time), and those labels in a row."""
        if y is None:
            raise CortwinError(f"This {type(self).__name__} requires y to be passed, but the target y is None.")
        check_consistent_length(sequences.inputs, y)
        if self.output == "last":
            counted = np.zeros(sequences.inside.shape, dtype=bool)
            counted[sequences.last] = True
            return counted, _finite(column_or_1d(y, warn=True))
        values = np.asarray(y)
        if values.shape != sequences.inside.shape:
            raise CortwinError(f"the shape of y is {values.shape}, expected {sequences.inside.shape} = (trial, time)")
        return sequences.inside, _finite(values[sequences.inside])


def _finite(labels: Any) -> NDArray:
    """Return labels of any kind; numbers have to be finite."""
    return check_array(labels, dtype=None, ensure_2d=False, input_name="y")  # type: ignore[reportArgumentType]
