"""The limit of Brunel's network: `brunel_limit.cpp`, compiled by the engine's compiler with the engine's flags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cortwin.speed.loops import compile_loop, run_loop

WARM_UP = False
SOURCE = Path(__file__).with_name("brunel_limit.cpp")


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Compile the loop; each call draws the network and simulates it."""
    program = compile_loop(SOURCE, Path.cwd())
    # Events of the background in a step of 0.1 ms: eta threshold / (J tau_m) dt
    events = case["eta"] * 20.0 / (case["J"] * 20.0) * 0.1
    sizes = [case[name] for name in ("n_e", "n_i", "c_e", "c_i")]
    description = " ".join(map(repr, [*sizes, case["g"], case["J"], events, round(1e4 * case["seconds"]), 1]))

    def simulate() -> dict[str, Any]:
        measured, _ = run_loop(program, description, Path("spikes"))
        return {"seconds": measured["seconds"], "spikes": measured["spikes"]}

    return simulate
