"""Trials divided among devices of the processor.

A step over time keeps one core busy: its products of a few dozen rows are too small to be divided, and one step waits
for the one before. Trials wait for nobody. Where JAX makes several devices of a processor, for instance two with
``JAX_NUM_CPU_DEVICES=2`` in the environment, each takes its share of the trials through all times, forwards and back;
what they found of the gradient is added once.

Sums over trials are then taken in another order: the weights of a training agree to rounding, not to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

# Multiplications of a forward pass below which a share is not worth the meeting at its end. Measured for updates over
# 100 steps of 32 trials, two devices over one: 1.0 times as fast with 1e7 (Elman, 50 units), 1.2 with 3e7 (GRU, 50),
# 1.6 with 1.4e8 (LSTM, 100).
LEAST_WORK = 2**24
TRIAL = "trial"
ALL, BY_TRIAL, BY_TIME_AND_TRIAL = PartitionSpec(), PartitionSpec(TRIAL), PartitionSpec(None, TRIAL)


def divided(scan: Callable[..., Any], trials: int, work: int) -> Callable[..., Any]:
    """Return a scan of which every device takes a share, or the scan itself where shares would be uneven or small.

    Parameters
    ----------
    scan : ``scan(weights, heard, added, hoisted, others, start)`` -> states, as in `cortwin.training.through_time`; of
        weights and others there is one for all trials, the start is by trial, the rest and the states by time and trial
    trials : how many there are
    work : multiplications of the scan
    """
    devices = jax.local_devices()
    shares = len(devices)
    if shares == 1 or devices[0].platform != "cpu" or trials % shares or work < LEAST_WORK:
        return scan
    return jax.shard_map(
        scan,
        mesh=Mesh(np.array(devices), (TRIAL,)),
        in_specs=(ALL, BY_TIME_AND_TRIAL, BY_TIME_AND_TRIAL, BY_TIME_AND_TRIAL, ALL, BY_TRIAL),
        out_specs=BY_TIME_AND_TRIAL,
        check_vma=False,  # of a reverse pass of our own JAX cannot know what is the same on all devices
    )
