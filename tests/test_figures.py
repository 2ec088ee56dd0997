"""Figures: formulas that mean what was written, drawings that are what was handed in, and the same bytes twice."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from functools import cache, partial
from itertools import pairwise
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.mathtext import MathTextParser
from scipy.optimize import minimize

from cortwin import figures
from cortwin.activity import activity
from cortwin.figures import RotationPanel, page_texts, save, to_mathtext, typeset_page
from cortwin.figures.equation_lines import constant_text, pathway_lines, population_lines, textbook_lines
from cortwin.figures.ladder import _percent
from cortwin.figures.page import source_of
from cortwin.figures.style import COLOURS, direction_colours, spread
from cortwin.models import elman

# --- expressions ------------------------------------------------------------------------------------------------------

EXPRESSIONS = {
    "a - (b + c)": "a - (b + c)",
    "a + (b + c)": "a + b + c",
    "a*(b + c)": r"a\,(b + c)",
    "-(a + b)*c": r"-(a + b)\,c",
    "a*(-b*c)": r"a\,(-b\,c)",
    "a - -b": "a - (-b)",
    "3*2*x": r"3\cdot 2\,x",
    "x*2": r"x\cdot 2",
    "(a + b)/(c*d)": r"\dfrac{a + b}{c\,d}",
    "1/(1/a + 1/b)": r"\dfrac{1}{\frac{1}{a} + \frac{1}{b}}",
    "-r/tau_s": r"-\dfrac{r}{\tau_{\mathrm{s}}}",
    "exp(-t/tau)": r"e^{-t/\tau}",
    "1/(1 + exp(-x))": r"\dfrac{1}{1 + e^{-x}}",
    "(-a)**2": "{(-a)}^{2}",
    "exp(-x)**2": "{(e^{-x})}^{2}",
    "(a**2)**3": "{({a}^{2})}^{3}",
    "x0 + b_out": r"x_{0} + b_{\mathrm{out}}",
    "p.W_rec @ f(x) + p.b": r"W_{\mathrm{rec}}\;f(x) + b",
    "W.T @ x": r"W^{\top}\,x",
    "jnp.tanh(x)": r"\tanh(x)",
    "jnp.maximum(x, 0)": r"\max(x,\,0)",
    "clip(x, 0, inf)": r"{[x]}_{+}",
    "clip(x, 1e-9, inf)": r"\max(x,\,10^{-9})",
    "clip(x, -1, 1)": "{[x]}_{-1}^{1}",
    "int(J > 1)/2": r"\dfrac{[J > 1]}{2}",
    "log1p(1/x)": r"\log\left(1 + \frac{1}{x}\right)".replace("frac", "dfrac"),
    "sqrt(abs(x))": r"\sqrt{|x|}",
    "v > 1 and not_refractory": r"v > 1\;\mathrm{and}\;\mathrm{not}_{\mathrm{refractory}}",
    "gain*heard + bias - v": r"\mathrm{gain}\,\mathrm{heard} + \mathrm{bias} - v",
    "2.5e-7*x": r"2.5\times 10^{-7}\,x",
    "x[i]": "{x}_{i}",
}


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS.items())
def test_expression_is_typeset_in_the_order_of_its_text(text, expected):
    assert to_mathtext(text) == expected
    MathTextParser("path").parse(f"${expected}$")  # matplotlib can draw it


def _python_of(mathtext: str) -> str:
    """Read mathtext of sums, products, fractions and powers back as Python: the reference of the test below."""
    text = mathtext.replace(r"\dfrac", r"\frac").replace(r"\left", "").replace(r"\right", "")
    while (start := text.find(r"\frac{")) >= 0:
        ends, depth = [], 0
        for k in range(start + 5, len(text)):
            depth += {"{": 1, "}": -1}.get(text[k], 0)
            if depth == 0 and text[k] == "}":
                ends.append(k)
                if len(ends) == 2:
                    break
        above, below = text[start + 6 : ends[0]], text[ends[0] + 2 : ends[1]]
        text = f"{text[:start]}(({above})/({below})){text[ends[1] + 1 :]}"
    return text.replace(r"\,", "*").replace(r"\cdot ", "*").replace("^", "**").replace("{", "(").replace("}", ")")


ATOMS = st.sampled_from(["a", "b", "c", "2", "3"])
FORMULAS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda part: f"({part[0]}) {part[1]} ({part[2]})"),
        inner.map(lambda text: f"-({text})"),
        st.tuples(inner, st.sampled_from(["2", "-1", "a/b", "-a/(b*c)"])).map(lambda part: f"({part[0]})**({part[1]})"),
    ),
    max_leaves=8,
)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(FORMULAS)
def test_formula_means_what_its_text_means(text):
    values = {"a": 1.7, "b": 0.6, "c": 2.9}
    try:
        expected = eval(text, {}, values)
    except (ZeroDivisionError, OverflowError):
        return
    formula = _python_of(to_mathtext(text))
    assert not re.search(r"[-+*/] *-", formula)  # Python reads a*-b; a reader does not
    found = eval(formula, {}, values)
    # a + (b + c) is drawn, and read back, without parentheses: rounding may differ.
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("text", ["a +", "[x for x in y]", "f(x=1)", "'a'", "a if b else c", "a & b", "x in y"])
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(ValueError, match=r"no place in a formula|not an expression|plain call"):
        to_mathtext(text)


# --- pages ------------------------------------------------------------------------------------------------------------


def _step(p, x, u, alpha, f):
    """Return the next state."""
    gate = 1 / (1 + np.exp(-x))
    return (1 - alpha) * x + alpha * (p.W_rec @ f(gate) + p.W_in @ u)


def _shapes_up(x):
    if x > 0:
        return x
    return 0


TEXTS = {
    "name": "small",
    "textbook": {
        "step": "def step(p, x, u, alpha):\n    return (1 - alpha)*x + alpha*(p.W @ x + u)\n",
        "activation": "tanh",
        "output": "def output(p, h):\n    return p.W_out @ h",
    },
    "spiking": {
        "populations": {
            "cortex": {"equations": "dr/dt = -r/tau_s : 1\nb : 1 (constant)", "size": "units"},
            "neurons": {
                "equations": "dv/dt = (b - v)/tau_m : 1 (unless refractory)",
                "threshold": "v > 1",
                "reset": "v = 0; a += 1",
                "refractory": "t_ref",
                "size": "neurons",
                "linked": {"b": "cortex.b"},
            },
        },
        "pathways": {
            "decode": {
                "source": "neurons",
                "target": "cortex",
                "connect": "convergent",
                "equations": "d : second",
                "on_pre": "r_post += d/tau_s",
                "values": {"d": "decoder"},
                "delay": "lag",
            },
            "recurrence": {
                "source": "cortex",
                "target": "cortex",
                "connect": "all_to_all",
                "equations": "w : 1\ns_post = w*r_pre : 1 (summed)",
                "values": {"w": "W_rec"},
            },
        },
    },
    "constants": {"tau_m": "20 ms", "alpha": "dt/tau"},
}


def test_a_page_is_typeset_line_by_line():
    book = textbook_lines(TEXTS["textbook"])
    assert book["step"][0].formula == r"x_{t} = (1 - \alpha)\,x_{t-1} + \alpha\,(W\,x_{t-1} + u_{t})"
    assert book["activation"][0].formula == r"f(x) = \tanh(x)"
    assert book["output"][0].formula == r"y_{t} = W_{\mathrm{out}}\,h_{t}"
    populations, pathways = TEXTS["spiking"]["populations"], TEXTS["spiking"]["pathways"]
    assert population_lines(populations["cortex"])[0].formula == r"\dfrac{dr}{dt} = -\dfrac{r}{\tau_{\mathrm{s}}}"
    membrane, spike = population_lines(populations["neurons"])
    assert (membrane.remark, spike.remark) == ("unless refractory", r"then silent for $t_{\mathrm{ref}}$")
    assert spike.formula.startswith("v > 1")
    assert r"v \leftarrow 0" in spike.formula
    assert r"a \leftarrow a + 1" in spike.formula
    (decode,) = pathway_lines(pathways["decode"])
    assert decode.formula.endswith(r"r_{i} \leftarrow r_{i} + \dfrac{d_{k}}{\tau_{\mathrm{s}}}")
    assert decode.remark == r"$d = \mathrm{decoder}$,  after $\mathrm{lag}$"
    (recurrence,) = pathway_lines(pathways["recurrence"])
    assert recurrence.formula == r"s_{i} = \sum_{j}\,w_{ij}\,r_{j}"
    assert recurrence.remark == r"$w = W_{\mathrm{rec}}$"
    assert constant_text("tau_m", "20. ms") == r"\tau_{\mathrm{m}} = 20\,\mathrm{ms}"
    assert constant_text("alpha", "dt/tau") == r"\alpha = \mathrm{dt}/\tau"


def test_the_sum_over_a_convergent_pathway_runs_over_the_neurons_of_the_unit():
    texts = {"equations": "d : 1\nr_post = d*rate_pre - b_post : 1 (summed)", "connect": "convergent"}
    assert pathway_lines(texts)[0].formula == r"r_{i} = \sum_{k \in i}\,\left(d_{k}\,\mathrm{rate}_{k} - b_{i}\right)"


def test_assignments_before_the_return_are_typeset_too():
    lines = textbook_lines({"step": source_of(partial(_step, f=np.tanh))})["step"]
    assert [line.formula for line in lines] == [
        r"\mathrm{gate} = \dfrac{1}{1 + e^{-x_{t-1}}}",
        r"x_{t} = (1 - \alpha)\,x_{t-1} + \alpha\,(W_{\mathrm{rec}}\;f(\mathrm{gate}) + W_{\mathrm{in}}\,u_{t})",
    ]


def test_the_source_of_a_lambda_is_its_own():
    first, second = (lambda x: x + 1), (lambda x: lambda y: y * x)
    assert source_of(first) == "lambda x: x + 1"
    assert source_of(second) == "lambda x: lambda y: y * x"
    assert source_of(second(2)) == "lambda y: y * x"
    assert source_of(np.tanh) == "tanh"


def test_what_cannot_be_typeset_is_refused_by_name():
    made = {}
    exec("def f(x):\n    return x\ng = lambda x: x", made)
    for function in (made["f"], made["g"]):
        with pytest.raises(ValueError, match="its source cannot be found"):
            source_of(function)
    with pytest.raises(ValueError, match="_shapes_up: 'if x > 0"):
        textbook_lines({"activation": source_of(_shapes_up)})
    with pytest.raises(ValueError, match="states no unit"):
        population_lines({"equations": "x = 1"})
    with pytest.raises(ValueError, match="not an assignment"):
        pathway_lines({"equations": "w : 1", "on_pre": "v_post"})


def test_any_object_with_the_attributes_of_a_model_will_do():
    texts = TEXTS["spiking"]
    writing = SimpleNamespace(
        populations={name: SimpleNamespace(**population) for name, population in texts["populations"].items()},
        pathways={name: SimpleNamespace(**pathway) for name, pathway in texts["pathways"].items()},
    )
    model = SimpleNamespace(
        name="small", textbook=SimpleNamespace(step=_step), spiking=writing, constants={"tau": "1. s"}
    )
    found = page_texts(model)
    assert found["spiking"]["pathways"] == texts["pathways"]
    assert found["constants"] == {"tau": "1 s"}
    assert set(found) == {"name", "textbook", "constants", "spiking"}


@pytest.mark.parametrize("activation", elman.ACTIVATIONS)
def test_every_text_of_the_elman_page_is_typeset(activation):
    page = page_texts(elman.model(activation))
    assert json.loads(json.dumps(page)) == page
    figure = typeset_page(page, ("textbook", "rate", "tuning", "spiking"))
    drawn = " ".join(text.get_text() for text in figure.texts)
    for writing in ("rate", "tuning", "spiking"):
        for population in page[writing]["populations"].values():
            assert all(line.formula in drawn for line in population_lines(population))
        for pathway in page[writing]["pathways"].values():
            assert all(line.formula in drawn for line in pathway_lines(pathway))


@pytest.mark.parametrize(("link", "shown"), [("linear", "W"), ("softmax", "softmax"), ("logistic", "logistic")])
def test_what_stands_behind_the_readout_is_displayed_with_it(link, shown):
    texts = page_texts(elman.model().with_output(link))["textbook"]
    for source in (texts["output"], page_texts(SimpleNamespace(name="", textbook=_lambda(link)))["textbook"]["output"]):
        (line,) = textbook_lines({"output": source})["output"]
        assert line.formula.startswith(r"y_{t} = \mathrm{" + shown if shown != "W" else r"y_{t} = W")


def _lambda(link):
    return SimpleNamespace(output=lambda p, h: p.W @ h, link=link)


def _pixels(figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


FLIPS = [
    (("textbook", "step"), "(1 - alpha)", "(1 + alpha)"),
    (("spiking", "populations", "cortex", "equations"), "-r", "r"),
    (("spiking", "populations", "neurons", "equations"), "b - v", "b + v"),
    (("spiking", "populations", "neurons", "threshold"), ">", "<"),
    (("spiking", "populations", "neurons", "reset"), "v = 0", "v = -0"),
    (("spiking", "pathways", "decode", "on_pre"), "+=", "-="),
    (("spiking", "pathways", "recurrence", "equations"), "= w", "= -w"),
]


def test_flipping_a_sign_in_a_text_changes_the_picture():
    draw = partial(typeset_page, writings=("textbook", "spiking"))
    pictures = [_pixels(draw(TEXTS)), _pixels(draw(TEXTS))]
    assert np.array_equal(*pictures)  # nothing else changes it
    for path, before, after in FLIPS:
        changed = copy.deepcopy(TEXTS)
        place = changed
        for key in path[:-1]:
            place = place[key]
        assert before in place[path[-1]]
        place[path[-1]] = place[path[-1]].replace(before, after)
        picture = _pixels(draw(changed))
        assert picture.shape != pictures[0].shape or not np.array_equal(picture, pictures[0]), path


def test_flipping_any_sign_of_the_elman_page_changes_its_line():
    page = page_texts(elman.model("logistic"))
    flipped = 0
    for writing in ("rate", "tuning", "spiking"):
        for kind, typeset in (("populations", population_lines), ("pathways", pathway_lines)):
            for texts in page[writing][kind].values():
                for number, line in enumerate(texts["equations"].splitlines()):
                    if "-" in line:
                        lines = texts["equations"].splitlines()
                        lines[number] = line.replace("-", "+", 1)
                        assert typeset({**texts, "equations": "\n".join(lines)}) != typeset(texts), line
                        flipped += 1
    assert flipped >= 6


# --- drawings ---------------------------------------------------------------------------------------------------------

N_DIRECTIONS, N_TIMES, DT = 8, 60, 0.02
ANGLES = 2 * np.pi * np.arange(N_DIRECTIONS) / N_DIRECTIONS
ON_TRIAL = {
    "condition": ("trial", np.arange(N_DIRECTIONS)),
    "direction": ("trial", ANGLES),
    "movement_onset": ("trial", np.full(N_DIRECTIONS, 0.5)),
}


def _velocity(scale: float = 1.0, last: float | None = None) -> xr.DataArray:
    speed = np.exp(-(((np.arange(N_TIMES) * DT - 0.7) / 0.15) ** 2))
    values = scale * speed[None, :, None] * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)[:, None]
    made = activity(values, dt=DT, last="output", coordinates=ON_TRIAL)
    if last is not None:
        made.values[-1] = last
    return made


def _units(scale: float = 1.0) -> xr.DataArray:
    time = DT * np.arange(N_TIMES)
    values = scale * np.sin(time[None, :, None] * np.arange(1, 4) + ANGLES[:, None, None])
    return activity(values, dt=DT, coordinates=ON_TRIAL)


def _spikes(n_units: int = 12, n_events: int = 400, n_trials: int = N_DIRECTIONS) -> xr.Dataset:
    generator = np.random.default_rng(2)
    duration = DT * N_TIMES
    trial, unit = generator.integers(0, n_trials, n_events), generator.integers(0, n_units, n_events)
    time = generator.uniform(0, duration, n_events)
    order = np.lexsort((unit, time, trial))
    return xr.Dataset(
        {"trial": ("event", trial[order]), "unit": ("event", unit[order]), "time": ("event", time[order])},
        attrs={"n_trials": n_trials, "n_units": n_units, "t_start": 0.0, "duration": duration, "dt": 1e-4},
    )


def _panel(direction: bool = True, value: float = 1.0, reason: str = "") -> RotationPanel:
    turn = np.linspace(0, 2, 20)[None] + ANGLES[:, None]
    coordinates = {"direction": ("trial", ANGLES)} if direction else {}
    values = value * np.stack([np.cos(turn), np.sin(turn)], axis=2) * (1 + np.arange(N_DIRECTIONS))[:, None, None]
    projections = xr.DataArray(values, dims=("trial", "time", "jpc"), coords=coordinates)
    return RotationPanel(projections, value, 0.5 * value, 0.6 * value, 0.1 * value, reason)


RUNGS = [
    {"rung": "R1", "step": None, "total": None},
    {"rung": "R2", "step": 0.0, "total": 3e-16},
    {"rung": "R3", "step": 0.02, "total": 0.02},
    {"rung": "R5", "step": float("nan"), "total": 0.03, "neurons_per_unit": 16},
]
CURVE = [{"neurons_per_unit": n, "nrmse": 1 / n, "low": 0.9 / n, "high": 1.2 / n} for n in (1, 4, 16, 64)]
SCORES = {
    f"{measure}.{mean}.{name}": score
    for measure in ("cka", "cca", "procrustes")
    for mean in ("mean_kept", "mean_removed")
    for name, score in {"spiking": 0.7, "textbook": 0.8, "untrained": 0.3, "noise": -0.6, "ceiling": 0.9}.items()
}
LOSS = np.exp(-np.arange(1, 50) / 10)
LAYERS = ("L23", "L4", "L5", "L6")
# Guesses of few patterns, from never right to always right.
TOLD = [
    {"kind": kind, "layer": layer, "asked": asked, "delay": delay, "last": 0.05, "low": None, "high": None,
     "accuracy": (number + round(1e3 * delay)) % 7 / 6}
    for kind in ("cortical", "random") for number, layer in enumerate(LAYERS)
    for asked in ("pattern", "previous", "xor", "lag_2") for delay in (0.01, 0.02, 0.03, 0.04, 0.05)
]  # fmt: skip
DRAWINGS = {
    "hands": lambda: figures.hand_paths(
        {"textbook": _velocity(), "spiking": _velocity(0.9)}, _velocity(), trained=[0, 2, 4], notes={"spiking": "0.9"}
    ),
    "activity": lambda: figures.example_units(
        {"spiking": _units(1.1), "textbook": _units(), "rate": _units()},
        units=[0, 2], trials=[1, 3], titles=["left", "right"], spikes=_spikes(), events=[{"go": 0.4}, {"go": 0.5}],
    ),
    "raster": lambda: figures.spike_raster(_spikes(), np.linspace(-3, 3, 12), bin_width=DT, events={"go": 0.4}),
    "rungs": lambda: figures.ladder_rungs(RUNGS),
    "cover": lambda: figures.neurons_per_unit(
        {"tanh": CURVE, "relu": CURVE[:3]}, units=10, floors={"tanh": 0.01}, subtitle="a test"
    ),
    "rotations": lambda: figures.rotation_planes({"spiking": _panel(), "recording": _panel(False)}),
    "eigenvalues": lambda: figures.eigenvalues({"untrained": [0.5, 1j, -1j], "trained": [1.2, 0.1]}, tau=0.1),
    "training": lambda: figures.training_curves(LOSS, validation=2 * LOSS, gradient_norm=LOSS, clip=0.5, best=40),
    "similarity": lambda: figures.similarity_scores(SCORES),
    "convergence": lambda: figures.convergence_order([1e-3, 2e-3, 4e-3], {"rate": [0.01, 0.02, 0.04]}, slope=1.0),
    "outcomes": lambda: figures.outcomes({"no compiler": True, "a full disk": False}),
    "forecast_errors": lambda: figures.forecast_errors(
        {"one": {"linear": [0.1], "reservoir, spiking": [0.2, 0.4]}, "two": {"linear": [], "LSTM": [1e-6, 2.0]}}
    ),
    "free_runs": lambda: figures.free_runs(
        LOSS[:10], LOSS[:20], {"GRU": LOSS[1:21], "reservoir, rate": -9 * LOSS[:20]}
    ),
    "horizon": lambda: figures.errors_by_horizon({"one": {"linear": LOSS, "reservoir, rate": 1e3 * LOSS}}),
    "memory": lambda: figures.memory_curves({"cycle": LOSS, "reservoir, textbook": 1 - LOSS}),
    "lengths": lambda: figures.errors_over_length(
        {"adding": {"gru": {50: 0.001, 200: 0.1}, "elman": {50: 0.1, 200: 0.2}}}, {"adding": {50: 1 / 6, 200: 1 / 6}}
    ),
    "held": lambda: figures.held_values(
        {name: {"rate": LOSS[:, None], "spiking": 0.9 * LOSS[:, None]} for name in "abcde"},
        dict.fromkeys("abcde", LOSS[:, None]), 0.1,
    ),
    "delays": lambda: figures.accuracy_over_delay(TOLD, LAYERS, chance=0.5),
    "questions": lambda: figures.accuracy_of_questions(TOLD, LAYERS, chance=0.5),
    "page": lambda: typeset_page(TEXTS, ("textbook", "spiking")),
}  # fmt: skip


@cache
def _drawn(name):
    return DRAWINGS[name]()


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_data_give_the_same_bytes(name, tmp_path):
    settings_before = dict(mpl.rcParams)
    written = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        written.append([path.read_bytes() for path in save(DRAWINGS[name](), tmp_path / folder, name)])
    assert written[0] == written[1]
    svg, png = written[0]
    assert png.startswith(b"\x89PNG")
    assert b"Software" not in png
    assert b"<dc:date>" not in svg
    assert b"<text" not in svg  # letters are outlines
    assert dict(mpl.rcParams) == settings_before


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_does_not_depend_on_the_settings_of_the_user(name):
    plain = _pixels(_drawn(name))
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "lines.linewidth": 5, "axes.facecolor": "yellow"}):
        figure = DRAWINGS[name]()
    assert np.array_equal(_pixels(figure), plain)


@pytest.mark.parametrize("name", DRAWINGS)
def test_everything_that_is_drawn_lies_within_the_page(name):
    figure = _drawn(name)
    width, height = figure.get_size_inches()
    assert width <= 183 / 25.4 + 1e-9  # two columns
    box, slack = figure.get_tightbbox(), 0.02  # inches: half a line width, and the white around letters
    assert box.xmin >= -slack
    assert box.ymin >= -slack
    assert box.xmax <= width + slack
    assert box.ymax <= height + slack


def _words(figure) -> str:
    found = [text.get_text() for axes in figure.axes for text in axes.texts] + [
        text.get_text() for text in figure.texts
    ]
    return " ".join(" ".join(found).split())


NAN = float("nan")
UNDRAWABLE = {
    "no hand movement": lambda: figures.hand_paths({}, _velocity()),
    "velocities are not finite": lambda: figures.hand_paths({"rate": _velocity(last=NAN)}, _velocity()),
    "no activity": lambda: figures.example_units({}, units=[0], trials=[0]),
    "rate: no finite value": lambda: figures.example_units(
        {"textbook": _units(), "rate": _units() * NAN}, units=[0], trials=[0]
    ),
    "no spike in this trial": lambda: figures.spike_raster(_spikes(n_events=0), np.zeros(12), bin_width=DT),
    "no neuron has a preferred direction": lambda: figures.spike_raster(_spikes(), np.full(12, NAN), bin_width=DT),
    "no rung has a distance": lambda: figures.ladder_rungs([RUNGS[0]]),
    "no spiking network has a finite distance": lambda: figures.neurons_per_unit(
        {"tanh": [{"neurons_per_unit": 1, "nrmse": NAN}]}
    ),
    "no plane": lambda: figures.rotation_planes({}),
    "nothing turns": lambda: figures.rotation_planes({"rate": _panel(value=NAN, reason="nothing turns")}),
    "the projections are not finite": lambda: figures.rotation_planes({"rate": _panel(value=NAN)}),
    "no eigenvalue": lambda: figures.eigenvalues({"trained": []}),
    "the eigenvalues are not finite": lambda: figures.eigenvalues({"trained": [NAN, 1.0]}),
    "no finite loss": lambda: figures.training_curves([]),
    "loss not finite from step 3": lambda: figures.training_curves([1.0, 2.0, NAN]),
    "no similarity": lambda: figures.similarity_scores({}),
    "– it does not vary": lambda: figures.similarity_scores(
        {"cka.mean_kept.rate": None, "cka.mean_kept.noise": 0.2}, {"cka.mean_kept.rate": "it does not vary"}
    ),
    "no finite error": lambda: figures.convergence_order([], {"rate": []}),
    "nothing was tried": lambda: figures.outcomes({}),
    "nothing was forecast": lambda: figures.forecast_errors({}),
    "nothing ran freely": lambda: figures.free_runs([1.0, 2.0], [3.0], {}),
    "nothing ran for long": lambda: figures.errors_by_horizon({}),
    "nothing was learned": lambda: figures.errors_over_length({}, {}),
    "nothing was held": lambda: figures.held_values({}, {}, 0.1),
    "nothing remembers": lambda: figures.memory_curves({}),
    "no equations": lambda: typeset_page({"name": "empty"}),
}


def test_an_outcome_is_a_disc_or_a_cross_beside_its_name():
    (axes,) = figures.outcomes({"no compiler": True, "a full disk": False, "a crash": True}).axes
    drawn = [line for line in axes.lines if line.get_marker() in ("o", "X")]
    assert [(line.get_marker(), *line.get_xdata(), *line.get_ydata()) for line in drawn] == [
        ("o", 0, 0),
        ("X", 1, 1),
        ("o", 0, 2),
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["no compiler", "a full disk", "a crash"]


@pytest.mark.parametrize("reason", UNDRAWABLE)
def test_what_cannot_be_drawn_is_said_in_the_panel(reason, tmp_path):
    figure = UNDRAWABLE[reason]()
    save(figure, tmp_path, "figure")
    assert reason in _words(figure)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"spiking has the shape \(8, 60, 1\), the target \(8, 60, 2\)"):
        figures.hand_paths({"spiking": _velocity()[:, :, :1]}, _velocity())
    with pytest.raises(ValueError, match=r"\(3,\) preferred directions for 12 neurons"):
        figures.spike_raster(_spikes(), np.zeros(3))
    with pytest.raises(ValueError, match="2 errors of rate at 3 time steps"):
        figures.convergence_order([1, 2, 3], {"rate": [1, 2]})
    with pytest.raises(ValueError, match="2 values of validation loss at 3 steps"):
        figures.training_curves([1, 2, 3], validation=[1, 2])


# --- what is in the drawings ------------------------------------------------------------------------------------------


def test_hand_paths_end_where_the_velocity_leads():
    figure = figures.hand_paths({"rate": _velocity(2.0)}, _velocity(), trained=[0])
    paths = [line for line in figure.axes[0].lines if len(line.get_xdata()) == N_TIMES]
    target, reached = np.array([line.get_xydata()[-1] for line in paths]).reshape(2, N_DIRECTIONS, 2)
    # The bell of width 0.15 s has died away at both ends: its integral is 0.15 sqrt(pi), to the 1e-4 that is cut off.
    expected = 0.15 * np.sqrt(np.pi) * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    np.testing.assert_allclose(target, expected, atol=1e-3)
    np.testing.assert_allclose(reached, 2 * target, rtol=1e-12, atol=1e-15)
    dashed = [line.get_linestyle() != "-" for line in paths[N_DIRECTIONS:]]
    assert dashed == [False] + [True] * (N_DIRECTIONS - 1)


def test_raster_shows_every_spike_of_the_trial_in_the_order_of_preferred_direction():
    spikes, preferred = _spikes(), np.linspace(3, -3, 12)
    preferred[4] = NAN
    figure = figures.spike_raster(spikes, preferred, trial=2, bin_width=DT)
    mine = (spikes["trial"].to_numpy() == 2) & (spikes["unit"].to_numpy() != 4)
    dots = figure.axes[0].collections[0]
    rank = {unit: place for place, unit in enumerate(unit for unit in range(11, -1, -1) if unit != 4)}
    expected = [
        (time, rank[unit]) for time, unit in zip(spikes["time"].values[mine], spikes["unit"].values[mine], strict=True)
    ]
    np.testing.assert_array_equal(np.asarray(dots.get_offsets()), expected)
    assert dots.get_rasterized()
    np.testing.assert_allclose(dots.get_facecolors(), direction_colours(preferred[spikes["unit"].values[mine]]))


def test_a_large_raster_is_thinned_and_stays_small(tmp_path):
    figure = figures.spike_raster(_spikes(5000, 100_000, 1), np.linspace(-3, 3, 5000), bin_width=DT, largest=1500)
    assert "1,500 of 5,000 neurons" in figure.axes[0].get_ylabel()
    svg, _ = save(figure, tmp_path, "raster")
    assert svg.stat().st_size < 1_500_000


def test_the_cover_answers_its_question():
    # On the line 1/n between logarithms an error of 5 % is reached at exactly 20 neurons.
    assert "≈ 20 neurons" in _words(figures.neurons_per_unit({"tanh": CURVE}))
    assert "more than 16 neurons, for an error of 5 %" in _words(figures.neurons_per_unit({"tanh": CURVE[:3]}))
    others = [{"rung": "R4", "neurons_per_unit": 2, "nrmse": 1e-3}, {"rung": "R2", "nrmse": 1e-9}]
    assert "≈ 20 neurons" in _words(figures.neurons_per_unit({"tanh": [*CURVE, *others]}))
    assert "1 or fewer neurons" in _words(figures.neurons_per_unit({"tanh": CURVE}, tolerance=1.0))
    assert [_percent(value) for value in (0.0123, 0.5, 1.0)] == ["1.2 %", "50 %", "100 %"]


def test_a_distance_of_zero_stands_on_the_floor_and_many_empty_decades_are_cut_out():
    figure = figures.ladder_rungs(
        [{"rung": "R2", "step": 0.0, "total": 0.0}, {"rung": "R3", "step": 0.02, "total": 0.02}]
    )
    assert len(figure.axes) == 1
    assert {"0", "0.02"} <= set(_words(figure).split())
    assert len(figures.ladder_rungs(RUNGS).axes) == 2


def test_a_score_far_below_zero_stands_at_the_edge_with_its_number():
    figure = figures.similarity_scores(SCORES)
    assert "−0.6" in _words(figure)
    for axes in figure.axes:
        points = [line for line in axes.lines if line.get_marker() in ("o", "<")]
        assert [line.get_marker() for line in points].count("<") == 1
        assert all(axes.get_xlim()[0] <= line.get_xdata()[0] <= axes.get_xlim()[1] for line in points)


def test_labels_are_spread_as_little_as_possible():
    wanted, gap = np.array([0.3, 0.0, 0.05, 1.0, 0.32]), 0.1
    placed = spread(wanted, gap)
    order = np.argsort(wanted)
    constraints = [{"type": "ineq", "fun": lambda y, a=a, b=b: y[b] - y[a] - gap} for a, b in pairwise(order)]
    reference = minimize(lambda y: np.sum((y - wanted) ** 2), wanted, constraints=constraints, tol=1e-12).x
    np.testing.assert_allclose(placed, reference, atol=1e-6)  # the solver's own accuracy
    assert spread([], 1.0).size == 0


def test_colours_of_what_is_compared_stay_apart_for_the_colour_blind():
    # Red or green cones missing: Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113, on linear RGB.
    views = {
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
    }
    names = ("textbook", "rate", "tuning", "spiking", "recording")
    linear = np.array([to_rgb(COLOURS[name]) for name in names]) ** 2.2
    for view in views.values():
        seen = np.clip(linear @ np.array(view).T, 0, 1) ** (1 / 2.2)
        distance = np.linalg.norm(seen[:, None] - seen[None], axis=2) + 10 * np.eye(len(names))
        assert distance.min() > 0.2


def test_colours_of_directions_close_the_circle():
    colours = direction_colours(np.linspace(0, 2 * np.pi, 361))[:, :3]
    np.testing.assert_allclose(colours[0], colours[-1], atol=1e-12)
    steps = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    assert steps.max() < 0.02  # no seam


def test_figures_import_no_engine_and_no_window():
    code = "import sys, cortwin.figures; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "cortwin.figures" in loaded
    assert not {"brian2", "jax", "matplotlib.pyplot"} & set(loaded)


def test_outputs_are_drawn_where_their_steps_end():
    def y(values, dt):
        return activity(np.asarray(values, dtype=float)[None, :, None], dt=dt, last="output")

    columns = {
        "as it came": {"rate": y([1, 2], 0.1)},
        "fine-tuned": {"target": y([1, 2], 0.05), "rate": y([0, 2], 0.05), "spiking": y([1, 3], 0.05)},
    }
    figure = figures.output_traces(columns, outputs=[0])
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("as it came", "fine-tuned")
    assert [line.get_xydata().tolist() for line in left.lines] == [[[0.1, 1], [0.2, 2]]]
    assert len(right.lines) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["target", "rate", "spiking"]
    assert "no output to draw" in str([text.get_text() for text in figures.output_traces({}, outputs=[]).axes[0].texts])
