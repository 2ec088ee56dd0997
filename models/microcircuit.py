r"""The cortical microcircuit of Potjans & Diesmann (2014): eight populations of a square millimetre of cortex.

textbook   h_t = f(W h_{t-1} + U u_t + b, W_2 h_{t-1} + U_2 u_t + b_2)                              (R0: mean, variance)
           x_t = (1 - alpha) x_{t-1} + alpha (W h_{t-1} + U u_t + b),   h = f(x, s)
           s_t = (1 - alpha) s_{t-1} + alpha (W_2 h_{t-1} + U_2 u_t + b_2)                (R1, leaky; alpha = dt / tau)
rate       tau dx/dt = -x + W r + U u + b,   tau ds/dt = -s + W_2 r + U_2 u + b_2,   r = f(x, s)
spiking    tau_m dv/dt = E_L - v + tau_m (I + I_dc) / C_m,   tau_syn dI/dt = -I,   v <- E_L where v > V_th
           I_i <- I_i + w_ij  a delay after each spike of j; w and the delay are drawn for each synapse

symbol           shape             unit  textbook and rate                     spiking
x                (units,)          1     mean input of a population            neurons stand for themselves
s                (units,)          1     variance of its input
h, r             (units,)          1     spikes of a neuron in a time tau_m
u                (inputs,)         1     the same of a thalamic fibre          fibres fire where u > 1/2
W                (units, units)    1     in-degree times weight                synapses, drawn
W_2              (units, units)    1     in-degree times weight squared
U                (units, inputs)   1     the same of thalamic fibres           synapses, drawn
U_2              (units, inputs)   1     the same, squared
b                (units,)          1     mean of the external drive            Poisson spikes and I_dc
b_2              (units,)          1     its variance
x0               (units,)          1     first mean                            first potentials, drawn
s0               (units,)          1     first variance
W_out            (outputs, units)  1     readout weights
b_out            (outputs,)        1     readout bias
tau              ()                s     time constant of the population
tau_m            ()                s                                           membrane time constant
tau_syn          ()                s                                           synaptic time constant
t_ref            ()                s                                           refractory time
t_fibre          ()                s                                           time of one sample of u
w_E, w_I, w_2    ()                A                                           mean weights; w_2 from L4E to L23E,
                                                                               and where the wiring is forgotten
sd_E, sd_I, sd_2 ()                A                                           their standard deviations
d_E, d_I         ()                s                                           mean delays
sd_d_E, sd_d_I   ()                s                                           their standard deviations
d_min            ()                s                                           shorter ones are drawn again
E_L, V_th        ()                V                                           rest and reset, threshold
C_m              ()                F                                           capacitance of the membrane
w_ext            ()                A                                           weight of an external spike
nu_ext           ()                Hz                                          rate of an external source
I_L23E, I_L23I, I_L4E, I_L4I, I_L5E, I_L5I, I_L6E, I_L6I  ()  A                I_dc: what scale and wiring take of the
                                                                               mean input, put back

Means, weights and variances are in units of the distance from reset to threshold, 15 mV; the weight of a current is the
height of the jump that carries the same charge. f is the rate of a leaky integrate-and-fire neuron under white noise
(Siegert 1951), with threshold and reset shifted for synapses of finite speed (Fourcaud & Brunel 2002):

    1 / f = t_ref / tau_m + integral over q > 0 of exp(-q^2) (exp(2 y q) - exp(2 z q)) / q,
    y = (1 - x) / sqrt(s) + shift,   z = -x / sqrt(s) + shift,   shift = 1.0326 sqrt(tau_syn / tau_m)

The integral is a sum of 12 terms p_k at the nodes q_k in the text, which is therefore plain Brian2: both compilers take
it, gradients pass through it, and no code of ours stands between the equation and what runs. Its error is below 1e-4 of
the rate wherever the circuit works (0.02 < s < 0.6, -1 < x < 1.5), against an independent evaluation.

Exact: textbook and rate agree to rounding when dt = alpha tau.
Approximate: the spiking writing. Its stationary rates differ from those of the other two, by which spikes are taken for
white noise: they arrive in packets, because neurons share sources (correlations), and one by one, each a visible
fraction of the threshold (shot noise); in-degrees scatter from neuron to neuron, and f is convex where a neuron fires
at a few Hz, so that the mean of the rates is not the rate of the mean.

References
----------
Potjans & Diesmann 2014, doi:10.1093/cercor/bhs358 (the circuit; numbers as in its public reference implementation,
INM-6/microcircuit-PD14-model).
van Albada, Helias & Diesmann 2015, doi:10.1371/journal.pcbi.1004490 (scaling down).
Haeusler & Maass 2007, doi:10.1093/cercor/bhj132 (wiring that is forgotten).
Siegert 1951, doi:10.1103/PhysRev.81.617; Brunel 2000, doi:10.1023/A:1008925309027 (the form of the integral);
Fourcaud & Brunel 2002, doi:10.1162/089976602320264015 (the shift).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from brian2 import Hz, ms, mV, pA, pF
from numpy.typing import NDArray

from cortwin.connectivity import FixedTotalNumber, Normal, PairwiseBernoulli
from cortwin.drives import PoissonDrive
from cortwin.errors import CortwinError
from cortwin.model import Lacking, Model, Pathway, Population, Textbook, Writing

POPULATIONS = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
NEURONS = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
# Rows: target; columns: source.
PROBABILITY = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)
EXTERNAL = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)  # sources of each neuron
REFERENCE_RATES = (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829)  # Hz, of one realisation at full scale
FIRST_POTENTIAL = (-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43)  # mV
FIRST_POTENTIAL_SD = (5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48)
FIBRES = 902  # thalamic
THALAMIC = {"L4E": 0.0983, "L4I": 0.0619, "L6E": 0.0512, "L6I": 0.0196}

WEIGHT, INHIBITION, WEIGHT_SD = 87.81, -4.0, 0.1  # pA; relative; of the weight
DISTANCE = 15.0  # mV from reset to threshold
T_REF, TAU_SYN = 0.2, 0.05  # over tau_m
# A current of 1 pA carries within tau_syn what moves 250 pF this far, over the distance to threshold.
JUMP = 0.5 / 250 / DISTANCE

# `cortwin check` examines a small one; any number of (0, 1] will do.
SCALES = ("0.05",)
# What is kept when the wiring is forgotten: nothing; the in- and out-degrees of every population, for each sign; the
# number of synapses of each sign.
ARRANGEMENTS = ("cortical", "degree_shuffled", "random")


@dataclass(frozen=True)
class Circuit:
    """The numbers of the circuit at one scale; (target, source) arrays where there are two populations.

    Parameters
    ----------
    scale, wiring : as of `circuit`
    neurons, external : (8,) neurons, and external sources of each
    synapses : (8, 8) numbers of synapses
    weight : (8, 8) mean weights in pA
    external_weight : in pA
    current : (8,) constant currents in pA
    fibres : thalamic fibres
    """

    scale: float
    wiring: str
    neurons: NDArray[np.int64]
    external: NDArray[np.int64]
    synapses: NDArray[np.int64]
    weight: NDArray[np.float64]
    external_weight: float
    current: NDArray[np.float64]
    fibres: int

    @property
    def indegrees(self) -> NDArray[np.float64]:
        """Mean synapses of a target neuron, (target, source)."""
        return self.synapses / self.neurons[:, None]


def circuit(scale: float | str = 1.0, wiring: str = "cortical") -> Circuit:
    """Return the circuit with a share of its neurons, and each with that share of its sources.

    Weights grow by ``1 / sqrt(scale)``, so that the variance of the input stays; a constant current gives back what its
    mean then lacks, at the rates of the full circuit. Correlations grow: a pair of neurons that hears a share ``scale``
    of the sources shares the same part of them, but of a population that much smaller (van Albada et al. 2015).

    Parameters
    ----------
    scale : above 0 and at most 1
    wiring : ``"cortical"``; ``"degree_shuffled"`` keeps how many synapses a population makes and receives, and joins
        their ends at random; ``"random"`` joins any two neurons alike (after Haeusler & Maass 2007). Excitatory and
        inhibitory synapses are shuffled apart. The pathway of double weight is forgotten too: an excitatory synapse
        weighs what one of its target population did on average, or of all populations where they are joined alike.
        A constant current gives every population the mean input that it had, at the rates of the cortical circuit:
        without it, random wiring fires at 250 Hz, and layer 2/3 falls silent where degrees are kept.

    Raises
    ------
    ValueError
        For a scale outside of this range, or at which a population has no neuron; for an unknown wiring.
    """
    if wiring not in ARRANGEMENTS:
        raise CortwinError(f"microcircuit: wiring is {wiring!r}, expected one of {', '.join(ARRANGEMENTS)}")
    try:
        k = float(scale)
    except ValueError:
        k = math.nan
    if not 0 < k <= 1:
        raise CortwinError(f"microcircuit: scale is {scale!r}, expected one of the numbers above 0 and up to 1")
    full = np.array(NEURONS)
    neurons = np.rint(k * full).astype(np.int64)
    if (neurons < 1).any():
        empty = POPULATIONS[int(np.argmin(neurons))]
        least = 0.5 / min(NEURONS)
        raise CortwinError(
            f"microcircuit: scale = {k:g} leaves {empty} without neurons; the least is {math.ceil(1e5 * least) / 1e5}"
        )
    pairs = np.outer(full, full)
    # So many draws with replacement that a pair is joined with the probability stated.
    synapses = np.rint(np.log1p(-np.array(PROBABILITY)) / np.log1p(-1 / pairs)).astype(np.int64)
    external = 8.0 * WEIGHT * np.array(EXTERNAL)
    weight = np.full((8, 8), WEIGHT)
    weight[:, 1::2] *= INHIBITION
    weight[0, 2] *= 2  # L4E to L23E
    wanted = arriving = _charge(synapses, weight, full) + external
    if wiring != "cortical":
        weight[:, ::2] = _mean_weight(synapses[:, ::2], weight[:, ::2], wiring)
        synapses = _shuffled(synapses, full, wiring)
        arriving = _charge(synapses, weight, full) + external
    return Circuit(
        scale=k,
        wiring=wiring,
        neurons=neurons,
        external=np.maximum(np.rint(k * np.array(EXTERNAL)), 1).astype(np.int64),
        # In-degrees and neurons both shrink.
        synapses=np.rint(k**2 * synapses).astype(np.int64),
        weight=weight / math.sqrt(k),
        external_weight=WEIGHT / math.sqrt(k),
        current=0.5e-3 * (wanted - math.sqrt(k) * arriving),
        fibres=max(1, round(k * FIBRES)),
    )


def _charge(synapses: NDArray, weight: NDArray, neurons: NDArray) -> NDArray[np.float64]:
    """Return what arrives of the circuit at a neuron of each population, in pA Hz, at the reference rates."""
    return (synapses / neurons[:, None] * weight) @ np.array(REFERENCE_RATES)


def _mean_weight(synapses: NDArray, weight: NDArray, wiring: str) -> NDArray[np.float64]:
    """Return the mean weight of the excitatory synapses of each target population, or of all of them."""
    axis = None if wiring == "random" else 1
    return (synapses * weight).sum(axis, keepdims=True) / synapses.sum(axis, keepdims=True)


def _shuffled(synapses: NDArray[np.int64], neurons: NDArray[np.int64], wiring: str) -> NDArray[np.int64]:
    """Return numbers of synapses that are independent of who is joined, for each sign."""
    found = np.zeros_like(synapses)
    for sign in (slice(0, None, 2), slice(1, None, 2)):
        own = synapses[:, sign]
        received, made = own.sum(axis=1), own.sum(axis=0)
        if wiring == "random":
            received, made = (own.sum() * part / part.sum() for part in (neurons, neurons[sign]))
        found[:, sign] = np.rint(np.outer(received, made) / own.sum())
    return found


class Parameters(NamedTuple):
    """Arrays of the textbook network, shapes as in the table above, and its readout ``y = W_out h + b_out``."""

    W: Any
    W_2: Any
    U: Any
    U_2: Any
    b: Any
    b_2: Any
    x0: Any
    s0: Any
    W_out: Any
    b_out: Any


class Moments(NamedTuple):
    """State of the leaky form: mean and variance of a population's input."""

    x: Any
    s: Any


# A Gauss-Legendre rule on q from 0 to 3 standard deviations beyond the maximum of its integrand.
NODE, SHARE = np.polynomial.legendre.leggauss(12)
# Eight decimals, as the text has them.
NODE, SHARE = np.round((NODE + 1) / 2, 8), np.round(SHARE / (NODE + 1), 8)
BEYOND, FARTHEST = 3.0, 6.0  # the farthest threshold, where f is 1e-16
LEAST_VARIANCE = 0.01
SHIFT = 1.032626558 * math.sqrt(TAU_SYN)


def transfer(x, s):
    """Return f(x, s), spikes in a time tau_m."""
    sigma = jnp.sqrt(jnp.maximum(s, LEAST_VARIANCE))
    y = jnp.minimum((1 - x) / sigma + SHIFT, FARTHEST)
    z = y - 1 / sigma
    q = NODE[:, None] * (BEYOND + jnp.maximum(y, 0))
    passage = SHARE @ (jnp.exp(2 * y * q - q**2) - jnp.exp(2 * z * q - q**2))
    return 1 / (T_REF + passage)


def activation(state):
    """Return h = f(x, s)."""
    return transfer(state.x, state.s)


def recurrence(p, h, u):
    """Return h_t, the printed recurrence."""
    return transfer(p.W @ h + p.U @ u + p.b, p.W_2 @ h + p.U_2 @ u + p.b_2)


def step(p, state, u, alpha):
    """Return x_t and s_t, the leaky recurrence in mean and variance."""
    h = activation(state)
    x = (1 - alpha) * state.x + alpha * (p.W @ h + p.U @ u + p.b)
    return Moments(x=x, s=(1 - alpha) * state.s + alpha * (p.W_2 @ h + p.U_2 @ u + p.b_2))


def output(p, h):
    """Return y_t, the linear readout."""
    return p.W_out @ h + p.b_out


TERMS = "\n".join(
    f"q_{k} = {node:.8f}*q : 1\np_{k} = {share:.8f}*(exp(2*y*q_{k} - q_{k}**2) - exp(2*z*q_{k} - q_{k}**2)) : 1"
    for k, (node, share) in enumerate(zip(NODE, SHARE, strict=True), 1)
)
MEAN_FIELD = f"""
dx/dt = (-x + recurrent + thalamic + b)/tau : 1
ds/dt = (-s + recurrent_2 + thalamic_2 + b_2)/tau : 1
sigma = sqrt(clip(s, {LEAST_VARIANCE}, inf)) : 1
y = clip((1 - x)/sigma + {SHIFT!r}, -inf, {FARTHEST}) : 1
z = y - 1/sigma : 1
q = {BEYOND} + clip(y, 0, inf) : 1
{TERMS}
r = 1/({T_REF} + {" + ".join(f"p_{k}" for k in range(1, len(NODE) + 1))}) : 1 (constant over dt)
recurrent : 1
recurrent_2 : 1
thalamic : 1
thalamic_2 : 1
b : 1 (constant)
b_2 : 1 (constant)
"""
INPUT = Population("u = stimulus(t, i) : 1", size="inputs")
# A fibre fires once in a sample of its input: spikes are given as data.
THALAMUS = Population("u = stimulus(t, i) : 1", "inputs", threshold="u > 0.5", reset="", refractory="t_fibre")
NEURON = """
dv/dt = (E_L - v)/tau_m + (I + I_dc)/C_m : volt (unless refractory)
dI/dt = -I/tau_syn : amp
"""


def model(scale: float | str = 1.0, wiring: str = "cortical") -> Model:
    """Return the microcircuit page's model.

    Parameters
    ----------
    scale, wiring : of the spiking writing, see `circuit`

    Raises
    ------
    ValueError
        As `circuit`.
    """
    numbers = circuit(scale, wiring)
    return Model(
        name="microcircuit",
        textbook=Textbook(
            recurrence,
            step,
            activation,
            output,
            start=lambda p: Moments(p.x0, p.s0),
            current=lambda p, state: state.x,
        ),
        rate=rate_writing(),
        tuning=Lacking("its neurons stand for themselves, and decode no function"),
        spiking=spiking_writing(numbers),
        shapes={
            "W": ("units", "units"),
            "W_2": ("units", "units"),
            "U": ("units", "inputs"),
            "U_2": ("units", "inputs"),
            "b": ("units",),
            "b_2": ("units",),
            "x0": ("units",),
            "s0": ("units",),
            "W_out": ("outputs", "units"),
            "b_out": ("outputs",),
        },
        trained=Parameters,
        initial=initial,
        constants=constants(numbers),
    )


def rate_writing() -> Writing:
    """Return one population of units, each a population of the circuit."""
    values = {"x": "x0", "s": "s0", "b": "b", "b_2": "b_2"}
    return Writing(
        populations={"input": INPUT, "cortex": Population(MEAN_FIELD, "units", method="euler", values=values)},
        pathways={
            "thalamic_mean": weighted("input", "thalamic_post = w*u_pre", "U"),
            "thalamic_variance": weighted("input", "thalamic_2_post = w*u_pre", "U_2"),
            "mean": weighted("cortex", "recurrent_post = w*r_pre", "W"),
            "variance": weighted("cortex", "recurrent_2_post = w*r_pre", "W_2"),
        },
        activity={"x": "cortex.x", "r": "cortex.r"},
    )


def weighted(source: str, text: str, weights: str) -> Pathway:
    """Return a pathway that sums weighted activity."""
    return Pathway(source, "cortex", "all_to_all", f"w : 1 (constant)\n{text} : 1 (summed)", values={"w": weights})


def spiking_writing(numbers: Circuit) -> Writing:
    """Return eight populations of neurons, the pathways between them, and thalamic fibres."""
    populations = {"thalamus": THALAMUS} | {
        name: Population(
            NEURON.replace("I_dc", f"I_{name}"),
            int(size),
            method="exact",
            threshold="v > V_th",
            reset="v = E_L",
            refractory="t_ref",
            drawn={"v": Normal(mean * mV, sd * mV)},
        )
        for name, size, mean, sd in zip(POPULATIONS, numbers.neurons, FIRST_POTENTIAL, FIRST_POTENTIAL_SD, strict=True)
    }
    pathways = {
        f"{source}_{target}": synapses(
            source, target, FixedTotalNumber(int(numbers.synapses[i, j])), _kind(numbers, numbers.weight[i, j])
        )
        for j, source in enumerate(POPULATIONS)
        for i, target in enumerate(POPULATIONS)
        if numbers.synapses[i, j]
    }
    # A neuron hears the share `scale` of its fibres, because there are so many fewer of them.
    pathways |= {
        f"thalamus_{target}": synapses("thalamus", target, PairwiseBernoulli(share), "E")
        for target, share in THALAMIC.items()
    }
    drives = {
        f"background_{name}": PoissonDrive(name, "I", int(sources), "nu_ext", "w_ext")
        for name, sources in zip(POPULATIONS, numbers.external, strict=True)
    }
    return Writing(populations, pathways, activity={}, spikes=POPULATIONS, drives=drives)


def _kind(numbers: Circuit, weight: float) -> str:
    """Return what the constants of synapses of this mean weight are called after."""
    return "I" if weight < 0 else "E" if math.isclose(weight, numbers.external_weight) else "2"


def synapses(source: str, target: str, rule: Any, weight: str) -> Pathway:
    """Return a pathway whose weights keep their sign and whose delays last a step at least."""
    sign = "I" if source.endswith("I") else "E"
    bound = {"maximum": 0 * pA} if sign == "I" else {"minimum": 0 * pA}
    return Pathway(
        source,
        target,
        rule,
        "w : amp (constant)",
        on_pre="I_post += w",
        drawn={"w": Normal(f"w_{weight}", f"sd_{weight}", **bound)},
        dtype={"w": "float32"},
        delay=Normal(f"d_{sign}", f"sd_d_{sign}", minimum="d_min"),
    )


def constants(numbers: Circuit) -> dict[str, Any]:
    """Return the physical constants."""
    weights = {
        "E": numbers.external_weight,
        "I": INHIBITION * numbers.external_weight,
        "2": numbers.weight[0, 2],
    }
    return {
        "tau": 10 * ms,
        "tau_m": 10 * ms,
        "tau_syn": 0.5 * ms,
        "t_ref": 2 * ms,
        "t_fibre": 1 * ms,
        **{f"w_{kind}": weight * pA for kind, weight in weights.items()},
        **{f"sd_{kind}": abs(WEIGHT_SD * weight) * pA for kind, weight in weights.items()},
        "d_E": 1.5 * ms,
        "d_I": 0.75 * ms,
        "sd_d_E": 0.75 * ms,
        "sd_d_I": 0.375 * ms,
        "d_min": 0.05 * ms,
        "E_L": -65 * mV,
        "V_th": -50 * mV,
        "C_m": 250 * pF,
        "w_ext": numbers.external_weight * pA,
        "nu_ext": 8 * Hz,
        **{f"I_{name}": current * pA for name, current in zip(POPULATIONS, numbers.current, strict=True)},
    }


def mean_field(numbers: Circuit) -> Parameters:
    """Return the circuit as the textbook's parameters: eight units, one thalamic input, rates as outputs.

    Weights scatter with a standard deviation of a tenth, which raises the mean of their squares by a hundredth.

    Parameters
    ----------
    numbers : from `circuit`
    """
    J, K = JUMP * numbers.weight, numbers.indegrees
    share = np.array([THALAMIC.get(name, 0.0) for name in POPULATIONS])
    fibres, J_ext = share * numbers.fibres, JUMP * numbers.external_weight
    drive = numbers.external * 8.0 * 10e-3  # external spikes in a time tau_m
    scatter = 1 + WEIGHT_SD**2
    return Parameters(
        W=K * J,
        W_2=scatter * K * J**2,
        U=(J_ext * fibres)[:, None],
        U_2=(scatter * J_ext**2 * fibres)[:, None],
        b=J_ext * drive + numbers.current * 10 / 250 / DISTANCE,
        b_2=J_ext**2 * drive,
        x0=np.zeros(8),
        s0=np.full(8, 0.1),
        W_out=np.eye(8) / 10e-3,
        b_out=np.zeros(8),
    )


def initial(generator: np.random.Generator, inputs: int, units: int, outputs: int) -> Parameters:
    """Draw a random circuit of any number of populations, half as strong as the cortical one.

    Parameters
    ----------
    generator : NumPy Generator
    inputs, units, outputs : sizes
    """
    J = generator.normal(0, 1, (units, units))
    U = generator.normal(0, 0.1, (units, inputs))
    return Parameters(
        W=J / np.sqrt(units),
        W_2=0.1 * J**2 / units,
        U=U,
        U_2=U**2,
        b=generator.normal(0.9, 0.1, units),
        b_2=np.full(units, 0.2),
        x0=np.zeros(units),
        s0=np.full(units, 0.2),
        W_out=generator.normal(0, 1, (outputs, units)) / units,
        b_out=np.zeros(outputs),
    )
