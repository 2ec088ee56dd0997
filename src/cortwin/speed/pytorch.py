"""PyTorch's updates, as its users write them: its own recurrent layer, a linear layer, Adam."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch  # type: ignore[import-not-found]

from cortwin.speed.case import Case

LAYERS = {"elman": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


def prepare(given: dict[str, Any]) -> Callable[[], None]:
    """Return a function that makes the case's updates."""
    case = Case(**given)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(2)
    layer = LAYERS[case.cell](case.inputs, case.units, batch_first=True)
    readout = torch.nn.Linear(case.units, 1)
    optimizer = torch.optim.Adam([*layer.parameters(), *readout.parameters()], lr=1e-3)
    error = torch.nn.MSELoss()
    inputs, targets = (torch.from_numpy(array) for array in case.data())

    def update() -> None:
        for number in range(case.updates):
            batch = slice(number * case.batch % case.trials, None)
            shown, wanted = inputs[batch][: case.batch], targets[batch][: case.batch]
            optimizer.zero_grad()
            states, _ = layer(shown)
            if case.last:
                states, wanted = states[:, -1], wanted[:, -1]
            error(readout(states), wanted).backward()
            optimizer.step()

    return update
