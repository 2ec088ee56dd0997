"""Sums over synapses of an expression, as a matrix product where its factors allow it.

The sum over sources i of ``w_ij f(pre_i) g(post_j)`` is ``g_j (f @ W)_j``. An expression is split into terms and each
term into factors; a term whose every factor belongs to one side (or to the synapse alone) takes this form.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cortwin.xla.connectivity import POST, PRE, Connectivity
from cortwin.xla.environment import ELEMENT, SHARED, Block, Execution, Line
from cortwin.xla.expressions import factors, names_in, substitute, terms
from cortwin.xla.precision import alike
from cortwin.xla.registry import Values

_SIDE_OF_INDEX = {"_presynaptic_idx": PRE, "_postsynaptic_idx": POST, SHARED: "shared", ELEMENT: "synapse"}

#: Adding one entry to its neuron costs about as much as this many multiplications in a matrix product (measured on a
#: CPU, float64), so that a matrix with zeros pays up to this many places per synapse.
PLACES_PER_SYNAPSE = 16


class OneSide:
    """A layout in which the block runs over the neurons of one side that have a synapse."""

    def __init__(self, connectivity: Connectivity, side: str):
        self.connectivity, self.side = connectivity, side

    def place(self, array: Any, index: str, read_index: Any) -> Any:
        if index == SHARED:
            return array if np.ndim(array) == 0 else array[0]
        return self.connectivity.of_neurons(array, self.side)


@dataclass(frozen=True)
class Term:
    """One term of the sum, its factors gathered by side; True marks a divisor."""

    sign: int
    factors: dict[str, list[tuple[ast.expr, bool]]]
    whole: ast.expr


class SynapticSum:
    """Sum of an expression over the synapses of each neuron of one side.

    Parameters
    ----------
    name : prefix of the names of the arrays that it makes once per run
    block : code that the expression stands in
    node : the expression, free of temporary names
    connectivity : of the synapses
    onto : the side whose neurons the sums belong to
    sides : further names that multiply the expression (the event), and the side of each
    """

    def __init__(
        self,
        name: str,
        block: Block,
        node: ast.expr,
        connectivity: Connectivity,
        onto: str,
        sides: Mapping[str, str] | None = None,
    ):
        self.name, self.block, self.connectivity, self.onto = name, block, connectivity, onto
        self.sides = dict(sides or {})
        self.terms = []
        for sign, term in terms(node):
            for further in self.sides:
                term = ast.BinOp(ast.Name(further), ast.Mult(), term)
            self.terms.append(self._gather(sign, term))

    def _side(self, node: ast.expr) -> str:
        sides = {self.sides.get(name) or self._side_of_variable(name) for name in names_in(node)} - {"shared"}
        if not sides:
            return "shared"
        return sides.pop() if len(sides) == 1 else "mixed"

    def _side_of_variable(self, name: str) -> str:
        return _SIDE_OF_INDEX.get(self.block.index_of(name), "mixed")

    def _gather(self, sign: int, term: ast.expr) -> Term:
        by_side: dict[str, list[tuple[ast.expr, bool]]] = {}
        for factor, inverse in factors(term):
            by_side.setdefault(self._side(factor), []).append((factor, inverse))
        return Term(sign, by_side, term)

    def _is_fixed(self, term: Term, written: frozenset[str]) -> bool:
        """Whether the synaptic factors of a term are the same at every step."""
        return all(
            not self.block.reads(factor) & written
            and not names_in(factor) & set(self.sides)
            and not self.block.uses_clock(factor)
            for factor, _ in term.factors.get("synapse", [])
        )

    def _as_matrix(self, term: Term, fixed: bool) -> bool:
        if "mixed" in term.factors or not self.connectivity.n_synapses:
            return False
        if self.connectivity.is_rectangle:
            return True
        n_places = self.connectivity.shape[0] * self.connectivity.shape[1]
        return fixed and n_places <= PLACES_PER_SYNAPSE * self.connectivity.n_synapses

    @property
    def _rows(self) -> str:
        """The side of a matrix's rows: the one with fewer neurons.

        On a CPU, XLA forms the gradient of a wide matrix two to five times as fast as that of a tall one.
        """
        return PRE if self.connectivity.shape[0] <= self.connectivity.shape[1] else POST

    def _key(self, position: int) -> str:
        return f"{self.name}._matrix_{position}"

    def invariants(self, values: Values, written: frozenset[str]) -> dict[str, Any]:
        """Return the matrices that are the same at every step."""
        made = {}
        for position, term in enumerate(self.terms):
            if self._is_fixed(term, written) and self._as_matrix(term, fixed=True):
                made[self._key(position)] = self._matrix(term, values, {})
        return made

    def _matrix(self, term: Term, values: Values, extra: dict[str, Any]) -> jax.Array:
        run = Execution(self.block, values, extra=extra)
        matrix = self.connectivity.matrix(jnp.asarray(_product(run, term.factors.get("synapse", [])), self.block.real))
        return matrix if self._rows == PRE else matrix.T

    def __call__(self, values: Values, extra: dict[str, Any] | None = None) -> jax.Array:
        """Return the sums of all neurons of the side.

        Parameters
        ----------
        values : current values
        extra : values of the names in `sides`: of all neurons of their side, or of all synapses
        """
        extra = extra or {}
        total = jnp.zeros(self.connectivity.sizes[self.onto], self.block.real)
        for position, term in enumerate(self.terms):
            matrix = values.get(self._key(position))
            if matrix is None and self._as_matrix(term, fixed=False):
                matrix = self._matrix(term, values, extra)
            total = total + term.sign * (
                self._sum_of_list(term, values, extra)
                if matrix is None
                else self._sum_of_matrix(term, matrix, values, extra)
            )
        return total

    def _sum_of_matrix(self, term: Term, matrix: jax.Array, values: Values, extra: dict[str, Any]) -> jax.Array:
        across = PRE if self.onto == POST else POST
        product = {}
        for side in (PRE, POST):
            # Names in `sides` hold all neurons; a matrix has only those with a synapse.
            local = {
                name: self.connectivity.of_neurons(extra[name], side)
                for name, place in self.sides.items()
                if place == side
            }
            run = Execution(self.block, values, OneSide(self.connectivity, side), extra=local)
            product[side] = _product(run, term.factors.get(side, []))
        shared = _product(Execution(self.block, values), term.factors.get("shared", []))
        axis = 0 if across == self._rows else 1
        weights = jnp.broadcast_to(jnp.asarray(product[across], self.block.real), (matrix.shape[axis],))
        sums = jax.lax.dot_general(weights, matrix, (((0,), (axis,)), ((), ()))) * product[self.onto] * shared
        return self.connectivity.to_neurons(sums, self.onto)

    def _sum_of_list(self, term: Term, values: Values, extra: dict[str, Any]) -> jax.Array:
        local = {
            name: self.connectivity.of_synapses(extra[name], place) if place in (PRE, POST) else extra[name]
            for name, place in self.sides.items()
        }
        run = Execution(self.block, values, extra=local)
        return self.connectivity.sum(run.value(term.whole), self.onto)


def _product(run: Execution, parts: list[tuple[ast.expr, bool]]) -> Any:
    result: Any = 1.0
    for node, inverse in parts:
        value = run.value(node)
        result, value = alike([result, value])
        result = result / value if inverse else result * value
    return result


def without_temporaries(block: Block) -> tuple[dict[str, ast.expr], list[tuple[Line, ast.expr]]] | None:
    """Replace all temporary names of a block by their expressions.

    Returns
    -------
    definitions : temporary name -> expression of variables only
    writes : each statement that writes a variable, with its expression of variables only

    None if a temporary name changes after it was made: then the order of the statements matters.
    """
    definitions: dict[str, ast.expr] = {}
    writes: list[tuple[Line, ast.expr]] = []
    for line in block.lines:
        node = substitute(line.node, definitions)
        if block.writes_variable(line):
            writes.append((line, node))
        elif line.name in definitions:
            return None
        else:
            definitions[line.name] = node
    return definitions, writes
