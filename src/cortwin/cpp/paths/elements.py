"""Whether the elements of a group can be taken in any order, and what stands in the way of a fast loop over them."""

from __future__ import annotations

from brian2.core.variables import ArrayVariable

from cortwin.cpp.paths.request import Request
from cortwin.cpp.randomness import threaded

#: why no loop of ours stands where Brian2 has one that is cut among threads
THREADED = "Brian2's OpenMP is on"


def independent(request: Request) -> bool:
    """Whether each element reads and writes its own place of every array, and nothing but scalars besides."""
    return all(
        request.indices[name] in ("_idx", "0")
        for name, variable in request.variables.items()
        if isinstance(variable, ArrayVariable) and not variable.scalar
    )


def refusal() -> str | None:
    """Return the reason why no loop of ours may be used at all, None where it may."""
    return THREADED if threaded() else None
