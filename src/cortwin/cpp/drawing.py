"""Connections drawn by the compiled program: no array of synapses exists in Python, and none but the result in C++.

Synapses lie in rows, one for each source (``lib/rows.h``), and Brian2's array of sources stays empty. Where something
other than the delivery of spikes reads the source of a synapse, the program fills Brian2's own arrays as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import brian2
from brian2.codegen.codeobject import create_runner_codeobj
from brian2.codegen.generators.cpp_generator import c_data_type

from cortwin.builder import Layout
from cortwin.connectivity import (
    AllToAll,
    Distribution,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    FromArrays,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Rule,
)
from cortwin.connectivity.distributions import in_si
from cortwin.connectivity.drawing import purpose_of
from cortwin.model import SECOND, Model, Pathway, Writing


def drawer(device: Any, model: Model, text: Writing, layout: Layout, read_back: str) -> Callable[[Any, str], None]:
    """Return what makes the synapses of a pathway that has a rule, for `cortwin.builder.objects`.

    Parameters
    ----------
    device : ours
    model, text, layout : what is simulated
    read_back : name of the file in which the program says what it was given
    """

    def connect(synapses: brian2.Synapses, name: str) -> None:
        keywords = _keywords(device, synapses, text.pathways[name], model, text, layout) | {"read_back": read_back}
        codeobj = create_runner_codeobj(
            synapses,
            "",
            "draw_connections",
            name=f"{name}_connections",
            needed_variables=["N"],
            run_namespace={},
            template_kwds=keywords,
            check_units=False,
        )
        device.insert_code("main", f"_take_{codeobj.name}(args);")
        codeobj()
        if not keywords["sources"]:
            device.rows[name] = text.pathways[name]

    return connect


def _keywords(
    device: Any, synapses: Any, pathway: Pathway, model: Model, text: Writing, layout: Layout
) -> dict[str, Any]:
    def array(variable: str) -> str:
        return device.get_array_name(synapses.variables[variable], access_data=False)

    def distribution(variable: str, drawn: Distribution, dimensions: Any) -> str:
        return _distribution(in_si(drawn, model.constants, dimensions, variable))

    dimensions = {variable: synapses.variables[variable].dim for variable in pathway.drawn}
    n_source, n_target = (layout.elements(text.populations[end]) for end in (pathway.source, pathway.target))
    openmp = brian2.prefs.devices.cpp_standalone.openmp_threads > 0
    full = not pathway.in_rows or openmp or not device.fast
    apart = {synapses.variables["_synaptic_pre"], synapses.variables["_synaptic_post"]}
    drawn_delay = pathway.delay if isinstance(pathway.delay, Distribution) and pathway.on_pre is not None else None
    if drawn_delay is not None:
        apart.add(synapses.pre.variables["delay"])
    registered = sorted(device.get_array_name(v, access_data=False) for v in synapses._registered_variables - apart)
    copied = [
        {"name": name, "array": array(name), "type": c_data_type(synapses.variables[name].dtype)}
        for name in pathway.values
    ]
    given: list[dict[str, str]] = list(copied)
    if isinstance(pathway.connect, FromArrays):
        given += [{"name": end, "type": "int32_t"} for end in ("source", "target")]
    if pathway.random:
        given.append({"name": "key", "type": "uint32_t"})
    delays = None
    if drawn_delay is not None:
        delays = {
            "distribution": distribution("delay", drawn_delay, SECOND),
            "purpose": purpose_of("delay"),
            "dt": repr(layout.dt),
            "array": device.get_array_name(synapses.pre.variables["delay"], access_data=False),
        }
    return {
        "given": given,
        "keyed": pathway.random,
        "targets": array("_synaptic_post"),
        "sources": array("_synaptic_pre") if full else "",
        "outgoing": array("N_outgoing"),
        "incoming": array("N_incoming"),
        "N": f"{device.get_array_name(synapses.variables['N'])}[0]",
        "n_source": n_source,
        "n_target": n_target,
        "distinct": "true" if _distinct(pathway) else "false",
        "rule": _rule(pathway.connect),  # type: ignore[arg-type]
        "trials": layout.trials,
        "registered": registered,
        "drawn": [
            {
                "array": array(name),
                "distribution": distribution(name, drawn, dimensions[name]),
                "purpose": purpose_of(name),
            }
            for name, drawn in pathway.drawn.items()
        ],
        "copied": copied,
        "of_synapses": [array(name) for name in (*pathway.drawn, *pathway.values)],
        "delays": delays,
    }


def _distinct(pathway: Pathway) -> bool:
    return pathway.source == pathway.target and not getattr(pathway.connect, "autapses", True)


def _rule(rule: Rule) -> str:
    """Return the call of ``lib/connect.h`` that draws a rule."""
    match rule:
        case AllToAll():
            return "all_to_all(rows, targets, ends)"
        case OneToOne():
            return "one_to_one(rows, targets, ends)"
        case PairwiseBernoulli():
            return f"pairwise_bernoulli(rows, targets, ends, {float(rule.probability)!r}, key)"
        case FixedIndegree():
            return f"fixed_indegree(rows, targets, ends, {rule.indegree}, {str(rule.multapses).lower()}, key)"
        case FixedOutdegree():
            return f"fixed_outdegree(rows, targets, ends, {rule.outdegree}, {str(rule.multapses).lower()}, key)"
        case FixedTotalNumber():
            return f"fixed_total_number(rows, targets, ends, {rule.number}, {str(rule.multapses).lower()}, key)"
        case FromArrays():
            return "from_arrays(rows, targets, ends, given_source, given_target)"


def _distribution(plain: Distribution) -> str:
    """Return a distribution of ``lib/distributions.h``; numbers are written so that they are read back to the bit."""
    if isinstance(plain, Normal):
        low = -math.inf if plain.minimum is None else plain.minimum
        high = math.inf if plain.maximum is None else plain.maximum
        return f"Normal{{{plain.mean!r}, {plain.sd!r}, {_number(low)}, {_number(high)}}}"
    return f"Uniform{{{plain.minimum!r}, {plain.maximum!r}}}"


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else f"{'-' if value < 0 else ''}HUGE_VAL"


def clearing(device: Any, network: brian2.Network) -> list[str]:
    """Return C++ lines that let go of rows at the end, which Brian2 would write to disk."""
    lines = []
    for name in device.rows:
        registered = network[name]._registered_variables
        arrays = sorted(device.get_array_name(variable, access_data=False) for variable in registered)
        lines += [f"{{ using namespace brian; decltype({array})().swap({array}); }}" for array in arrays]
    return lines


def given_of(pathway: Pathway, name: str) -> Mapping[str, str]:
    """Return the dtype of each array that a program takes for a pathway's connections, by its name."""
    found: dict[str, str] = {}
    if isinstance(pathway.connect, FromArrays):
        found |= {f"{name}.source": "int32", f"{name}.target": "int32"}
    if pathway.random:
        found[f"{name}.key"] = "uint32"
    return found
