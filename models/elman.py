r"""The Elman network of documents 002 and 004, and its cortical twins.

textbook   h_t = f(W_rec h_{t-1} + W_in u_t + b)                                 (R0, documents 002 and 004)
           x_t = (1 - alpha) x_{t-1} + alpha (W_rec f(x_{t-1}) + W_in u_t + b)   (R1, leaky; h = f(x), alpha = dt / tau)
rate       tau dx/dt = -x + W_rec r + W_in u + b,   r = f(x)
spiking    tau dx/dt = -x + W_rec r + W_in u + b,   tau_s dr/dt = -r + sum_k d_k sum_spikes delta(t - t_k)
           tau_m dv/dt = gain (x + lead dx/dt) + bias - v,   spike and v <- 0 where v > 1, silent for t_ref

symbol     shape             unit  textbook             rate                  spiking
x          (units,)          1     current              synaptic current      synaptic current
h, r       (units,)          1     state h = f(x)       firing rate           filtered, decoded spikes
u          (inputs,)         1     input                input                 input
W_rec      (units, units)    1     recurrent weights    recurrent synapses    synapses, decoder x W_rec x encoder
W_in       (units, inputs)   1     input weights        input synapses        input synapses
b          (units,)          1     bias                 background current    background current
x0         (units,)          1     first current        first current         first current
W_out      (outputs, units)  1     readout weights      readout weights       readout weights
b_out      (outputs,)        1     readout bias         readout bias          readout bias
tau        ()                s     dt / alpha           synaptic time constant of the current x (slow, NMDA-like)
v          (neurons,)        1                                                membrane potential, threshold 1, reset 0
v0         (neurons,)        1                                                first membrane potential
r0         (units,)          1                                                first filtered, decoded spikes
gain, bias (neurons,)        1                                                input resistance with sign, background
decoder    (neurons,)        s                                                synaptic weight of one spike
tau_m      ()                s                                                membrane time constant
tau_s      ()                s                                                fast synaptic time constant
t_ref      ()                s                                                refractory time
lead       (neurons,)        s                                                anticipation against the lag of tau_s

Exact: textbook and rate agree to rounding when dt = alpha tau (forward Euler, the same input over each step).
Approximate: the spiking writing, by the decoding of f from n neurons and by the spikes' timing; the tuning writing
between the two keeps the neurons' rates and leaves out the spikes.

References
----------
Elman 1990, Finding structure in time, doi:10.1207/s15516709cog1402_1.
Wilson & Cowan 1972, doi:10.1016/S0006-3495(72)86068-5 (rate populations).
Eliasmith & Anderson 2003, Neural Engineering, MIT Press (decoders, and R5's factored recurrence).
Sussillo & Barak 2013, doi:10.1162/NECO_a_00409 (the leaky form in the current x).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from brian2 import ms

from cortwin.activations import ACTIVATIONS as ACTIVATIONS
from cortwin.activations import activation_of
from cortwin.model import Ensemble, Model, Pathway, Population, Textbook, Writing


class Parameters(NamedTuple):
    """Arrays of the textbook network, shapes as in the table above, and its readout ``y = W_out h + b_out``."""

    W_rec: Any
    W_in: Any
    b: Any
    x0: Any
    W_out: Any
    b_out: Any


def recurrence(p, h, u, f):
    """Return h_t, the recurrence as documents 002 and 004 print it."""
    return f(p.W_rec @ h + p.W_in @ u + p.b)


def step(p, x, u, alpha, f):
    """Return x_t, the leaky recurrence in the current x."""
    return (1 - alpha) * x + alpha * (p.W_rec @ f(x) + p.W_in @ u + p.b)


def output(p, h):
    """Return y_t, the linear readout."""
    return p.W_out @ h + p.b_out


# The logistic function is flat: at rest its slope is 1/4, and weights have to make up for it.
GAINS = {"tanh": 1.0, "logistic": 4.0, "relu": 1.0}

INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
CURRENT = """
dx/dt = (-x + recurrent + drive + b)/tau : 1
recurrent : 1
drive : 1
b : 1 (constant)
"""
HEARD = """
heard = x + lead*(-x + recurrent + drive + b)/tau : 1
x : 1
recurrent : 1
drive : 1
b : 1
gain : 1 (constant)
bias : 1 (constant)
lead : second (constant)
"""
LIF = "dv/dt = (gain*heard + bias - v)/tau_m : 1 (unless refractory)" + HEARD
TUNING_CURVE = """
J = gain*x + bias : 1
rate = int(J > 1)/(t_ref + tau_m*log1p(1/clip(J - 1, 1e-9, inf))) : Hz (constant over dt)
x : 1
gain : 1 (constant)
bias : 1 (constant)
"""
LINKS = {name: f"cortex.{name}" for name in ("x", "recurrent", "drive", "b")}
FEED_FORWARD = Pathway(
    "input", "cortex", "all_to_all", "w : 1 (constant)\ndrive_post = w*u_pre : 1 (summed)", values={"w": "W_in"}
)
RECURRENT = Pathway(
    "cortex", "cortex", "all_to_all", "w : 1 (constant)\nrecurrent_post = w*r_pre : 1 (summed)", values={"w": "W_rec"}
)
ACTIVITY = {"x": "cortex.x", "r": "cortex.r"}


def model(activation: str = "tanh") -> Model:
    """Return the Elman page's model.

    Parameters
    ----------
    activation : ``"tanh"``, ``"logistic"`` or ``"relu"``

    Raises
    ------
    ValueError
        For an unknown activation.
    """
    f, text = activation_of("elman", activation)
    start = {"x": "x0", "b": "b"}
    rate = Writing(
        populations={
            "input": INPUT,
            "cortex": Population(CURRENT + f"r = {text} : 1 (constant over dt)", "units", method="euler", values=start),
        },
        pathways={"feedforward": FEED_FORWARD, "recurrence": RECURRENT},
        activity=ACTIVITY,
    )
    cortex = Population(CURRENT + "r : 1", "units", method="euler", values=start)
    curves = Population(TUNING_CURVE, "neurons", values={"gain": "gain", "bias": "bias"}, linked={"x": "cortex.x"})
    tuning = Writing(
        populations={"input": INPUT, "cortex": cortex, "neurons": curves},
        pathways={
            "feedforward": FEED_FORWARD,
            "decode": Pathway(
                "neurons",
                "cortex",
                "convergent",
                "d : second (constant)\nr_post = d*rate_pre : 1 (summed)",
                values={"d": "decoder"},
            ),
            "recurrence": RECURRENT,
        },
        activity=ACTIVITY,
    )
    filtered = Population(CURRENT + "dr/dt = -r/tau_s : 1", "units", method="euler", values={**start, "r": "r0"})
    neurons = Population(
        LIF,
        "neurons",
        method="exact",
        threshold="v > 1",
        reset="v = 0",
        refractory="t_ref",
        values={"gain": "gain", "bias": "bias", "lead": "lead", "v": "v0"},
        linked=LINKS,
    )
    spiking = Writing(
        populations={"input": INPUT, "cortex": filtered, "neurons": neurons},
        pathways={
            "feedforward": FEED_FORWARD,
            "decode": Pathway(
                "neurons",
                "cortex",
                "convergent",
                "d : second (constant)",
                on_pre="r_post += d/tau_s",
                values={"d": "decoder"},
            ),
            "recurrence": RECURRENT,
        },
        activity=ACTIVITY,
        spikes=("neurons",),
    )
    return Model(
        name="elman",
        textbook=Textbook(partial(recurrence, f=f), partial(step, f=f), f, output),
        rate=rate,
        tuning=tuning,
        spiking=spiking,
        shapes={
            "W_rec": ("units", "units"),
            "W_in": ("units", "inputs"),
            "b": ("units",),
            "x0": ("units",),
            "W_out": ("outputs", "units"),
            "b_out": ("outputs",),
        },
        trained=Parameters,
        initial=partial(initial, gain=GAINS[activation]),
        constants={"tau": 100 * ms, "tau_m": 20 * ms, "tau_s": 10 * ms, "t_ref": 2 * ms},
        ensembles=(Ensemble(population="neurons", function=f),),
    )


def initial(generator: np.random.Generator, inputs: int, units: int, outputs: int, *, gain: float = 1.0) -> Parameters:
    """Draw Gaussian weights: variance gain^2 / units (recurrent), 1 / inputs, 1 / units^2 (readout); zeros elsewhere.

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units, outputs : sizes
    gain : spectral radius of the recurrent weights for large networks (Girko's circular law)
    """
    return Parameters(
        W_rec=gain * generator.standard_normal((units, units)) / np.sqrt(units),
        W_in=generator.standard_normal((units, inputs)) / np.sqrt(inputs),
        b=np.zeros(units),
        x0=np.zeros(units),
        # Small enough that every unit has to carry a part of the output: the noise of spikes then averages out.
        W_out=generator.standard_normal((outputs, units)) / units,
        b_out=np.zeros(outputs),
    )
