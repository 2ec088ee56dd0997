"""The synapses of a pathway as arrays, which any simulator can be handed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Connections:
    """Every synapse of a pathway, sorted by source.

    Parameters
    ----------
    source, target : (synapse,) int32 array, numbers of neurons within their populations
    delay : (synapse,) array or one number, in seconds, a multiple of the time step
    variables : (synapse,) array of each variable that synapses have, in SI units
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    delay: float | NDArray
    variables: Mapping[str, NDArray]

    def __len__(self) -> int:
        """Number of synapses."""
        return self.source.size
