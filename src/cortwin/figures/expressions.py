r"""From the text of an expression to matplotlib's mathtext, in the order in which it was written.

``to_mathtext("(-x + W_rec @ f(x))/tau")`` gives ``\dfrac{-x + W_{\mathrm{rec}}\,f(x)}{\tau}``. Brian2's expressions are
Python's, so one renderer serves both. Parentheses are set where the formula needs them, not where the text has them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

GREEK = frozenset(
    re.findall(
        r"\w+",
        """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi
        omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega""",
    )
)
FUNCTIONS = frozenset(["sin", "cos", "tan", "sinh", "cosh", "tanh", "log", "max", "min"])
RENAMED = {"arctan": r"\arctan", "maximum": r"\max", "minimum": r"\min", "sign": r"\mathrm{sgn}", "log10": r"\log_{10}"}
COMPARISONS = {
    ast.Lt: "<", ast.LtE: r"\leq", ast.Gt: ">", ast.GtE: r"\geq", ast.Eq: "=", ast.NotEq: r"\neq",
}  # fmt: skip

# How tightly a piece holds together, from a condition to a single symbol.
OR, AND, NOT, COMPARE, SUM, PRODUCT, POWER, ATOM = range(8)


@dataclass(frozen=True)
class Piece:
    """A rendered part: its mathtext, how tightly it holds together, and whether it is taller than a line."""

    text: str
    level: int
    tall: bool = False


def to_mathtext(expression: str, names: Mapping[str, str] | None = None, *, inline: bool = False) -> str:
    """Render an expression.

    Parameters
    ----------
    expression : in Python's or Brian2's syntax
    names : mathtext of particular names; all others follow `name_to_mathtext`
    inline : write fractions with a slash

    Returns
    -------
    str
        Mathtext without dollar signs.

    Raises
    ------
    ValueError
        If the text is no expression or holds something that has no place in a formula.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"'{expression.strip()}' is not an expression: {error.msg}") from None
    return _Renderer(names or {}, inline).render(tree.body).text


def node_to_mathtext(node: ast.expr, names: Mapping[str, str] | None = None) -> str:
    """Render a parsed expression; as `to_mathtext`."""
    return _Renderer(names or {}, False).render(node).text


def name_to_mathtext(name: str, index: str = "") -> str:
    r"""Render a name: ``tau_m`` as ``\tau_{\mathrm{m}}``, ``x0`` as ``x_{0}``, ``drive`` as ``\mathrm{drive}``.

    Parameters
    ----------
    name : identifier
    index : mathtext that joins the subscript, for instance ``"ij"``
    """
    if len(name) > 1 and name.isalpha() and name.isupper():
        name = name.lower()  # a constant of a Python module
    base, *labels = name.split("_") if not name.startswith("_") else [name]
    subscripts = [label if label.isdigit() else rf"\mathrm{{{label}}}" for label in labels if label]
    numbered = re.fullmatch(r"([A-Za-z]+)(\d+)", base)
    if numbered and (len(numbered[1]) == 1 or numbered[1] in GREEK):
        base, subscripts = numbered[1], [numbered[2], *subscripts]
    if index:
        subscripts.append(index)
    if base in GREEK:
        text = f"\\{base}"
    elif len(base) == 1:
        text = base
    else:
        text = rf"\mathrm{{{base}}}".replace("_", r"\_")
    return f"{text}_{{{','.join(subscripts)}}}" if subscripts else text


class _Renderer:
    def __init__(self, names: Mapping[str, str], inline: bool) -> None:
        self._names = names
        self._depth = 0  # of fractions: the outermost is set large
        self._inline = inline  # in an exponent a fraction is written with a slash

    def render(self, node: ast.expr) -> Piece:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise ValueError(f"'{ast.unparse(node)}' ({type(node).__name__}) has no place in a formula")
        return method(node)

    def _name(self, node: ast.Name) -> Piece:
        if node.id in self._names:
            return Piece(self._names[node.id], ATOM)
        return Piece(r"\infty" if node.id == "inf" else name_to_mathtext(node.id), ATOM)

    def _attribute(self, node: ast.Attribute) -> Piece:
        if ast.unparse(node) in self._names:
            return Piece(self._names[ast.unparse(node)], ATOM)
        # p.W_rec is W_rec of the parameters, jnp.pi is pi; only the transpose says something about what it is of.
        if node.attr == "T":
            return Piece(rf"{self._within(node.value, ATOM)}^{{\top}}", POWER)
        return self._name(ast.Name(node.attr))

    def _constant(self, node: ast.Constant) -> Piece:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise ValueError(f"the constant {node.value!r} has no place in a formula")
        mantissa, _, exponent = repr(node.value).partition("e")
        if not exponent:
            return Piece(r"\infty" if mantissa == "inf" else mantissa, ATOM)
        power = f"10^{{{int(exponent)}}}"
        return Piece(power, POWER) if mantissa == "1" else Piece(rf"{mantissa}\times {power}", PRODUCT)

    def _unaryop(self, node: ast.UnaryOp) -> Piece:
        if isinstance(node.op, ast.Not):
            return Piece(rf"\mathrm{{not}}\;{self._within(node.operand, COMPARE)}", NOT)
        sign = {ast.USub: "-", ast.UAdd: "+"}.get(type(node.op))
        if sign is None:
            raise ValueError(f"'{ast.unparse(node)}' ({type(node.op).__name__}) has no place in a formula")
        operand = self.render(node.operand)
        return Piece(sign + _within(operand, PRODUCT), SUM, operand.tall)

    def _binop(self, node: ast.BinOp) -> Piece:
        match node.op:
            case ast.Add() | ast.Sub():
                return self._sum(node)
            case ast.Mult() | ast.MatMult():
                return self._product(node)
            case ast.Div():
                return self._quotient(node)
            case ast.FloorDiv():
                quotient = self._quotient(node)
                return Piece(_bracketed(quotient, r"\lfloor", r"\rfloor"), ATOM, quotient.tall)
            case ast.Pow():
                return self._power(node)
            case ast.Mod():
                return Piece(
                    rf"{self._within(node.left, PRODUCT)}\;\mathrm{{mod}}\;{self._within(node.right, ATOM)}", PRODUCT
                )
        raise ValueError(f"'{ast.unparse(node)}' ({type(node.op).__name__}) has no place in a formula")

    def _sum(self, node: ast.BinOp) -> Piece:
        left, right = self.render(node.left), self.render(node.right)
        minus = isinstance(node.op, ast.Sub)
        behind = _within(right, PRODUCT if minus or _signed(right) else SUM)
        return Piece(f"{_within(left, SUM)} {'-' if minus else '+'} {behind}", SUM, left.tall or right.tall)

    def _product(self, node: ast.BinOp) -> Piece:
        left, right = self.render(node.left), self.render(node.right)
        before = left.text if isinstance(node.left, ast.UnaryOp) else _within(left, PRODUCT)
        behind = _within(right, PRODUCT)
        # The letter f leans to the left, into what stands before it.
        between = r"\cdot " if behind[0].isdigit() else r"\;" if behind[0] == "f" else r"\,"
        return Piece(f"{before}{between}{behind}", PRODUCT, left.tall or right.tall)

    def _quotient(self, node: ast.BinOp) -> Piece:
        # The sign of a fraction stands before it.
        sign, above = "", node.left
        if isinstance(above, ast.UnaryOp) and isinstance(above.op, ast.USub):
            sign, above = "-", above.operand
        if self._inline:
            # One level below a product, so that a b/c never appears where (a/b) c is meant.
            return Piece(f"{sign}{self._within(above, PRODUCT)}/{self._within(node.right, POWER)}", SUM)
        self._depth += 1
        numerator, denominator = self.render(above).text, self.render(node.right).text
        self._depth -= 1
        command = r"\frac" if self._depth else r"\dfrac"
        return Piece(f"{sign}{command}{{{numerator}}}{{{denominator}}}", SUM if sign else ATOM, True)

    def _power(self, node: ast.BinOp) -> Piece:
        base = self.render(node.left)
        return Piece(f"{{{_within(base, ATOM)}}}^{{{self._small(node.right)}}}", POWER, base.tall)

    def _compare(self, node: ast.Compare) -> Piece:
        parts, tall = [self._within(node.left, SUM)], self.render(node.left).tall
        for operation, right in zip(node.ops, node.comparators, strict=True):
            if type(operation) not in COMPARISONS:
                raise ValueError(f"'{ast.unparse(node)}' ({type(operation).__name__}) has no place in a formula")
            parts += [COMPARISONS[type(operation)], self._within(right, SUM)]
            tall = tall or self.render(right).tall
        return Piece(" ".join(parts), COMPARE, tall)

    def _boolop(self, node: ast.BoolOp) -> Piece:
        level, word = (AND, "and") if isinstance(node.op, ast.And) else (OR, "or")
        return Piece(rf"\;\mathrm{{{word}}}\;".join(self._within(value, level + 1) for value in node.values), level)

    def _subscript(self, node: ast.Subscript) -> Piece:
        return Piece(f"{{{self._within(node.value, ATOM)}}}_{{{self._small(node.slice)}}}", ATOM)

    def _tuple(self, node: ast.Tuple) -> Piece:
        return Piece(r",\;".join(self.render(element).text for element in node.elts), OR)

    def _call(self, node: ast.Call) -> Piece:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", None)
        if name is None or node.keywords:
            raise ValueError(f"'{ast.unparse(node)}' is not a plain call of a function")
        if name in self._names:
            return self._application(self._names[name], node.args)
        match name, node.args:
            case "exp", [argument]:
                return Piece(f"e^{{{self._small(argument)}}}", POWER)
            case "expm1", [argument]:
                return Piece(f"e^{{{self._small(argument)}}} - 1", SUM)
            case "log1p", [argument]:
                piece = self.render(argument)
                return Piece(
                    r"\log" + _bracketed(Piece(f"1 + {_within(piece, PRODUCT)}", SUM, piece.tall)), ATOM, piece.tall
                )
            case "sqrt", [argument]:
                return Piece(rf"\sqrt{{{self.render(argument).text}}}", ATOM, self.render(argument).tall)
            case (("abs" | "absolute"), [argument]):
                return self._enclosed(argument, "|", "|")
            case "floor", [argument]:
                return self._enclosed(argument, r"\lfloor", r"\rfloor")
            case "ceil", [argument]:
                return self._enclosed(argument, r"\lceil", r"\rceil")
            case "int", [ast.Compare() | ast.BoolOp() as argument]:
                return self._enclosed(argument, "[", "]")  # Iverson's bracket: 1 where it holds, else 0
            case "clip", [argument, low, high]:
                return self._clip(argument, low, high)
        if name in RENAMED:
            return self._application(RENAMED[name], node.args)
        return self._application(rf"\{name}" if name in FUNCTIONS else name_to_mathtext(name), node.args)

    def _clip(self, argument: ast.expr, low: ast.expr, high: ast.expr) -> Piece:
        match ast.unparse(low), ast.unparse(high):
            case (("0" | "0.0"), "inf"):
                piece = self._enclosed(argument, "[", "]")
                return Piece(f"{{{piece.text}}}_{{+}}", ATOM, piece.tall)
            case _, "inf":
                return self._application(r"\max", [argument, low])
            case "-inf", _:
                return self._application(r"\min", [argument, high])
        piece = self._enclosed(argument, "[", "]")
        return Piece(f"{{{piece.text}}}_{{{self._small(low)}}}^{{{self._small(high)}}}", POWER, piece.tall)

    def _application(self, function: str, arguments: list[ast.expr]) -> Piece:
        pieces = [self.render(argument) for argument in arguments]
        inside = Piece(r",\,".join(piece.text for piece in pieces), SUM, any(piece.tall for piece in pieces))
        return Piece(function + _bracketed(inside), ATOM, inside.tall)

    def _enclosed(self, node: ast.expr, left: str, right: str) -> Piece:
        piece = self.render(node)
        return Piece(_bracketed(piece, left, right), ATOM, piece.tall)

    def _within(self, node: ast.expr, level: int) -> str:
        return _within(self.render(node), level)

    def _small(self, node: ast.expr) -> str:
        before, self._inline = self._inline, True
        text = self.render(node).text
        self._inline = before
        return text


def _within(piece: Piece, level: int) -> str:
    """Return the text, in parentheses unless it holds together at least that tightly."""
    loose = piece.level < level or (level >= PRODUCT and _signed(piece))
    return _bracketed(piece) if loose else piece.text


def _signed(piece: Piece) -> bool:
    return piece.text.startswith(("-", "+"))


def _bracketed(piece: Piece, left: str = "(", right: str = ")") -> str:
    if piece.tall:
        return rf"\left{left}{piece.text}\right{right}"
    space = " " if left.startswith("\\") else ""
    return f"{left}{space}{piece.text}{right}"
