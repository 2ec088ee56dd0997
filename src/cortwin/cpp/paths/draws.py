"""Calls that draw, taken out of a loop: a block of numbers is drawn first, and the loop reads them.

Brian2 hands a template its loop's body as C++ text. A call in it that draws for one element becomes an element of a
buffer, and a line that fills the buffer is put before the loop. What an element draws depends on its number alone, not
on where the loop began, so that several threads can go through parts of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from brian2.input.binomial import BinomialFunction

from cortwin.cpp.randomness import STREAM, draws, table_of

# Elements at a time: a few buffers of them stay in the processor's nearest memory.
BLOCK = 256


class DrawFirst:
    """Takes the draws out of a loop's body.

    Called by a template with the lines of the body and those of the scalar code before it, it returns the lines of the
    body without draws, lines that find tables before the loop, and lines that fill the buffers for the elements from
    ``_first`` to ``_last``.

    Attributes
    ----------
    left : whether something is still drawn otherwise, as by a function of a user's; None before the call
    """

    def __init__(self, variables: Mapping[str, Any], code_object: type) -> None:
        """Look for functions that draw.

        Parameters
        ----------
        variables : of the code object, with the functions that it calls
        code_object : its class
        """
        self.left: bool | None = None
        self._functions = sorted(draws(variables).values())
        self._patterns: dict[re.Pattern, tuple[str, Callable[..., tuple[str, str]]]] = {}
        for name, function in draws(variables).items():
            if name == "poisson":
                # Another mean for each element has no table.
                pattern, kind, fill = rf"\b{function}\((_lio_\d+), _vectorisation_idx\)", "int32_t", _of_poisson
            elif not isinstance(variables[name], BinomialFunction):
                of = "uniforms" if name == "rand" else "normals"
                pattern, kind, fill = rf"\b{function}\(_vectorisation_idx\)", "double", partial(_of_real, of)
            elif table_of(function) in str(variables[name].implementations[code_object].get_code(None)):
                pattern, kind, fill = (
                    rf"\b{function}\(_vectorisation_idx\)",
                    "int32_t",
                    partial(_of_binomial, function),
                )
            else:
                continue
            self._patterns[re.compile(pattern)] = kind, fill

    def __call__(self, body: Sequence[str], before: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
        """Return the body, the lines before the loop, and those before each block of it."""
        text = "\n".join(body)
        tables: list[str] = []
        fills: list[str] = []
        reads: list[str] = []
        for pattern, (kind, fill) in self._patterns.items():

            def replacement(call: re.Match, kind: str = kind, fill: Callable[..., tuple[str, str]] = fill) -> str:
                number, buffer = f"_number_{len(fills)}", f"_drawn_{len(fills)}"
                table, line = fill(buffer, *call.groups())
                tables.append(table)
                fills.append(f"{kind} {buffer}[_block]; {line}")
                # In every turn of the loop: behind a condition the compiler would have to mask the access.
                reads.append(f"const {kind} {number} = {buffer}[_idx - _first];")
                return number

            text = pattern.sub(replacement, text)
        everything = "\n".join([text, *before])
        self.left = any(re.search(rf"\b{function}\(", everything) for function in self._functions)
        return [*reads, *text.splitlines()], [table for table in tables if table], fills


def _of_real(of: str, buffer: str) -> tuple[str, str]:
    return "", f"cortwin::{of}({buffer}, _first, _last - _first, {STREAM});"


def _of_binomial(function: str, buffer: str) -> tuple[str, str]:
    return "", f"{table_of(function)}.draw({buffer}, _first, _last - _first, {STREAM});"


def _of_poisson(buffer: str, mean: str) -> tuple[str, str]:
    table = f"_table_of{buffer}"
    return (
        f"const auto {table} = _poisson_counts.table({mean}, _N);",
        f"cortwin::poissons({table}.get(), {buffer}, _first, _last - _first, {STREAM}, "
        f"[=](cortwin::Supply& source) {{ return _untabulated_poisson(source, {mean}, 0); }});",
    )
