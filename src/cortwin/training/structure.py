"""What of a textbook step is a product of weights, found in its jaxpr: nothing here knows a page.

A value of a step depends on the parameters alone, on them and the input, or on the state too. Only the last has to wait
for the step before. Where it meets a matrix of parameters, ``a = W x + e`` with an operand x that depends on the state
and an e that does not, is an affine sum: several products and whatever is added to them belong to one. Sums of the same
operands are gathered, for instance the gates of a cell, so that one matrix holds all of their weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, chain
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.extend.core import Literal

PARAMETER, INPUT, STATE = range(3)
# Functions that take long, by their primitives, and their slopes where they have a value.
SLOPES: Mapping[str, Callable[[Any], Any]] = {
    "exp": lambda y: y,
    "logistic": lambda y: y * (1 - y),
    "tanh": lambda y: 1 - y * y,
}
# Calls of functions that were jitted: what they hold is seen as if it stood in the step.
CALLS = ("jit", "pjit", "closed_call", "core_call")


class Product(NamedTuple):
    """Matrix times operand; ``turned`` if the columns of the matrix count the sums' elements."""

    matrix: Any
    operand: Any
    turned: bool


@dataclass(frozen=True)
class Sum:
    """An affine sum: the variable that holds it, products with state and with input, and variables that are added."""

    variable: Any
    of_state: tuple[Product, ...]
    of_input: tuple[Product, ...] = ()
    added: tuple[Any, ...] = ()

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.variable.aval.shape[0]


@dataclass(frozen=True)
class Group:
    """Affine sums of the same operands, in the same order."""

    operands: tuple[Any, ...]
    sums: tuple[Sum, ...]

    @property
    def heard(self) -> tuple[Any, ...]:
        """Operands of the products with input."""
        return tuple(dict.fromkeys(product.operand for one in self.sums for product in one.of_input))

    @property
    def borders(self) -> list[int]:
        """Where each sum but the first begins, if all stand in a row."""
        return list(accumulate(one.size for one in self.sums))[:-1]


@dataclass(frozen=True, eq=False)
class Structure:
    """A step taken apart.

    Attributes
    ----------
    parameters, state, inputs, results : variables of the step's arguments and of what it returns, flat
    groups : in an order in which each needs only those before it
    hoisted : variables that need the input but no state, and are needed beside the sums
    others : variables that need parameters alone, and are needed beside the sums
    varying : every variable that needs the input but no state
    slow : variables that need the state and are values of functions in `SLOPES`
    """

    parameters: tuple[Any, ...]
    state: tuple[Any, ...]
    inputs: tuple[Any, ...]
    results: tuple[Any, ...]
    equations: tuple[Any, ...]
    groups: tuple[Group, ...] = ()
    hoisted: tuple[Any, ...] = ()
    others: tuple[Any, ...] = ()
    constants: Mapping[Any, Any] = field(default_factory=dict)
    varying: frozenset[Any] = frozenset()
    slow: tuple[Any, ...] = ()

    def slow_on_the_way(self, known: Collection[Any], wanted: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values of slow functions that have to be computed for those that are wanted."""
        needed = _needed(self.equations, {*self.constants, *known}, wanted)
        return tuple(variable for variable in self.slow if variable in needed)

    def evaluate(
        self, known: Mapping[Any, Any], wanted: Sequence[Any], remembered: Mapping[Any, Any] | None = None
    ) -> list[Any]:
        """Return the values of some variables from those of others.

        Parameters
        ----------
        known : values by variable
        wanted : variables
        remembered : values of slow functions: they are not computed again, but differentiated
        """
        values, remembered = {**self.constants, **known}, remembered or {}
        needed = _needed(self.equations, values, wanted)

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, Literal) else values[atom]

        for equation in self.equations:
            if needed.isdisjoint(equation.outvars):
                continue
            arguments, value = [read(atom) for atom in equation.invars], remembered.get(equation.outvars[0])
            slow = value is not None
            found = [_remembered(equation.primitive.name, *arguments, value)] if slow else _bound(equation, arguments)
            values |= {out: one for out, one in zip(equation.outvars, found, strict=True) if out not in values}
        return [read(atom) for atom in wanted]


def structure_of(step: Callable[[Any, Any, Any], Any], parameters: Any, state: Any, inputs: Any) -> Structure | None:
    """Take a step apart.

    Parameters
    ----------
    step : ``step(parameters, state, input) -> state``, for one trial
    parameters, state, inputs : its arguments, or their shapes

    Returns
    -------
    structure : None for a step whose gradient is not taken through real numbers alone, or that has effects
    """
    arguments = [jax.tree.leaves(jax.tree.map(_shape, argument)) for argument in (parameters, state, inputs)]
    shapes = jax.tree.map(_shape, (parameters, state, inputs))
    traced = jax.make_jaxpr(lambda *given: jax.tree.leaves(step(*given)))(*shapes)
    flat = jax.make_jaxpr(lambda *given: _inlined(traced.jaxpr, traced.consts, given))(*chain(*arguments))
    if flat.effects or any(isinstance(value, Tracer) for value in flat.consts):
        return None
    variables = iter(flat.jaxpr.invars)
    p, s, u = (tuple(next(variables) for _ in argument) for argument in arguments)
    constants = dict(zip(flat.jaxpr.constvars, flat.consts, strict=True))
    bare = Structure(p, s, u, tuple(flat.jaxpr.outvars), tuple(flat.jaxpr.eqns), constants=constants)
    found = _with_groups(bare)
    differentiated = (*found.state, *found.inputs, *found.hoisted, *found.others)
    fits = all(jnp.issubdtype(variable.aval.dtype, jnp.floating) for variable in differentiated)
    return found if fits else None


def _shape(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(jnp.shape(array), jnp.result_type(array))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _remembered(name: str, x: Any, y: Any) -> Any:
    """Return y, which is the value of a function at x, with the function's slope."""
    del name, x
    return y


@_remembered.defjvp
def _slope_of_remembered(name: str, primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[Any, Any]:
    (_, y), (dx, _) = primals, tangents
    return y, SLOPES[name](y) * dx


def _bound(equation: Any, values: Sequence[Any]) -> Sequence[Any]:
    """Apply the primitive of an equation: the rule of JAX's documentation for interpreters of one's own."""
    settings = equation.primitive.get_bind_params(equation.params)
    # Before JAX 0.10, functions that a primitive calls came beside its settings.
    functions, settings = settings if isinstance(settings, tuple) else ((), settings)
    found = equation.primitive.bind(*functions, *values, **settings)
    return found if equation.primitive.multiple_results else [found]


def _inlined(jaxpr: Any, constants: Sequence[Any], given: Sequence[Any]) -> list[Any]:
    """Evaluate a jaxpr, and those of the functions that it calls."""
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *given), strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        arguments = [read(atom) for atom in equation.invars]
        inner = equation.params.get("jaxpr") if equation.primitive.name in CALLS else None
        found = _bound(equation, arguments) if inner is None else _inlined(inner.jaxpr, inner.consts, arguments)
        values |= zip(equation.outvars, found, strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _variables(atoms: Sequence[Any]) -> list[Any]:
    return [atom for atom in atoms if not isinstance(atom, Literal)]


def _needed(equations: Sequence[Any], known: Any, wanted: Sequence[Any]) -> set[Any]:
    """Return the variables that have to be computed for those that are wanted."""
    makers = {out: equation for equation in equations for out in equation.outvars}
    needed: set[Any] = set()
    waiting = _variables(wanted)
    while waiting:
        variable = waiting.pop()
        if variable not in known and variable not in needed:
            needed.add(variable)
            waiting.extend(_variables(makers[variable].invars))
    return needed


def _with_groups(bare: Structure) -> Structure:
    """Find the affine sums, gather them, and see what is needed beside them."""
    kinds = {
        **dict.fromkeys((*bare.constants, *bare.parameters), PARAMETER),
        **dict.fromkeys(bare.inputs, INPUT),
        **dict.fromkeys(bare.state, STATE),
    }
    for equation in bare.equations:
        kind = max((kinds[variable] for variable in _variables(equation.invars)), default=PARAMETER)
        kinds |= dict.fromkeys(equation.outvars, kind)
    groups = _gathered(bare, _sums(bare, kinds))

    sums = [one.variable for group in groups for one in group.sums]
    wanted = [*bare.results, *(operand for group in groups for operand in group.operands)]
    frontier = {variable for variable, kind in kinds.items() if kind < STATE and variable not in bare.constants}
    met = _met(bare, {*bare.state, *sums, *bare.constants}, frontier, wanted)
    return Structure(
        bare.parameters,
        bare.state,
        bare.inputs,
        bare.results,
        bare.equations,
        groups,
        tuple(variable for variable in kinds if variable in met and kinds[variable] == INPUT),
        tuple(variable for variable in kinds if variable in met and kinds[variable] == PARAMETER),
        bare.constants,
        frozenset(variable for variable, kind in kinds.items() if kind == INPUT),
        tuple(
            equation.outvars[0]
            for equation in bare.equations
            if equation.primitive.name in SLOPES and kinds[equation.outvars[0]] == STATE
        ),
    )


def _met(bare: Structure, known: set[Any], frontier: set[Any], wanted: Sequence[Any]) -> set[Any]:
    """Return the variables of the frontier that are met on the way from what is wanted to what is known."""
    needed = _needed(bare.equations, known | frontier, wanted)
    read = [*wanted, *(atom for one in bare.equations if not needed.isdisjoint(one.outvars) for atom in one.invars)]
    return frontier & set(_variables(read))


def _sums(bare: Structure, kinds: Mapping[Any, int]) -> list[Sum]:
    """Return the affine sums, each as long as nobody else hears a part of it."""
    uses = Counter(_variables([*bare.results, *(atom for one in bare.equations for atom in one.invars)]))
    found: dict[Any, Sum] = {}
    for equation in bare.equations:
        out = equation.outvars[0]
        product = _product(equation, kinds)
        if product is not None and kinds[out] == STATE:
            found[out] = Sum(out, (product,))
        elif equation.primitive.name == "add" and kinds[out] == STATE:
            parts = _parts(equation, found, uses)
            if parts is None:
                continue
            whole = Sum(
                out,
                tuple(one for part in parts if isinstance(part, Sum) for one in part.of_state),
                added=tuple(atom for part in parts for atom in (part.added if isinstance(part, Sum) else (part,))),
            )
            if all(kinds[atom] < STATE for atom in whole.added):
                for part in parts:
                    if isinstance(part, Sum):
                        del found[part.variable]
                found[out] = whole
    return [_with_products_of_input(one, bare, kinds, uses) for one in found.values()]


def _product(equation: Any, kinds: Mapping[Any, int]) -> Product | None:
    """Return matrix times vector, where the matrix needs parameters alone; None for anything else."""
    if equation.primitive.name != "dot_general":
        return None
    (left, right), batch = equation.params["dimension_numbers"]
    plain = equation.params["precision"] is None and equation.params["preferred_element_type"] in (
        None,
        equation.outvars[0].aval.dtype,
    )
    if any(batch) or not plain or any(isinstance(atom, Literal) for atom in equation.invars):
        return None
    for matrix, vector, contracted in ((*equation.invars, left), (*equation.invars[::-1], right)):
        same = matrix.aval.dtype == vector.aval.dtype == equation.outvars[0].aval.dtype
        if same and matrix.aval.ndim == 2 and vector.aval.ndim == 1 and kinds[matrix] == PARAMETER:
            return Product(matrix, vector, turned=tuple(contracted) == (0,))
    return None


def _parts(equation: Any, found: Mapping[Any, Sum], uses: Mapping[Any, int]) -> list[Any] | None:
    """Return what an addition adds, sums or variables, if it goes on with a sum that is heard here alone."""
    if not _alike(equation):
        return None
    parts = [found[atom] if atom in found and uses[atom] == 1 else atom for atom in equation.invars]
    return parts if any(isinstance(part, Sum) for part in parts) else None


def _alike(equation: Any) -> bool:
    """Return whether an equation joins arrays of one shape and type, none of them a number in the text."""
    out = equation.outvars[0].aval
    return all(
        not isinstance(atom, Literal) and (atom.aval.shape, atom.aval.dtype) == (out.shape, out.dtype)
        for atom in equation.invars
    )


def _with_products_of_input(one: Sum, bare: Structure, kinds: Mapping[Any, int], uses: Mapping[Any, int]) -> Sum:
    """Take what is added apart: products of weights and input, and anything else."""
    makers = {out: equation for equation in bare.equations for out in equation.outvars}
    products, added, waiting = [], [], list(one.added)
    while waiting:
        atom = waiting.pop(0)
        equation = makers.get(atom)
        product = None if equation is None or kinds[atom] != INPUT else _product(equation, kinds)
        if product is not None:
            products.append(product)
        elif equation is not None and equation.primitive.name == "add" and _alike(equation) and uses[atom] == 1:
            waiting.extend(equation.invars)
        else:
            added.append(atom)
    return Sum(one.variable, one.of_state, tuple(products), tuple(added))


def _gathered(bare: Structure, sums: Sequence[Sum]) -> tuple[Group, ...]:
    """Gather sums of the same operands, in an order in which each group needs only those before it."""
    alike: dict[tuple[Any, ...], list[Sum]] = {}
    for one in sums:
        alike.setdefault(tuple(product.operand for product in one.of_state), []).append(one)
    groups = [Group(operands, tuple(members)) for operands, members in alike.items()]
    ordered: list[Group] = []
    known = {*bare.parameters, *bare.inputs, *bare.state, *bare.constants}
    every = {one.variable for one in sums}
    while groups:
        # Operands come before their sums in the step, so that the first group that is left is always ready.
        ready = next(group for group in groups if not _met(bare, known, every - known, group.operands))
        groups.remove(ready)
        ordered.append(ready)
        known |= {one.variable for one in ready.sums}
    return tuple(ordered)
