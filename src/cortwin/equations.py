"""Equation texts as data: read, checked against a whitelist, and never evaluated before they are checked.

A text is Brian2's equation syntax: one definition a line, ``dx/dt = EXPR : UNIT``, ``y = EXPR : UNIT`` or
``z : UNIT``, each with optional ``(flags)``. Brian2 evaluates the unit as Python and writes the expression into C++, so
both are compared with short lists first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import brian2
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.namespace import DEFAULT_CONSTANTS
from brian2.core.variables import Constant, Variable
from brian2.parsing.expressions import parse_expression_dimensions

from cortwin.blow_ups import COUNTER
from cortwin.brian2_import import warn_of_preferences
from cortwin.errors import CortwinError

warn_of_preferences()  # here Brian2 has been imported, whatever part of cortwin was wanted

# The units that a text may state. Brian2 would evaluate any Python expression here; `volt**9**9**9` never returns.
UNITS: Mapping[str, Any] = {
    "1": 1,
    "second": brian2.second,
    "Hz": brian2.hertz,
    "volt": brian2.volt,
    "amp": brian2.amp,
    "siemens": brian2.siemens,
    "farad": brian2.farad,
    "ohm": brian2.ohm,
    "1/second": 1 / brian2.second,
    "volt/second": brian2.volt / brian2.second,
}
UNITS_OF_TYPE = {"boolean": bool, "integer": int}
FUNCTIONS = frozenset(
    """exp log log10 log1p expm1 exprel sqrt sin cos tan sinh cosh tanh arctan abs sign clip floor ceil int
    timestep""".split()
)
KEYWORDS = frozenset(
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
    concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete
    do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
    requires return short signed sizeof static static_assert static_cast struct switch template this thread_local throw
    true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
    lambda None True False t dt N i j lastspike not_refractory xi""".split()
)
_OPERATORS = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Load, ast.Constant,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.FloorDiv, ast.Pow, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or,
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip
_DEFINITION = re.compile(
    r"^\s*(?:d(?P<state>\w+)\s*/\s*dt|(?P<name>\w+))\s*(?:=\s*(?P<expression>.+?))?\s*:\s*(?P<unit>[^:()]+?)\s*"
    r"(?:\(\s*(?P<flags>[^()]*?)\s*\))?\s*$"
)
_STATEMENT = re.compile(r"^\s*(?P<name>\w+)\s*(?P<operation>[-+*/]?=)\s*(?P<expression>[^=].*?)\s*$")


@dataclass(frozen=True)
class Definition:
    """One line of an equation text; ``kind`` is ``"differential"``, ``"subexpression"`` or ``"parameter"``."""

    name: str
    kind: str
    expression: str | None
    unit: str
    flags: tuple[str, ...]

    @property
    def dimensions(self):
        """Brian2 dimensions of the defined variable."""
        return brian2.get_dimensions(UNITS.get(self.unit, 1))


@dataclass(frozen=True)
class Statement:
    """One line of a reset, of ``on_pre`` or of ``on_post``: ``name operation expression``."""

    name: str
    operation: str
    expression: str


def definitions(text: str, where: str) -> tuple[Definition, ...]:
    """Read an equation text.

    Raises
    ------
    CortwinError
        For a line that is no definition, a unit that is not in `UNITS`, a forbidden name or construct.
    """
    found: dict[str, Definition] = {}
    for line in _lines(text):
        match = _DEFINITION.match(line)
        if match is None:
            raise CortwinError(f"{where}: '{line}' is not 'dx/dt = ... : unit', 'x = ... : unit' or 'x : unit'")
        name = match["state"] or match["name"]
        _check_name(name, where)
        if match["unit"] not in UNITS and match["unit"] not in UNITS_OF_TYPE:
            raise CortwinError(f"{where}: the unit '{match['unit']}' of {name} is not one of {', '.join(UNITS)}")
        if match["state"] and not match["expression"]:
            raise CortwinError(f"{where}: d{name}/dt has no right-hand side")
        if name in found:
            raise CortwinError(f"{where}: {name} is defined twice")
        if match["expression"]:
            parse_expression(match["expression"], f"{where}, {name}")
        kind = "differential" if match["state"] else "subexpression" if match["expression"] else "parameter"
        flags = tuple(flag.strip() for flag in (match["flags"] or "").split(",") if flag.strip())
        found[name] = Definition(name, kind, match["expression"], match["unit"], flags)
    return tuple(found.values())


def statements(text: str, where: str) -> tuple[Statement, ...]:
    """Read the statements of a reset or of a synapse's reaction to a spike; errors as in `definitions`."""
    read = []
    for line in _lines(text.replace(";", "\n")):
        match = _STATEMENT.match(line)
        if match is None:
            raise CortwinError(f"{where}: '{line}' is not an assignment such as 'v = 0' or 'r_post += w'")
        parse_expression(match["expression"], where)
        read.append(Statement(match["name"], match["operation"], match["expression"]))
    return tuple(read)


def parse_expression(expression: str, where: str) -> ast.expr:
    """Parse an expression and refuse everything but arithmetic, comparisons and the functions in `FUNCTIONS`."""
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError as error:
        raise CortwinError(f"{where}: '{expression}' cannot be read: {error.msg}") from None
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, _OPERATORS):
            raise CortwinError(f"{where}: '{ast.unparse(node)}' ({type(node).__name__}) is not allowed in an equation")
        if isinstance(node, ast.Constant) and not isinstance(node.value, int | float):
            raise CortwinError(f"{where}: the constant {node.value!r} is not a number")
        if isinstance(node, ast.Call) and (not isinstance(node.func, ast.Name) or node.keywords):
            raise CortwinError(f"{where}: '{ast.unparse(node)}' is not a plain call of a function")
        if isinstance(node, ast.Pow | ast.BinOp) and isinstance(getattr(node, "op", None), ast.Pow):
            exponent = node.right  # type: ignore[union-attr]
            if isinstance(exponent, ast.BinOp) or (isinstance(exponent, ast.Constant) and abs(exponent.value) > 16):  # type: ignore[operator]
                raise CortwinError(f"{where}: the exponent in '{ast.unparse(node)}' must be a plain number up to 16")
        if isinstance(node, ast.Name) and id(node) not in functions and node.id.startswith("_"):
            raise CortwinError(f"{where}: the name '{node.id}' starts with an underscore")
    return tree.body


def called(expression: str, where: str) -> set[str]:
    """Return the names of the functions that an expression calls."""
    tree = parse_expression(expression, where)
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def names(expression: str, where: str) -> set[str]:
    """Return the names that an expression uses, functions left out."""
    tree = parse_expression(expression, where)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - called(expression, where)


def check_dimensions(
    expression: str, expected, symbols: Mapping[str, object], functions: Iterable[str], where: str
) -> None:
    """Refuse an expression that uses an unknown symbol or whose physical dimensions are not the expected ones.

    Parameters
    ----------
    expression : text
    expected : Brian2 dimensions, or None when any will do (a condition)
    symbols : Brian2 dimensions of every known name
    functions : names of functions that the network supplies (timed inputs); they are dimensionless
    where : what the error message names

    Raises
    ------
    CortwinError
        Naming the symbol, or the expression and both units.
    """
    supplied = set(functions)
    for function in called(expression, where) - FUNCTIONS - supplied:
        raise CortwinError(f"{where}: the function '{function}' is not known; known are {', '.join(sorted(FUNCTIONS))}")
    for name in sorted(names(expression, where) - set(symbols) - set(DEFAULT_CONSTANTS)):
        raise CortwinError(f"{where}: the symbol '{name}' is not defined; defined are {', '.join(sorted(symbols))}")
    variables: dict[str, object] = {
        name: Variable(name, dimensions=dim, dtype=float)  # type: ignore[arg-type]
        for name, dim in symbols.items()
    }
    variables |= {
        name: Constant(name, float(constant.value))  # type: ignore[arg-type]
        for name, constant in DEFAULT_CONSTANTS.items()
    }
    variables |= {name: DEFAULT_FUNCTIONS[name] for name in FUNCTIONS}
    for name in supplied:
        variables[name] = brian2.Function(lambda t, i: 0.0, arg_units=[brian2.second, 1], return_unit=1)
    try:
        found = parse_expression_dimensions(expression, variables)
    except brian2.DimensionMismatchError as error:
        raise CortwinError(f"{where}: the units in '{expression}' do not fit: {error}") from None
    except SyntaxError as error:
        raise CortwinError(f"{where}: '{expression}': {error}") from None
    if expected is not None and found is not expected:
        raise CortwinError(
            f"{where}: '{expression}' has the unit {brian2.get_unit(found)!r}, expected {brian2.get_unit(expected)!r}"
        )


def _lines(text: str) -> list[str]:
    stripped = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


def _check_name(name: str, where: str) -> None:
    if name in {*KEYWORDS, *DEFAULT_CONSTANTS, *FUNCTIONS, *UNITS, COUNTER}:
        raise CortwinError(
            f"{where}: '{name}' is a word of C++ or of Brian2, or of cortwin's own, and cannot name a variable"
        )
    if name.startswith("_") or name.endswith(("_pre", "_post")):
        raise CortwinError(f"{where}: the name '{name}' may not start with '_' or end with '_pre' or '_post'")
