"""The wheel: what it carries, and that it is enough without a clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy: a build leaves files behind, and takes up what an earlier one left."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("src", "models", "experiments"):
        leftovers = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, folder / "tree" / name, symlinks=True, ignore=leftovers)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / "tree")
    command = [sys.executable, "-c", BUILD, str(folder)]
    done = subprocess.run(command, cwd=folder / "tree", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("cortwin-*-py3-none-any.whl")
    return file


def test_the_wheel_carries_the_engine_the_pages_and_the_experiments(wheel):
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        f"cortwin/{file.relative_to(ROOT / 'src' / 'cortwin').as_posix()}"
        for file in (ROOT / "src" / "cortwin").rglob("*.py")
    }
    for folder in ("models", "experiments"):
        expected |= {f"cortwin/{folder}/{file.name}" for file in (ROOT / folder).glob("*.py")}
    assert {"cortwin/models/elman.py", "cortwin/experiments/reach.py"} <= expected
    for part, ending in (("cpp", "*.cpp"), ("cpp", "*.h")):
        engine = ROOT / "src" / "cortwin"
        expected |= {f"cortwin/{file.relative_to(engine).as_posix()}" for file in (engine / part).rglob(ending)}
    experiments = ROOT / "experiments"
    for file in (*experiments.glob("*.cpp"), *(experiments / "contestants").glob("*.*")):
        expected.add(f"cortwin/experiments/{file.relative_to(experiments).as_posix()}")
    texts = {"py.typed", "report.html", "report.css", "battery/page_template.txt"}
    assert carried == expected | {f"cortwin/{name}" for name in texts}


def test_the_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
        entry_points = archive.read(name.replace("METADATA", "entry_points.txt")).decode()
        assert name.replace("METADATA", "licenses/LICENSE") in archive.namelist()
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nRequires-Python: <3.14,>=3.11\n" in metadata
    assert "cortwin = cortwin.cli:main" in entry_points


def test_the_wheel_works_without_a_clone(wheel, tmp_path):
    installed, empty = tmp_path / "site", tmp_path / "empty folder"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed)}

    def python(*words: str) -> str:
        command = [sys.executable, "-P", "-W", "ignore", *words]
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    code = "import cortwin.models.elman as m, cortwin.experiments.reach as e; print(m.__file__, e.__file__, sep='\\n')"
    assert all(Path(line).is_relative_to(installed) for line in python("-c", code).splitlines())
    listed = python("-m", "cortwin", "list")
    assert "reach" in listed
    assert "elman" in listed
