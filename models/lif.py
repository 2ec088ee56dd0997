r"""A recurrent network of leaky integrate-and-fire neurons: the spiking writing alone.

spiking    tau_m dv/dt = -v + W_in u + b,   spike and v <- 0 where v > 1, silent for t_ref
           v_i <- v_i + W_rec[i, j]  a delay after each spike of j

symbol     shape             unit  spiking
v          (units,)          1     membrane potential, threshold 1, reset 0
u          (inputs,)         1     input
W_rec      (units, units)    1     size of the postsynaptic jump, in units of the threshold
W_in       (units, inputs)   1     input weights
b          (units,)          1     background; a neuron with b > 1 fires by itself
v0         (units,)          1     first membrane potential
tau_m      ()                s     membrane time constant
t_ref      ()                s     refractory time; a jump that arrives within it is lost
delay      ()                s     from a spike to its arrival

It has no textbook and no rate writing: the documents' recurrence has a graded output. cortwin uses it to hold its two
compilers against each other, because every spike has to come from the same neuron at the same step.

References
----------
Brunel 2000, doi:10.1023/A:1008925309027 (networks of LIF neurons with instantaneous jumps).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from brian2 import ms

from cortwin.model import Lacking, Model, Pathway, Population, Writing


class Parameters(NamedTuple):
    """Arrays of the network, shapes as in the table above."""

    W_rec: Any
    W_in: Any
    b: Any
    v0: Any


METHODS = ("exact", "exponential_euler")

INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
NEURONS = """
dv/dt = (drive + b - v)/tau_m : 1 (unless refractory)
drive : 1
b : 1 (constant)
"""


def model(method: str = "exact") -> Model:
    """Return the page's model.

    Parameters
    ----------
    method : integration, ``"exact"`` or ``"exponential_euler"``

    Raises
    ------
    ValueError
        For an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"lif: method is '{method}', expected one of {', '.join(METHODS)}")
    reason = "a network of LIF neurons has no graded recurrence to compare with"
    neurons = Population(
        NEURONS,
        "units",
        method=method,
        threshold="v > 1",
        reset="v = 0",
        refractory="t_ref",
        values={"b": "b", "v": "v0"},
    )
    spiking = Writing(
        populations={"input": INPUT, "cortex": neurons},
        pathways={
            "feedforward": Pathway(
                "input",
                "cortex",
                "all_to_all",
                "w : 1 (constant)\ndrive_post = w*u_pre : 1 (summed)",
                values={"w": "W_in"},
            ),
            "recurrence": Pathway(
                "cortex",
                "cortex",
                "all_to_all",
                "w : 1 (constant)",
                on_pre="v_post += w",
                values={"w": "W_rec"},
                delay="delay",
            ),
        },
        activity={"v": "cortex.v"},
        spikes=("cortex",),
    )
    return Model(
        name="lif",
        textbook=Lacking(reason),
        rate=Lacking(reason),
        tuning=Lacking("its neurons stand for themselves"),
        spiking=spiking,
        shapes={"W_rec": ("units", "units"), "W_in": ("units", "inputs"), "b": ("units",), "v0": ("units",)},
        trained=Parameters,
        initial=initial,
        constants={"tau_m": 20 * ms, "t_ref": 2 * ms, "delay": 1.5 * ms},
    )


def initial(generator: np.random.Generator, inputs: int, units: int, *, jump: float = 2.0) -> Parameters:
    """Draw parameters: Gaussian jumps of variance jump^2 / units, background of 0.9 to 1.3, potentials over [0, 1).

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units : sizes
    jump : standard deviation of a neuron's summed jumps, were every other neuron to spike once; 2 is a strong
        recurrence
    """
    return Parameters(
        W_rec=jump * generator.standard_normal((units, units)) / np.sqrt(units),
        W_in=0.2 * generator.standard_normal((units, inputs)) / np.sqrt(inputs),
        b=generator.uniform(0.9, 1.3, units),
        v0=generator.uniform(size=units),
    )
