"""A finished run made ready to be run again: the experiment, its parameters to the last bit, seed and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortwin.errors import CortwinError
from cortwin.experiment import Experiment, Run, load_experiment_of
from cortwin.parameters import nearest
from cortwin.run_directory import FIGURES, PARAMETERS, FinishedRun


@dataclass(frozen=True)
class Repetition:
    """What `execute` needs to repeat a run.

    Parameters
    ----------
    experiment, values, run : as `execute` takes them
    figures : whether the run drew figures
    notes : what a reader should know, for instance a parameter that the run did not have
    """

    experiment: Experiment
    values: Mapping[str, Any]
    run: Run
    figures: bool
    notes: tuple[str, ...] = field(default=())


def repetition(
    finished: FinishedRun, *, script: str = "", files: Mapping[str, str] | None = None, jobs: int | None = None
) -> Repetition:
    """Read from its manifest and parameters how to repeat a run.

    Parameters
    ----------
    finished : the run
    script : where its own script is now, if it has moved
    files : parameter -> where a file that the run was given is now, if it has moved
    jobs : processes at a time, on which results do not depend; as many as the run had if left out

    Raises
    ------
    CortwinError
        If its parameters are damaged, if its experiment is gone or does not know one of them any more, or if a file
        that it was given is gone.
    """
    manifest, moved = finished.manifest, dict(files or {})
    stored: dict[str, Any] = finished.json(PARAMETERS)
    experiment = load_experiment_of(finished, script)
    declared, place = experiment.declared, finished.path
    for name in stored:
        if name not in declared:
            raise CortwinError(
                f"{place} cannot be repeated: {experiment.name} has no parameter {name!r} any more; "
                f"the run is of cortwin {manifest['versions'].get('cortwin', 'of an unknown version')}"
            )
    values, notes = {}, []
    for name, one in declared.items():
        if name in moved:
            values[name] = _moved_file(one, moved.pop(name))
        elif name in stored:
            try:
                values[name] = one.from_json(stored[name]["value"], stored[name]["text"])
            except CortwinError as error:
                hint = f"; say where it is with --file {name}=FILE" if one.kind == "Path" else ""
                raise CortwinError(f"{place} cannot be repeated: {error}{hint}") from error
        else:
            values[name] = one.quick if manifest["quick"] else one.default
            notes.append(f"the run had no parameter {name}: {one.display(values[name])} is taken")
    if moved:
        name = next(iter(moved))
        raise CortwinError(f"--file: there is no parameter {name!r}{nearest(name, declared)}")
    run = Run(seed=manifest["seed"], quick=manifest["quick"], engine=manifest["engine"], jobs=jobs or manifest["jobs"])
    run.record("repeats", str(place))
    drawn = any(Path(name).parts[0] == FIGURES for name in manifest["files"])
    return Repetition(experiment, values, run, drawn, tuple(notes))


def _moved_file(one: Any, path: str) -> Any:
    if one.kind != "Path" or one.many:
        raise CortwinError(f"--file: {one.name} is not a file; to change a parameter, run the experiment anew")
    return one.read(Path(path).absolute())  # as a path: the text "none" would stand for no file
