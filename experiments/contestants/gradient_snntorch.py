"""A training step of recurrent LIF neurons in snnTorch: recurrent synaptic neurons, a leaky readout."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import snntorch  # type: ignore[import-not-found]
import torch  # type: ignore[import-not-found]
from snntorch import surrogate  # type: ignore[import-not-found]


class Net(torch.nn.Module):
    """Input layer, recurrent neurons, readout."""

    def __init__(self, case: dict[str, Any]) -> None:
        super().__init__()
        alpha, beta = (math.exp(-case["dt"] / case[tau]) for tau in ("tau_s", "tau_m"))
        self.heard = torch.nn.Linear(case["inputs"], case["units"])
        self.neurons = snntorch.RSynaptic(
            alpha=alpha, beta=beta, all_to_all=True, linear_features=case["units"], spike_grad=surrogate.fast_sigmoid(1)
        )
        self.weights = torch.nn.Linear(case["units"], case["outputs"], bias=False)
        self.readout = snntorch.Leaky(beta=beta, reset_mechanism="none")

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run over time, (trial, time, input) -> (trial, time, output)."""
        spikes, current, potential = self.neurons.init_rsynaptic()
        output, outputs = self.readout.init_leaky(), []
        for shown in inputs.unbind(1):
            spikes, current, potential = self.neurons(self.heard(shown), spikes, current, potential)
            _, output = self.readout(self.weights(spikes), output)
            outputs.append(output)
        return torch.stack(outputs, 1)


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
