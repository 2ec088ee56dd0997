"""The points of a sweep, each named by a hash of everything that its numbers depend on."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortwin.errors import CortwinError
from cortwin.experiment import ENGINES, Experiment
from cortwin.manifest import hash_of
from cortwin.parameters import nearest, resolve
from cortwin.sweep.design import Design

NAME_DIGITS = 24  # of the hash, 96 bits


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Parameters
    ----------
    name : of its directory
    seed : of the experiment
    given : text of every parameter that the design sets
    values : the same as JSON, to the last bit, quantities in SI units
    """

    name: str
    seed: int
    given: Mapping[str, str]
    values: Mapping[str, Any]

    def __str__(self) -> str:
        return " ".join([*(f"{name}={text}" for name, text in self.given.items()), f"seed={self.seed}"])


@dataclass(frozen=True)
class Options:
    """What all points of a sweep share beside the design.

    Parameters
    ----------
    quick : whether parameters that the design does not set take their quick values
    engine : ``"cpp"`` or ``"numpy"``
    """

    quick: bool = False
    engine: str = "cpp"

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise CortwinError(f"there is no engine {self.engine!r}{nearest(self.engine, ENGINES)}")


def make_points(experiment: Experiment, design: Design, options: Options, code: Mapping[str, Any]) -> list[Point]:
    """Return all points of a design, checked, seeds innermost.

    Parameters
    ----------
    experiment : what is run
    design : what is varied
    options : what is shared
    code : fingerprints of the code, from `cortwin.sources`

    Raises
    ------
    CortwinError
        For a parameter that does not exist, a value that breaks its rule, or two points that are the same.
    """
    contents: dict[Path, str] = {}
    points: dict[str, Point] = {}
    for given in design.combinations(experiment.declared):
        values = resolve(experiment.declared, given, quick=options.quick)
        exact = {name: declared.to_json(values[name]) for name, declared in experiment.declared.items()}
        files = {}
        for name, value in values.items():
            if isinstance(value, Path):
                # Workers stand in folders of their own; and a file is what is in it.
                given |= {name: str(value)} if name in given else {}
                if value.is_file():
                    files[name] = contents[value] = contents.get(value) or hash_of(value)
        for seed in design.seeds:
            content = {
                "experiment": experiment.name,
                "parameters": exact,
                "files": files,
                "seed": seed,
                "engine": options.engine,
                "quick": options.quick,
                "code": code,
            }
            name = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:NAME_DIGITS]
            point = Point(name, seed, given, {parameter: exact[parameter] for parameter in given})
            if name in points:
                advice = "draw fewer, or list the values" if design.draws else "name each value once"
                raise CortwinError(f"two points of the sweep are the same, {point}: {advice}")
            points[name] = point
    return list(points.values())


def command(target: str, point: Point, options: Options) -> list[str]:
    """Return the words that compute a point alone, for its manifest."""
    words = ["cortwin", "run", target, "--seed", str(point.seed)]
    words += ["--quick"] if options.quick else []
    words += ["--engine", options.engine] if options.engine != ENGINES[0] else []
    return [*words, *(word for name, text in point.given.items() for word in ("--set", f"{name}={text}"))]


def command_line(target: str, point: Point, options: Options) -> str:
    """Return the same as one line for a shell."""
    return shlex.join(command(target, point, options))
