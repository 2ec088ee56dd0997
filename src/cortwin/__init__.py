"""cortwin gives a recurrent network its biological twin.

A network is written three times, as the textbook recurrence, as a rate population and as a spiking population. The two
biological writings are Brian2 equations, compiled to C++ for simulation and to XLA for gradients.

`from_pytorch`, `from_keras` and `from_npz` give a network of your own its twins. `differentiate` makes a network
that was written in plain Brian2 a differentiable function.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("cortwin")

# Public names that stand elsewhere: found when they are asked for, so that `import cortwin` imports no engine.
ELSEWHERE = dict.fromkeys(("Imported", "from_keras", "from_npz", "from_pytorch"), "cortwin.exchange") | {
    "differentiate": "cortwin.differentiation"
}


def __getattr__(name: str) -> Any:
    if name in ELSEWHERE:
        return getattr(import_module(ELSEWHERE[name]), name)
    raise AttributeError(f"module 'cortwin' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *ELSEWHERE])
