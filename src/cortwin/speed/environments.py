"""Other simulators in environments of their own: which are there, and in which version."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from cortwin.errors import CortwinError

# Name of the environment's folder -> the package that it is for.
PACKAGES = {"nest": "nest-simulator", "annarchy": "annarchy", "brainpy": "brainpy"}
# Those that are trained.
TRAINED = {"snntorch": "snntorch", "norse": "norse", "brainpy": "brainpy"}
# That neurons are fitted with.
FITTED = {"brian2modelfitting": "brian2modelfitting"}


def interpreters(peers: str, names: Iterable[str]) -> dict[str, str]:
    """Return the Python of each of some simulators that is installed.

    Parameters
    ----------
    peers : folder of the environments, each named as in `PACKAGES`, `TRAINED` or `FITTED`; empty for none
    names : which are looked for

    Raises
    ------
    CortwinError
        If there is no such folder.
    """
    if not peers:
        return {}
    folder = Path(peers).expanduser()
    if not folder.is_dir():
        raise CortwinError(f"peers is '{peers}', which is no folder")
    found = {peer: interpreter(folder, peer) for peer in names}
    return {peer: str(python) for peer, python in found.items() if python is not None}


def interpreter(folder: Path, peer: str) -> Path | None:
    """Return the Python of a peer's environment, None where there is no such environment or not its package."""
    python = folder.absolute() / peer / "bin" / "python"
    return python if python.is_file() and version(python, (PACKAGES | TRAINED | FITTED)[peer]) else None


def version(python: Path, package: str) -> str:
    """Return the version of a package in another environment; empty where it is not installed."""
    ask = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([str(python), "-P", "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
