"""Whether elements of a group can be taken in any order, whose they are, and what stands in the way of a fast loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brian2.core.variables import ArrayVariable, Constant

from cortwin.cpp.paths.request import Request
from cortwin.cpp.randomness import threaded

#: why no loop of ours stands where Brian2 has one that is cut among threads
THREADED = "Brian2's OpenMP is on"


@dataclass(frozen=True)
class Shares:
    """C++ for whose elements are whose, when several threads go through a group (``cpp/lib/shares.h``).

    Parameters
    ----------
    group : its name, as all code objects and pathways know it
    size : number of elements; None where nobody knows it before the program runs
    """

    group: str
    size: int | None

    def named(self, passes: int) -> str:
        """Return an expression for the group, to which a code object adds its passes through the elements."""
        return f'cortwin::Group::named("{self.group}", {self.size}, {passes})'

    def declaration(self, code_object: str) -> str:
        """Return what stands before the functions of a code object."""
        return "" if self.size is None else f"static cortwin::Group& {code_object}_group = {self.named(1)};"

    def own(self, code_object: str, n: str) -> str:
        """Return an expression for the range of ``n`` elements that the running thread has."""
        return (
            f"cortwin::evenly({n}, cortwin::share)" if self.size is None else f"{code_object}_group.of(cortwin::share)"
        )


def shares(owner: Any) -> Shares:
    """Return whose elements of a group are whose."""
    n = getattr(owner, "variables", {}).get("N")
    return Shares(owner.name, int(n.get_value()) if isinstance(n, Constant) else None)


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
