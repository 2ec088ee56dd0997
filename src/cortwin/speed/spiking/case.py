"""What is trained, or run forward, against the clock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class SpikingCase(NamedTuple):
    """A recurrent network of spiking neurons, float32.

    Attributes
    ----------
    units, steps, batch, inputs, outputs : sizes
    updates : that one measurement makes
    gradient : whether an update is a training step; else it is the forward run alone
    """

    units: int
    steps: int
    batch: int
    inputs: int
    outputs: int
    updates: int
    gradient: bool = True

    def data(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw inputs (trial, time, input) and targets (trial, time, output), the same for everybody."""
        generator = np.random.default_rng(1)
        shapes = ((self.batch, self.steps, self.inputs), (self.batch, self.steps, self.outputs))
        inputs, targets = (generator.random(shape, dtype=np.float32) for shape in shapes)
        return inputs, targets


DT, TAU_M, TAU_S = 1e-3, 20e-3, 10e-3
