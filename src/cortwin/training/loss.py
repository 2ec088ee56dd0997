"""What training makes small: the error of the output, and penalties on weights and rates.

Symbols: a logits, y output, z target, m mask (trial, time), r = f(x) rate of a unit, W an array of weights, alpha =
dt / tau; b, k, o, i number trials, times, outputs and units; <.> is the mean over b, k and i, without padding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from cortwin.errors import CortwinError


@dataclass(frozen=True)
class Penalties:
    """Strengths of what is added to the error.

    Attributes
    ----------
    weight : times ``sum_W sum_ij W_ij^2``
    rate : times ``<r_bki^2>``
    smoothness : times ``<((r_bki - r_b(k-1)i) / alpha)^2>`` over k >= 1, the squared rate of change of r per tau
    weights : names of the arrays that the penalty on weights is about; None for every two-dimensional array

    Raises
    ------
    CortwinError
        If a strength is negative or not finite.
    """

    weight: float = 0.0
    rate: float = 0.0
    smoothness: float = 0.0
    weights: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the strengths."""
        if self.weights is not None:
            object.__setattr__(self, "weights", tuple(self.weights))
        for field in fields(self):
            strength = getattr(self, field.name)
            if field.name != "weights" and not (math.isfinite(strength) and strength >= 0):
                raise CortwinError(f"the penalty {field.name} is {strength}, must be finite and 0 or more")


def mean_squared_error(y: Any, target: Any, mask: Any) -> jax.Array:
    """Return ``sum_bk m_bk sum_o (y_bko - z_bko)^2 / (n_outputs sum_bk m_bk)``.

    Parameters
    ----------
    y, target : (trial, time, output) arrays
    mask : (trial, time) array of weights, 0 where the output does not matter
    """
    squared = ((y - target) ** 2).sum(axis=2)
    return (mask * squared).sum() / (y.shape[2] * mask.sum())


def binary_cross_entropy(a: Any, target: Any, mask: Any) -> jax.Array:
    """Return the cross-entropy of yes and no, for ``y = logistic(a)``, each output by itself.

    ``-sum_bk m_bk sum_o (z_bko log y_bko + (1 - z_bko) log(1 - y_bko)) / (n_outputs sum_bk m_bk)``, computed from the
    logits: no logarithm of a rounded 0 is taken.

    Parameters
    ----------
    a, target : (trial, time, output) arrays; the target is 0, 1 or a probability
    mask : (trial, time) array of weights
    """
    entropy = optax.sigmoid_binary_cross_entropy(a, target).sum(axis=2)
    return (mask * entropy).sum() / (a.shape[2] * mask.sum())


def categorical_cross_entropy(a: Any, target: Any, mask: Any) -> jax.Array:
    """Return the cross-entropy of classes, ``-sum_bk m_bk sum_o z_bko log y_bko / sum_bk m_bk`` for ``y = softmax(a)``.

    Parameters
    ----------
    a, target : (trial, time, output) arrays; the target is 1 for the class and 0 elsewhere, or a probability of each
    mask : (trial, time) array of weights
    """
    return (mask * optax.softmax_cross_entropy(a, target)).sum() / mask.sum()


class Loss(NamedTuple):
    """A function of (output, target, mask); with a link, of the logits before that link."""

    function: Callable[[Any, Any, Any], jax.Array]
    link: str | None = None


LOSSES: Mapping[str, Loss] = {
    "mean_squared_error": Loss(mean_squared_error),
    "binary_cross_entropy": Loss(binary_cross_entropy, "logistic"),
    "categorical_cross_entropy": Loss(categorical_cross_entropy, "softmax"),
}


def penalty(penalties: Penalties, parameters: Any, r: Any, alpha: float, lengths: Any = None) -> jax.Array | float:
    """Return the sum of the penalties; those of strength 0 are not computed.

    Parameters
    ----------
    parameters : the textbook's arrays
    r : (trial, time, unit) array
    alpha : dt / tau
    lengths : (trial,) array, how many samples of each trial are no padding; None for all
    """
    total = 0.0
    if penalties.weight:
        total += penalties.weight * sum((array**2).sum() for array in _weights(penalties, parameters))
    if penalties.rate:
        total += penalties.rate * _mean(r**2, lengths)
    if penalties.smoothness:
        jumps = jnp.diff(r, axis=1) ** 2
        total += penalties.smoothness * _mean(jumps, None if lengths is None else lengths - 1) / alpha**2
    return total


def _weights(penalties: Penalties, parameters: Any) -> list[Any]:
    if penalties.weights is None:
        return [array for array in parameters if jnp.ndim(array) == 2]
    return [getattr(parameters, name) for name in penalties.weights]


def _mean(values: jax.Array, lengths: Any) -> jax.Array:
    """Return the mean of (trial, time, unit) values, without those after the end of a trial."""
    if lengths is None:
        return values.mean()
    inside = jnp.arange(values.shape[1]) < lengths[:, None]
    return (inside[..., None] * values).sum() / (values.shape[2] * jnp.maximum(inside.sum(), 1))
