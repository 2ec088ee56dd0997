"""What a network is trained on."""

from __future__ import annotations

from typing import Any, NamedTuple


class Samples(NamedTuple):
    """Inputs (trial, time, input), target (trial, time, output), mask (trial, time), and lengths (trial,) if given.

    A trial is over after as many samples as its length says; what follows is padding, and its mask is 0.
    """

    inputs: Any
    target: Any
    mask: Any
    lengths: Any = None

    def of(self, trials: Any) -> Samples:
        """Return some of the trials."""
        lengths = None if self.lengths is None else self.lengths[trials]
        return Samples(self.inputs[trials], self.target[trials], self.mask[trials], lengths)
