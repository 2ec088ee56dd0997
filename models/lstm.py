r"""The long short-term memory of documents 001 to 004, and its cortical twins.

textbook   i, f, o = sigma(W u_t + U h_{t-1} + b), g = tanh(W_g u_t + U_g h_{t-1} + b_g)                  (R0)
           c_t = f c_{t-1} + i g,   h_t = o tanh(c_t)
           c_t = (1 - alpha) c_{t-1} + alpha (f c_{t-1} + i g)                     (R1, leaky; alpha = dt / tau)
           h_t = (1 - alpha) h_{t-1} + alpha o tanh(c_t)
rate       tau dc/dt = -c + f c + i g,   tau dh/dt = -h + o tanh(c)
spiking    tau dc/dt = -c + sum_k d_k sum_spikes tau delta(t - t_k) of two ensembles, which compute f c and i g
           tau dh/dt = -h + the same of a third, which computes o tanh(c)

symbol              shape             unit  textbook         rate and spiking
c                   (units,)          1     cell             slow current that a unit keeps to itself
h                   (units,)          1     state            slow synaptic current that its spikes leave elsewhere
c0, h0              (units,)          1     first c, h       first c, h
u                   (inputs,)         1     input            input
W_i, W_f, W_g, W_o  (units, inputs)   1     input weights    input synapses of each gate
U_i, U_f, U_g, U_o  (units, units)    1     recurrence       recurrent synapses of each gate
b_i, b_f, b_g, b_o  (units,)          1     biases           background currents of each gate
W_out               (outputs, units)  1     readout weights  readout weights
b_out               (outputs,)        1     readout bias     readout bias
tau                 ()                s     dt / alpha       time constant of the slow (NMDA-like) synapses
tau_m               ()                s                      membrane time constant
t_ref               ()                s                      refractory time

Gates are ensembles that represent products: a neuron hears two signals, for instance the current of the forget gate and
the cell, and its decoder is fitted to sigma(a_f) c. Multiplication is what distinguishes this cell from the
subtractive gates of `sublstm`; the LIF neuron's threshold bends the plane of two currents, and that is enough for it.
The arrays of an ensemble carry its name: forget_gain_a, write_bias, emit_decoder, and so on.

Exact: textbook and rate agree to rounding when dt = alpha tau; h hears the new c, because the axons are advanced after
the cells. At alpha = 1 both are the cell as printed.
Approximate: the spiking writing. An error of the product f c is fed back to the cell for as long as it remembers,
for tau / (1 - f), and that limits how well the twin follows.

References
----------
Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735.
Gers, Schmidhuber & Cummins 2000, doi:10.1162/089976600300015015 (the forget gate).
Eliasmith & Anderson 2003, Neural Engineering, MIT Press (products in ensembles of neurons).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from brian2 import ms

from cortwin.activations import logistic as sigma
from cortwin.model import Ensemble, Model, Pathway, Population, Textbook, Writing
from cortwin.populations import lif_neurons, rates_to, spikes_to, tuning_curves, weights_of_gates


class Parameters(NamedTuple):
    """Arrays of the textbook network, shapes as in the table above, and its readout ``y = W_out h + b_out``."""

    W_i: Any
    W_f: Any
    W_g: Any
    W_o: Any
    U_i: Any
    U_f: Any
    U_g: Any
    U_o: Any
    b_i: Any
    b_f: Any
    b_g: Any
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
    i = sigma(p.W_i @ u + p.U_i @ state.h + p.b_i)
    f = sigma(p.W_f @ u + p.U_f @ state.h + p.b_f)
    g = jnp.tanh(p.W_g @ u + p.U_g @ state.h + p.b_g)
    o = sigma(p.W_o @ u + p.U_o @ state.h + p.b_o)
    c = f * state.c + i * g
    return State(c=c, h=o * jnp.tanh(c))


def step(p, state, u, alpha):
    """Return c_t and h_t of the leaky cell."""
    i = sigma(p.W_i @ u + p.U_i @ state.h + p.b_i)
    f = sigma(p.W_f @ u + p.U_f @ state.h + p.b_f)
    g = jnp.tanh(p.W_g @ u + p.U_g @ state.h + p.b_g)
    o = sigma(p.W_o @ u + p.U_o @ state.h + p.b_o)
    c = (1 - alpha) * state.c + alpha * (f * state.c + i * g)
    return State(c=c, h=(1 - alpha) * state.h + alpha * o * jnp.tanh(c))


def activation(state):
    """Return the printed state: the same."""
    return state


def output(p, h):
    """Return y_t, the linear readout."""
    return p.W_out @ h + p.b_out


def signals(p, state, u):
    """Return what the ensembles hear."""
    return {
        "a_i": p.W_i @ u + p.U_i @ state.h + p.b_i,
        "a_f": p.W_f @ u + p.U_f @ state.h + p.b_f,
        "a_g": p.W_g @ u + p.U_g @ state.h + p.b_g,
        "a_o": p.W_o @ u + p.U_o @ state.h + p.b_o,
        "c": state.c,
    }


# The neurons of each gate hear two signals and compute a product.
FORGET = Ensemble("forget", lambda a, c: sigma(a) * c, ("a_f", "c"), prefix="forget_", synapse=None)
WRITE = Ensemble("write", lambda a, g: sigma(a) * jnp.tanh(g), ("a_i", "a_g"), prefix="write_", synapse=None)
EMIT = Ensemble("emit", lambda a, c: sigma(a) * jnp.tanh(c), ("a_o", "c"), prefix="emit_", synapse=None)

INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
GATES = """
a_i = recurrent_i + drive_i + b_i : 1
a_f = recurrent_f + drive_f + b_f : 1
a_g = recurrent_g + drive_g + b_g : 1
a_o = recurrent_o + drive_o + b_o : 1
recurrent_i : 1
recurrent_f : 1
recurrent_g : 1
recurrent_o : 1
drive_i : 1
drive_f : 1
drive_g : 1
drive_o : 1
b_i : 1 (constant)
b_f : 1 (constant)
b_g : 1 (constant)
b_o : 1 (constant)
"""
CELL = "dc/dt = (-c + c/(1 + exp(-a_f)) + tanh(a_g)/(1 + exp(-a_i)))/tau : 1" + GATES
AXON = """
dh/dt = (-h + tanh(c)/(1 + exp(-a_o)))/tau : 1
a_o : 1
c : 1
"""
CELL_OF_RATES = "dc/dt = (-c + kept + added)/tau : 1\nkept : 1\nadded : 1" + GATES
AXON_OF_RATES = "dh/dt = (-h + emitted)/tau : 1\nemitted : 1"
CELL_OF_SPIKES = "dc/dt = -c/tau : 1" + GATES
AXON_OF_SPIKES = "dh/dt = -h/tau : 1"
START = {"c": "c0", **{f"b_{gate}": f"b_{gate}" for gate in "ifgo"}}
HEARD = {**{f"a_{gate}": f"cell.a_{gate}" for gate in "ifgo"}, "c": "cell.c"}


def model() -> Model:
    """Return the LSTM page's model."""
    feedforward = weights_of_gates("ifgo", "drive", "W", "u")
    recurrent = weights_of_gates("ifgo", "recurrent", "U", "h")
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
            **{gate.population: tuning_curves(gate, HEARD) for gate in (FORGET, WRITE, EMIT)},
        },
        pathways={
            **into_the_cell,
            "keep": rates_to(FORGET, "cell.kept"),
            "add": rates_to(WRITE, "cell.added"),
            "tell": rates_to(EMIT, "axon.emitted"),
        },
        activity=activity,
    )
    spiking = Writing(
        populations={
            "input": INPUT,
            "cell": Population(CELL_OF_SPIKES, "units", method="euler", values=START),
            "axon": Population(AXON_OF_SPIKES, "units", method="euler", values={"h": "h0"}),
            **{gate.population: lif_neurons(gate, HEARD) for gate in (FORGET, WRITE, EMIT)},
        },
        pathways={
            **into_the_cell,
            "keep": spikes_to(FORGET, "cell.c", "tau"),
            "add": spikes_to(WRITE, "cell.c", "tau"),
            "tell": spikes_to(EMIT, "axon.h", "tau"),
        },
        activity=activity,
        spikes=("forget", "write", "emit"),
    )
    units, inputs = ("units", "units"), ("units", "inputs")
    return Model(
        name="lstm",
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
            **{f"W_{gate}": inputs for gate in "ifgo"},
            **{f"U_{gate}": units for gate in "ifgo"},
            **{f"b_{gate}": ("units",) for gate in "ifgo"},
            "c0": ("units",),
            "h0": ("units",),
            "W_out": ("outputs", "units"),
            "b_out": ("outputs",),
        },
        trained=Parameters,
        initial=initial,
        constants={"tau": 100 * ms, "tau_m": 20 * ms, "t_ref": 2 * ms},
        ensembles=(FORGET, WRITE, EMIT),
    )


def initial(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> Parameters:
    """Draw Gaussian weights, variance 1 / inputs, 1 / units (recurrent), 1 / units^2 (readout); zeros but for b_f = 1.

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units, outputs : sizes
    """
    W = {f"W_{gate}": generator.standard_normal((units, inputs)) / np.sqrt(inputs) for gate in "ifgo"}
    U = {f"U_{gate}": generator.standard_normal((units, units)) / np.sqrt(units) for gate in "ifgo"}
    # A cell that remembers from the start is easier to teach (Gers, Schmidhuber & Cummins 2000).
    b = {f"b_{gate}": np.ones(units) if gate == "f" else np.zeros(units) for gate in "ifgo"}
    W_out = generator.standard_normal((outputs, units)) / units
    return Parameters(**W, **U, **b, c0=np.zeros(units), h0=np.zeros(units), W_out=W_out, b_out=np.zeros(outputs))
