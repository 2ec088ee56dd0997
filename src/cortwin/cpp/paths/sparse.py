"""Spikes over sparse synapses: rows of synapses instead of Brian2's queue of synapses (``cpp/lib/delivery.h``).

Every statement that Brian2 generates for a pathway can be delivered so, and arithmetic keeps Brian2's order. A pathway
is divided among threads where its synapses do not depend on each other: what is written belongs to one synapse or to
one target, and what is read of targets belongs to the same one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable
from brian2.groups.subgroup import Subgroup
from brian2.synapses.synapses import SynapticPathway

from cortwin.blocks import marked
from cortwin.cpp.paths.elements import shares
from cortwin.cpp.paths.request import Choice, Request
from cortwin.cpp.paths.statements import reentrant, written

REPLACES = frozenset({"synapses", "synapses_push_spikes"})
WORD = 4  # bytes, of which events consist (``cpp/lib/pending.h``)


def choose(request: Request) -> Choice | str:
    """Choose rows for both code objects of a pathway, or for none."""
    pathway = request.keywords.get("pathway", request.owner)
    if not isinstance(pathway, SynapticPathway):
        return "it is not a pathway of synapses"
    if marked(pathway.synapses) is not None:
        return "its synapses serve several trials"
    openmp: Any = prefs["devices.cpp_standalone.openmp_threads"]
    if openmp > 0:
        return "Brian2's OpenMP is switched on"
    if request.template == "synapses_push_spikes":
        return Choice("sparse_push_spikes", _where_synapses_lie(request.device, pathway))
    keywords = {
        "divisible": divisible(request, pathway),
        "by_synapse": _arrays(request, _by_synapse(request).values()),
        "travelling": _travelling(request, pathway),
    }
    return Choice("sparse_synapses", keywords)


def divisible(request: Request, pathway: Any) -> bool:
    """Return whether synapses onto different targets can be delivered at the same time."""
    if _target_range(pathway) == (0, 0) or not reentrant(request):
        return False
    owned = _index_of_targets(pathway)
    changed = {name: request.variables[name] for name in written(request.abstract_code) if name in request.variables}
    changed = {name: variable for name, variable in changed.items() if isinstance(variable, ArrayVariable)}
    if any(request.indices[name] not in ("_idx", owned) for name in changed):
        return False
    of_targets = {variable for name, variable in changed.items() if request.indices[name] == owned}
    read = {name for name, variable in request.variables.items() if variable in of_targets}
    return all(request.indices[name] == owned for name in read)


def _index_of_targets(pathway: Any) -> str:
    return "_postsynaptic_idx" if pathway.prepost == "pre" else "_presynaptic_idx"


def _by_synapse(request: Request) -> dict[str, Any]:
    """Return the variables that statements read or write at the synapse, by name."""
    return {
        name: variable
        for name, variable in request.variables.items()
        if isinstance(variable, ArrayVariable) and not variable.scalar and request.indices[name] == "_idx"
    }


def _travelling(request: Request, pathway: Any) -> list[str]:
    """Return the names of the arrays whose values at the synapse can travel with a spike."""
    if pathway.synapses.name not in getattr(request.device, "rows", {}) or not reentrant(request):
        return []
    changed = written(request.abstract_code)
    return _arrays(
        request,
        (
            variable
            for name, variable in _by_synapse(request).items()
            if variable.constant and np.dtype(variable.dtype).itemsize >= WORD and name not in changed
        ),
    )


def _arrays(request: Request, variables: Iterable[Any]) -> list[str]:
    return sorted({request.device.get_array_name(variable) for variable in variables})


def _target_range(pathway: Any) -> tuple[int, int]:
    """Return which elements of the target's arrays are its own; synapses onto synapses have no fixed range."""
    return getattr(pathway.target, "start", 0), getattr(pathway.target, "stop", 0)


def target_group(pathway: Any) -> Any:
    """Return the group that a pathway's targets are or belong to."""
    group = pathway.target
    while isinstance(group, Subgroup):
        group = group.source
    return group


def _where_synapses_lie(device: Any, pathway: Any) -> dict[str, Any]:
    synapses = pathway.synapses
    keywords = {
        "sources": device.get_array_name(pathway.synapse_sources, access_data=False),
        "targets": device.get_array_name(pathway.synapse_targets, access_data=False),
        "target_range": _target_range(pathway),
        "target_group": shares(target_group(pathway)),
        "rows": "",
    }
    if synapses.name in getattr(device, "rows", {}):
        delays = [path.variables["delay"] for path in synapses._pathways]
        kept = {variable for variable in synapses._registered_variables if variable not in delays}
        kept -= {synapses.variables["_synaptic_pre"]}
        keywords["rows"] = f"{synapses.name}_rows"
        keywords["columns"] = sorted(device.get_array_name(variable, access_data=False) for variable in kept)
    return keywords
