"""Brian2 is imported from a folder of our own, and what cannot be imported is said in one line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.failure("install: NumPy 2.4 under Brian2 2.9")
@pytest.mark.parametrize(
    "fault",
    [
        "raise ImportError('cannot import name _broken from numpy')",
        "raise AttributeError('module numpy has no attribute in1d')",
    ],
)
def test_versions_that_do_not_fit_are_one_line(tmp_path, fault):
    (tmp_path / "brian2").mkdir()
    (tmp_path / "brian2" / "__init__.py").write_text(fault)
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "cortwin", "run", "reach", "--quick"],
        cwd=tmp_path / "empty",
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be imported with NumPy" in done.stderr
    assert "Brian2 2.9 needs numpy<2.4; `cortwin doctor` says what is installed" in done.stderr
    assert list((tmp_path / "empty").iterdir()) == []
