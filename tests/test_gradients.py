"""The experiment on gradients, small: algebra to rounding, both writings alike, slopes beside exponents."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from cortwin.analysis import gradient_norms
from cortwin.dynamics import textbook_map
from cortwin.errors import CortwinError
from cortwin.experiment import Run, load_experiment
from cortwin.models import lstm
from cortwin.parameters import resolve

SMALL = {
    "units": 12, "steps": 40, "trials": 4, "gains": (0.5, 1.5), "size": 60, "small": 20, "matrix": 200, "length": 20,
    "copies": 2, "draws": 2, "sizes": (20, 30),
}  # fmt: skip


@pytest.fixture(scope="module")
def gradients():
    return load_experiment("gradients")


@pytest.fixture(scope="module")
def found(gradients):
    return gradients.compute(Run(show=False), resolve(gradients.declared, SMALL, quick=True))


def test_orthogonal_recurrences_are_as_algebra_says(found):
    for kind in ("textbook", "rate"):
        for product in ("", ".product"):
            # 100 products of matrices of 12 units: 1e3 roundings.
            assert found.metrics[f"gradients.orthogonal.{kind}{product}"] == pytest.approx(1, rel=1e-12)
            assert found.metrics[f"gradients.scaled.{kind}{product}"] == pytest.approx(2.656139888758748e-05, rel=1e-12)


def test_both_writings_have_the_same_jacobians(found):
    assert 0 <= found.metrics["gradients.jacobians.max_difference"] < 1e-13
    for row in found.tables["networks"]:
        for key in ("norm", "slope", "exponent"):
            assert row[f"rate.{key}"] == pytest.approx(row[f"leaky.{key}"], rel=1e-6, abs=1e-9)


def test_gradients_vanish_with_the_exponent_and_open_gates_keep_them(found):
    rows = {row["network"]: row for row in found.tables["networks"]}
    # The Elman network of gain 1/2 is near rest: slope and exponent are the logarithm of one eigenvalue.
    assert rows["elman_0.5"]["printed.slope"] == pytest.approx(rows["elman_0.5"]["printed.exponent"], abs=0.1)
    assert rows["elman_0.5"]["printed.norm"] < 1e-6
    for cell in ("gru", "lstm"):
        assert rows[cell]["printed.norm"] < 0.1 * rows[f"{cell}_open"]["printed.norm"]


def test_the_random_network_has_its_radius(found):
    """At 200 units the radius of the circle is uncertain by some percent; 15 % hold over seeds."""
    assert found.metrics["gradients.random.radius"] == pytest.approx(1.5, rel=0.15)
    assert found.weights["random.growth"].shape == (2, 4)
    assert found.metrics["gradients.random.theory.exponent"] == pytest.approx(0.0468, rel=2e-3)


def test_a_line_over_one_size_is_refused(gradients):
    with pytest.raises(CortwinError, match="sizes is 60, beside size 60: a line takes three networks of two sizes"):
        gradients.compute(Run(show=False), resolve(gradients.declared, SMALL | {"sizes": (60,)}, quick=True))


def test_figures_and_report_speak_of_what_was_saved(gradients, found):
    drawings = gradients.draw(found)
    assert [drawing.name for drawing in drawings] == ["gradients", "lyapunov", "sizes", "eigenvalues"]
    shown = {name for section in gradients.sections(found, drawings) for name in section.drawings}
    assert shown == {drawing.name for drawing in drawings}


def test_jacobians_multiply_to_what_backpropagation_finds():
    """`jax.grad` of a loss at the end by each state on the way, without any Jacobian."""
    parameters = lstm.initial(np.random.default_rng(1), 2, 4, 1)
    one = textbook_map(lstm.model(), parameters, 1.0)
    inputs = np.random.default_rng(2).standard_normal((10, 2))
    states = one.trajectory(inputs)
    direction = np.random.default_rng(3).standard_normal(8)

    def loss(state, rest):
        for u in rest:
            state = one.function(one.arrays, state, u)
        return direction @ state

    expected = [np.linalg.norm(jax.grad(loss)(states[10 - lag], inputs[10 - lag :])) for lag in range(11)]
    J = one.jacobians(states[:-1], inputs)
    np.testing.assert_allclose(gradient_norms(J, direction), expected, rtol=1e-12)


@pytest.mark.slow
def test_a_large_random_network_is_as_chaotic_as_theory_says(gradients):
    """N = 2000, g = 1.5: exponent 0.0468 / tau to 10 %, mean square 0.748 to 6 %; N = 1000: radius to 4 %.

    Exponents of networks of 2000 units scatter by 0.004 (s.d.): two standard errors of the mean of three come on top.
    """
    small = {
        name: value
        for name, value in SMALL.items()
        if name not in ("size", "matrix", "length", "copies", "draws", "sizes")
    }
    metrics = gradients.compute(Run(show=False), resolve(gradients.declared, small, quick=False)).metrics
    assert metrics["gradients.random.exponent"] == pytest.approx(0.0468, abs=0.00468 + 2 * 0.004 / np.sqrt(3))
    assert metrics["gradients.random.variance"] == pytest.approx(0.748, rel=0.06)
    assert metrics["gradients.random.radius"] == pytest.approx(1.5, rel=0.04)
