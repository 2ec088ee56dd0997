"""Inject every fault, one after another, and simulate after each as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import xarray as xr

from cortwin.faults import commands, models, programs, results
from cortwin.faults.bench import Believed, Bench

# What any engine can meet, and what needs a compiler.
ANYWHERE = {**models.FAULTS, **results.FAULTS, **commands.FAULTS}
COMPILED = programs.FAULTS


@dataclass(frozen=True)
class Outcome:
    """What became of one fault."""

    fault: str
    happened: str
    survived: bool


def count(engine: str, *, around: bool = True) -> int:
    """Return how many faults an engine can meet; ``around`` as for `inject`."""
    return len(_met(engine, around))


def inject(bench: Bench, advance: Callable[[int], None] = lambda n: None, *, around: bool = True) -> list[Outcome]:
    """Inject every fault that the bench's engine can meet, and simulate after each.

    Parameters
    ----------
    bench : what is disturbed
    advance : called with 1 after every fault
    around : whether the faults around the command are injected too, each of which starts processes
    """
    undisturbed = _bytes(bench.simulate())
    found = []
    for fault, cause in _met(bench.engine, around).items():
        folder = bench.folder / str(len(found))
        folder.mkdir()
        try:
            happened, survived = cause(replace(bench, folder=folder)), True
        except Believed as wrong:
            happened, survived = str(wrong), False
        except Exception as error:  # a traceback where one line should have been
            happened, survived = f"{type(error).__name__}: {error}", False
        if _bytes(bench.simulate()) != undisturbed:
            happened, survived = f"{happened}; the next simulation gave other numbers", False
        found.append(Outcome(fault, happened.replace(str(folder), "..."), survived))
        advance(1)
    return found


def _met(engine: str, around: bool) -> dict[str, Callable[[Bench], str]]:
    return {
        name: cause
        for name, cause in (ANYWHERE | (COMPILED if engine == "cpp" else {})).items()
        if around or name not in commands.FAULTS
    }


def _bytes(found: xr.Dataset) -> bytes:
    return b"".join(found[name].to_numpy().tobytes() for name in sorted(found.data_vars, key=str))
