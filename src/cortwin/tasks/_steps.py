"""Seconds to whole steps: a duration that is not a multiple of dt is refused, never rounded."""

from __future__ import annotations

from cortwin.activity import GRID_TOLERANCE
from cortwin.errors import CortwinError


def whole_steps(name: str, seconds: float, dt: float) -> int:
    """Return the number of steps of dt in a duration.

    Raises
    ------
    CortwinError
        If the duration is not a multiple of dt.
    """
    steps = round(seconds / dt)
    if abs(seconds / dt - steps) > GRID_TOLERANCE:
        raise CortwinError(
            f"{name} must be a multiple of dt = {dt:g} s, got {seconds:g} s ({seconds / dt:.6g} steps): "
            f"use {steps * dt:g} s, or another dt"
        )
    return steps
