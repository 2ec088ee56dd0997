"""Where a result comes from: versions, command, seed, machine, source revision, and the hash of every file."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cortwin.errors import CortwinError

FORMAT = 1
# Set by the user or by the command; any of them can change a number or a build.
RECORDED_ENVIRONMENT = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "XLA_FLAGS",
    "JAX_PLATFORMS",
    "JAX_ENABLE_X64",
    "JAX_NUM_CPU_DEVICES",
    "CXX",
    "CC",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
)


def versions() -> dict[str, str]:
    """Versions of cortwin and of every installed package that it needs, directly or through another."""
    return dict(_installed())


@functools.cache
def _installed() -> dict[str, str]:
    # Once per process: a worker computes thousands of runs with what it imported.
    found: dict[str, str] = {}
    waiting = ["cortwin"]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if name in found:
            continue
        found[name] = distribution.version
        for requirement in distribution.requires or ():
            match = re.match(r"[A-Za-z0-9._-]+", requirement)
            if match and "extra ==" not in requirement:
                waiting.append(match[0])
    return dict(sorted(found.items()))


def machine() -> dict[str, Any]:
    """Processor, cores, memory and operating system of this computer."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "cores_available": available_cores(),
        "memory_bytes": memory_bytes(),
        "system": platform.platform(),
        "architecture": platform.machine(),
        "host": platform.node(),
    }


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Physical memory in bytes, None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def git_revision(file: Path) -> dict[str, Any] | None:
    """Revision of the clone that a file belongs to, None if it is in none (or not tracked in the one around it)."""
    git = shutil.which("git")
    if git is None or _git(git, file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    revision = _git(git, file.parent, "rev-parse", "HEAD")
    if revision is None:
        return None
    changes = _git(git, file.parent, "status", "--porcelain", "--untracked-files=no")
    return {"revision": revision, "modified": bool(changes)}


def origin(*, command: list[str], seed: int, script: Path | None) -> dict[str, Any]:
    """Everything about a run that is known before it starts."""
    facts: dict[str, Any] = {
        "format": FORMAT,
        "command": command,
        "seed": seed,
        "python": sys.version.split()[0],
        "versions": versions(),
        "machine": machine(),
        "environment": {name: os.environ[name] for name in RECORDED_ENVIRONMENT if name in os.environ},
        "git": git_revision(Path(__file__).resolve()),
    }
    if script is not None:
        facts["script"] = {
            "path": str(script),
            "sha256": hash_of(script),
            "git": git_revision(script),
        }
    return facts


def hash_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a manifest the hash of its own content."""
    return {**content, "seal": _seal(content)}


def read(file: Path) -> dict[str, Any]:
    """Read a manifest and check that it is whole.

    Raises
    ------
    CortwinError
        If the file is missing, damaged, or of a format that this version does not read.
    """
    folder = file.parent
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CortwinError(f"{folder} is not a finished run: it has no {file.name}") from None
    except ValueError as error:
        raise CortwinError(f"{file} is damaged ({error}): the run cannot be trusted; run it again") from None
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise CortwinError(f"{file} is not a manifest of cortwin")
    if content["format"] != FORMAT:
        made_by = content.get("versions", {}).get("cortwin", "another version")
        raise CortwinError(
            f"{folder} has format {content['format']} (cortwin {made_by}), this version reads {FORMAT}: "
            f"install that version, or run the experiment again"
        )
    seal = content.pop("seal", None)
    if seal != _seal(content):
        raise CortwinError(f"{file} was changed after it was written: the run cannot be trusted; run it again")
    return content


def _seal(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _git(git: str, folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            [git, "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.lower().startswith(("model name", "hardware")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
