"""Every page in models/: the battery that `cortwin check` applies to a user's own, and what only these can be held to.

What can only be known of one page (its loop in plain NumPy, a step by hand) stands in a table by the page's name.
"""

import functools
import importlib
import inspect
import pkgutil
import re

import jax
import numpy as np
import pytest

from cortwin import models
from cortwin.activity import activity
from cortwin.battery import Missing, Subject, variants
from cortwin.battery.page import OF_PAGE, OF_VARIANT
from cortwin.errors import CortwinError
from cortwin.model import Lacking
from cortwin.simulation import simulate
from cortwin.training import textbook_activity, trained_activity

PAGES = {
    module.name: importlib.import_module(f"cortwin.models.{module.name}")
    for module in pkgutil.iter_modules(models.__path__)
}
COUNTS = {"inputs": 2, "units": 6, "outputs": 2}


VARIANTS = [(name, arguments) for name, page in PAGES.items() for arguments in variants(page)]
EVERY = [pytest.param(PAGES[name], arguments, id="-".join([name, *arguments.values()])) for name, arguments in VARIANTS]
every_variant = pytest.mark.parametrize(("page", "arguments"), EVERY)


def test_there_are_pages():
    assert {"attention", "elman", "feedforward", "gru", "jordan", "lif", "lstm", "relay", "sublstm"} <= set(PAGES)
    assert len(EVERY) >= 19


def first(made, generator):
    """Draw parameters, with everything that starts at zero moved away from it."""
    sizes = [COUNTS[name] for name in COUNTS if name in inspect.signature(made.initial).parameters]
    parameters = made.initial(generator, *sizes)
    moved = {name: array for name, array in parameters._asdict().items() if not np.any(array)}
    return parameters._replace(**{name: 0.5 * generator.standard_normal(np.shape(a)) for name, a in moved.items()})


def trials(generator, steps=20, dt=0.01):
    return activity(generator.standard_normal((2, steps, COUNTS["inputs"])), dt=dt, last="input", name="input")


@functools.cache
def subject(name, number):
    """One variant of a page; its parameters and trials are drawn once for all checks."""
    return Subject(PAGES[name], variants(PAGES[name])[number])


def promises():
    """Every check of every variant; what compiles C++ in the ordinary run for the first page alone."""
    for name, page in PAGES.items():
        for number, arguments in enumerate(variants(page)):
            for check in OF_VARIANT:
                marks = []
                if "C++" in check:
                    ordinary = (name, number) in (("elman", 0), ("lif", 0))
                    marks = [pytest.mark.cpp, *([] if ordinary else [pytest.mark.slow])]
                elif check == "spikes" and number and name != "gru":
                    marks = [pytest.mark.slow]
                yield pytest.param(name, number, check, marks=marks, id="-".join([name, *arguments.values(), check]))


@pytest.mark.parametrize(("name", "number", "check"), list(promises()))
def test_what_every_page_promises(name, number, check):
    found = OF_VARIANT[check](subject(name, number))
    if isinstance(found, Missing):
        assert len(found.reason.split()) > 3
    else:
        assert found.passed, found


@pytest.mark.parametrize("check", OF_PAGE)
@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_promises_as_a_whole(name, check):
    found = OF_PAGE[check](subject(name, 0))
    assert isinstance(found, Missing) or found.passed, found


def test_little_is_missing():
    """The pages lack what is known to be lacking: a check that finds nothing to measure is counted here."""
    lacking = {(name, writing) for name in PAGES for writing in ("textbook", "rate", "tuning", "spiking")
               if isinstance(getattr(subject(name, 0).model, writing), Lacking)}  # fmt: skip
    assert lacking - {(page, writing) for page, writing in lacking if page in ("brunel", "cuba")} == {
        ("lif", "textbook"), ("lif", "rate"), ("lif", "tuning"), ("microcircuit", "tuning"),
    }  # fmt: skip


PLAIN = {"tanh": np.tanh, "logistic": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0)}


def sigma(x):
    return 1 / (1 + np.exp(-x))


def elman_loop(p, u, alpha, activation):
    x, states = p.x0, []
    for sample in u:
        x = (1 - alpha) * x + alpha * (p.W_rec @ PLAIN[activation](x) + p.W_in @ sample + p.b)
        states.append(x)
    return np.array(states)


def jordan_loop(p, u, alpha, activation):
    x, states = p.x0, []
    for sample in u:
        y = p.W_out @ PLAIN[activation](x) + p.b_out
        x = (1 - alpha) * x + alpha * (p.W_in @ sample + p.W_fb @ y + p.b)
        states.append(x)
    return np.array(states)


def feedforward_loop(p, u, alpha, activation):
    """Logits, which are what the page compares."""
    x, found = p.x0, []
    for sample in u:
        x = (1 - alpha) * x + alpha * (p.W_in @ sample + p.b)
        found.append(p.W_out @ PLAIN[activation](x) + p.b_out)
    return np.array(found)


def relay_loop(p, u, alpha, loop):
    x, a, states = p.x0, p.a0, []
    for sample in u:
        heard = p.W_hh @ sigma(x) if loop == "recurrent" else 0
        x = (1 - alpha) * x + alpha * (p.W_hx @ sample + p.W_ha @ a + heard + p.b_h)
        a = p.W_ax @ sample + p.b_a
        states.append(x)
    return np.array(states)


def lstm_loop(p, u, alpha):
    c, h, states = p.c0, p.h0, []
    for sample in u:
        i, f, g, o = (
            getattr(p, f"W_{gate}") @ sample + getattr(p, f"U_{gate}") @ h + getattr(p, f"b_{gate}") for gate in "ifgo"
        )
        c = (1 - alpha) * c + alpha * (sigma(f) * c + sigma(i) * np.tanh(g))
        h = (1 - alpha) * h + alpha * sigma(o) * np.tanh(c)
        states.append(c)
    return np.array(states)


def sublstm_loop(p, u, alpha):
    c, h, states = p.c0, p.h0, []
    for sample in u:
        z, i, f, o = (
            sigma(getattr(p, f"W_{gate}") @ sample + getattr(p, f"U_{gate}") @ h + getattr(p, f"b_{gate}"))
            for gate in "zifo"
        )
        c = (1 - alpha) * c + alpha * (f * c + z - i)
        h = (1 - alpha) * h + alpha * (sigma(c) - o)
        states.append(c)
    return np.array(states)


def gru_loop(p, u, alpha, reset):
    h, states = p.h0, []
    for sample in u:
        z = sigma(p.W_z @ sample + p.U_z @ h + p.b_z)
        r = sigma(p.W_r @ sample + p.U_r @ h + p.b_r)
        heard = p.U_n @ (r * h) if reset == "before" else r * (p.U_n @ h + p.b_q)
        n = np.tanh(p.W_n @ sample + p.b_n + heard)
        h = (1 - alpha) * h + alpha * ((1 - z) * n + z * h)
        states.append(h)
    return np.array(states)


def attention_loop(p, u, alpha, attention):
    """Sums over the past, written out: no matrix is carried along."""
    x, past, states = p.x0, [], []
    for k, sample in enumerate(u):
        h = np.tanh(x)
        attended = np.zeros(x.size)
        if attention == "linear":
            for s, other in enumerate(past):
                # After storing, a weight decays by 1 - alpha (1 - keep) in every step.
                attended += alpha * 0.01 * (1 - alpha * 0.1) ** (k - 1 - s) * other * (other @ h)
        elif past:
            weight = np.exp([2 * other @ h for other in past])
            attended = weight @ np.array(past) / weight.sum()
        x = (1 - alpha) * x + alpha * (p.W_rec @ h + p.W_in @ sample + p.b + attended)
        past.append(h)
        states.append(x)
    return np.array(states)


NODES = np.polynomial.legendre.leggauss(12)


def lif_rate(x, s):
    """Spikes of a LIF neuron in a membrane time constant, by the microcircuit page's rule, one node after another."""
    found = []
    for mean, variance in zip(x, s, strict=True):
        sigma = np.sqrt(max(variance, 0.01))
        y = min((1 - mean) / sigma + 1.032626558 * np.sqrt(0.05), 6)
        z, reach, passage = y - 1 / sigma, 3 + max(y, 0), 0.0
        for node, weight in zip(*NODES, strict=True):
            q, share = reach * round((node + 1) / 2, 8), round(weight / (node + 1), 8)
            passage += share * (np.exp(2 * y * q - q * q) - np.exp(2 * z * q - q * q))
        found.append(1 / (0.2 + passage))
    return np.array(found)


def microcircuit_loop(p, u, alpha, scale):
    x, s, states = p.x0, p.s0, []
    for sample in u:
        h = lif_rate(x, s)
        x = (1 - alpha) * x + alpha * (p.W @ h + p.U @ sample + p.b)
        s = (1 - alpha) * s + alpha * (p.W_2 @ h + p.U_2 @ sample + p.b_2)
        states.append(x)
    return np.array(states)


LOOPS = {
    "attention": attention_loop,
    "elman": elman_loop,
    "feedforward": feedforward_loop,
    "gru": gru_loop,
    "jordan": jordan_loop,
    "lstm": lstm_loop,
    "microcircuit": microcircuit_loop,
    "relay": relay_loop,
    "sublstm": sublstm_loop,
}


@every_variant
def test_the_rate_text_is_the_page_in_plain_numpy(page, arguments):
    made = page.model(**arguments)
    if isinstance(made.rate, Lacking):
        pytest.skip(made.rate.reason)
    generator = np.random.default_rng(3)
    parameters, inputs = first(made, generator), trials(generator)
    found = simulate(made, "rate", parameters._asdict(), inputs, dt=0.01, engine="numpy").activity["x"]
    alpha = 0.01 / float(made.constants["tau"])
    assert float(found.std()) > 0.1
    for trial, samples in enumerate(inputs.to_numpy()):
        expected = LOOPS[made.name](parameters, samples, alpha, *arguments.values())
        np.testing.assert_allclose(found[trial], expected, atol=1e-10)


def lif_loop(p, u, dt, input_dt, constants):
    """Spikes of the page's network, one step after another: membranes, thresholds, arrivals, resets."""
    tau_m, t_ref, delay = (constants[name] for name in ("tau_m", "t_ref", "delay"))
    v, decay, spikes = p.v0.copy(), np.exp(-dt / tau_m), []
    last, under_way = np.full(v.size, -(10**9)), {}
    for k in range(round(len(u) * input_dt / dt)):
        free = k - last >= round(t_ref / dt)
        J = p.W_in @ u[int((k + 0.5) * dt / input_dt)] + p.b
        v = np.where(free, J + (v - J) * decay, v)
        fired = (v > 1) & free
        last[fired] = k
        under_way[k + round(delay / dt)] = fired
        arrived = p.W_rec @ under_way.pop(k, np.zeros(v.size))
        v = np.where(free & ~fired, v + arrived, v)
        v[fired] = 0
        spikes += [(k, unit) for unit in np.flatnonzero(fired)]
    return spikes


@pytest.mark.parametrize("method", PAGES["lif"].METHODS)
def test_the_lif_page_is_its_loop_in_plain_numpy(method):
    page, generator, dt = PAGES["lif"], np.random.default_rng(4), 1e-4
    made, p = page.model(method), page.initial(generator, 2, 40, jump=3.0)
    inputs = activity(generator.standard_normal((1, 20, 2)), dt=0.01, last="input")
    found = simulate(made, "spiking", p._asdict(), inputs, dt=dt, spikes=True, engine="numpy", batch=1).spikes
    step = np.rint(found["time"].to_numpy() / dt).astype(int)
    constants = {name: float(value) for name, value in made.constants.items()}
    expected = lif_loop(p, inputs[0].to_numpy(), dt, 0.01, constants)
    assert len(expected) > 200
    assert list(zip(step.tolist(), found["unit"].to_numpy().tolist(), strict=True)) == expected


# Inputs of the logistic function and of tanh at which they are plain fractions.
SIGMA = {1 / 4: -np.log(3), 1 / 2: 0.0, 3 / 4: np.log(3)}
TANH = {3 / 5: np.log(2), 4 / 5: np.log(3), -3 / 5: -np.log(2)}
READOUT = {"W_out": np.array([[2.0, -1.0]]), "b_out": np.array([0.3])}
ELMAN = {
    "W_rec": np.array([[0.5, -1.0], [2.0, 0.0]]),
    "W_in": np.array([[1.0], [-2.0]]),
    "b": np.array([0.1, 0.2]),
    "x0": np.zeros(2),
    **READOUT,
}
# y of h = (1/2, -1/4) is 1.55; the feedback adds (1.55, -3.1) / 10.
JORDAN = {name: ELMAN[name] for name in ("W_in", "b", "x0", "W_out", "b_out")} | {"W_fb": np.array([[0.1], [-0.2]])}
FEEDFORWARD = {name: ELMAN[name] for name in ("W_in", "b", "x0", "W_out", "b_out")}
RELAY = {
    "W_ax": np.array([[3.0]]),
    "b_a": np.array([-0.5]),
    "W_hx": np.array([[1.0], [-2.0]]),
    "W_ha": np.array([[0.5], [1.0]]),
    "W_hh": np.array([[0.5, -1.0], [2.0, 0.0]]),
    "b_h": np.array([0.1, 0.2]),
    "x0": np.zeros(2),
    "a0": np.zeros(1),
    **READOUT,
}


def gated(gates, start, **currents):
    """Return parameters of a cell of two units whose gates hear given currents at h = (1/2, -1/4), u = 1/2.

    W u = (1, -1) / 2 for every gate, U h = (1/4, 1), and the bias makes up the rest.
    """
    found = {}
    for gate in gates:
        found[f"W_{gate}"], found[f"U_{gate}"] = np.array([[1.0], [-1.0]]), np.array([[0.0, -1.0], [2.0, 0.0]])
        found[f"b_{gate}"] = np.array(currents[gate]) - np.array([0.5 + 0.25, -0.5 + 1.0])
    return found | dict.fromkeys(start, np.zeros(2)) | READOUT


LSTM = gated(
    "ifgo",
    ("c0", "h0"),
    i=(SIGMA[1 / 2], SIGMA[1 / 4]),
    f=(SIGMA[3 / 4], SIGMA[1 / 2]),
    g=(TANH[3 / 5], TANH[4 / 5]),
    o=(SIGMA[1 / 4], SIGMA[3 / 4]),
)
SUBLSTM = gated(
    "zifo",
    ("c0", "h0"),
    z=(SIGMA[3 / 4], SIGMA[1 / 2]),
    i=(SIGMA[1 / 2], SIGMA[1 / 4]),
    f=(SIGMA[3 / 4], SIGMA[1 / 2]),
    o=(SIGMA[1 / 4], SIGMA[3 / 4]),
)
# r = (1/2, 1/4) times U_n h + b_q = (1/4, 1) + (7/4, -3) = (2, -2) is (1, -1/2); the rest of n's current makes it up.
GRU = gated(
    "zrn",
    ("h0",),
    z=(SIGMA[3 / 4], SIGMA[1 / 4]),
    r=(SIGMA[1 / 2], SIGMA[1 / 4]),
    n=(0.0, 0.0),
) | {"b_n": np.array([TANH[3 / 5] - 1.5, TANH[4 / 5] + 1.0]), "b_q": np.array([1.75, -3.0])}
# r h = (1/2, 1/4) times (1/2, -1/4) = (1/4, -1/16), U_n of it (1/16, 1/2), W_n u = (1/2, -1/2).
GRU_BEFORE = {name: array for name, array in GRU.items() if name != "b_q"} | {
    "b_n": np.array([TANH[3 / 5] - 0.5625, TANH[4 / 5]])
}

MICROCIRCUIT = {
    "W": ELMAN["W_rec"],
    "U": ELMAN["W_in"],
    "b": ELMAN["b"],
    "W_2": np.array([[0.1, 0.2], [0.4, 0.8]]),
    "U_2": np.array([[0.2], [0.4]]),
    "b_2": np.array([0.1, 0.1]),
    "x0": np.zeros(2),
    "s0": np.zeros(2),
    **READOUT,
}
F = lif_rate([1.1, 0.2], [0.2, 0.3])

# page, variant: (parameters, printed state, the next, leaky state, the next with alpha = 1/10), for the input 1/2.
# A state is its arrays in order. The leaky steps start where f(x) is a plain fraction.
HALVES, INVERSE = [0.5, -0.25], [0.5493061443340549, -0.2554128118829953]
LOGIT, POSITIVE = [0.0, 1.0986122886681098], [0.5, -0.25]
BY_HAND = {
    # W_rec h = (1/2, 1), W_in u = (1/2, -1): f is taken of (1.1, 0.2). The logistic's leaky step: from h = (1/2, 3/4).
    ("elman", "tanh"): (
        ELMAN,
        [HALVES],
        [[0.8004990217606297, 0.197375320224904]],
        [INVERSE],
        [[0.6043755299006494, -0.2098715306946958]],
    ),
    ("elman", "logistic"): (
        ELMAN,
        [HALVES],
        [[0.7502601055951177, 0.549833997312478]],
        [LOGIT],
        [[0.01, 1.0087510598012988]],
    ),
    ("elman", "relu"): (ELMAN, [HALVES], [[1.1, 0.2]], [POSITIVE], [[0.535, -0.205]]),
    # W_fb y = (0.155, -0.31), W_in u + b = (0.6, -0.8): f is taken of (0.755, -1.11). In the leaky steps y is 1.55; for
    # the logistic 2/2 - 3/4 + 0.3 = 0.55; for ReLU, h = (1/2, 0), 1.3.
    ("jordan", "tanh"): (
        JORDAN,
        [HALVES],
        [np.tanh([0.755, -1.11])],
        [INVERSE],
        [[0.9 * 0.5493061443340549 + 0.0755, 0.9 * -0.2554128118829953 - 0.111]],
    ),
    ("jordan", "logistic"): (
        JORDAN,
        [HALVES],
        [[1 / (1 + np.exp(-0.755)), 1 / (1 + np.exp(1.11))]],
        [LOGIT],
        [[0.0655, 0.9 * 1.0986122886681098 - 0.091]],
    ),
    ("jordan", "relu"): (JORDAN, [HALVES], [[0.755, 0.0]], [POSITIVE], [[0.45 + 0.073, -0.225 - 0.106]]),
    # f is taken of W_in u + b = (0.6, -0.8), whatever the state.
    ("feedforward", "tanh"): (FEEDFORWARD, [HALVES], [np.tanh([0.6, -0.8])], [[0.5, -0.25]], [[0.51, -0.305]]),
    ("feedforward", "logistic"): (
        FEEDFORWARD,
        [HALVES],
        [[1 / (1 + np.exp(-0.6)), 1 / (1 + np.exp(0.8))]],
        [[0.5, -0.25]],
        [[0.51, -0.305]],
    ),
    ("feedforward", "relu"): (FEEDFORWARD, [HALVES], [[0.6, 0.0]], [[0.5, -0.25]], [[0.51, -0.305]]),
    # a_{t-1} = 2: W_ha a = (1, 2), W_hx u + b_h = (0.6, -0.8), W_hh h = (1/2, 1); a_t = 3/2 - 1/2 = 1. The leaky step
    # starts at h = (1/2, 3/4), where W_hh h = (-1/2, 1).
    ("relay", "recurrent"): (
        RELAY,
        [HALVES, [2.0]],
        [[1 / (1 + np.exp(-2.1)), 1 / (1 + np.exp(-2.2))], [1.0]],
        [LOGIT, [2.0]],
        [[0.11, 0.9 * 1.0986122886681098 + 0.22], [1.0]],
    ),
    ("relay", "as_printed"): (
        {name: array for name, array in RELAY.items() if name != "W_hh"},
        [HALVES, [2.0]],
        [[1 / (1 + np.exp(-1.6)), 1 / (1 + np.exp(-1.2))], [1.0]],
        [LOGIT, [2.0]],
        [[0.16, 0.9 * 1.0986122886681098 + 0.12], [1.0]],
    ),
    # Means W h + U u + b = (1.1, 0.2) as above, variances 0 + (0.1, 0.2) + (0.1, 0.1). The leaky step starts there.
    ("microcircuit", "0.05"): (
        MICROCIRCUIT,
        [HALVES],
        [F],
        [[1.1, 0.2], [0.2, 0.3]],
        [
            [0.99 + 0.1 * (F[0] / 2 - F[1] + 0.6), 0.18 + 0.1 * (2 * F[0] - 0.8)],
            [0.18 + 0.1 * (F[0] / 10 + F[1] / 5 + 0.2), 0.27 + 0.1 * (2 * F[0] / 5 + 4 * F[1] / 5 + 0.3)],
        ],
    ),
    # c = (2/5, -1): f c + i g = (0.3 + 0.3, -0.5 + 0.2) = (0.6, -0.3); h = o tanh(c). Leaky: c = (0.42, -0.93).
    ("lstm",): (
        LSTM,
        [[0.4, -1.0], HALVES],
        [[0.6, -0.3], [np.tanh(0.6) / 4, -3 * np.tanh(0.3) / 4]],
        [[0.4, -1.0], HALVES],
        [[0.42, -0.93], [0.45 + np.tanh(0.42) / 40, -0.225 - 3 * np.tanh(0.93) / 40]],
    ),
    # f c + z - i = (0.3 + 1/4, -0.5 + 1/4) = (0.55, -0.25); h = sigma(c) - o. Leaky: c = (0.415, -0.925).
    ("sublstm",): (
        SUBLSTM,
        [[0.4, -1.0], HALVES],
        [[0.55, -0.25], [1 / (1 + np.exp(-0.55)) - 0.25, 1 / (1 + np.exp(0.25)) - 0.75]],
        [[0.4, -1.0], HALVES],
        [
            [0.415, -0.925],
            [0.45 + (1 / (1 + np.exp(-0.415)) - 0.25) / 10, -0.225 + (1 / (1 + np.exp(0.925)) - 0.75) / 10],
        ],
    ),
    # h = (1/2, -1/4): A = (2, 0; 1, 4) adds A h = (1, -1/2) to W_rec h + W_in u + b = (1.1, 0.2): (2.1, -0.3). Then A
    # becomes 0.9 A + 0.01 h h^T; in the leaky step 0.99 A + 0.001 h h^T.
    ("attention", "linear"): (
        ELMAN,
        [HALVES, [[2.0, 0.0], [1.0, 4.0]]],
        [np.tanh([2.1, -0.3]), [[1.8025, -0.00125], [0.89875, 3.600625]]],
        [INVERSE, [[2.0, 0.0], [1.0, 4.0]]],
        [
            [0.9 * INVERSE[0] + 0.21, 0.9 * INVERSE[1] - 0.03],
            [[1.98025, -0.000125], [0.989875, 3.9600625]],
        ],
    ),
    # One state (2, 4) was stored: its weight is 1 whatever h, and it is added: (3.1, 4.2). Then h is stored.
    ("attention", "softmax"): (
        ELMAN | {"number": np.arange(3.0)},
        [HALVES, [[2.0, 4.0], [0.0, 0.0], [0.0, 0.0]], 1.0],
        [np.tanh([3.1, 4.2]), [[2.0, 4.0], HALVES, [0.0, 0.0]], 2.0],
        [INVERSE, [[2.0, 4.0], [0.0, 0.0], [0.0, 0.0]], 1.0],
        [
            [0.9 * INVERSE[0] + 0.31, 0.9 * INVERSE[1] + 0.42],
            [[2.0, 4.0], HALVES, [0.0, 0.0]],
            2.0,
        ],
    ),
    # n = (3/5, 4/5), z = (3/4, 1/4): (1 - z) n + z h = (0.15 + 0.375, 0.6 - 0.0625). Leaky: a tenth of the way there.
    ("gru", "after"): (GRU, [HALVES], [[0.525, 0.5375]], [HALVES], [[0.5025, -0.17125]]),
    ("gru", "before"): (GRU_BEFORE, [HALVES], [[0.525, 0.5375]], [HALVES], [[0.5025, -0.17125]]),
}


def arrays_of(state):
    return list(state) if isinstance(state, tuple) else [state]


def same_kind(state, arrays):
    """Return arrays as a state of the same kind as another."""
    return type(state)(*arrays) if isinstance(state, tuple) else arrays[0]


@every_variant
def test_one_step_of_the_textbook_by_hand(page, arguments):
    made = page.model(**arguments)
    if isinstance(made.textbook, Lacking):
        pytest.skip(made.textbook.reason)
    values, printed, printed_next, leaky, leaky_next = BY_HAND[made.name, *arguments.values()]
    p, u, textbook = made.trained(**values), np.array([0.5]), made.recurrence()
    x = same_kind(textbook.start(p), [np.array(array) for array in leaky])
    h = same_kind(textbook.activation(x), [np.array(array) for array in printed])
    for found, expected in (
        (textbook.recurrence(p, h, u), printed_next),
        (textbook.step(p, x, u, 0.1), leaky_next),
    ):
        for one, other in zip(arrays_of(found), expected, strict=True):
            # A few operations on numbers of order one.
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(textbook.output(p, np.array([0.5, -0.25])), [1.55], rtol=1e-14)
    if "activation" in arguments:
        np.testing.assert_allclose(
            textbook.activation(np.array([0.5, -0.25])), PLAIN[arguments["activation"]](np.array([0.5, -0.25])), 1e-14
        )
    # The leaky form at alpha = 1 is the printed one.
    once = textbook.activation(textbook.step(p, x, u, 1.0))
    for one, other in zip(arrays_of(once), arrays_of(textbook.recurrence(p, textbook.activation(x), u)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


@every_variant
def test_training_has_the_gradients_of_plain_reverse_mode(page, arguments):
    made = page.model(**arguments)
    if isinstance(made.textbook, Lacking):
        pytest.skip(made.textbook.reason)
    generator = np.random.default_rng(9)
    parameters = made.trained(*(getattr(first(made, generator), name) for name in made.trained._fields))
    inputs = generator.standard_normal((3, 9, COUNTS["inputs"]))
    shapes = jax.eval_shape(lambda p: textbook_activity(made, p, inputs, 0.3), parameters)
    weights = [generator.standard_normal(array.shape) for array in shapes]

    def loss(p, u, run):
        activities = run(made, p, u, 0.3, truncation=4)
        return sum((weight * (array + array**2)).sum() for weight, array in zip(weights, activities, strict=True))

    slow, fast = jax.jit(
        lambda p, u: [
            jax.value_and_grad(loss, argnums=(0, 1))(p, u, run) for run in (textbook_activity, trained_activity)
        ]
    )(parameters, inputs)
    for expected, found in zip(jax.tree.leaves(slow), jax.tree.leaves(fast), strict=True):
        # The same sums in another order: rounding of some hundred additions.
        assert np.linalg.norm(found - expected) <= 1e-12 * np.linalg.norm(expected)


@every_variant
def test_a_writing_that_is_lacking_is_refused_with_its_reason(page, arguments):
    made = page.model(**arguments)
    for name in ("rate", "tuning", "spiking"):
        writing = getattr(made, name)
        if not isinstance(writing, Lacking):
            assert made.writing(name) is writing
            continue
        assert len(writing.reason.split()) > 3
        values = first(made, np.random.default_rng(0))._asdict()
        with pytest.raises(CortwinError, match=re.escape(f"{made.name} has no {name} writing: {writing.reason}")):
            simulate(made, name, values, trials(np.random.default_rng(0)), dt=0.001, engine="numpy")
    if isinstance(made.textbook, Lacking):
        with pytest.raises(CortwinError, match=re.escape(made.textbook.reason)):
            made.recurrence()
