"""The directory of a run: written aside, renamed into place when complete, and checked when it is opened.

A run writes into `.NAME.partial-...` beside the place where it will stand. The manifest, with the hash of every file,
is written last; then everything is brought to the disk and renamed in one step. A directory without a valid manifest is
not a run. A run that fails leaves `FAILED.json` in its place, which says why and nothing else; the next run takes the
place over. What depends on the clock stands in `manifest.json` and `timings.json`, and in `report.html`, which quotes
both.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from cortwin import manifest, result_files
from cortwin.errors import CortwinError
from cortwin.results import Results

MANIFEST, PARAMETERS, TIMINGS, REPORT, FIGURES, FAILED = (
    "manifest.json",
    "parameters.json",
    "timings.json",
    "report.html",
    "figures",
    "FAILED.json",
)


@dataclass(frozen=True)
class Destination:
    """Where a run shall stand.

    Parameters
    ----------
    path : absolute
    chosen : whether the user named it; otherwise the next free number is as good
    shared : whether another process may be computing the same run for the same place; the first one stays then
    """

    path: Path
    chosen: bool
    shared: bool = False


def destination(out: Path | None, stem: str) -> Destination:
    """Find the place of a new run: `out`, or the first free of `results/STEM`, `results/STEM-2`, ...

    Raises
    ------
    CortwinError
        If `out` exists and is neither an empty folder nor that of a failed run, or cannot be replaced by a renamed one.
    """
    if out is None:
        return Destination(_first_free(Path("results").absolute() / stem), chosen=False)
    path = Path(os.path.realpath(out))
    hint = "name a new folder with --out"
    if len(os.fsencode(path.name)) > 200:
        raise CortwinError(f"--out: the name {path.name[:40]}... has {len(path.name)} characters: {hint}")
    if path.exists():
        if not path.is_dir():
            raise CortwinError(f"--out {out} is a file: {hint}")
        if not _is_free(path):
            raise CortwinError(f"--out {out} is not empty: {hint}")
        if path == Path.cwd() or path.is_mount():
            raise CortwinError(f"--out {out} is the current folder or a mount point: name a folder inside it")
    return Destination(path, chosen=True)


@contextlib.contextmanager
def staging(target: Destination) -> Iterator[Path]:
    """Hold a folder beside the destination; it is removed on the way out unless it was published.

    The folder is locked, so that the next run can tell one that is being written from one whose process was killed, and
    clears the latter away.

    Raises
    ------
    CortwinError
        If it cannot be written.
    """
    parent, prefix = target.path.parent, f".{target.path.name}.partial-"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(parent, prefix)
        folder, lock = _locked_folder(parent, prefix)
    except OSError as error:
        reason = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
        raise CortwinError(f"cannot write in {parent}: {reason}; name another folder with --out") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Write the manifest: the facts, and the hash and size of every file."""
    files = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name != MANIFEST:
            files[name] = {"sha256": manifest.hash_of(file), "bytes": file.stat().st_size}
    fresh = folder / f".{MANIFEST}.new"
    result_files.write_json(fresh, manifest.sealed({**facts, "files": files}))
    _to_disk(fresh)
    fresh.replace(folder / MANIFEST)


def publish(folder: Path, target: Destination) -> Path:
    """Bring a sealed folder to the disk and rename it into place.

    If another run took the place meanwhile, the next free number is used: nothing finished is lost. In a shared place
    it was the same run, and this one is dropped.

    Returns
    -------
    Path
        Where the run stands.
    """
    for path in sorted(folder.rglob("*")):
        _to_disk(path)
    _to_disk(folder)
    folder.chmod(0o777 & ~_umask())
    place = target.path
    while True:
        try:
            if place.is_dir() and _is_free(place):
                (place / FAILED).unlink(missing_ok=True)
            folder.rename(place)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            if target.shared and (place / MANIFEST).is_file():
                shutil.rmtree(folder)
                return place
            place = _first_free(target.path)
        else:
            _to_disk(place.parent)
            return place


def leave_failure(folder: Path, target: Destination, content: dict[str, Any]) -> Path | None:
    """Put `FAILED.json` in the place of a run, and nothing else.

    Parameters
    ----------
    folder : where the run was written, from `staging`; it is emptied first, because the disk may be full
    target : where it was to stand
    content : at least ``error``, one line

    Returns
    -------
    Path or None
        The file; None when the place was taken meanwhile, or the file cannot be written either.
    """
    try:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        result_files.write_json(folder / FAILED, content)
        _to_disk(folder / FAILED)
        if target.path.is_dir() and _is_free(target.path):
            (folder / FAILED).replace(target.path / FAILED)
        else:
            folder.chmod(0o777 & ~_umask())
            folder.rename(target.path)
    except OSError:
        return None
    return target.path / FAILED


def failure_in(path: Path) -> dict[str, Any] | None:
    """Content of `FAILED.json` where a run failed, None where there is none."""
    if (path / MANIFEST).exists() or not (path / FAILED).is_file():
        return None
    content = result_files.read_json(path / FAILED)
    return content if isinstance(content, dict) else {}


@dataclass(frozen=True)
class FinishedRun:
    """A run on disk whose manifest is whole.

    Parameters
    ----------
    path : its directory
    manifest : its content
    damaged : name of a file -> what is wrong with it; the others can be used
    """

    path: Path
    manifest: dict[str, Any]
    damaged: dict[str, str] = field(default_factory=dict)

    def require(self, *names: str) -> None:
        """Refuse files that are not what the run wrote.

        Raises
        ------
        CortwinError
            Naming the first file that is damaged.
        """
        for name in names:
            if name in self.damaged:
                raise CortwinError(f"{self.path / name} {self.damaged[name]}; run the experiment again")
            if name not in self.manifest["files"]:
                raise CortwinError(f"{self.path / name} does not belong to the run: its manifest does not name it")

    def json(self, name: str) -> Any:
        """Content of `parameters.json` or `timings.json`."""
        self.require(name)
        return result_files.read_json(self.path / name)

    def metrics(self) -> Results:
        """Metrics, reasons and tables, without the arrays."""
        self.require(result_files.METRICS)
        return result_files.read_metrics(self.path)

    def activity(self) -> dict[str, Any]:
        """All activity."""
        self.require(result_files.ACTIVITY)
        return result_files.read_activity(self.path)

    def spikes(self) -> dict[str, Any]:
        """All tables of spikes."""
        self.require(result_files.SPIKES)
        return result_files.read_spikes(self.path)

    def weights(self) -> dict[str, Any]:
        """All weights."""
        self.require(result_files.WEIGHTS)
        return result_files.read_weights(self.path)

    def results(self) -> Results:
        """Everything that the run computed."""
        self.require(*result_files.DATA_FILES)
        return result_files.read_results(self.path)


def open_run(path: Path) -> FinishedRun:
    """Open a run and compare every file with its hash.

    Raises
    ------
    CortwinError
        If there is no whole manifest; with the reason, if the run failed.
    """
    path = Path(path).absolute()
    if not path.is_dir():
        raise CortwinError(f"there is no folder {path}")
    if (failure := failure_in(path)) is not None:
        raise CortwinError(f"{path} holds no results, its run failed: {failure.get('error')}; {FAILED} in it says more")
    content = manifest.read(path / MANIFEST)
    damaged = {}
    for name, stated in content["files"].items():
        if problem := _problem(path, name, stated):
            damaged[name] = problem
    return FinishedRun(path, content, damaged)


def _problem(folder: Path, name: str, stated: dict[str, Any]) -> str | None:
    pure = PurePosixPath(name)
    file = folder / name
    if pure.is_absolute() or ".." in pure.parts or not file.resolve().is_relative_to(folder.resolve()):
        return "lies outside the run"
    if not file.is_file():
        return "is missing"
    size = file.stat().st_size
    if size != stated["bytes"]:
        return f"is damaged: it has {size} bytes, the run wrote {stated['bytes']}"
    found = manifest.hash_of(file)
    if found != stated["sha256"]:
        return f"is damaged: its hash is {found[:12]}..., the run wrote {stated['sha256'][:12]}..."
    return None


def _first_free(path: Path) -> Path:
    numbered = (path.with_name(f"{path.name}-{k}") for k in itertools.count(2))
    return next(
        place
        for place in itertools.chain([path], numbered)
        if not os.path.lexists(place) or ((place / FAILED).exists() and _is_free(place))
    )


def _is_free(place: Path) -> bool:
    """Tell whether a folder is empty, or holds nothing but the reason why a run failed."""
    return place.is_dir() and not place.is_symlink() and {path.name for path in place.iterdir()} <= {FAILED}


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = os.open(folder, os.O_RDONLY)
        # Some network file systems cannot lock; then nothing is ever swept there.
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # a sweep may have come between the two lines
            return folder, lock
        os.close(lock)


def clear_leftovers(parent: Path, prefix: str) -> None:
    """Remove what runs of the same name left when their process was killed: folders that nobody locks."""
    for folder in parent.iterdir():
        if not folder.name.startswith(prefix) or folder.is_symlink() or not folder.is_dir():
            continue
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(lock)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # folders cannot be synced everywhere
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
