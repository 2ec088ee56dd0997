"""What is trained against the clock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Case(NamedTuple):
    """A network and its training by Adam on the squared error, in float32.

    Attributes
    ----------
    cell : ``"elman"``, ``"gru"`` or ``"lstm"``
    units, steps, batch, inputs : sizes; there is one output
    updates : that one measurement makes
    trials : that there are; as many as a mini-batch for the same trials in every update
    last : whether the output counts at the last step alone; else at every step
    """

    cell: str
    units: int
    steps: int
    batch: int
    inputs: int
    updates: int
    trials: int
    last: bool = False

    def data(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw inputs (trial, time, input) and targets (trial, time, 1), the same for everybody."""
        generator = np.random.default_rng(1)
        shapes = ((self.trials, self.steps, self.inputs), (self.trials, self.steps, 1))
        inputs, targets = (generator.random(shape, dtype=np.float32) for shape in shapes)
        return inputs, targets
