"""Fingerprints of the code that a result comes from: the engine, the experiment, and the pages that it imports.

Imports are read from the text and not from what is loaded, so that a fingerprint depends on the files alone, whatever
else a process has imported.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ENGINE = Path(__file__).parent
# The links to the pages stand inside the package, and are no part of the engine.
PAGES = ("models", "experiments")
_TEXTS = frozenset({".py", ".html", ".css", ".cpp", ".h"})


def fingerprints(experiment: Path) -> dict[str, Any]:
    """Return the hashes of everything of ours, and of the user's, that an experiment runs.

    Parameters
    ----------
    experiment : its file

    Returns
    -------
    dict
        ``"cortwin"`` (the engine), ``"experiment"``, and ``"imports"``: name -> hash of every page, and of every module
        beside the experiment, that it imports directly or through another.
    """
    return {
        "cortwin": engine_fingerprint(),
        "experiment": _hash(experiment),
        "imports": {name: _hash(file) for name, file in sorted(imported_files(experiment).items())},
    }


@functools.cache  # what this process has imported is what counts, though a file be edited meanwhile
def engine_fingerprint(folder: Path = ENGINE) -> str:
    """Return one hash over the names and contents of the installed engine's files, without pages and experiments."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if inside.parts[0] not in PAGES and file.suffix in _TEXTS:
            whole.update(f"{inside.as_posix()}\0{_hash(file)}\n".encode())
    return whole.hexdigest()


def imported_files(experiment: Path) -> dict[str, Path]:
    """Return name -> file of the pages and of the modules beside an experiment that it imports, at any depth."""
    found: dict[str, Path] = {}
    waiting = [experiment]
    while waiting:
        importer = waiting.pop()
        for folder, words in _imports(importer):
            file = _file_of(folder, words)
            if file is None or file.resolve() == experiment.resolve():
                continue
            root = ENGINE if file.is_relative_to(ENGINE) else experiment.parent
            name = ".".join(Path(os.path.relpath(file, root)).with_suffix("").parts).removesuffix(".__init__")
            if name not in found:
                found[name] = file
                waiting.append(file)
    return found


def _imports(file: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folder and the words of everything that a file may import from the pages or from beside it."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            level = 0
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            names = [module, *([*module, alias.name] for alias in node.names)]
            level = node.level
        else:
            continue
        for words in names:
            inside = words[1:] if words[:1] == ["cortwin"] else words
            if level == 0 and inside[:1] and inside[0] in PAGES:
                yield ENGINE, inside
            elif words[:1] != ["cortwin"]:
                yield file.parents[max(level - 1, 0)], words


def _file_of(folder: Path, words: list[str]) -> Path | None:
    path = folder.joinpath(*words)
    return next((file for file in (path.with_name(f"{path.name}.py"), path / "__init__.py") if file.is_file()), None)


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
