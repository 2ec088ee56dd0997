r"""The network of document 001 as it is printed, without recurrence and with a softmax output, and its cortical twins.

textbook   h_t = f(W_in u_t + b),   y_t = softmax(W_out h_t + b_out)                          (R0, document 001)
           x_t = (1 - alpha) x_{t-1} + alpha (W_in u_t + b),   z = W_out h + b_out      (R1; h = f(x), alpha = dt / tau)
rate       tau dx/dt = -x + W_in u + b,   r = f(x),   z = W_out r + b_out,   y = s / sum s with s = exp(z)
spiking    tau dx/dt = -x + W_in u + b,   tau_s dr/dt = -r + sum_k d_k sum_spikes delta(t - t_k)
           tau_s dy/dt = -y + spikes that stand for exp(z - l),   tau_l dl/dt = sum y - 1

symbol     shape               unit  textbook           rate and spiking
x          (units,)            1     current            synaptic current
h, r       (units,)            1     state h = f(x)     firing rate; filtered, decoded spikes
u          (inputs,)           1     input              input
z          (outputs,)          1     logits             synaptic currents of the populations that choose
y          (outputs,)          1     softmax(z)         their firing, normalised
l          (outputs,)          1                        lateral inhibition, the same for all
W_in       (units, inputs)     1     input weights      input synapses
b          (units,)            1     bias               background current
x0         (units,)            1     first current      first current
W_out      (outputs, units)    1     output weights     synapses on the populations that choose
b_out      (outputs,)          1     output bias        their background currents
tau        ()                  s     dt / alpha         synaptic time constant of the current x
gain, bias (neurons,)          1                        input resistance with sign, background
decoder    (neurons,)          s                        synaptic weight of one spike
lead       (neurons,)          s                        anticipation against the lag of tau_s
v0         (neurons,)          1                        first membrane potential
r0         (units,)            1                        first filtered, decoded spikes
tau_m      ()                  s                        membrane time constant
tau_s      ()                  s                        fast synaptic time constant
tau_l      ()                  s                        time constant of the lateral inhibition
t_ref      ()                  s                        refractory time

Softmax is divisive normalisation of exp(z). In spikes the division is a subtraction under the exponential: each
population that chooses inhibits all, itself included, until together they fire as much as 1 stands for; then l is the
logarithm of the sum of exp(z), and who hears most wins. The arrays of these neurons carry the name: choice_gain, ...
Spikes reach z and not x, since nothing comes back: distances on the ladder are taken on z.

Exact: textbook and rate agree to rounding when dt = alpha tau; z hears the new x, because it is summed after it.
Approximate: the spiking writing, by the decoding of f and exp, by the spikes' timing, and by the time that l takes.

References
----------
Carandini & Heeger 2012, doi:10.1038/nrn3136 (divisive normalisation).
Wang 2002, doi:10.1016/S0896-6273(02)01092-9 (choice by lateral inhibition in a spiking network).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from brian2 import ms

from cortwin.activations import ACTIVATIONS as ACTIVATIONS
from cortwin.activations import activation_of
from cortwin.model import Ensemble, Model, Pathway, Population, Textbook, Writing
from cortwin.populations import lif_neurons, rates_to, spikes_to, tuning_curves


class Parameters(NamedTuple):
    """Arrays of the textbook network, shapes as in the table above."""

    W_in: Any
    b: Any
    x0: Any
    W_out: Any
    b_out: Any


def recurrence(p, h, u, f):
    """Return h_t, which depends on the input alone."""
    return f(p.W_in @ u + p.b)


def step(p, x, u, alpha, f):
    """Return x_t, the leaky form."""
    return (1 - alpha) * x + alpha * (p.W_in @ u + p.b)


def output(p, h):
    """Return z_t, the logits: y_t is their softmax."""
    return p.W_out @ h + p.b_out


CHOICE = Ensemble("choosers", jnp.exp, ("favour",), size="output_neurons", prefix="choice_")

INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
CURRENT = """
dx/dt = slope : 1
slope = (-x + drive + b)/tau : Hz
drive : 1
b : 1 (constant)
"""
LOGITS = """
z = evidence + b_out : 1
evidence : 1
b_out : 1 (constant)
"""
# The pool is 0 before anything was summed.
NORMALISED = LOGITS + "s = exp(z) : 1\npool : 1\ny = s/(pool + int(pool <= 0)) : 1"
INHIBITED = LOGITS + "favour = z - l : 1\ndl/dt = (pool - 1)/tau_l : 1\npool : 1"
DRIVE = Pathway(
    "input", "cortex", "all_to_all", "w : 1 (constant)\ndrive_post = w*u_pre : 1 (summed)", values={"w": "W_in"}
)


def readout(after):
    """Return the pathway to the populations that choose."""
    text = "w : 1 (constant)\nevidence_post = w*r_pre : 1 (summed)"
    return Pathway("cortex", "choice", "all_to_all", text, values={"w": "W_out"}, after=after)


def pool(variable, after):
    """Return the pathway on which all populations that choose inhibit each."""
    return Pathway("choice", "choice", "all_to_all", f"pool_post = {variable}_pre : 1 (summed)", after=after)


def model(activation: str = "tanh") -> Model:
    """Return the feed-forward page's model.

    Parameters
    ----------
    activation : ``"tanh"``, ``"logistic"`` or ``"relu"``

    Raises
    ------
    ValueError
        For an unknown activation.
    """
    f, text = activation_of("feedforward", activation)
    neurons = Ensemble(population="neurons", function=f)
    start, bias = {"x": "x0", "b": "b"}, {"b_out": "b_out"}
    heard, favoured = {"x": "cortex.x"}, {"favour": "choice.favour"}
    activity = {"x": "choice.z", "r": "cortex.r", "y": "choice.y"}
    return Model(
        name="feedforward",
        textbook=Textbook(
            partial(recurrence, f=f),
            partial(step, f=f),
            f,
            output,
            current=lambda p, x: output(p, f(x)),
            signals=lambda p, x, u: {"x": x, "favour": jax.nn.log_softmax(output(p, f(x)))},
            link="softmax",
        ),
        rate=Writing(
            {
                "input": INPUT,
                # Not constant over dt: the readout sums after x has moved.
                "cortex": Population(CURRENT + f"r = {text} : 1", "units", method="euler", values=start),
                "choice": Population(NORMALISED, "outputs", values=bias),
            },
            {"drive": DRIVE, "readout": readout("cortex"), "pool": pool("s", "choice")},
            activity,
        ),
        tuning=Writing(
            {
                "input": INPUT,
                "cortex": Population(CURRENT + "r : 1", "units", method="euler", values=start),
                "choice": Population(INHIBITED + "\ny : 1", "outputs", method="euler", values=bias),
                "neurons": tuning_curves(neurons, heard),
                "choosers": tuning_curves(CHOICE, favoured),
            },
            {
                "drive": DRIVE,
                "decode": rates_to(neurons, "cortex.r"),
                "readout": readout(None),
                "choose": rates_to(CHOICE, "choice.y"),
                "pool": pool("y", None),
            },
            activity,
        ),
        spiking=Writing(
            {
                "input": INPUT,
                "cortex": Population(
                    CURRENT + "dr/dt = -r/tau_s : 1", "units", method="euler", values={**start, "r": "r0"}
                ),
                "choice": Population(
                    INHIBITED + "\ndy/dt = -y/tau_s : 1", "outputs", method="euler", values={**bias, "y": "choice_r0"}
                ),
                "neurons": lif_neurons(neurons, heard, ahead={"x": "cortex.slope"}),
                "choosers": lif_neurons(CHOICE, favoured),
            },
            {
                "drive": DRIVE,
                "decode": spikes_to(neurons, "cortex.r", "tau_s"),
                "readout": readout(None),
                "choose": spikes_to(CHOICE, "choice.y", "tau_s"),
                "pool": pool("y", None),
            },
            activity,
            spikes=("neurons", "choosers"),
        ),
        shapes={
            "W_in": ("units", "inputs"),
            "b": ("units",),
            "x0": ("units",),
            "W_out": ("outputs", "units"),
            "b_out": ("outputs",),
        },
        trained=Parameters,
        initial=initial,
        constants={"tau": 100 * ms, "tau_m": 20 * ms, "tau_s": 10 * ms, "tau_l": 50 * ms, "t_ref": 2 * ms},
        ensembles=(neurons, CHOICE),
    )


def initial(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> Parameters:
    """Draw Gaussian weights: variance 1 / inputs, 1 / units (output); zeros elsewhere.

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units, outputs : sizes
    """
    return Parameters(
        W_in=generator.standard_normal((units, inputs)) / np.sqrt(inputs),
        b=np.zeros(units),
        x0=np.zeros(units),
        W_out=generator.standard_normal((outputs, units)) / np.sqrt(units),
        b_out=np.zeros(outputs),
    )
