"""The nonlinearities of units, each as a function of the textbook and as Brian2 text."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def tanh(x):
    """Return the hyperbolic tangent."""
    return jnp.tanh(x)


def logistic(x):
    """Return the logistic function, often called sigma."""
    # Differentiated as y (1 - y): the derivative of 1 / (1 + exp(-x)) is inf / inf where exp(-x) overflows.
    return jax.nn.sigmoid(x)


def relu(x):
    """Return x where it is positive, else 0."""
    return jnp.maximum(x, 0)


# name: (f of the textbook, f in the rate text)
ACTIVATIONS = {
    "tanh": (tanh, "tanh(x)"),
    "logistic": (logistic, "1/(1 + exp(-x))"),
    "relu": (relu, "clip(x, 0, inf)"),
}


def activation_of(page, name):
    """Return the function of an activation and its text.

    Raises
    ------
    ValueError
        For an unknown activation.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"{page}: activation is '{name}', expected one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
