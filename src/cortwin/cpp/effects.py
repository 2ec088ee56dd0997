"""What a code object touches: what must be known of two of them before threads may go through both at the same time.

Known are those with a template of ours. A code object reads every array that Brian2 hands it, and writes those that its
statements assign to and what its template fills. A user's own functions may keep a state, and numbers that are drawn
now and then would come in another order: of such code objects, and of Brian2's own templates, nothing is known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from brian2.core.variables import ArrayVariable
from brian2.synapses.synapses import SynapticPathway

from cortwin.cpp.paths import Choice, Request
from cortwin.cpp.paths.sparse import target_group
from cortwin.cpp.paths.statements import reentrant, written

EVENTS = 8  # elements for each one that has an event, or so


@dataclass(frozen=True)
class Effects:
    """What a code object touches, by the names of arrays and of what else lasts.

    Parameters
    ----------
    reads, writes : names; what is written may be read, too
    shares : for a code object that every thread goes through for its own elements: by whose elements each array is
        divided; arrays that are not named are read by all. None for a code object that is one thread's.
    elements : how many it goes through, or so
    early : whether it asks for memory that a later one uses, which had better come long before
    """

    reads: frozenset[str]
    writes: frozenset[str]
    shares: Mapping[str, str] | None = None
    elements: int = 1
    early: bool = False

    def follows(self, earlier: Effects) -> bool:
        """Whether it may not begin before another one, which is called earlier, has ended."""
        return any(not self._divided_alike(earlier, name) for name in self._common(earlier))

    def touches(self, earlier: Effects) -> bool:
        """Whether it has anything in common with another one that one of them writes."""
        return bool(self._common(earlier))

    def _common(self, other: Effects) -> frozenset[str]:
        return (self.writes & (other.reads | other.writes)) | (self.reads & other.writes)

    def _divided_alike(self, other: Effects, name: str) -> bool:
        if self.shares is None or other.shares is None:
            return False
        return self.shares.get(name) is not None and self.shares.get(name) == other.shares.get(name)


@dataclass(frozen=True)
class Made:
    """A code object's request and what it got, for when its template has been filled in.

    Parameters
    ----------
    request, choice : what Brian2 asked for, and the template of ours that it got
    arrays : name in C++ of each array variable of the device
    """

    request: Request
    choice: Choice
    arrays: Mapping[Any, str] = field(repr=False)

    @property
    def pathway(self) -> Any:
        """Brian2's pathway, None where the code object belongs to none."""
        owner = self.request.keywords.get("pathway", self.request.owner)
        return owner if isinstance(owner, SynapticPathway) else None

    def effects(self, divided: Collection[str]) -> Effects | None:
        """Return what the code object touches; None where that is unknown.

        Parameters
        ----------
        divided : names of pathways that deliver to different targets at the same time
        """
        request, choice = self.request, self.choice
        drawing = choice.keywords.get("draw_first")
        if not reentrant(request, drawing=drawing is not None and drawing.left is False):
            return None
        told = {**request.keywords, **choice.keywords}
        reads = self._names([*request.variables.values(), *_variables_in(told.values())])
        statements = written(request.abstract_code or "")
        writes = self._names(request.variables[name] for name in statements if name in request.variables)
        lasting, filled = self._filled(told)
        shares, early = self._shares(lasting, divided), choice.template == "sparse_push_spikes"
        return Effects(reads, writes | filled | lasting, shares, self._elements(), early)

    def _names(self, variables: Iterable[Any]) -> frozenset[str]:
        return frozenset(self.arrays[variable] for variable in variables if isinstance(variable, ArrayVariable))

    def _filled(self, told: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
        """Return names of what lasts from step to step in our library, and of the arrays that the template fills."""
        template, owner = self.choice.template, self.request.owner
        if template in ("sparse_push_spikes", "sparse_synapses"):
            return frozenset({f"spikes of {self.pathway.name}"}), frozenset()
        if template in ("dense_push", "dense_deliver"):
            return frozenset({f"ring {told['ring']}"}), frozenset()
        if template in ("dense_product", "dense_sum"):
            return frozenset(), self._names([told["_target_var"]])
        if template == "crossings":
            own = [self.request.variables.get(name) for name in ("not_refractory", "lastspike")]
            return frozenset(), self._names([told["eventspace_variable"], *own])
        if template in ("spike_record", "state_record", "rate_record"):
            everything = [*self.request.variables.values(), *_variables_in(told.values())]
            return frozenset(), self._names(v for v in everything if _name(getattr(v, "owner", None)) == owner.name)
        return frozenset(), frozenset()

    def _shares(self, lasting: Collection[str], divided: Collection[str]) -> Mapping[str, str] | None:
        """Return by whose elements each array is divided, where each thread has its share of the code object."""
        request, choice = self.request, self.choice
        whose = {"_idx": f"elements of {request.owner.name}"}
        if choice.template in ("sparse_push_spikes", "sparse_synapses"):
            if self.pathway.name not in divided:
                return None
            end = "_postsynaptic_idx" if self.pathway.prepost == "pre" else "_presynaptic_idx"
            # Whose synapse it is depends on which of its ends is the target.
            whose = {
                "_idx": f"synapses of {self.pathway.synapses.name} by {end}",
                end: f"elements of {target_group(self.pathway).name}",
            }
        elif not choice.keywords.get("divisible") or getattr(choice.keywords.get("draw_first"), "left", False):
            return None
        apart = request.keywords.get("eventspace_variable")
        shares = {
            self.arrays[variable]: whose[request.indices[name]]
            for name, variable in request.variables.items()
            if isinstance(variable, ArrayVariable)
            and not variable.scalar
            and variable is not apart
            and request.indices[name] in whose
        }
        # Each thread remembers spikes for itself.
        return shares | dict.fromkeys(lasting, "threads")

    def _elements(self) -> int:
        try:
            number = len(getattr(self.request.owner, "source", self.request.owner))
        except (TypeError, NotImplementedError):  # nobody knows how many synapses there will be
            return 1
        return number if self.choice.template == "crossings" else 1 + number // EVENTS


def divided_pathways(made: Iterable[Made]) -> set[str]:
    """Return the names of pathways whose code objects all deliver to different targets at the same time."""
    delivering = [one for one in made if one.choice.template == "sparse_synapses"]
    serial = {one.pathway.name for one in delivering if not one.choice.keywords["divisible"]}
    return {one.pathway.name for one in delivering} - serial


def _variables_in(values: Iterable[Any]) -> Iterator[Any]:
    """Yield what a template is told, and what stands in dicts and lists of it."""
    for value in values:
        if isinstance(value, Mapping):
            yield from value.values()
        elif isinstance(value, list | tuple):
            yield from value
        else:
            yield value


def _name(owner: Any) -> str | None:
    return getattr(owner, "name", None)
