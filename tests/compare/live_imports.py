"""Import live modules of PyTorch and Keras, as users write them, and say what became of each, as JSON.

    python tests/compare/live_imports.py

Prints {"errors": {network: largest difference of the outputs}, "refused": {network: message}}. Needs cortwin, torch,
keras and tensorflow; run by tests/test_exchange.py.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

INPUTS = np.random.default_rng(1).standard_normal((4, 15, 3)).astype(np.float32)
# What stands behind the heads, which weights alone do not say.
LINKS = {"keras Sequential": "softmax", "keras TimeDistributed": "logistic", "keras functional": "softmax"}


def in_torch(errors: dict[str, float], refused: dict[str, str]) -> None:
    """Import modules."""
    import torch
    from torch import nn

    import cortwin

    torch.manual_seed(0)
    u = torch.from_numpy(INPUTS)

    class Classifier(nn.Module):
        def __init__(self, cell: type[nn.RNNBase], **options: Any) -> None:
            super().__init__()
            self.rnn, self.dropout = cell(3, 6, batch_first=True, **options), nn.Dropout(0.5)
            self.head, self.softmax = nn.Linear(6, 4), nn.Softmax(dim=-1)

        def forward(self, u: torch.Tensor) -> torch.Tensor:
            return self.softmax(self.head(self.dropout(self.rnn(u)[0])))

    networks: dict[str, tuple[nn.Module, Callable[[], torch.Tensor]]] = {}
    for cell in (nn.RNN, nn.GRU, nn.LSTM):
        layer = cell(3, 6, batch_first=True)
        networks[f"torch {cell.__name__}"] = layer, lambda layer=layer: layer(u)[0]
        whole = Classifier(cell).eval()
        networks[f"torch module with {cell.__name__}"] = whole, lambda whole=whole: whole(u)
    for cell in (nn.RNNCell, nn.GRUCell):
        one = cell(3, 6)
        networks[f"torch {cell.__name__}"] = one, lambda one=one: over_time(one)

    def over_time(cell: Any) -> torch.Tensor:
        h, found = None, []
        for k in range(u.shape[1]):
            h = cell(u[:, k], h)
            found.append(h)
        return torch.stack(found, dim=1)

    with torch.no_grad():
        for name, (network, expected) in networks.items():
            found = cortwin.from_pytorch(network).outputs(INPUTS)
            errors[name] = float(np.abs(found - expected().numpy()).max())
        with tempfile.TemporaryDirectory() as folder:
            # The three lines of the README.
            network, file = nn.GRU(3, 6, batch_first=True), Path(folder) / "network.npz"
            np.savez(file, **{name: tensor.numpy() for name, tensor in network.state_dict().items()})
            found = cortwin.from_npz(file).outputs(INPUTS)
            errors["torch file"] = float(np.abs(found - network(u)[0].numpy()).max())
        half = nn.GRU(3, 6, batch_first=True).to(torch.bfloat16)
        found = cortwin.from_pytorch(half).outputs(INPUTS)
        errors["torch bfloat16"] = float(np.abs(found - half.float()(u)[0].numpy()).max())
    for name, network in {
        "torch bidirectional": nn.GRU(3, 6, bidirectional=True),
        "torch two layers": nn.LSTM(3, 6, num_layers=2),
        "torch proj_size": nn.LSTM(3, 6, proj_size=2),
        "torch LayerNorm": nn.ModuleList([nn.GRU(3, 6), nn.LayerNorm(6), nn.Linear(6, 2)]),
        "torch Embedding": nn.ModuleList([nn.Embedding(9, 3), nn.GRU(3, 6)]),
        "torch ReLU": nn.ModuleList([nn.GRU(3, 6), nn.Linear(6, 2), nn.ReLU()]),
        "torch parametrized": nn.utils.parametrizations.weight_norm(nn.RNN(3, 6), "weight_hh_l0"),
        "torch Linear alone": nn.Linear(3, 6),
        "torch two heads": nn.ModuleList([nn.GRU(3, 6), nn.Linear(6, 2), nn.Linear(6, 2)]),
    }.items():
        refused[name] = refusal(lambda network=network: cortwin.from_pytorch(network))


def in_keras(errors: dict[str, float], refused: dict[str, str]) -> None:
    """Import layers and models."""
    import keras
    from keras import layers

    import cortwin

    keras.utils.set_random_seed(0)
    networks: dict[str, Any] = {
        "keras SimpleRNN": layers.SimpleRNN(6, return_sequences=True),
        "keras GRU": layers.GRU(6, return_sequences=True, dropout=0.3, recurrent_dropout=0.2),
        "keras GRU before": layers.GRU(6, return_sequences=True, reset_after=False),
        "keras LSTM": layers.LSTM(6, return_sequences=True, use_bias=False),
        "keras Sequential": keras.Sequential(
            [layers.LSTM(6, return_sequences=True), layers.Dropout(0.5), layers.Dense(4), layers.Softmax()]
        ),
        "keras TimeDistributed": keras.Sequential(
            [
                layers.Input((None, 3)),
                layers.GRU(6, return_sequences=True),
                layers.TimeDistributed(layers.Dense(2, activation="sigmoid", use_bias=False)),
            ]
        ),
    }
    given = keras.Input((15, 3))
    networks["keras functional"] = keras.Model(
        given, layers.Activation("softmax")(layers.Dense(3)(layers.GRU(6, return_sequences=True)(given)))
    )
    for name, network in networks.items():
        network(INPUTS)  # builds it
        # What training leaves behind: nothing at its initial 0.
        network.set_weights([array + 0.1 for array in network.get_weights()])
        expected = np.asarray(network(INPUTS))
        errors[name] = float(np.abs(cortwin.from_keras(network).outputs(INPUTS) - expected).max())
        by_path = {weight.path: weight.numpy() for weight in network.weights}
        again = cortwin.from_keras(by_path, output=LINKS.get(name))
        errors[f"{name}, by path"] = float(np.abs(again.outputs(INPUTS) - expected).max())
    for name, network in {
        "keras Bidirectional": keras.Sequential([layers.Input((None, 3)), layers.Bidirectional(layers.GRU(6))]),
        "keras go_backwards": layers.GRU(6, go_backwards=True),
        "keras stateful": layers.GRU(6, stateful=True),
        "keras LayerNormalization": keras.Sequential([layers.GRU(6), layers.LayerNormalization()]),
        "keras two layers": keras.Sequential([layers.GRU(6, return_sequences=True), layers.GRU(6)]),
        "keras hard_sigmoid": layers.LSTM(6, recurrent_activation="hard_sigmoid"),
        "keras elu": layers.GRU(6, activation="elu"),
        "keras function": layers.SimpleRNN(6, activation=lambda x: x),
        "keras head of relu": keras.Sequential([layers.GRU(6), layers.Dense(2, activation="relu")]),
        "keras Dense before": keras.Sequential([layers.Dense(4), layers.GRU(6)]),
        "keras Dense alone": layers.Dense(4),
        "keras not built": layers.GRU(6),
        "keras RNN": layers.RNN(layers.LSTMCell(6)),
    }.items():
        if "not built" not in name and not getattr(network, "built", False):
            network.build((2, 15, 3))
        refused[name] = refusal(lambda network=network: cortwin.from_keras(network))


def refusal(attempt: Callable[[], Any]) -> str:
    """Return the one line with which something is refused, or nothing."""
    from cortwin.errors import CortwinError

    try:
        attempt()
    except CortwinError as error:
        return str(error)
    return ""


def main() -> None:
    """Import everything and print what became of it."""
    errors: dict[str, float] = {}
    refused: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as settings:
        os.environ.update(KERAS_BACKEND="tensorflow", KERAS_HOME=settings, CUDA_VISIBLE_DEVICES="-1")
        in_torch(errors, refused)
        in_keras(errors, refused)
    json.dump({"errors": errors, "refused": refused}, sys.stdout)


if __name__ == "__main__":
    main()
