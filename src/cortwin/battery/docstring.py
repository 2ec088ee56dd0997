"""What a page's docstring has to hold: its equations, a table of its symbols, its references."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import brian2

from cortwin.battery.findings import Found
from cortwin.errors import CortwinError
from cortwin.model import SIZES, Lacking, Model

UNITS = {
    "s": brian2.second,
    "1": 1.0,
    "Hz": brian2.Hz,
    "V": brian2.volt,
    "A": brian2.amp,
    "S": brian2.siemens,
    "F": brian2.farad,
}
_ROW = re.compile(r"^(?P<names>[\w, ]+?)\s+\((?P<shape>[\w, ]*)\)\s+(?P<unit>\S+)\s+\S")


def symbols(page: ModuleType) -> dict[str, tuple[tuple[str, ...], str]]:
    """Read the symbol table of a page's docstring: name -> (shape, unit). An indented line goes on with the row above.

    Raises
    ------
    CortwinError
        If there is none, or a row cannot be read.
    """
    lines = (inspect.getdoc(page) or "").splitlines()
    start = next((k for k, line in enumerate(lines) if line.split()[:3] == ["symbol", "shape", "unit"]), None)
    if start is None:
        raise CortwinError("the docstring has no symbol table, which begins with 'symbol shape unit'")
    table = {}
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        if table and line[0].isspace():
            continue
        found = _ROW.match(line)
        if found is None:
            raise CortwinError(f"the symbol table has a row that is not 'names (shape) unit meaning': '{line.strip()}'")
        shape = tuple(size.strip() for size in found["shape"].split(",") if size.strip())
        table |= {name.strip(): (shape, found["unit"]) for name in found["names"].split(",")}
    return table


def check_docstring(page: ModuleType, made: Model) -> Found:
    """Hold a docstring against the model that it describes.

    Raises
    ------
    CortwinError
        Naming the first thing that is missing or wrong.
    """
    text = inspect.getdoc(page) or ""
    if not text:
        raise CortwinError("the file has no docstring")
    equations = 0
    for writing in ("textbook", "rate", "spiking"):
        stated = bool(re.search(rf"^{writing}  ", text, re.MULTILINE))
        lacks = isinstance(getattr(made, writing), Lacking)
        if stated and lacks:
            raise CortwinError(f"the docstring has an equation of the {writing} writing, which the model lacks")
        if not stated and not lacks:
            raise CortwinError(f"the docstring has no equation of the {writing} writing: a line '{writing}   ...'")
        equations += stated
    table = symbols(page)
    for name, (shape, unit) in table.items():
        if unknown := [size for size in shape if size not in SIZES]:
            raise CortwinError(f"the symbol table gives {name} the size '{unknown[0]}', not one of {', '.join(SIZES)}")
        if unit not in UNITS:
            raise CortwinError(f"the symbol table gives {name} the unit '{unit}', not one of {', '.join(UNITS)}")
    # The arrays of an ensemble carry its name in front; one sentence says so for all of them.
    prefixed = {name for ensemble in made.ensembles if ensemble.prefix for name in ensemble.shapes}
    own = set(made.shapes) - prefixed
    if missing := sorted((own | set(made.constants)) - set(table)):
        raise CortwinError(f"the symbol table lacks {', '.join(missing)}")
    if prefixed and "carry" not in text:
        raise CortwinError("the docstring does not say that the arrays of an ensemble carry its name")
    for name in sorted(own):
        if table[name][0] != made.shapes[name]:
            stated, expected = (f"({', '.join(map(str, shape))})" for shape in (table[name][0], made.shapes[name]))
            raise CortwinError(f"the symbol table gives {name} the shape {stated}, the model {expected}")
    for name, value in made.constants.items():
        shape, unit = table[name]
        if shape or not brian2.have_same_dimensions(value, UNITS[unit]):
            raise CortwinError(f"the symbol table gives the constant {name} = {value} the unit '{unit}', shape {shape}")
    if not re.search(r"^References\n-+\n", text, re.MULTILINE) or "doi:10." not in text:
        raise CortwinError("the docstring has no section References with a source and its doi:10....")
    return Found(f"equations of {equations} writings, {len(table)} symbols, references")
