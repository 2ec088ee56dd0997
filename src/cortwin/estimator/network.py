"""What both estimators are: a page's textbook network, trained on sequences."""

from __future__ import annotations

import inspect
import math
import threading
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from cortwin.catalogue import page_module
from cortwin.errors import CortwinError
from cortwin.estimator.sequences import Sequences
from cortwin.model import Model
from cortwin.training import Options, Penalties, fit, outputs, textbook_activity

OUTPUTS = ("last", "sequence")
_MAKING = threading.Lock()


class Network(NamedTuple):
    """A model, and its outputs as a compiled function of parameters and (trial, time, input) arrays."""

    model: Model
    outputs: Callable[[Any, Any], jax.Array]


def network(page: str | Model, variant: dict[str, Any] | None, link: str, alpha: float) -> Network:
    """Return a page's network with a link behind its output; of pages by name, the same object every time."""
    if isinstance(page, Model):
        return _compiled(page.with_output(link), alpha)
    # Searches may fit in threads. Without the lock two of them would make two models of one page, and Python 3.11
    # cannot parse in two threads at a time (https://github.com/python/cpython/issues/106905).
    with _MAKING:
        return _of_page(page, tuple(sorted((variant or {}).items())), link, alpha)


@lru_cache(maxsize=64)
def _of_page(page: str, variant: tuple[tuple[str, Any], ...], link: str, alpha: float) -> Network:
    make = page_module(page).model
    known = list(inspect.signature(make).parameters)
    for name, _ in variant:
        if name not in known:
            raise CortwinError(f"the page {page} has no variant '{name}'; it has {', '.join(known) or 'none'}")
    return _compiled(make(**dict(variant)).with_output(link), alpha)


def _compiled(model: Model, alpha: float) -> Network:
    return Network(model, jax.jit(lambda p, u: outputs(model, p, textbook_activity(model, p, u, alpha)[1])))


class RecurrentNetwork(BaseEstimator):
    """Parameters and training that `RNNRegressor` and `RNNClassifier` share; the parameters are said there."""

    # scikit-learn reads the parameters from here.
    def __init__(
        self,
        page: str | Model = "elman",
        *,
        variant: dict[str, Any] | None = None,
        units: int = 32,
        alpha: float = 1.0,
        output: str = "last",
        optimizer: str = "adam",
        learning_rate: float = 0.01,
        schedule: str = "constant",
        batch_size: int | None = 32,
        epochs: int = 100,
        truncation: int | None = None,
        dropout: float = 0.0,
        weight_decay: float = 0.0,
        clip: float | None = 1.0,
        random_state: Any = None,
    ) -> None:
        self.page = page
        self.variant = variant
        self.units = units
        self.alpha = alpha
        self.output = output
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.truncation = truncation
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.clip = clip
        self.random_state = random_state

    def __sklearn_tags__(self):
        """Return what scikit-learn may ask of the estimator."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    @property
    def model_(self) -> Model:
        """The page's model, for its twins: with `parameters_`, what `cortwin.twins` and `cortwin.ladder` take."""
        check_is_fitted(self)
        return network(self.page, self.variant, self.link_, self.alpha).model

    def _check(self) -> None:
        if self.output not in OUTPUTS:
            raise CortwinError(f"the parameter output is {self.output!r}, expected one of {', '.join(OUTPUTS)}")
        for name in ("units", "epochs"):
            number = getattr(self, name)
            if number != int(number) or number < 1:
                raise CortwinError(f"the parameter {name} is {number}, must be a whole number and at least 1")

    def _train(self, sequences: Sequences, target: NDArray, counted: NDArray, link: str, loss: str) -> None:
        """Train the page's network.

        Parameters
        ----------
        target : (trial, time, output) array
        counted : (trial, time) array, where the target counts
        """
        inputs = sequences.inputs
        batch = len(inputs) if self.batch_size is None else min(self.batch_size, len(inputs))
        updates = self.epochs * math.ceil(len(inputs) / max(batch, 1))
        options = Options(
            loss=loss,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            updates=updates,
            batch_size=batch,
            clip=self.clip,
            truncation=self.truncation,
            dropout=self.dropout,
            penalties=Penalties(weight=self.weight_decay),
            interval=updates,
        )
        model = network(self.page, self.variant, link, self.alpha).model
        generator = _generator(self.random_state)
        start = model.initial(generator, inputs.shape[2], int(self.units), target.shape[2])
        found = fit(
            model,
            start,
            inputs,  # type: ignore[reportArgumentType]  # the textbook needs no labels
            target,  # type: ignore[reportArgumentType]
            alpha=self.alpha,
            options=options,
            generator=generator,
            mask=counted,
        )
        if found.diverged:
            warnings.warn(f"training ended early: {found.stopped}", ConvergenceWarning, stacklevel=3)
        self.parameters_, self.history_, self.link_ = found.parameters, found.history, link

    def _outputs(self, sequences: Sequences) -> NDArray[np.float64]:
        """Return the network's outputs: (trial, time, output), or (trial, output) where only the last is asked for."""
        run = network(self.page, self.variant, self.link_, self.alpha).outputs
        found = np.asarray(run(self.parameters_, sequences.inputs))
        return found[sequences.last] if self.output == "last" else found


def _generator(random_state: Any) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    return np.random.default_rng(random_state)
