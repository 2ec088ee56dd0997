"""Resets: one event for each neuron at most, so that they can be made side by side."""

from __future__ import annotations

from cortwin.cpp.paths.elements import independent, refusal, shares
from cortwin.cpp.paths.request import Choice, Request
from cortwin.cpp.paths.statements import reentrant, writes_scalars

REPLACES = {"reset"}


def choose(request: Request) -> Choice | str:
    """Take every request."""
    alone = independent(request)
    divisible = alone and reentrant(request) and not writes_scalars(request)
    keywords = {"independent": alone, "divisible": divisible, "shares": shares(request.owner)}
    return refusal() or Choice("resets", keywords)
