"""The microcircuit's numbers as others read them: the loop by hand, NEST, stock Brian2."""

from __future__ import annotations

from typing import Any

import numpy as np

from cortwin.models import microcircuit as page

DT = 1e-4  # s
C_M, TAU_M, TAU_SYN, T_REF = 250.0, 10.0, 0.5, 20  # pF, ms, ms, steps


def case_of(numbers: page.Circuit, seconds: float) -> dict[str, Any]:
    """Return a circuit as plain numbers, in pA, mV and seconds."""
    return {
        "neurons": numbers.neurons.tolist(),
        "external": numbers.external.tolist(),
        "synapses": numbers.synapses.tolist(),
        "weight": numbers.weight.tolist(),
        "external_weight": numbers.external_weight,
        "current": numbers.current.tolist(),
        "start": list(page.FIRST_POTENTIAL),
        "start_sd": list(page.FIRST_POTENTIAL_SD),
        "seconds": seconds,
    }


def loop_description(numbers: page.Circuit, *, threads: int, seed: int, settling: float, duration: float) -> str:
    """Return a circuit as the numbers that `microcircuit_loop.cpp` reads, in mV, pA, pF, ms and steps.

    Parameters
    ----------
    numbers : the circuit
    threads, seed : of the loop
    settling, duration : seconds before the clock starts, and from then on
    """
    scalars: list[float] = [
        len(page.POPULATIONS), threads, seed, 1e3 * DT, C_M, TAU_M, TAU_SYN, page.DISTANCE, T_REF,
        numbers.external_weight, page.WEIGHT_SD, 0.5, 1e3 * settling, 1e3 * duration,
    ]  # fmt: skip
    arrays = (
        numbers.neurons,
        numbers.external * 8.0 * DT,
        numbers.current,
        np.array(page.FIRST_POTENTIAL) + 65.0,
        np.array(page.FIRST_POTENTIAL_SD),
        np.tile([1.5, 0.75], 4),
        numbers.synapses,
        numbers.weight,
    )
    return "\n".join(" ".join(f"{value:.17g}" for value in np.ravel(array)) for array in (scalars, *arrays))
