"""What a run has to show before its numbers count.

Brian2's program ends with status 0 when it stopped half-way, could not read what it was given or could not write what
it found. So everything that it left is compared with what it should have left.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cortwin.blow_ups import LARGEST, out_of_range, require_in_range, require_none
from cortwin.cpp.program import READ_BACK, Program
from cortwin.errors import CortwinError, RunFailed

FULL = "is the disk full?"


def given(program: Program, data: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Return what the program is given; refuse numbers that are not finite, missing arrays, and what is not whole.

    Parameters
    ----------
    program : what is to run
    data : array by Brian2's name; those of synapses that the trials share once, or once for each trial

    Raises
    ------
    CortwinError
        Naming the array or the file.
    """
    found = {}
    for name, entry in program.description["values"].items():
        if name not in data:
            raise CortwinError(f"no array is given for {name}")
        found[name] = _once(name, data[name], entry)
        if bad := out_of_range(found[name]):
            raise CortwinError(f"{name} holds {bad} numbers that are not finite or beyond {LARGEST:g}")
    for name, size in program.description["files"].items():
        file = program.folder / name
        there = file.stat().st_size if file.is_file() else None
        if there != size:
            state = "is missing" if there is None else f"has {there} bytes instead of {size}"
            raise CortwinError(f"{file} of the compiled program {state}; `cortwin cache --clear` builds it anew")
    return found


def after(program: Program, data: Mapping[str, NDArray], folder: Path) -> dict[str, NDArray]:
    """Read the results of a run, and refuse them unless everything about them is as it must be.

    Parameters
    ----------
    program : what ran
    data : what it was given, by Brian2's name
    folder : where it wrote

    Returns
    -------
    dict of arrays by Brian2's name, ``"recorded_POPULATION.VARIABLE"`` of shape (sample, element)

    Raises
    ------
    RunFailed
        Naming the first thing that is not as it must be.
    """
    description = program.description
    _check_sizes(description, folder)
    _check_clock(description, folder)
    _check_read_back(description, data, folder)
    _check_range(description, folder)
    results = {name: _load(entry, folder) for name, entry in description["results"].items()}
    _check_spikes(results)
    samples = description["samples"] + 1
    return {name: array.reshape(samples, -1) if _is_record(name) else array for name, array in results.items()}


def checksum(values: NDArray) -> int:
    """Return the checksum that the program computes: each number's bits times an odd number of its place, added up."""
    words = np.ascontiguousarray(values).ravel().view(f"u{values.dtype.itemsize}").astype(np.uint64)
    return int(np.sum(words * (2 * np.arange(words.size, dtype=np.uint64) + 1), dtype=np.uint64))


def _once(name: str, values: NDArray, entry: Mapping) -> NDArray:
    """Return the numbers of one trial where all trials share them."""
    if entry.get("trials", 1) == 1 or values.size != entry["trials"] * entry["size"]:
        return values
    trials = values.reshape(entry["trials"], -1)
    if not np.array_equal(trials, np.broadcast_to(trials[0], trials.shape), equal_nan=True):
        raise CortwinError(f"{name} differs from trial to trial, but the trials share their synapses")
    return trials[0]


def _is_record(name: str) -> bool:
    monitor, _, variable = name.partition(".")
    return monitor.startswith("recorded_") and variable not in ("t", "N", "i")


def _load(entry: Mapping, folder: Path) -> NDArray:
    return np.fromfile(folder / entry["file"], dtype=entry["dtype"])


def _check_sizes(description: Mapping, folder: Path) -> None:
    for entry in description["arrays"]:
        file, item, size = folder / entry["file"], np.dtype(entry["dtype"]).itemsize, entry["size"]
        if not file.is_file():
            raise RunFailed(f"the result {entry['name']} is missing: {FULL}")
        found = file.stat().st_size
        if size is not None and found != size * item:
            raise RunFailed(f"the result {entry['name']} has {found} bytes instead of {size * item}: {FULL}")
        if found % item:
            raise RunFailed(f"the result {entry['name']} has {found} bytes, not a multiple of {item}: {FULL}")


def _check_clock(description: Mapping, folder: Path) -> None:
    reached, end = float(_load(description["clock"], folder)[0]), description["end"]
    if not abs(reached - end) < description["dt"] / 2:
        raise RunFailed(f"the simulation stopped at {reached} s instead of {end} s: was it interrupted?")


def _check_read_back(description: Mapping, data: Mapping[str, NDArray], folder: Path) -> None:
    """Compare every array with what the program found in its memory when it began, and constants at its end too."""
    lines = (folder / READ_BACK).read_text().splitlines() if (folder / READ_BACK).is_file() else []
    used = dict(line.split() for line in lines if line.count(" ") == 1)
    for name, entry in description["values"].items():
        given = np.asarray(data[name], dtype=entry["dtype"]).ravel()
        kept = not entry["constant"] or np.array_equal(_load(entry, folder), given)
        if used.get(name) != str(checksum(given)) or not kept:
            raise RunFailed(f"the simulation did not use the {name} that it was given")


def _check_range(description: Mapping, folder: Path) -> None:
    for entry in description["arrays"]:
        if np.dtype(entry["dtype"]).kind == "f":
            require_in_range(entry["name"], _load(entry, folder))
    for name, entry in description["counters"].items():
        require_none(name, _load(entry, folder))


def _check_spikes(results: Mapping[str, NDArray]) -> None:
    for monitor in (name.removesuffix(".count") for name in results if name.endswith(".count")):
        counts = {
            "N": int(results[f"{monitor}.N"][0]),
            "i": results[f"{monitor}.i"].size,
            "t": results[f"{monitor}.t"].size,
            "per neuron": int(results[f"{monitor}.count"].sum()),
        }
        if len(set(counts.values())) != 1:
            raise RunFailed(f"the {monitor} do not add up: {counts}: {FULL}")
