"""What training refuses before it begins: parameters, names and data that do not fit one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from cortwin.errors import CortwinError
from cortwin.model import Model
from cortwin.training.samples import Samples


def trained_names(model: Model) -> tuple[str, ...]:
    """Return the names of the arrays that training changes."""
    return model.trained._fields  # type: ignore[attr-defined]


def check_alpha(alpha: float) -> None:
    """Refuse an alpha that is not in (0, 1]."""
    if not 0 < alpha <= 1:
        raise CortwinError(f"alpha = dt / tau is {alpha}, must be positive and at most 1")


def check_parameters(model: Model, parameters: Any, **sizes: int) -> None:
    """Refuse parameters that are no textbook network of the model, or do not fit one another or the data.

    Parameters
    ----------
    sizes : ``inputs`` and ``outputs`` of the data, where there are any

    Raises
    ------
    CortwinError
        Naming the array, the rule and both shapes.
    """
    names = trained_names(model)
    for name in names:
        if not hasattr(parameters, name):
            raise CortwinError(f"{model.name}: the parameters have no array {name}; they need {', '.join(names)}")
    own = model.sizes({name: getattr(parameters, name) for name in names})
    model.check_parameters(parameters, {**own, **sizes})


def check_names(model: Model, option: str, names: tuple[str, ...]) -> None:
    """Refuse an option that names an array which the model does not train."""
    for name in names:
        if name not in trained_names(model):
            there = ", ".join(trained_names(model))
            raise CortwinError(f"the option {option} names '{name}'; the trained arrays of {model.name} are {there}")


def checked_samples(inputs: Any, target: Any, mask: Any, dtype: str, lengths: Any = None) -> Samples:
    """Return what a network is trained on; what follows the end of a trial is set to 0.

    Raises
    ------
    CortwinError
        If shapes do not fit, a number is not finite, or the mask is negative or leaves a trial without error.
    """
    arrays = {"inputs": np.asarray(inputs), "target": np.asarray(target)}
    for name, last in {"inputs": "input", "target": "output"}.items():
        if arrays[name].ndim != 3 or 0 in arrays[name].shape:
            shape = arrays[name].shape
            raise CortwinError(f"the shape of {name} is {shape}, expected (trial, time, {last}) with none of them 0")
    grid, of_target = arrays["inputs"].shape[:2], arrays["target"].shape[:2]
    if grid != of_target:
        raise CortwinError(f"inputs have {grid} = (trials, times), the target has {of_target}: they must be the same")
    arrays["mask"] = np.ones(grid) if mask is None else np.asarray(mask)
    if arrays["mask"].shape != grid:
        raise CortwinError(f"the shape of the mask is {arrays['mask'].shape}, expected {grid} = (trial, time)")
    if lengths is not None:
        lengths = _checked_lengths(lengths, *grid)
        inside = np.arange(grid[1]) < lengths[:, None]
        arrays = {
            name: np.where(inside.reshape(*grid, *[1] * (array.ndim - 2)), array, 0) for name, array in arrays.items()
        }
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
            raise CortwinError(f"{name}[{', '.join(map(str, where))}] is {array[where]}: training needs finite numbers")
    if (arrays["mask"] < 0).any():
        raise CortwinError(f"the mask goes down to {arrays['mask'].min()}: it must be 0 or more everywhere")
    empty = np.flatnonzero(~arrays["mask"].any(axis=1))
    if empty.size:
        raise CortwinError(f"the mask is 0 at all times of trial {empty[0]}: leave such trials out")
    inputs, target, mask = (array.astype(dtype) for array in arrays.values())
    return Samples(inputs, target, mask, lengths)


def _checked_lengths(lengths: Any, trials: int, times: int) -> np.ndarray:
    found = np.asarray(lengths)
    if found.shape != (trials,):
        raise CortwinError(f"the shape of lengths is {found.shape}, expected ({trials},) = (trial,)")
    wrong = np.flatnonzero(~((found >= 1) & (found <= times) & (found == np.round(found))))
    if wrong.size:
        raise CortwinError(
            f"lengths[{wrong[0]}] is {found[wrong[0]]}, must be a whole number of samples from 1 to {times}"
        )
    return found.astype(np.int32)
