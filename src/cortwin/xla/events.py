"""Events of this step, spikes or custom ones: an array of 0 and 1 for all neurons of a group."""

from __future__ import annotations

from typing import Any

from brian2.groups.subgroup import Subgroup


def owner_of(group: Any) -> Any:
    """Return the group that a subgroup is part of, or the group itself."""
    return group.source if isinstance(group, Subgroup) else group


def size_of_owner(group: Any) -> int:
    """Return the number of neurons of the group that a subgroup is part of."""
    return int(group.variables["_source_N"].get_value()) if isinstance(group, Subgroup) else len(group)


def neurons_of(group: Any) -> slice:
    """Return which neurons of its owner a group consists of."""
    return slice(group.start, group.stop) if isinstance(group, Subgroup) else slice(0, len(group))


def events_key(group: Any, event: str = "spike") -> str:
    """Return the key of a group's events in this step: (n,) float array of 0 and 1, of all neurons of its owner."""
    return f"{owner_of(group).name}._{event}space"
