"""One piece of abstract code with its names resolved, and how it runs on the current values.

Names are resolved and statements are formed by Brian2 itself (`Group.resolve_all`, `make_statements`), in the way of
its `create_runner_codeobj`. Subexpressions therefore enter as statements of their own, evaluated where Brian2 evaluates
them, and arithmetic is arranged as in the C++ code, loop invariants included.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from brian2.codegen.translation import analyse_identifiers, make_statements
from brian2.core.clocks import Clock
from brian2.core.functions import Function
from brian2.core.variables import ArrayVariable, AuxiliaryVariable, Constant, Subexpression, Variable
from brian2.equations.unitcheck import check_units_statements
from brian2.units.fundamentalunits import DimensionMismatchError

from cortwin.errors import CortwinError
from cortwin.xla.expressions import Evaluator, names_in, parse
from cortwin.xla.indexing import take
from cortwin.xla.precision import alike, stored_dtype
from cortwin.xla.randomness import CallsToDraws, Draw, sampler_of
from cortwin.xla.timedarray import TimedArrayFunction

if TYPE_CHECKING:
    from cortwin.xla.compiler import Compilation
    from cortwin.xla.registry import Values

#: Brian2's names of the two trivial indices: one entry per element of the group; one entry for all
ELEMENT, SHARED = "_idx", "0"

_IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+=": lambda old, change: old + change,
    "-=": lambda old, change: old - change,
    "*=": lambda old, change: old * change,
    "/=": lambda old, change: old / change,
    "**=": lambda old, change: old**change,
    "%=": lambda old, change: old % change,
    "//=": lambda old, change: old // change,
}


def key_of(variable: Any) -> str:
    """Return ``"object.variable"``, the name of a variable's values everywhere in this package."""
    return f"{variable.owner.name}.{variable.name}"


def is_clock_variable(variable: Variable) -> bool:
    """Whether a variable is t, dt or the step of a clock, which are computed, not stored."""
    return isinstance(variable, ArrayVariable) and isinstance(variable.owner, Clock)


def is_structure(variable: Variable) -> bool:
    """Whether an array is part of the network's structure (an index, a read-only array): the same in every run."""
    return isinstance(variable, ArrayVariable) and not is_clock_variable(variable) and variable.read_only


@dataclass(frozen=True)
class Line:
    """One statement: ``name op expression``, ``:=`` for a name that is new."""

    name: str
    op: str
    node: ast.expr
    scalar: bool

    def __str__(self) -> str:
        return f"{self.name} {'=' if self.op == ':=' else self.op} {ast.unparse(self.node)}"


class Block:
    """The abstract code of one code runner, resolved.

    Attributes
    ----------
    owner : name of the runner, for messages
    lines : statements in the order of execution, those that are the same for all elements first
    variables : name -> Brian2 variable
    indices : name -> name of the index with which the name is read
    functions : name -> function over `jax.numpy`
    draws : name that stands for random numbers -> the place that draws them
    parameters : name of a constant around the code -> its key, if it is a parameter of the program
    conditions : name -> name of the variable without which it must not be written (``unless refractory``)
    real : type of real numbers
    """

    def __init__(self, runner: Any, code: str, compilation: Compilation, *, override: tuple[str, ...] = ()):
        self.owner: str = runner.name
        self.real = compilation.real
        group = runner.group
        own = getattr(runner, "variables", None)
        known = dict(group.variables) | (dict(own) if own is not None else {})
        try:
            _, used, unknown = analyse_identifiers(code, known, recursive=True)
            self.variables: dict[str, Any] = group.resolve_all(
                sorted(used | unknown),
                run_namespace=compilation.namespace,
                user_identifiers=set(),
                additional_variables=own,
            )
            if runner.check_units:
                check_units_statements(code, self.variables)
            scalar_statements, vector_statements = make_statements(code, self.variables, np.float64, optimise=True)
        except DimensionMismatchError as error:
            raise CortwinError(f"{self.owner}: units do not match: {error}") from error
        except (KeyError, SyntaxError, ValueError) as error:
            message = error.args[0] if error.args else error
            raise CortwinError(f"{self.owner}: {message}") from error

        self.indices: dict[str, str] = dict(group.variables.indices) | (dict(own.indices) if own is not None else {})
        self._default_index: str = group.variables.default_index
        self.lines = [
            Line(statement.var, statement.op, parse(str(statement.expr)), bool(statement.scalar))
            for statement in [*scalar_statements, *vector_statements]
        ]
        self.parameters = {
            name: key
            for name, variable in self.variables.items()
            if isinstance(variable, Constant) and (key := compilation.parameter(group.name, name, variable)) is not None
        }
        self.draws: dict[str, Draw] = {}
        self._find_draws(runner, compilation)
        self.conditions: dict[str, str] = {}
        self._add_conditions(override)
        # The index arrays are read like any other variable.
        for name in list(self.variables):
            index = self.index_of(name)
            if index not in (ELEMENT, SHARED):
                self.variables.setdefault(index, group.variables[index])
        self.functions = {
            name: compilation.function(name, variable, runner, code)
            for name, variable in self.variables.items()
            if isinstance(variable, Function) and sampler_of(name, variable, runner) is None
        }
        for variable in self.variables.values():
            compilation.note(variable)

    def _find_draws(self, runner: Any, compilation: Compilation) -> None:
        samplers = {
            name: sampler
            for name, variable in self.variables.items()
            if isinstance(variable, Function) and (sampler := sampler_of(name, variable, runner)) is not None
        }

        def draw(function: str, arguments: tuple[ast.expr, ...]) -> str:
            name = f"_draw_{len(self.draws)}"
            self.draws[name] = compilation.draw(runner, function, samplers[function], arguments)
            return name

        if samplers:
            replace = CallsToDraws(set(samplers), draw)
            self.lines = [Line(line.name, line.op, replace.visit(line.node), line.scalar) for line in self.lines]

    def _add_conditions(self, override: tuple[str, ...]) -> None:
        conditional = {
            name: variable.conditional_write
            for name, variable in self.variables.items()
            if getattr(variable, "conditional_write", None) is not None
            and variable.conditional_write.name not in override
        }
        for name in set(self.assigned()) & set(conditional):
            condition, index = conditional[name], self.indices[name]
            # Brian2 keeps one condition, with one index, for all names of a block: the last one's.
            for other, others_condition in conditional.items():
                if others_condition is not condition or self.indices[other] != index:
                    raise CortwinError(
                        f"{self.owner}: writes '{name}' and uses '{other}', both `unless refractory`, of different "
                        f"neurons: Brian2 would take the '{condition.name}' of either for both; copy '{other}' into "
                        "a variable that is not conditional"
                    )
            self.variables[condition.name] = condition
            self.indices[condition.name] = index
            self.conditions[name] = condition.name

    def index_of(self, name: str) -> str:
        """Return the name of the index with which a name is read: `ELEMENT`, `SHARED` or an array's."""
        variable = self.variables.get(name)
        if not isinstance(variable, ArrayVariable):
            return SHARED
        return SHARED if variable.scalar else self.indices.get(name, self._default_index)

    def is_array(self, name: str) -> bool:
        """Whether a name stands for an array of the network."""
        return isinstance(self.variables.get(name), ArrayVariable)

    def key(self, name: str) -> str:
        """Return the key of the values behind a name."""
        return key_of(self.variables[name])

    def assigned(self) -> list[str]:
        """Return the variables that the code writes (not its own temporary names)."""
        return list(dict.fromkeys(line.name for line in self.lines if self.writes_variable(line)))

    def writes_variable(self, line: Line) -> bool:
        """Whether a statement writes a variable of the network, not a temporary name."""
        return self.is_array(line.name) and line.op != ":="

    def is_one_to_one(self, name: str) -> bool:
        """Whether no two elements write the same entry of a variable."""
        index = self.index_of(name)
        if index in (ELEMENT, SHARED):
            return True
        positions = self.variables[index]
        return is_structure(positions) and len(np.unique(positions.get_value())) == len(positions.get_value())

    def writes(self) -> frozenset[str]:
        """Return the keys of the variables that the code writes."""
        return frozenset(self.key(name) for name in self.assigned())

    def reads(self, node: ast.expr) -> set[str]:
        """Return the keys of all arrays that an expression without temporary names depends on, clocks included."""
        keys = set()
        for name in names_in(node):
            if self.is_array(name):
                keys.add(self.key(name))
                if self.index_of(name) not in (ELEMENT, SHARED):
                    keys.add(self.key(self.index_of(name)))
        return keys

    def uses_clock(self, node: ast.expr) -> bool:
        """Whether an expression depends on t, dt or the step of a clock."""
        return any(is_clock_variable(self.variables[name]) for name in names_in(node) if name in self.variables)


class Elements:
    """A block runs over all elements of its group, or over some.

    Parameters
    ----------
    selection : (n,) int array of the elements, or None for all
    """

    def __init__(self, selection: np.ndarray | None = None):
        self.selection = selection

    def place(self, array: Any, index: str, read_index: Callable[[], Any]) -> Any:
        """Return the array's entry for every element of the block."""
        if index == SHARED:
            return array if np.ndim(array) == 0 else array[0]
        if index != ELEMENT:
            positions = read_index()
            return take(array, positions if self.selection is None else positions[self.selection])
        return array if self.selection is None else take(array, self.selection)


class Execution:
    """One run of a block: what its names stand for now.

    Parameters
    ----------
    block : the code
    values : current values of the network
    layout : over which elements the block runs, and how they lie in the array
    evaluator : class that computes an expression
    extra : further names and their values
    """

    def __init__(
        self,
        block: Block,
        values: Values,
        layout: Elements | Any = None,
        evaluator: Callable[..., Evaluator] = Evaluator,
        extra: dict[str, Any] | None = None,
    ):
        self.block, self.values, self.layout = block, values, layout or Elements()
        self.local: dict[str, Any] = dict(extra or {})
        self.evaluate = evaluator(self.read, self._function(values))

    def _function(self, values: Values) -> Callable[[str], Callable[..., Any]]:
        def find(name: str) -> Callable[..., Any]:
            function = self.block.functions[name]
            # A TimedArray reads its samples from the values, so that they can be replaced and differentiated.
            return function.at(values) if isinstance(function, TimedArrayFunction) else function

        return find

    def array(self, name: str) -> Any:
        """Return all entries of a variable, structure as a NumPy array."""
        variable = self.block.variables[name]
        return np.asarray(variable.get_value()) if is_structure(variable) else self.values[key_of(variable)]

    def read(self, name: str) -> Any:
        """Return the value of a name for every element of the block."""
        if name in self.local:
            return self.local[name]
        if name in self.block.draws:
            draw = self.block.draws[name]
            self.local[name] = draw(self.values, tuple(self.value(argument) for argument in draw.arguments))
            return self.local[name]
        variable = self.block.variables[name]
        if name in self.block.parameters:
            return self.values[self.block.parameters[name]]
        if isinstance(variable, Constant):
            return variable.get_value()
        if isinstance(variable, ArrayVariable):
            index = self.block.index_of(name)
            return self.layout.place(self.array(name), index, lambda: self.array(index))
        if isinstance(variable, (Subexpression, AuxiliaryVariable)):
            raise CortwinError(f"{self.block.owner}: '{name}' is used before it has a value")
        raise CortwinError(f"{self.block.owner}: '{name}' is a {type(variable).__name__}, which is not covered")

    def value(self, node: ast.expr) -> Any:
        """Return the value of an expression."""
        # Constant parts are NumPy's; like C++, they may overflow to inf without a warning.
        with np.errstate(all="ignore"):
            return self.evaluate(node)

    def line(self, line: Line) -> None:
        """Run one statement, writing only where the variable's condition allows it."""
        value = self.value(line.node)
        if line.op in _IN_PLACE:
            value = _IN_PLACE[line.op](*alike([self.read(line.name), value]))
        if self.block.writes_variable(line):
            old = self.read(line.name)
            value = jnp.broadcast_to(as_stored(value, self.block.variables[line.name], self.block.real), jnp.shape(old))
            condition = self.block.conditions.get(line.name)
            if condition is not None:
                value = jnp.where(self.read(condition), value, old)
        self.local[line.name] = value

    def run(self) -> Execution:
        """Run all statements in order."""
        for line in self.block.lines:
            self.line(line)
        return self

    def written(self) -> dict[str, jax.Array]:
        """Return the new values of the variables that the block writes, by key."""
        changed = {}
        for name in self.block.assigned():
            index, new = self.block.index_of(name), self.local[name]
            if index not in (ELEMENT, SHARED):
                new = self.array(name).at[self.array(index)].set(new, unique_indices=True)
            changed[self.block.key(name)] = new
        return changed


def as_stored(value: Any, variable: Any, real: np.dtype) -> jax.Array:
    """Cast a value to the type in which a variable is stored."""
    return jax.lax.convert_element_type(jnp.asarray(value), stored_dtype(variable.name, variable.dtype, real))
