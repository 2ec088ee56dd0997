"""Calls that draw, taken out of a loop: a block of numbers is drawn first, and the loop reads them.

Brian2 hands a template its loop's body as C++ text. A call in it that draws for one element becomes an element of a
buffer, and a line that fills the buffer is put before the loop.
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


def draw_first(
    variables: Mapping[str, Any], code_object: type
) -> Callable[[Sequence[str]], tuple[list[str], list[str]]]:
    """Return a function that takes the draws out of a loop's body.

    Parameters
    ----------
    variables : of the code object, with the functions that it calls
    code_object : its class

    Returns
    -------
    function from the lines of the body to those without draws, and the lines that fill the buffers for the elements
        from ``_first`` to ``_last``
    """
    patterns = {}
    for name, function in draws(variables).items():
        if name == "poisson":
            # Another mean for each element has no table.
            patterns[re.compile(rf"\b{function}\((_lio_\d+), _vectorisation_idx\)")] = ("int32_t", _of_poisson)
        elif not isinstance(variables[name], BinomialFunction):
            of = "uniforms" if name == "rand" else "normals"
            patterns[re.compile(rf"\b{function}\(_vectorisation_idx\)")] = ("double", partial(_of_real, of))
        elif table_of(function) in str(variables[name].implementations[code_object].get_code(None)):
            patterns[re.compile(rf"\b{function}\(_vectorisation_idx\)")] = ("int32_t", partial(_of_binomial, function))
    return partial(_taken_out, patterns)


def _taken_out(
    patterns: Mapping[re.Pattern, tuple[str, Callable[..., str]]], body: Sequence[str]
) -> tuple[list[str], list[str]]:
    text = "\n".join(body)
    fills: list[str] = []
    reads: list[str] = []
    for pattern, (kind, fill) in patterns.items():

        def replacement(call: re.Match, kind: str = kind, fill: Callable[..., str] = fill) -> str:
            number, buffer = f"_number_{len(fills)}", f"_drawn_{len(fills)}"
            fills.append(f"{kind} {buffer}[_block]; {fill(buffer, *call.groups())}")
            # In every turn of the loop: behind a condition the compiler would have to mask the access.
            reads.append(f"const {kind} {number} = {buffer}[_idx - _first];")
            return number

        text = pattern.sub(replacement, text)
    return [*reads, *text.splitlines()], fills


def _of_real(of: str, buffer: str) -> str:
    return f"cortwin::{of}({buffer}, _last - _first, {STREAM});"


def _of_binomial(function: str, buffer: str) -> str:
    return f"{table_of(function)}.draw({buffer}, _last - _first, {STREAM});"


def _of_poisson(buffer: str, mean: str) -> str:
    return (
        f"_poisson_counts.draw({mean}, {buffer}, _last - _first, {STREAM}, "
        "[](double same) { return _untabulated_poisson(same, 0); });"
    )
