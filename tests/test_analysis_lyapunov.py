"""Lyapunov exponents, products of Jacobians and mean-field theory: closed forms and published values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ortho_group

from cortwin.analysis import (
    gradient_norms,
    lyapunov_exponents,
    lyapunov_spectrum,
    product_norms,
    random_network,
)


@pytest.fixture
def generator():
    return np.random.default_rng(5)


def of_map(step, jacobian):
    return lambda x, V: (step(x), jacobian(x) @ V)


def test_exponents_of_a_linear_system_are_those_of_its_eigenvalues(generator):
    """Log |eigenvalue|; directions part by 0.7 a step, so that after 40 steps the rest is exp(-28)."""
    basis = generator.standard_normal((3, 3))
    A = basis @ np.diag([1.4, -0.7, 0.3]) @ np.linalg.inv(basis)
    found = lyapunov_exponents(
        lambda x, V: (A @ x, A @ V), np.zeros(3), generator.standard_normal((3, 3)), interval=0.5, intervals=5,
        transient=60,
    )  # fmt: skip
    np.testing.assert_allclose(found.exponents, np.log([1.4, 0.7, 0.3]) / 0.5, atol=1e-8)
    largest = lyapunov_exponents(
        lambda x, V: (A @ x, A @ V), np.zeros(3), generator.standard_normal((3, 1)), intervals=5, transient=60
    )
    assert largest.exponents == pytest.approx([math.log(1.4)], abs=1e-8)
    np.testing.assert_allclose(
        lyapunov_spectrum([A] * 65, interval=0.5, transient=60), np.log([1.4, 0.7, 0.3]) / 0.5, atol=1e-8
    )


def test_logistic_map_at_4(generator):
    """Ln 2 (Ulam & von Neumann 1947). The s.d. of log |f'| is pi / sqrt(12); 5 standard errors."""
    steps = 20_000
    found = lyapunov_exponents(
        of_map(lambda x: 4 * x * (1 - x), lambda x: np.diag(4 - 8 * x)), [0.3], [[1.0]], intervals=steps, transient=100
    )
    assert found.exponents[0] == pytest.approx(math.log(2), abs=5 * math.pi / math.sqrt(12 * steps))
    assert found.growth.std() == pytest.approx(math.pi / math.sqrt(12), rel=0.05)


def test_henon_map():
    """0.4192 (Sprott 2003, Chaos and Time-Series Analysis, table A.1); the sum is log b exactly."""
    a, b = 1.4, 0.3
    step = of_map(
        lambda x: np.array([1 - a * x[0] ** 2 + x[1], b * x[0]]), lambda x: np.array([[-2 * a * x[0], 1], [b, 0]])
    )
    found = lyapunov_exponents(step, [0.1, 0.1], np.eye(2), intervals=20_000, transient=100)
    assert found.exponents[0] == pytest.approx(0.4192, abs=0.01)
    assert found.exponents.sum() == pytest.approx(math.log(b), abs=1e-10)


def test_trajectories_side_by_side_are_those_alone(generator):
    W = 1.5 * generator.standard_normal((6, 6)) / np.sqrt(6)

    def advance(x, V):
        r = np.tanh(x)
        return r @ W.T, W @ ((1 - r**2)[..., None] * V)

    starts, tangents = generator.standard_normal((3, 6)), generator.standard_normal((3, 6, 2))
    together = lyapunov_exponents(advance, starts, tangents, intervals=30, transient=3)
    for k in range(3):
        alone = lyapunov_exponents(advance, starts[k], tangents[k], intervals=30, transient=3)
        np.testing.assert_allclose(together.exponents[k], alone.exponents, rtol=1e-9, atol=1e-12)


def test_the_sum_of_all_exponents_is_the_mean_of_log_det(generator):
    jacobians = generator.standard_normal((50, 7, 7))
    expected = np.mean([np.linalg.slogdet(J)[1] for J in jacobians[10:]])
    assert lyapunov_spectrum(jacobians, transient=10).sum() == pytest.approx(expected, rel=1e-12)


def test_what_has_no_exponents_is_refused(generator):
    def still(x, V):
        return x, V

    for given, message in [
        ({"intervals": 0}, "0 intervals"),
        ({"intervals": 1, "interval": 0.0}, "must be positive"),
        ({"intervals": 1, "tangents": np.ones((3, 4))}, r"tangents of shape \(3, 4\)"),
        ({"intervals": 1, "advance": lambda x, V: (x, 0 * V)}, "vanished in interval 0"),
        ({"intervals": 1, "advance": lambda x, V: (x, V / 0)}, "left the range"),
    ]:
        arguments = {"advance": still, "state": np.ones(3), "tangents": np.eye(3)} | given
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
            lyapunov_exponents(**arguments)
    with pytest.raises(ValueError, match="expected matrices"):
        lyapunov_spectrum(np.ones((3, 4)))


def test_gradients_through_orthogonal_jacobians(generator):
    """100 steps through 0.9 of an orthogonal matrix leave 0.9^100 = 2.656e-5, through an orthogonal one 1."""
    Q = ortho_group.rvs(12, random_state=generator)
    for scale, expected in ((0.9, 2.656139888758748e-05), (1.0, 1.0)):
        J = np.repeat(scale * Q[None], 100, axis=0)
        # 200 products of relative rounding 12 eps each.
        assert gradient_norms(J, np.eye(12)[3])[-1] == pytest.approx(expected, rel=1e-12)
        assert product_norms(J)[-1] == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(product_norms(J), scale ** np.arange(101), rtol=1e-12)


def test_products_are_taken_from_the_end(generator):
    J, g = generator.standard_normal((3, 4, 4)), generator.standard_normal(4)
    back = [g, g @ J[2], g @ J[2] @ J[1], g @ J[2] @ J[1] @ J[0]]
    np.testing.assert_allclose(gradient_norms(J, g), [np.linalg.norm(v) for v in back], rtol=1e-12)
    products = [np.eye(4), J[2], J[2] @ J[1], J[2] @ J[1] @ J[0]]
    np.testing.assert_allclose(product_norms(J), [np.linalg.svd(P)[1][0] for P in products], rtol=1e-12)
    with pytest.raises(ValueError, match=r"gradient of shape \(3,\)"):
        gradient_norms(J, g[:3])
    with pytest.raises(ValueError, match="product_norms: expected matrices"):
        product_norms(J[:, :3])


def test_mean_field_theory():
    """0.0468 and 0.748 at g = 1.5; near g = 1 they are (g - 1)^2 / 2 and g - 1, to leading order."""
    found = random_network(1.5)
    assert found.exponent == pytest.approx(0.0468, rel=2e-3)
    assert found.variance == pytest.approx(0.748, rel=1e-3)
    near = random_network(1.02)
    assert near.exponent == pytest.approx(0.02**2 / 2, rel=0.1)
    assert near.variance == pytest.approx(0.02, rel=0.05)
    at_rest = random_network(0.8)
    assert (at_rest.variance, at_rest.exponent) == (0.0, pytest.approx(-0.2))
