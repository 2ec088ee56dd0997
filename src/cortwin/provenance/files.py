"""Two runs, file by file: equal bytes, or the first value that differs and the largest difference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from cortwin import result_files
from cortwin.errors import CortwinError
from cortwin.run_directory import MANIFEST, REPORT, TIMINGS, FinishedRun

# Files that can never be equal, and why.
CLOCKED: Mapping[str, str] = MappingProxyType(
    {
        MANIFEST: "command, dates and machine of its own run",
        TIMINGS: "wall times",
        REPORT: "quotes dates and wall times",
    }
)


@dataclass(frozen=True)
class FileComparison:
    """One file of two runs.

    Parameters
    ----------
    name : relative to the runs
    same : whether the bytes are equal
    words : what differs, empty if nothing does
    largest : largest absolute difference between numbers at the same place; None where no numbers were compared
    largest_at : its place, for instance ``"ladder.R5/x[0, 3, 17]"``
    first_at : first place that differs, in the order of the file
    """

    name: str
    same: bool
    words: str = ""
    largest: float | None = None
    largest_at: str = ""
    first_at: str = ""


def compare_files(first: FinishedRun, second: FinishedRun) -> list[FileComparison]:
    """Compare every file that either run wrote, but those that tell the time (`CLOCKED`).

    What a run wrote is known by the hash in its manifest: a file that was damaged since is compared by it, though the
    place of a difference can then not be told.

    Returns
    -------
    list of FileComparison
        In the order of the names.
    """
    names = set(first.manifest["files"]) | set(second.manifest["files"])
    return [_compare(first, second, name) for name in sorted(names - set(CLOCKED))]


def _compare(first: FinishedRun, second: FinishedRun, name: str) -> FileComparison:
    stated = [run.manifest["files"].get(name) for run in (first, second)]
    for one, run in zip(stated, (second, first), strict=True):
        if one is None:
            return FileComparison(name, False, f"only in {run.path}")
    if stated[0]["sha256"] == stated[1]["sha256"]:
        return FileComparison(name, True)
    for run in (first, second):
        if name in run.damaged:
            return FileComparison(name, False, f"other bytes; {run.path / name} {run.damaged[name]}")
    one, other = first.path / name, second.path / name
    try:
        contents = _content(one), _content(other)
    except CortwinError as error:
        return FileComparison(name, False, str(error))
    if contents[0] is None or contents[1] is None:
        return FileComparison(name, False, _first_byte(one, other))
    return _compare_content(name, contents[0], contents[1])


def _content(file: Path) -> dict[str, Any] | None:
    """Return place -> array, or place -> single value, of a file of data; None for a figure."""
    if file.suffix == ".json":
        return dict(_leaves(result_files.read_json(file)))
    if file.name == result_files.WEIGHTS:
        return result_files.read_weights(file.parent)
    readers = {result_files.ACTIVITY: result_files.read_activity, result_files.SPIKES: result_files.read_spikes}
    if file.name not in readers:
        return None
    content: dict[str, Any] = {}
    for group, data in readers[file.name](file.parent).items():
        variables = data.variables if isinstance(data, xr.Dataset) else {str(data.name): data, **data.coords}
        for name, values in variables.items():
            content[f"{group}/{name}"] = np.asarray(values)
            content |= {f"{group}/{name}:{key}": value for key, value in values.attrs.items()}
        if isinstance(data, xr.Dataset):
            content |= {f"{group}:{key}": value for key, value in data.attrs.items()}
    return content


def _leaves(content: Any, place: str = "") -> list[tuple[str, Any]]:
    if isinstance(content, dict) and content:
        return [leaf for key, item in content.items() for leaf in _leaves(item, f"{place}.{key}" if place else key)]
    if isinstance(content, list) and content:
        return [leaf for k, item in enumerate(content) for leaf in _leaves(item, f"{place}[{k}]")]
    return [(place, content)]


def _compare_content(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> FileComparison:
    largest, largest_at, found = None, "", []
    places = [*one, *(place for place in other if place not in one)]
    for place in places:
        if place not in one or place not in other:
            found.append((place, f"{place} is only in the {'second' if place in other else 'first'}"))
            continue
        a, b = np.asarray(one[place]), np.asarray(other[place])
        if a.shape != b.shape or (_is_number(a) != _is_number(b)):
            found.append((place, f"{place}: {_kind(a)} against {_kind(b)}"))
            continue
        differs = _differs(a, b)
        if differs.any():
            index = tuple(int(k) for k in np.argwhere(differs)[0])
            at = place + (str(list(index)) if index else "")
            found.append((at, f"{at}: {_text(a[index])} against {_text(b[index])}"))
        if _is_number(a) and a.size:
            distance, index = _largest(a, b)
            if largest is None or distance > largest:
                largest, largest_at = distance, place + (str(list(index)) if index else "")
    if not found:
        return FileComparison(name, False, "other bytes, the same content", largest=0.0)
    words = f"{len(found)} of {len(places)} {'values' if name.endswith('.json') else 'arrays'}; first {found[0][1]}"
    if largest:
        words += f"; largest difference {largest:.3g} at {largest_at}"
    return FileComparison(name, False, words, largest, largest_at if largest else "", found[0][0])


def _differs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    differs = np.asarray(a != b)
    if a.dtype.kind in "fc" and b.dtype.kind in "fc":
        differs &= ~(np.isnan(a) & np.isnan(b))
    return differs


def _largest(a: np.ndarray, b: np.ndarray) -> tuple[float, tuple[int, ...]]:
    """Return the largest |a - b| and its index; a NaN against a number counts as infinite."""
    wide = np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(a.astype(wide) - b.astype(wide))
    distance = np.where(_differs(a, b), np.where(np.isnan(distance), math.inf, distance), 0.0)
    index = np.unravel_index(int(np.argmax(distance)), distance.shape)
    return float(distance[index]), tuple(int(k) for k in index)


def _is_number(values: np.ndarray) -> bool:
    return values.dtype.kind in "iufc"


def _kind(values: np.ndarray) -> str:
    return f"shape {values.shape}" if values.ndim else _text(values[()])


def _text(value: Any) -> str:
    text = f"{value:.17g}" if isinstance(value, (float, np.floating)) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _first_byte(one: Path, other: Path) -> str:
    first, second = one.read_bytes(), other.read_bytes()
    k = next((k for k, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    sizes = f"{len(first)} bytes" if len(first) == len(second) else f"{len(first)} against {len(second)} bytes"
    return f"first at byte {k} ({sizes})"
