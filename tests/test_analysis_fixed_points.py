"""Fixed points of networks of which they are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from cortwin.analysis import find_fixed_points

# x = 2 tanh(x): 0 and plus or minus this.
AT_REST = brentq(lambda x: 2 * np.tanh(x) - x, 1.0, 3.0, xtol=1e-15)


def hopfield(W):
    """Return velocity and Jacobian of tau dx/dt = -x + W tanh(x), time in tau."""
    return (lambda x: -x + W @ np.tanh(x), lambda x: -np.eye(len(x)) + W / np.cosh(x) ** 2)


@pytest.mark.parametrize("time", ["steps", "continuous"])
def test_one_unit_of_gain_2_has_three(time):
    """At 0 the slope is 2, elsewhere 2 / cosh^2: eigenvalue of the velocity 1, and of the step x <- 2 tanh(x) 2."""
    velocity, jacobian = hopfield(np.array([[2.0]]))
    found = find_fixed_points(velocity, jacobian, np.linspace(-3, 3, 12)[:, None], time=time)
    assert found.kinds == ["stable", "stable", "unstable"]
    np.testing.assert_allclose(np.sort(found.points[:, 0]), [-AT_REST, 0, AT_REST], atol=1e-12)
    slope = np.array([2 / np.cosh(AT_REST) ** 2, 2 / np.cosh(AT_REST) ** 2, 2.0])
    np.testing.assert_allclose(found.eigenvalues[:, 0], slope if time == "steps" else slope - 1, rtol=1e-12)
    assert found.found.sum() == 12
    assert found.speeds.max() < 1e-12


def test_two_uncoupled_units_have_nine():
    velocity, jacobian = hopfield(2 * np.eye(2))
    side = np.linspace(-2.5, 2.5, 9)
    starts = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    found = find_fixed_points(velocity, jacobian, starts, time="continuous")
    assert found.kinds == ["stable"] * 4 + ["saddle"] * 4 + ["unstable"]
    np.testing.assert_array_equal(found.unstable, [0] * 4 + [1] * 4 + [2])
    every = {(round(a, 9), round(b, 9)) for a in (-AT_REST, 0, AT_REST) for b in (-AT_REST, 0, AT_REST)}
    assert {(round(float(a), 9) + 0.0, round(float(b), 9) + 0.0) for a, b in found.points} == every
    np.testing.assert_allclose(np.abs(found.of_kind("stable")), AT_REST, atol=1e-12)


def test_a_linear_network_has_one_and_its_kind_depends_on_time():
    """dx/dt = A x with eigenvalues -0.5 and -2.5: stable; as a step x + A x, of eigenvalues 0.5 and -1.5, a saddle."""
    A = np.array([[-1.5, 1.0], [1.0, -1.5]])
    offset = np.array([1.0, 2.0])
    starts = np.random.default_rng(1).standard_normal((10, 2))
    for time, kind, eigenvalues in (("continuous", "stable", [-0.5, -2.5]), ("steps", "saddle", [-1.5, 0.5])):
        found = find_fixed_points(lambda x: A @ x + offset, lambda x: A, starts, time=time)  # type: ignore[arg-type]
        assert found.kinds == [kind]
        np.testing.assert_allclose(found.points, [np.linalg.solve(A, -offset)], atol=1e-12)
        np.testing.assert_allclose(found.eigenvalues, [eigenvalues], atol=1e-12)


def test_a_spiral_is_stable_by_its_real_part():
    A = np.array([[-0.1, 2.0], [-2.0, -0.1]])
    found = find_fixed_points(lambda x: A @ x, lambda x: A, np.ones((1, 2)), time="continuous")
    assert found.kinds == ["stable"]
    np.testing.assert_allclose(found.eigenvalues, [[-0.1 - 2j, -0.1 + 2j]], atol=1e-12)


def test_where_a_fixed_point_has_just_gone_is_a_slow_one():
    """dx/dt = x^2 + 0.01 has no fixed point; it is slowest at 0."""
    arguments = {"velocity": lambda x: x**2 + 0.01, "jacobian": lambda x: np.diag(2 * x), "time": "continuous"}
    starts = np.array([[-0.5], [0.3], [0.6]])
    assert len(find_fixed_points(**arguments, starts=starts)) == 0
    found = find_fixed_points(**arguments, starts=starts, slow=0.02, apart=0.05)
    assert found.kinds[0].startswith("slow")
    assert abs(found.points[0, 0]) < 0.02
    assert found.speeds == pytest.approx([0.01], abs=1e-3)


def test_what_cannot_be_searched_is_refused():
    velocity, jacobian = hopfield(np.eye(2))
    for starts in (np.ones(2), np.ones((0, 2)), np.full((1, 2), np.nan)):
        with pytest.raises(ValueError, match="expected finite starts"):
            find_fixed_points(velocity, jacobian, starts, time="steps")
    with pytest.raises(ValueError, match="time is 'now'"):
        find_fixed_points(velocity, jacobian, np.ones((1, 2)), time="now")  # type: ignore[arg-type]
