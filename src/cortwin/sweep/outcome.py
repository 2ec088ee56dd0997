"""What became of a point, and who wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cortwin.sweep.points import Point

# A point whose worker dies again and again would otherwise be tried for ever.
ATTEMPTS = 3


@dataclass(frozen=True)
class Outcome:
    """The end of one point.

    Parameters
    ----------
    point : which
    error : one line, empty when it is finished
    seconds : that its worker spent on it
    waited : seconds that the worker had waited for it after its last point, None if there was no last one
    """

    point: Point
    error: str
    seconds: float
    waited: float | None = None


class Watcher(Protocol):
    """Follows a sweep, for instance to show it."""

    def ready(self, workers: int) -> None:
        """So many workers wait for orders, or are at work."""
        ...

    def started(self, point: Point, worker: str) -> None:
        """A worker has begun a point."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """A point is finished, or has failed."""
        ...

    def note(self, text: str) -> None:
        """Something happened that is mended, for instance a worker that was killed."""
        ...

    def tick(self) -> None:
        """Nothing happened for a moment."""
        ...


def died_too_often(how: str) -> str:
    """Return the error of a point that killed its workers."""
    return f"its worker {how} {ATTEMPTS} times, mostly for lack of memory: use smaller sizes or fewer --jobs"
