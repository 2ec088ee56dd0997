"""Parts of a compiled program that no fast path took, and that run in every step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Brian2's templates of what runs in a step; the others prepare a network or end a run.
IN_STEPS = frozenset(
    """stateupdate threshold reset synapses synapses_push_spikes summed_variable spikegenerator spikemonitor
    statemonitor ratemonitor""".split()
)


def fallbacks(code_objects: Iterable[Mapping[str, str]]) -> list[str]:
    """Return a line for each code object of a program's steps that got Brian2's own template, with the reason.

    Parameters
    ----------
    code_objects : of `cortwin.simulation.Simulation`
    """
    return [
        f"{one['code_object']} uses Brian2's '{one['stock']}': {one['reason'] or 'there is no fast path for it'}"
        for one in code_objects
        if one["stock"] in IN_STEPS and one["used"] == one["stock"]
    ]
