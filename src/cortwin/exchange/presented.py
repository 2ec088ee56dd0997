"""Presented: what a network from elsewhere is shown, read from a file or drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from cortwin.archives import opened_archive, read_array
from cortwin.errors import CortwinError
from cortwin.exchange.arrays import number, numbers, require_shape

SMOOTHNESS = 2.0  # steps, s.d. of the Gaussian that noise is smoothed with
ENTRIES = ("input", "target", "mask", "dt")


@dataclass(frozen=True, eq=False)
class Presented:
    """Trials of a network, sample k of the target after input k.

    Attributes
    ----------
    inputs : (trial, time, input) ndarray
    target : (trial, time, output) ndarray, or None
    mask : (trial, time) ndarray of weights of the error
    dt : seconds between samples, or None
    """

    inputs: NDArray[np.float64]
    target: NDArray[np.float64] | None
    mask: NDArray[np.float64]
    dt: float | None = None


def read_presented(file: Path | str, inputs: int, outputs: int) -> Presented:
    """Read trials from an ``.npy`` file of inputs, or an ``.npz`` file of ``input`` and, if wanted, more.

    Parameters
    ----------
    file : ``input`` (trial, time, input); ``target`` (trial, time, output), ``mask`` (trial, time) and ``dt`` in s may
        be left out
    inputs, outputs : of the network

    Raises
    ------
    CortwinError
        Naming the file, the array, the rule and both shapes, or the first number that does not fit.
    """
    source, path = f"input {Path(file)}", Path(file)
    if path.suffix == ".npy":
        arrays: dict[str, Any] = {"input": _read_alone(path, source)}
    else:
        with opened_archive(path, source) as archive:
            arrays = {name: read_array(archive, name, source) for name in archive.files}
    for name in arrays:
        if name not in ENTRIES:
            raise CortwinError(f"{source}: there is an array {name}; {', '.join(ENTRIES)} are read")
    if "input" not in arrays:
        raise CortwinError(f"{source}: there is no array input, only {', '.join(arrays) or 'nothing'}")
    dt = number("dt", arrays.pop("dt"), source) if "dt" in arrays else None
    found = {name: numbers(name, array, source) for name, array in arrays.items()}
    u = found["input"]
    if u.ndim != 3 or u.shape[2] != inputs or 0 in u.shape:
        raise CortwinError(f"{source}: input has the shape {u.shape}, expected (trial, time, {inputs}), none of them 0")
    grid = u.shape[:2]
    if "target" in found:
        require_shape("target", found["target"], (*grid, outputs), "trial, time, output", source)
    mask = found.get("mask", np.ones(grid))
    require_shape("mask", mask, grid, "trial, time", source)
    if (mask < 0).any() or not mask.any(axis=1).all():
        raise CortwinError(f"{source}: mask must be 0 or more everywhere, and above 0 at some time of every trial")
    return Presented(u, found.get("target"), mask, dt)


def smooth_noise(generator: Generator, trials: int, steps: int, inputs: int) -> Presented:
    """Draw Gaussian noise of standard deviation 1, smooth over `SMOOTHNESS` steps."""
    drawn = gaussian_filter1d(generator.standard_normal((trials, steps, inputs)), SMOOTHNESS, axis=1, mode="wrap")
    return Presented(drawn / drawn.std(), None, np.ones((trials, steps)))


def _read_alone(path: Path, source: str) -> Any:
    if not path.is_file():
        raise CortwinError(f"{source}: " + ("is not a file" if path.exists() else "no such file"))
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise CortwinError(f"{source}: is not a whole .npy file of numbers: write it again with numpy.save") from error
