"""What a network is trained on."""

from __future__ import annotations

from typing import Any, NamedTuple


class Samples(NamedTuple):
    """Inputs (trial, time, input), target (trial, time, output) and mask (trial, time)."""

    inputs: Any
    target: Any
    mask: Any

    def of(self, trials: Any) -> Samples:
        """Return some of the trials."""
        return Samples(self.inputs[trials], self.target[trials], self.mask[trials])
