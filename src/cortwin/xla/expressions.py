"""Text of an expression -> its value over `jax.numpy`, and its terms and factors.

The grammar is Brian2's: arithmetic, single comparisons, and/or/not, calls. Anything else is refused.
"""

from __future__ import annotations

import ast
import copy
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax.numpy as jnp

from cortwin.xla.precision import alike

_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
}
_COMPARISON: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def parse(text: str) -> ast.expr:
    """Return the syntax tree of one expression."""
    return ast.parse(text.strip(), mode="eval").body


class Evaluator:
    """Value of a syntax tree, given how names are read and functions are found.

    Parameters
    ----------
    read : name -> current value
    function : name -> callable
    """

    def __init__(self, read: Callable[[str], Any], function: Callable[[str], Callable[..., Any]]):
        self.read = read
        self.function = function

    def __call__(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id="True" | "False" as name):
                return name == "True"
            case ast.Name(id=name):
                return self.read(name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](*alike([self(left), self(right)]))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.negate(self(operand))
            case ast.BoolOp(op=ast.And(), values=values):
                return self.every([self(value) for value in values])
            case ast.BoolOp(op=ast.Or(), values=values):
                return self.some([self(value) for value in values])
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISON:
                return self.compare(op, *alike([self(left), self(right)]))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self.function(name)(*alike([self(argument) for argument in arguments]))
        raise SyntaxError(f"'{ast.unparse(node)}' is not part of Brian2's expressions")

    def compare(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        return _COMPARISON[type(op)](left, right)

    def every(self, values: list[Any]) -> Any:
        result = values[0]
        for value in values[1:]:
            result = jnp.logical_and(result, value)
        return result

    def some(self, values: list[Any]) -> Any:
        result = values[0]
        for value in values[1:]:
            result = jnp.logical_or(result, value)
        return result

    def negate(self, value: Any) -> Any:
        return jnp.logical_not(value)


def names_in(node: ast.expr) -> set[str]:
    """Return the names of the variables in an expression, without those of the functions."""
    functions = {call.func for call in ast.walk(node) if isinstance(call, ast.Call)}
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and name not in functions} - {
        "True",
        "False",
    }


class _Substitution(ast.NodeTransformer):
    def __init__(self, definitions: Mapping[str, ast.expr]):
        self.definitions = definitions

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return ast.Call(func=node.func, args=[self.visit(argument) for argument in node.args], keywords=[])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.definitions.get(node.id, node)


def substitute(node: ast.expr, definitions: Mapping[str, ast.expr]) -> ast.expr:
    """Put the defining expressions in the place of names."""
    return _Substitution(definitions).visit(copy.deepcopy(node))


def terms(node: ast.expr, sign: int = 1) -> Iterator[tuple[int, ast.expr]]:
    """Split a sum into its signed terms."""
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from terms(left, sign)
            yield from terms(right, sign)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            yield from terms(left, sign)
            yield from terms(right, -sign)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield from terms(operand, -sign)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            yield from terms(operand, sign)
        case _:
            yield sign, node


def factors(node: ast.expr, inverse: bool = False) -> Iterator[tuple[ast.expr, bool]]:
    """Split a product into its factors; True marks a divisor."""
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            yield from factors(left, inverse)
            yield from factors(right, inverse)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            yield from factors(left, inverse)
            yield from factors(right, not inverse)
        case _:
            yield node, inverse
