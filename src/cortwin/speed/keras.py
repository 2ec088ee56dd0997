"""Keras's updates on TensorFlow, as document 004 writes them: `compile` and `fit`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # type: ignore[import-not-found]

from cortwin.speed.case import Case

LAYERS = {"elman": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def prepare(given: dict[str, Any]) -> Callable[[], None]:
    """Return a function that makes the case's updates."""
    case = Case(**given)
    keras.utils.set_random_seed(2)
    model = keras.Sequential()
    model.add(keras.Input((case.steps, case.inputs)))
    model.add(LAYERS[case.cell](case.units, return_sequences=not case.last))
    model.add(keras.layers.Dense(1))
    model.compile(optimizer="adam", loss="mse")
    inputs, targets = case.data()
    wanted = targets[:, -1] if case.last else targets
    epochs = case.updates * case.batch // case.trials

    def update() -> None:
        model.fit(inputs, wanted, epochs=epochs, batch_size=case.batch, verbose=0)

    return update
