"""Rung R3: the adaptive solution against closed forms, and the order of forward Euler."""

import numpy as np
import pytest
from scipy.linalg import expm

from cortwin.activity import activity
from cortwin.convergence import adaptive_solution, convergence
from cortwin.errors import CortwinError, RunFailed
from cortwin.models import elman

TAU, DT = 0.1, 0.01


def network(seed, units=5, gain=0.8):
    generator = np.random.default_rng(seed)
    parameters = elman.initial(generator, 2, units, 1, gain=gain)
    return parameters._replace(b=generator.standard_normal(units), x0=generator.standard_normal(units))


def trials(n=2, samples=20, seed=1, dt=DT):
    """Return inputs that jump at every sample."""
    return activity(np.random.default_rng(seed).standard_normal((n, samples, 2)), dt=dt, last="input")


def linear_solution(W, p, inputs):
    """Solve tau dx/dt = (W - 1) x + drive exactly, input by input: the matrix exponential of the affine system."""
    units, found = p.b.size, []
    for samples in inputs.to_numpy():
        x, states = p.x0, []
        for u in samples:
            system = np.zeros((units + 1, units + 1))
            system[:units, :units] = (W - np.eye(units)) / TAU
            system[:units, units] = (p.W_in @ u + p.b) / TAU
            x = (expm(DT * system) @ np.append(x, 1))[:units]
            states.append(x)
        found.append(states)
    return np.array(found)


def test_without_recurrence_it_is_the_exponential():
    p = network(0)._replace(W_rec=np.zeros((5, 5)))
    inputs = trials()
    found = adaptive_solution(elman.model(), p, inputs)
    for trial, samples in enumerate(inputs.to_numpy()):
        x = p.x0
        for k, u in enumerate(samples):
            end = p.W_in @ u + p.b
            x = end + (x - end) * np.exp(-DT / TAU)
            # The solver's tolerance, 1e-10 of numbers of order 1, at each of 20 restarts.
            np.testing.assert_allclose(found[trial, k], x, atol=20e-10)


def test_a_linear_network_is_the_matrix_exponential():
    """ReLU within its positive half: the background lifts x to where the network is linear."""
    p = network(2, gain=0.4)
    p = p._replace(b=20 + p.b, x0=20 + p.x0)
    inputs = trials()
    expected = linear_solution(p.W_rec, p, inputs)
    assert expected.min() > 0
    found = adaptive_solution(elman.model("relu"), p, inputs)
    assert found.shape == (2, 20, 5)
    np.testing.assert_allclose(found, expected, rtol=20e-10)


def test_the_solver_restarts_where_the_input_jumps():
    """A trial's first samples do not know of the later ones, and trials not of one another."""
    model, p, inputs = elman.model(), network(3), trials()
    whole = adaptive_solution(model, p, inputs)
    np.testing.assert_allclose(adaptive_solution(model, p, inputs[:, :7]), whole[:, :7], atol=1e-14)
    # Steps are chosen for all trials at once: they agree to the tolerance.
    np.testing.assert_allclose(adaptive_solution(model, p, inputs[1:]), whole[1:], atol=20e-10)
    loose = adaptive_solution(model, p, inputs, rtol=1e-3)
    assert 1e-12 < np.abs(loose - whole).max() < 1e-3


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_forward_euler_is_of_first_order(activation):
    steps = [0.01, 0.005, 0.0025, 0.00125]
    rows, slope = convergence(
        elman.model(activation), network(4, gain=1.3), trials(samples=40), steps, engine="xla", batch=2
    )
    assert [row["dt"] for row in rows] == steps
    errors = [row["error"] for row in rows]
    assert 1e-4 < errors[-1] < errors[0] < 0.3
    assert slope == pytest.approx(1, abs=0.1)
    ends = np.log([errors[0] / errors[-1], steps[0] / steps[-1]])
    assert slope == pytest.approx(ends[0] / ends[1], abs=0.05)


def test_the_error_is_that_of_the_closed_form():
    """Without recurrence Euler has (1 - dt/tau)^k for exp(-t/tau): the error is known before it is measured."""
    p = network(5)._replace(W_rec=np.zeros((5, 5)), W_in=np.zeros((5, 2)), b=np.zeros(5))
    steps = [0.01, 0.005]
    rows, _ = convergence(elman.model(), p, trials(n=1), steps, engine="xla", batch=1)
    t = DT * (1 + np.arange(20))[:, None]
    exact = p.x0 * np.exp(-t / TAU)
    for row, dt in zip(rows, steps, strict=True):
        euler = p.x0 * (1 - dt / TAU) ** np.rint(t / dt)
        expected = np.sqrt(np.mean((euler - exact) ** 2)) / exact.std()
        assert row["error"] == pytest.approx(expected, rel=1e-6)


def test_a_step_that_does_not_divide_the_inputs_is_refused():
    with pytest.raises(CortwinError, match="not a multiple of dt"):
        convergence(elman.model(), network(0), trials(), [0.003], engine="xla")


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_a_solution_that_explodes_is_none():
    """Beyond the range of numbers the solver stops short of the sample's end, and returns what it has."""
    p = network(0)._replace(W_rec=1e5 * np.eye(5), x0=np.ones(5))
    with pytest.raises(RunFailed, match="elman: the adaptive solver gave up in sample 0"):
        adaptive_solution(elman.model("relu"), p, trials())
