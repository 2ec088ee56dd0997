"""The groups themselves: nothing happens in them, but they own the state and say what is not covered."""

from __future__ import annotations

from typing import Any

from brian2.core.variables import ArrayVariable
from brian2.groups.neurongroup import NeuronGroup
from brian2.groups.subgroup import Subgroup
from brian2.input.poissongroup import PoissonGroup
from brian2.input.spikegeneratorgroup import SpikeGeneratorGroup
from brian2.synapses.synapses import Synapses

from cortwin.errors import CortwinError
from cortwin.xla.compiler import Compilation
from cortwin.xla.environment import key_of
from cortwin.xla.events import owner_of
from cortwin.xla.registry import translates


def require_neurons(group: Any, user: str) -> None:
    """Refuse sources and targets whose elements are not neurons.

    Raises
    ------
    CortwinError
        For Synapses and compartments.
    """
    owner = owner_of(group)
    if owner.__class__ not in (NeuronGroup, PoissonGroup, SpikeGeneratorGroup):
        raise CortwinError(f"{user}: '{owner.name}' is a {owner.__class__.__name__}, which is not covered here")


def _note_state(group: Any, compilation: Compilation) -> None:
    for name, variable in group.variables.items():
        own = isinstance(variable, ArrayVariable) and key_of(variable) == f"{group.name}.{name}"
        if own and not name.startswith("_"):
            compilation.note(variable)


@translates(NeuronGroup)
def neuron_group(group: NeuronGroup, compilation: Compilation) -> None:
    """Check a group of neurons and keep its initial values."""
    for name in group._linked_variables:
        if name not in group.variables:
            raise CortwinError(f"{group.name}: '{name}' is declared as linked, but linked to nothing")
    _note_state(group, compilation)


@translates(Subgroup)
def subgroup(group: Subgroup, compilation: Compilation) -> None:
    """Do nothing: the group that it is a part of owns the state."""


@translates(PoissonGroup)
def poisson_group(group: PoissonGroup, compilation: Compilation) -> None:
    """Keep the rates; the spikes are drawn by the group's threshold."""
    _note_state(group, compilation)


@translates(Synapses)
def synapses(group: Synapses, compilation: Compilation) -> None:
    """Check synapses and keep their initial values."""
    require_neurons(group.source, group.name)
    require_neurons(group.target, group.name)
    if not group._connect_called:
        raise CortwinError(f"{group.name}: has no synapses yet; call its connect() first")
    _note_state(group, compilation)
