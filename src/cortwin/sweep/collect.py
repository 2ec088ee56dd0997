"""All points of a sweep in one tidy table: a row a point, a column a parameter or metric."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortwin import manifest, result_files
from cortwin.errors import CortwinError
from cortwin.run_directory import MANIFEST, PARAMETERS, FinishedRun
from cortwin.sweep.folder import DAMAGED, FAILED, FINISHED, Status, Sweep, failure_of, status

# Versions that change numbers.
COMPUTING = ("brian2", "numpy", "scipy", "jax", "jaxlib")


@dataclass(frozen=True)
class Collected:
    """A sweep as a table.

    Parameters
    ----------
    parameters : names of the columns that hold parameters; quantities are in SI units
    metrics : names of the columns that hold metrics
    rows : one per point, in the design's order: ``point`` (its directory), ``status``, ``seed``, parameters, metrics,
        ``error``; a value that is not there is None
    units : name of a parameter -> symbol of its unit, and how much it is in SI units; of those that have one
    status : what was on the disk
    notes : what the reader should know
    """

    parameters: Sequence[str]
    metrics: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    units: Mapping[str, tuple[str, float]]
    status: Status
    notes: Sequence[str]

    @property
    def columns(self) -> list[str]:
        """All columns, in order."""
        return ["point", "status", "seed", *self.parameters, *self.metrics, "error"]


def collect(sweep: Sweep) -> Collected:
    """Read every point of a sweep; files that are used are compared with their hashes.

    Points of other code are not among the sweep's points, and so never in the table.
    """
    found = status(sweep)
    rows: list[dict[str, Any]] = []
    parameters: dict[str, None] = {}
    metrics: dict[str, None] = {}
    units: dict[str, tuple[str, float]] = {}
    versions: dict[str, set[str]] = {}
    damaged = []
    for point in sweep.points:
        place, state = sweep.place(point), found.states[point.name]
        row: dict[str, Any] = {"point": point.name, "status": state, "seed": point.seed, "error": None}
        if state == FINISHED:
            try:
                saved, numbers, facts = _read(place, point.seed)
            except CortwinError as error:
                row |= {"status": DAMAGED, "error": str(error)}
                damaged.append(str(error))
            else:
                for name, one in saved.items():
                    parameters[name] = None
                    row[name] = _cell(one["value"])
                    if one["unit"] and name not in units:
                        units |= _unit(name, one)
                for name, value in numbers.items():
                    column = f"metric.{name}" if name in saved or name in row else name
                    metrics[column] = None
                    row[column] = value
                for name in COMPUTING:
                    versions.setdefault(name, set()).add(facts["versions"].get(name, "none"))
        elif state == FAILED:
            row["error"] = failure_of(place)
        # Of a point without results only what the design sets is known.
        for name, value in point.values.items():
            parameters.setdefault(name)
            row.setdefault(name, _cell(value))
        rows.append(row)
    names = [*sweep.design.swept, *(name for name in parameters if name not in sweep.design.swept)]
    notes = [f"{name}: {', '.join(sorted(values))}" for name, values in versions.items() if len(values) > 1]
    notes = [f"the points were computed with different versions of {note}" for note in notes]
    return Collected(names, list(metrics), rows, units, found, [*notes, *damaged])


def write_table(collected: Collected, file: Path) -> None:
    """Write the table as CSV or, by the file's ending, as Parquet.

    In CSV a missing value is an empty cell, and numbers have all their digits.

    Raises
    ------
    CortwinError
        For another ending, or when Parquet is asked for and pyarrow is not installed.
    """
    ending = file.suffix.lower()
    if ending not in (".csv", ".parquet"):
        raise CortwinError(f"--out {file}: the table is written as .csv or .parquet")
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    if ending == ".csv":
        with fresh.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(collected.columns)
            for row in collected.rows:
                writer.writerow([_csv(row.get(column)) for column in collected.columns])
    else:
        _write_parquet(collected, fresh)
    fresh.replace(file)


def _read(place: Path, seed: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    facts = manifest.read(place / MANIFEST)
    damaged = {}
    for name in (PARAMETERS, result_files.METRICS):
        if manifest.hash_of(place / name) != facts["files"][name]["sha256"]:
            damaged[name] = "is damaged: its hash is not the one that the run wrote"
    run = FinishedRun(place, facts, damaged)
    if facts["seed"] != seed:
        raise CortwinError(f"{place} was computed with seed {facts['seed']}, not {seed}")
    return run.json(PARAMETERS), run.metrics().metrics, facts


def _cell(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _unit(name: str, saved: Mapping[str, Any]) -> dict[str, tuple[str, float]]:
    """Return the unit in which a quantity is written, unless it is zero or a list."""
    number, _, symbol = str(saved["text"]).partition(" ")
    if not isinstance(saved["value"], float) or not saved["value"]:
        return {}
    return {name: (symbol, saved["value"] / float(number))}


def _csv(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _write_parquet(collected: Collected, file: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise CortwinError(
            f"Parquet needs pyarrow ({error}): install it with `pip install 'cortwin[parquet]'`"
        ) from None
    columns = {name: _one_type([row.get(name) for row in collected.rows]) for name in collected.columns}
    pyarrow.parquet.write_table(pyarrow.table(columns), file)


def _one_type(values: list[Any]) -> list[Any]:
    """Bring a column to one type: whole numbers beside others become floats, anything beside text becomes text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1:
        return values
    target = float if kinds <= {int, float} else str
    return [None if value is None else target(value) for value in values]
