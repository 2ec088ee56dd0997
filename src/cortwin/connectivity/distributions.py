"""Distributions of the numbers that are drawn for each synapse or neuron.

A number is a quantity or the name of a constant of the model, until `in_si` turns it into a plain number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import brian2

from cortwin.errors import CortwinError

LEAST_SHARE = 1e-3  # of a distribution within its bounds: numbers are drawn a thousand times on average then


@dataclass(frozen=True)
class Normal:
    """A normal distribution; what falls outside the bounds is drawn again.

    Parameters
    ----------
    mean, sd : quantity, or name of a constant
    minimum, maximum : the same, inclusive; None for no bound
    """

    mean: Any
    sd: Any
    minimum: Any = None
    maximum: Any = None

    def problem(self) -> str:
        """Return what is wrong with the plain numbers, or nothing."""
        if self.sd < 0:
            return f"the sd {self.sd:g} is negative"
        if self.share_inside() < LEAST_SHARE:
            return (
                f"less than {LEAST_SHARE:g} of the normal distribution of mean {self.mean:g} and sd {self.sd:g} lies "
                f"between {self.minimum} and {self.maximum}"
            )
        return ""

    def largest(self, deviate: float) -> float:
        """Return the largest number that may be drawn when no deviate from the mean exceeds so many sd."""
        reached = self.mean + deviate * self.sd
        return reached if self.maximum is None else min(reached, self.maximum)

    def share_inside(self) -> float:
        """Return the probability that a number of the distribution lies within its bounds."""
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if self.sd == 0 or low > high:
            return float(low <= self.mean <= high)
        z_low, z_high = ((bound - self.mean) / (self.sd * math.sqrt(2)) for bound in (low, high))
        return (math.erf(z_high) - math.erf(z_low)) / 2


@dataclass(frozen=True)
class Uniform:
    """Equally likely between two bounds, each a quantity or the name of a constant."""

    minimum: Any
    maximum: Any

    def largest(self, deviate: float) -> float:
        """Return the largest number that may be drawn."""
        del deviate
        return self.maximum

    def problem(self) -> str:
        """Return what is wrong with the plain numbers, or nothing."""
        wrong = self.minimum > self.maximum
        return f"the minimum {self.minimum:g} is larger than the maximum {self.maximum:g}" if wrong else ""


Distribution = Normal | Uniform


def in_si(distribution: Distribution, constants: Mapping[str, Any], dimensions: Any, where: str) -> Any:
    """Return a distribution as plain numbers in SI units.

    Parameters
    ----------
    distribution : of quantities or names
    constants : what the names stand for
    dimensions : Brian2 dimensions that the numbers must have
    where : what the error message names

    Raises
    ------
    CortwinError
        For a name that is no constant, another unit, a number that is not finite, or numbers that make no distribution.
    """
    numbers: dict[str, float | None] = {}
    for item in fields(distribution):
        value = getattr(distribution, item.name)
        if isinstance(value, str):
            if value not in constants:
                raise CortwinError(f"{where}: the {item.name} '{value}' is not one of the constants")
            value = constants[value]
        if value is not None and brian2.get_dimensions(value) is not dimensions:
            raise CortwinError(
                f"{where}: the {item.name} {value} has the unit {brian2.get_unit(brian2.get_dimensions(value))!r}, "
                f"expected {brian2.get_unit(dimensions)!r}"
            )
        numbers[item.name] = None if value is None else float(value)
        if value is not None and not math.isfinite(float(value)):
            raise CortwinError(f"{where}: the {item.name} {value} is not finite")
    plain = replace(distribution, **numbers)
    if problem := plain.problem():
        raise CortwinError(f"{where}: {problem}")
    return plain
