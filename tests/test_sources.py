"""Fingerprints of code: what an experiment imports changes them, and nothing else does."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cortwin.sources import ENGINE, engine_fingerprint, fingerprints, imported_files

ROOT = Path(__file__).parents[1]


def test_the_pages_of_an_experiment_are_found():
    found = imported_files(ROOT / "experiments" / "reach.py")
    assert {name: file.resolve() for name, file in found.items() if name != "models"} == {
        "models.elman": ROOT / "models" / "elman.py",
        "models.lif": ROOT / "models" / "lif.py",
    }


def test_a_fingerprint_is_the_hash_of_the_file():
    file = ROOT / "experiments" / "reach.py"
    found = fingerprints(file)
    assert found["experiment"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found["imports"]["models.elman"] == hashlib.sha256((ROOT / "models" / "elman.py").read_bytes()).hexdigest()
    assert found["cortwin"] == engine_fingerprint()


@pytest.fixture
def script(tmp_path):
    """Return a script with a page beside it, one in a folder, one that is never imported, and a circle."""
    (tmp_path / "mine.py").write_text("import numpy\nimport page\ndef late():\n    from folder import inner\n")
    (tmp_path / "page.py").write_text("from deep import value\n")
    (tmp_path / "deep.py").write_text("import mine\nvalue = 1\n")
    (tmp_path / "idle.py").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__init__.py").write_text("from . import inner\n")
    (tmp_path / "folder" / "inner.py").write_text("")
    return tmp_path / "mine.py"


def test_modules_beside_a_script_are_found_at_any_depth(script):
    assert set(imported_files(script)) == {"page", "deep", "folder", "folder.inner"}


@pytest.mark.parametrize("changed", ["mine.py", "page.py", "deep.py", "folder/inner.py"])
def test_a_change_is_seen(script, changed):
    before = fingerprints(script)
    with (script.parent / changed).open("a") as file:
        file.write("# changed\n")
    after = fingerprints(script)
    assert after != before
    assert (after["experiment"] != before["experiment"]) == (changed == "mine.py")


def test_what_is_not_imported_does_not_count(script):
    before = fingerprints(script)
    (script.parent / "idle.py").write_text("changed = True\n")
    assert fingerprints(script) == before


def test_the_engine_is_every_file_of_code_without_the_pages(tmp_path):
    for name in ("a.py", "cpp/b.cpp", "cpp/notes.txt", "__pycache__/a.pyc", "models/m.py", "experiments/e.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("one")
    before = engine_fingerprint.__wrapped__(tmp_path)
    for name, counts in (("a.py", True), ("cpp/b.cpp", True), ("cpp/notes.txt", False), ("__pycache__/a.pyc", False),
                         ("models/m.py", False), ("experiments/e.py", False)):  # fmt: skip
        (tmp_path / name).write_text("two")
        assert (engine_fingerprint.__wrapped__(tmp_path) != before) == counts, name
        (tmp_path / name).write_text("one")
    (tmp_path / "a.py").rename(tmp_path / "z.py")
    assert engine_fingerprint.__wrapped__(tmp_path) != before
    assert (ENGINE / "sources.py").is_file()
