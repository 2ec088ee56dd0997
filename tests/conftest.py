"""Settings of every test: no display, no log files, and a build cache of the session's own."""

from __future__ import annotations

import os
import warnings

import matplotlib
import pytest

matplotlib.use("Agg")
with warnings.catch_warnings():
    # Brian2 2.9 builds its parsers with names that pyparsing 3.3 deprecates, at import and when it parses.
    warnings.simplefilter("ignore", DeprecationWarning)
    from brian2 import prefs

prefs.codegen.target = "numpy"
prefs.logging.file_log = False


@pytest.fixture(scope="session", autouse=True)
def build_cache(tmp_path_factory: pytest.TempPathFactory):
    """Compile afresh in every session: nothing that an earlier version built is believed."""
    os.environ["CORTWIN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    return os.environ["CORTWIN_CACHE"]


def pytest_configure(config: pytest.Config) -> None:
    """Let Brian2's use of deprecated pyparsing names pass; every other warning stays an error."""
    config.addinivalue_line("filterwarnings", "ignore:.*deprecated.*use .*_:DeprecationWarning")
