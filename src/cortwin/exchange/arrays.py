"""Arrays as they are handed in, tensors among them: read as float64, and refused in one line when they are bad."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortwin.errors import CortwinError


def numbers(name: str, value: Any, source: str) -> NDArray[np.float64]:
    """Return an array, or a tensor of PyTorch or TensorFlow, as float64.

    Raises
    ------
    CortwinError
        If it holds anything but real, finite numbers.
    """
    if callable(getattr(value, "detach", None)):
        value = value.detach().cpu()  # NumPy does not read a tensor that takes part in a gradient
        value = value.double() if value.is_floating_point() else value  # nor bfloat16
    if callable(getattr(value, "numpy", None)):
        value = value.numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise CortwinError(f"{source}: {name} is no array of numbers: {error}") from error
    if array.dtype.kind not in "fiu":
        raise CortwinError(f"{source}: {name} must hold real numbers, it holds {array.dtype}")
    wrong = ~np.isfinite(array)
    if wrong.any():
        place = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise CortwinError(
            f"{source}: {name} must be finite, {np.count_nonzero(wrong)} values are not, the first at {place} is "
            f"{array[place]}"
        )
    return array.astype(np.float64)


def require_shape(name: str, array: NDArray[Any], expected: tuple[int, ...], meaning: str, source: str) -> None:
    """Refuse an array of another shape.

    Parameters
    ----------
    meaning : of the expected shape in words, for instance ``"3 gates x units, units"``

    Raises
    ------
    CortwinError
        Naming the array, the rule and both shapes.
    """
    if array.shape != expected:
        raise CortwinError(f"{source}: {name} has the shape {array.shape}, expected {expected} = ({meaning})")


def words(name: str, value: Any, source: str) -> str:
    """Return a setting that is text, for instance from a file.

    Raises
    ------
    CortwinError
        If it is anything else.
    """
    array = np.asarray(value)
    if array.shape != () or array.dtype.kind != "U":
        raise CortwinError(f"{source}: {name} must be a text, got an array of {array.dtype} with shape {array.shape}")
    return str(array)


def number(name: str, value: Any, source: str) -> float:
    """Return a setting that is a number above 0.

    Raises
    ------
    CortwinError
        If it is anything else.
    """
    array = numbers(name, value, source)
    if array.size != 1 or not array.item() > 0:
        raise CortwinError(f"{source}: {name} must be one number above 0, got {value}")
    return array.item()
