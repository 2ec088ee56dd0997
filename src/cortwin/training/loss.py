"""What training makes small: the error of the output, and penalties on weights and rates.

Symbols: y output, z target, m mask (trial, time), r = f(x) rate of a unit, W an array of weights, alpha = dt / tau;
b, k, o, i number trials, times, outputs and units; <.> is the mean over b, k and i.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp

from cortwin.errors import CortwinError


@dataclass(frozen=True)
class Penalties:
    """Strengths of what is added to the error.

    Attributes
    ----------
    weight : times ``sum_W sum_ij W_ij^2``
    rate : times ``<r_bki^2>``
    smoothness : times ``<((r_bki - r_b(k-1)i) / alpha)^2>`` over k >= 1, the squared rate of change of r per tau
    weights : names of the arrays that the penalty on weights is about

    Raises
    ------
    CortwinError
        If a strength is negative or not finite.
    """

    weight: float = 0.0
    rate: float = 0.0
    smoothness: float = 0.0
    weights: tuple[str, ...] = ("W_rec", "W_in", "W_out")

    def __post_init__(self) -> None:
        """Check the strengths."""
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


def penalty(penalties: Penalties, parameters: Any, r: Any, alpha: float) -> jax.Array | float:
    """Return the sum of the penalties; those of strength 0 are not computed.

    Parameters
    ----------
    parameters : the textbook's arrays
    r : (trial, time, unit) array
    alpha : dt / tau
    """
    total = 0.0
    if penalties.weight:
        total += penalties.weight * sum((getattr(parameters, name) ** 2).sum() for name in penalties.weights)
    if penalties.rate:
        total += penalties.rate * (r**2).mean()
    if penalties.smoothness:
        total += penalties.smoothness * (jnp.diff(r, axis=1) ** 2).mean() / alpha**2
    return total
