"""A training step of recurrent LIF neurons in Norse: its recurrent LIF layer, a linear layer, its leaky integrator."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import norse.torch as norse  # type: ignore[import-not-found]
import numpy as np
import torch  # type: ignore[import-not-found]


class Net(torch.nn.Module):
    """Recurrent neurons, readout."""

    def __init__(self, case: dict[str, Any]) -> None:
        super().__init__()
        parameters = norse.LIFParameters(
            tau_syn_inv=torch.tensor(1 / case["tau_s"]),
            tau_mem_inv=torch.tensor(1 / case["tau_m"]),
            alpha=torch.tensor(1.0),
        )
        self.neurons = norse.LIFRecurrent(case["inputs"], case["units"], p=parameters, dt=case["dt"])
        self.weights = torch.nn.Linear(case["units"], case["outputs"], bias=False)
        self.readout = norse.LI(dt=case["dt"])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run over time, (trial, time, input) -> (trial, time, output)."""
        spikes, _ = self.neurons(inputs.transpose(0, 1))
        outputs, _ = self.readout(self.weights(spikes))
        return outputs.transpose(0, 1)


def prepare(case: dict[str, Any]) -> Callable[[], None]:
    """Make the network; each call makes the case's updates, or as many forward runs."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(2)
    net = Net(case)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    generator = np.random.default_rng(1)
    shapes = ((case["batch"], case["steps"], case[name]) for name in ("inputs", "outputs"))
    inputs, targets = (torch.from_numpy(generator.random(shape, dtype=np.float32)) for shape in shapes)

    def update() -> None:
        for _ in range(case["updates"]):
            with torch.set_grad_enabled(case["gradient"]):
                loss = torch.nn.functional.mse_loss(net(inputs), targets)
            if case["gradient"]:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    return update
