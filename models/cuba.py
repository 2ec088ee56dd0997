r"""The benchmark CUBA of Brette et al. (2007): current-based synapses, activity that keeps itself going. Spikes alone.

spiking    tau_m dv/dt = g_E + g_I - (v - E_L),   spike and v <- V_r where v > V_th, silent for t_ref
           tau_E dg_E/dt = -g_E,   g_E <- g_E + w_E at each spike of an excitatory neuron that it hears
           tau_I dg_I/dt = -g_I,   g_I <- g_I + w_I at each spike of an inhibitory one

symbol     shape             unit  spiking
v          ()                V     membrane potential
g_E, g_I   ()                V     synaptic currents, times the membrane's resistance
w_E, w_I   ()                V     what a spike adds to them
E_L        ()                V     rest, above the threshold
V_th       ()                V     threshold
V_r        ()                V     reset
tau_m      ()                s     membrane time constant
tau_E      ()                s     time constant of excitatory synapses
tau_I      ()                s     time constant of inhibitory synapses
t_ref      ()                s     refractory time

80 % of the neurons are excitatory; each pair of neurons is connected with a probability of 2 %, and spikes arrive
within their time step. At the published size of 4000 it fires at 5.5 Hz.

It has no textbook and no rate writing: its activity keeps itself going by fluctuations, which a rate does not have.
Exact: the linear equations between two spikes, on the grid.

References
----------
Brette et al. 2007, doi:10.1007/s10827-007-0038-6 (benchmark 2); Vogels & Abbott 2005,
doi:10.1523/JNEUROSCI.3508-05.2005 (the network).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from brian2 import ms, mV

from cortwin.connectivity import PairwiseBernoulli, Uniform
from cortwin.errors import CortwinError
from cortwin.model import Lacking, Model, Pathway, Population, Writing

NEURONS, PROBABILITY = 4000, 0.02
# `cortwin check` examines a small one; any positive number will do.
SCALES = ("0.1",)


class Parameters(NamedTuple):
    """Nothing is trained."""


NEURON = """
dv/dt = (g_E + g_I - (v - E_L))/tau_m : volt (unless refractory)
dg_E/dt = -g_E/tau_E : volt
dg_I/dt = -g_I/tau_I : volt
"""


def model(scale: float | str = 1.0) -> Model:
    """Return the page's model.

    Parameters
    ----------
    scale : of the number of neurons, 1 for the published 4000; each hears as many others at any size

    Raises
    ------
    ValueError
        For a scale that is no positive number, or one at which there is no inhibitory neuron.
    """
    try:
        number = float(scale)
    except ValueError:
        number = 0.0
    if not 0 < number < np.inf:
        raise CortwinError(f"cuba: scale is '{scale}', expected one of all positive numbers, such as 1")
    n = round(number * NEURONS)
    if n < 5:
        raise CortwinError(f"cuba: scale is {number}, which leaves {n} neurons: one in five is inhibitory")
    start = {"v": Uniform("V_r", "V_th")}
    neurons = {
        name: Population(
            NEURON, size, method="exact", threshold="v > V_th", reset="v = V_r", refractory="t_ref", drawn=start
        )
        for name, size in (("excitatory", n - n // 5), ("inhibitory", n // 5))
    }
    connected = PairwiseBernoulli(min(PROBABILITY / number, 1.0))
    spiking = Writing(
        populations=neurons,
        pathways={
            f"{source}_{target}": Pathway(source, target, connected, on_pre=on_pre)
            for source, on_pre in (("excitatory", "g_E_post += w_E"), ("inhibitory", "g_I_post += w_I"))
            for target in neurons
        },
        activity={},
        spikes=tuple(neurons),
    )
    reason = "its activity keeps itself going by fluctuations, which a rate does not have"
    return Model(
        name="cuba",
        textbook=Lacking(reason),
        rate=Lacking(reason),
        tuning=Lacking("its neurons stand for themselves"),
        spiking=spiking,
        shapes={},
        trained=Parameters,
        initial=initial,
        constants={
            "tau_m": 20 * ms,
            "tau_E": 5 * ms,
            "tau_I": 10 * ms,
            "t_ref": 5 * ms,
            "E_L": -49 * mV,
            "V_th": -50 * mV,
            "V_r": -60 * mV,
            "w_E": 1.62 * mV,
            "w_I": -9 * mV,
        },
    )


def initial(generator: np.random.Generator) -> Parameters:
    """Return no parameters: the network is drawn from its rules."""
    del generator
    return Parameters()
