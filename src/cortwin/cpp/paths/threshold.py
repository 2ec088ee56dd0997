"""Thresholds: the condition of a block of neurons without a branch, then its spikes."""

from __future__ import annotations

from cortwin.cpp.paths.draws import BLOCK, draw_first
from cortwin.cpp.paths.elements import refusal
from cortwin.cpp.paths.request import Choice, Request

REPLACES = {"threshold"}


def choose(request: Request) -> Choice | str:
    """Take every request."""
    taken_out = draw_first(request.variables, request.device.code_object_class())
    return refusal() or Choice("crossings", {"draw_first": taken_out, "block": BLOCK})
