"""snnTorch's training step, as its users write it: a recurrent synaptic layer, a leaky readout, a loop over time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import snntorch  # type: ignore[import-not-found]
import torch  # type: ignore[import-not-found]
from snntorch import surrogate  # type: ignore[import-not-found]

from cortwin.speed.spiking.case import DT, TAU_M, TAU_S
from cortwin.speed.spiking.case import SpikingCase as Case


class Net(torch.nn.Module):
    """Input layer, recurrent neurons, readout."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        alpha, beta = math.exp(-DT / TAU_S), math.exp(-DT / TAU_M)
        self.heard = torch.nn.Linear(case.inputs, case.units)
        self.neurons = snntorch.RSynaptic(
            alpha=alpha, beta=beta, all_to_all=True, linear_features=case.units, spike_grad=surrogate.fast_sigmoid(1)
        )
        self.weights = torch.nn.Linear(case.units, case.outputs, bias=False)
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


def prepare(case: Case) -> Callable[[], None]:
    """Return a function that makes the case's updates."""
    return prepare_torch(Net(case), case)


def prepare_torch(net: torch.nn.Module, case: Case) -> Callable[[], None]:
    """Return the updates of a PyTorch module, (trial, time, input) -> (trial, time, output)."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    inputs, targets = (torch.from_numpy(array) for array in case.data())

    def update() -> None:
        for _ in range(case.updates):
            if not case.gradient:
                with torch.no_grad():
                    net(inputs)
                continue
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(inputs), targets).backward()
            optimizer.step()

    return update
