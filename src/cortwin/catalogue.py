"""What there is to run: experiments and models by name, read without importing them; and a user's own, by path."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import sys
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


def import_script(script: Path) -> ModuleType:
    """Import a Python file of the user's own; it finds the modules beside it, as under `python script.py`.

    Raises
    ------
    CortwinError
        If it is not a Python file.
    Exception
        Whatever the file itself raised; `line_of` says in which of its lines.
    """
    sys.path.insert(0, str(script.parent))
    spec = importlib.util.spec_from_file_location(f"cortwin_script_{script.stem}", script)
    if spec is None or spec.loader is None:
        raise CortwinError(f"{script} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses and annotations look their module up
    # Python takes a file that was changed within a second, to the same length, for the one that it compiled before.
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


def line_of(error: BaseException, script: Path | None) -> str:
    """Return ``", line N,"`` for the last line of a script that an error went through; nothing where it did not."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f", line {error.lineno},"
    line, trace = "", error.__traceback__
    while trace is not None:
        if script is not None and trace.tb_frame.f_code.co_filename == str(script):
            line = f", line {trace.tb_lineno},"
        trace = trace.tb_next
    return line
