"""Settings of every test: no display, no log files, and a build cache of the session's own."""

from __future__ import annotations

import os

import matplotlib
import pytest
from brian2 import prefs

matplotlib.use("Agg")
prefs.codegen.target = "numpy"
prefs.logging.file_log = False


@pytest.fixture(scope="session", autouse=True)
def build_cache(tmp_path_factory: pytest.TempPathFactory):
    """Compile afresh in every session: nothing that an earlier version built is believed."""
    os.environ["CORTWIN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    return os.environ["CORTWIN_CACHE"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests compiled C++, so that a run in which they were left out can be told from a whole one."""
    passed = sum("cpp" in report.keywords for report in terminalreporter.stats.get("passed", []))
    terminalreporter.write_line(f"tests that compile C++: {passed} passed")
