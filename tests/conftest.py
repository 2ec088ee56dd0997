"""Settings of every test: no display, no compiler and no log files unless a test asks for them."""

from __future__ import annotations

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


def pytest_configure(config: pytest.Config) -> None:
    """Let Brian2's use of deprecated pyparsing names pass; every other warning stays an error."""
    config.addinivalue_line("filterwarnings", "ignore:.*deprecated.*use .*_:DeprecationWarning")
