"""The lines of a page's equations: Python functions and Brian2 texts to typeset formulas, as they were written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cortwin.figures.expressions import name_to_mathtext, node_to_mathtext, to_mathtext

_STATEMENT = re.compile(r"^(?P<name>\w+)\s*(?P<operation>[-+*/]?)=\s*(?P<expression>[^=].*)$")
_DIFFERENTIAL = re.compile(r"d(\w+)\s*/\s*dt")
_QUANTITY = re.compile(r"^(?P<number>[-+]?[\d.]+(?:e[-+]?\d+)?)\s*(?P<unit>.*)$")
# The subscripts of a synapse: from element j to element i, or from neuron k to the unit i that it belongs to.
_SUBSCRIPTS = {"all_to_all": ("j", "ij", "j"), "convergent": ("k", "k", r"k \in i"), "one_to_one": ("i", "i", "")}


@dataclass(frozen=True)
class Line:
    """A formula in mathtext without dollar signs, and a remark: text that may hold formulas between dollar signs."""

    formula: str
    remark: str = ""


def textbook_lines(sources: Mapping[str, str]) -> dict[str, list[Line]]:
    """Typeset a textbook writing.

    Parameters
    ----------
    sources : role -> source: ``recurrence(p, h, u, ...)`` and ``step(p, x, u, ...)``, which take the state and the
        input and return the next state; ``activation(x)``; ``output(p, h)``

    Returns
    -------
    dict
        role -> lines

    Raises
    ------
    ValueError
        Naming the function and the statement that cannot be typeset.
    """
    lines = {}
    for role, source in sources.items():
        if role == "activation":
            lines[role] = _activation(source)
        else:
            lines[role] = _function(role, source)
    return lines


def population_lines(texts: Mapping[str, str]) -> list[Line]:
    """Typeset what a population computes: its equations, and when it spikes.

    Parameters
    ----------
    texts : ``equations`` and, of a spiking population, ``threshold``, ``reset`` and ``refractory``

    Raises
    ------
    ValueError
        For a line that cannot be read.
    """
    lines = [
        Line(
            f"{_left_side(name)} = {to_mathtext(expression)}",
            "unless refractory" if "unless refractory" in flags else "",
        )
        for name, expression, flags in _definitions(texts["equations"])
    ]
    if "threshold" in texts:
        resets = r",\;\; ".join(_statement(line, {}) for line in _lines(texts.get("reset", "").replace(";", "\n")))
        remark = f"then silent for ${to_mathtext(texts['refractory'])}$" if "refractory" in texts else ""
        lines.append(
            Line(rf"{to_mathtext(texts['threshold'])}\;\;\Rightarrow\;\; \mathrm{{spike}},\;\; {resets}", remark)
        )
    return lines


def pathway_lines(texts: Mapping) -> list[Line]:
    """Typeset what a pathway adds up, and what a spike does at its target.

    Parameters
    ----------
    texts : ``equations``, ``connect`` and, if there are any, ``on_pre``, ``delay`` and ``values`` (variable -> array)

    Raises
    ------
    ValueError
        For a line that cannot be read.
    """
    before, own, over = _SUBSCRIPTS.get(texts.get("connect", "all_to_all"), ("j", "ij", "j"))
    statements = _lines(texts.get("on_pre", "").replace(";", "\n"))
    found = list(_definitions(texts["equations"]))
    sums = [item for item in found if item[0].endswith("_post")]
    changes = [(match[1], text) for name, text, _ in found if (match := _DIFFERENTIAL.fullmatch(name))]
    names = _indexed(texts["equations"], [text for _, text, _ in found] + statements, before, own)
    values = [(name, array) for name, array in texts.get("values", {}).items() if name in names]

    def remark(*texts: str) -> str:
        """Say which arrays the names that occur stand for."""
        words = {word for text in texts for word in re.findall(r"\w+", text)}
        named = [(name, array) for name, array in values if name in words]
        return ",  ".join(f"${name_to_mathtext(name)} = {name_to_mathtext(array)}$" for name, array in named)

    total = rf"\sum_{{{over}}}\," if over else ""
    lines = [
        Line(rf"\dfrac{{d{names.get(name) or name_to_mathtext(name, own)}}}{{dt}} = {to_mathtext(text, names)}")
        for name, text in changes
    ]
    lines += [
        Line(
            f"{name_to_mathtext(name.removesuffix('_post'), 'i')} = {total}{_summand(expression, names, over)}",
            remark(expression),
        )
        for name, expression, _ in sums
    ]
    if statements:
        effects = r",\;\; ".join(_statement(line, names) for line in statements)
        delay = f"after ${to_mathtext(texts['delay'])}$" if "delay" in texts else ""
        arrival = ",  ".join(filter(None, (remark(*statements), delay)))
        lines.append(Line(rf"\mathrm{{spike\ of\ }}{before}\;\;\Rightarrow\;\; {effects}", arrival))
    return lines


def constant_text(name: str, value: str) -> str:
    """Typeset a constant: ``100 ms`` with its unit upright, anything else as an expression."""
    quantity = _QUANTITY.match(value.strip())
    if quantity is None:
        return f"{name_to_mathtext(name)} = {to_mathtext(value, inline=True)}"
    unit = rf"\,\mathrm{{{quantity['unit']}}}" if quantity["unit"] else ""
    return f"{name_to_mathtext(name)} = {quantity['number'].removesuffix('.')}{unit}"


def _function(role: str, source: str) -> list[Line]:
    """Typeset a function of the state: the next state, or the output.

    A state of several arrays is returned as ``State(c=..., h=...)``, one line for each; an array that is returned under
    the name that it was given before is not written twice.
    """
    arguments, assignments, result = _read(source, role)
    state = arguments[1] if len(arguments) > 1 else "x"
    now = "t" if role == "output" else "t-1"
    names = {state: name_to_mathtext(state, now)}
    names |= {
        f"{state}.{part.attr}": name_to_mathtext(part.attr, now)
        for value in (*(value for _, value in assignments), result)
        for part in ast.walk(value)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == state
    }
    if role != "output":
        names |= {name: name_to_mathtext(name, "t") for name in arguments[2:3]}
    if role != "output" and isinstance(result, ast.Call) and not result.args and result.keywords:
        returned = {str(part.arg): part.value for part in result.keywords}
    else:
        returned = {"y" if role == "output" else state: result}
    again = {name for name, value in returned.items() if isinstance(value, ast.Name) and value.id == name}
    names |= {name: name_to_mathtext(name, "t") for name in again}
    lines = [
        Line(f"{names.get(name) or name_to_mathtext(name)} = {node_to_mathtext(value, names)}")
        for name, value in assignments
    ]
    return lines + [
        Line(f"{name_to_mathtext(name, 't')} = {node_to_mathtext(value, names)}")
        for name, value in returned.items()
        if name not in again
    ]


def _activation(source: str) -> list[Line]:
    if source.isidentifier():
        return [Line(rf"f(x) = {to_mathtext(f'{source}(x)')}")]
    arguments, assignments, result = _read(source, "activation")
    if isinstance(result, ast.Call) and not result.args and result.keywords:
        # A state of several arrays: what changes of it.
        names = {f"{arguments[0]}.{part.arg}": name_to_mathtext(str(part.arg)) for part in result.keywords}
        return [
            Line(f"{name_to_mathtext(str(part.arg))} = {node_to_mathtext(part.value)}")
            for part in result.keywords
            if ast.unparse(part.value) not in names
        ]
    if isinstance(result, ast.Name) and result.id == arguments[0]:
        return []  # the printed state is the leaky one
    lines = [Line(f"{name_to_mathtext(name)} = {node_to_mathtext(value)}") for name, value in assignments]
    return [*lines, Line(f"f({name_to_mathtext(arguments[0])}) = {node_to_mathtext(result)}")]


def _read(source: str, role: str) -> tuple[list[str], list[tuple[str, ast.expr]], ast.expr]:
    """Return the arguments of a function, its assignments and what it returns."""
    try:
        statement = ast.parse(source.strip()).body[0]
    except (SyntaxError, IndexError):
        raise ValueError(f"{role}: '{source.strip()[:60]}' is not the source of a function") from None
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Lambda):
        return [argument.arg for argument in statement.value.args.args], [], statement.value.body
    if not isinstance(statement, ast.FunctionDef):
        raise ValueError(f"{role}: '{source.strip()[:60]}' is not the source of a function")
    assignments: list[tuple[str, ast.expr]] = []
    for part in statement.body:
        match part:
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                assignments.append((name, value))
            case ast.Return(value=ast.expr() as value):
                return [argument.arg for argument in statement.args.args], assignments, value
            case _:
                raise ValueError(
                    f"{statement.name}: '{ast.unparse(part)}' cannot be typeset; use assignments and a return"
                )
    raise ValueError(f"{statement.name}: returns nothing")


def _lines(text: str) -> list[str]:
    return [line for line in (line.partition("#")[0].strip() for line in text.splitlines()) if line]


def _definitions(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (name, expression, flags) of every line of Brian2 equations that computes something."""
    for line in _lines(text):
        definition, colon, unit = line.partition(":")
        if not colon:
            raise ValueError(f"'{line}' is not a line of equations: it states no unit")
        name, equals, expression = definition.partition("=")
        if equals:
            yield name.strip(), expression.strip(), unit.partition("(")[2]


def _left_side(name: str) -> str:
    differential = _DIFFERENTIAL.fullmatch(name)
    return rf"\dfrac{{d{name_to_mathtext(differential[1])}}}{{dt}}" if differential else name_to_mathtext(name)


def _indexed(equations: str, texts: list[str], before: str, own: str) -> dict[str, str]:
    """Return the mathtext of a synapse's names: its own, those of its source and those of its target, by subscript."""
    words = {word for text in texts for word in re.findall(r"\b[A-Za-z]\w*", text)}
    left = (line.partition(":")[0].partition("=")[0].strip() for line in _lines(equations))
    variables = {match[1] if (match := _DIFFERENTIAL.fullmatch(name)) else name for name in left}
    names = {}
    for word in sorted(words):
        if word.endswith("_pre"):
            names[word] = name_to_mathtext(word.removesuffix("_pre"), before)
        elif word.endswith("_post"):
            names[word] = name_to_mathtext(word.removesuffix("_post"), "i")
        elif word in variables:
            names[word] = name_to_mathtext(word, own)
    return names


def _summand(expression: str, names: Mapping[str, str], over: str) -> str:
    tree = ast.parse(expression, mode="eval").body
    text = node_to_mathtext(tree, names)
    loose = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub)
    return rf"\left({text}\right)" if over and (loose or text.startswith("-")) else text


def _statement(text: str, names: Mapping[str, str]) -> str:
    match = _STATEMENT.match(text)
    if match is None:
        raise ValueError(f"'{text}' is not an assignment such as 'v = 0' or 'r_post += w'")
    name, operation, expression = match["name"], match["operation"], match["expression"]
    value = f"{name} {operation} ({expression})" if operation else expression
    return rf"{names.get(name) or name_to_mathtext(name)} \leftarrow {to_mathtext(value, names)}"
