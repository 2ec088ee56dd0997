"""The C++ compiler: which one, what it is asked for, and what to do when there is none."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cortwin.errors import CortwinError

# Floating point stays as written in both profiles: no -ffast-math, which would also switch off the tests for NaN.
# "release" lets the compiler fuse a*b+c into one rounding; "strict" does not, for results that other compilers repeat.
# "stock" is "release" with Brian2's own templates throughout: what the fast paths are held against.
RELEASE = ("-w", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-std=c++17")
STOCK = "stock"
PROFILES = {
    "release": RELEASE,
    STOCK: RELEASE,
    "strict": ("-w", "-O2", "-march=native", "-ffp-contract=off", "-fno-fast-math", "-std=c++17"),
}
HOW_TO_INSTALL = (
    "install a C++ compiler and make (Debian: `apt install g++ make`; macOS: `xcode-select --install`), "
    "or use --engine numpy"
)


# What make and the compiler read from the environment.
ENVIRONMENT = ("CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "MAKEFLAGS", "CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH")


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler as it was found: command, version line, path of make."""

    command: str
    version: str
    make: str

    def describe(self, profile: str) -> dict[str, object]:
        """Return what the manifest says about the compiler; it is part of the key of a build."""
        facts: dict[str, object] = {"command": self.command, "version": self.version}
        facts |= {"profile": profile, "flags": list(PROFILES[profile])}
        environment = {name: os.environ[name] for name in ENVIRONMENT if os.environ.get(name)}
        return facts | ({"environment": environment} if environment else {})


def find() -> Compiler:
    """Find the compiler that make would use: ``$CXX``, else g++ (clang++ on macOS).

    Raises
    ------
    CortwinError
        When the compiler or make is missing or does not answer, with what to install.
    """
    command = os.environ.get("CXX") or ("clang++" if platform.system() == "Darwin" else "g++")
    executable = shutil.which(shlex.split(command)[0])
    if executable is None:
        raise CortwinError(f"no C++ compiler: '{command}' was not found; {HOW_TO_INSTALL}")
    make = shutil.which("make")
    if make is None:
        raise CortwinError(f"'make' was not found; {HOW_TO_INSTALL}")
    return Compiler(command, _version(command, Path(executable).stat().st_mtime_ns), make)


def processor() -> str:
    """Return a hash of the processor's model and features: a program for one runs on no other."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    kept = sorted(
        {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))} or set(lines)
    )
    return hashlib.sha256("\n".join([platform.machine(), *kept]).encode()).hexdigest()[:16]


@lru_cache
def _version(command: str, changed: int) -> str:
    try:
        answer = subprocess.run(
            [*shlex.split(command), "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CortwinError(f"the C++ compiler '{command}' does not answer ({error}); {HOW_TO_INSTALL}") from None
    return (answer.stdout or answer.stderr).splitlines()[0].strip()
