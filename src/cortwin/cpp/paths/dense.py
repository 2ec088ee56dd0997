"""Everything to everything: summed variables and spikes over synapses whose source and target are arithmetic.

Taken are the blocks that the builder marks (`cortwin.blocks`), shared by the trials of a batch, and Brian2 Synapses of
any network that were connected by one ``connect()`` without a condition. The sums and the spikes keep the order of
Brian2's own templates, so that the numbers are the same.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2.codegen.translation import analyse_identifiers
from brian2.core.variables import ArrayVariable, AuxiliaryVariable

from cortwin.blocks import ALL_TO_ALL, Block, marked
from cortwin.cpp.paths.request import Choice, Request
from cortwin.cpp.units import SETUP

CONNECTING = ("synapses_create_generator", "synapses_create_array")
REPLACES = {"synapses_create_generator", "summed_variable", "synapses_push_spikes", "synapses"}
ENDS = ("_presynaptic_idx", "_postsynaptic_idx")
# Both are arrays to Brian2; in our loops they are numbers.
NUMBERS = {name: AuxiliaryVariable(name, dtype=np.int32) for name in ENDS}
for _variable in NUMBERS.values():
    _variable.unique = False  # type: ignore[attr-defined]  # Brian2 asks it of indices: several synapses share an end


def choose(request: Request) -> Choice | str:
    """Answer for a summed variable, the two halves of a pathway of spikes, or the connecting of a block."""
    if request.template == "synapses_create_generator":
        return _connect(request)
    if request.template == "synapses_push_spikes":
        return _push(request, request.owner)
    if request.template == "synapses":
        return _deliver(request, request.keywords["pathway"])
    return _sum(request)


def block_of(synapses: Any, device: Any) -> Block | str:
    """Return the block of some synapses, or why they are none."""
    if (block := marked(synapses)) is not None:
        return block
    calls = device.connecting.get(synapses.name, ())
    if len(calls) != 1:
        return f"it is connected by {len(calls)} calls"
    (call,) = calls
    if call.template == "synapses_create_array":
        return "its connections are listed one by one"
    everything = {"element": "_k", "iterator_func": "range", "if_expression": "True"}
    if any(call.keywords.get(name) != value for name, value in everything.items()):
        return "its connections are not all to all"
    bounds = {name: call.keywords["iterator_kwds"].get(name) for name in ("low", "high", "step")}
    if bounds != {"low": "0", "high": "N_post", "step": "1"} or call.abstract_code["update"].split()[-1] != "1":
        return "its connections are not all to all, once"
    try:
        return Block(ALL_TO_ALL, 1, len(synapses.source), len(synapses.target))
    except (TypeError, NotImplementedError):
        return "its sources or targets are synapses"


def _connect(request: Request) -> Choice | str:
    block = marked(request.owner)
    if block is None:
        return "its sources and targets may be asked for"
    own = [v for v in request.owner._registered_variables if v.name not in ("_synaptic_pre", "_synaptic_post")]
    own.sort(key=lambda variable: variable.name)
    return Choice("dense_connect", {"block": block, "own_variables": own}, flags=SETUP)


def _sum(request: Request) -> Choice | str:
    synapses = request.owner
    block = block_of(synapses, request.device)
    if isinstance(block, str):
        return block
    if request.keywords["_index_var"].name != "_synaptic_post":
        return "it sums into its source"
    told = _told(synapses, block, request.device)
    if reason := _foreign(request.variables, request.variables, request.indices):
        return reason
    if block.connect == ALL_TO_ALL and (found := _factors(request)):
        weight, rest = found
        plain = isinstance(request.variables.get(rest), ArrayVariable)
        told |= {
            "weight_variable": request.variables[weight],
            "source_variable": request.variables[rest] if plain else None,
            "sum": request.device.product(synapses.name, request.variables[weight], request.keywords["_target_var"]),
        }
        headers = ('"cortwin/product.h"', '"cortwin/latest_product.h"')
        return Choice("dense_product", told, NUMBERS, headers, {None: f"_synaptic_var = {rest}"})
    return Choice("dense_sum", told, NUMBERS)


def _push(request: Request, pathway: Any) -> Choice | str:
    block = _spiking_block(pathway, request.device)
    if isinstance(block, str):
        return block
    told = {**_told(pathway.synapses, block, request.device), "ring": request.device.number_of(pathway.name)}
    return Choice("dense_push", told, headers=('"cortwin/spike_ring.h"',))


def _deliver(request: Request, pathway: Any) -> Choice | str:
    block = _spiking_block(pathway, request.device)
    if isinstance(block, str):
        return block
    told = {**_told(pathway.synapses, block, request.device), "ring": request.device.number_of(pathway.name)}
    return Choice("dense_deliver", told, NUMBERS, ('"cortwin/spike_ring.h"',))


def _spiking_block(pathway: Any, device: Any) -> Block | str:
    """Return the block that a pathway's spikes go along; the same answer for both halves of a pathway, in every run."""
    if pathway.name not in device.blocks:
        device.blocks[pathway.name] = _found_block(pathway, device)
    return device.blocks[pathway.name]


def _found_block(pathway: Any, device: Any) -> Block | str:
    block = block_of(pathway.synapses, device)
    if isinstance(block, str):
        return block
    if pathway.prepost != "pre":
        return "it reacts to spikes of its target"
    if not pathway.variables["delay"].scalar and device.is_set(pathway.variables["delay"]):
        return "its synapses have a delay each"
    variables = pathway.synapses.variables
    _, names, _ = analyse_identifiers(pathway.code, variables, recursive=True)
    return _foreign(names, variables, variables.indices) or block


def _told(synapses: Any, block: Block, device: Any) -> dict[str, Any]:
    number = f"{device.get_array_name(synapses.variables['N'])}[0]"
    return {
        "block": block,
        "source_start": getattr(synapses.source, "start", 0),
        "target_start": getattr(synapses.target, "start", 0),
        "size_check": _SIZE_CHECK.format(name=synapses.name, size=block.size, number=number),
    }


# A network that is connected once more after its first run.
_SIZE_CHECK = """if ({number} != {size}) {{
        std::cerr << "Error: {name} has " << {number} << " synapses instead of {size}" << std::endl;
        std::exit(1);
    }}"""


def _factors(request: Request) -> tuple[str, str] | None:
    """Return the weight of a synapse and an expression of the source alone, when a sum is over their product."""
    (statement,) = ast.parse(request.abstract_code[None].strip()).body
    product = statement.value if isinstance(statement, ast.Assign) else None
    if not isinstance(product, ast.BinOp) or not isinstance(product.op, ast.Mult):
        return None
    dtype = request.keywords["_target_var"].dtype
    for weight, rest in ((product.left, product.right), (product.right, product.left)):
        if not isinstance(weight, ast.Name):
            continue
        variable: Any = request.variables.get(weight.id)
        if not isinstance(variable, ArrayVariable) or variable.dtype != dtype or request.indices[weight.id] != "_idx":
            continue
        _, names, _ = analyse_identifiers(f"_rest = {ast.unparse(rest)}", request.variables, recursive=True)
        arrays = {name: request.variables[name] for name in names if isinstance(request.variables[name], ArrayVariable)}
        places = {request.indices[name] for name in arrays}
        # A random number would be another one for each synapse.
        drawn = any(not getattr(request.variables[name], "stateless", True) for name in names)
        if ENDS[0] in places and places <= {ENDS[0], "0"} and not drawn:
            if isinstance(rest, ast.Name) and rest.id in arrays and arrays[rest.id].dtype != dtype:
                continue
            return weight.id, ast.unparse(rest)
    return None


def _foreign(names: Any, variables: Mapping[str, Any], indices: Mapping[str, str]) -> str:
    """Return why not, where a variable is read through an index of its own, as a linked one is."""
    for name in sorted(names):
        index = indices[name]
        if name not in ENDS and isinstance(variables[name], ArrayVariable) and index not in ("_idx", "0", *ENDS):
            return f"{name} has an index of its own"
    return ""
