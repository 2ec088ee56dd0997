r"""A recurrent network with attention over its own past (document 001), linear or softmax, and its cortical twins.

textbook   h_t = f(W_rec h_{t-1} + W_in u_t + b + c_t)                                       (R0)
           linear: c_t = A_{t-1} h_{t-1},   A_t = keep A_{t-1} + eta h_{t-1} h_{t-1}^T
           softmax: c_t = sum_s m_s h_s with m = softmax_s(beta h_s h_{t-1}) over the states before t - 1
           x_t = (1 - alpha) x_{t-1} + alpha (W_rec f(x_{t-1}) + W_in u_t + b + c_t)         (R1, leaky; h = f(x))
           A_t = A_{t-1} + alpha ((keep - 1) A_{t-1} + eta f(x_{t-1}) f(x_{t-1})^T),   alpha = dt / tau
rate       tau dx/dt = -x + W_rec r + W_in u + b + c,   r = f(x)
           linear: c = A r with fast Hebbian synapses, tau dA_ij/dt = (keep - 1) A_ij + eta r_i r_j
           softmax: c = K^T m with memory units m_s = exp(beta K_s r) / sum, whose synapses K_s take r over in slot s
spiking    linear: the same, with r as decoded spikes, tau_s dr/dt = -r + sum_k d_k sum_spikes delta(t - t_k)

symbol     shape             unit  textbook           rate and spiking
x          (units,)          1     current            synaptic current
h, r       (units,)          1     state h = f(x)     firing rate; filtered, decoded spikes
u          (inputs,)         1     input              input
A          (units, units)    1     fast weights       fast Hebbian synapses
K          (slots, units)    1     stored states      synapses of the memory units, to and from
W_rec      (units, units)    1     recurrent weights  recurrent synapses
W_in       (units, inputs)   1     input weights      input synapses
b          (units,)          1     bias               background current
x0         (units,)          1     first current      first current
number     (slots,)          1     0, 1, 2, ...       which slot a memory unit takes
W_out      (outputs, units)  1     readout weights    readout weights
b_out      (outputs,)        1     readout bias       readout bias
tau        ()                s     dt / alpha         time constant of x, and of the fast synapses
keep       ()                1     keep               what is left of a fast synapse after tau, by Euler's step
eta        ()                1     eta                strength of the fast synapses
beta       ()                1     beta               inverse temperature of the memory units
slot       ()                s     dt                 time between two states that are stored
gain, bias (neurons,)        1                        input resistance with sign, background
decoder    (neurons,)        s                        synaptic weight of one spike
lead       (neurons,)        s                        anticipation against the lag of tau_s
v0         (neurons,)        1                        first membrane potential
r0         (units,)          1                        first filtered, decoded spikes
tau_m      ()                s                        membrane time constant
tau_s      ()                s                        fast synaptic time constant
t_ref      ()                s                        refractory time

Linear attention is a sum over the past, of keep^(t-s) eta h_s (h_s h_{t-1}), and so a matrix that is carried along.

Exact: textbook and rate agree to rounding when dt = alpha tau, and for softmax dt = slot. The memory keeps all while
the sequence fits into its slots: later states are not stored.
Approximate: the spiking writing of linear attention. A Hebbian synapse multiplies two noisy rates: the noise of spikes,
more than the decoding, limits the twin (`cortwin run documents` measures both).

References
----------
Ba, Hinton, Mnih, Leibo & Ionescu 2016, Using fast weights to attend to the recent past, doi:10.48550/arXiv.1610.06258.
Schlag, Irie & Schmidhuber 2021, doi:10.48550/arXiv.2102.11174 (linear attention is a fast-weight programmer).
Krotov & Hopfield 2021, doi:10.48550/arXiv.2008.06996 (memory units that compute softmax attention).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from brian2 import ms

from cortwin.activations import tanh as f
from cortwin.model import Ensemble, Lacking, Model, Pathway, Population, Textbook, Writing
from cortwin.populations import lif_neurons, rates_to, spikes_to, tuning_curves

ATTENTIONS = ("linear", "softmax")
KEEP, ETA, BETA = 0.9, 0.01, 2.0
SLOTS = 100


class Parameters(NamedTuple):
    """Arrays of the textbook network, shapes as in the table above, and its readout ``y = W_out h + b_out``."""

    W_rec: Any
    W_in: Any
    b: Any
    x0: Any
    W_out: Any
    b_out: Any


class ParametersOfMemory(NamedTuple):
    """The same with the numbers of the memory's slots."""

    W_rec: Any
    W_in: Any
    b: Any
    x0: Any
    W_out: Any
    b_out: Any
    number: Any


class Linear(NamedTuple):
    """State of the network with fast weights, in the leaky form."""

    x: Any
    A: Any


class PrintedLinear(NamedTuple):
    """The same in the printed form."""

    h: Any
    A: Any


class Softmax(NamedTuple):
    """State of the network with a memory, in the leaky form: n states were stored."""

    x: Any
    K: Any
    n: Any


class PrintedSoftmax(NamedTuple):
    """The same in the printed form."""

    h: Any
    K: Any
    n: Any


def recurrence(p, state, u):
    """Return h_t and the fast weights, in the printed form."""
    h = f(p.W_rec @ state.h + p.W_in @ u + p.b + state.A @ state.h)
    return PrintedLinear(h=h, A=KEEP * state.A + ETA * jnp.outer(state.h, state.h))


def step(p, state, u, alpha):
    """Return x_t and the fast weights, in the leaky form."""
    r = f(state.x)
    x = (1 - alpha) * state.x + alpha * (p.W_rec @ r + p.W_in @ u + p.b + state.A @ r)
    return Linear(x=x, A=state.A + alpha * ((KEEP - 1) * state.A + ETA * jnp.outer(r, r)))


def activation(state):
    """Return h = f(x), and the fast weights."""
    return PrintedLinear(h=f(state.x), A=state.A)


def activation_with_memory(state):
    """Return h = f(x), and the memory."""
    return PrintedSoftmax(h=f(state.x), K=state.K, n=state.n)


def recurrence_with_memory(p, state, u):
    """Return h_t and the memory, in the printed form."""
    s = (p.number < state.n - 0.5) * jnp.exp(BETA * state.K @ state.h)
    m = s / (jnp.sum(s) + (jnp.sum(s) <= 0))
    h = f(p.W_rec @ state.h + p.W_in @ u + p.b + state.K.T @ m)
    now = abs(p.number - state.n) < 0.5
    return PrintedSoftmax(h=h, K=state.K + jnp.outer(now, state.h) - (now * state.K.T).T, n=state.n + 1)


def step_with_memory(p, state, u, alpha):
    """Return x_t and the memory, in the leaky form."""
    r = f(state.x)
    s = (p.number < state.n - 0.5) * jnp.exp(BETA * state.K @ r)
    m = s / (jnp.sum(s) + (jnp.sum(s) <= 0))
    x = (1 - alpha) * state.x + alpha * (p.W_rec @ r + p.W_in @ u + p.b + state.K.T @ m)
    now = abs(p.number - state.n) < 0.5
    return Softmax(x=x, K=state.K + jnp.outer(now, r) - (now * state.K.T).T, n=state.n + 1)


def output(p, h):
    """Return y_t, the linear readout."""
    return p.W_out @ h + p.b_out


def nothing_stored(p):
    """Return the first state of the network with a memory."""
    return Softmax(p.x0, jnp.zeros((len(p.number), len(p.x0))), jnp.zeros(()))


NEURONS = Ensemble("neurons", f)
INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
CURRENT = """
dx/dt = slope : 1
slope = (-x + recurrent + drive + b + attended)/tau : Hz
recurrent : 1
drive : 1
b : 1 (constant)
attended : 1
"""
# A slot is open for one step; half a step on either side, no time is equal by rounding.
MEMORY = """
s = int(t > number*slot + dt/2)*exp(beta*match) : 1
m = s/(pool + int(pool <= 0)) : 1
open = int(abs(t - number*slot) < dt/2) : 1
match : 1
pool : 1
number : 1 (constant)
"""
PATHWAYS = {
    "feedforward": Pathway(
        "input", "cortex", "all_to_all", "w : 1 (constant)\ndrive_post = w*u_pre : 1 (summed)", values={"w": "W_in"}
    ),
    "recurrence": Pathway(
        "cortex",
        "cortex",
        "all_to_all",
        "w : 1 (constant)\nrecurrent_post = w*r_pre : 1 (summed)",
        values={"w": "W_rec"},
    ),
}
FAST = Pathway(
    "cortex",
    "cortex",
    "all_to_all",
    "dA/dt = ((keep - 1)*A + eta*r_post*r_pre)/tau : 1 (clock-driven)\nattended_post = A*r_pre : 1 (summed)",
    method="euler",
)
STORE = Pathway(
    "cortex",
    "memory",
    "all_to_all",
    "dK/dt = open_post*(r_pre - K)/dt : 1 (clock-driven)\nmatch_post = K*r_pre : 1 (summed)",
    method="euler",
)
POOL = Pathway("memory", "memory", "all_to_all", "pool_post = s_pre : 1 (summed)")
RECALL = Pathway(
    "memory",
    "cortex",
    "all_to_all",
    "dK/dt = open_pre*(r_post - K)/dt : 1 (clock-driven)\nattended_post = K*m_pre : 1 (summed)",
    method="euler",
)
ACTIVITY = {"x": "cortex.x", "r": "cortex.r"}
START = {"x": "x0", "b": "b"}


def model(attention: str = "linear") -> Model:
    """Return the attention page's model.

    Parameters
    ----------
    attention : ``"linear"`` or ``"softmax"``

    Raises
    ------
    ValueError
        For an unknown attention.
    """
    if attention not in ATTENTIONS:
        raise ValueError(f"attention: attention is '{attention}', expected one of {', '.join(ATTENTIONS)}")
    shapes = {
        "W_rec": ("units", "units"),
        "W_in": ("units", "inputs"),
        "b": ("units",),
        "x0": ("units",),
        "W_out": ("outputs", "units"),
        "b_out": ("outputs",),
    }
    common = {"current": lambda p, state: state.x, "rate": lambda state: state.h}
    rates = Population(CURRENT + "r = tanh(x) : 1 (constant over dt)", "units", method="euler", values=START)
    constants = {"tau": 100 * ms, "tau_m": 20 * ms, "tau_s": 10 * ms, "t_ref": 2 * ms}
    if attention == "softmax":
        reason = "softmax over stored states needs a copy of each state, held without loss: spikes have no such memory"
        memory = Population(MEMORY, "slots", values={"number": "number"})
        return Model(
            name="attention",
            textbook=Textbook(
                recurrence_with_memory, step_with_memory, activation_with_memory, output, start=nothing_stored, **common
            ),
            rate=Writing(
                {"input": INPUT, "cortex": rates, "memory": memory},
                {"store": STORE, "pool": POOL, "recall": RECALL, **PATHWAYS},
                ACTIVITY,
            ),
            tuning=Lacking(reason),
            spiking=Lacking(reason),
            shapes=shapes | {"number": ("slots",)},
            trained=ParametersOfMemory,
            initial=initial_of_memory,
            constants=constants | {"beta": BETA, "slot": 10 * ms},
        )
    heard = {"x": "cortex.x"}
    summed = Population(CURRENT + "r : 1", "units", method="euler", values=START)
    filtered = Population(CURRENT + "dr/dt = -r/tau_s : 1", "units", method="euler", values={**START, "r": "r0"})
    return Model(
        name="attention",
        textbook=Textbook(
            recurrence,
            step,
            activation,
            output,
            start=lambda p: Linear(p.x0, jnp.zeros((len(p.x0), len(p.x0)))),
            signals=lambda p, state, u: {"x": state.x},
            **common,
        ),
        rate=Writing({"input": INPUT, "cortex": rates}, {"fast": FAST, **PATHWAYS}, ACTIVITY),
        tuning=Writing(
            {"input": INPUT, "cortex": summed, "neurons": tuning_curves(NEURONS, heard)},
            {"decode": rates_to(NEURONS, "cortex.r"), "fast": FAST, **PATHWAYS},
            ACTIVITY,
        ),
        spiking=Writing(
            {
                "input": INPUT,
                "cortex": filtered,
                "neurons": lif_neurons(NEURONS, heard, ahead={"x": "cortex.slope"}),
            },
            {"decode": spikes_to(NEURONS, "cortex.r", "tau_s"), "fast": FAST, **PATHWAYS},
            ACTIVITY,
            spikes=("neurons",),
        ),
        shapes=shapes,
        trained=Parameters,
        initial=initial,
        constants=constants | {"keep": KEEP, "eta": ETA},
        ensembles=(NEURONS,),
    )


def initial(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> Parameters:
    """Draw Gaussian weights: variance 1/4 / units (recurrent), 1 / inputs, 1 / units^2 (readout); zeros elsewhere.

    The recurrent weights leave room for what attention adds to them.

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units, outputs : sizes
    """
    return Parameters(
        W_rec=0.5 * generator.standard_normal((units, units)) / np.sqrt(units),
        W_in=generator.standard_normal((units, inputs)) / np.sqrt(inputs),
        b=np.zeros(units),
        x0=np.zeros(units),
        W_out=generator.standard_normal((outputs, units)) / units,
        b_out=np.zeros(outputs),
    )


def initial_of_memory(
    generator: np.random.Generator, inputs: int, units: int, outputs: int, slots: int = SLOTS
) -> ParametersOfMemory:
    """Draw the same for the network with a memory of some slots."""
    drawn = initial(generator, inputs, units, outputs)
    return ParametersOfMemory(*drawn, number=np.arange(slots, dtype=np.float64))
