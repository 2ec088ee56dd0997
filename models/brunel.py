r"""The sparse network of Brunel (2000): excitation and inhibition by jumps of the potential. The spiking writing alone.

spiking    tau_m dv/dt = -v,   spike and v <- V_r where v > theta, silent for t_ref
           v_i <- v_i + J     a delay d after each spike of an excitatory neuron that i hears, and of an external source
           v_i <- v_i - g J   the same of an inhibitory one

symbol     shape             unit  spiking
v          ()                V     membrane potential
J          ()                V     jump by an excitatory spike
J_I        ()                V     jump by an inhibitory spike, -g J
s_J, s_I   ()                V     standard deviation of the jumps, where they differ between synapses
nu_ext     ()                Hz    rate of an external source; eta theta / (J C_E tau_m)
theta      ()                V     threshold
V_r        ()                V     reset
tau_m      ()                s     membrane time constant
t_ref      ()                s     refractory time; a jump that arrives within it is lost
d          ()                s     from a spike to its arrival

Every neuron hears C_E excitatory and C_I = C_E / 4 inhibitory neurons, drawn with replacement, and C_E external sources
of Poisson spikes. g is how much stronger inhibition is; eta is the external rate over the one that would bring a neuron
just to its threshold. J C_E is 100 mV in a network of any size. At the published size and (g, eta) = (5, 2) neurons
fire asynchronously and irregularly at 38 Hz, at (4.5, 0.9) together in a slow oscillation, at 6 Hz each.

It has no textbook and no rate writing: in mean field all neurons share one stationary rate, which
`cortwin.analysis.stationary_rates` finds. Approximate: that mean field, by taking spikes for white noise.

References
----------
Brunel 2000, doi:10.1023/A:1008925309027 (model A; the rates of its table 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from brian2 import Hz, ms, mV

from cortwin.connectivity import FixedIndegree, Normal, Uniform
from cortwin.drives import PoissonDrive
from cortwin.errors import CortwinError
from cortwin.model import Lacking, Model, Pathway, Population, Writing

EXCITATORY, INHIBITORY = 10_000, 2_500
THETA, TAU_M = 20.0, 20.0  # mV, ms
STRENGTH = 100.0  # J C_E in mV
# `cortwin check` examines a small one; any positive number will do.
SCALES = ("0.04",)


class Parameters(NamedTuple):
    """Nothing is trained."""


NEURON = "dv/dt = -v/tau_m : volt (unless refractory)"


def sizes(scale: float | str = 1.0, indegree: int | None = None) -> tuple[int, int, int, int]:
    """Return the numbers of excitatory and inhibitory neurons, C_E and C_I.

    Parameters
    ----------
    scale : of both populations, 1 for the published size
    indegree : C_E; a tenth of the excitatory neurons when left out, as published

    Raises
    ------
    ValueError
        For a scale that is no positive number, or one at which a population or C_I would be empty.
    """
    try:
        number = float(scale)
    except ValueError:
        number = 0.0
    if not 0 < number < np.inf:
        raise CortwinError(f"brunel: scale is '{scale}', expected one of all positive numbers, such as 1")
    n_e, n_i = round(number * EXCITATORY), round(number * INHIBITORY)
    c_e = n_e // 10 if indegree is None else indegree
    if min(n_i, c_e // 4) < 1:
        raise CortwinError(f"brunel: {n_i} inhibitory neurons and an in-degree of {c_e} are too few: C_I is {c_e // 4}")
    return n_e, n_i, c_e, c_e // 4


def model(
    g: float = 5.0, eta: float = 2.0, scale: float | str = 1.0, indegree: int | None = None, spread: float = 0.0
) -> Model:
    """Return the page's model.

    Parameters
    ----------
    g : strength of inhibition relative to excitation
    eta : external drive relative to threshold
    scale, indegree : as `sizes`
    spread : standard deviation of the weights over their mean; at 0, as published, no synapse has one of its own

    Raises
    ------
    ValueError
        As `sizes`.
    """
    n_e, n_i, c_e, c_i = sizes(scale, indegree)
    J = STRENGTH / c_e
    jumps = {"excitatory": (c_e, "J", "s_J"), "inhibitory": (c_i, "J_I", "s_I")}
    start = {"v": Uniform("V_r", "theta")}
    neurons = {
        name: Population(
            NEURON, size, method="exact", threshold="v > theta", reset="v = V_r", refractory="t_ref", drawn=start
        )
        for name, size in (("excitatory", n_e), ("inhibitory", n_i))
    }
    spiking = Writing(
        populations=neurons,
        pathways={
            f"{source}_{target}": pathway(source, target, *jumps[source], own_weights=spread > 0)
            for source in neurons
            for target in neurons
        },
        activity={},
        spikes=tuple(neurons),
        drives={
            f"background_{target}": PoissonDrive(target, "v", number=c_e, rate="nu_ext", weight="J")
            for target in neurons
        },
    )
    reason = "in mean field all neurons share one stationary rate, which `cortwin.analysis.stationary_rates` finds"
    return Model(
        name="brunel",
        textbook=Lacking(reason),
        rate=Lacking(reason),
        tuning=Lacking("its neurons stand for themselves"),
        spiking=spiking,
        shapes={},
        trained=Parameters,
        initial=initial,
        constants={
            "tau_m": TAU_M * ms,
            "theta": THETA * mV,
            "V_r": 10 * mV,
            "t_ref": 2 * ms,
            "d": 1.5 * ms,
            "J": J * mV,
            "J_I": -g * J * mV,
            "s_J": spread * J * mV,
            "s_I": spread * g * J * mV,
            "nu_ext": 1e3 * eta * THETA / (STRENGTH * TAU_M) * Hz,
        },
    )


def pathway(source: str, target: str, degree: int, jump: str, sd: str, own_weights: bool) -> Pathway:
    """Return what one population hears of the other: jumps of one height, or of one for each synapse."""
    if not own_weights:
        return Pathway(source, target, FixedIndegree(degree), on_pre=f"v_post += {jump}", delay="d")
    return Pathway(
        source,
        target,
        FixedIndegree(degree),
        "w : volt (constant)",
        on_pre="v_post += w",
        drawn={"w": Normal(jump, sd)},
        delay="d",
    )


def initial(generator: np.random.Generator) -> Parameters:
    """Return no parameters: the network is drawn from its rules."""
    del generator
    return Parameters()
