"""Thresholds: the condition of a block of neurons without a branch, then its spikes."""

from __future__ import annotations

from cortwin.cpp.paths.draws import BLOCK, DrawFirst
from cortwin.cpp.paths.elements import independent, refusal, shares
from cortwin.cpp.paths.request import Choice, Request
from cortwin.cpp.paths.statements import reentrant, writes_scalars

REPLACES = {"threshold"}


def choose(request: Request) -> Choice | str:
    """Take every request."""
    taken_out = DrawFirst(request.variables, request.device.code_object_class())
    divisible = independent(request) and reentrant(request, drawing=True) and not writes_scalars(request)
    keywords = {
        "draw_first": taken_out,
        "block": BLOCK,
        "divisible": divisible,
        "shares": shares(request.owner),
    }
    return refusal() or Choice("crossings", keywords)
