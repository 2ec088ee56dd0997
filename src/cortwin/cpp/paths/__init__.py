"""Fast paths: which templates of ours stand for which of Brian2's, and when they may.

A path is a module with

    REPLACES : set of names of Brian2's templates
    choose(request) -> Choice | str

that answers a `Request` with its template, or with the reason why the request cannot be expressed by it: one clause,
that `cortwin explain` prints. The first path that takes a request makes its code object.
"""

from cortwin.cpp.paths import dense, recording, reset, sparse, state, threshold
from cortwin.cpp.paths.request import Choice as Choice
from cortwin.cpp.paths.request import Request as Request

PATHS: tuple = (dense, sparse, state, threshold, reset, recording)


def choose(request: Request) -> tuple[Choice | None, str]:
    """Return the choice of the first path that takes a request, or None and the reasons of those that do not."""
    reasons = []
    for path in PATHS:
        if request.template not in path.REPLACES:
            continue
        answer = path.choose(request)
        if isinstance(answer, Choice):
            return answer, ""
        reasons.append(answer)
    return None, "; ".join(reasons)
