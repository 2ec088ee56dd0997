"""What an experiment hands back: numbers and arrays, drawings of them, and the sections of a report.

Names become file names, groups in a file and anchors in a page, so they are held to letters, digits, ``_``, ``-`` and
``.`` wherever they are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cortwin.errors import CortwinError

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from matplotlib.figure import Figure

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)


def require_name(name: object, what: str) -> str:
    """Refuse a name that could leave its folder or its file.

    Raises
    ------
    CortwinError
        Unless the name is 1-100 letters, digits, ``_``, ``-`` or ``.``, and does not start with ``.`` or ``-``.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        shown = name if not isinstance(name, str) or len(name) <= 100 else f"{name[:40]}... ({len(name)} characters)"
        raise CortwinError(f"{what} is called {shown!r}: use 1-100 letters, digits, '_', '-' or '.'")
    return name


@dataclass(frozen=True)
class Results:
    """Everything that a run computed; all of it is saved, and drawings are made from what was saved.

    Parameters
    ----------
    metrics : name -> number, bool or None. A number that is not finite is stored as null, with its reason
    reasons : name of a metric -> why it has no number
    tables : name -> rows, each a mapping of column -> number, text, bool or None
    activity : name -> DataArray (trial, time, unit), or a Dataset of them
    spikes : name -> Dataset of events: `trial`, `unit`, `time` in s, over the dimension `event`
    weights : name -> numeric array
    notes : small JSON-able objects that the drawings need, for instance the equations that ran
    """

    metrics: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    activity: dict[str, Any] = field(default_factory=dict)
    spikes: dict[str, xr.Dataset] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def warnings(self) -> list[str]:
        """What a reader has to know before any number: networks in which no neuron spiked, or all at their limit."""
        return [
            f"{name}: {table.attrs['note']}" for name, table in sorted(self.spikes.items()) if "note" in table.attrs
        ]


@dataclass(frozen=True)
class Drawing:
    """One figure: `figures/NAME.png` and `figures/NAME.svg`, and its place in the report.

    Parameters
    ----------
    name : file name without ending
    figure : matplotlib Figure
    title : short title above the figure
    caption : text below it; ``{metric}`` stands for the value of a metric, as in `Section.text`
    """

    name: str
    figure: Figure
    title: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the report. It holds names; the numbers are read from `metrics.json`.

    Either `rows` of metric names, or `records`: the name of one of `Results.tables`.

    Parameters
    ----------
    caption : what the numbers are, with n
    header : titles of the columns. With `records`, a mapping of column -> title, which also picks and orders columns
    rows : each a row title followed by names of metrics; an empty name leaves the cell empty
    records : name of a table in `Results.tables`
    digits : significant digits
    """

    caption: str
    header: Sequence[str] | Mapping[str, str] = ()
    rows: Sequence[Sequence[str]] = ()
    records: str | None = None
    digits: int = 3


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Parameters
    ----------
    title : heading
    text : plain text; blank lines part paragraphs. ``{name}`` or ``{name:.2f}`` stands for the value of the metric
        `name`, ``{parameters.NAME}`` for a parameter with its unit
    drawings : names of drawings, in order
    tables : tables, in order
    """

    title: str
    text: str = ""
    drawings: Sequence[str] = ()
    tables: Sequence[Table] = ()
