"""State updates, `run_regularly` and drive: a loop over the elements that the compiler vectorises."""

from __future__ import annotations

from cortwin.cpp.paths.draws import BLOCK, DrawFirst
from cortwin.cpp.paths.elements import independent, refusal, shares
from cortwin.cpp.paths.refractoriness import compare_first
from cortwin.cpp.paths.request import Choice, Request
from cortwin.cpp.paths.statements import reentrant, writes_scalars

REPLACES = {"stateupdate"}


def choose(request: Request) -> Choice | str:
    """Take every request; draws come before the loop."""
    taken_out = DrawFirst(request.variables, request.device.code_object_class())
    alone = independent(request)
    keywords = {
        "draw_first": taken_out,
        "compare_first": compare_first,
        "block": BLOCK,
        "independent": alone,
        "shares": shares(request.owner),
        # Unless it draws what is not taken out.
        "divisible": alone and reentrant(request, drawing=True) and not writes_scalars(request),
    }
    return refusal() or Choice("state_update", keywords)
