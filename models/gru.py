r"""The gated recurrent unit of documents 001 to 004, and its cortical twins.

textbook   z, r = sigma(W u_t + U h_{t-1} + b),   n = tanh(W_n u_t + b_n + r (U_n h_{t-1} + b_q))         (R0)
           h_t = (1 - z) n + z h_{t-1}
           n = tanh(W_n u_t + b_n + U_n (r h_{t-1}))                               (R0 with reset="before")
           h_t = (1 - alpha) h_{t-1} + alpha ((1 - z) n + z h_{t-1})               (R1, leaky; alpha = dt / tau)
rate       tau dh/dt = (1 - z) (n - h): a leak with the time constant tau / (1 - z)
spiking    tau dh/dt = -h + sum_k d_k sum_spikes tau delta(t - t_k) of two ensembles, which compute z h and (1 - z) n
           tau_s drho/dt = -rho + the same of a third, which computes r (U_n h + b_q), or r h with reset="before"

symbol         shape             unit  textbook           rate and spiking
h              (units,)          1     state              slow synaptic current that a unit's spikes leave elsewhere
rho            (units,)          1     r (U_n h + b_q)    recurrent input behind its gate; r h before the synapses
h0             (units,)          1     first h            first h
u              (inputs,)         1     input              input
W_z, W_r, W_n  (units, inputs)   1     input weights      input synapses of each gate
U_z, U_r, U_n  (units, units)    1     recurrent weights  recurrent synapses of each gate
b_z, b_r, b_n  (units,)          1     biases             background currents of each gate
b_q            (units,)          1     recurrent bias     background current behind the reset gate; after it alone
W_out          (outputs, units)  1     readout weights    readout weights
b_out          (outputs,)        1     readout bias       readout bias
tau            ()                s     dt / alpha         time constant of the slow (NMDA-like) synapses
tau_m          ()                s                        membrane time constant
tau_s          ()                s                        fast synaptic time constant
t_ref          ()                s                        refractory time

Gates are ensembles that represent products, as in `lstm`: a neuron hears the current of a gate and what it gates, and
its decoder is fitted to the product. The update gate could not be a subtraction: a time constant is a factor.
The arrays of an ensemble carry its name: keep_gain_a, renew_bias, reset_decoder, and so on.

With reset="after" a unit gates what the others send it; with reset="before" it gates what it sends to them, as in the
first paper and Keras's reset_after=False: the synapses U_n then hear rho.

Exact: textbook and rate agree to rounding when dt = alpha tau; at dt = tau both are the cell as printed.
Approximate: the spiking writing, by the decoding of products from n neurons, by the spikes' timing and by tau_s.

References
----------
Cho et al. 2014, doi:10.3115/v1/D14-1179 (reset="before"); the gate stands behind U_n h in cuDNN, PyTorch and Keras.
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

# Where the reset gate stands.
RESETS = ("after", "before")


class Parameters(NamedTuple):
    """Arrays of the textbook network, shapes as in the table above, and its readout ``y = W_out h + b_out``."""

    W_z: Any
    W_r: Any
    W_n: Any
    U_z: Any
    U_r: Any
    U_n: Any
    b_z: Any
    b_r: Any
    b_n: Any
    b_q: Any
    h0: Any
    W_out: Any
    b_out: Any


class ParametersBefore(NamedTuple):
    """The same where the reset gate stands before U_n: there is no bias behind it."""

    W_z: Any
    W_r: Any
    W_n: Any
    U_z: Any
    U_r: Any
    U_n: Any
    b_z: Any
    b_r: Any
    b_n: Any
    h0: Any
    W_out: Any
    b_out: Any


def recurrence(p, h, u):
    """Return h_t, the cell as it is printed."""
    z = sigma(p.W_z @ u + p.U_z @ h + p.b_z)
    r = sigma(p.W_r @ u + p.U_r @ h + p.b_r)
    n = jnp.tanh(p.W_n @ u + p.b_n + r * (p.U_n @ h + p.b_q))
    return (1 - z) * n + z * h


def recurrence_before(p, h, u):
    """Return h_t, the cell as the first paper prints it."""
    z = sigma(p.W_z @ u + p.U_z @ h + p.b_z)
    r = sigma(p.W_r @ u + p.U_r @ h + p.b_r)
    n = jnp.tanh(p.W_n @ u + p.b_n + p.U_n @ (r * h))
    return (1 - z) * n + z * h


def step(p, h, u, alpha):
    """Return h_t of the leaky cell."""
    z = sigma(p.W_z @ u + p.U_z @ h + p.b_z)
    r = sigma(p.W_r @ u + p.U_r @ h + p.b_r)
    n = jnp.tanh(p.W_n @ u + p.b_n + r * (p.U_n @ h + p.b_q))
    return (1 - alpha) * h + alpha * ((1 - z) * n + z * h)


def step_before(p, h, u, alpha):
    """Return h_t of the leaky cell whose reset gate stands before U_n."""
    z = sigma(p.W_z @ u + p.U_z @ h + p.b_z)
    r = sigma(p.W_r @ u + p.U_r @ h + p.b_r)
    n = jnp.tanh(p.W_n @ u + p.b_n + p.U_n @ (r * h))
    return (1 - alpha) * h + alpha * ((1 - z) * n + z * h)


def activation(h):
    """Return the printed state: the same."""
    return h


def output(p, h):
    """Return y_t, the linear readout."""
    return p.W_out @ h + p.b_out


def signals(p, h, u):
    """Return what the ensembles hear."""
    a_r, q = p.W_r @ u + p.U_r @ h + p.b_r, p.U_n @ h + p.b_q
    return {
        "a_z": p.W_z @ u + p.U_z @ h + p.b_z,
        "a_r": a_r,
        "q": q,
        "m": p.W_n @ u + p.b_n + sigma(a_r) * q,
        "h": h,
    }


def signals_before(p, h, u):
    """Return what the ensembles hear where the reset gate stands before U_n."""
    a_r = p.W_r @ u + p.U_r @ h + p.b_r
    return {
        "a_z": p.W_z @ u + p.U_z @ h + p.b_z,
        "a_r": a_r,
        "m": p.W_n @ u + p.b_n + p.U_n @ (sigma(a_r) * h),
        "h": h,
    }


# The neurons of each ensemble hear two signals and compute a product.
KEEP = Ensemble("keep", lambda a, h: sigma(a) * h, ("a_z", "h"), prefix="keep_", synapse=None)
RENEW = Ensemble("renew", lambda a, m: (1 - sigma(a)) * jnp.tanh(m), ("a_z", "m"), prefix="renew_", synapse=None)
RESET = Ensemble("reset", lambda a, q: sigma(a) * q, ("a_r", "q"), prefix="reset_")
RESET_BEFORE = Ensemble("reset", lambda a, h: sigma(a) * h, ("a_r", "h"), prefix="reset_")

INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
GATES = """
a_z = recurrent_z + drive_z + b_z : 1
a_r = recurrent_r + drive_r + b_r : 1
recurrent_z : 1
recurrent_r : 1
recurrent_n : 1
drive_z : 1
drive_r : 1
drive_n : 1
b_z : 1 (constant)
b_r : 1 (constant)
b_n : 1 (constant)
"""
CANDIDATE = """
q = recurrent_n + b_q : 1
m = drive_n + b_n + rho : 1
b_q : 1 (constant)
"""
CANDIDATE_BEFORE = "m = drive_n + b_n + recurrent_n : 1"
RATES = """
dh/dt = (1 - z)*(tanh(m) - h)/tau : 1
z = 1/(1 + exp(-a_z)) : 1"""
GATED = """
rho = q/(1 + exp(-a_r)) : 1"""
GATED_BEFORE = """
rho = h/(1 + exp(-a_r)) : 1"""
CURVES = """
dh/dt = (-h + kept + renewed)/tau : 1
kept : 1
renewed : 1
rho : 1"""
SPIKES = """
dh/dt = -h/tau : 1
drho/dt = -rho/tau_s : 1"""


def model(reset: str = "after") -> Model:
    """Return the GRU page's model.

    Parameters
    ----------
    reset : where the reset gate stands, ``"after"`` the recurrent weights U_n or ``"before"`` them

    Raises
    ------
    ValueError
        For an unknown place.
    """
    if reset not in RESETS:
        raise ValueError(f"gru: reset is '{reset}', expected one of {', '.join(RESETS)}")
    is_before = reset == "before"
    resetting = RESET_BEFORE if is_before else RESET
    gates = GATES + (CANDIDATE_BEFORE if is_before else CANDIDATE)
    biases = ("b_z", "b_r", "b_n") if is_before else ("b_z", "b_r", "b_n", "b_q")
    start = {"h": "h0", **{name: name for name in biases}}
    heard = {name: f"cortex.{name}" for name in ("a_z", "a_r", "m", "h", *(() if is_before else ("q",)))}

    feedforward = weights_of_gates("zrn", "drive", "W", "u")
    recurrent = weights_of_gates("zr" if is_before else "zrn", "recurrent", "U", "h")
    into_cortex = {
        "feedforward": Pathway("input", "cortex", "all_to_all", feedforward[0], values=feedforward[1]),
        "recurrence": Pathway("cortex", "cortex", "all_to_all", recurrent[0], values=recurrent[1]),
    }
    # It sums last: what it carries hangs on the reset gate of this very time step.
    behind_the_gate = weights_of_gates("n", "recurrent", "U", "rho")
    gated = {"gated": Pathway("cortex", "cortex", "all_to_all", behind_the_gate[0], values=behind_the_gate[1])}
    gated = gated if is_before else {}
    activity = {"x": "cortex.h", "r": "cortex.h"}
    rates = RATES + (GATED_BEFORE if is_before else GATED)
    rate = Writing(
        populations={"input": INPUT, "cortex": Population(rates + gates, "units", method="euler", values=start)},
        pathways={**into_cortex, **gated},
        activity=activity,
    )
    tuning = Writing(
        populations={
            "input": INPUT,
            "cortex": Population(CURVES + gates, "units", method="euler", values=start),
            **{gate.population: tuning_curves(gate, heard) for gate in (KEEP, RENEW, resetting)},
        },
        pathways={
            **into_cortex,
            "gate": rates_to(resetting, "cortex.rho"),
            **gated,
            "remember": rates_to(KEEP, "cortex.kept"),
            "update": rates_to(RENEW, "cortex.renewed"),
        },
        activity=activity,
    )
    spiking = Writing(
        populations={
            "input": INPUT,
            "cortex": Population(SPIKES + gates, "units", method="euler", values={**start, "rho": "reset_r0"}),
            **{gate.population: lif_neurons(gate, heard) for gate in (KEEP, RENEW, resetting)},
        },
        pathways={
            **into_cortex,
            "gate": spikes_to(resetting, "cortex.rho", "tau_s"),
            **gated,
            "remember": spikes_to(KEEP, "cortex.h", "tau"),
            "update": spikes_to(RENEW, "cortex.h", "tau"),
        },
        activity=activity,
        spikes=("keep", "renew", "reset"),
    )
    steps = (recurrence_before, step_before) if is_before else (recurrence, step)
    return Model(
        name="gru",
        textbook=Textbook(
            *steps, activation, output, start=lambda p: p.h0, signals=signals_before if is_before else signals
        ),
        rate=rate,
        tuning=tuning,
        spiking=spiking,
        shapes={
            **{f"W_{gate}": ("units", "inputs") for gate in "zrn"},
            **{f"U_{gate}": ("units", "units") for gate in "zrn"},
            **dict.fromkeys((*biases, "h0"), ("units",)),
            "W_out": ("outputs", "units"),
            "b_out": ("outputs",),
        },
        trained=ParametersBefore if is_before else Parameters,
        initial=initial_before if is_before else initial,
        constants={"tau": 100 * ms, "tau_m": 20 * ms, "tau_s": 5 * ms, "t_ref": 2 * ms},
        ensembles=(KEEP, RENEW, resetting),
    )


def initial(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> Parameters:
    """Draw Gaussian weights: variance 1 / inputs, 1 / units (recurrent), 1 / units^2 (readout); zeros elsewhere.

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units, outputs : sizes
    """
    W = {f"W_{gate}": generator.standard_normal((units, inputs)) / np.sqrt(inputs) for gate in "zrn"}
    U = {f"U_{gate}": generator.standard_normal((units, units)) / np.sqrt(units) for gate in "zrn"}
    zeros = {name: np.zeros(units) for name in ("b_z", "b_r", "b_n", "b_q", "h0")}
    return Parameters(
        **W, **U, **zeros, W_out=generator.standard_normal((outputs, units)) / units, b_out=np.zeros(outputs)
    )


def initial_before(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> ParametersBefore:
    """Draw the same where the reset gate stands before U_n."""
    drawn = initial(generator, inputs, units, outputs)._asdict()
    return ParametersBefore(**{name: drawn[name] for name in ParametersBefore._fields})
