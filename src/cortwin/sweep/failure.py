"""What stands in the place of a point that failed: the reason, and how to see it alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from cortwin import result_files
from cortwin.run_directory import MANIFEST, Destination, staging
from cortwin.sweep.folder import FAILURE
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
    if (place / MANIFEST).is_file() or (place / FAILURE).is_file():
        return
    with staging(Destination(place, chosen=True)) as folder:
        content = {
            "error": error,
            "parameters": dict(point.given),
            "seed": point.seed,
            "command": list(command),
            "log": list(log),
        }
        result_files.write_json(folder / FAILURE, content)
        shutil.rmtree(place, ignore_errors=True)
        folder.chmod(0o755)
        folder.rename(place)
