"""Results on disk: JSON for numbers, netCDF4 for activity and spikes, npz for weights; same results, same bytes.

=================  =====================================================================================
``metrics.json``   metrics, flat, by name; ``reasons`` of those that are null; ``tables`` with their rows
``activity.nc``    one group per activity
``spikes.nc``      one group per spiking activity: a table of events
``weights.npz``    arrays without pickled objects
``notes.json``     small objects for the drawings
=================  =====================================================================================
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortwin.errors import CortwinError
from cortwin.results import Results, require_name

if TYPE_CHECKING:
    import xarray as xr

METRICS, NOTES, ACTIVITY, SPIKES, WEIGHTS = "metrics.json", "notes.json", "activity.nc", "spikes.nc", "weights.npz"
DATA_FILES = (METRICS, NOTES, ACTIVITY, SPIKES, WEIGHTS)
# Keys of metrics.json beside the metrics themselves.
_REASONS, _TABLES = "reasons", "tables"
# A group remembers that it was a DataArray; netCDF knows only data sets.
_ARRAY = "cortwin_array"


def write_json(file: Path, content: Any) -> None:
    """Write JSON with sorted keys, so that equal content gives equal bytes."""
    text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    # A file name may hold bytes that are no text; JSON has an escape for them.
    file.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def write_results(folder: Path, results: Results) -> None:
    """Write all data files of a run.

    Raises
    ------
    CortwinError
        Naming the metric, array or group that cannot be saved, and why.
    """
    write_json(folder / METRICS, _metrics_to_json(results))
    try:
        write_json(folder / NOTES, results.notes)
    except (TypeError, ValueError) as error:
        raise CortwinError(f"notes hold something that is not JSON: {error}") from error
    _write_groups(folder / ACTIVITY, results.activity, "activity")
    _write_groups(folder / SPIKES, results.spikes, "spikes")
    _write_weights(folder / WEIGHTS, results.weights)


def read_results(folder: Path) -> Results:
    """Read the data files that `write_results` wrote.

    Raises
    ------
    CortwinError
        If a file is missing or cannot be read.
    """
    metrics = read_metrics(folder)
    return Results(
        metrics=metrics.metrics,
        reasons=metrics.reasons,
        tables=metrics.tables,
        activity=read_activity(folder),
        spikes=read_spikes(folder),
        weights=read_weights(folder),
        notes=read_json(folder / NOTES),
    )


def read_json(file: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CortwinError(f"{file} cannot be read: {error}") from error


def read_metrics(folder: Path) -> Results:
    """Metrics, reasons and tables alone, which needs no array library."""
    content = read_json(folder / METRICS)
    reasons, tables = content.pop(_REASONS, {}), content.pop(_TABLES, {})
    return Results(metrics=content, reasons=reasons, tables=tables)


def read_activity(folder: Path) -> dict[str, xr.DataArray | xr.Dataset]:
    """All activity of a run, loaded into memory."""
    return _read_groups(folder / ACTIVITY)


def read_spikes(folder: Path) -> dict[str, Any]:
    """All tables of spikes of a run, loaded into memory."""
    return _read_groups(folder / SPIKES)


def read_weights(folder: Path) -> dict[str, Any]:
    """All weights of a run; pickled objects are refused."""
    import numpy as np

    file = folder / WEIGHTS
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise CortwinError(f"{file} cannot be read: {error}") from error


def _metrics_to_json(results: Results) -> dict[str, Any]:
    content: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for name, value in results.metrics.items():
        require_name(name, "a metric")
        if name in (_REASONS, _TABLES):
            raise CortwinError(f"a metric cannot be called {name!r}: metrics.json keeps that key for itself")
        content[name], reason = _number(value, f"metric {name}")
        if content[name] is None:
            reasons[name] = results.reasons.get(name, reason)
    if unused := set(results.reasons) - set(reasons):
        raise CortwinError(f"there is a reason for {min(unused)!r}, which is not a metric without a number")
    for name, rows in results.tables.items():
        require_name(name, "a table")
        content.setdefault(_TABLES, {})[name] = [
            {
                column: value if isinstance(value, str) else _number(value, f"table {name}, column {column}")[0]
                for column, value in row.items()
            }
            for row in rows
        ]
    if reasons:
        content[_REASONS] = reasons
    return content


def _number(value: Any, label: str) -> tuple[float | int | bool | None, str]:
    """Plain Python number of a metric, or None and the reason why there is none."""
    import numpy as np

    if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0:
        value = value.item()
    if value is None:
        return None, "no value"
    if isinstance(value, (bool, int)):
        return value, ""
    if not isinstance(value, float):
        raise CortwinError(f"{label} must be a number, got {type(value).__name__}")
    if not math.isfinite(value):
        return None, f"the computation gave {value}"
    return float(value), ""


def _write_groups(file: Path, groups: Mapping[str, xr.DataArray | xr.Dataset], what: str) -> None:
    import h5netcdf
    import numpy as np
    import xarray as xr
    from xarray.backends import H5NetCDFStore

    # In memory first: on a full disk the HDF5 library would crash the process, while a plain write says what is wrong.
    memory = io.BytesIO()
    opened = h5netcdf.File(memory, "w")
    for name, group in sorted(groups.items()):
        require_name(name, f"a group of {what}")
        data = group
        if isinstance(data, xr.DataArray):
            variable = str(data.name or "values")
            data = data.to_dataset(name=variable)
            data.attrs[_ARRAY] = variable
        if any(variable.dtype == object for variable in data.variables.values()):
            raise CortwinError(f"{what} {name} holds Python objects: save numbers or text")
        # Numbers compress to about half after shuffling; higher levels cost time and give nothing.
        encoding = {
            variable: {"zlib": True, "complevel": 1, "shuffle": True}
            for variable, values in data.data_vars.items()
            if values.ndim and np.issubdtype(values.dtype, np.number)
        }
        try:
            data.dump_to_store(H5NetCDFStore(opened, group=name, mode="a"), encoding=encoding)
        except (TypeError, ValueError) as error:
            raise CortwinError(f"{what} {name} cannot be saved: {error}") from error
    opened.close()
    file.write_bytes(memory.getbuffer())


def _read_groups(file: Path) -> dict[str, Any]:
    import h5netcdf
    import xarray as xr

    groups: dict[str, Any] = {}
    try:
        with h5netcdf.File(file, "r") as opened:
            names = sorted(opened.groups)
        for name in names:
            with xr.open_dataset(file, group=name, engine="h5netcdf", decode_times=False) as data:
                loaded = data.load()
            variable = loaded.attrs.pop(_ARRAY, None)
            groups[name] = loaded if variable is None else loaded[variable]
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise CortwinError(f"{file} cannot be read: {error}") from error
    for group in groups.values():
        # netCDF gives one-element arrays and NumPy scalars back for plain attributes, and remembers how it packed them.
        for part in (group, *group.coords.values(), *(getattr(group, "data_vars", {}).values())):
            part.encoding = {}
            part.attrs = {
                key: value.item() if getattr(value, "size", 0) == 1 else value for key, value in part.attrs.items()
            }
    return groups


def _write_weights(file: Path, weights: Mapping[str, Any]) -> None:
    import numpy as np

    arrays = {}
    for name in sorted(weights):
        arrays[require_name(name, "an array of weights")] = array = np.asarray(weights[name])
        if array.dtype.kind not in "biufcU":
            raise CortwinError(f"weights {name} have type {array.dtype}: only numbers and text can be saved")
    # zipfile stamps members that are written as streams with 1980-01-01, so equal arrays give equal bytes.
    np.savez(file, **arrays)
