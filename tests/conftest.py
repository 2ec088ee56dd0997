"""Settings of every test: no display, no log files, and a build cache of the session's own."""

from __future__ import annotations

import gc
import os
import signal

import jax
import matplotlib
import pytest
from brian2 import prefs
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from cortwin import cli

matplotlib.use("Agg")
prefs.codegen.target = "numpy"
prefs.logging.file_log = False


@pytest.fixture
def signal_handlers():
    """Put the handlers back: a command that was interrupted ignores further signals until its process is over."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def cortwin(monkeypatch, tmp_path, capsys, signal_handlers):
    """Call the command in this process, in an empty folder: words -> (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    for variable in (*cli.THREAD_VARIABLES, "MPLBACKEND"):
        monkeypatch.setenv(variable, os.environ.get(variable, "1" if variable != "MPLBACKEND" else "Agg"))

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(word) for word in words])
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.fixture(scope="session", autouse=True)
def programs(tmp_path_factory: pytest.TempPathFactory):
    """Keep what XLA compiles for the session: many tests, and the commands that they start, compile the same.

    Each process of tests has a folder of its own, since JAX writes into it without a lock.
    """
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("programs")),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": 0,
    }
    for name, value in settings.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)
    reset_cache()  # what was compiled while tests were imported may have settled that there is none


@pytest.fixture(scope="module")
def hasty_compilation():
    """Let XLA compile without optimising, for modules whose programs are small and many: numbers are the same."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module", autouse=True)
def short_collections():
    """Leave out of garbage collection what earlier modules left alive.

    Brian2 collects before every run of a network, which takes a second where thousands of tests ran before.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def build_cache(tmp_path_factory: pytest.TempPathFactory):
    """Compile afresh in every session: nothing that an earlier version built is believed."""
    os.environ["CORTWIN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    return os.environ["CORTWIN_CACHE"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests compiled C++, so that a run in which they were left out can be told from a whole one."""
    passed = sum("cpp" in report.keywords for report in terminalreporter.stats.get("passed", []))
    terminalreporter.write_line(f"tests that compile C++: {passed} passed")
