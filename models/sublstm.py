r"""The subLSTM of Costa et al. (2017), a long short-term memory whose gates are inhibition, and its cortical twins.

textbook   z, i, f, o = sigma(W u_t + U h_{t-1} + b)                                                      (R0)
           c_t = f c_{t-1} + z - i,   h_t = sigma(c_t) - o
           c_t = (1 - alpha) c_{t-1} + alpha (f c_{t-1} + z - i)                   (R1, leaky; alpha = dt / tau)
           h_t = (1 - alpha) h_{t-1} + alpha (sigma(c_t) - o)
rate       tau dc/dt = -c + f c + z - i,   tau dh/dt = -h + sigma(c) - o
spiking    tau dc/dt = -c + sum_k d_k sum_spikes tau delta(t - t_k) of the ensembles for f c and z, less the same for i
           tau dh/dt = -h + the same of the ensemble for sigma(c), less that for o

symbol              shape             unit  textbook         rate and spiking
c                   (units,)          1     cell             slow current of the cell
h                   (units,)          1     state            slow synaptic current that a unit's spikes leave elsewhere
c0, h0              (units,)          1     first c, h       first c, h
u                   (inputs,)         1     input            input
W_z, W_i, W_f, W_o  (units, inputs)   1     input weights    input synapses
U_z, U_i, U_f, U_o  (units, units)    1     recurrence       recurrent synapses
b_z, b_i, b_f, b_o  (units,)          1     biases           background currents
W_out               (outputs, units)  1     readout weights  readout weights
b_out               (outputs,)        1     readout bias     readout bias
tau                 ()                s     dt / alpha       time constant of the slow synapses
tau_m               ()                s                      membrane time constant
t_ref               ()                s                      refractory time

The ensembles of z and sigma(c) excite the cell and the axons, those of the gates i and o inhibit them. Each is made of
excitatory and inhibitory neurons that the gate's current excites, and each neuron keeps its sign, as Dale's law asks:
three of four have the sign of the ensemble; the fourth has the other and bends the sum into the upper half of sigma.
Only the forget gate multiplies: f c is a leak whose time constant the gate sets, by neurons that hear a_f and c.
The arrays of an ensemble carry its name: input_gate_gain, forget_bias, output_gate_decoder, and so on.

Exact: textbook and rate agree to rounding when dt = alpha tau; h hears the new c, because the axons are advanced after
the cells. At alpha = 1 both are the cell as printed.
Approximate: the spiking writing, by the decoding of sigma and of f c from n neurons and by the spikes' timing.

References
----------
Costa, Assael, Shillingford, de Freitas & Vogels 2017, Cortical microcircuits as gated-recurrent neural networks,
    doi:10.48550/arXiv.1711.02448.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from brian2 import ms

from cortwin.activations import logistic as sigma
from cortwin.model import Ensemble, Model, Pathway, Population, Textbook, Writing
from cortwin.populations import lif_neurons, rates_to, spikes_to, tuning_curves, weights_of_gates


class Parameters(NamedTuple):
    """Arrays of the textbook network, shapes as in the table above, and its readout ``y = W_out h + b_out``."""

    W_z: Any
    W_i: Any
    W_f: Any
    W_o: Any
    U_z: Any
    U_i: Any
    U_f: Any
    U_o: Any
    b_z: Any
    b_i: Any
    b_f: Any
    b_o: Any
    c0: Any
    h0: Any
    W_out: Any
    b_out: Any


class State(NamedTuple):
    """What the cell keeps: c, and h that the others see."""

    c: Any
    h: Any


def recurrence(p, state, u):
    """Return c_t and h_t, the cell as it is printed."""
    z = sigma(p.W_z @ u + p.U_z @ state.h + p.b_z)
    i = sigma(p.W_i @ u + p.U_i @ state.h + p.b_i)
    f = sigma(p.W_f @ u + p.U_f @ state.h + p.b_f)
    o = sigma(p.W_o @ u + p.U_o @ state.h + p.b_o)
    c = f * state.c + z - i
    return State(c=c, h=sigma(c) - o)


def step(p, state, u, alpha):
    """Return c_t and h_t of the leaky cell."""
    z = sigma(p.W_z @ u + p.U_z @ state.h + p.b_z)
    i = sigma(p.W_i @ u + p.U_i @ state.h + p.b_i)
    f = sigma(p.W_f @ u + p.U_f @ state.h + p.b_f)
    o = sigma(p.W_o @ u + p.U_o @ state.h + p.b_o)
    c = (1 - alpha) * state.c + alpha * (f * state.c + z - i)
    return State(c=c, h=(1 - alpha) * state.h + alpha * (sigma(c) - o))


def activation(state):
    """Return the printed state: the same."""
    return state


def output(p, h):
    """Return y_t, the linear readout."""
    return p.W_out @ h + p.b_out


def signals(p, state, u):
    """Return what the ensembles hear."""
    return {
        "a_z": p.W_z @ u + p.U_z @ state.h + p.b_z,
        "a_i": p.W_i @ u + p.U_i @ state.h + p.b_i,
        "a_f": p.W_f @ u + p.U_f @ state.h + p.b_f,
        "a_o": p.W_o @ u + p.U_o @ state.h + p.b_o,
        "c": state.c,
    }


def excited(population, signal):
    """Return an ensemble of excitatory and inhibitory neurons for sigma of one signal."""
    return Ensemble(population, sigma, (signal,), prefix=f"{population}_", synapse=None, dale=True)


FORGET = Ensemble("forget", lambda a, c: sigma(a) * c, ("a_f", "c"), prefix="forget_", synapse=None)
WRITE, INPUT_GATE = excited("write", "a_z"), excited("input_gate", "a_i")
EMIT, OUTPUT_GATE = excited("emit", "c"), excited("output_gate", "a_o")
ENSEMBLES = (FORGET, WRITE, INPUT_GATE, EMIT, OUTPUT_GATE)

INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
GATES = """
a_z = recurrent_z + drive_z + b_z : 1
a_i = recurrent_i + drive_i + b_i : 1
a_f = recurrent_f + drive_f + b_f : 1
a_o = recurrent_o + drive_o + b_o : 1
recurrent_z : 1
recurrent_i : 1
recurrent_f : 1
recurrent_o : 1
drive_z : 1
drive_i : 1
drive_f : 1
drive_o : 1
b_z : 1 (constant)
b_i : 1 (constant)
b_f : 1 (constant)
b_o : 1 (constant)
"""
CELL = "dc/dt = (-c + c/(1 + exp(-a_f)) + 1/(1 + exp(-a_z)) - 1/(1 + exp(-a_i)))/tau : 1" + GATES
AXON = """
dh/dt = (-h + 1/(1 + exp(-c)) - 1/(1 + exp(-a_o)))/tau : 1
a_o : 1
c : 1
"""
CELL_OF_RATES = (
    "dc/dt = (-c + kept + excitation - inhibition)/tau : 1\nkept : 1\nexcitation : 1\ninhibition : 1" + GATES
)
AXON_OF_RATES = "dh/dt = (-h + excitation - inhibition)/tau : 1\nexcitation : 1\ninhibition : 1"
CELL_OF_SPIKES = "dc/dt = -c/tau : 1" + GATES
AXON_OF_SPIKES = "dh/dt = -h/tau : 1"
START = {"c": "c0", **{f"b_{gate}": f"b_{gate}" for gate in "zifo"}}
HEARD = {**{f"a_{gate}": f"cell.a_{gate}" for gate in "zifo"}, "c": "cell.c"}


def model() -> Model:
    """Return the subLSTM page's model."""
    feedforward = weights_of_gates("zifo", "drive", "W", "u")
    recurrent = weights_of_gates("zifo", "recurrent", "U", "h")
    into_the_cell = {
        "feedforward": Pathway("input", "cell", "all_to_all", feedforward[0], values=feedforward[1]),
        "recurrence": Pathway("axon", "cell", "all_to_all", recurrent[0], values=recurrent[1]),
    }
    activity = {"x": "cell.c", "r": "axon.h"}
    rate = Writing(
        populations={
            "input": INPUT,
            "cell": Population(CELL, "units", method="euler", values=START),
            # Advanced after the cell: it hears the new c, as h_t does.
            "axon": Population(
                AXON, "units", method="euler", values={"h": "h0"}, linked={"a_o": "cell.a_o", "c": "cell.c"}
            ),
        },
        pathways=into_the_cell,
        activity=activity,
    )
    tuning = Writing(
        populations={
            "input": INPUT,
            "cell": Population(CELL_OF_RATES, "units", method="euler", values=START),
            "axon": Population(AXON_OF_RATES, "units", method="euler", values={"h": "h0"}),
            **{ensemble.population: tuning_curves(ensemble, HEARD) for ensemble in ENSEMBLES},
        },
        pathways={
            **into_the_cell,
            "keep": rates_to(FORGET, "cell.kept"),
            "add": rates_to(WRITE, "cell.excitation"),
            "subtract": rates_to(INPUT_GATE, "cell.inhibition"),
            "tell": rates_to(EMIT, "axon.excitation"),
            "silence": rates_to(OUTPUT_GATE, "axon.inhibition"),
        },
        activity=activity,
    )
    spiking = Writing(
        populations={
            "input": INPUT,
            "cell": Population(CELL_OF_SPIKES, "units", method="euler", values=START),
            "axon": Population(AXON_OF_SPIKES, "units", method="euler", values={"h": "h0"}),
            **{ensemble.population: lif_neurons(ensemble, HEARD) for ensemble in ENSEMBLES},
        },
        pathways={
            **into_the_cell,
            "keep": spikes_to(FORGET, "cell.c", "tau"),
            "add": spikes_to(WRITE, "cell.c", "tau"),
            "subtract": spikes_to(INPUT_GATE, "cell.c", "tau", sign="-"),
            "tell": spikes_to(EMIT, "axon.h", "tau"),
            "silence": spikes_to(OUTPUT_GATE, "axon.h", "tau", sign="-"),
        },
        activity=activity,
        spikes=tuple(ensemble.population for ensemble in ENSEMBLES),
    )
    return Model(
        name="sublstm",
        textbook=Textbook(
            recurrence,
            step,
            activation,
            output,
            start=lambda p: State(p.c0, p.h0),
            current=lambda p, state: state.c,
            rate=lambda state: state.h,
            signals=signals,
        ),
        rate=rate,
        tuning=tuning,
        spiking=spiking,
        shapes={
            **{f"W_{gate}": ("units", "inputs") for gate in "zifo"},
            **{f"U_{gate}": ("units", "units") for gate in "zifo"},
            **{f"b_{gate}": ("units",) for gate in "zifo"},
            "c0": ("units",),
            "h0": ("units",),
            "W_out": ("outputs", "units"),
            "b_out": ("outputs",),
        },
        trained=Parameters,
        initial=initial,
        constants={"tau": 100 * ms, "tau_m": 20 * ms, "t_ref": 2 * ms},
        ensembles=ENSEMBLES,
    )


def initial(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> Parameters:
    """Draw Gaussian weights, variance 1 / inputs, 1 / units (recurrent), 1 / units^2 (readout); zeros but for b_f = 1.

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units, outputs : sizes
    """
    W = {f"W_{gate}": generator.standard_normal((units, inputs)) / np.sqrt(inputs) for gate in "zifo"}
    U = {f"U_{gate}": generator.standard_normal((units, units)) / np.sqrt(units) for gate in "zifo"}
    b = {f"b_{gate}": np.ones(units) if gate == "f" else np.zeros(units) for gate in "zifo"}
    W_out = generator.standard_normal((outputs, units)) / units
    return Parameters(**W, **U, **b, c0=np.zeros(units), h0=np.zeros(units), W_out=W_out, b_out=np.zeros(outputs))
