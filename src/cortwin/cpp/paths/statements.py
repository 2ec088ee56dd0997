"""What the statements of a code object write, and whether several threads may go through them at the same time."""

from __future__ import annotations

import ast
from typing import Any

from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.variables import ArrayVariable
from brian2.input.timedarray import TimedArray

from cortwin.cpp.paths.request import Request
from cortwin.cpp.randomness import draws


def written(abstract_code: Any) -> set[str]:
    """Return the names that statements assign to.

    Parameters
    ----------
    abstract_code : Brian2's statements, lines of Python, or a dict of them
    """
    texts = abstract_code.values() if isinstance(abstract_code, dict) else [abstract_code]
    # Brian2 puts pieces of different indentation together; none of them means anything.
    flat = ["\n".join(line.strip() for line in text.splitlines()) for text in texts]
    statements = [statement for text in flat for statement in ast.parse(text).body]
    targets = [
        target
        for statement in statements
        if isinstance(statement, ast.Assign | ast.AugAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
    ]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def reentrant(request: Request, *, drawing: bool = False) -> bool:
    """Whether no function that statements call keeps a state: none draws random numbers or is a user's own.

    Parameters
    ----------
    request : what Brian2 asks for
    drawing : whether functions that draw are allowed after all
    """
    allowed = set(draws(request.variables)) if drawing else set()
    known = set(DEFAULT_FUNCTIONS.values())
    return all(
        name in allowed or (function.stateless and (function in known or isinstance(function, TimedArray)))
        for name, function in request.variables.items()
        if isinstance(function, Function)
    )


def writes_scalars(request: Request) -> bool:
    """Whether a number that all elements share is written."""
    found = [request.variables[name] for name in written(request.abstract_code) if name in request.variables]
    return any(isinstance(variable, ArrayVariable) and variable.scalar for variable in found)
