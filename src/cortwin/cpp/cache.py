"""The build cache: compiled programs by a key that is known before any source is generated.

A program is keyed by everything that it is compiled for: the text of the writing, the layout, the physical constants,
Brian2's preferences, compiler, flags, processor and versions. Weights, initial states and inputs are data and are not
in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import brian2

import cortwin
from cortwin.builder import Layout
from cortwin.cpp import compiler
from cortwin.model import Model

COMPLETE = "layout.json"  # written last: an entry without it is not there


def directory() -> Path:
    """Return the cache's folder: ``$CORTWIN_CACHE``, else ``$XDG_CACHE_HOME/cortwin``, else ``~/.cache/cortwin``.

    A folder that cannot be written is replaced by one under the system's temporary folder, with a warning.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    chosen = Path(os.environ.get("CORTWIN_CACHE") or Path(base) / "cortwin").expanduser().absolute()
    try:
        chosen.mkdir(parents=True, exist_ok=True)
        if os.access(chosen, os.W_OK):
            return chosen
        reason = "it is read-only"
    except OSError as error:
        reason = str(error)
    fallback = Path(tempfile.gettempdir()) / f"cortwin-cache-{os.getuid()}"
    fallback.mkdir(mode=0o700, exist_ok=True)
    if fallback.stat().st_uid != os.getuid():
        raise PermissionError(f"{fallback} belongs to somebody else; set CORTWIN_CACHE to a folder that can be written")
    warnings.warn(f"the build cache {chosen} cannot be used ({reason}); using {fallback}", stacklevel=2)
    return fallback


def key(model: Model, writing: str, layout: Layout, profile: str) -> str:
    """Return the key of a program, 32 hexadecimal digits."""
    parts = {
        "writing": asdict(model.writing(writing)),
        "constants": {name: _number(value) for name, value in model.constants.items()},
        "layout": asdict(layout),
        "preferences": _preferences(),
        "compiler": compiler.find().describe(profile),
        "processor": compiler.processor(),
        "versions": {"brian2": brian2.__version__, "cortwin": cortwin.__version__, "engine": _engine()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_number).encode()).hexdigest()[:32]


def _number(quantity: Any) -> list[str]:
    return [repr(float(quantity)), repr(brian2.get_dimensions(quantity))]


@contextlib.contextmanager
def locked(entry: Path) -> Iterator[None]:
    """Hold an entry's lock; the kernel lets go of it when the process dies, so that a lock is never stale."""
    with open(entry.with_suffix(".lock"), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def summary() -> tuple[Path, int, int]:
    """Return the cache's folder, the number of programs in it and their size in bytes."""
    folder = directory()
    entries = [path for path in folder.iterdir() if (path / COMPLETE).is_file()]
    size = sum(file.stat().st_size for entry in entries for file in entry.rglob("*") if file.is_file())
    return folder, len(entries), size


def clear() -> tuple[int, int]:
    """Delete every program; return how many there were and their size in bytes."""
    folder, entries, size = summary()
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix == ".lock":
            path.unlink(missing_ok=True)
    return entries, size


def _preferences() -> dict[str, str]:
    kept = (
        "codegen.cpp",
        "codegen.loop_invariant",
        "codegen.max_cache",
        "core.default",
        "devices.cpp_standalone",
        "legacy",
    )
    return {name: repr(brian2.prefs[name]) for name in sorted(brian2.prefs) if name.startswith(kept)}


@lru_cache
def _engine() -> str:
    """Return a hash of the engine's own sources that decide what is generated."""
    here = Path(__file__).parent
    files = sorted(
        [
            *here.rglob("*.py"),
            *here.rglob("*.cpp"),
            *here.rglob("*.h"),
            here.parent / "blocks.py",
            *here.parent.glob("builder/*.py"),
            here.parent / "drives.py",
            *here.parent.glob("connectivity/*.py"),
        ]
    )
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
