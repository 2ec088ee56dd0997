"""Rules of connection, with the field's names: who is connected to whom, said without listing it.

An autapse connects a neuron to itself, which is possible only within one population; multapses are several synapses
from one neuron to one other. Terms and rules as in Senk et al. 2022, Connectivity concepts in neuronal network
modeling, doi:10.1371/journal.pcbi.1010086.

Each rule tells how many synapses it makes (on average, where that is random), and why it cannot be met between
``n_source`` and ``n_target`` neurons, which are ``same`` when source and target are one population.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AllToAll:
    """Every source to every target."""

    autapses: bool = True

    def synapses(self, n_source: int, n_target: int, same: bool) -> int:
        """Return the number of synapses."""
        return n_source * _others(n_target, self.autapses, same)

    def problem(self, n_source: int, n_target: int, same: bool) -> str:
        """Return why the rule cannot be met; it always can."""
        del n_source, n_target, same
        return ""


@dataclass(frozen=True)
class OneToOne:
    """Each source to the target of the same number."""

    def synapses(self, n_source: int, n_target: int, same: bool) -> int:
        """Return the number of synapses."""
        del n_target, same
        return n_source

    def problem(self, n_source: int, n_target: int, same: bool) -> str:
        """Return why the rule cannot be met, or nothing."""
        del same
        return "" if n_source == n_target else f"one-to-one between {n_source} and {n_target} neurons"


@dataclass(frozen=True)
class PairwiseBernoulli:
    """Every pair on its own, with a probability."""

    probability: float
    autapses: bool = True

    def synapses(self, n_source: int, n_target: int, same: bool) -> int:
        """Return the expected number of synapses."""
        return round(self.probability * n_source * _others(n_target, self.autapses, same))

    def problem(self, n_source: int, n_target: int, same: bool) -> str:
        """Return why the rule cannot be met, or nothing."""
        del n_source, n_target, same
        return "" if 0 <= self.probability <= 1 else f"the probability {self.probability} is not between 0 and 1"


@dataclass(frozen=True)
class FixedIndegree:
    """The same number of synapses onto every target, from sources drawn at random."""

    indegree: int
    autapses: bool = True
    multapses: bool = True

    def synapses(self, n_source: int, n_target: int, same: bool) -> int:
        """Return the number of synapses."""
        del n_source, same
        return self.indegree * n_target

    def problem(self, n_source: int, n_target: int, same: bool) -> str:
        """Return why the rule cannot be met, or nothing."""
        del n_target
        return _too_many("in-degree", self.indegree, _others(n_source, self.autapses, same), "sources", self.multapses)


@dataclass(frozen=True)
class FixedOutdegree:
    """The same number of synapses from every source, onto targets drawn at random."""

    outdegree: int
    autapses: bool = True
    multapses: bool = True

    def synapses(self, n_source: int, n_target: int, same: bool) -> int:
        """Return the number of synapses."""
        del n_target, same
        return self.outdegree * n_source

    def problem(self, n_source: int, n_target: int, same: bool) -> str:
        """Return why the rule cannot be met, or nothing."""
        del n_source
        others = _others(n_target, self.autapses, same)
        return _too_many("out-degree", self.outdegree, others, "targets", self.multapses)


@dataclass(frozen=True)
class FixedTotalNumber:
    """A number of synapses between pairs drawn at random."""

    number: int
    autapses: bool = True
    multapses: bool = True

    def synapses(self, n_source: int, n_target: int, same: bool) -> int:
        """Return the number of synapses."""
        del n_source, n_target, same
        return self.number

    def problem(self, n_source: int, n_target: int, same: bool) -> str:
        """Return why the rule cannot be met, or nothing."""
        pairs = n_source * _others(n_target, self.autapses, same)
        return _too_many("number of synapses", self.number, pairs, "pairs", self.multapses)


@dataclass(frozen=True)
class FromArrays:
    """The synapses that two arrays list: the numbers of their neurons.

    They are named as in the model's shapes, ``{"sources": ("synapses",), "targets": ("synapses",)}``. Synapses are kept
    sorted by source, those of one source in the order of the arrays.
    """

    source: str
    target: str


Rule = AllToAll | OneToOne | PairwiseBernoulli | FixedIndegree | FixedOutdegree | FixedTotalNumber | FromArrays


def _others(n: int, autapses: bool, same: bool) -> int:
    """Return how many neurons of a population a neuron may be connected to."""
    return n - 1 if same and not autapses else n


def _too_many(what: str, wanted: int, possible: int, of: str, multapses: bool) -> str:
    """Say why a number of synapses cannot be had of that many possible sources, targets or pairs."""
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0:
        return f"the {what} {wanted!r} is not a whole number of at least 0"
    if wanted > 0 and possible == 0:
        return f"the {what} is {wanted}, but there are no possible {of}"
    if not multapses and wanted > possible:
        return f"the {what} is {wanted} without multapses, but there are {possible} possible {of}"
    return ""
