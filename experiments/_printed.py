"""What the five documents print: their recurrences, the faults of their samples, and the corrected form of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from cortwin.experiment import Run
from cortwin.model import Model
from cortwin.models import elman, jordan, lstm
from cortwin.tasks import Sequences, delayed_copy, mean_of_sequence, next_symbol, sign_of_sum
from cortwin.training import Options, fit, outputs, textbook_activity

STEP = 0.01  # s between two samples; as a map (alpha = 1) it stands for nothing
# Document, network as it is read, and the page that holds it.
EQUATIONS = {
    "000": ("y(t) = f(W [x(t), y(t-1)] + b)", "jordan"),
    "001": ("h_t = f(W x_t + b), y_t = softmax(W_y h_t + b_y)", "feedforward"),
    "002": ("h_t = f(W_h [h_{t-1}, x_t] + b)", "elman"),
    "003": ("a_t = W_ax x_t + b_a, h_t = f(W_hx x_t + W_ha a_{t-1} + b_h)", "relay_as_printed"),
    "004": ("h_t = f(W_hh h_{t-1} + W_xh x_t + b_h)", "elman"),
}


@dataclass(frozen=True)
class Fault:
    """A line of a document's sample, what is wrong with it, and what the corrected form does."""

    document: str
    line: str
    fault: str
    instead: str


FAULTS = (
    Fault("000", "d_out = 1.0 * (y - output)", "backward is not given output", "gradients are derived"),
    Fault(
        "000",
        "d_input_hidden = np.dot(d_h, self.W_hh.T)",
        "the gradient of one step, not through time",
        "backpropagation through all steps",
    ),
    Fault("000", "h_prev = np.zeros((hidden_size, 1))", "the past is forgotten in every update", "sequences"),
    Fault("000", "np.dot(self.W_ih, x)", "W_ih is (input, hidden): fits as every size is 10", "W_in is (unit, input)"),
    Fault("000", "y = np.random.randn(output_size, 1)", "targets are noise", "a delayed copy"),
    Fault("001", "h_t = f(W x_t + b)", "called recurrent, and has no recurrence", "an Elman network for the sample"),
    Fault("001", "input_shape=(X.shape[1], X.shape[2])", "X has two axes", "axes (trial, time, input)"),
    Fault("001", "Dense(units=y.shape[1], activation='softmax')", "a class for each time", "a class for each symbol"),
    Fault("002", "h_t = f(W_h [h_t, x_t] + b)", "h_t stands on both sides", "h_{t-1} on the right"),
    Fault("002", "Wh = np.random.randn(hidden_size, input_size)", "no columns for h", "W_rec beside W_in"),
    Fault("002", "return x * (1 - x)", "true of the output, used on the argument", "gradients are derived"),
    Fault("002", "Wh += np.dot(dh, h.T) * learning_rate", "the gradient is added", "it is subtracted"),
    Fault("003", "h_t = f(W_hx x_t + W_ha a_{t-1} + b_h)", "not recurrent as printed", "with and without W_hh"),
    Fault("003", "model.fit(X_train, y_train, ...)", "X_train, y_train, X_test are undefined", "a task with an answer"),
    Fault("004", "x_train = np.random.rand(100, 10, 1)", "np is not imported", "it is"),
    Fault("004", "y_train = np.random.rand(100, 1)", "targets are noise", "the sequence's mean"),
)


@dataclass(frozen=True)
class Sample:
    """The corrected form of a document's sample: network, units, training, and what it is shown."""

    model: Model
    units: int
    options: Options
    data: Sequences


def sample_000(generator: Generator, updates: int) -> Sample:
    """Jordan network with tanh units and a linear output, as the class in document 000."""
    options = Options(optimizer="sgd", learning_rate=0.1, updates=updates)
    return Sample(jordan.model(), 10, options, delayed_copy(generator, 64, 10, 2, dt=STEP))


def sample_001(generator: Generator, updates: int) -> Sample:
    """Three ReLU units with a softmax output: which symbol comes next, as often as in the sequence of document 001."""
    options = Options(learning_rate=1e-2, updates=updates, loss="categorical_cross_entropy")
    printed = [0, 1, 0, 3, 1, 2, 0, 1, 0, 3, 0, 1, 2, 0, 1, 0, 3, 1, 2, 0]
    follows = np.zeros((4, 4))
    np.add.at(follows, (printed[:-1], printed[1:]), 1)
    data = next_symbol(generator, 64, 20, follows, dt=STEP)
    return Sample(elman.model("relu").with_output("softmax"), 3, options, data)


def sample_002(generator: Generator, updates: int) -> Sample:
    """Ten logistic units over 100 steps, gradient descent, as in document 002."""
    options = Options(optimizer="momentum", learning_rate=0.05, updates=updates, batch_size=8)
    return Sample(elman.model("logistic"), 10, options, delayed_copy(generator, 16, 100, 2, dt=STEP))


def sample_003(generator: Generator, updates: int) -> Sample:
    """An LSTM of 50 units with one logistic output, binary cross-entropy, Adam, batches of 32, as in document 003."""
    options = Options(learning_rate=5e-3, updates=max(1, updates // 5), loss="binary_cross_entropy")
    return Sample(lstm.model().with_output("logistic"), 50, options, sign_of_sum(generator, 256, 20, dt=STEP))


def sample_004(generator: Generator, updates: int) -> Sample:
    """Ten tanh units and a linear output, Adam, batches of one, as in document 004: 100 sequences of 10 steps."""
    options = Options(learning_rate=1e-3, updates=updates, batch_size=1)
    return Sample(elman.model(), 10, options, mean_of_sequence(generator, 200, 10, dt=STEP))


SAMPLES = {"000": sample_000, "001": sample_001, "002": sample_002, "003": sample_003, "004": sample_004}


def corrected_samples(run: Run, updates: int) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Train the corrected form of each document's sample, as a map (alpha = 1) as the documents write it.

    Returns
    -------
    rows with the error of trials that were not trained beside that of the best constant answer, and the training errors
    """
    rows, histories = [], {}
    for document, make in SAMPLES.items():
        generator = run.generator(f"sample {document}")
        sample = make(generator, updates)
        model, options, data = sample.model, sample.options, sample.data
        inputs, target, mask = data.inputs, data.target, data.mask
        old, new = slice(len(inputs) // 2), slice(len(inputs) // 2, None)
        start = model.initial(generator, inputs.sizes["input"], sample.units, target.sizes["output"])
        learned = fit(
            model, start, inputs[old], target[old], alpha=1.0, options=options, generator=generator, mask=mask[old]
        )
        h = textbook_activity(model, learned.parameters, inputs[new].to_numpy(), 1.0)[1]
        y = np.asarray(outputs(model, learned.parameters, h))
        rows.append(
            {
                "document": document,
                "network": f"{model.name}, {sample.units} units, {model.recurrence().link} output",
                "task": data.name,
                "error": _error(y, target[new].to_numpy(), mask[new], options.loss),
                "baseline": data.baseline,
                "updates": options.updates,
            }
        )
        histories[document] = learned.history["error"]
    return rows, histories


def _error(y: np.ndarray, target: np.ndarray, mask: np.ndarray, loss: str) -> float:
    """Return the mean error, by NumPy alone: a check on what training says of itself."""
    if loss == "categorical_cross_entropy":
        error = -(target * np.log(y)).sum(axis=2)
    elif loss == "binary_cross_entropy":
        error = -(target * np.log(y) + (1 - target) * np.log(1 - y)).mean(axis=2)
    else:
        error = ((y - target) ** 2).mean(axis=2)
    return float((mask * error).sum() / mask.sum())
