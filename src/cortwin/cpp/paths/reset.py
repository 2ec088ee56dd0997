"""Resets: one event for each neuron at most, so that they can be made side by side."""

from __future__ import annotations

from cortwin.cpp.paths.elements import independent, refusal
from cortwin.cpp.paths.request import Choice, Request

REPLACES = {"reset"}


def choose(request: Request) -> Choice | str:
    """Take every request."""
    return refusal() or Choice("resets", {"independent": independent(request)})
