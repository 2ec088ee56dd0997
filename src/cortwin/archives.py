"""Files of arrays that somebody hands in: read without pickle, and refused in one line when they are bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from cortwin.errors import CortwinError


@contextmanager
def opened_archive(path: str | PathLike[str], source: str) -> Iterator[NpzFile]:
    """Open an ``.npz`` file, as `numpy.savez` writes it.

    Parameters
    ----------
    path : the file
    source : how error messages call it

    Raises
    ------
    CortwinError
        If it is missing, cannot be opened, or is no whole ``.npz`` file.
    """
    file = Path(path)
    if not file.is_file():
        raise CortwinError(f"{source}: " + ("is not a file" if file.exists() else "no such file"))
    try:
        stream = file.open("rb")
    except OSError as error:
        raise CortwinError(f"{source}: cannot be opened: {error.strerror}") from error
    with stream:
        # A damaged file makes zipfile, its decompressors and NumPy raise more than a dozen kinds of exceptions, hence
        # `Exception`: whatever it is, the file could not be read.
        try:
            archive = np.load(stream, allow_pickle=False)
        except Exception as error:
            # For anything that is no zip archive NumPy recommends to load pickles, which is what nobody should do.
            reason = "it is no zip archive" if "allow_pickle" in str(error) else _first_line(error)
            raise CortwinError(
                f"{source}: is not a whole .npz file ({reason}): write it again with numpy.savez"
            ) from error
        if not isinstance(archive, NpzFile):
            raise CortwinError(f"{source}: holds a single array: write all arrays into one .npz file with numpy.savez")
        with archive:
            yield archive


def read_array(archive: Mapping[str, np.ndarray], name: str, source: str) -> np.ndarray:
    """Return an array of an open file.

    Raises
    ------
    CortwinError
        If it holds Python objects, or cannot be read.
    """
    try:
        return np.asarray(archive[name])
    except Exception as error:
        if "allow_pickle" in str(error):
            raise CortwinError(
                f"{source}: {name} must be an array of numbers, it holds pickled Python objects, which are never read"
            ) from error
        raise CortwinError(f"{source}: {name} cannot be read ({_first_line(error)}): write the file again") from error


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
