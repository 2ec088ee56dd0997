"""What there is to run: experiments and models found by name, read without importing them."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from cortwin.errors import CortwinError

EXPERIMENTS, MODELS = "cortwin.experiments", "cortwin.models"


@dataclass(frozen=True)
class Entry:
    """A page: its name, the first line of its docstring, its file."""

    name: str
    summary: str
    file: Path


def entries(package: str) -> dict[str, Entry]:
    """Pages of a package by name; modules whose name begins with an underscore are left out."""
    found = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        spec = module.module_finder.find_spec(module.name, None)
        if module.name.startswith("_") or spec is None or not spec.origin:
            continue
        file = Path(spec.origin)
        found[module.name] = Entry(module.name, summary(file), file)
    return dict(sorted(found.items()))


def summary(file: Path) -> str:
    """First line of the docstring of a Python file, found without running it."""
    try:
        text = ast.get_docstring(ast.parse(file.read_bytes()))
    except (SyntaxError, ValueError) as error:
        return f"(cannot be read: {error})"
    return text.splitlines()[0].strip() if text else ""


def page_module(name: str) -> ModuleType:
    """Import a page of ``models/`` by its name.

    Raises
    ------
    CortwinError
        If there is no such page.
    """
    known = entries(MODELS)
    if name not in known:
        raise CortwinError(f"there is no page '{name}'; there are {', '.join(known)}")
    return importlib.import_module(f"{MODELS}.{name}")
