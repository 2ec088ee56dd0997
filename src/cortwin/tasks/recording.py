"""Recordings: trial-averaged activity and hand movement, read from a file or from arrays and checked before use.

The layout of a file is that of `numpy.savez`, without pickle:

====================  ============================  ==========================================
array                 shape                         unit
====================  ============================  ==========================================
rate                  (conditions, times, units)    Hz
time                  (times,)                      s from movement onset, evenly spaced
direction             (conditions,)                 degrees
hand_velocity         (conditions, times, 2)        arbitrary, of order one
hand_position         (conditions, times, 2)        arbitrary, of order one; may be left out
joint_angle           (conditions, times, 2)        arbitrary, of order one; may be left out
movement_end_median   (conditions,)                 s from movement onset; may be left out
====================  ============================  ==========================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cortwin.activity import activity
from cortwin.archives import opened_archive, read_array
from cortwin.errors import CortwinError

LAYOUT = {
    "rate": ("conditions", "times", "units"),
    "time": ("times",),
    "direction": ("conditions",),
    "hand_velocity": ("conditions", "times", 2),
    "hand_position": ("conditions", "times", 2),
    "joint_angle": ("conditions", "times", 2),
    "movement_end_median": ("conditions",),
}
REQUIRED = ("rate", "time", "direction", "hand_velocity")
MIN_CONDITIONS = 3  # one to hold out, and two that still differ

# A time axis stored in float32 misses its grid by about 1e-5 of a step; anything above a thousandth is another grid.
TIME_TOLERANCE = 1e-3
SAME_DIRECTION = 1e-6  # degrees


@dataclass(frozen=True, eq=False)
class Recording:
    """Recorded activity, one row per condition, and the movement that went with it.

    All arrays carry, on ``trial``, the coordinates ``condition`` (0, 1, ...) and ``direction`` (radians).

    Attributes
    ----------
    rate : (trial, time, unit) DataArray in Hz
    hand_velocity : (trial, time, output) DataArray, outputs ``vx`` and ``vy``
    hand_position : (trial, time, output) DataArray, outputs ``x`` and ``y``, or None
    joint_angle : (trial, time, output) DataArray, outputs ``shoulder`` and ``elbow``, or None
    movement_end : (trial,) DataArray in seconds from movement onset, or None
    """

    rate: xr.DataArray
    hand_velocity: xr.DataArray
    hand_position: xr.DataArray | None = None
    joint_angle: xr.DataArray | None = None
    movement_end: xr.DataArray | None = None

    @classmethod
    def from_arrays(
        cls,
        *,
        rate: ArrayLike,
        time: ArrayLike,
        direction: ArrayLike,
        hand_velocity: ArrayLike,
        hand_position: ArrayLike | None = None,
        joint_angle: ArrayLike | None = None,
        movement_end_median: ArrayLike | None = None,
        source: str = "recording",
    ) -> Recording:
        """Check arrays and label them.

        Parameters
        ----------
        rate : (conditions, times, units) array_like in Hz
        time : (times,) array_like in seconds from movement onset, evenly spaced
        direction : (conditions,) array_like in degrees
        hand_velocity, hand_position, joint_angle : (conditions, times, 2) array_like
        movement_end_median : (conditions,) array_like in seconds from movement onset
        source : how error messages call the recording

        Raises
        ------
        CortwinError
            Naming the array, the rule, and both shapes or the offending number.
        """
        given = {
            "rate": rate,
            "time": time,
            "direction": direction,
            "hand_velocity": hand_velocity,
            "hand_position": hand_position,
            "joint_angle": joint_angle,
            "movement_end_median": movement_end_median,
        }
        arrays = {name: np.asarray(array) for name, array in given.items() if array is not None}
        _check_numbers(arrays, source)
        _check_shapes(arrays, source)
        arrays = {name: array.astype(np.float64) for name, array in arrays.items()}
        dt = _check_time(arrays["time"], source)
        _check_values(arrays, source)

        coordinates = {
            "condition": ("trial", np.arange(arrays["direction"].size)),
            "direction": ("trial", np.deg2rad(arrays["direction"]), {"units": "rad"}),
        }

        def label(name: str, last: str, names: list[str] | None = None, units: str = "1") -> xr.DataArray | None:
            if name not in arrays:
                return None
            on_last = {last: names} if names else {}
            t_start = float(arrays["time"][0])
            return activity(
                arrays[name],
                dt=dt,
                t_start=t_start,
                units=units,
                last=last,
                coordinates={**coordinates, **on_last},
                name=name,
            )

        labelled_rate = label("rate", "unit", units="Hz")
        velocity = label("hand_velocity", "output", ["vx", "vy"])
        assert labelled_rate is not None
        assert velocity is not None
        labelled_rate.attrs["kind"] = "rate"
        end = arrays.get("movement_end_median")
        return cls(
            rate=labelled_rate,
            hand_velocity=velocity,
            hand_position=label("hand_position", "output", ["x", "y"]),
            joint_angle=label("joint_angle", "output", ["shoulder", "elbow"]),
            movement_end=None
            if end is None
            else xr.DataArray(end, dims="trial", coords=coordinates, attrs={"units": "s"}, name="movement_end"),
        )

    @property
    def n_directions(self) -> int:
        """Number of conditions, each a direction of reaching."""
        return self.rate.sizes["trial"]

    def __str__(self) -> str:
        """Say in one line what the recording holds."""
        time = self.rate["time"].to_numpy()
        return (
            f"{self.n_directions} directions, {time.size} times from {time[0]:g} to {time[-1]:g} s every "
            f"{self.rate.attrs['dt']:g} s, {self.rate.sizes['unit']} units, "
            f"{float(self.rate.min()):.3g}..{float(self.rate.max()):.3g} Hz"
        )


def read_recording(path: str | PathLike[str]) -> Recording:
    """Read a recording from an ``.npz`` file; its layout stands at the head of this module.

    Raises
    ------
    CortwinError
        If the file is missing or damaged, holds pickled objects, lacks an array, or holds arrays that do not fit.
    """
    source = f"recording {Path(path)}"
    with opened_archive(path, source) as archive:
        missing = [name for name in REQUIRED if name not in archive.files]
        if missing:
            raise CortwinError(
                f"{source}: lacks the array {missing[0]}; it must hold {', '.join(REQUIRED)}, "
                f"it holds {', '.join(archive.files) or 'nothing'}"
            )
        arrays = {name: read_array(archive, name, source) for name in LAYOUT if name in archive.files}
    return Recording.from_arrays(**arrays, source=source)


def _check_numbers(arrays: Mapping[str, np.ndarray], source: str) -> None:
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise CortwinError(f"{source}: {name} must hold real numbers, it holds {array.dtype}")


def _check_shapes(arrays: Mapping[str, np.ndarray], source: str) -> None:
    rate = arrays["rate"]
    if rate.ndim != 3:
        raise CortwinError(f"{source}: rate must be (conditions, times, units), got shape {rate.shape}")
    if 0 in rate.shape:
        raise CortwinError(f"{source}: rate must hold at least one condition, time and unit, got shape {rate.shape}")
    sizes = dict(zip(LAYOUT["rate"], rate.shape, strict=True))
    for name, array in arrays.items():
        expected = tuple(sizes.get(size, size) for size in LAYOUT[name])
        if array.shape != expected:
            rule = "(" + ", ".join(map(str, LAYOUT[name])) + ("," if len(expected) == 1 else "") + ")"
            raise CortwinError(
                f"{source}: {name} must be {rule} = {expected} to go with rate {rate.shape}, got shape {array.shape}"
            )
    if rate.shape[0] < MIN_CONDITIONS:
        raise CortwinError(f"{source}: rate must hold at least {MIN_CONDITIONS} conditions, got shape {rate.shape}")
    if rate.shape[1] < 2:
        raise CortwinError(f"{source}: time must hold at least 2 times, got shape {arrays['time'].shape}")


def _check_time(time: np.ndarray, source: str) -> float:
    """Return the time step of an evenly spaced axis, rounded to a nanosecond."""
    _check_finite("time", time, source)
    steps = np.diff(time)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0))
        raise CortwinError(
            f"{source}: time must increase, but time[{k}] = {time[k]:g} s and time[{k + 1}] = {time[k + 1]:g} s"
        )
    dt = round(float(time[-1] - time[0]) / (time.size - 1), 9)
    off = np.abs(time - time[0] - dt * np.arange(time.size))
    if dt <= 0 or off.max() > TIME_TOLERANCE * dt:
        raise CortwinError(
            f"{source}: time must be evenly spaced, but its steps go from {steps.min():g} to {steps.max():g} s: "
            "resample the arrays first"
        )
    return dt


def _check_values(arrays: Mapping[str, np.ndarray], source: str) -> None:
    for name, array in arrays.items():
        _check_finite(name, array, source)
    rate, direction = arrays["rate"], arrays["direction"]
    if (rate < 0).any():
        raise CortwinError(f"{source}: rate must not be negative, {_first_at(rate < 0, rate)} Hz")
    on_circle = np.abs((direction[:, None] - direction + 180) % 360 - 180)
    first, second = np.triu_indices(direction.size, k=1)
    same = on_circle[first, second] < SAME_DIRECTION
    if same.any():
        i, j = first[same][0], second[same][0]
        raise CortwinError(
            f"{source}: direction must differ between conditions, but conditions {i} and {j} both reach to "
            f"{direction[i] % 360:g} degrees"
        )


def _check_finite(name: str, array: np.ndarray, source: str) -> None:
    wrong = ~np.isfinite(array)
    if wrong.any():
        raise CortwinError(
            f"{source}: {name} must be finite, {np.count_nonzero(wrong)} values are not, {_first_at(wrong, array)}"
        )


def _first_at(where: np.ndarray, array: np.ndarray) -> str:
    index = tuple(int(k) for k in np.argwhere(where)[0])
    return f"the first at {index} is {array[index]:g}"
