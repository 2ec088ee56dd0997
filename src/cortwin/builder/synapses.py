"""Synapses of a pathway: who is connected to whom, and what each synapse is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brian2
import numpy as np
from numpy.typing import NDArray

from cortwin import connectivity
from cortwin.blocks import Block
from cortwin.builder.layout import NOISE, Layout
from cortwin.connectivity import Connections, Distribution, FromArrays
from cortwin.connectivity.distributions import in_si
from cortwin.equations import definitions
from cortwin.errors import CortwinError
from cortwin.model import OWNERS, SECOND, SYNAPSES, Model, Pathway, Population, Writing, check_array

# Brian2 counts synapses, and numbers neurons, in 32 bits.
MOST_SYNAPSES = 2**31 - 1


def owner(layout: Layout, size: str, of: str, where: str) -> NDArray[np.int64]:
    """Return, for each element of a population, the element of the other population that it belongs to."""
    sizes = layout.sizes
    if size == of:
        return np.arange(layout.trials * sizes[size])
    if OWNERS.get(size) != of:
        raise CortwinError(f"{where}: an element of size '{size}' belongs to no element of size '{of}'")
    return np.repeat(np.arange(layout.trials * sizes[of]), layout.neurons_per_unit)


def structure_of(text: Writing) -> set[str]:
    """Return the names of those arrays that are no values of a variable: who is connected to whom, and the noise."""
    found = {NOISE} if text.drives else set()
    for name, pathway in text.pathways.items():
        if isinstance(pathway.connect, FromArrays):
            found |= {f"{name}.source", f"{name}.target"}
        if pathway.random:
            found.add(f"{name}.key")
    return found


def connections(
    name: str, text: Writing, layout: Layout, where: str, data: Mapping[str, NDArray] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return source and target of every synapse of a batch, numbered by trial, then source, then target.

    Those of a rule, which every trial has the same, are numbered by trial, then source, and need data.
    """
    pathway = text.pathways[name]
    n_source, n_target = (layout.elements(text.populations[end]) for end in (pathway.source, pathway.target))
    within: tuple[NDArray, NDArray]
    if isinstance(pathway.connect, FromArrays):
        within = (data or {})[f"{name}.source"], (data or {})[f"{name}.target"]
    elif not isinstance(pathway.connect, str):
        same = pathway.source == pathway.target
        within = connectivity.connect(pathway.connect, n_source, n_target, (data or {}).get(f"{name}.key"), same=same)
    elif pathway.connect == "all_to_all":
        within = np.repeat(np.arange(n_source), n_target), np.tile(np.arange(n_target), n_source)
    elif pathway.connect == "one_to_one":
        if n_source != n_target:
            raise CortwinError(f"{where}: one-to-one between {n_source} and {n_target} elements")
        within = np.arange(n_source), np.arange(n_source)
    else:
        source, target = (text.populations[end] for end in (pathway.source, pathway.target))
        within = np.arange(n_source), _converges(layout, source, target, where)[:n_source]
    trial = np.arange(layout.trials)[:, None]
    return (
        (within[0] + trial * n_source).ravel().astype(np.int32),
        (within[1] + trial * n_target).ravel().astype(np.int32),
    )


def synapses_of(
    name: str, model: Model, text: Writing, layout: Layout, data: Mapping[str, NDArray], where: str
) -> Connections:
    """Return the synapses of a pathway as arrays, in the order of `connections`.

    Parameters
    ----------
    name : of the pathway
    model, text, layout : what is simulated
    data : from `pathway_arrays`
    where : what an error names
    """
    pathway = text.pathways[name]
    source, target = connections(name, text, layout, where, data)
    n = source.size // layout.trials
    dimensions = {item.name: item.dimensions for item in _synaptic(pathway, where)}
    variables = {variable: data[f"{name}.{variable}"] for variable in pathway.values}
    for variable, distribution in pathway.drawn.items():
        plain = in_si(distribution, model.constants, dimensions[variable], where)
        drawn = connectivity.draw(plain, n, data[f"{name}.key"], variable)
        drawn = drawn.astype(pathway.dtype.get(variable, "float64"))
        variables[variable] = np.tile(drawn, layout.trials)
    delay: float | NDArray = 0.0
    if isinstance(pathway.delay, Distribution):
        plain = in_si(pathway.delay, model.constants, SECOND, where)
        steps = connectivity.delay_steps(connectivity.draw(plain, n, data[f"{name}.key"], "delay"), layout.dt)
        delay = np.tile(steps, layout.trials) * layout.dt
    elif pathway.delay is not None:
        delay = float(model.constants[pathway.delay])
    return Connections(source, target, delay, variables)


def connect_with(synapses: brian2.Synapses, found: Connections, pathway: Pathway) -> None:
    """Make the synapses of a pathway from arrays, and give them what is drawn for them."""
    if not found.source.size:
        synapses.connect(False)
        return
    synapses.connect(i=found.source, j=found.target)
    for variable in pathway.drawn:
        synapses.state(variable, use_units=False)[:] = found.variables[variable]
    if isinstance(pathway.delay, Distribution) and pathway.on_pre is not None:
        synapses.delay[:] = found.delay * brian2.second  # type: ignore[attr-defined]


def _synaptic(pathway: Pathway, where: str) -> tuple[Any, ...]:
    lines = [line for line in pathway.equations.splitlines() if "(summed)" not in line]
    return definitions("\n".join(lines), where)


def pathway_arrays(
    name: str,
    model: Model,
    text: Writing,
    layout: Layout,
    values: Mapping[str, Any],
    seed: int,
    where: str,
    *,
    shared: bool = False,
) -> dict[str, NDArray]:
    """Return what the synapses of a pathway are given, and what they are made of; see `arrays`."""
    pathway = text.pathways[name]
    found = _structure(name, pathway, text, layout, values, seed, where)
    listed = isinstance(pathway.connect, FromArrays)
    order = _order(pathway.connect, values) if isinstance(pathway.connect, FromArrays) else np.zeros(0, np.int64)
    for variable, array in pathway.values.items():
        check_given(array, values, where, variable)
        check_array(array, values[array], model.shapes[array], {**layout.sizes, SYNAPSES: order.size})
        flat = np.asarray(values[array], dtype=np.float64)
        if listed:
            flat = flat[order]
        else:
            _check_weights(pathway, array, model, text, where)
            # Brian2 numbers synapses by source, then target; the field writes weights as (target, source).
            flat = flat.T.ravel()
        found[f"{name}.{variable}"] = flat if shared else np.tile(flat, layout.trials)
    return found


def _structure(
    name: str, pathway: Pathway, text: Writing, layout: Layout, values: Mapping[str, Any], seed: int, where: str
) -> dict[str, NDArray]:
    """Return what the connections of a pathway are made of, checked; nothing where the layout says it all."""
    rule = pathway.connect
    n_source, n_target = (layout.elements(text.populations[end]) for end in (pathway.source, pathway.target))
    found: dict[str, NDArray] = {}
    if isinstance(rule, FromArrays):
        ends = {}
        for end, array, n in (("source", rule.source, n_source), ("target", rule.target, n_target)):
            if array not in values:
                raise CortwinError(f"{where}: no array '{array}' for the {end}s of its synapses")
            ends[end] = _indices(array, values[array], n, where)
        if ends["source"].size != ends["target"].size:
            sizes = f"{ends['source'].size} sources and {ends['target'].size} targets"
            raise CortwinError(f"{where}: {rule.source} and {rule.target} list {sizes}")
        order = _order(rule, values)
        found = {f"{name}.{end}": listed[order] for end, listed in ends.items()}
    elif not isinstance(rule, str):
        same = pathway.source == pathway.target
        if problem := rule.problem(n_source, n_target, same):
            raise CortwinError(f"{where}: {problem}")
        if layout.trials * rule.synapses(n_source, n_target, same) > MOST_SYNAPSES:
            raise CortwinError(
                f"{where}: {layout.trials * rule.synapses(n_source, n_target, same):,} synapses; a pathway has at most "
                f"{MOST_SYNAPSES:,}: divide a population"
            )
    if pathway.random:
        found[f"{name}.key"] = connectivity.key_of(seed, name)
    return found


def _order(rule: FromArrays, values: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the order in which listed synapses are kept: by source."""
    return np.argsort(np.asarray(values[rule.source]), kind="stable")


def _indices(name: str, values: Any, n: int, where: str) -> NDArray[np.int32]:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise CortwinError(
            f"{where}: {name} is a {array.dtype} array of shape {array.shape}, expected (synapse,) integers"
        )
    outside = (array < 0) | (array >= n)
    if outside.any():
        place = int(np.argmax(outside))
        raise CortwinError(f"{where}: {name}[{place}] is {array[place]}, outside of the {n} neurons")
    return array.astype(np.int32)


def check_given(array: str, values: Mapping[str, Any], where: str, variable: str) -> None:
    """Refuse values that lack an array which a variable takes."""
    if array not in values:
        writing, _, name = where.rpartition(", ")
        raise CortwinError(f"{writing}: no array '{array}' for {name}.{variable}")


def _check_weights(pathway: Pathway, array: str, model: Model, text: Writing, where: str) -> None:
    sizes = tuple(text.populations[name].size for name in (pathway.target, pathway.source))
    expected = sizes if pathway.connect == "all_to_all" else sizes[1:]
    if model.shapes[array] != expected:
        raise CortwinError(
            f"{where}: {array} has the shape ({', '.join(map(str, model.shapes[array]))}), "
            f"expected ({', '.join(map(str, expected))})"
        )


def block(pathway: Pathway, text: Writing, layout: Layout, where: str) -> Block:
    """Return the synapses of one trial, for all of them; errors as of `connections`."""
    source, target = (text.populations[end] for end in (pathway.source, pathway.target))
    n_source, n_target = layout.elements(source), layout.elements(target)
    if pathway.connect == "one_to_one" and n_source != n_target:
        raise CortwinError(f"{where}: one-to-one between {n_source} and {n_target} elements")
    if pathway.connect == "convergent":
        _converges(layout, source, target, where)
    return Block(str(pathway.connect), layout.trials, n_source, n_target)


def _converges(layout: Layout, source: Population, target: Population, where: str) -> NDArray[np.int64]:
    if isinstance(source.size, int) or isinstance(target.size, int):
        raise CortwinError(f"{where}: populations with a size of their own do not converge")
    return owner(layout, source.size, target.size, where)


def delay_of(pathway: Pathway, model: Model, *, alone: bool) -> Any:
    """Return the delay that all synapses have; Brian2 keeps one for each where none is given."""
    if isinstance(pathway.delay, str):
        return model.constants[pathway.delay]
    return 0 * brian2.second if alone and pathway.on_pre else None
