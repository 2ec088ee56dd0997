r"""The thalamic relay of document 003, whose copy of the input comes late, and its cortical twins.

textbook   a_t = W_ax u_t + b_a,   h_t = f(W_hx u_t + W_ha a_{t-1} + W_hh h_{t-1} + b_h)           (R0, document 003)
           x_t = (1 - alpha) x_{t-1} + alpha (W_hx u_t + W_ha a_{t-1} + W_hh h_{t-1} + b_h)
                                                                              (R1, leaky; h = f(x), alpha = dt / tau)
rate       a(t) = W_ax u(t) + b_a,   tau dx/dt = -x + W_hx u + W_ha a(t - delay) + W_hh r + b_h,   r = f(x)
spiking    the same with a and r as decoded spikes; those of the thalamus arrive after the axonal delay

symbol           shape             unit  textbook           rate and spiking
x                (units,)          1     current            synaptic current of motor cortex
h, r             (units,)          1     state h = f(x)     firing rate; filtered, decoded spikes
u                (inputs,)         1     input              input
a                (inputs,)         1     relay              activity of the thalamus
W_ax             (inputs, inputs)  1     relay weights      synapses on the thalamus
b_a              (inputs,)         1     relay bias         background of the thalamus
W_hx             (units, inputs)   1     direct weights     direct synapses on cortex
W_ha             (units, inputs)   1     delayed weights    thalamocortical synapses, behind the delay
W_hh             (units, units)    1     recurrent weights  recurrent synapses; 0 in the network as printed
b_h              (units,)          1     bias               background current
x0               (units,)          1     first current      first current
a0               (inputs,)         1     first relay        relayed before the first input
W_out            (outputs, units)  1     readout weights    readout weights
b_out            (outputs,)        1     readout bias       readout bias
tau              ()                s     dt / alpha         synaptic time constant of the current x
delay            ()                s     dt                 from the input to its copy
axon             ()                s                        axonal delay of thalamic spikes; synapses give the rest
gain, bias       (neurons,)        1                        input resistance with sign, background
decoder          (neurons,)        s                        synaptic weight of one spike
lead             (neurons,)        s                        anticipation against the lag of tau_s
v0               (neurons,)        1                        first membrane potential
r0               (units,)          1                        first filtered, decoded spikes
tau_m            ()                s                        membrane time constant
tau_s            ()                s                        fast synaptic time constant of cortex
tau_a            ()                s                        fast synaptic time constant of the thalamus
t_ref            ()                s                        refractory time

The document calls the network recurrent, but prints no W_hh: ``loop`` is ``"recurrent"`` for the network with it,
``"as_printed"`` for the one without. The arrays of the thalamic neurons carry the name: thalamus_gain, and so on.

Exact: textbook and rate agree to rounding when dt = alpha tau = delay. In the rate text the delay stands in front of
the relay, where the input is known: through a linear relay that is the same as behind it.
Approximate: the spiking writing, by the decoding of a and f, by the spikes' timing, and because the copy passes the
low-pass filter of its synapse.

References
----------
Sherman & Guillery 2002, doi:10.1098/rstb.2002.1161 (the thalamus as a relay to cortex).
Brunel & Wang 2003, doi:10.1152/jn.01095.2002 (delays and time constants of synapses).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from brian2 import ms

from cortwin.activations import logistic as f
from cortwin.model import Ensemble, Model, Pathway, Population, Textbook, Writing
from cortwin.populations import lif_neurons, rates_to, spikes_to, tuning_curves

LOOPS = ("recurrent", "as_printed")


class Parameters(NamedTuple):
    """Arrays of the textbook network, shapes as in the table above, and its readout ``y = W_out h + b_out``."""

    W_ax: Any
    b_a: Any
    W_hx: Any
    W_ha: Any
    W_hh: Any
    b_h: Any
    x0: Any
    a0: Any
    W_out: Any
    b_out: Any


class ParametersAsPrinted(NamedTuple):
    """The same without recurrent weights."""

    W_ax: Any
    b_a: Any
    W_hx: Any
    W_ha: Any
    b_h: Any
    x0: Any
    a0: Any
    W_out: Any
    b_out: Any


class Current(NamedTuple):
    """State of the leaky form."""

    x: Any
    a: Any


class State(NamedTuple):
    """State of the printed form."""

    h: Any
    a: Any


def recurrence(p, state, u):
    """Return h_t, which hears the relay of the step before, and a_t."""
    h = f(p.W_hx @ u + p.W_ha @ state.a + p.W_hh @ state.h + p.b_h)
    return State(h=h, a=p.W_ax @ u + p.b_a)


def recurrence_as_printed(p, state, u):
    """Return h_t and a_t without recurrent weights, as document 003 prints them."""
    h = f(p.W_hx @ u + p.W_ha @ state.a + p.b_h)
    return State(h=h, a=p.W_ax @ u + p.b_a)


def step(p, state, u, alpha):
    """Return x_t, the leaky recurrence in the current x, and a_t."""
    x = (1 - alpha) * state.x + alpha * (p.W_hx @ u + p.W_ha @ state.a + p.W_hh @ f(state.x) + p.b_h)
    return Current(x=x, a=p.W_ax @ u + p.b_a)


def step_as_printed(p, state, u, alpha):
    """Return x_t and a_t without recurrent weights."""
    x = (1 - alpha) * state.x + alpha * (p.W_hx @ u + p.W_ha @ state.a + p.b_h)
    return Current(x=x, a=p.W_ax @ u + p.b_a)


def activation(state):
    """Return h = f(x), and a."""
    return State(h=f(state.x), a=state.a)


def output(p, h):
    """Return y_t, the linear readout."""
    return p.W_out @ h + p.b_out


CORTEX, THALAMUS = (
    Ensemble("neurons", f),
    Ensemble("relay_neurons", lambda a: a, ("a",), size="input_neurons", prefix="thalamus_", synapse="tau_a"),
)

INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
LATE = Population("u = stimulus(t - delay, i) : 1", size="inputs")
RELAY = """
arrived = relayed + b_a : 1
relayed : 1
b_a : 1 (constant)
"""
# Nothing has arrived before the delay is over; half a step on either side, no time is equal by rounding.
BEFORE = RELAY + "a = a0*int(t < delay - dt/2) + arrived*int(t >= delay - dt/2) : 1\na0 : 1 (constant)"
COPY = "dcopy/dt = -copy/tau_a : 1"
CURRENT = """
dx/dt = slope : 1
slope = (-x + direct + delayed + recurrent + b_h)/tau : Hz
direct : 1
delayed : 1
recurrent : 1
b_h : 1 (constant)
"""
ACTIVITY = {"x": "cortex.x", "r": "cortex.r"}


def all_to_all(source, target, variable, heard, weights):
    """Return a pathway that sums weighted activity."""
    text = f"w : 1 (constant)\n{variable}_post = w*{heard}_pre : 1 (summed)"
    return Pathway(source, target, "all_to_all", text, values={"w": weights})


def model(loop: str = "recurrent") -> Model:
    """Return the relay page's model.

    Parameters
    ----------
    loop : ``"recurrent"``, or ``"as_printed"`` for the network without W_hh

    Raises
    ------
    ValueError
        For an unknown loop.
    """
    if loop not in LOOPS:
        raise ValueError(f"relay: loop is '{loop}', expected one of {', '.join(LOOPS)}")
    recurrent = loop == "recurrent"
    current = CURRENT if recurrent else CURRENT.replace("recurrent : 1\n", "").replace(" + recurrent", "")
    own = {"recurrence": all_to_all("cortex", "cortex", "recurrent", "r", "W_hh")} if recurrent else {}
    direct = {"direct": all_to_all("input", "cortex", "direct", "u", "W_hx")}
    late = {
        "ascending": all_to_all("late_input", "thalamus", "relayed", "u", "W_ax"),
        "thalamocortical": all_to_all("thalamus", "cortex", "delayed", "a", "W_ha"),
    }
    start = {"x": "x0", "b_h": "b_h"}
    waiting = Population(BEFORE, "inputs", values={"b_a": "b_a", "a0": "a0"})
    relay = Population(RELAY, "inputs", values={"b_a": "b_a"})
    heard = {"x": "cortex.x"}
    rates = Population(current + "r = 1/(1 + exp(-x)) : 1 (constant over dt)", "units", method="euler", values=start)
    summed = Population(current + "r : 1", "units", method="euler", values=start)
    filtered = Population(current + "dr/dt = -r/tau_s : 1", "units", method="euler", values={**start, "r": "r0"})
    shapes = {
        "W_ax": ("inputs", "inputs"),
        "b_a": ("inputs",),
        "W_hx": ("units", "inputs"),
        "W_ha": ("units", "inputs"),
        "W_hh": ("units", "units"),
        "b_h": ("units",),
        "x0": ("units",),
        "a0": ("inputs",),
        "W_out": ("outputs", "units"),
        "b_out": ("outputs",),
    }
    return Model(
        name="relay",
        textbook=Textbook(
            recurrence if recurrent else recurrence_as_printed,
            step if recurrent else step_as_printed,
            activation,
            output,
            start=lambda p: Current(p.x0, p.a0),
            current=lambda p, state: state.x,
            rate=lambda state: state.h,
            signals=lambda p, state, u: {"x": state.x, "a": state.a},
        ),
        rate=Writing(
            {"input": INPUT, "late_input": LATE, "thalamus": waiting, "cortex": rates},
            {**direct, **late, **own},
            ACTIVITY,
        ),
        tuning=Writing(
            {
                "input": INPUT,
                "late_input": LATE,
                "thalamus": waiting,
                "copies": Population("copy : 1", "inputs"),
                "cortex": summed,
                "relay_neurons": tuning_curves(THALAMUS, {"a": "thalamus.a"}),
                "neurons": tuning_curves(CORTEX, heard),
            },
            {
                **direct,
                "ascending": late["ascending"],
                "decode_relay": rates_to(THALAMUS, "copies.copy"),
                "thalamocortical": all_to_all("copies", "cortex", "delayed", "copy", "W_ha"),
                "decode": rates_to(CORTEX, "cortex.r"),
                **own,
            },
            ACTIVITY,
        ),
        spiking=Writing(
            {
                "input": INPUT,
                "thalamus": relay,
                "copies": Population(COPY, "inputs", method="euler", values={"copy": "thalamus_r0"}),
                "cortex": filtered,
                "relay_neurons": lif_neurons(THALAMUS, {"a": "thalamus.arrived"}),
                "neurons": lif_neurons(CORTEX, heard, ahead={"x": "cortex.slope"}),
            },
            {
                **direct,
                "ascending": all_to_all("input", "thalamus", "relayed", "u", "W_ax"),
                "axons": spikes_to(THALAMUS, "copies.copy", "tau_a", delay="axon"),
                "thalamocortical": all_to_all("copies", "cortex", "delayed", "copy", "W_ha"),
                "decode": spikes_to(CORTEX, "cortex.r", "tau_s"),
                **own,
            },
            ACTIVITY,
            spikes=("relay_neurons", "neurons"),
        ),
        shapes=shapes if recurrent else {name: shape for name, shape in shapes.items() if name != "W_hh"},
        trained=Parameters if recurrent else ParametersAsPrinted,
        initial=initial if recurrent else initial_as_printed,
        constants={
            "tau": 100 * ms,
            "delay": 10 * ms,
            "axon": 5 * ms,
            "tau_m": 20 * ms,
            "tau_s": 10 * ms,
            "tau_a": 5 * ms,
            "t_ref": 2 * ms,
        },
        ensembles=(CORTEX, THALAMUS),
    )


def initial(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> Parameters:
    """Draw Gaussian weights of variance 1 / sources, 16 / units (recurrent), 1 / units^2 (readout); zeros elsewhere.

    At rest the slope of f is 1/4, which the recurrent weights make up for.

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units, outputs : sizes
    """
    W_ax, W_hx, W_ha = (
        generator.standard_normal((targets, inputs)) / np.sqrt(inputs) for targets in (inputs, units, units)
    )
    return Parameters(
        W_ax=W_ax,
        b_a=np.zeros(inputs),
        W_hx=W_hx,
        W_ha=W_ha,
        W_hh=4 * generator.standard_normal((units, units)) / np.sqrt(units),
        b_h=np.zeros(units),
        x0=np.zeros(units),
        a0=np.zeros(inputs),
        W_out=generator.standard_normal((outputs, units)) / units,
        b_out=np.zeros(outputs),
    )


def initial_as_printed(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> ParametersAsPrinted:
    """Draw the same for the network without recurrent weights."""
    drawn = initial(generator, inputs, units, outputs)._asdict()
    return ParametersAsPrinted(**{name: drawn[name] for name in ParametersAsPrinted._fields})
