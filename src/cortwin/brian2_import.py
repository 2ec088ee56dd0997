"""Brian2 is imported here first, from a folder of its own.

At import Brian2 evaluates a file `brian_preferences` in the current folder: whoever can place one there runs code, and
changes results. The folder from which it is imported here holds such a file, of ours. Who imports Brian2 before
cortwin, or uses cortwin as a library, is warned.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from cortwin.errors import CortwinError

PREFERENCES = "brian_preferences"
# Otherwise an uncaught exception leaves logs and a copy of the script in the temporary folder, and an argument that is
# no UTF-8 ends the import.
_CONTENT = "logging.file_log = False\nlogging.save_script = False\n"


# A fact about this process, like `sys.modules`: no later look at Brian2 can tell which folder it was imported from.
_from_our_folder = False


def import_brian2() -> list[str]:
    """Import Brian2 as if the current folder were empty.

    Returns
    -------
    list of str
        What the user should know: a file of preferences that was left aside.

    Raises
    ------
    CortwinError
        If Brian2 cannot be imported, with what to install.
    """
    notes = []
    if Path(PREFERENCES).exists():
        notes.append(f"the file {PREFERENCES} in the current folder is not used")
    if "brian2" in sys.modules:
        return notes
    global _from_our_folder
    _from_our_folder = True
    here = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="cortwin-") as folder, _path_kept():
        Path(folder, PREFERENCES).write_text(_CONTENT, encoding="utf-8")
        os.chdir(folder)
        try:
            import brian2  # noqa: F401
        except (ImportError, AttributeError) as error:
            numpy = version("numpy")
            raise CortwinError(
                f"Brian2 {version('brian2')} cannot be imported with NumPy {numpy} ({error}): "
                "Brian2 2.9 needs numpy<2.4; `cortwin doctor` says what is installed"
            ) from error
        finally:
            os.chdir(here)
    return notes


def warn_of_preferences() -> None:
    """Warn when Brian2 was imported the ordinary way from a folder with a file of preferences."""
    if not _from_our_folder and Path(PREFERENCES).exists():
        warnings.warn(
            f"Brian2 evaluates the file {Path(PREFERENCES).absolute()} when it is imported: it runs code, and may "
            "change results; `cortwin run` leaves it aside",
            stacklevel=2,
        )


def changed_preferences() -> dict[str, str]:
    """Preferences of Brian2 that are not its defaults, for the manifest."""
    from brian2 import prefs
    from brian2.core.preferences import parse_preference_name

    found = {}
    for name in sorted(prefs):
        category, last = parse_preference_name(name)
        if repr(prefs[name]) != repr(prefs.pref_register[category][0][last].default):
            found[name] = repr(prefs[name])
    return found


@contextlib.contextmanager
def _path_kept() -> Iterator[None]:
    """Keep the folder from becoming a place to import from: the entry '' of the path means the current folder."""
    saved = list(sys.path)
    sys.path[:] = [os.getcwd() if entry == "" else entry for entry in sys.path]
    try:
        yield
    finally:
        sys.path[:] = saved
