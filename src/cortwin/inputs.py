"""Inputs of a network: what every writing asks of them before it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from cortwin.errors import CortwinError


def check_inputs(inputs: Any) -> None:
    """Refuse inputs that no writing can be shown.

    Parameters
    ----------
    inputs : (trial, time, input) DataArray with ``attrs["dt"]`` in seconds

    Raises
    ------
    CortwinError
        Naming the rule, and the place of the first number that is not finite.
    """
    if not isinstance(inputs, xr.DataArray) or inputs.dims[:2] != ("trial", "time") or inputs.ndim != 3:
        found = f"dimensions ({', '.join(map(str, inputs.dims))})" if isinstance(inputs, xr.DataArray) else type(inputs)
        raise CortwinError(
            f"inputs must be a (trial, time, input) DataArray, got {getattr(found, '__name__', found)}: "
            "label them with cortwin.activity.activity(values, dt=..., last='input')"
        )
    if "dt" not in inputs.attrs or "time" not in inputs.coords:
        raise CortwinError(
            "inputs have no dt or no times: label them with cortwin.activity.activity(values, dt=..., last='input')"
        )
    values = inputs.to_numpy()
    if not np.isfinite(values).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(values))[0])
        raise CortwinError(f"inputs[{', '.join(map(str, where))}] is {values[where]}: inputs must be finite")
