"""A page of a user's own, begun from a template that passes the battery as it is."""

from __future__ import annotations

import importlib.util
import keyword
import sys
from importlib.resources import files
from pathlib import Path

from cortwin import catalogue
from cortwin.errors import CortwinError

TEMPLATE, PLACE = "page_template.txt", "my_page"


def new_page(name: str, folder: Path) -> Path:
    """Write the template of a page under a name, and return its file.

    Raises
    ------
    CortwinError
        For a name that is no name of a module, hides another module or a page of cortwin, or whose file exists.
    """
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise CortwinError(f"a page cannot be called '{name}': use letters, digits and _, no word of Python")
    if name in catalogue.entries(catalogue.MODELS):
        raise CortwinError(f"there is a page '{name}' in cortwin.models: give yours another name")
    file = folder / f"{name}.py"
    taken = CortwinError(f"{file.name} exists: it is left as it is; give the page another name")
    if file.exists():
        raise taken
    if name == "cortwin" or name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        raise CortwinError(f"a page cannot be called '{name}': it would hide the module of that name")
    text = files("cortwin.battery").joinpath(TEMPLATE).read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text.replace(PLACE, name))
    except FileExistsError:  # made by another process meanwhile
        raise taken from None
    return file
