r"""The Jordan network of document 000, which hears its own output, and its cortical twins.

textbook   h_t = f(W_in u_t + W_fb y_{t-1} + b),   y_t = W_out h_t + b_out                         (R0, document 000)
           x_t = (1 - alpha) x_{t-1} + alpha (W_in u_t + W_fb y_{t-1} + b)  (R1, leaky; h = f(x), alpha = dt / tau)
rate       tau dx/dt = -x + W_fb y + W_in u + b,   r = f(x),   y = W_out r + b_out
spiking    tau dx/dt = -x + W_fb y + W_in u + b,   tau_s dr/dt = -r + sum_k d_k sum_spikes delta(t - t_k)

symbol     shape             unit  textbook           rate and spiking
x          (units,)          1     current            synaptic current
h, r       (units,)          1     state h = f(x)     firing rate; filtered, decoded spikes
u          (inputs,)         1     input              input
y          (outputs,)        1     output             what the motor population sends out, and back as efference copy
W_in       (units, inputs)   1     input weights      input synapses
W_fb       (units, outputs)  1     feedback weights   synapses of the efference copy
b          (units,)          1     bias               background current
x0         (units,)          1     first current      first current
W_out      (outputs, units)  1     readout weights    synapses on the motor population
b_out      (outputs,)        1     readout bias       background of the motor population
tau        ()                s     dt / alpha         synaptic time constant of the current x (slow, NMDA-like)
gain, bias (neurons,)        1                        input resistance with sign, background
decoder    (neurons,)        s                        synaptic weight of one spike
lead       (neurons,)        s                        anticipation against the lag of tau_s
v0         (neurons,)        1                        first membrane potential
r0         (units,)          1                        first filtered, decoded spikes
tau_m      ()                s                        membrane time constant
tau_s      ()                s                        fast synaptic time constant
t_ref      ()                s                        refractory time

The units have no synapses on one another: all that they hear of the past has gone through the output and back, as in
the feedback loop of FORCE networks. With y = h, that is W_out = 1 and b_out = 0, it is the printed formula.

Exact: textbook and rate agree to rounding when dt = alpha tau.
Approximate: the spiking writing, whose loop closes through spikes: by the decoding of f and by the spikes' timing.

References
----------
Jordan 1997 (report of 1986), Serial order, doi:10.1016/S0166-4115(97)80111-2.
Sussillo & Abbott 2009, doi:10.1016/j.neuron.2009.07.018 (a population that hears its own output).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from brian2 import ms

from cortwin.activations import ACTIVATIONS as ACTIVATIONS
from cortwin.activations import activation_of
from cortwin.model import Ensemble, Model, Pathway, Population, Textbook, Writing
from cortwin.populations import lif_neurons, rates_to, spikes_to, tuning_curves


class Parameters(NamedTuple):
    """Arrays of the textbook network, shapes as in the table above."""

    W_in: Any
    W_fb: Any
    b: Any
    x0: Any
    W_out: Any
    b_out: Any


def recurrence(p, h, u, f):
    """Return h_t, which hears the output of h_{t-1}."""
    y = p.W_out @ h + p.b_out
    return f(p.W_in @ u + p.W_fb @ y + p.b)


def step(p, x, u, alpha, f):
    """Return x_t, the leaky recurrence in the current x."""
    y = p.W_out @ f(x) + p.b_out
    return (1 - alpha) * x + alpha * (p.W_in @ u + p.W_fb @ y + p.b)


def output(p, h):
    """Return y_t, the output that is fed back."""
    return p.W_out @ h + p.b_out


INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
CURRENT = """
dx/dt = slope : 1
slope = (-x + feedback + drive + b)/tau : Hz
feedback : 1
drive : 1
b : 1 (constant)
"""
MOTOR = Population("y = command + b_out : 1\ncommand : 1\nb_out : 1 (constant)", "outputs", values={"b_out": "b_out"})
LOOP = {
    "feedforward": Pathway(
        "input", "cortex", "all_to_all", "w : 1 (constant)\ndrive_post = w*u_pre : 1 (summed)", values={"w": "W_in"}
    ),
    "readout": Pathway(
        "cortex", "motor", "all_to_all", "w : 1 (constant)\ncommand_post = w*r_pre : 1 (summed)", values={"w": "W_out"}
    ),
    "efference_copy": Pathway(
        "motor", "cortex", "all_to_all", "w : 1 (constant)\nfeedback_post = w*y_pre : 1 (summed)", values={"w": "W_fb"}
    ),
}
ACTIVITY = {"x": "cortex.x", "r": "cortex.r"}


def model(activation: str = "tanh") -> Model:
    """Return the Jordan page's model.

    Parameters
    ----------
    activation : ``"tanh"``, ``"logistic"`` or ``"relu"``

    Raises
    ------
    ValueError
        For an unknown activation.
    """
    f, text = activation_of("jordan", activation)
    neurons = Ensemble(population="neurons", function=f)
    start, heard = {"x": "x0", "b": "b"}, {"x": "cortex.x"}
    rates = Population(CURRENT + f"r = {text} : 1 (constant over dt)", "units", method="euler", values=start)
    summed = Population(CURRENT + "r : 1", "units", method="euler", values=start)
    filtered = Population(CURRENT + "dr/dt = -r/tau_s : 1", "units", method="euler", values={**start, "r": "r0"})
    return Model(
        name="jordan",
        textbook=Textbook(partial(recurrence, f=f), partial(step, f=f), f, output),
        rate=Writing({"input": INPUT, "cortex": rates, "motor": MOTOR}, LOOP, ACTIVITY),
        tuning=Writing(
            {"input": INPUT, "cortex": summed, "motor": MOTOR, "neurons": tuning_curves(neurons, heard)},
            {"decode": rates_to(neurons, "cortex.r"), **LOOP},
            ACTIVITY,
        ),
        spiking=Writing(
            {
                "input": INPUT,
                "cortex": filtered,
                "motor": MOTOR,
                "neurons": lif_neurons(neurons, heard, ahead={"x": "cortex.slope"}),
            },
            {"decode": spikes_to(neurons, "cortex.r", "tau_s"), **LOOP},
            ACTIVITY,
            spikes=("neurons",),
        ),
        shapes={
            "W_in": ("units", "inputs"),
            "W_fb": ("units", "outputs"),
            "b": ("units",),
            "x0": ("units",),
            "W_out": ("outputs", "units"),
            "b_out": ("outputs",),
        },
        trained=Parameters,
        initial=initial,
        constants={"tau": 100 * ms, "tau_m": 20 * ms, "tau_s": 10 * ms, "t_ref": 2 * ms},
        ensembles=(neurons,),
    )


def initial(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> Parameters:
    """Draw Gaussian weights: variance 1 / inputs, 1 / outputs (feedback), 1 / units (readout); zeros elsewhere.

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units, outputs : sizes
    """
    return Parameters(
        W_in=generator.standard_normal((units, inputs)) / np.sqrt(inputs),
        W_fb=generator.standard_normal((units, outputs)) / np.sqrt(outputs),
        b=np.zeros(units),
        x0=np.zeros(units),
        W_out=generator.standard_normal((outputs, units)) / np.sqrt(units),
        b_out=np.zeros(outputs),
    )
