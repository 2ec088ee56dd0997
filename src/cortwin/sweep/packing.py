"""The directory of a point as bytes, for results that come back without a shared file system."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from cortwin.errors import RunFailed
from cortwin.run_directory import Destination, failure_in, open_run, publish, staging


def pack(place: Path) -> bytes:
    """Return the files of a directory, in one piece; they are compressed as far as it is worth already."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        for file in sorted(place.rglob("*")):
            archive.add(file, file.relative_to(place).as_posix(), recursive=False)
    return memory.getvalue()


def unpack(packed: bytes, place: Path) -> None:
    """Put a packed directory in its place, in one step.

    Raises
    ------
    RunFailed
        When what has come is not what was sent, or would reach out of its place.
    """
    with staging(Destination(place, chosen=True)) as folder:
        try:
            with tarfile.open(fileobj=io.BytesIO(packed), mode="r") as archive:
                strange = [member.name for member in archive if not (member.isfile() or member.isdir())]
                if strange:
                    raise RunFailed(f"the results of {place.name} hold {strange[0]}, which is no plain file")
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, OSError) as error:
            raise RunFailed(f"the results of {place.name} did not arrive whole: {error}") from error
        if failure_in(folder) is None and (damaged := open_run(folder).damaged):
            name, problem = next(iter(damaged.items()))
            raise RunFailed(f"the results of {place.name} did not arrive whole: {name} {problem}")
        publish(folder, Destination(place, chosen=True, shared=True))
