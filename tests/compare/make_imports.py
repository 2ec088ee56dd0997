"""Make imports.npz: small networks of PyTorch and Keras, their weights as the libraries name them, their outputs.

    python tests/compare/make_imports.py [FILE]

Needs numpy, torch, keras and tensorflow, and nothing of cortwin or JAX. All is float32, as the libraries compute unless
they are told otherwise; the first state is that of the libraries, 0.

inputs : (trial, time, input)
versions : text, of what made the file
CASE.outputs : (trial, time, output), of the recurrent layer and the linear layer behind it, its link applied
CASE.weights.NAME : arrays by the names of PyTorch's `state_dict`; for Keras their numbers in `get_weights`
CASE.activation, .output, .reset_after : what the weights do not say, where there is anything
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

TRIALS, TIMES, INPUTS, UNITS, OUTPUTS = 3, 12, 3, 5, 2
SEED = 0

Arrays = dict[str, Any]

# case: (kind of layer, its options, has a head, link behind it)
IN_TORCH = {
    "torch.rnn": ("RNN", {}, True, "linear"),
    "torch.rnn_relu": ("RNN", {"nonlinearity": "relu"}, True, "linear"),
    "torch.rnn_without_bias": ("RNN", {"bias": False}, False, "linear"),
    "torch.gru": ("GRU", {}, True, "linear"),
    "torch.gru_softmax": ("GRU", {}, True, "softmax"),
    "torch.lstm": ("LSTM", {}, True, "linear"),
    "torch.lstm_logistic": ("LSTM", {}, True, "logistic"),
}
IN_KERAS = {
    "keras.rnn": ("SimpleRNN", {}, True, "linear"),
    "keras.rnn_relu": ("SimpleRNN", {"activation": "relu"}, True, "linear"),
    "keras.rnn_logistic": ("SimpleRNN", {"activation": "sigmoid"}, True, "logistic"),
    "keras.gru_after": ("GRU", {"reset_after": True}, True, "linear"),
    "keras.gru_before": ("GRU", {"reset_after": False}, True, "softmax"),
    "keras.gru_without_bias": ("GRU", {"use_bias": False, "reset_after": False}, False, "linear"),
    "keras.lstm": ("LSTM", {}, True, "softmax"),
}


def weights(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers of float32 that keep states and outputs of order one, ReLU's among them."""
    size = 2.0 if OUTPUTS in shape else 1.0 if INPUTS in shape else 0.6
    return (size / np.sqrt(UNITS) * generator.standard_normal(shape)).astype(np.float32)


def in_torch(generator: np.random.Generator, inputs: np.ndarray, case: str) -> Arrays:
    """Compute one case with PyTorch."""
    kind, options, has_head, link = IN_TORCH[case]
    layer = getattr(torch.nn, kind)(INPUTS, UNITS, batch_first=True, **options)
    parts = torch.nn.ModuleDict({"layer": layer, **({"head": torch.nn.Linear(UNITS, OUTPUTS)} if has_head else {})})
    with torch.no_grad():
        for parameter in parts.parameters():
            parameter.copy_(torch.from_numpy(weights(generator, tuple(parameter.shape))))
        y = layer(torch.from_numpy(inputs))[0]
        y = parts["head"](y) if has_head else y
        y = {"linear": lambda a: a, "logistic": torch.sigmoid, "softmax": lambda a: a.softmax(-1)}[link](y)
    found = {f"{case}.weights.{name}": tensor.numpy() for name, tensor in parts.state_dict().items()}
    said = {"output": link, "activation": options.get("nonlinearity", "tanh")}
    return found | {f"{case}.{name}": np.array(text) for name, text in said.items()} | {f"{case}.outputs": y.numpy()}


def in_keras(generator: np.random.Generator, inputs: np.ndarray, case: str) -> Arrays:
    """Compute one case with Keras."""
    import keras

    kind, options, has_head, link = IN_KERAS[case]
    layer = getattr(keras.layers, kind)(UNITS, return_sequences=True, **options)
    activation = {"logistic": "sigmoid"}.get(link, link)
    network = keras.Sequential([layer, *([keras.layers.Dense(OUTPUTS, activation=activation)] if has_head else [])])
    network.build((None, TIMES, INPUTS))
    network.set_weights([weights(generator, array.shape) for array in network.get_weights()])
    found: Arrays = {f"{case}.weights.{k}": array for k, array in enumerate(network.get_weights())}
    said = {"output": link, "activation": options.get("activation", "tanh")}
    if kind == "GRU":
        found[f"{case}.reset_after"] = np.array(options["reset_after"])
    y = np.asarray(network(inputs))
    return found | {f"{case}.{name}": np.array(text) for name, text in said.items()} | {f"{case}.outputs": y}


def references() -> Arrays:
    """Return all that the file holds."""
    import keras
    import tensorflow as tf

    made_with = {"Python": platform.python_version(), **{m.__name__: m.__version__ for m in (np, torch, keras, tf)}}
    generator = np.random.default_rng(SEED)
    inputs = generator.standard_normal((TRIALS, TIMES, INPUTS)).astype(np.float32)
    found: Arrays = {"inputs": inputs}
    found["versions"] = np.array(", ".join(f"{name} {version}" for name, version in made_with.items()))
    for cases, library in ((IN_TORCH, in_torch), (IN_KERAS, in_keras)):
        for case in cases:
            found |= library(generator, inputs, case)
    return found


def main(file: Path) -> None:
    """Write the file, on the processor, whatever a user's settings of Keras are."""
    with tempfile.TemporaryDirectory() as settings:
        os.environ.update(KERAS_BACKEND="tensorflow", KERAS_HOME=settings, CUDA_VISIBLE_DEVICES="-1")
        np.savez(file, **references())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("imports.npz"))
