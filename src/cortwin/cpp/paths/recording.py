"""Monitors: what a step adds to a record is written in one piece."""

from __future__ import annotations

from cortwin.cpp.paths.elements import refusal
from cortwin.cpp.paths.request import Choice, Request

TEMPLATES = {"spikemonitor": "spike_record", "statemonitor": "state_record", "ratemonitor": "rate_record"}
REPLACES = set(TEMPLATES)


def choose(request: Request) -> Choice | str:
    """Take every request."""
    return refusal() or Choice(TEMPLATES[request.template])
