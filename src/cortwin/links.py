"""What stands behind a linear readout: functions from its logits a to the network's output y."""

from __future__ import annotations

import jax


def linear(a):
    """Return the logits themselves: for targets of any size."""
    return a


def logistic(a):
    """Return ``y_o = 1 / (1 + exp(-a_o))``: each output is the probability of a yes."""
    return jax.nn.sigmoid(a)


def softmax(a):
    """Return ``y_o = exp(a_o) / sum_q exp(a_q)``: the outputs are the probabilities of classes."""
    return jax.nn.softmax(a, axis=-1)


LINKS = {"linear": linear, "logistic": logistic, "softmax": softmax}
