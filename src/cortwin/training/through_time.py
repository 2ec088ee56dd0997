"""A step over time, with a reverse pass that forms the gradient of every matrix of weights in one product.

Plain reverse mode through `jax.lax.scan` adds up the gradient of every matrix step by step. Here the affine sums
``a_t = W x_t + V u_t + b`` that `cortwin.training.structure` finds in a step are kept in the forward pass. The reverse
pass carries the gradient of the state alone, through those of the sums and ``dL/dx_t = W^T dL/da_t``, and ends with

    dL/d[W V b] = sum_t dL/da_t [x_t u_t 1]^T

What needs no state and stands in no such sum is computed for all times before the first step. Between the sums, JAX
differentiates the step by itself; exp, logistic and tanh are not computed again for it, because their values, which
tell their slopes, are kept as well. Values and gradients are those of plain reverse mode to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from cortwin.training.devices import divided
from cortwin.training.structure import Group, Product, Structure, Sum, structure_of


def through_time(
    step: Callable[[Any, Any, Any], Any], parameters: Any, first: Any, inputs: jax.Array, borders: Any = None
) -> Any | None:
    """Run a step over time, for reverse mode; forward mode needs a plain scan.

    Parameters
    ----------
    step : ``step(parameters, state, input) -> state``, for one trial
    parameters : its parameters, arrays
    first : state before the first input, of every trial
    inputs : (trial, time, input) array
    borders : (time,) booleans, steps over which no gradient is carried back to the step before; None for none

    Returns
    -------
    states : arrays (trial, time, ...); None where the step does not fit, see `structure_of`
    """
    first = jax.tree.map(jnp.asarray, first)
    structure = structure_of(step, parameters, first, jax.ShapeDtypeStruct(inputs.shape[2:], inputs.dtype))
    if structure is None:
        return None
    known = dict(zip(structure.parameters, jax.tree.leaves(parameters), strict=True))
    over_times = jnp.swapaxes(inputs, 0, 1)

    def of_inputs(wanted: Sequence[Any]) -> list[jax.Array]:
        def one(sample: jax.Array) -> list[Any]:
            return structure.evaluate({**known, structure.inputs[0]: sample}, wanted)

        return jax.vmap(jax.vmap(one))(over_times)

    weights = [_weights(structure, known, group) for group in structure.groups]
    heard = [of_inputs(group.heard) for group in structure.groups]
    added = [_added(structure, of_inputs, one) for group in structure.groups for one in group.sums]
    n_trials = inputs.shape[0]
    start = [jnp.broadcast_to(leaf, (n_trials, *leaf.shape)) for leaf in jax.tree.leaves(first)]
    hoisted, others = of_inputs(structure.hoisted), structure.evaluate(known, structure.others)
    n_steps = inputs.shape[1]
    work = n_trials * n_steps * sum(array.size for array in jax.tree.leaves(weights))
    scan = divided(_scanned(structure, borders, n_steps), n_trials, work)
    states = scan(weights, heard, added, hoisted, others, start)
    return jax.tree.unflatten(jax.tree.structure(first), [jnp.swapaxes(array, 0, 1) for array in states])


class Weights(NamedTuple):
    """Matrices of a group, one row for each element of its sums: of every operand, of all that is heard, and a bias."""

    of_state: list[jax.Array]
    of_input: list[jax.Array]
    bias: jax.Array


def _weights(structure: Structure, known: Any, group: Group) -> Weights:
    dtype = group.sums[0].variable.aval.dtype

    def matrix(one: Sum, products: Sequence[Product], columns: int) -> jax.Array:
        found = structure.evaluate(known, [product.matrix for product in products])
        turned = [array.T if product.turned else array for array, product in zip(found, products, strict=True)]
        return _total(turned) if turned else jnp.zeros((one.size, columns), dtype)

    of_state = [
        jnp.concatenate([matrix(one, [one.of_state[place]], 0) for one in group.sums])
        for place in range(len(group.operands))
    ]
    of_input = [
        jnp.concatenate(
            [
                matrix(one, [product for product in one.of_input if product.operand is operand], operand.aval.shape[0])
                for one in group.sums
            ]
        )
        for operand in group.heard
    ]
    biases = []
    for one in group.sums:
        still = structure.evaluate(known, [atom for atom in one.added if atom not in structure.varying])
        biases.append(_total(still) if still else jnp.zeros(one.size, dtype))
    return Weights(of_state, of_input, jnp.concatenate(biases))


def _added(structure: Structure, of_inputs: Callable[[Sequence[Any]], list[Any]], one: Sum) -> jax.Array | None:
    """Return what else is added to a sum and varies, (time, trial, element)."""
    varying = of_inputs([atom for atom in one.added if atom in structure.varying])
    return _total(varying) if varying else None


def _total(arrays: Sequence[jax.Array]) -> jax.Array:
    return reduce(jnp.add, arrays)


def _scanned(structure: Structure, borders: Any, length: int) -> Callable[..., list[jax.Array]]:
    """Return the scan as a function of (weights, added, hoisted, others, start), with its own reverse pass."""
    groups = structure.groups
    sums = [one.variable for group in groups for one in group.sums]
    varying = [not structure.varying.isdisjoint(one.added) for group in groups for one in group.sums]
    ends = [len([one for group in groups[: place + 1] for one in group.sums]) for place in range(len(groups))]

    # What each part of the step returns, and how many sums it may use: the operands of each group, then the results.
    parts = [(group.operands, end - len(group.sums)) for group, end in zip(groups, ends, strict=True)]
    parts.append((structure.results, len(sums)))
    slow: list[Any] = []  # in the order of their parts
    n_slow = []  # of a part and those before it
    for wanted, n_sums in parts:
        known = (*structure.state, *structure.hoisted, *sums[:n_sums], *structure.others, *slow)
        slow += structure.slow_on_the_way(known, wanted)
        n_slow.append(len(slow))

    def part(number: int, *, again: bool) -> Callable[..., list[jax.Array]]:
        """Return a part of the step between products, for all trials: (state, hoisted, sums, slow, others) -> values.

        The first time it returns further values of slow functions, and again it is told those of all parts so far.
        """
        wanted, n_sums = parts[number]
        told = slow[: n_slow[number] if again else [0, *n_slow][number]]
        names = (*structure.state, *structure.hoisted, *sums[:n_sums], *structure.others)

        def one(state: Any, hoisted: Any, before: Any, values: Any, others: Any) -> list[Any]:
            known = dict(zip(names, (*state, *hoisted, *before, *others), strict=True))
            of_slow = dict(zip(told, values, strict=True))
            if again:
                return structure.evaluate(known, wanted, of_slow)
            return structure.evaluate(known | of_slow, [*wanted, *slow[len(told) : n_slow[number]]])

        return jax.vmap(one, in_axes=(0, 0, 0, 0, None))

    first_time, again = ([part(number, again=kept) for number in range(len(parts))] for kept in (False, True))

    def forward(weights: Any, heard: Any, added: Any, hoisted: Any, others: Any, start: Any) -> tuple[Any, Any]:
        columns = [
            jnp.concatenate([*matrices.of_state, *matrices.of_input, matrices.bias[:, None]], axis=1).T
            for matrices in weights
        ]

        def advance(state: Any, now: Any) -> tuple[Any, Any]:
            heard, added, hoisted = now
            sums: list[Any] = []
            values: list[Any] = []
            for place, group in enumerate(groups):
                found = first_time[place](state, hoisted, sums, values, others)
                operands, values = found[: len(group.operands)], [*values, *found[len(group.operands) :]]
                total = _row(operands, heard[place]) @ columns[place]
                for product in jnp.split(total, group.borders, axis=-1):
                    more = added[len(sums)]
                    sums.append(product if more is None else product + more)
            found = first_time[-1](state, hoisted, sums, values, others)
            state, values = found[: len(state)], [*values, *found[len(state) :]]
            return state, (state, sums, values)

        _, (states, sums, values) = jax.lax.scan(advance, start, (heard, added, hoisted), length=length)
        return states, (weights, heard, hoisted, others, start, states, sums, values)

    def backward(kept: Any, d_states: Any) -> tuple[Any, ...]:
        weights, heard, hoisted, others, start, states, sums, values = kept
        before = [jnp.concatenate([one[None], array[:-1]]) for one, array in zip(start, states, strict=True)]

        def retreat(carried: Any, now: Any) -> tuple[Any, Any]:
            d_state, d_others = carried
            of_output, state, sums, values, hoisted, border = now
            d_state = jax.tree.map(jnp.add, d_state, of_output)

            def of(number: int) -> Callable[..., list[jax.Array]]:
                told = values[: n_slow[number]]
                return lambda state, hoisted, sums, others: again[number](state, hoisted, sums, told, others)

            _, pull = jax.vjp(of(-1), state, hoisted, sums, others)
            d_state, d_hoisted, d_sums, of_others = pull(d_state)
            d_others = jax.tree.map(jnp.add, d_others, of_others)
            d_totals: list[Any] = []
            for place in reversed(range(len(groups))):
                first, end = ends[place] - len(groups[place].sums), ends[place]
                d_totals.insert(0, jnp.concatenate(d_sums[first:end], axis=-1))
                _, pull = jax.vjp(of(place), state, hoisted, sums[:first], others)
                gradients = pull([d_totals[0] @ matrix for matrix in weights[place].of_state])
                d_state, d_hoisted, d_sums, d_others = jax.tree.map(
                    jnp.add, (d_state, d_hoisted, d_sums[:first], d_others), gradients
                )
            if border is not None:
                d_state = jax.tree.map(lambda array: jnp.where(border, 0, array), d_state)
            return (d_state, d_others), (d_totals, d_hoisted)

        nothing = jax.tree.map(jnp.zeros_like, (start, others))
        now = (d_states, before, sums, values, hoisted, borders)
        (d_start, d_others), (d_totals, d_hoisted) = jax.lax.scan(retreat, nothing, now, reverse=True)
        d_weights, d_heard, d_added = [], [], []
        for place, group in enumerate(groups):
            first, d_total = ends[place] - len(group.sums), d_totals[place]
            over_time = jax.vmap(again[place], in_axes=(0, 0, 0, 0, None))
            operands = over_time(before, hoisted, sums[:first], values[: n_slow[place]], others)
            row = _row(operands, heard[place])
            d_matrix = jax.lax.dot_general(row, d_total, (((0, 1), (0, 1)), ((), ())))
            parts = jnp.split(d_matrix, list(accumulate(array.shape[-1] for array in (*operands, *heard[place]))))
            turned = [part.T for part in parts]
            d_weights.append(Weights(turned[: len(operands)], turned[len(operands) : -1], parts[-1][0]))
            d_heard.append([d_total @ matrix for matrix in weights[place].of_input])
            d_added += jnp.split(d_total, group.borders, axis=-1)
        d_added = [d if varies else None for d, varies in zip(d_added, varying, strict=True)]
        return d_weights, d_heard, d_added, d_hoisted, d_others, d_start

    scanned = jax.custom_vjp(lambda *given: forward(*given)[0])
    scanned.defvjp(forward, backward)
    return scanned


def _row(operands: Sequence[jax.Array], heard: Sequence[jax.Array]) -> jax.Array:
    """Return all that the weights are multiplied with, and 1 for the bias, side by side."""
    one = jnp.ones((*operands[0].shape[:-1], 1), operands[0].dtype)
    return jnp.concatenate([*operands, *heard, one], axis=-1)
