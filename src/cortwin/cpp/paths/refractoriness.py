"""Refractory times of a fixed length, with one number for all neurons in place of a division for each.

Brian2 asks of each neuron whether ``timestep(t - lastspike, dt) >= steps``, with
``timestep(x, dt) = trunc((x + 0.001 dt)/dt)``. For whole steps that is ``lastspike <= t + 0.001 dt - steps dt``: spikes
lie on the grid of the steps, far from where the rounding of either could tell. Where ``steps`` is not positive, the
truncation goes upward, and the bound lies one step later.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

QUESTION = re.compile(r"_timestep\(t - lastspike, dt\) >= (_lio_\d+)")


def compare_first(body: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the lines of a loop's body without the division, and those that find the bound before the loop.

    Parameters
    ----------
    body : C++ lines
    """
    text = "\n".join(body)
    bounds: list[str] = []

    def replacement(asked: re.Match) -> str:
        steps, bound = asked[1], f"_old_enough_{len(bounds)}"
        bounds.append(f"const double {bound} = t + 1e-3*dt - ({steps} > 0 ? {steps} : {steps} - 1)*dt;")
        return f"lastspike <= {bound}"

    return QUESTION.sub(replacement, text).splitlines(), bounds
