"""Networks in plain Brian2, written as its users write them: what the second compiler must run like the first.

Each function returns its objects and the names around them; random numbers of the building come from NumPy, so that
two builds are equal. Sizes are small: it is the kinds of code that count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import (
    BrianObject,
    EventMonitor,
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    PopulationRateMonitor,
    Quantity,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    check_units,
    cm,
    defaultclock,
    implementation,
    linked_var,
    ms,
    msiemens,
    mV,
    nA,
    nS,
    pA,
    pF,
    second,
    siemens,
    uA,
    ufarad,
    umetre,
    volt,
)


@dataclass(frozen=True)
class Case:
    """A network, how long it runs, the names that its equations find around them, and its default dt in s.

    Many networks in one program share one default clock, which has the last network's dt when all have run.
    """

    network: Network
    duration: Quantity
    namespace: Mapping[str, Any]
    dt: float


def case(scope: Mapping[str, Any], duration: Quantity) -> Case:
    """Gather the objects of a function's scope into a network."""
    objects = [value for value in scope.values() if isinstance(value, BrianObject)]
    found = {name: value for name, value in scope.items() if not isinstance(value, BrianObject)}
    return Case(Network(objects), duration, found, float(defaultclock.dt))


NETWORKS: dict[str, Callable[[], Case]] = {}


def network(make: Callable[[], Case]) -> Callable[[], Case]:
    """Register a network under its function's name."""

    def fresh() -> Case:
        defaultclock.dt = 0.1 * ms
        return make()

    NETWORKS[make.__name__] = fresh
    return fresh


def pairs(rng: np.random.Generator, n_pre: int, n_post: int, p: float) -> dict[str, np.ndarray]:
    """Return random pairs for `Synapses.connect`."""
    i, j = np.nonzero(rng.random((n_pre, n_post)) < p)
    return {"i": i, "j": j}


@network
def cuba():
    """Brette et al. 2007, doi:10.1007/s10827-007-0038-6: current-based synapses."""
    rng = np.random.default_rng(1)
    taum, taue, taui = 20 * ms, 5 * ms, 10 * ms
    Vt, Vr, El = -50 * mV, -60 * mV, -49 * mV
    eqs = """
    dv/dt = (ge + gi - (v - El)) / taum : volt (unless refractory)
    dge/dt = -ge / taue : volt
    dgi/dt = -gi / taui : volt
    """
    P = NeuronGroup(400, eqs, threshold="v > Vt", reset="v = Vr", refractory=5 * ms, method="exact")
    P.v = Vr + rng.random(400) * (Vt - Vr)
    we, wi = 16.2 * mV, -90 * mV
    Ce = Synapses(P, P, on_pre="ge += we * 0.5")
    Ci = Synapses(P, P, on_pre="gi += wi * 0.5")
    Ce.connect(**pairs(rng, 320, 400, 0.02))
    inhibitory = pairs(rng, 80, 400, 0.02)
    Ci.connect(i=inhibitory["i"] + 320, j=inhibitory["j"])
    spikes = SpikeMonitor(P, name="cuba_spikes")
    return case(locals(), 100 * ms)


@network
def coba():
    """Brette et al. 2007: conductance-based synapses, integrated by exponential Euler."""
    rng = np.random.default_rng(2)
    taum, taue, taui = 20 * ms, 5 * ms, 10 * ms
    Vt, Vr, El, Ee, Ei = -50 * mV, -60 * mV, -60 * mV, 0 * mV, -80 * mV
    drive = 20 * mV
    eqs = """
    dv/dt = (ge * (Ee - v) + gi * (Ei - v) - (v - El) + drive) / taum : volt (unless refractory)
    dge/dt = -ge / taue : 1
    dgi/dt = -gi / taui : 1
    """
    P = NeuronGroup(300, eqs, threshold="v > Vt", reset="v = Vr", refractory=5 * ms, method="exponential_euler")
    we, wi = 0.6, 6.7
    Ce, Ci = Synapses(P[:240], P, on_pre="ge += we"), Synapses(P[240:], P, on_pre="gi += wi")
    Ce.connect(**pairs(rng, 240, 300, 0.05))
    Ci.connect(**pairs(rng, 60, 300, 0.05))
    P.v = El + (rng.standard_normal(300) * 5 - 5) * mV
    P.ge, P.gi = rng.standard_normal(300) * 1.5 + 4, rng.standard_normal(300) * 12 + 20
    spikes = SpikeMonitor(P, name="coba_spikes")
    rate = PopulationRateMonitor(P, name="coba_rate")
    return case(locals(), 100 * ms)


@network
def cobahh():
    """Brette et al. 2007: Hodgkin-Huxley neurons (Traub & Miles) with conductance-based synapses."""
    rng = np.random.default_rng(3)
    area = 20000 * umetre**2
    Cm = (1 * ufarad * cm**-2) * area
    gl, El = (5e-5 * siemens * cm**-2) * area, -60 * mV
    EK, ENa, VT = -90 * mV, 50 * mV, -63 * mV
    g_na, g_kd = (100 * msiemens * cm**-2) * area, (30 * msiemens * cm**-2) * area
    taue, taui, Ee, Ei = 5 * ms, 10 * ms, 0 * mV, -80 * mV
    eqs = """
    dv/dt = (gl*(El-v) + ge*(Ee-v) + gi*(Ei-v) - g_na*(m*m*m)*h*(v-ENa) - g_kd*(n*n*n*n)*(v-EK)) / Cm : volt
    dm/dt = alpha_m*(1-m) - beta_m*m : 1
    dn/dt = alpha_n*(1-n) - beta_n*n : 1
    dh/dt = alpha_h*(1-h) - beta_h*h : 1
    dge/dt = -ge*(1./taue) : siemens
    dgi/dt = -gi*(1./taui) : siemens
    alpha_m = 0.32*(mV**-1)*4*mV/exprel((13*mV-v+VT)/(4*mV))/ms : Hz
    beta_m = 0.28*(mV**-1)*5*mV/exprel((v-VT-40*mV)/(5*mV))/ms : Hz
    alpha_h = 0.128*exp((17*mV-v+VT)/(18*mV))/ms : Hz
    beta_h = 4./(1+exp((40*mV-v+VT)/(5*mV)))/ms : Hz
    alpha_n = 0.032*(mV**-1)*5*mV/exprel((15*mV-v+VT)/(5*mV))/ms : Hz
    beta_n = .5*exp((10*mV-v+VT)/(40*mV))/ms : Hz
    """
    P = NeuronGroup(60, eqs, threshold="v > -20*mV", refractory="v > -20*mV", method="exponential_euler")
    we, wi = 6 * nS, 67 * nS
    Ce, Ci = Synapses(P[:48], P, on_pre="ge += we"), Synapses(P[48:], P, on_pre="gi += wi")
    Ce.connect(**pairs(rng, 48, 60, 0.1))
    Ci.connect(**pairs(rng, 12, 60, 0.1))
    P.v = El + (rng.standard_normal(60) * 5 - 5) * mV
    P.ge, P.gi = (rng.standard_normal(60) * 1.5 + 4) * 10 * nS, (rng.standard_normal(60) * 12 + 20) * 10 * nS
    spikes = SpikeMonitor(P, name="cobahh_spikes")
    trace = StateMonitor(P, "v", record=[1, 10, 50], name="cobahh_v")
    return case(locals(), 50 * ms)


@network
def adaptive_exponential():
    """Brette & Gerstner 2005, doi:10.1152/jn.00686.2005."""
    C, gL, EL, VT, DeltaT = 281 * pF, 30 * nS, -70.6 * mV, -50.4 * mV, 2 * mV
    Vcut = VT + 5 * DeltaT
    tauw, a, b, Vr = 144 * ms, 4 * nS, 0.0805 * nA, -70.6 * mV
    eqs = """
    dvm/dt = (gL*(EL - vm) + gL*DeltaT*exp((vm - VT)/DeltaT) + I - w)/C : volt
    dw/dt = (a*(vm - EL) - w)/tauw : amp
    I : amp
    """
    neuron = NeuronGroup(5, eqs, threshold="vm > Vcut", reset="vm = Vr; w += b", method="euler")
    neuron.vm, neuron.w, neuron.I = EL, 0 * pA, np.linspace(0.4, 1.6, 5) * nA
    trace = StateMonitor(neuron, ["vm", "w"], record=[0, 2, 4], name="adex_trace")
    spikes = SpikeMonitor(neuron, name="adex_spikes")
    return case(locals(), 100 * ms)


@network
def izhikevich():
    """Izhikevich 2003, doi:10.1109/TNN.2003.820440, in its dimensionless form with a random network."""
    rng = np.random.default_rng(5)
    n = 100
    eqs = """
    dv/dt = (0.04*v**2 + 5*v + 140 - u + I) / ms : 1
    du/dt = a*(b*v - u) / ms : 1
    a : 1
    b : 1
    c : 1 (constant)
    d : 1 (constant)
    I : 1
    """
    G = NeuronGroup(n, eqs, threshold="v >= 30", reset="v = c; u = u + d", method="euler")
    re = rng.random(n)
    excitatory = np.arange(n) < 80
    G.a, G.b = np.where(excitatory, 0.02, 0.02 + 0.08 * re), np.where(excitatory, 0.2, 0.25 - 0.05 * re)
    G.c, G.d = np.where(excitatory, -65 + 15 * re**2, -65), np.where(excitatory, 8 - 6 * re**2, 2)
    G.v, G.u, G.I = -65, -13, rng.normal(6, 2, n)
    S = Synapses(G, G, "w : 1", on_pre="v_post += w", delay=1 * ms)
    S.connect(**pairs(rng, n, n, 0.2))
    S.w = np.where(np.asarray(S.i) < 80, 0.5, -1.0)
    spikes = SpikeMonitor(G, name="izhikevich_spikes")
    trace = StateMonitor(G, ["v", "u"], record=[0, 90], name="izhikevich_trace")
    return case(locals(), 100 * ms)


@network
def morris_lecar():
    """Morris & Lecar 1981, doi:10.1016/S0006-3495(81)84782-0, by fourth-order Runge-Kutta."""
    gL, gCa, gK = 2 * msiemens / cm**2, 4.4 * msiemens / cm**2, 8 * msiemens / cm**2
    VL, VCa, VK, Cm = -60 * mV, 120 * mV, -84 * mV, 20 * ufarad / cm**2
    eqs = """
    dv/dt = (I - gL*(v - VL) - gCa*minf*(v - VCa) - gK*w*(v - VK)) / Cm : volt
    dw/dt = phi*(winf - w) / tauw : 1
    minf = 0.5*(1 + tanh((v + 1.2*mV)/(18*mV))) : 1
    winf = 0.5*(1 + tanh((v - 2*mV)/(30*mV))) : 1
    tauw = 1*ms/cosh((v - 2*mV)/(60*mV)) : second
    I : amp/metre**2 (constant)
    """
    phi = 0.04
    cells = NeuronGroup(6, eqs, method="rk4", threshold="v > 10*mV", refractory="v > 10*mV")
    cells.v, cells.w, cells.I = -40 * mV, 0.1, np.linspace(60, 160, 6) * uA / cm**2
    trace = StateMonitor(cells, ["v", "w"], record=True, name="morris_lecar_trace")
    spikes = SpikeMonitor(cells, name="morris_lecar_spikes")
    return case(locals(), 200 * ms)


@network
def hodgkin_huxley():
    """Hodgkin & Huxley 1952, doi:10.1113/jphysiol.1952.sp004764, with a threshold on m as in curves of f against I."""
    defaultclock.dt = 0.05 * ms
    gK, gNa, gL = 36 * msiemens / cm**2, 120 * msiemens / cm**2, 0.3 * msiemens / cm**2
    EK, ENa, EL, Cm = -77 * mV, 50 * mV, -54.4 * mV, 1 * ufarad / cm**2
    eqs = """
    dv/dt = (I - gL*(v-EL) - gNa*m**3*h*(v-ENa) - gK*n**4*(v-EK))/Cm : volt
    dm/dt = (minf - m)*(am + bm) : 1
    minf = am/(am + bm) : 1
    am = 1/exprel(-(v/mV + 40)/10)/ms : Hz
    bm = 4*exp(-(v/mV + 65)/18)/ms : Hz
    dh/dt = 0.07*exp(-(v/mV + 65)/20)/ms*(1-h) - h/(1 + exp(-(v/mV + 35)/10))/ms : 1
    dn/dt = 0.1/exprel(-(v/mV + 55)/10)/ms*(1-n) - 0.125*exp(-(v/mV + 65)/80)/ms*n : 1
    I : amp/metre**2
    """
    group = NeuronGroup(8, eqs, threshold="m > 0.5", refractory="m > 0.5", method="rk2")
    group.v, group.m, group.h, group.n = -65 * mV, 0.05, 0.6, 0.32
    group.I = "20*uA/cm**2 * i / N"
    trace = StateMonitor(group, ["v", "m"], record=[3, 7], name="hh_trace")
    spikes = SpikeMonitor(group, name="hh_spikes")
    return case(locals(), 40 * ms)


@network
def brunel_hakim():
    """Brunel & Hakim 1999, doi:10.1162/089976699300016179: inhibition with a delay, and noise."""
    rng = np.random.default_rng(8)
    Vr, theta, tau, delta, taurefr = 10 * mV, 20 * mV, 20 * ms, 2 * ms, 2 * ms
    C, N, J, muext, sigmaext = 40, 200, 0.5 * mV, 25 * mV, 1 * mV
    eqs = "dV/dt = (-V + muext + sigmaext*sqrt(tau)*xi)/tau : volt"
    group = NeuronGroup(N, eqs, threshold="V > theta", reset="V = Vr", refractory=taurefr, method="euler")
    group.V = Vr
    conn = Synapses(group, group, on_pre="V += -J", delay=delta)
    conn.connect(**pairs(rng, N, N, C / N))
    spikes = SpikeMonitor(group, name="brunel_hakim_spikes")
    rate = PopulationRateMonitor(group, name="brunel_hakim_rate")
    return case(locals(), 60 * ms)


@network
def wilson_cowan():
    """Wilson & Cowan 1972, doi:10.1016/S0006-3495(72)86068-5: excitatory and inhibitory rates, by Heun's method."""
    tau_E, tau_I, r = 10 * ms, 10 * ms, 1.0
    eqs = """
    dE/dt = (-E + (1 - r*E)*S(c_EE*E - c_EI*I + P, 1.3, 4)) / tau_E : 1
    dI/dt = (-I + (1 - r*I)*S(c_IE*E - c_II*I, 2, 3.7)) / tau_I : 1
    P : 1
    c_EE : 1 (shared, constant)
    """.replace("S(c_EE*E - c_EI*I + P, 1.3, 4)", "(1/(1 + exp(-1.3*(c_EE*E - c_EI*I + P - 4))) - 1/(1 + exp(1.3*4)))")
    eqs = eqs.replace("S(c_IE*E - c_II*I, 2, 3.7)", "(1/(1 + exp(-2*(c_IE*E - c_II*I - 3.7))) - 1/(1 + exp(2*3.7)))")
    c_EI, c_IE, c_II = 12.0, 15.0, 3.0
    rates = NeuronGroup(4, eqs, method="heun")
    rates.c_EE = 16.0
    rates.P = [0.0, 0.5, 1.25, 2.0]
    rates.E = 0.1
    trace = StateMonitor(rates, ["E", "I"], record=True, dt=1 * ms, name="wilson_cowan_trace")
    return case(locals(), 200 * ms)


@network
def tsodyks_markram():
    """Tsodyks & Markram 1998, doi:10.1162/089976698300017502: event-driven facilitation and depression."""
    tau_F, tau_D, U_0 = 1.5 * second, 0.2 * second, 0.2
    inputs = SpikeGeneratorGroup(2, [0] * 10 + [1] * 5, np.r_[np.arange(10) * 20, np.arange(5) * 37 + 5] * ms)
    target = NeuronGroup(2, "dv/dt = -v/(20*ms) : 1", method="exact")
    synapses = Synapses(
        inputs,
        target,
        """du_S/dt = -u_S/tau_F : 1 (event-driven)
           dx_S/dt = (1 - x_S)/tau_D : 1 (event-driven)
           r_S : 1""",
        on_pre="""u_S += U_0*(1 - u_S)
                  r_S = u_S*x_S
                  x_S -= r_S
                  v_post += r_S""",
    )
    synapses.connect(j="i")
    synapses.x_S = 1
    trace = StateMonitor(target, "v", record=True, name="tm_v")
    released = StateMonitor(synapses, ["r_S", "x_S"], record=[0, 1], name="tm_r")
    return case(locals(), 210 * ms)


@network
def stdp():
    """Song, Miller & Abbott 2000, doi:10.1038/78829: additive plasticity driven by Poisson spikes."""
    N, taum, taupre, Ee, vt, vr, El, taue = 60, 10 * ms, 20 * ms, 0 * mV, -54 * mV, -60 * mV, -74 * mV, 5 * ms
    F, gmax, dApre = 60 * Hz, 0.01, 0.01
    taupost = taupre
    dApost = -dApre * taupre / taupost * 1.05 * gmax
    dApre *= gmax
    input = PoissonGroup(N, rates=F)
    neurons = NeuronGroup(
        1,
        "dv/dt = (ge*(Ee - v) + El - v)/taum : volt\ndge/dt = -ge/taue : 1",
        threshold="v > vt",
        reset="v = vr",
        method="euler",
    )
    neurons.v = vr
    S = Synapses(
        input,
        neurons,
        """w : 1
           dApre/dt = -Apre/taupre : 1 (event-driven)
           dApost/dt = -Apost/taupost : 1 (event-driven)""",
        on_pre="""ge += 10*w
                  Apre += dApre
                  w = clip(w + Apost, 0, gmax)""",
        on_post="""Apost += dApost
                   w = clip(w + Apre, 0, gmax)""",
    )
    S.connect()
    S.w = np.random.default_rng(11).random(N) * gmax
    mon = StateMonitor(S, "w", record=[0, 1], name="stdp_w")
    trace = StateMonitor(neurons, "v", record=True, name="stdp_v")
    spikes = SpikeMonitor(neurons, name="stdp_spikes")
    return case(locals(), 200 * ms)


@network
def synfire_chain():
    """Diesmann et al. 1999, doi:10.1038/990101: packets of spikes through groups of neurons, in noise."""
    n_groups, group_size = 4, 30
    taum, taupsp, weight, Vt, Vr = 10 * ms, 0.325 * ms, 30 * mV, -55 * mV, -70 * mV
    eqs = """
    dV/dt = (-(V - Vr) + x)/taum : volt
    dx/dt = (-x + y)/taupsp : volt
    dy/dt = -y/taupsp + 25.27*mV/ms + (39.24*mV/ms**0.5)*xi : volt
    """
    P = NeuronGroup(n_groups * group_size, eqs, threshold="V > Vt", reset="V = Vr", refractory=1 * ms, method="euler")
    P.V = Vr + np.random.default_rng(12).random(n_groups * group_size) * (Vt - Vr)
    Pinput = SpikeGeneratorGroup(
        40, np.arange(40), np.sort(np.random.default_rng(12).normal(20, 1, 40)).clip(1, 40) * ms
    )
    S = Synapses(P, P, on_pre="y += weight")
    S.connect(
        j="k for k in range((int(i/group_size)+1)*group_size, (int(i/group_size)+2)*group_size) if i < N_pre-group_size"
    )
    Sinput = Synapses(Pinput, P[:group_size], on_pre="y += weight")
    Sinput.connect()
    S.delay = 5 * ms
    Mgp = SpikeMonitor(P, name="synfire_spikes")
    return case(locals(), 50 * ms)


@network
def gap_junctions():
    """Two leaky cells and more, coupled electrically: a summed variable on the postsynaptic side."""
    v0, tau = 1.05, 10 * ms
    neurons = NeuronGroup(
        10, "dv/dt = (v0 - v + Igap)/tau : 1\nIgap : 1", threshold="v > 1", reset="v = 0", method="euler"
    )
    neurons.v = np.linspace(0, 0.9, 10)
    S = Synapses(neurons, neurons, "w : 1\nIgap_post = w*(v_pre - v_post) : 1 (summed)")
    S.connect(condition="i != j")
    S.w = 0.02
    trace = StateMonitor(neurons, "v", record=[0, 5], name="gap_v")
    spikes = SpikeMonitor(neurons, name="gap_spikes")
    return case(locals(), 200 * ms)


@network
def homeostatic_thresholds():
    """Thresholds that rise with every spike and decay, in a recurrent network of unequal drive."""
    rng = np.random.default_rng(14)
    tau, tau_t, vr = 15 * ms, 40 * ms, 0.0
    group = NeuronGroup(
        50,
        "dv/dt = (I - v)/tau : 1 (unless refractory)\ndvt/dt = (1 - vt)/tau_t : 1\nI : 1 (constant)",
        threshold="v > vt",
        reset="v = vr; vt += 0.3",
        refractory=1 * ms,
        method="exact",
    )
    group.I, group.vt = rng.uniform(1.2, 3, 50), 1
    inhibition = Synapses(group, group, on_pre="v -= 0.02", delay=0.5 * ms)
    inhibition.connect(**pairs(rng, 50, 50, 0.3))
    trace = StateMonitor(group, ["v", "vt"], record=[0, 49], name="homeostatic_trace")
    spikes = SpikeMonitor(group, name="homeostatic_spikes")
    return case(locals(), 100 * ms)


@network
def inhibitory_plasticity():
    """Vogels et al. 2011, doi:10.1126/science.1211095: clip, and both pathways on event-driven traces."""
    rng = np.random.default_rng(15)
    tau_stdp, eta, alpha, gl, memc, tau_ampa, tau_gaba = 20 * ms, 1.0, 0.02, 10 * nS, 200 * pF, 5 * ms, 10 * ms
    el, er, vt, bgcurrent, gmax, w_e = -60 * mV, -80 * mV, -50 * mV, 200 * pA, 10.0, 0.3 * nS
    neurons = NeuronGroup(
        80,
        """dv/dt = (-gl*(v - el) - (g_ampa*v + g_gaba*(v - er)) + bgcurrent)/memc : volt (unless refractory)
           dg_ampa/dt = -g_ampa/tau_ampa : siemens
           dg_gaba/dt = -g_gaba/tau_gaba : siemens""",
        threshold="v > vt",
        reset="v = el",
        refractory=5 * ms,
        method="euler",
    )
    neurons.v = el + rng.random(80) * (vt - el)
    Pe, Pi = neurons[:64], neurons[64:]
    con_e = Synapses(Pe, neurons, on_pre="g_ampa += w_e")
    con_e.connect(**pairs(rng, 64, 80, 0.1))
    con_ie = Synapses(
        Pi,
        Pe,
        """w : 1
           dApre/dt = -Apre/tau_stdp : 1 (event-driven)
           dApost/dt = -Apost/tau_stdp : 1 (event-driven)""",
        on_pre="""Apre += 1.
                  w = clip(w + (Apost - alpha)*eta, 0, gmax)
                  g_gaba += w*nS""",
        on_post="""Apost += 1.
                   w = clip(w + Apre*eta, 0, gmax)""",
    )
    con_ie.connect(**pairs(rng, 16, 64, 0.2))
    con_ie.w = 1e-10
    spikes = SpikeMonitor(neurons, name="vogels_spikes")
    weights = StateMonitor(con_ie, "w", record=[0, 10, 50], dt=1 * ms, name="vogels_w")
    return case(locals(), 100 * ms)


@network
def fitzhugh_nagumo():
    """FitzHugh 1961, doi:10.1016/S0006-3495(61)86902-6: by fourth-order Runge-Kutta."""
    a, b, tau_v, tau_w = 0.7, 0.8, 1 * ms, 12.5 * ms
    group = NeuronGroup(
        5, "dv/dt = (v - v**3/3 - w + I)/tau_v : 1\ndw/dt = (v + a - b*w)/tau_w : 1\nI : 1", method="rk4"
    )
    group.v, group.w, group.I = -1.2, -0.6, np.linspace(0, 1, 5)
    trace = StateMonitor(group, ["v", "w"], record=True, name="fhn_trace")
    return case(locals(), 60 * ms)


@network
def ornstein_uhlenbeck():
    """Two noises in one equation, and one shared by two equations."""
    tau, sigma = 10 * ms, 0.3
    group = NeuronGroup(
        20,
        """dx/dt = -x/tau + sigma*sqrt(2/tau)*xi_a + 0.1/sqrt(tau)*xi_b : 1
           dy/dt = -y/tau + sigma*sqrt(2/tau)*xi_a : 1""",
        method="euler",
    )
    trace = StateMonitor(group, ["x", "y"], record=[0, 19], name="ou_trace")
    return case(locals(), 50 * ms)


def noise_that_is_multiplied(method: str) -> Case:
    """Return cells whose noise has the size of their state."""
    tau = 20 * ms
    group = NeuronGroup(10, "dx/dt = -x/tau + 0.3*x*xi/sqrt(tau) : 1", method=method)
    group.x = np.linspace(0.1, 1, 10)
    trace = StateMonitor(group, "x", record=True, name=f"{method}_x")
    return case(locals(), 50 * ms)


@network
def multiplicative_noise():
    """Noise whose size depends on the state, in Ito's sense, by Milstein's method."""
    return noise_that_is_multiplied("milstein")


@network
def stratonovich_noise():
    """The same in Stratonovich's sense, by Heun's method."""
    return noise_that_is_multiplied("heun")


@network
def delay_lines():
    """Licklider 1962: coincidence detectors behind a range of delays, one for each synapse."""
    tau, f = 1 * ms, 200 * Hz
    receptors = NeuronGroup(
        2,
        "dx/dt = (-x + 1.2*(1 + sin(2*pi*f*t + phase)))/(2*ms) : 1\nphase : 1",
        threshold="x > 1",
        reset="x = 0",
        method="euler",
    )
    receptors.phase = [0, 0.5]
    detectors = NeuronGroup(40, "dv/dt = -v/tau : 1", threshold="v > 1", reset="v = 0", method="exact")
    synapses = Synapses(receptors, detectors, on_pre="v += 0.7")
    synapses.connect()
    synapses.delay["i == 1"] = "4*ms*(j/40.0)"
    spikes = SpikeMonitor(detectors, name="licklider_spikes")
    trace = StateMonitor(detectors, "v", record=[3, 30], name="licklider_v")
    return case(locals(), 60 * ms)


@network
def custom_events():
    """An event beside the spike: its own condition, statements, synapses and monitor."""
    tau = 10 * ms
    group = NeuronGroup(
        6,
        "dv/dt = (I - v)/tau : 1\ncrossings : 1\nI : 1\narmed : 1",
        threshold="v > 1",
        reset="v = 0; armed = 1",
        events={"crossing": "v > 0.5 and armed > 0"},
        method="exact",
    )
    group.I, group.armed = np.linspace(0.8, 2, 6), 1
    group.run_on_event("crossing", "crossings += 1; armed = 0")
    followers = NeuronGroup(6, "dg/dt = -g/(3*ms) : 1", method="exact")
    S = Synapses(group, followers, on_pre="g += 1", on_event="crossing", delay=0.3 * ms)
    S.connect(j="i")
    crossings = EventMonitor(group, "crossing", variables=["v"], name="events_crossings")
    trace = StateMonitor(followers, "g", record=True, name="events_g")
    counted = StateMonitor(group, "crossings", record=True, name="events_counted")
    return case(locals(), 60 * ms)


@network
def periodic_spikes():
    """A spike generator that repeats, with synapses from some of its neurons."""
    source = SpikeGeneratorGroup(4, [0, 1, 2, 3, 0], [0, 1, 2, 3.3, 4] * ms, period=6 * ms)
    target = NeuronGroup(3, "dv/dt = -v/(5*ms) : 1", method="exact")
    S = Synapses(source, target, "w : 1", on_pre="v += w")
    S.connect(i=[1, 2, 3], j=[0, 1, 2])
    S.w = [1.0, 2.0, 3.0]
    spikes = SpikeMonitor(source, name="periodic_spikes")
    trace = StateMonitor(target, "v", record=True, name="periodic_v")
    return case(locals(), 40 * ms)


@network
def poisson_drive():
    """PoissonInput into a part of a group, and a Poisson group whose rates follow an expression of time."""
    group = NeuronGroup(
        20, "dv/dt = -v/(10*ms) : volt", threshold="v > 10*mV", reset="v = 0*mV", refractory=2 * ms, method="exact"
    )
    drive = PoissonInput(group[5:], "v", N=100, rate=20 * Hz, weight=0.8 * mV)
    source = PoissonGroup(10, rates="50*Hz*(1 + cos(2*pi*10*Hz*t))")
    S = Synapses(source, group[:10], on_pre="v += 3*mV")
    S.connect(j="i")
    spikes = SpikeMonitor(group, name="drive_spikes")
    rate = PopulationRateMonitor(group[5:], name="drive_rate")
    trace = StateMonitor(group[3:7], "v", record=[0, 3], name="drive_v")
    return case(locals(), 100 * ms)


@network
def refractory_times():
    """A refractory time of its own for every neuron, given by an expression that changes."""
    group = NeuronGroup(
        8,
        "dv/dt = (2 - v)/(10*ms) : 1 (unless refractory)\ndw/dt = -w/(30*ms) : 1\nref : second",
        threshold="v > 1",
        reset="v = 0; w += 1",
        refractory="ref*(1 + 0.2*w)",
        method="exact",
    )
    group.ref = np.linspace(0, 7, 8) * ms
    trace = StateMonitor(group, ["v", "w"], record=[0, 7], name="refractory_trace")
    spikes = SpikeMonitor(group, name="refractory_spikes")
    return case(locals(), 100 * ms)


@network
def kuramoto():
    """Phase oscillators, coupled by a summed sine; phases are wrapped now and then."""
    K, n = 0.8, 12
    group = NeuronGroup(n, "dphi/dt = omega + coupling : 1\nomega : Hz\ncoupling : Hz", method="euler")
    group.phi, group.omega = np.linspace(0.1, 6, n), np.linspace(40, 60, n) * Hz
    S = Synapses(group, group, "coupling_post = (K/n)*sin(phi_pre - phi_post)*100*Hz : Hz (summed)")
    S.connect()
    group.run_regularly("phi = phi % (2*pi)", dt=5 * ms)
    trace = StateMonitor(group, "phi", record=True, dt=1 * ms, name="kuramoto_phi")
    return case(locals(), 60 * ms)


@network
def linked_variables():
    """Common noise: neurons that read a variable of another group, one for several of them."""
    tau = 10 * ms
    common = NeuronGroup(2, "dx/dt = -x/(5*ms) + 0.3*xi/sqrt(5*ms) : 1", method="euler", name="common")
    # Within a slot Brian2 goes by name: which group comes first decides whether x is this step's or the last one's.
    group = NeuronGroup(
        6,
        "dv/dt = (1.4 + x - v)/tau : 1\nx : 1 (linked)",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="driven",
    )
    group.x = linked_var(common, "x", index=np.repeat([0, 1], 3))
    trace = StateMonitor(group, ["v", "x"], record=True, name="linked_trace")
    spikes = SpikeMonitor(group, name="linked_spikes")
    return case(locals(), 60 * ms)


@network
def several_clocks():
    """A slow group that drives a fast one, code that runs now and then, and monitors of other steps."""
    slow = NeuronGroup(3, "dx/dt = -x/(20*ms) : 1", dt=0.5 * ms, method="euler")
    slow.x = [1.0, 2.0, 3.0]
    fast = NeuronGroup(
        3, "dv/dt = (drive - v)/(5*ms) : 1\ndrive : 1", threshold="v > 1", reset="v = 0", dt=0.1 * ms, method="exact"
    )
    S = Synapses(slow, fast, "drive_post = 2*x_pre : 1 (summed)", dt=0.5 * ms)
    S.connect(j="i")
    slow.run_regularly("x = x + 0.5*(i + 1)", dt=10 * ms)
    trace = StateMonitor(fast, ["v", "drive"], record=True, dt=0.2 * ms, name="clocks_trace")
    slow_trace = StateMonitor(slow, "x", record=True, name="clocks_slow")
    spikes = SpikeMonitor(fast, name="clocks_spikes")
    return case(locals(), 50 * ms)


@network
def timed_inputs():
    """TimedArrays of one and of two dimensions, with units, as drive and as conductance."""
    rng = np.random.default_rng(26)
    drive = TimedArray(rng.normal(1.2, 0.5, (12, 4)) * nA, dt=5 * ms)
    gate = TimedArray([0.5, 1.0, 1.5], dt=20 * ms)
    C, gL = 200 * pF, 10 * nS
    group = NeuronGroup(
        4,
        "dv/dt = (drive(t, i) - gate(t)*gL*v)/C : volt (unless refractory)",
        threshold="v > 20*mV",
        reset="v = 0*mV",
        refractory=3 * ms,
        method="euler",
    )
    trace = StateMonitor(group, "v", record=True, name="timed_v")
    spikes = SpikeMonitor(group, name="timed_spikes")
    return case(locals(), 60 * ms)


@network
def pathways_in_order():
    """Two pathways on one event, run in a given order; the second reads what the first has left."""
    group = NeuronGroup(5, "dv/dt = (1.5 - v)/(10*ms) : 1\ng : 1", threshold="v > 1", reset="v = 0", method="exact")
    group.v = np.linspace(0, 0.9, 5)
    S = Synapses(
        group,
        group,
        "w : 1\ntrace : 1",
        on_pre={"learn": "trace = 0.9*trace + w", "send": "g_post += trace"},
        on_post="w = 0.95*w",
        delay={"learn": 0.4 * ms},
    )
    S.connect(condition="i != j")
    S.w = "0.1*(i + 1)"
    S.learn.order, S.send.order = -3, -2
    traces = StateMonitor(S, ["w", "trace"], record=[0, 7], name="order_synapses")
    trace = StateMonitor(group, ["v", "g"], record=True, name="order_g")
    return case(locals(), 60 * ms)


@network
def hindmarsh_rose():
    """Hindmarsh & Rose 1984, doi:10.1098/rspb.1984.0024, by the midpoint method."""
    r, s, x_R = 0.006, 4.0, -1.6
    group = NeuronGroup(
        4,
        """dx/dt = (y + 3*x**2 - x**3 - z + I)/ms : 1
           dy/dt = (1 - 5*x**2 - y)/ms : 1
           dz/dt = r*(s*(x - x_R) - z)/ms : 1
           I : 1""",
        method="rk2",
        threshold="x > 1",
        refractory="x > 1",
    )
    group.x, group.I = -1.6, [1.0, 2.0, 3.0, 4.0]
    trace = StateMonitor(group, ["x", "z"], record=True, name="hr_trace")
    spikes = SpikeMonitor(group, name="hr_spikes")
    return case(locals(), 100 * ms)


@network
def slow_receptors():
    """NMDA receptors: synaptic equations that run at every step, and their sum."""
    rng = np.random.default_rng(29)
    tau_rise, tau_decay, alpha = 2 * ms, 60 * ms, 0.5 / ms
    E = NeuronGroup(
        12,
        "dv/dt = (-v + I + 0.05*g*(5 - v)/(1 + exp(-v)/3.57))/(10*ms) : 1\ng : 1\nI : 1",
        threshold="v > 1",
        reset="v = 0",
        refractory=1 * ms,
        method="euler",
    )
    E.I = rng.uniform(0.9, 1.6, 12)
    S = Synapses(
        E,
        E,
        """ds/dt = -s/tau_decay + alpha*x*(1 - s) : 1 (clock-driven)
           dx/dt = -x/tau_rise : 1 (clock-driven)
           g_post = w*s : 1 (summed)
           w : 1""",
        on_pre="x += 1",
        method="rk4",
    )
    S.connect(**pairs(rng, 12, 12, 0.5))
    S.w = rng.random(len(S)) * 0.2
    trace = StateMonitor(E, ["v", "g"], record=[0, 11], name="nmda_trace")
    spikes = SpikeMonitor(E, name="nmda_spikes")
    return case(locals(), 80 * ms)


@network
def own_function():
    """A function of the user's, written in Python."""

    @implementation("cpp", "double activation(double x) { return 1/(1 + exp(-x/0.005)); }")
    @check_units(x=volt, result=1)
    def activation(x):
        return 1 / (1 + np.exp(-x / (5 * mV)))

    group = NeuronGroup(5, "dv/dt = (10*mV*activation(v) + 3*mV - v)/(10*ms) : volt", method="euler")
    group.v = np.linspace(-20, 20, 5) * mV
    trace = StateMonitor(group, "v", record=True, name="function_v")
    return case(locals(), 40 * ms)


@network
def functions_of_the_namespace():
    """The functions that Brian2 knows by itself."""
    group = NeuronGroup(
        6,
        """dx/dt = -x/(20*ms) : 1
           a = sin(x) + cos(x) + tan(x/4) + sinh(x) + cosh(x) + tanh(x) : 1
           b = arcsin(x/8) + arccos(x/8) + arctan(x) + exp(x) + expm1(x) + log(x + 3) + log10(x + 3) + log1p(x + 3) : 1
           c = sqrt(x + 3) + abs(x) + sign(x) + floor(x) + ceil(x) + clip(x, -1, 1) + exprel(x) + int(x > 0) : 1""",
        method="exact",
    )
    group.x = np.linspace(-1.9, 1.9, 6)
    trace = StateMonitor(group, ["a", "b", "c"], record=True, dt=1 * ms, name="functions_trace")
    return case(locals(), 20 * ms)


@network
def shared_and_fixed():
    """Shared variables, constants, booleans, integers, and a subexpression that is constant over dt."""
    group = NeuronGroup(
        4,
        """dv/dt = (drive*gain - v)/(10*ms) : 1
           drive = 1.2 + 0.2*sin(2*pi*20*Hz*t) : 1 (constant over dt, shared)
           gain : 1 (shared)
           count : integer
           up : boolean""",
        threshold="v > 1",
        reset="v = 0; count += 1; up = not up",
        method="euler",
    )
    group.run_regularly("gain = 0.99*gain", dt=1 * ms)
    group.gain, group.v = 1.5, np.linspace(0, 0.6, 4)
    trace = StateMonitor(group, ["v", "gain"], record=True, name="shared_trace")
    counted = StateMonitor(group, "count", record=True, dt=1 * ms, name="shared_count")
    return case(locals(), 60 * ms)


@network
def random_threshold():
    """Escape noise: a neuron that spikes with a probability that grows with its potential."""
    group = NeuronGroup(
        30,
        "dv/dt = (1.2 - v)/(10*ms) : 1 (unless refractory)",
        threshold="rand() < exp((v - 1)/0.1)*dt/(1*ms)",
        reset="v = 0",
        refractory=1 * ms,
        method="exact",
    )
    spikes = SpikeMonitor(group, name="escape_spikes")
    trace = StateMonitor(group, "v", record=[0, 29], name="escape_v")
    return case(locals(), 60 * ms)
