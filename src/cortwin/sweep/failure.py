"""What stands in the place of a point that failed: the reason, and how to see it alone."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from cortwin.errors import CortwinError
from cortwin.run_directory import MANIFEST, Destination, failure_in, leave_failure, staging
from cortwin.sweep.points import Point


def write_failure(place: Path, error: str, point: Point, command: Sequence[str], log: Sequence[str] = ()) -> None:
    """Leave `FAILED.json` in the place of a point, unless the point is finished or has said so itself.

    Parameters
    ----------
    place : directory of the point
    error : one line
    point : what was computed
    command : the words that compute it alone
    log : last lines that the process wrote
    """
    if (place / MANIFEST).is_file() or failure_in(place) is not None:
        return
    target = Destination(place, chosen=True)
    content = {
        "error": error,
        "parameters": dict(point.given),
        "seed": point.seed,
        "command": list(command),
        "log": list(log),
    }
    # Where nothing can be written the point is missing instead, and whoever gave the order has heard of the error.
    with contextlib.suppress(CortwinError, OSError), staging(target) as folder:
        leave_failure(folder, target, content)
