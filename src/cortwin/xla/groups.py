"""The groups themselves: nothing happens in them, but they own the state and say what is not covered."""

from __future__ import annotations

from typing import Any

from brian2.core.variables import ArrayVariable
from brian2.groups.neurongroup import NeuronGroup
from brian2.synapses.synapses import Synapses

from cortwin.errors import CortwinError
from cortwin.xla.compiler import Compilation
from cortwin.xla.environment import key_of
from cortwin.xla.registry import translates


def require_neuron_group(group: Any, user: str) -> None:
    """Refuse sources and targets whose elements are not simply the neurons of a NeuronGroup.

    Raises
    ------
    CortwinError
        For a Subgroup, a PoissonGroup, a SpikeGeneratorGroup or Synapses.
    """
    if group.__class__ is not NeuronGroup:
        raise CortwinError(
            f"{user}: '{group.name}' is a {group.__class__.__name__}; only a NeuronGroup as a whole is covered"
        )


def _note_state(group: Any, compilation: Compilation) -> None:
    for name, variable in group.variables.items():
        own = isinstance(variable, ArrayVariable) and key_of(variable) == f"{group.name}.{name}"
        if own and not name.startswith("_"):
            compilation.note(variable)


def _refuse_noise(group: Any, equations: Any) -> None:
    if equations.is_stochastic:
        for name, equation in equations.items():
            for noise in sorted(equations.stochastic_variables & set(equation.identifiers)):
                line = f"d{name}/dt = {equation.expr.code}"
                raise CortwinError(f"{group.name}: the noise '{noise}' in '{line}' is not covered by the XLA compiler")


@translates(NeuronGroup)
def neuron_group(group: NeuronGroup, compilation: Compilation) -> None:
    """Check a group of neurons and keep its initial values."""
    _refuse_noise(group, group.equations)
    for event, condition in group.events.items():
        if event != "spike":
            raise CortwinError(f"{group.name}: the event '{event}' ('{condition}') is not covered; only 'spike' is")
    for name in group._linked_variables:
        if name not in group.variables:
            raise CortwinError(f"{group.name}: '{name}' is declared as linked, but linked to nothing")
    _note_state(group, compilation)


@translates(Synapses)
def synapses(group: Synapses, compilation: Compilation) -> None:
    """Check synapses and keep their initial values."""
    require_neuron_group(group.source, group.name)
    require_neuron_group(group.target, group.name)
    if group.event_driven is not None:
        for name in group.event_driven.diff_eq_names:
            line = f"d{name}/dt = {group.event_driven[name].expr.code}"
            raise CortwinError(f"{group.name}: the event-driven equation '{line}' is not covered; make it clock-driven")
    _refuse_noise(group, group.equations)
    if not group._connect_called:
        raise CortwinError(f"{group.name}: has no synapses yet; call its connect() first")
    _note_state(group, compilation)
