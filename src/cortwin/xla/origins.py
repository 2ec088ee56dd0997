"""Where the values of a program come from in the Brian2 objects, and so where they go back to."""

from __future__ import annotations

from dataclasses import dataclass, field

from brian2.input.timedarray import TimedArray
from brian2.units.fundamentalunits import Dimension


@dataclass
class Origins:
    """Filled while a network is compiled.

    Attributes
    ----------
    dimensions : entry of the state -> physical dimensions
    timed_arrays : entry of the state -> the TimedArray with these samples
    aliases : name by which the equations call a TimedArray -> entry of the state
    users : constant around the equations -> names of the groups whose code reads it
    """

    dimensions: dict[str, Dimension] = field(default_factory=dict)
    timed_arrays: dict[str, TimedArray] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    users: dict[str, set[str]] = field(default_factory=dict)
