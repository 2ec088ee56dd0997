"""A recurrent network that predicts numbers from sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from cortwin.errors import CortwinError
from cortwin.estimator.network import RecurrentNetwork
from cortwin.estimator.sequences import Sequences, checked_sequences, finite


class RNNRegressor(RegressorMixin, RecurrentNetwork):
    """A page's textbook network with a linear output, trained on the mean squared error.

    X is (trial, time, input), or (trial, input) for sequences of length 1. A sequence that ends early is filled up with
    NaN (`padded`). y is (trial,) or (trial, outputs); with ``output="sequence"``, (trial, time) or (trial, time,
    outputs). Bring X and y to order one first, for instance with scikit-learn's scalers.

    Parameters
    ----------
    page : name of a page in ``models/``, or a `Model` of your own
    variant : arguments of the page's ``model``, for instance ``{"activation": "relu"}``
    units : number of units
    alpha : dt / tau; 1 for the recurrence as the documents print it, at most 0.1 for networks that shall have twins
    output : ``"last"`` for one output a trial, after its last input, or ``"sequence"`` for one after every input
    optimizer : ``"sgd"``, ``"momentum"``, ``"rmsprop"`` or ``"adam"``
    learning_rate : step size of the first update
    schedule : ``"constant"`` or ``"cosine"``
    batch_size : trials in a mini-batch, at most; None for all
    epochs : how often the trials are gone through
    truncation : steps of a segment of truncated backpropagation through time; None for backpropagation to the start
    dropout : probability with which the readout does not hear a unit during training
    weight_decay : times the sum of all squared weights, added to the loss
    clip : largest norm of the gradient; None for no limit
    random_state : seed, NumPy generator or None; draws the initial weights, mini-batches and dropout

    Attributes
    ----------
    parameters_ : NamedTuple of ndarrays, the page's trained arrays
    model_ : `Model` that they are of
    history_ : ndarrays by name: ``loss``, ``error`` and ``gradient_norm`` before each update
    n_features_in_ : number of inputs
    n_outputs_ : number of outputs
    """

    def __sklearn_tags__(self):
        """Return what scikit-learn may ask of the estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> RNNRegressor:
        """Train on sequences and what the output should be.

        Raises
        ------
        ValueError
            If the data or a parameter do not fit.
        """
        self._check()
        sequences = checked_sequences(self, X, reset=True)
        counted, target = self._target(sequences, y)
        self.n_outputs_ = target.shape[2]
        self._one_output = np.asarray(y).ndim == (2 if self.output == "sequence" else 1)
        self._train(sequences, target, counted, "linear", "mean_squared_error")
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the outputs, in the shape of the y that was trained; NaN after the end of a sequence."""
        check_is_fitted(self)
        sequences = checked_sequences(self, X, reset=False)
        found = self._outputs(sequences)
        if self.output == "sequence":
            found = np.where(sequences.inside[..., None], found, np.nan)
        return found[..., 0] if self._one_output else found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination R2, the mean over outputs."""
        if self.output == "last":
            return super().score(X, y, sample_weight)
        check_is_fitted(self)
        sequences = checked_sequences(self, X, reset=False)
        counted, target = self._target(sequences, y)
        weights = None if sample_weight is None else np.broadcast_to(np.asarray(sample_weight)[:, None], counted.shape)
        found = self._outputs(sequences)
        return r2_score(target[counted], found[counted], sample_weight=None if weights is None else weights[counted])

    def _target(self, sequences: Sequences, y: Any) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return where the target counts, (trial, time), and the target, (trial, time, output)."""
        trials, times = sequences.inputs.shape[:2]
        if y is None:
            raise CortwinError(f"This {type(self).__name__} requires y to be passed, but the target y is None.")
        of_sequences = self.output == "sequence"
        values = finite(y, allow_nan=of_sequences, name="y")
        check_consistent_length(sequences.inputs, values)
        start = (trials, times) if of_sequences else (trials,)
        if values.shape[: len(start)] != start or values.ndim - len(start) not in (0, 1):
            shape = "(trial, time) or (trial, time, output)" if of_sequences else "(trial,) or (trial, output)"
            raise CortwinError(f"the shape of y is {values.shape}, expected {shape} with {start} = {shape[:13]}")
        values = values.reshape(*start, -1)
        if of_sequences:
            return sequences.inside, np.where(sequences.inside[..., None], values, 0)
        counted, target = np.zeros((trials, times), dtype=bool), np.zeros((trials, times, values.shape[-1]))
        counted[sequences.last], target[sequences.last] = True, values
        return counted, target
