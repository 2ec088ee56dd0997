"""The state of a training run on disk: one file, replaced as a whole or not at all."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cortwin.errors import CortwinError

_FINGERPRINT = "fingerprint"


def write_checkpoint(file: Path, fingerprint: str, arrays: Mapping[str, NDArray]) -> None:
    """Write the arrays beside the file, then rename: whenever the process ends, one whole checkpoint is there.

    Parameters
    ----------
    file : path that ends in .npz
    fingerprint : hash of everything that the run depends on
    arrays : the state by name

    Raises
    ------
    CortwinError
        If the file cannot be written.
    """
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        try:
            with aside.open("wb") as stream:
                np.savez(stream, **{**arrays, _FINGERPRINT: np.array(fingerprint)})
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(file)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise CortwinError(f"the checkpoint {file} cannot be written: {error.strerror or error}") from error


def read_checkpoint(file: Path, fingerprint: str) -> dict[str, NDArray] | None:
    """Return the arrays of a checkpoint, or None where there is no file.

    Raises
    ------
    CortwinError
        If the file is damaged, or of a training with other options, data, seed or initial parameters.
    """
    if not file.exists():
        return None
    try:
        # NumPy itself leaves the file open when it is no archive.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        found = str(arrays.pop(_FINGERPRINT))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CortwinError(f"{file} is no checkpoint that can be read ({error}): delete it to train anew") from error
    if found != fingerprint:
        raise CortwinError(
            f"the checkpoint {file} is of a training with another model, other options, data, seed or initial "
            "parameters: restore them, or delete it to train anew"
        )
    return arrays
