"""A thing that is equal to itself alone, to keep results by it."""

from __future__ import annotations

from typing import Any


class Itself:
    """Hold a thing, equal to another holder of the very same."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)
