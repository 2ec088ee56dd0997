"""The battery over every page in models/: what a page promises, whichever network it holds.

A page's variants are the arguments of its `model()`: `activation` takes each of the page's `ACTIVATIONS`, and so on.
What can only be known of one page (its loop in plain NumPy, a step by hand) stands in a table by the page's name.
"""

import importlib
import inspect
import pkgutil
import re
from itertools import product

import brian2
import numpy as np
import pytest

from cortwin import models
from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.figures import page_texts, typeset_page
from cortwin.model import SIZES, Lacking, Model, check_array
from cortwin.simulation import simulate
from cortwin.training import gradient_errors

PAGES = {
    module.name: importlib.import_module(f"cortwin.models.{module.name}")
    for module in pkgutil.iter_modules(models.__path__)
}
COUNTS = {"inputs": 2, "units": 6, "outputs": 1}


def variants(page):
    """Return the arguments of every model of a page."""
    names = list(inspect.signature(page.model).parameters)
    choices = [tuple(getattr(page, f"{name.upper()}S")) for name in names]
    return [dict(zip(names, chosen, strict=True)) for chosen in product(*choices)]


VARIANTS = [(name, arguments) for name, page in PAGES.items() for arguments in variants(page)]
EVERY = [pytest.param(PAGES[name], arguments, id="-".join([name, *arguments.values()])) for name, arguments in VARIANTS]
every_variant = pytest.mark.parametrize(("page", "arguments"), EVERY)
every_page = pytest.mark.parametrize("page", [pytest.param(page, id=name) for name, page in PAGES.items()])


def test_there_are_pages():
    assert {"elman", "lif"} <= set(PAGES)
    assert len(EVERY) >= 5


def first(page, generator):
    """Draw parameters, with everything that starts at zero moved away from it."""
    sizes = [COUNTS[name] for name in COUNTS if name in inspect.signature(page.initial).parameters]
    parameters = page.initial(generator, *sizes)
    moved = {name: array for name, array in parameters._asdict().items() if not np.any(array)}
    return parameters._replace(**{name: 0.5 * generator.standard_normal(np.shape(a)) for name, a in moved.items()})


def trials(generator, steps=20, dt=0.01):
    return activity(generator.standard_normal((2, steps, COUNTS["inputs"])), dt=dt, last="input", name="input")


@every_variant
def test_the_model_builds_and_carries_its_pages_name(page, arguments):
    made = page.model(**arguments)
    assert isinstance(made, Model)
    assert made.name == page.__name__.rpartition(".")[2]
    # A page can be made again: nothing of the first is kept.
    assert page_or_reason(page.model(**arguments)) == page_or_reason(made)


def page_or_reason(made):
    return {name: getattr(made, name) for name in ("rate", "tuning", "spiking", "shapes")}


@every_page
def test_an_unknown_variant_is_answered_with_the_known(page):
    for name in inspect.signature(page.model).parameters:
        with pytest.raises(ValueError, match=r"is 'no such', expected one of \w+"):
            page.model(**{name: "no such"})


def symbols(page):
    """Read the symbol table of a docstring: name -> (shape, unit)."""
    lines = inspect.getdoc(page).splitlines()
    start = next(k for k, line in enumerate(lines) if line.split()[:3] == ["symbol", "shape", "unit"])
    table = {}
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        found = re.match(r"^(?P<names>[\w, ]+?)\s+\((?P<shape>[\w, ]*)\)\s+(?P<unit>\S+)\s+\S", line)
        assert found, f"no row of a symbol table: {line}"
        shape = tuple(size.strip() for size in found["shape"].split(",") if size.strip())
        table |= {name.strip(): (shape, found["unit"]) for name in found["names"].split(",")}
    return table


@every_page
def test_the_symbol_table_names_every_array_and_constant(page):
    made, table = page.model(), symbols(page)
    assert all(set(shape) <= set(SIZES) for shape, _ in table.values())
    missing = (set(made.shapes) | set(made.constants)) - set(table)
    assert not missing
    for name, shape in made.shapes.items():
        assert table[name][0] == shape, name
    for name, value in made.constants.items():
        expected = {"s": brian2.second, "1": 1, "Hz": brian2.Hz}[table[name][1]]
        assert table[name][0] == ()
        assert brian2.have_same_dimensions(value, expected), name


@every_page
def test_the_docstring_has_its_equations_and_references(page):
    text = inspect.getdoc(page)
    made = page.model()
    for writing in ("textbook", "rate", "spiking"):
        assert bool(re.search(rf"^{writing}  ", text, re.MULTILINE)) != isinstance(getattr(made, writing), Lacking)
    assert re.search(r"^References\n-+\n", text, re.MULTILINE)
    assert "doi:10." in text


@every_variant
def test_what_is_displayed_is_what_ran(page, arguments):
    made = page.model(**arguments)
    texts = page_texts(made)
    for name in ("rate", "tuning", "spiking"):
        writing = getattr(made, name)
        if isinstance(writing, Lacking):
            assert not texts.get(name)
            continue
        assert set(texts[name]["populations"]) == set(writing.populations)
        for label, population in writing.populations.items():
            assert texts[name]["populations"][label]["equations"] == population.equations
            assert texts[name]["populations"][label].get("threshold") == population.threshold
        for label, pathway in writing.pathways.items():
            assert texts[name]["pathways"][label]["equations"] == pathway.equations
            assert texts[name]["pathways"][label].get("on_pre") == pathway.on_pre
    for role, source in texts["textbook"].items():
        function = getattr(made.textbook, role)
        own = getattr(getattr(function, "func", function), "__name__", "")
        assert own in source or "lambda" in source, role
    assert set(texts["constants"]) == set(made.constants)
    assert typeset_page(texts).texts


@every_page
def test_initial_values_are_reproducible_and_fit(page):
    sizes = [COUNTS[name] for name in COUNTS if name in inspect.signature(page.initial).parameters]
    drawn = [page.initial(np.random.default_rng(seed), *sizes)._asdict() for seed in (1, 1, 2)]
    made = page.model()
    assert set(drawn[0]) == set(made.trained._fields)
    random = {name for name, array in drawn[0].items() if np.any(array)}
    assert random
    for name, array in drawn[0].items():
        assert np.asarray(array).dtype == np.float64
        assert np.asarray(array).tobytes() == np.asarray(drawn[1][name]).tobytes()
        assert (np.asarray(array).tobytes() != np.asarray(drawn[2][name]).tobytes()) == (name in random)
        check_array(name, array, made.shapes[name], {**COUNTS, "neurons": 0})
    # Nothing of NumPy's global state is used.
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    page.initial(np.random.default_rng(1), *sizes)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


PLAIN = {"tanh": np.tanh, "logistic": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0)}


def elman_loop(p, u, alpha, activation):
    x, states = p.x0, []
    for sample in u:
        x = (1 - alpha) * x + alpha * (p.W_rec @ PLAIN[activation](x) + p.W_in @ sample + p.b)
        states.append(x)
    return np.array(states)


LOOPS = {"elman": elman_loop}


@every_variant
def test_the_rate_text_is_the_page_in_plain_numpy(page, arguments):
    made = page.model(**arguments)
    if isinstance(made.rate, Lacking):
        pytest.skip(made.rate.reason)
    generator = np.random.default_rng(3)
    parameters, inputs = first(page, generator), trials(generator)
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


ELMAN = {
    "W_rec": np.array([[0.5, -1.0], [2.0, 0.0]]),
    "W_in": np.array([[1.0], [-2.0]]),
    "b": np.array([0.1, 0.2]),
    "x0": np.zeros(2),
    "W_out": np.array([[2.0, -1.0]]),
    "b_out": np.array([0.3]),
}
# With h = (1/2, -1/4) and u = 1/2: W_rec h = (1/2, 1), W_in u = (1/2, -1), so f is taken of (1.1, 0.2), and y = 1.55.
# The leaky step, alpha = 0.1, starts where f(x) is a plain fraction: (1/2, -1/4), for the logistic (1/2, 3/4), and for
# ReLU, which cuts the negative half, (1/2, 0).
BY_HAND = {
    ("elman", "tanh"): (
        [0.8004990217606297, 0.197375320224904],
        [0.5493061443340549, -0.2554128118829953],
        [0.6043755299006494, -0.2098715306946958],
    ),
    ("elman", "logistic"): (
        [0.7502601055951177, 0.549833997312478],
        [0.0, 1.0986122886681098],
        [0.01, 1.0087510598012988],
    ),
    ("elman", "relu"): ([1.1, 0.2], [0.5, -0.25], [0.535, -0.205]),
}


@every_variant
def test_one_step_of_the_textbook_by_hand(page, arguments):
    made = page.model(**arguments)
    if isinstance(made.textbook, Lacking):
        pytest.skip(made.textbook.reason)
    h, x, expected = BY_HAND[made.name, *arguments.values()]
    p, u, state = made.trained(**ELMAN), np.array([0.5]), np.array([0.5, -0.25])
    textbook = made.recurrence()
    np.testing.assert_allclose(textbook.recurrence(p, state, u), h, rtol=1e-14)
    np.testing.assert_allclose(textbook.step(p, np.array(x), u, 0.1), expected, rtol=1e-13)
    np.testing.assert_allclose(textbook.output(p, state), [1.55], rtol=1e-14)
    np.testing.assert_allclose(
        textbook.activation(np.array(h)), PLAIN[arguments["activation"]](np.array(h)), rtol=1e-14
    )
    # The leaky form at alpha = 1 is the printed one, in the current.
    np.testing.assert_allclose(
        textbook.activation(textbook.step(p, np.array(x), u, 1.0)),
        textbook.recurrence(p, textbook.activation(np.array(x)), u),
        rtol=1e-14,
    )


@every_variant
def test_gradients_are_those_of_differences(page, arguments):
    made = page.model(**arguments)
    if isinstance(made.textbook, Lacking) or isinstance(made.rate, Lacking):
        pytest.skip("there is nothing to train through")
    generator = np.random.default_rng(6)
    parameters, inputs = first(page, generator), trials(generator)
    target = activity(generator.standard_normal((2, 20, 1)), dt=0.01, last="output")
    alpha = 0.01 / float(made.constants["tau"])
    errors = gradient_errors(made, parameters, inputs, target, alpha=alpha, generator=generator)
    assert 0 < errors.finite_difference <= 1e-6
    assert errors.between_writings <= 1e-8


@every_variant
def test_a_writing_that_is_lacking_is_refused_with_its_reason(page, arguments):
    made = page.model(**arguments)
    for name in ("rate", "tuning", "spiking"):
        writing = getattr(made, name)
        if not isinstance(writing, Lacking):
            assert made.writing(name) is writing
            continue
        assert len(writing.reason.split()) > 3
        values = first(page, np.random.default_rng(0))._asdict()
        with pytest.raises(CortwinError, match=re.escape(f"{made.name} has no {name} writing: {writing.reason}")):
            simulate(made, name, values, trials(np.random.default_rng(0)), dt=0.001, engine="numpy")
    if isinstance(made.textbook, Lacking):
        with pytest.raises(CortwinError, match=re.escape(made.textbook.reason)):
            made.recurrence()
