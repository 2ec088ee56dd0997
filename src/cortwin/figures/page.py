"""The texts of a page, as plain data: what is typeset, and what a run directory keeps for drawing again.

Nothing of the engine is imported: any object with the attributes of a `Model` will do.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

WRITINGS = ("rate", "tuning", "spiking")
ROLES = ("recurrence", "step", "activation", "output")


def page_texts(model: Any) -> dict[str, Any]:
    """Collect the texts of a model's writings and the source of its textbook functions.

    Parameters
    ----------
    model : a `Model`, or any object with its attributes

    Returns
    -------
    dict
        JSON-able: ``"name"``, ``"textbook"`` (role -> source; the output's with its link around what it returns), one
        entry per biological writing (``"populations"`` and ``"pathways"``, each name -> texts) and ``"constants"``
        (name -> text with unit).

    Raises
    ------
    ValueError
        If the source of a textbook function cannot be found.
    """
    texts: dict[str, Any] = {
        "name": model.name,
        "textbook": {
            role: source_of(getattr(model.textbook, role)) for role in ROLES if getattr(model.textbook, role, None)
        },
        "constants": {name: _quantity(value) for name, value in getattr(model, "constants", {}).items()},
    }
    link = getattr(model.textbook, "link", "linear")
    if link != "linear" and "output" in texts["textbook"]:
        texts["textbook"]["output"] = _behind(link, texts["textbook"]["output"])
    for writing in WRITINGS:
        # A writing that a page lacks has a reason in its place.
        if hasattr(getattr(model, writing, None), "populations"):
            texts[writing] = _writing_texts(getattr(model, writing))
    return texts


def source_of(function: Callable[..., Any]) -> str:
    """Return the source of a function or lambda; of a library's own function, its name.

    Raises
    ------
    ValueError
        If a function was made where no source is kept, for instance at a prompt.
    """
    function = getattr(function, "func", function)  # of a functools.partial
    code = getattr(function, "__code__", None)
    name = getattr(function, "__name__", "function")
    if code is None or _is_library(function):
        return name
    if name != "<lambda>":
        try:
            return textwrap.dedent(inspect.getsource(function))
        except OSError:
            raise ValueError(f"{name}: its source cannot be found; define it in a file") from None
    tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    inside = {
        node: sum(_contains(node.body, place) for place in code.co_positions())
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda)
    }
    most = max(inside.values(), default=0)
    if most == 0:
        raise ValueError(f"a lambda of {code.co_filename}: its source cannot be found; define it in a file")
    # A lambda lies within those that are written around it, which begin before it.
    node = max((node for node in inside if inside[node] == most), key=lambda node: (node.lineno, node.col_offset))
    return ast.unparse(node)


def _behind(link: str, source: str) -> str:
    """Return the source of a readout with the function that stands behind it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and node.value is not None:
            node.value = ast.Call(ast.Name(link), [node.value], [])
        elif isinstance(node, ast.Lambda):
            node.body = ast.Call(ast.Name(link), [node.body], [])
    return ast.unparse(tree)


def _contains(body: ast.expr, place: tuple[int | None, ...]) -> bool:
    """Return whether an instruction's (line, last line, column, last column) lies within an expression."""
    line, last_line, column, last_column = place
    if line is None or last_line is None or column is None or last_column is None:
        return False
    end = (body.end_lineno or body.lineno, body.end_col_offset or body.col_offset)
    return (body.lineno, body.col_offset) <= (line, column) and (last_line, last_column) <= end


def _is_library(function: Callable[..., Any]) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] in ("jax", "numpy", "math", "scipy", "builtins")


def _writing_texts(writing: Any) -> dict[str, Any]:
    return {
        # Files keep names in alphabetical order; a page has an order of its own.
        "order": [*writing.populations, *writing.pathways],
        "populations": {
            name: {
                **_texts(population, ("equations", "size", "threshold", "reset", "refractory")),
                "linked": dict(getattr(population, "linked", {})),
            }
            for name, population in writing.populations.items()
        },
        "pathways": {
            name: {
                **_texts(pathway, ("equations", "source", "target", "connect", "on_pre")),
                **({} if getattr(pathway, "delay", None) is None else {"delay": _delay(pathway.delay)}),
                "values": dict(getattr(pathway, "values", {})),
            }
            for name, pathway in writing.pathways.items()
        },
    }


def _texts(thing: Any, attributes: tuple[str, ...]) -> dict[str, str]:
    return {name: str(getattr(thing, name)) for name in attributes if getattr(thing, name, None) is not None}


def _delay(delay: Any) -> str:
    """Return the name of a delay, or the distribution that it is drawn from as an expression."""
    if not is_dataclass(delay):
        return str(delay)
    given = [getattr(delay, item.name) for item in fields(delay)]
    numbers = [value if isinstance(value, str) else repr(value) for value in given if value is not None]
    return f"{type(delay).__name__}({', '.join(numbers)})"


def _quantity(value: Any) -> str:
    """Return a quantity as text, ``100 ms`` where Brian2 prints ``100. ms``."""
    number, _, unit = str(value).partition(" ")
    return f"{number.removesuffix('.')} {unit}".strip()
