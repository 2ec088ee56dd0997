"""An experiment is a typed function: compute -> results, draw -> figures, report -> sections.

A module is an experiment when it has::

    def compute(run: Run, *, name: Annotated[type, Parameter("meaning")] = default, ...) -> Results
    def draw(results: Results) -> list[Drawing]
    def report(results: Results) -> list[Section]      # optional

    if __name__ == "__main__":
        run_script(__file__)

`draw` and `report` see only what was saved, so that figures can be drawn again without running.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cortwin import catalogue, manifest, progress, result_files, sources
from cortwin.brian2_import import changed_preferences, import_brian2
from cortwin.errors import CortwinError
from cortwin.interruption import Guard, kill_children
from cortwin.parameters import Declared, declare, nearest
from cortwin.parameters import Parameter as Parameter
from cortwin.results import Drawing as Drawing
from cortwin.results import Results as Results
from cortwin.results import Section as Section
from cortwin.results import Table as Table
from cortwin.run_directory import (
    FIGURES,
    MANIFEST,
    PARAMETERS,
    REPORT,
    TIMINGS,
    Destination,
    FinishedRun,
    leave_failure,
    publish,
    seal,
    staging,
)

if TYPE_CHECKING:
    from numpy.random import Generator, SeedSequence

ENGINES = ("cpp", "numpy")
# More would not help: trials are computed in processes of their own, and most laptops have few fast cores.
DEFAULT_JOBS = 2


def default_jobs() -> int:
    """Processes at a time when the user does not say."""
    return min(DEFAULT_JOBS, manifest.available_cores())


@dataclass(frozen=True)
class Run:
    """What an experiment is given: its seed, its options, and ways to say how far it is.

    Parameters
    ----------
    seed : root of all randomness, not negative
    quick : whether small sizes are wanted
    engine : ``"cpp"`` or ``"numpy"``
    jobs : processes at a time; results do not depend on it
    show : whether progress bars are wanted, where they can be seen
    """

    seed: int = 1
    quick: bool = False
    engine: str = "cpp"
    jobs: int = field(default_factory=default_jobs)
    show: bool = True
    timings: dict[str, float] = field(default_factory=dict, repr=False)
    records: dict[str, Any] = field(default_factory=dict, repr=False)
    _display: progress.Display = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise CortwinError(f"the seed must be a whole number that is not negative, got {self.seed}")
        if self.jobs < 1:
            raise CortwinError(f"jobs must be at least 1, got {self.jobs}")
        if self.engine not in ENGINES:
            raise CortwinError(f"there is no engine {self.engine!r}{nearest(self.engine, ENGINES)}")
        object.__setattr__(self, "_display", progress.Display(enabled=self.show))

    def seed_sequence(self, purpose: str) -> SeedSequence:
        """Seeds for one purpose; they depend on the root seed and the name alone, not on what was drawn before."""
        import numpy as np

        words = np.frombuffer(hashlib.sha256(purpose.encode()).digest()[:16], dtype="<u4")
        return np.random.SeedSequence(self.seed, spawn_key=tuple(int(word) for word in words))

    def generator(self, purpose: str) -> Generator:
        """Draw for one purpose, for instance ``"connectivity"``; the same numbers each time it is called."""
        import numpy as np

        return np.random.default_rng(self.seed_sequence(purpose))

    def progress(self, description: str, total: float | None = None) -> AbstractContextManager[progress.Bar]:
        """Open a progress bar; what it yields has `advance(n)` and `update(text)`."""
        return self._display.bar(description, total)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the wall time of a block to `timings.json` under the name of the part."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[part] = self.timings.get(part, 0.0) + time.perf_counter() - start

    def record(self, name: str, value: Any) -> None:
        """Write a fact into the manifest, for instance the compiler and its flags.

        Raises
        ------
        CortwinError
            If the value is not JSON.
        """
        try:
            self.records[name] = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise CortwinError(f"record {name!r} is not JSON: {error}") from error


@dataclass(frozen=True)
class Experiment:
    """An experiment that was found and imported.

    Parameters
    ----------
    name : of the module
    script : its file, if it was named by path
    summary : first line of its docstring
    module : the module
    declared : its parameters
    sources : hashes of its file, of the pages that it imports and of the engine, from when it was imported
    """

    name: str
    script: Path | None
    summary: str
    module: ModuleType
    declared: Mapping[str, Declared]
    sources: Mapping[str, Any] = field(default_factory=dict)

    def compute(self, run: Run, values: Mapping[str, Any]) -> Results:
        """Run the experiment.

        Raises
        ------
        CortwinError
            If it does not hand back results.
        """
        results = self.module.compute(run, **values)
        if not isinstance(results, Results):
            raise CortwinError(f"compute of {self.name} must return Results, got {type(results).__name__}")
        return results

    def draw(self, results: Results) -> list[Drawing]:
        """Draw the figures of saved results."""
        return list(self.module.draw(results))

    def sections(self, results: Results, drawings: Sequence[Drawing]) -> list[Section]:
        """Sections of the report; an experiment without any gets its drawings in order."""
        describe: Callable[[Results], list[Section]] | None = getattr(self.module, "report", None)
        if describe is not None:
            return list(describe(results))
        return [Section(title="Figures", drawings=[drawing.name for drawing in drawings])]


def load_experiment(target: str) -> Experiment:
    """Find an experiment by name, or by the path of a script, and import it.

    Raises
    ------
    CortwinError
        If there is none (with the nearest name), if it cannot be imported, or if it is not an experiment.
    """
    is_path = target.endswith(".py") or os.sep in target
    if is_path:
        script = Path(target).expanduser().absolute()
        if not script.is_file():
            raise CortwinError(f"there is no script {target!r}")
        name = script.stem
    else:
        script, name = None, target
        known = catalogue.entries(catalogue.EXPERIMENTS)
        if name not in known:
            hint = f"; for the script beside you write ./{name}.py" if Path(f"{name}.py").is_file() else ""
            raise CortwinError(f"there is no experiment {name!r}{nearest(name, known)}{hint}")
    import_brian2()
    try:
        if script is None:
            module = importlib.import_module(f"{catalogue.EXPERIMENTS}.{name}")
        else:
            module = catalogue.import_script(script)
    except CortwinError:
        raise
    except Exception as error:
        line = catalogue.line_of(error, script)
        raise CortwinError(f"{target}{line} cannot be imported: {type(error).__name__}: {error}") from error
    for function in ("compute", "draw"):
        if not callable(getattr(module, function, None)):
            raise CortwinError(f"{target} is not an experiment: it has no function {function}")
    doc = (module.__doc__ or "").strip()
    return Experiment(
        name=name,
        script=script,
        summary=doc.splitlines()[0] if doc else "",
        module=module,
        declared=declare(module.compute),
        sources=sources.fingerprints(Path(str(module.__file__))),
    )


def load_experiment_of(finished: FinishedRun, script: str = "") -> Experiment:
    """Import the experiment of a finished run.

    Parameters
    ----------
    finished : the run
    script : where its own script is now, if it has moved

    Raises
    ------
    CortwinError
        If the script is gone, or the experiment cannot be imported.
    """
    script = script or finished.manifest.get("script", {}).get("path", "")
    if not script:
        return load_experiment(finished.manifest["experiment"])
    path = Path(script).expanduser().absolute()
    if not path.is_file():
        raise CortwinError(f"the script {path} is gone: say where it is with --script FILE")
    return load_experiment(str(path))


def execute(
    experiment: Experiment,
    values: Mapping[str, Any],
    run: Run,
    target: Destination,
    *,
    command: list[str],
    guard: Guard | None = None,
    figures: bool = True,
) -> Path:
    """Compute, save, draw, report, and put the finished directory in its place.

    Parameters
    ----------
    experiment, values, run : what to compute
    target : where the result shall stand
    command : the words that started it, for the manifest and the report
    guard : holder of signals, so that a stopped run leaves nothing behind
    figures : False leaves out figures and report, which `redraw` makes later from what is saved

    Returns
    -------
    Path
        Where the result stands.

    Raises
    ------
    Exception
        Whatever the experiment raised. The place then holds `FAILED.json`: error, log, parameters, seed and command.
    """
    from cortwin.report import write_report

    guard = guard or Guard()
    with staging(target) as folder:
        guard.cleanups += [kill_children, lambda: shutil.rmtree(folder, ignore_errors=True)]
        started = time.time()
        facts = {
            **manifest.origin(command=command, seed=run.seed, script=experiment.script),
            "sources": dict(experiment.sources),
            "inputs": _input_files(values),
            "preferences": changed_preferences(),
            "experiment": experiment.name,
            "quick": run.quick,
            "engine": run.engine,
            "jobs": run.jobs,
        }
        parameters = _parameters_to_json(experiment.declared, values)
        with _telling_failure(folder, target, facts, parameters):
            result_files.write_json(folder / PARAMETERS, parameters)
            with run.timed("total"):
                with run.timed("compute"):
                    results = experiment.compute(run, values)
                with run.timed("save"), _naming(target.path):
                    result_files.write_results(folder, results)
                    # What cannot be read back must not count as saved.
                    results = result_files.read_results(folder)
                if warnings := results.warnings():
                    run.record("warnings", warnings)
                if figures:
                    with run.timed("draw"):
                        drawings = experiment.draw(results)
                        with _naming(target.path):
                            write_drawings(folder, drawings)
            result_files.write_json(folder / TIMINGS, {name: round(run.timings[name], 4) for name in run.timings})
            facts |= {"records": run.records, "started": _clock(started), "finished": _clock(time.time())}
            if figures:
                sections = experiment.sections(results, drawings)
                write_report(folder, facts, experiment.summary, results, drawings, sections)
            with guard.shield():
                seal(folder, facts)
                return publish(folder, target)


def redraw(finished: FinishedRun, experiment: Experiment) -> list[str]:
    """Draw the figures and the report of a finished run again, from what it saved.

    Each file is replaced in one step and the manifest last; if that is interrupted, a figure may not match its hash
    until it is drawn again, and the data stay whole.

    Returns
    -------
    list of str
        Names of the drawings.
    """
    from cortwin.report import write_report

    results = finished.results()
    finished.require(PARAMETERS, TIMINGS)
    if (finished.path / FIGURES).is_symlink():
        raise CortwinError(f"{finished.path / FIGURES} is a link out of the run: remove it and draw again")
    drawings = experiment.draw(results)
    facts = {key: value for key, value in finished.manifest.items() if key != "files"}
    with staging(Destination(finished.path, chosen=True)) as folder:
        for name in (*result_files.DATA_FILES, PARAMETERS, TIMINGS):
            shutil.copy2(finished.path / name, folder / name)
        write_drawings(folder, drawings)
        write_report(folder, facts, experiment.summary, results, drawings, experiment.sections(results, drawings))
        seal(folder, facts)
        new = {file.name for file in (folder / FIGURES).iterdir()}
        (finished.path / FIGURES).mkdir(exist_ok=True)
        for name in sorted(new):
            (folder / FIGURES / name).replace(finished.path / FIGURES / name)
        for old in (finished.path / FIGURES).iterdir():
            if old.name not in new:
                old.unlink()
        for name in (REPORT, MANIFEST):
            (folder / name).replace(finished.path / name)
    return [drawing.name for drawing in drawings]


def write_drawings(folder: Path, drawings: Sequence[Drawing]) -> None:
    """Write every figure as PNG and as SVG, the same bytes each time.

    Raises
    ------
    CortwinError
        For a name that is no file name, or that comes twice.
    """
    from cortwin.figures import save
    from cortwin.results import require_name

    (folder / FIGURES).mkdir()
    seen: set[str] = set()
    for drawing in drawings:
        name = require_name(drawing.name, "a drawing")
        if name in seen:
            raise CortwinError(f"two drawings are called {name!r}")
        seen.add(name)
        save(drawing.figure, folder / FIGURES, name)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(drawing.figure)


def run_script(file: str) -> None:
    """Make `python experiments/NAME.py ...` the same as `cortwin run experiments/NAME.py ...`.

    The interpreter is started afresh, because the number of BLAS threads is read when NumPy is imported, and a script
    has imported it before it comes here.
    """
    sys.stdout.flush()
    # -P: nothing is imported from the current folder by accident.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "cortwin", "run", file, *sys.argv[1:]])


@contextmanager
def _telling_failure(
    folder: Path, target: Destination, facts: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Iterator[None]:
    """Leave `FAILED.json` in the run's place when it fails; who interrupts it knows why there are no results."""
    try:
        yield
    except Exception as error:
        known = isinstance(error, CortwinError)
        content = {
            **facts,
            "error": " ".join((str(error) if known else f"{type(error).__name__}: {error}").split()),
            "log": getattr(error, "log", "").splitlines(),
            "traceback": [] if known else "".join(traceback.format_exception(error)).splitlines(),
            "parameters": {name: one["text"] for name, one in parameters.items()},
            "failed": _clock(time.time()),
        }
        if file := leave_failure(folder, target, content):
            error.add_note(f"{os.path.relpath(file)} says more")
        raise


@contextmanager
def _naming(place: Path) -> Iterator[None]:
    """Say what could not be written; a full disk speaks up without a name."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(place)
        raise


def _parameters_to_json(declared: Mapping[str, Declared], values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "value": one.to_json(values[name]),
            "unit": "SI" if one.kind == "Quantity" else None,
            "text": one.display(values[name]),
            "default": one.display(one.default),
            "meaning": one.parameter.meaning,
        }
        for name, one in declared.items()
    }


def _input_files(values: Mapping[str, Any]) -> dict[str, str]:
    """Return name of parameter -> hash, for the files that a run is given."""
    return {
        name: manifest.hash_of(value) for name, value in values.items() if isinstance(value, Path) and value.is_file()
    }


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
