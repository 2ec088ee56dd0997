"""Segments of a step: which code objects threads may go through at the same time (``cpp/lib/segment.h``).

The program calls the code objects of a step one after the other. Those of one clock whose effects are known make a
segment, and get the earliest phase in which nothing is left to do before them: a code object follows another one that
is called earlier if one of them writes what the other one touches, unless both go through the same elements, each
thread its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from cortwin.cpp.effects import Effects

# As Brian2 writes it.
ADDED = re.compile(r"(\w+)\.add\(&(\w+), _run_(\w+)\);")


def joined(lines: Sequence[str], effects: Mapping[str, Effects], number: Callable[[], int]) -> list[str]:
    """Return lines that begin a run with those that add code objects of one segment replaced by one line.

    Parameters
    ----------
    lines : C++ lines, among them ``network.add(&clock, _run_NAME);``
    effects : of the code objects of which they are known, by name
    number : gives each segment of the program a number
    """
    found: list[str] = []
    segment: list[re.Match[str]] = []
    for line in [*lines, ""]:
        added = ADDED.fullmatch(line.strip())
        known = added is not None and added[3] in effects
        if segment and not (known and added is not None and added.groups()[:2] == segment[0].groups()[:2]):
            found += _written(segment, effects, number)
            segment = []
        if known and added is not None:
            segment.append(added)
        else:
            found.append(line)
    return found[:-1]


def phases(effects: Sequence[Effects]) -> list[int]:
    """Return the phase of each code object, in the order in which they are called."""
    found: list[int] = []
    for own in effects:
        earliest = 0
        for phase, earlier in zip(found, effects, strict=False):
            if phase >= earliest and own.touches(earlier):
                earliest = phase + own.follows(earlier)
        found.append(earliest)
    return found


def early_first(effects: Sequence[Effects]) -> list[int]:
    """Return an order of code objects, given in that of their calls, in which those that had better be early are.

    None comes before another one that was called earlier and that it has anything in common with.
    """
    order: list[int] = []
    for number, own in enumerate(effects):
        place = len(order)
        while own.early and place > 0 and not own.touches(effects[order[place - 1]]):
            place -= 1
        order.insert(place, number)
    return order


def _written(segment: Sequence[re.Match[str]], effects: Mapping[str, Effects], number: Callable[[], int]) -> list[str]:
    if len(segment) == 1:
        return [segment[0].string]
    names = [added[3] for added in segment]
    own = [effects[name] for name in names]
    order, phase = early_first(own), phases(own)
    calls = [f"{{_run_{names[k]}, {phase[k]}, {0 if own[k].shares is not None else own[k].elements}}}" for k in order]
    network, clock, _ = segment[0].groups()
    place = number()
    return [
        f"cortwin::segment<{place}>() = cortwin::Segment({{{', '.join(calls)}}});",
        f"{network}.add(&{clock}, cortwin::step<{place}>);",
    ]
