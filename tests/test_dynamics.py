"""The step of a writing as a map: trajectories and Jacobians are those of both writings, and of differences."""

from __future__ import annotations

import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.analysis import lyapunov_exponents
from cortwin.dynamics import rate_map, textbook_map
from cortwin.errors import CortwinError
from cortwin.models import attention, elman, gru, lstm, relay
from cortwin.training import run_textbook

PAGES = {"elman": elman, "gru": gru, "lstm": lstm}
UNITS, TAU = 5, 0.1


@pytest.fixture(scope="module", params=PAGES)
def network(request):
    page = PAGES[request.param]
    parameters = page.initial(np.random.default_rng(2), 3, UNITS, 2)
    start = {name: np.full(UNITS, 0.3) for name in ("x0", "h0", "c0") if hasattr(parameters, name)}
    return page.model(), parameters._replace(**start)


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(3).standard_normal((8, 3))


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_both_writings_are_one_map(network, inputs, alpha):
    """Forward Euler at dt = alpha tau is the leaky step, up to rounding: 8 steps of a few sums each."""
    model, parameters = network
    textbook, rate = textbook_map(model, parameters, alpha), rate_map(model, parameters, alpha * TAU)
    states = textbook.trajectory(inputs)
    assert np.abs(states[0] - 0.3).max() == 0
    np.testing.assert_allclose(rate.trajectory(inputs), states, rtol=0, atol=1e-13)
    J = textbook.jacobians(states[:-1], inputs)
    np.testing.assert_allclose(rate.jacobians(states[:-1], inputs), J, rtol=0, atol=1e-13)
    np.testing.assert_allclose(textbook.jacobian(states[3], inputs[3]), J[3], rtol=0, atol=1e-15)
    np.testing.assert_allclose(textbook.step(states[3], inputs[3]), states[4], rtol=0, atol=1e-15)


def test_the_trajectory_is_that_of_the_textbook(network, inputs):
    model, parameters = network
    expected = run_textbook(model, parameters, activity(inputs[None], dt=0.01, last="input"), 0.1)
    states = textbook_map(model, parameters, 0.1).trajectory(inputs)[1:]
    # Of a state of several arrays, what the page compares is one of them.
    x = expected["x"].to_numpy()[0]
    assert min(np.abs(states[:, k : k + UNITS] - x).max() for k in range(0, states.shape[1], UNITS)) < 1e-14


def test_jacobians_are_those_of_differences(network, inputs):
    """Centred differences err by step^2 and eps / step: 1e-10 and 1e-11 for these steps of 1e-5."""
    model, parameters = network
    one = rate_map(model, parameters, 0.03)
    x = one.trajectory(inputs)[-1]
    moves = 1e-5 * np.eye(x.size)
    columns = [(one.step(x + move, inputs[0]) - one.step(x - move, inputs[0])) / 2e-5 for move in moves]
    np.testing.assert_allclose(one.jacobian(x, inputs[0]), np.transpose(columns), atol=1e-9)


def test_tangents_are_moved_by_the_product_of_jacobians(network):
    model, parameters = network
    one = textbook_map(model, parameters, 0.5)
    generator = np.random.default_rng(4)
    states = generator.standard_normal((2, one.start.size))
    tangents = generator.standard_normal((2, one.start.size, 3))
    after, along = one.advance(4)(states, tangents)
    for k in range(2):
        path = one.trajectory(np.zeros((4, 3)), states[k])
        product = np.linalg.multi_dot(one.jacobians(path[:-1], np.zeros((4, 3)))[::-1])
        np.testing.assert_allclose(after[k], path[-1], atol=1e-14)
        np.testing.assert_allclose(along[k], product @ tangents[k], atol=1e-13)


def test_at_rest_the_exponents_are_the_eigenvalues():
    """A network of gain below 1 comes to rest, where the Jacobian is (1 - alpha) + alpha W."""
    parameters = elman.initial(np.random.default_rng(1), 1, 6, 1, gain=0.5)
    one = rate_map(elman.model(), parameters, 0.02)
    generator = np.random.default_rng(1)
    found = lyapunov_exponents(
        one.advance(5), np.zeros((1, 6)), generator.standard_normal((1, 6, 6)), interval=5 * 0.02, intervals=400,
        transient=50,
    )  # fmt: skip
    eigenvalues = np.linalg.eigvals(0.8 * np.eye(6) + 0.2 * parameters.W_rec)
    # Conjugate pairs turn: over 400 intervals what is left of a turn is a few logarithms over 40 s.
    np.testing.assert_allclose(found.exponents[0], np.sort(np.log(np.abs(eigenvalues)))[::-1] / 0.02, atol=0.1)
    assert found.exponents.sum() == pytest.approx(np.log(np.abs(eigenvalues)).sum() / 0.02, rel=1e-9)


def test_a_memory_elsewhere_is_refused():
    for page, message in ((relay, "u of .* depends on time"), (attention, "has differential equations of its own")):
        with pytest.raises(CortwinError, match=f"rate writing: .*{message}"):
            rate_map(page.model(), page.initial(np.random.default_rng(0), 1, 2, 1), 0.01)
    with pytest.raises(CortwinError, match="alpha"):
        textbook_map(elman.model(), elman.initial(np.random.default_rng(0), 1, 2, 1), 1.5)
