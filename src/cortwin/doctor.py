"""What is installed, whether it fits together, whether a build works, and what to do if not."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from cortwin import manifest


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    what, found : name and state
    ok : whether it can be used
    advice : what to do if not
    essential : whether nothing works without it
    """

    what: str
    found: str
    ok: bool = True
    advice: str = ""
    essential: bool = True


def examine() -> Iterator[Finding]:
    """Look at everything that a run needs, cheapest first."""
    yield Finding("cortwin", importlib.metadata.version("cortwin"))
    yield _python()
    yield from _packages()
    yield _brian2()
    memory = manifest.memory_bytes()
    yield Finding("machine", f"{manifest.available_cores()} cores, {memory / 2**30:.1f} GiB" if memory else "unknown")
    yield _system()
    yield _program(
        "compiler", os.environ.get("CXX", "g++"), "install g++ (Debian: apt install g++), or use --engine numpy"
    )
    yield _program("make", "make", "install make (Debian: apt install make), or use --engine numpy")
    yield _cache()
    yield _build()


def _python() -> Finding:
    version = platform.python_version()
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("python", f"{version}, {sys.executable}", ok, "use Python 3.11, 3.12 or 3.13")


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    for text in importlib.metadata.requires("cortwin") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        needed = f"{requirement.name}{requirement.specifier}"
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(requirement.name, "not installed", False, f"pip install '{needed}'")
            continue
        ok = requirement.specifier.contains(version, prereleases=True)
        yield Finding(requirement.name, version, ok, f"pip install '{needed}'")


def _brian2() -> Finding:
    from cortwin.brian2_import import import_brian2
    from cortwin.errors import CortwinError

    try:
        notes = import_brian2()
    except CortwinError as error:
        return Finding("import of brian2", str(error), False, "install versions that fit, as listed above")
    return Finding("import of brian2", "; ".join(["works", *notes]))


def _system() -> Finding:
    tested = sys.platform == "linux"
    text = platform.platform() + ("" if tested else ": not tested; it works as far as Brian2's C++ device does")
    return Finding("system", text, tested, "Linux is tested; macOS is supported as far as Brian2 is", essential=False)


def _program(what: str, command: str, advice: str) -> Finding:
    words = shlex.split(command)
    path = shutil.which(words[0]) if words else None
    if path is None:
        return Finding(what, f"{command or 'an empty CXX'} not found", False, advice, essential=False)
    try:
        shown = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(what, f"{path} does not start: {error}", False, advice, essential=False)
    first = (shown.stdout or shown.stderr).strip().splitlines()[:1]
    return Finding(
        what, f"{path}: {first[0] if first else 'says no version'}", shown.returncode == 0, advice, essential=False
    )


def _cache() -> Finding:
    try:
        from cortwin.cpp import cache
    except ImportError as error:
        return Finding("build cache", f"cannot be imported: {error}", False, "mend what is marked above")
    path, entries, size = cache.summary()
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    writable = os.access(nearest, os.W_OK | os.X_OK)
    return Finding(
        "build cache",
        f"{path}: {entries} builds, {size / 2**20:.1f} MiB" + ("" if writable else ", not writable"),
        writable,
        "set XDG_CACHE_HOME to a folder that you can write",
        essential=False,
    )


def _build() -> Finding:
    try:
        from cortwin.cpp import doctor
    except ImportError as error:
        return Finding("a real build", f"cannot be tried: {error}", False, "mend what is marked above")
    ok, message = doctor.try_build()
    return Finding("a real build", message, ok, "mend what is marked above, or use --engine numpy")
