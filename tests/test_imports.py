"""Imports point one way: every import of the tree, lazy ones included, against one table of layers."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import cortwin

ROOT = Path(__file__).parents[1]

# From the top to the ground. A part imports parts of the rows below its own, and none beside it or above.
LAYERS = (
    ("experiments",),
    ("models",),
    ("__main__",),
    ("cli",),
    ("doctor",),
    ("over_seeds",),
    ("battery", "faults", "provenance", "study", "sweep"),
    ("comparison",),
    ("experiment",),
    ("report",),
    ("run_directory",),
    ("estimator", "exchange", "manifest", "result_files", "speed"),
    ("catalogue", "interruption", "parameters", "progress", "results", "sources"),
    ("twins",),
    ("ladder", "surrogate_descent"),
    ("agreement", "brian2_export", "convergence", "differentiation", "dynamics"),
    ("network", "training", "readout"),
    ("simulation",),
    ("cpp", "resources", "xla"),
    ("builder", "ensemble", "perturbation"),
    ("blocks", "intervention", "populations", "recurrent_lif"),
    ("model",),
    ("activations", "connectivity", "drives", "equations", "links"),
    ("blow_ups", "brian2_import", "fitting", "inputs"),
    ("figures",),
    ("tasks", "analysis"),
    ("archives",),
    ("activity", "errors", "cortwin"),
)
ROW = {part: row for row, parts in enumerate(LAYERS) for part in parts}
# What computes: figures and everything below them may not import it.
ENGINES = {"brian2", "jax", "jaxlib", "optax"}
WITHOUT_ENGINE = {part for parts in LAYERS[LAYERS.index(("figures",)) :] for part in parts}
# Who may import a module by a name known only at run time: experiments, and the translators beside the registry; and
# the package itself, whose public names (`cortwin.ELSEWHERE`) stand above it in the table and are found when asked for.
IMPORT_BY_NAME = {"__init__.py", "catalogue.py", "experiment.py", "xla/registry.py"}

# Imported where it is there, and never needed: a progress bar inside a notebook, and what `speed` is compared with.
OPTIONAL = {"ipython", "torch", "keras"}
# Needed although no file of ours imports it.
INDIRECT = {"h5py"}


def sources(root: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield part, dotted package and file of everything that is installed; the links to the pages are not followed."""
    engine = root / "src" / "cortwin"
    for file in sorted(engine.rglob("*.py")):
        inside = file.relative_to(engine)
        if inside.parts[0] in ("models", "experiments"):
            continue
        part = (
            "cortwin"
            if inside.name == "__init__.py" and len(inside.parts) == 1
            else inside.parts[0].removesuffix(".py")
        )
        yield part, ".".join(("cortwin", *inside.parts[:-1])), file
    for page in ("models", "experiments"):
        for file in sorted((root / page).glob("*.py")):
            yield page, f"cortwin.{page}", file


def imports(file: Path, package: str) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every import of a file, wherever it stands."""
    for node in import_statements(file.read_bytes()):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        else:
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


@cache
def import_statements(text: bytes) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Return the imports of a text; the same text is parsed once for all copies of the tree."""
    return tuple(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom))


def part_of(name: str) -> str | None:
    """Return the part that an imported name belongs to, None when it is not ours."""
    words = name.split(".")
    if words[0] in ("models", "experiments"):
        return words[0]
    if words[0] != "cortwin":
        return None
    return words[1] if len(words) > 1 and words[1] in ROW else "cortwin"


def wrong_arrows(root: Path) -> list[str]:
    """Return one line for each import that points upwards or sideways, and for each part without a row."""
    found = []
    for part, package, file in sources(root):
        place = file.relative_to(root)
        if part not in ROW:
            found.append(f"{place}: '{part}' has no row in LAYERS")
            continue
        for line, name in imports(file, package):
            target = part_of(name)
            if target is not None and target != part and ROW[target] <= ROW[part]:
                found.append(f"{place}:{line}: {part} imports {target}")
            if part in WITHOUT_ENGINE and name.split(".")[0] in ENGINES:
                found.append(f"{place}:{line}: {part} imports {name.split('.')[0]}")
    return found


def test_every_import_points_downwards():
    assert wrong_arrows(ROOT) == []


def test_the_table_has_no_row_for_what_is_not_there():
    assert {part for part, _, _ in sources(ROOT)} == set(ROW)


def test_modules_are_imported_by_name_in_few_places_only():
    engine = ROOT / "src" / "cortwin"
    found = set()
    for _, _, file in sources(ROOT):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
                found.add(file.relative_to(engine).as_posix() if file.is_relative_to(engine) else file.name)
    assert found == IMPORT_BY_NAME


def test_the_package_imports_nothing_heavy_until_a_public_name_is_asked_for():
    script = "import sys, cortwin; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "cortwin" in loaded
    assert not loaded & {*ENGINES, "numpy", "xarray"}


def test_public_names_that_stand_elsewhere_are_there():
    for name in cortwin.ELSEWHERE:
        assert getattr(cortwin, name).__name__ == name
        assert name in dir(cortwin)
    with pytest.raises(AttributeError, match="no attribute 'from_nowhere'"):
        _ = cortwin.from_nowhere


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what is installed, to plant wrong imports in."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("src", "models", "experiments"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("src/cortwin/model.py", "from cortwin.builder import Layout", "model imports builder"),
        (
            "src/cortwin/builder/objects.py",
            "def late():\n    from cortwin import simulation",
            "builder imports simulation",
        ),
        ("src/cortwin/cpp/cache.py", "from ..xla import compile", "cpp imports xla"),
        ("src/cortwin/cpp/cache.py", "from .. import simulation", "cpp imports simulation"),
        ("src/cortwin/cpp/cache.py", "import cortwin.simulation", "cpp imports simulation"),
        ("src/cortwin/training/fit.py", "from cortwin.ladder import climb", "training imports ladder"),
        ("src/cortwin/ladder.py", "from cortwin.experiment import Run", "ladder imports experiment"),
        ("src/cortwin/experiment.py", "from cortwin.cli import main", "experiment imports cli"),
        ("src/cortwin/simulation.py", "from cortwin.models import elman", "simulation imports models"),
        ("src/cortwin/simulation.py", "from models import elman", "simulation imports models"),
        ("models/elman.py", "from cortwin.experiments import reach", "models imports experiments"),
        ("src/cortwin/analysis/cka.py", "from cortwin.model import Model", "analysis imports model"),
        ("src/cortwin/analysis/cka.py", "import jax.numpy as jnp", "analysis imports jax"),
        ("src/cortwin/figures/hands.py", "from cortwin.readout import r2", "figures imports readout"),
        ("src/cortwin/tasks/reach.py", "def late():\n    from brian2 import ms", "tasks imports brian2"),
        ("src/cortwin/novelty.py", "", "'novelty' has no row in LAYERS"),
        ("src/cortwin/novelty/__init__.py", "", "'novelty' has no row in LAYERS"),
    ],
)
def test_an_arrow_that_turns_round_is_found(copy, file, line, complaint):
    planted = copy / file
    planted.parent.mkdir(exist_ok=True)
    before = planted.read_text(encoding="utf-8") if planted.exists() else None
    planted.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    try:
        (found,) = wrong_arrows(copy)
    finally:
        planted.unlink() if before is None else planted.write_text(before, encoding="utf-8")
    assert found.startswith(file)
    assert found.endswith(complaint)


def required(*extras: str) -> set[str]:
    """Return the packages that pyproject.toml names, with those of some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    return {normal(re.match(r"[\w.-]+", text)[0]) for text in texts}


def normal(name: str) -> str:
    """Return a package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def third_party(files: Iterator[tuple[str, Path]]) -> dict[str, str]:
    """Return package -> a file that imports it, for everything that is neither ours nor Python's own."""
    known = packages_distributions()
    own = {"cortwin", "models", "experiments", *(file.stem for file in (ROOT / "tests").rglob("*.py"))}
    found = {}
    for package, file in files:
        for _, name in imports(file, package):
            top = name.split(".")[0]
            if top not in own and top not in sys.stdlib_module_names:
                found[normal(known.get(top, [top])[0])] = file.relative_to(ROOT).as_posix()
    return found


def test_every_package_that_is_imported_is_required():
    installed = ((package, file) for _, package, file in sources(ROOT))
    found = third_party(installed)
    missing = {name: file for name, file in found.items() if name not in required("cluster", "parquet") | OPTIONAL}
    assert missing == {}
    assert required() - set(found) == INDIRECT


def test_every_package_that_the_tests_import_is_in_an_extra():
    tests = (("tests", file) for file in sorted((ROOT / "tests").rglob("*.py")))
    found = third_party(tests)
    assert {name: file for name, file in found.items() if name not in required("test", "compare")} == {}
