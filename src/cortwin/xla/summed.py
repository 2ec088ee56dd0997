"""Summed variables: a variable of the target that is the sum of an expression over its synapses."""

from __future__ import annotations

from typing import Any

from brian2.synapses.synapses import SummedVariableUpdater

from cortwin.errors import CortwinError
from cortwin.xla.compiler import Compilation
from cortwin.xla.connectivity import POST, PRE, connectivity_of
from cortwin.xla.environment import Block, as_stored, key_of
from cortwin.xla.registry import Operation, Values, translates
from cortwin.xla.stateupdate import updated_code
from cortwin.xla.sums import SynapticSum, without_temporaries


@translates(SummedVariableUpdater)
def summed_variable(updater: SummedVariableUpdater, compilation: Compilation) -> Operation:
    """Replace the target's variable by the sums; no condition (``unless refractory``) holds it back."""
    synapses = updater.group
    block = Block(updater, updated_code(updater, compilation), compilation)
    definitions, _ = without_temporaries(block) or ({}, [])
    if "_synaptic_var" not in definitions:
        raise CortwinError(f"{updater.name}: cannot follow the code '{updater.abstract_code.strip()}'")
    onto = PRE if updater.target_varname.endswith("_pre") else POST
    target = key_of(updater.target_var)
    compilation.note(updater.target_var)
    total = SynapticSum(updater.name, block, definitions["_synaptic_var"], connectivity_of(synapses), onto)

    def step(values: Values) -> dict[str, Any]:
        return {target: as_stored(total(values), updater.target_var, block.real)}

    return Operation(updater.name, updater.clock, writes=frozenset({target}), step=step, invariants=total.invariants)
