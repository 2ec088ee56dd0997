"""A model is checked when it is made; every refusal names what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from brian2 import Hz, ms

from cortwin.drives import PoissonDrive
from cortwin.errors import CortwinError
from cortwin.model import Pathway, check_array
from cortwin.models import elman, lif

MODEL = elman.model()
CORTEX = MODEL.rate.populations["cortex"]


def with_cortex(**changes):
    populations = {**MODEL.rate.populations, "cortex": replace(CORTEX, **changes)}
    return replace(MODEL, rate=replace(MODEL.rate, populations=populations))


def with_recurrence(**changes):
    pathways = {**MODEL.rate.pathways, "recurrence": replace(MODEL.rate.pathways["recurrence"], **changes)}
    return replace(MODEL, rate=replace(MODEL.rate, pathways=pathways))


def with_drive(constants=(("J", 0.1), ("nu", 20 * Hz)), **changes):
    drive = PoissonDrive(**{"target": "cortex", "variable": "x", "number": 1000, "rate": "nu", "weight": "J"} | changes)
    rate = replace(MODEL.rate, drives={"background": drive})
    return replace(MODEL, rate=rate, constants={**MODEL.constants, **dict(constants)})


def test_a_drive_is_a_statement_of_brian2():
    assert with_drive().rate.drives["background"].statement == "x += poisson(1000*nu*dt)*J"


def test_the_model_itself_is_accepted():
    assert with_cortex() == MODEL


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: with_cortex(equations=CORTEX.equations.replace("/tau", "")), "has the unit"),
        (lambda: with_cortex(equations=CORTEX.equations.replace("drive + b", "drve + b")), "'drve' is not defined"),
        (lambda: with_cortex(equations=CORTEX.equations + "\nextra : 1"), "extra has no value"),
        (lambda: with_cortex(method=None), "no integration method"),
        (lambda: with_cortex(size="brains"), "size 'brains'"),
        (lambda: with_cortex(values={"b": "b", "x": "nothing"}), "'nothing', which has no shape"),
        (lambda: with_cortex(values={"b": "b", "x": "x0", "r": "b"}), "'r', which is not a parameter or state"),
        (lambda: with_cortex(threshold="x > 1"), "both a threshold and a reset"),
        (lambda: with_cortex(threshold="x > 1", reset="y = 0"), "reset changes 'y'"),
        (lambda: with_cortex(refractory="t_rest"), "refractory time 't_rest'"),
        (lambda: with_recurrence(target="thalamus"), "'thalamus', which does not exist"),
        (lambda: with_recurrence(connect="somehow"), "connects 'somehow'"),
        (lambda: with_recurrence(equations="w : 1\nmissing_post = w*r_pre : 1 (summed)"), "must sum into"),
        (lambda: with_recurrence(equations="w : second\nrecurrent_post = w*r_pre : 1 (summed)"), "has the unit"),
        (lambda: with_recurrence(delay="later"), "delay 'later'"),
        (lambda: with_recurrence(on_pre="z_post += 1"), "on_pre changes 'z_post'"),
        (
            lambda: replace(MODEL, rate=replace(MODEL.rate, activity={"x": "cortex.y"})),
            "'cortex.y', which does not exist",
        ),
        (lambda: replace(MODEL, rate=replace(MODEL.rate, spikes=("cortex",))), "cannot spike"),
        (lambda: with_drive(target="thalamus"), "'thalamus', which does not exist"),
        (lambda: with_drive(variable="y"), "'y' is no state or parameter of cortex"),
        (lambda: with_drive(rate="mu"), "the rate 'mu' of the drive is not one of the constants"),
        (lambda: with_drive(constants={"J": 0.1, "nu": 20 * ms}), "background, rate: 'nu' has the unit"),
        (lambda: with_drive(constants={"J": 1 * ms, "nu": 20 * Hz}), "background, weight: 'J' has the unit"),
        (lambda: with_drive(number=0), "has 0 sources, must be a whole number of at least 1"),
        (lambda: with_drive(number=0.5), r"has 0\.5 sources"),
        (lambda: replace(MODEL, shapes={**MODEL.shapes, "b": ("columns",)}), "'columns'"),
        (lambda: MODEL.with_constants(tau=-1 * ms), "tau = "),
        (lambda: MODEL.with_constants(tau=0 * ms), "finite and positive"),
        (lambda: MODEL.with_constants(tau=3 * Hz), "should have the unit"),
        (lambda: MODEL.with_constants(tua=3 * ms), "no constant 'tua'"),
        (lambda: MODEL.writing("baroque"), "no writing 'baroque'"),
        (lambda: lif.model().writing("rate"), "lif has no rate writing: a network of LIF neurons"),
        (lambda: lif.model().recurrence(), "lif has no textbook writing"),
        (lambda: elman.model("softsign"), "expected one of tanh, logistic, relu"),
        (lambda: lif.model("rk4"), "expected one of exact"),
    ],
)
@pytest.mark.failure("model: an undefined symbol")
@pytest.mark.failure("model: units that do not fit")
@pytest.mark.failure("model: negative tau, zero dt, weights that are not finite")
def test_refusals_name_the_rule(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.failure("row 13: an undefined symbol that exists in the caller")
def test_a_symbol_of_the_caller_is_not_captured():
    drve = 1.0
    with pytest.raises(CortwinError, match=f"the symbol '{'drve'}' is not defined"):
        with_cortex(equations=CORTEX.equations.replace("drive + b", "drve + b"))
    assert drve


def test_arrays_are_checked_for_shape_and_finiteness():
    sizes = {"units": 3, "inputs": 2}
    check_array("W_in", np.zeros((3, 2)), ("units", "inputs"), sizes)
    with pytest.raises(CortwinError, match=r"W_in has the shape \(2, 3\), expected \(3, 2\) = \(units, inputs\)"):
        check_array("W_in", np.zeros((2, 3)), ("units", "inputs"), sizes)
    broken = np.zeros((3, 2))
    broken[1, 0] = np.inf
    with pytest.raises(CortwinError, match=r"W_in\[1, 0\] is inf"):
        check_array("W_in", broken, ("units", "inputs"), sizes)


def test_parameters_are_checked_whole():
    parameters = elman.initial(np.random.default_rng(0), 2, 3, 1)
    sizes = MODEL.sizes(parameters._asdict())
    assert sizes == {"inputs": 2, "units": 3, "outputs": 1, "slots": 1}
    MODEL.check_parameters(parameters, sizes)
    with pytest.raises(CortwinError, match="b has the shape"):
        MODEL.check_parameters(parameters._replace(b=np.zeros(4)), sizes)


def test_a_pathway_is_plain_data():
    assert Pathway("a", "b", "all_to_all", "w : 1") == Pathway("a", "b", "all_to_all", "w : 1")
