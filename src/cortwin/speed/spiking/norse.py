"""Norse's training step, as its users write it: its recurrent LIF layer, a linear layer, its leaky integrator."""

from __future__ import annotations

from collections.abc import Callable

import norse.torch as norse  # type: ignore[import-not-found]
import torch  # type: ignore[import-not-found]

from cortwin.speed.spiking.case import DT, TAU_M, TAU_S
from cortwin.speed.spiking.case import SpikingCase as Case
from cortwin.speed.spiking.snntorch import prepare_torch


class Net(torch.nn.Module):
    """Recurrent neurons, readout."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        parameters = norse.LIFParameters(
            tau_syn_inv=torch.tensor(1 / TAU_S), tau_mem_inv=torch.tensor(1 / TAU_M), alpha=torch.tensor(1.0)
        )
        self.neurons = norse.LIFRecurrent(case.inputs, case.units, p=parameters, dt=DT)
        self.weights = torch.nn.Linear(case.units, case.outputs, bias=False)
        self.readout = norse.LI(dt=DT)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run over time, (trial, time, input) -> (trial, time, output)."""
        spikes, _ = self.neurons(inputs.transpose(0, 1))
        outputs, _ = self.readout(self.weights(spikes))
        return outputs.transpose(0, 1)


def prepare(case: Case) -> Callable[[], None]:
    """Return a function that makes the case's updates."""
    return prepare_torch(Net(case), case)
