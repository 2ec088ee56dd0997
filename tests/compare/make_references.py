"""Make references.npz: the Elman network in the recurrent layers of PyTorch and Keras, on the same small arrays.

    python tests/compare/make_references.py [FILE]

Needs numpy, torch, keras and tensorflow, and nothing of cortwin or JAX. All is float64. Keras runs on TensorFlow
because on its other backends Keras 3 rounds sums and products to float32, also in layers of float64
(https://github.com/keras-team/keras/issues/23704).

h_k = f(W_rec h_{k-1} + W_in u_k + b) from h_{-1} = first = f(x0), the same for every trial; y = W_out h + b_out; the
loss is the mean of (y - target)^2. The file holds, by key:

W_rec, W_in, b, x0, W_out, b_out : the network's arrays, (units, units), (units, inputs), (units,), ..
inputs, target : (trial, time, input) and (trial, time, output)
learning_rate : of the gradient descent
versions : text, of what made the file
LIBRARY.ACTIVATION.first, .states, .outputs, .loss : f(x0) (units,), h (trial, time, unit), y (trial, time, output), ()
LIBRARY.ACTIVATION.gradient.ARRAY : derivative of the loss with respect to one of the network's arrays, or to first
LIBRARY.ACTIVATION.losses : (updates,), the loss before each update of gradient descent on all trials
LIBRARY.ACTIVATION.trained.ARRAY : the network's arrays after the last update
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

TRIALS, TIMES, INPUTS, UNITS, OUTPUTS = 4, 12, 3, 5, 2
UPDATES, LEARNING_RATE = 3, 0.1
NETWORK = ("W_rec", "W_in", "b", "x0", "W_out", "b_out")
SEED = 0

Arrays = dict[str, np.ndarray]


class Passed(NamedTuple):
    """What one pass forward (``first``, ``states``, ``outputs``, ``loss``) and backward finds."""

    computed: Arrays
    gradient: Arrays


def draw(generator: np.random.Generator) -> Arrays:
    """Return a network without zeros in its arrays, and a task that it has not learned."""
    normal = generator.standard_normal
    return {
        "W_rec": 1.2 * normal((UNITS, UNITS)) / np.sqrt(UNITS),
        "W_in": normal((UNITS, INPUTS)) / np.sqrt(INPUTS),
        "b": 0.3 * normal(UNITS),
        "x0": normal(UNITS),
        "W_out": normal((OUTPUTS, UNITS)) / np.sqrt(UNITS),
        "b_out": 0.3 * normal(OUTPUTS),
        "inputs": normal((TRIALS, TIMES, INPUTS)),
        "target": normal((TRIALS, TIMES, OUTPUTS)),
    }


def in_torch(arrays: Arrays, activation: str) -> Passed:
    """Pass through torch.nn.RNN, which knows tanh and ReLU, and torch.nn.Linear."""
    layer = torch.nn.RNN(INPUTS, UNITS, nonlinearity=activation, batch_first=True, dtype=torch.float64)
    head = torch.nn.Linear(UNITS, OUTPUTS, dtype=torch.float64)
    own = {
        "W_rec": layer.weight_hh_l0,
        "W_in": layer.weight_ih_l0,
        "b": layer.bias_ih_l0,
        "W_out": head.weight,
        "b_out": head.bias,
    }
    with torch.no_grad():
        layer.bias_hh_l0.zero_()  # PyTorch has a second bias  # type: ignore[reportCallIssue]
        for name, parameter in own.items():
            parameter.copy_(torch.from_numpy(arrays[name]))
    x0 = torch.tensor(arrays["x0"], requires_grad=True)
    first = {"tanh": torch.tanh, "relu": torch.relu}[activation](x0)
    first.retain_grad()
    h, _ = layer(torch.from_numpy(arrays["inputs"]), first.expand(1, TRIALS, UNITS).contiguous())
    y: torch.Tensor = head(h)
    loss = torch.nn.functional.mse_loss(y, torch.from_numpy(arrays["target"]))
    loss.backward()
    computed = {"first": first, "states": h, "outputs": y, "loss": loss}
    gradient = {name: np.asarray(tensor.grad) for name, tensor in {**own, "x0": x0, "first": first}.items()}
    return Passed({name: tensor.detach().numpy() for name, tensor in computed.items()}, gradient)


def in_keras(arrays: Arrays, activation: str) -> Passed:
    """Pass through keras.layers.SimpleRNN and keras.layers.Dense, which keep weights transposed."""
    import keras
    import tensorflow as tf

    name = {"logistic": "sigmoid"}.get(activation, activation)
    layer = keras.layers.SimpleRNN(UNITS, activation=name, return_sequences=True, dtype="float64")
    head = keras.layers.Dense(OUTPUTS, dtype="float64")
    layer.build((TRIALS, TIMES, INPUTS))
    head.build((TRIALS, TIMES, UNITS))
    layer.set_weights([arrays["W_in"].T, arrays["W_rec"].T, arrays["b"]])
    head.set_weights([arrays["W_out"].T, arrays["b_out"]])
    variables = [variable.value for variable in (*layer.trainable_variables, *head.trainable_variables)]
    x0 = tf.constant(arrays["x0"])
    with tf.GradientTape() as tape:
        tape.watch(x0)
        first = keras.activations.get(name)(x0)
        h = layer(tf.constant(arrays["inputs"]), initial_state=tf.broadcast_to(first, (TRIALS, UNITS)))
        y = head(h)
        loss = tf.reduce_mean(tf.square(y - arrays["target"]))
    order = ("W_in", "W_rec", "b", "W_out", "b_out", "x0", "first")
    found = zip(order, tape.gradient(loss, [*variables, x0, first]), strict=True)  # type: ignore
    computed = {"first": first, "states": h, "outputs": y, "loss": loss}
    return Passed(
        {name: np.asarray(tensor) for name, tensor in computed.items()},
        {name: np.asarray(tensor).T for name, tensor in found},
    )


def record(arrays: Arrays, activation: str, library: Callable[[Arrays, str], Passed]) -> Arrays:
    """Return what a library computes from the arrays, and what gradient descent with its gradients makes of them."""
    passed = library(arrays, activation)
    if wrong := [name for part in passed for name, array in part.items() if array.dtype != np.float64]:
        raise TypeError(f"{library.__name__}, {activation}: not float64: {', '.join(wrong)}")

    network = {name: torch.tensor(arrays[name]) for name in NETWORK}
    descent = torch.optim.SGD(network.values(), lr=LEARNING_RATE)
    losses = []
    for _ in range(UPDATES):
        now = library({**arrays, **{name: tensor.numpy() for name, tensor in network.items()}}, activation)
        losses.append(now.computed["loss"])
        for name, tensor in network.items():
            tensor.grad = torch.tensor(now.gradient[name])
        descent.step()
    return {
        **passed.computed,
        **{f"gradient.{name}": array for name, array in passed.gradient.items()},
        "losses": np.array(losses),
        **{f"trained.{name}": tensor.numpy() for name, tensor in network.items()},
    }


def references() -> Arrays:
    """Return all that the file holds."""
    import keras
    import tensorflow as tf

    made_with = {"Python": platform.python_version(), **{m.__name__: m.__version__ for m in (np, torch, keras, tf)}}
    versions = ", ".join(f"{name} {version}" for name, version in made_with.items())
    arrays = draw(np.random.default_rng(SEED))
    found = {**arrays, "learning_rate": np.array(LEARNING_RATE), "versions": np.array(versions)}
    for library, activations in ((in_torch, ("tanh", "relu")), (in_keras, ("tanh", "relu", "logistic"))):
        for activation in activations:
            prefix = f"{library.__name__.removeprefix('in_')}.{activation}"
            found |= {f"{prefix}.{name}": array for name, array in record(arrays, activation, library).items()}
    return found


def main(file: Path) -> None:
    """Write the file, on the processor, whatever a user's settings of Keras are."""
    with tempfile.TemporaryDirectory() as settings:
        os.environ.update(KERAS_BACKEND="tensorflow", KERAS_HOME=settings, CUDA_VISIBLE_DEVICES="-1")
        np.savez(file, **references())  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("references.npz"))
