"""Scans with a reverse pass of their own: the products that are found, odd steps, and what JAX has to keep."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Literal

from cortwin.activations import ACTIVATIONS
from cortwin.models import elman, gru, lstm
from cortwin.training import textbook_activity, trained_activity
from cortwin.training.structure import structure_of
from cortwin.training.through_time import through_time

UNITS, INPUTS, TRIALS, TIMES = 4, 3, 2, 7


class Parameters(NamedTuple):
    """Arrays that the steps below use as they like."""

    W: Any
    V: Any
    U: Any
    b: Any
    d: Any


@jax.jit
def squashed(p, x, u):
    return jnp.tanh(p.W @ x + p.U @ u + p.b)


def on_the_right(p, x, u):
    return jnp.tanh(x @ p.W + u @ p.U.T + p.b)


def masked_and_twice(p, x, u):
    kept = p.W * (jnp.abs(p.W) > 0.3)
    return 0.5 * x + kept @ jnp.tanh(x) + kept @ jnp.sin(kept @ x + p.V.T @ x) + p.d * x


def through_a_chain(p, x, u):
    first = p.W @ x + p.U @ u
    second = p.V @ jnp.tanh(first) + first
    return jnp.tanh(second) * jnp.sum(p.d * u[0]) + jnp.where(x > 0, x, 0.1 * x)


def by_input(p, x, u):
    return jnp.tanh(p.W @ (x * u[0]) + jnp.sin(u[1]) * p.b + p.b + p.d * jnp.cos(p.U @ u))


def with_matrices_of_other_use(p, x, u):
    return jnp.tanh(jnp.outer(x, p.b) @ p.d + (p.W + jnp.outer(p.b, x)) @ x + jnp.linalg.norm(p.V) * x)


def without_products(p, x, u):
    return 0.5 * x + p.d * jnp.tanh(p.U @ u)


def several_arrays(p, state, u):
    h, n = state
    return jax.nn.relu(p.W @ h + p.b) + n, 0.9 * n + p.V @ jnp.tanh(h * n)


STEPS = [
    squashed,
    on_the_right,
    masked_and_twice,
    through_a_chain,
    by_input,
    with_matrices_of_other_use,
    without_products,
    several_arrays,
]


def plain(step, p, start, inputs, borders):
    """Return the states of an ordinary scan, whose gradient JAX forms by itself."""

    def trial(samples):
        def advance(state, now):
            u, border = now
            state = jax.tree.map(lambda array: jnp.where(border, jax.lax.stop_gradient(array), array), state)
            state = step(p, state, u)
            return state, state

        return jax.lax.scan(advance, start, (samples, borders))[1]

    return jax.vmap(trial)(inputs)


def drawn(step, seed=1):
    generator = np.random.default_rng(seed)
    shapes = ((UNITS, UNITS), (UNITS, UNITS), (UNITS, INPUTS), (UNITS,), (UNITS,))
    p = Parameters(*(0.6 * generator.standard_normal(shape) for shape in shapes))
    start = generator.standard_normal(UNITS)
    if step is several_arrays:
        start = (start, generator.standard_normal(UNITS))
    inputs = generator.standard_normal((TRIALS, TIMES, INPUTS))
    return p, jax.tree.map(jnp.asarray, start), inputs, generator.standard_normal((TRIALS, TIMES, UNITS))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_values_and_gradients_are_those_of_a_plain_scan(step):
    p, start, inputs, weights = drawn(step)
    borders = np.zeros(TIMES, bool) if step is through_a_chain else np.arange(TIMES) % 3 == 2

    def loss(through, p, start, inputs):
        states = through(step, p, start, inputs, borders)
        return sum((weights * jnp.sin(array)).sum() for array in jax.tree.leaves(states))

    both = [partial(loss, through) for through in (plain, through_time)]
    values = jax.jit(lambda *given: [jax.value_and_grad(one, argnums=(0, 1, 2))(*given) for one in both])
    slow, fast = values(p, start, inputs)
    for expected, found in zip(jax.tree.leaves(slow), jax.tree.leaves(fast), strict=True):
        assert np.linalg.norm(found - expected) <= 1e-12 * np.linalg.norm(expected)


def test_a_gradient_is_the_slope():
    p, start, inputs, weights = drawn(through_a_chain)

    def loss(W):
        return (weights * through_time(through_a_chain, p._replace(W=W), start, inputs)).sum()

    found = jax.jit(jax.grad(loss))(p.W)
    h, several = 1e-6, jax.jit(jax.vmap(loss))
    moves = h * np.eye(p.W.size).reshape(-1, *p.W.shape)
    slopes = (several(p.W + moves) - several(p.W - moves)).reshape(p.W.shape) / (2 * h)
    # Rounding of the loss, of order 1, over 2 h, is 1e-10.
    np.testing.assert_allclose(found, slopes, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    ("page", "sums", "heard"), [(elman, [1], [1]), (gru, [3], [1]), (lstm, [4], [1])], ids=lambda value: str(value)[:24]
)
def test_the_gates_of_a_cell_are_one_product(page, sums, heard):
    model = page.model()
    p = model.initial(np.random.default_rng(1), INPUTS, UNITS, 1)
    textbook = model.recurrence()
    found = structure_of(lambda p, x, u: textbook.step(p, x, u, 0.5), p, textbook.start(p), np.zeros(INPUTS))
    assert found is not None
    assert [len(group.sums) for group in found.groups] == sums
    assert [len(group.heard) for group in found.groups] == heard
    # Biases belong to the sums too: nothing but the candidate's input, which the GRU adds behind a gate, is left.
    assert (len(found.hoisted), len(found.others)) == (1 if page is gru else 0, 0)


def test_a_sum_that_is_heard_twice_stays_a_sum_of_its_own():
    p, start, *_ = drawn(through_a_chain)
    found = structure_of(through_a_chain, p, start, np.zeros(INPUTS))
    assert found is not None
    assert [len(group.sums) for group in found.groups] == [1, 1]
    assert [len(group.heard) for group in found.groups] == [1, 0]
    assert found.others == ()


def test_weights_are_multiplied_once_in_the_reverse_pass():
    """No product with a gradient of weights stands inside a loop: that is what makes it fast."""
    model = lstm.model()
    p = model.initial(np.random.default_rng(1), INPUTS, UNITS, 1)
    inputs = np.ones((TRIALS, TIMES, INPUTS))

    def products(run):
        def loss(p):
            return run(model, p, inputs, 0.5)[1].sum()

        return in_loops(jax.make_jaxpr(jax.grad(loss))(p).jaxpr)

    # One product of each step there and one back; plain, there are 4 gates x 2 operands, and as many gradients again.
    assert products(trained_activity) == 2
    assert products(textbook_activity) > 16


@pytest.mark.parametrize(("page", "slow"), [(elman, 1), (gru, 3), (lstm, 5)], ids=lambda value: str(value)[:24])
def test_slow_functions_are_computed_once(page, slow):
    """One of the Elman network, three of the GRU, five of the LSTM: on the way forth, not again on the way back."""
    model = page.model()
    p = model.initial(np.random.default_rng(1), INPUTS, UNITS, 1)
    inputs = np.ones((TRIALS, TIMES, INPUTS))

    def loss(p):
        return sum((h**2).sum() for h in jax.tree.leaves(trained_activity(model, p, inputs, 0.5)))

    names = ("exp", "logistic", "tanh")
    forth = in_loops(jax.make_jaxpr(loss)(p).jaxpr, names)
    assert forth == slow
    assert in_loops(jax.make_jaxpr(jax.grad(loss))(p).jaxpr, names) == forth


def test_second_derivatives_are_those_of_a_plain_scan():
    p, start, inputs, weights = drawn(through_a_chain)

    def loss(through, b):
        return (weights * through(through_a_chain, p._replace(d=b), start, inputs, np.zeros(TIMES, bool))).sum()

    slow, fast = (jax.jit(jax.jacrev(jax.grad(partial(loss, one))))(p.d) for one in (plain, through_time))
    np.testing.assert_allclose(fast, slow, rtol=1e-10, atol=1e-12 * np.abs(slow).max())


def in_loops(jaxpr, names=("dot_general",), inside=False):
    """Count the products in a jaxpr, or other primitives, that stand in a scan."""
    count = 0
    for equation in jaxpr.eqns:
        count += inside and equation.primitive.name in names
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda value: hasattr(value, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                count += in_loops(inner, names, inside or equation.primitive.name == "scan")
    return count


def test_a_step_over_whole_numbers_is_left_to_jax():
    def counting(p, state, u):
        return p.W @ state[0], state[1] + 1

    p, *_ = drawn(squashed)
    state = (jnp.ones(UNITS), jnp.asarray(0))
    assert structure_of(counting, p, state, np.zeros(INPUTS)) is None
    assert through_time(counting, p, state, jnp.ones((1, 2, INPUTS))) is None


def test_what_the_engine_relies_on_in_jaxprs():
    """JAX does not promise the form of its jaxprs: see `cortwin.training.structure`."""
    traced = jax.make_jaxpr(lambda W, x: 2.0 + jax.jit(lambda x: W @ x)(x))(np.ones((3, 2)), np.ones(2))
    names = [equation.primitive.name for equation in traced.jaxpr.eqns]
    assert names == ["jit", "add"] or names == ["pjit", "add"], "a call has another name: see CALLS"
    call, add = traced.jaxpr.eqns
    inner = call.params["jaxpr"]
    (product,) = inner.jaxpr.eqns
    assert product.primitive.name == "dot_general"
    assert product.params["dimension_numbers"] in ((((1,), (0,)), ((), ())), (((0,), (1,)), ((), ())))
    assert {"precision", "preferred_element_type"} <= set(product.params)
    assert [isinstance(atom, Literal) for atom in add.invars].count(True) == 1
    assert list(traced.consts) == list(inner.consts) == []
    assert traced.effects == set()
    assert product.outvars[0].aval.shape == (3,)
    assert isinstance(add.primitive.get_bind_params(add.params), (dict, tuple))


def test_the_gradient_of_a_closed_gate_is_zero():
    """1 / (1 + exp(-x)), differentiated as it is written, gives inf / inf where exp(-x) overflows."""
    gradient = jax.grad(ACTIVATIONS["logistic"][0])
    assert [float(gradient(x)) for x in (-1e4, 1e4)] == [0, 0]
    assert float(gradient(0.0)) == 0.25
