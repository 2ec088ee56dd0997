"""Training: runs and gradients against NumPy loops, updates against printed formulas, and what goes wrong."""

from __future__ import annotations

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.catalogue import MODELS, entries, page_module
from cortwin.errors import CortwinError
from cortwin.model import Lacking
from cortwin.models import attention, elman, lstm
from cortwin.tasks import ReachTask
from cortwin.training import (
    LOSSES,
    Options,
    Penalties,
    binary_cross_entropy,
    categorical_cross_entropy,
    fit,
    forward_through,
    gradient_errors,
    logits,
    make_optimizer,
    mean_squared_error,
    outputs,
    penalty,
    recurrence_activity,
    run_textbook,
    textbook_activity,
)
from cortwin.training.batches import held_out, mini_batches
from cortwin.training.descent import error, loss
from cortwin.training.dropout import dropped_out
from cortwin.training.samples import Samples

ACTIVATIONS = ("tanh", "logistic", "relu")
F = {"tanh": np.tanh, "logistic": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0)}
ALPHA, DT = 0.2, 0.02  # tau of the page is 100 ms
TRIALS, TIMES, INPUTS, UNITS, OUTPUTS = 6, 9, 3, 5, 2
pytestmark = pytest.mark.usefixtures("hasty_compilation")

PENALTIES = Penalties(weight=0.03, rate=0.2, smoothness=0.01)


def network(activation="tanh", seed=1):
    """Return a page's model and parameters of which none is zero."""
    generator = np.random.default_rng(seed)
    model = elman.model(activation)
    start = model.initial(generator, INPUTS, UNITS, OUTPUTS, gain=1.5)
    return model, model.trained(*(array + 0.3 * generator.standard_normal(array.shape) for array in start))


def data(seed=2, trials=TRIALS):
    """Return inputs and targets, and a mask that is 0 in places."""
    generator = np.random.default_rng(seed)
    inputs = activity(generator.standard_normal((trials, TIMES, INPUTS)), dt=DT, last="input", name="inputs")
    target = activity(generator.standard_normal((trials, TIMES, OUTPUTS)), dt=DT, last="output", name="target")
    mask = generator.uniform(0.5, 2, (trials, TIMES)) * (generator.random((trials, TIMES)) < 0.8)
    return inputs, target, mask


def trained(options, *, seed=3, model_and_parameters=None, samples=None, **others):
    """Run `fit` on the small network."""
    model, start = model_and_parameters or network()
    inputs, target, mask = samples or data()
    generator = np.random.default_rng(seed)
    arguments = {"alpha": ALPHA, "options": options, "generator": generator, "mask": mask, **others}
    return fit(model, start, inputs, target, **arguments)


def to_bytes(parameters):
    return b"".join(np.asarray(array).tobytes() for array in parameters)


def loop(p, u, f, alpha):
    """Return x and h, one trial, one step, one unit at a time."""
    x = np.empty((len(u), len(u[0]), len(p.b)))
    for trial, samples in enumerate(u):
        before = p.x0
        for k, sample in enumerate(samples):
            for i in range(len(p.b)):
                into = sum(p.W_rec[i, j] * f(before[j]) for j in range(len(p.b)))
                into += sum(p.W_in[i, j] * sample[j] for j in range(len(sample))) + p.b[i]
                x[trial, k, i] = (1 - alpha) * before[i] + alpha * into
            before = x[trial, k]
    return x, f(x)


def bptt(p, u, z, m, alpha, penalties, truncation=None):
    """Return loss and gradient of the tanh network by the chain rule, written out backwards in time.

    With a truncation, nothing is carried back over a multiple of it, except to the state before the first input.
    """
    x, h = loop(p, u, np.tanh, alpha)
    n_trials, n_times, n_units = h.shape
    weight = m / (z.shape[2] * m.sum())
    e = h @ p.W_out.T + p.b_out - z
    jumps = np.diff(h, axis=1) / alpha
    value = (weight[..., None] * e**2).sum() + penalties.rate * (h**2).mean()
    value += penalties.smoothness * (jumps**2).mean()
    value += penalties.weight * sum((w**2).sum() for w in (p.W_rec, p.W_in, p.W_out))
    g = {name: np.zeros_like(array) for name, array in p._asdict().items()}
    for w in ("W_rec", "W_in", "W_out"):
        g[w] += 2 * penalties.weight * getattr(p, w)
    for trial in range(n_trials):
        carried = np.zeros(n_units)
        for k in reversed(range(n_times)):
            of_y = 2 * weight[trial, k] * e[trial, k]
            g["W_out"] += np.outer(of_y, h[trial, k])
            g["b_out"] += of_y
            of_h = p.W_out.T @ of_y + 2 * penalties.rate * h[trial, k] / h.size
            if k > 0:
                of_h += 2 * penalties.smoothness * jumps[trial, k - 1] / alpha / jumps.size
            if k < n_times - 1:
                of_h -= 2 * penalties.smoothness * jumps[trial, k] / alpha / jumps.size
            delta = carried + of_h * (1 - h[trial, k] ** 2)
            before = np.tanh(x[trial, k - 1] if k else p.x0)
            g["W_rec"] += alpha * np.outer(delta, before)
            g["W_in"] += alpha * np.outer(delta, u[trial, k])
            g["b"] += alpha * delta
            carried = (1 - alpha) * delta + alpha * (p.W_rec.T @ delta) * (1 - before**2)
            if truncation is not None and k > 0 and k % truncation == 0:
                carried = 0 * carried
        g["x0"] += carried
    return value, type(p)(**g)


# ------------------------------------------------------------------------------------------------------ forward runs


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_textbook_activity_is_a_loop_over_trials_times_and_units(activation):
    model, p = network(activation)
    u = data()[0].to_numpy()
    x, h = textbook_activity(model, p, u, ALPHA)
    expected_x, expected_h = loop(p, u, F[activation], ALPHA)
    np.testing.assert_allclose(x, expected_x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(h, expected_h, rtol=0, atol=1e-12)
    expected_y = np.einsum("oi,bki->bko", p.W_out, expected_h) + p.b_out
    np.testing.assert_allclose(outputs(model, p, h), expected_y, rtol=0, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_at_alpha_1_the_leaky_form_is_the_printed_recurrence(activation):
    model, p = network(activation)
    u = data()[0].to_numpy()
    h = recurrence_activity(model, p, u, F[activation](p.x0))
    # One term is multiplied by 1 - alpha = 0: what is left differs by the rounding of one addition per step.
    np.testing.assert_allclose(textbook_activity(model, p, u, 1.0)[1], h, rtol=1e-13, atol=1e-15)
    other = recurrence_activity(model, p, u, np.ones(UNITS))
    assert np.abs(other - h).max() > 1e-3, "the first state does not matter"


def test_labelled_run_has_the_times_and_trials_of_a_simulation():
    model, p = network()
    inputs = data()[0].assign_coords(condition=("trial", np.arange(TRIALS)), time=DT * np.arange(TIMES) - 0.1)
    found = run_textbook(model, p, inputs, ALPHA)
    x, h = loop(p, inputs.to_numpy(), np.tanh, ALPHA)
    np.testing.assert_allclose(found["x"], x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["r"], h, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["time"], inputs["time"], atol=1e-15)
    assert found["x"].dims == ("trial", "time", "unit")
    np.testing.assert_array_equal(found["condition"], np.arange(TRIALS))
    assert found["r"].attrs["kind"] == "rate"
    assert found.attrs["writing"] == "textbook"


def test_labelled_run_refuses_what_explodes_or_does_not_fit():
    model, p = network("relu")
    inputs = data()[0]
    with pytest.raises(CortwinError, match=r"x is not finite, first in trial 0, step \d+, unit \d+"):
        run_textbook(model, p._replace(W_rec=1e200 * np.abs(p.W_rec)), np.abs(inputs), ALPHA)
    with pytest.raises(CortwinError, match=r"W_in has the shape \(5, 2\), expected \(5, 3\)"):
        run_textbook(model, p._replace(W_in=p.W_in[:, :2]), inputs, ALPHA)
    with pytest.raises(CortwinError, match=r"alpha = dt / tau is 1\.5"):
        run_textbook(model, p, inputs, 1.5)
    with pytest.raises(CortwinError, match="the parameters have no array W_rec"):
        run_textbook(model, object(), inputs, ALPHA)


# -------------------------------------------------------------------------------------------------- loss and gradient


def test_loss_and_penalties_are_their_formulas():
    _, p = network()
    u, z, m = (np.asarray(array) for array in data())
    _, h = loop(p, u, np.tanh, ALPHA)
    y = h @ p.W_out.T + p.b_out
    by_hand = sum(m[b, k] * ((y[b, k] - z[b, k]) ** 2).sum() for b in range(TRIALS) for k in range(TIMES))
    found = mean_squared_error(jnp.asarray(y), z, m)
    np.testing.assert_allclose(found, by_hand / (OUTPUTS * m.sum()), rtol=1e-13)
    for penalties, expected in {
        Penalties(weight=2.0): 2 * sum((w**2).sum() for w in (p.W_rec, p.W_in, p.W_out)),
        Penalties(weight=2.0, weights=("b",)): 2 * (p.b**2).sum(),
        Penalties(rate=3.0): 3 * (h**2).mean(),
        Penalties(smoothness=4.0): 4 * (((h[:, 1:] - h[:, :-1]) / ALPHA) ** 2).mean(),
        Penalties(): 0.0,
    }.items():
        np.testing.assert_allclose(penalty(penalties, p, jnp.asarray(h), ALPHA), expected, rtol=1e-13)


def test_gradient_is_backpropagation_through_time_written_out():
    model, p = network()
    u, z, m = (np.asarray(array) for array in data())
    of_loss = partial(loss, model, forward_through("textbook", model, p, u, ALPHA), ALPHA, Options(penalties=PENALTIES))
    (value, _), gradient = jax.jit(jax.value_and_grad(of_loss, has_aux=True))(p, Samples(u, z, m))
    expected_value, expected = bptt(p, u, z, m, ALPHA, PENALTIES)
    np.testing.assert_allclose(value, expected_value, rtol=1e-13)
    for name, array in expected._asdict().items():
        assert np.abs(array).min() > 0, f"{name}: nothing to compare"
        np.testing.assert_allclose(getattr(gradient, name), array, rtol=1e-11, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_through_both_writings_agree_and_are_slopes(activation):
    model, p = network(activation)
    inputs, target, _ = data()
    generator = np.random.default_rng(0)
    found = gradient_errors(model, p, inputs, target, alpha=ALPHA, generator=generator, entries=100)
    assert found.between_writings <= 1e-8
    # A centred difference with a step of eps^(1/3) errs by about eps^(2/3) = 4e-11 times the third derivative.
    assert 0 < found.finite_difference <= 1e-6


def test_a_step_that_is_flat_almost_everywhere_does_not_pass_for_a_slope():
    model, p = network()
    inputs, target, _ = data()

    def staircase(*given):
        return jax.tree.map(lambda x: jnp.round(4 * x) / 4, model.textbook.step(*given))

    flat = dataclasses.replace(model, textbook=dataclasses.replace(model.textbook, step=staircase))
    found = gradient_errors(flat, p, inputs, target, alpha=ALPHA, generator=np.random.default_rng(0), entries=3)
    assert "W_rec" in found.without_gradient


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_rate_text_is_the_textbook_as_a_function(activation):
    model, p = network(activation)
    inputs = data()[0]
    x, r = forward_through("rate", model, p, inputs, ALPHA)(p, inputs.to_numpy())
    expected_x, expected_r = loop(p, inputs.to_numpy(), F[activation], ALPHA)
    np.testing.assert_allclose(x, expected_x, rtol=0, atol=1e-10)
    np.testing.assert_allclose(r, expected_r, rtol=0, atol=1e-10)


def test_training_through_the_rate_text_gives_the_same_weights():
    options = {"updates": 6, "batch_size": 2, "learning_rate": 0.01, "penalties": PENALTIES}
    textbook = trained(Options(**options))
    rate = trained(Options(through="rate", **options))
    for name, array in rate.parameters._asdict().items():
        np.testing.assert_allclose(array, getattr(textbook.parameters, name), rtol=1e-9, err_msg=name)


# -------------------------------------------------------------------------------------- outputs and their own losses


def classified(link, a):
    """Return the output of logits, as it is printed, and a target for it."""
    generator = np.random.default_rng(4)
    if link == "logistic":
        return 1 / (1 + np.exp(-a)), generator.random(a.shape).round()
    if link == "softmax":
        return np.exp(a) / np.exp(a).sum(axis=2, keepdims=True), np.eye(OUTPUTS)[
            generator.integers(OUTPUTS, size=a.shape[:2])
        ]
    return a, generator.standard_normal(a.shape)


def by_hand(name, y, z, m):
    """Return a loss, one number at a time, by its formula in the output."""
    total = 0.0
    for b in range(TRIALS):
        for k in range(TIMES):
            for o in range(OUTPUTS):
                if name == "mean_squared_error":
                    total += m[b, k] * (y[b, k, o] - z[b, k, o]) ** 2 / OUTPUTS
                elif name == "categorical_cross_entropy":
                    total -= m[b, k] * z[b, k, o] * np.log(y[b, k, o])
                else:
                    yes, no = np.log(y[b, k, o]), np.log(1 - y[b, k, o])
                    total -= m[b, k] * (z[b, k, o] * yes + (1 - z[b, k, o]) * no) / OUTPUTS
    return total / m.sum()


@pytest.mark.parametrize("link", ["linear", "logistic", "softmax"])
def test_every_output_and_its_loss_are_their_formulas(link):
    model, p = network()
    model = model.with_output(link)
    inputs, _, m = data()
    _, h = loop(p, inputs.to_numpy(), np.tanh, ALPHA)
    a = h @ p.W_out.T + p.b_out
    y, z = classified(link, a)
    np.testing.assert_allclose(logits(model, p, h), a, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(outputs(model, p, h), y, rtol=1e-13, atol=1e-14)
    forward = forward_through("textbook", model, p, inputs, ALPHA)
    for name, chosen in LOSSES.items():
        if chosen.link not in (None, link):
            continue
        of = partial(loss, model, forward, ALPHA, Options(loss=name))
        (value, _), gradient = jax.value_and_grad(of, has_aux=True)(p, Samples(inputs.to_numpy(), z, m))
        np.testing.assert_allclose(value, by_hand(name, y, z, m), rtol=1e-12)
        if chosen.link is not None:
            # Of a cross-entropy behind its own link, what is left of the chain rule is y - z.
            scale = OUTPUTS if link == "logistic" else 1
            of_a = m[..., None] * (y - z) / (scale * m.sum())
            np.testing.assert_allclose(gradient.b_out, of_a.sum(axis=(0, 1)), rtol=1e-11, atol=1e-15)
            np.testing.assert_allclose(gradient.W_out, np.einsum("bko,bki->oi", of_a, h), rtol=1e-11, atol=1e-15)


def test_cross_entropies_of_huge_logits_are_their_limits():
    """Of the printed formulas, nothing would be left but log 0."""
    a = np.array([[[1e3, -1e3]], [[-1e3, 1e3]]])
    z, m = np.array([[[1.0, 0.0]], [[1.0, 0.0]]]), np.ones((2, 1))
    # The first trial is right, the second wrong by 1000 in each output, or by 2000 between the two.
    np.testing.assert_allclose(binary_cross_entropy(a, z, m), (0 + 0 + 1e3 + 1e3) / 4, rtol=1e-14)
    np.testing.assert_allclose(categorical_cross_entropy(a, z, m), (0 + 2e3) / 2, rtol=1e-14)
    for function, expected in ((binary_cross_entropy, 1 / 4), (categorical_cross_entropy, 1 / 2)):
        slope = jax.grad(function)(a, z, m)
        np.testing.assert_allclose(slope, [[[0, 0]], [[-expected, expected]]], atol=1e-15)


@pytest.mark.parametrize(
    ("link", "name"), [("logistic", "binary_cross_entropy"), ("softmax", "categorical_cross_entropy")]
)
def test_training_on_a_cross_entropy_tells_classes_apart(link, name):
    """Which of two inputs was larger at the start; nothing comes after."""
    generator = np.random.default_rng(7)
    inputs = np.zeros((40, 6, 2))
    inputs[:, 0] = generator.standard_normal((40, 2))
    first = inputs[:, 0, 0] > inputs[:, 0, 1]
    target = np.repeat(np.stack([first, ~first], axis=1)[:, None].astype(float), 6, axis=1)
    mask = np.zeros((40, 6))
    mask[:, -1] = 1
    model = elman.model().with_output(link)
    start = model.initial(np.random.default_rng(1), 2, 8, 2)
    options = Options(
        loss=name, updates=200, learning_rate=0.03, batch_size=None, interval=200, validation_trials=(38, 39)
    )
    found = fit(model, start, inputs, target, mask=mask, alpha=0.5, options=options, generator=generator)
    y = outputs(model, found.parameters, textbook_activity(model, found.parameters, inputs, 0.5)[1])[:, -1]
    assert ((np.asarray(y)[:, 0] > 0.5) == first).mean() >= 0.95
    np.testing.assert_allclose(found.history["validation_loss"][0], np.log(2), rtol=0.2)


# --------------------------------------------------------------------------------- truncation, dropout, unequal length


@pytest.mark.parametrize("truncation", [1, 4, TIMES])
def test_truncated_backpropagation_is_the_loop_that_carries_nothing_over_a_border(truncation):
    model, p = network()
    u, z, m = (np.asarray(array) for array in data())
    forward = forward_through("textbook", model, p, u, ALPHA, truncation)
    of_loss = partial(loss, model, forward, ALPHA, Options(penalties=PENALTIES))
    (value, _), gradient = jax.jit(jax.value_and_grad(of_loss, has_aux=True))(p, Samples(u, z, m))
    full_value, full = bptt(p, u, z, m, ALPHA, PENALTIES)
    _, expected = bptt(p, u, z, m, ALPHA, PENALTIES, truncation)
    np.testing.assert_allclose(value, full_value, rtol=1e-13, err_msg="the state is carried on all the same")
    for name, array in expected._asdict().items():
        np.testing.assert_allclose(getattr(gradient, name), array, rtol=1e-11, atol=1e-14, err_msg=name)
    same = np.allclose(expected.W_rec, full.W_rec, rtol=1e-3)
    assert same == (truncation >= TIMES)


def test_a_state_of_several_arrays_is_cut_as_a_whole():
    """Of an LSTM cut after every step, no gradient comes back to the first state from later than the first output."""
    model = lstm.model()
    generator = np.random.default_rng(3)
    p = model.initial(generator, INPUTS, UNITS, OUTPUTS)
    u, z, _ = (np.asarray(array) for array in data())
    only_late = np.ones((TRIALS, TIMES))
    only_late[:, 0] = 0
    for truncation, reaches in ((1, False), (None, True)):
        forward = forward_through("textbook", model, p, u, ALPHA, truncation)
        gradient = jax.grad(lambda q, forward=forward: error(model, forward, q, Samples(u, z, only_late)))(p)
        for name in ("c0", "h0"):
            assert bool(np.any(getattr(gradient, name))) == reaches, name


def test_fit_passes_the_truncation_on():
    options = {"optimizer": "sgd", "learning_rate": 0.1, "updates": 1, "batch_size": None, "clip": None}
    _, p = network()
    u, z, m = (np.asarray(array) for array in data())
    _, gradient = bptt(p, u, z, m, ALPHA, Penalties(), 3)
    found = trained(Options(truncation=3, **options)).parameters
    np.testing.assert_allclose(found.W_rec, p.W_rec - 0.1 * gradient.W_rec, rtol=1e-11)


def test_dropout_leaves_the_mean_as_it_is():
    h = jnp.asarray(np.random.default_rng(1).standard_normal((3, 4, 5)))
    n, probability = 4000, 0.3
    drawn = np.asarray(jax.vmap(lambda seed: dropped_out(h, probability, seed))(jnp.arange(n, dtype=jnp.uint32)))
    dropped = drawn == 0
    # Six standard errors of a mean of n draws, h times one of variance p / (1 - p), and of all the 60 n draws.
    spread = np.sqrt(probability / (1 - probability) / n)
    np.testing.assert_array_less(np.abs(drawn.mean(axis=0) - h), 6 * spread * np.abs(h))
    assert abs(dropped.mean() - probability) < 6 * np.sqrt(probability * (1 - probability) / dropped.size)
    np.testing.assert_allclose(drawn[~dropped], np.broadcast_to(h / 0.7, drawn.shape)[~dropped], rtol=1e-14)


def test_dropout_is_drawn_for_training_and_for_nothing_else():
    options = {"updates": 8, "batch_size": 3, "interval": 4, "validation_trials": (0,), "learning_rate": 0.01}
    without, first, again = (trained(Options(dropout=rate, **options)) for rate in (0.0, 0.4, 0.4))
    other = trained(Options(dropout=0.4, **options), seed=9)
    assert to_bytes(first.parameters) == to_bytes(again.parameters)
    assert to_bytes(first.parameters) != to_bytes(other.parameters)
    # The same mini-batches and the same trial held out, on the same first weights.
    assert first.history["validation_loss"][0] == without.history["validation_loss"][0]
    assert first.history["loss"][0] != without.history["loss"][0]
    assert len(set(first.history["loss"])) == 8


def test_dropout_is_resumed_where_it_was(tmp_path):
    options = Options(**{**LONG, "dropout": 0.3})
    whole, file = trained(options), tmp_path / "training.npz"

    def advance(updates, value):
        raise Interrupted

    with pytest.raises(Interrupted):
        trained(options, checkpoint=file, advance=advance)
    assert to_bytes(trained(options, checkpoint=file).parameters) == to_bytes(whole.parameters)


TEXTBOOKS = [name for name in entries(MODELS) if not isinstance(page_module(name).model().textbook, Lacking)]


@pytest.mark.parametrize("name", TEXTBOOKS)
def test_padding_changes_neither_loss_nor_gradient(name):
    """Trials of 4, 7 and 5 samples: whatever follows, by the bit; and however much of it, by rounding."""
    model = page_module(name).model().with_output("logistic")
    generator = np.random.default_rng(2)
    p = model.initial(generator, 2, 4, 2)
    lengths, times = np.array([4, 7, 5]), 7
    u, z = generator.standard_normal((3, times, 2)), generator.random((3, times, 2))
    after = np.arange(times) >= lengths[:, None]
    options = Options(loss="binary_cross_entropy", penalties=PENALTIES)
    forward = forward_through("textbook", model, p, u, 0.3)
    of_loss = jax.jit(jax.value_and_grad(partial(loss, model, forward, 0.3, options), has_aux=True))

    def found(u, z):
        mask = np.arange(u.shape[1]) < lengths[:, None]
        (value, _), gradient = of_loss(p, Samples(u, z, mask.astype(float), lengths))
        return [np.asarray(value), *map(np.asarray, gradient)]

    plain = found(u, z)
    other = found(np.where(after[..., None], 0.1 * u - 3, u), np.where(after[..., None], 1e3, z))
    assert b"".join(array.tobytes() for array in plain) == b"".join(array.tobytes() for array in other)
    longer = found(*(np.concatenate([array, generator.random((3, 5, 2))], axis=1) for array in (u, z)))
    # Sums in another order, of fewer than a hundred products each.
    for one, two in zip(plain, longer, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-14)
    shorter = [
        loss(model, forward, 0.3, options, p, Samples(*(a[b : b + 1, :n] for a in (u, z, np.ones((3, times))))))[1]
        for b, n in enumerate(lengths)
    ]
    of_output = error(model, forward, p, Samples(u, z, ~after, lengths), options.loss)
    np.testing.assert_allclose(of_output, np.average(shorter, weights=lengths), rtol=1e-12)


def test_fit_takes_lengths_and_whatever_stands_after_them():
    inputs, target, _ = data()
    options = Options(updates=5, batch_size=2, penalties=PENALTIES, learning_rate=0.01)
    short = trained(options, samples=(inputs[:, :6], target[:, :6], None))
    padded = [array.copy() for array in (inputs, target)]
    for array in padded:
        array[:, 6:] = np.nan
    found = trained(options, samples=(*padded, None), lengths=np.full(TRIALS, 6))
    for name, array in short.parameters._asdict().items():
        np.testing.assert_allclose(getattr(found.parameters, name), array, rtol=1e-10, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("lengths", [[4, 9, 1, 9, 6, 2], None])
def test_penalties_leave_padding_out(lengths):
    _, p = network()
    _, h = loop(p, data()[0].to_numpy(), np.tanh, ALPHA)
    ends = [TIMES] * TRIALS if lengths is None else lengths
    rates = np.concatenate([h[b, :n].ravel() for b, n in enumerate(ends)])
    jumps = np.concatenate([(np.diff(h[b, :n], axis=0) / ALPHA).ravel() for b, n in enumerate(ends)])
    given = None if lengths is None else np.array(lengths)
    for penalties, expected in {
        Penalties(rate=3.0): 3 * (rates**2).mean(),
        Penalties(smoothness=4.0): 4 * (jumps**2).mean(),
    }.items():
        np.testing.assert_allclose(penalty(penalties, p, jnp.asarray(h), ALPHA, given), expected, rtol=1e-13)


def test_without_names_every_matrix_of_a_page_is_penalised():
    p = lstm.model().initial(np.random.default_rng(1), 2, 3, 1)
    matrices = [array for name, array in p._asdict().items() if name[0] in "WU"]
    expected = 2 * sum((array**2).sum() for array in matrices)
    assert len(matrices) == 9
    np.testing.assert_allclose(penalty(Penalties(weight=2.0), p, np.ones((1, 2, 3)), 0.1), expected, rtol=1e-13)


# ---------------------------------------------------------------------------------------------------------- optimisers


def steps_by_hand(name, w, gradients, rates):
    """Return the weights after each update, by the formulas of the docstrings."""
    v = m = 0.0
    found = []
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        if name == "sgd":
            w = w - eta * g
        elif name == "momentum":
            v = 0.9 * v + g
            w = w - eta * v
        elif name == "rmsprop":
            v = 0.9 * v + 0.1 * g**2
            w = w - eta * g / np.sqrt(v + 1e-8)
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            w = w - eta * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        found.append(w)
    return found


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("name", ["sgd", "momentum", "rmsprop", "adam"])
def test_updates_are_the_printed_formulas(name, schedule):
    generator = np.random.default_rng(5)
    w, gradients = generator.standard_normal(4), generator.standard_normal((3, 4))
    rates = [0.1 if schedule == "constant" else 0.1 * (1 + np.cos(np.pi * n / 3)) / 2 for n in range(3)]
    optimizer = make_optimizer(name, 0.1, schedule=schedule, updates=3)
    state, now = optimizer.init(jnp.asarray(w)), jnp.asarray(w)
    for g, expected in zip(gradients, steps_by_hand(name, w, gradients, rates), strict=True):
        change, state = optimizer.update(jnp.asarray(g), state, now)
        now = now + change
        np.testing.assert_allclose(now, expected, rtol=1e-12)


def test_a_long_gradient_is_scaled_to_the_clip_and_a_short_one_left():
    optimizer = make_optimizer("sgd", 1.0, clip=0.5)
    for length, expected in ((5.0, 0.5), (0.3, 0.3)):
        g = {"a": jnp.array([0.6 * length]), "b": jnp.array([0.8 * length])}
        change, _ = optimizer.update(g, optimizer.init(g))
        np.testing.assert_allclose([-change["a"][0], -change["b"][0]], [0.6 * expected, 0.8 * expected], rtol=1e-14)


# ------------------------------------------------------------------------------------------------------------- batches


def test_mini_batches_use_every_trial_equally_often_and_no_other():
    training = np.array([1, 4, 5, 8, 9])
    batches = mini_batches(np.random.default_rng(1), training, 2, 10)
    assert batches.shape == (10, 2)
    np.testing.assert_array_equal(np.unique(batches, return_counts=True), [training, np.full(5, 4)])
    orders = batches.ravel().reshape(4, 5)
    assert len({tuple(order) for order in orders}) == 4, "every round should have an order of its own"
    np.testing.assert_array_equal(mini_batches(np.random.default_rng(1), training, None, 2), [training, training])


def test_held_out_trials_are_whole_and_never_trained():
    training, validation = held_out(np.random.default_rng(1), 20, Options(validation_fraction=0.25))
    assert validation.size == 5
    np.testing.assert_array_equal(np.sort(np.concatenate([training, validation])), np.arange(20))
    training, validation = held_out(np.random.default_rng(1), 5, Options(validation_trials=(3, 0)))
    np.testing.assert_array_equal(training, [1, 2, 4])
    np.testing.assert_array_equal(validation, [0, 3])


def test_held_out_trials_do_not_change_the_weights():
    options = Options(updates=10, batch_size=2, validation_trials=(0, 3), learning_rate=0.01)
    inputs, target, mask = data()
    other = target.copy()
    other[[0, 3]] = 0.5 * other[[0, 3]]
    first, second = (trained(options, samples=(inputs, z, mask)) for z in (target, other))
    # The loss of an update tells of all weights before it.
    assert first.history["loss"].tobytes() == second.history["loss"].tobytes()
    assert first.history["validation_loss"][0] != second.history["validation_loss"][0]


# ------------------------------------------------------------------------------------------------------------- the fit


def test_full_batch_descent_is_the_gradient_written_out():
    options = Options(optimizer="sgd", learning_rate=0.1, updates=3, batch_size=None, clip=None, penalties=PENALTIES)
    found = trained(options)
    _, p = network()
    u, z, m = (np.asarray(array) for array in data())
    for update in range(3):
        value, gradient = bptt(p, u, z, m, ALPHA, PENALTIES)
        norm = np.sqrt(sum((g**2).sum() for g in gradient))
        np.testing.assert_allclose(found.history["loss"][update], value, rtol=1e-11)
        np.testing.assert_allclose(found.history["gradient_norm"][update], norm, rtol=1e-11)
        p = type(p)(*(w - 0.1 * g for w, g in zip(p, gradient, strict=True)))
    for name, array in p._asdict().items():
        np.testing.assert_allclose(getattr(found.parameters, name), array, rtol=1e-10, err_msg=name)
    assert (found.best_update, found.stopped, found.diverged) == (3, "all 3 updates are done", False)
    np.testing.assert_array_equal(found.history["update"], [0, 1, 2])
    assert "validation_loss" not in found.history


def test_training_teaches_a_task_it_was_not_shown_the_trials_of():
    task = ReachTask(n_directions=4, dt=DT, hold=(0.1, 0.2), rest=0.1)
    model = elman.model()
    p = model.initial(np.random.default_rng(1), 4, 20, 2)
    seen, unseen = (task.trials(np.arange(4).repeat(4), np.random.SeedSequence(seed)) for seed in (1, 2))
    options = Options(updates=150, batch_size=8, learning_rate=0.02, schedule="cosine", interval=50)
    found = fit(model, p, seen.inputs, seen.target, alpha=ALPHA, options=options, generator=np.random.default_rng(1))
    before, after = (
        np.mean((outputs(model, q, run_textbook(model, q, unseen.inputs, ALPHA)["r"].to_numpy()) - unseen.target) ** 2)
        for q in (p, found.parameters)
    )
    assert after < 0.1 * before


def test_same_seed_same_bytes_other_seed_other_weights():
    options = Options(updates=10, batch_size=2, validation_fraction=0.34, interval=4)
    first, again, other = trained(options), trained(options), trained(options, seed=4)
    assert to_bytes(first.parameters) == to_bytes(again.parameters)
    assert {name: values.tobytes() for name, values in first.history.items()} == {
        name: values.tobytes() for name, values in again.history.items()
    }
    assert to_bytes(first.parameters) != to_bytes(other.parameters)


def test_fixed_arrays_stay_and_the_others_move():
    _, p = network()
    found = trained(Options(updates=3, batch_size=2, fixed=("W_rec", "x0"), penalties=PENALTIES)).parameters
    for name, array in p._asdict().items():
        assert np.array_equal(getattr(found, name), array) == (name in ("W_rec", "x0")), name


def test_what_the_mask_hides_does_not_matter():
    inputs, target, mask = data()
    hidden = target.copy(data=np.where(mask[..., None] == 0, 1e6, target.to_numpy()))
    assert (mask == 0).any()
    options = Options(updates=3, batch_size=3)
    first, second = (trained(options, samples=(inputs, z, mask)) for z in (target, hidden))
    assert to_bytes(first.parameters) == to_bytes(second.parameters)
    unmasked = trained(options, mask=None)
    assert to_bytes(first.parameters) != to_bytes(unmasked.parameters)


@pytest.mark.parametrize("variant", attention.ATTENTIONS)
def test_a_page_whose_start_is_float64_trains_in_float32(variant):
    model, generator = attention.model(variant), np.random.default_rng(1)
    start = model.initial(generator, 2, 4, 1, **({"slots": 6} if variant == "softmax" else {}))
    inputs, target = (
        activity(generator.normal(size=(3, 6, size)), dt=0.01, last=last)
        for size, last in ((2, "input"), (1, "output"))
    )
    errors = {}
    for dtype in ("float32", "float64"):
        options = Options(updates=3, batch_size=None, dtype=dtype)
        found = fit(model, start, inputs, target, alpha=0.1, options=options, generator=np.random.default_rng(2))
        errors[dtype] = found.history["error"]
        assert errors[dtype].dtype == dtype
    np.testing.assert_allclose(errors["float32"], errors["float64"], rtol=1e-5)  # a hundred roundings of float32


def test_float32_is_computed_in_float32():
    options = {"updates": 20, "batch_size": 3, "learning_rate": 0.01, "validation_trials": (1,), "penalties": PENALTIES}
    single, double = trained(Options(dtype="float32", **options)), trained(Options(**options))
    assert single.history["loss"].dtype == np.float32
    assert single.parameters.W_rec.dtype == np.float64
    np.testing.assert_array_equal(single.parameters.W_rec, single.parameters.W_rec.astype(np.float32))
    # 20 updates of 0.01, whose direction is known to about 1e-5.
    np.testing.assert_allclose(single.parameters.W_rec, double.parameters.W_rec, atol=1e-4)


def test_best_validated_weights_are_returned_when_training_overfits():
    inputs, noise, mask = data()
    teacher = run_textbook(*network(seed=9), inputs, ALPHA)["r"].to_numpy()[..., :OUTPUTS]
    target = 0.3 * noise + teacher
    options = Options(
        updates=400, batch_size=None, learning_rate=0.05, interval=5, validation_trials=(4, 5), patience=30
    )
    found = trained(options, samples=(inputs, target, mask))
    validated, at = found.history["validation_loss"], found.history["validation_update"]
    best = int(np.argmin(validated))
    assert 0 < best < validated.size - 1, "the test needs training that overfits"
    assert found.best_update == at[best]
    assert at[-1] - found.best_update == 30
    assert len(found.history["loss"]) == at[-1] < 400
    assert found.stopped == "the validation error has not fallen for 30 updates"
    model, _ = network()
    held = Samples(*(np.asarray(array)[4:] for array in (inputs, target, mask)))
    forward = forward_through("textbook", model, found.parameters, inputs, ALPHA)
    np.testing.assert_allclose(error(model, forward, found.parameters, held), validated[best], rtol=1e-12)


# ---------------------------------------------------------------------------------------------- when the loss explodes

EXPLODING = {"optimizer": "sgd", "learning_rate": 1e4, "clip": None, "batch_size": 3}


@pytest.mark.failure("learning: a loss that is NaN or infinite")
def test_training_stops_at_a_loss_that_is_not_finite_and_keeps_the_last_good_weights():
    found = trained(Options(updates=1000, interval=50, **EXPLODING))
    assert found.diverged
    done = len(found.history["loss"])
    assert found.stopped.startswith("the loss is ")
    assert f"at update {done};" in found.stopped
    assert "the norm of its gradient" in found.stopped
    assert 1 < done < 1000
    assert all(np.isfinite(values).all() for values in found.history.values())
    assert all(np.isfinite(array).all() for array in found.parameters)
    # The weights after as many updates, reached by a training that ends there.
    assert found.best_update == done - 1
    shorter = trained(Options(updates=done - 1, interval=50, **EXPLODING))
    assert not shorter.diverged
    assert to_bytes(shorter.parameters) == to_bytes(found.parameters)
    # One more is an update too far, although its own gradient was finite.
    longer = trained(Options(updates=done, interval=50, **EXPLODING))
    assert longer.diverged
    assert longer.stopped.startswith("the error is ")
    assert to_bytes(longer.parameters) == to_bytes(found.parameters)


def test_no_update_follows_a_loss_that_is_not_finite():
    inputs, target, mask = data()
    bad = target.copy()
    bad[5] = 1e200  # its square is not finite; the other trials are as good as ever
    options = {"batch_size": 1, "optimizer": "sgd", "learning_rate": 0.1}
    found = trained(Options(updates=18, **options), samples=(inputs, bad, mask))
    assert found.diverged
    assert 0 < found.best_update < 17, "the test needs updates before and after"
    before = trained(Options(updates=found.best_update, **options), samples=(inputs, bad, mask))
    assert not before.diverged
    assert to_bytes(found.parameters) == to_bytes(before.parameters)


def test_an_exploding_training_returns_the_best_validated_weights():
    found = trained(Options(updates=1000, interval=1, validation_trials=(0,), **EXPLODING))
    assert found.diverged
    assert found.best_update == found.history["validation_update"][np.argmin(found.history["validation_loss"])]
    assert np.isfinite(found.history["validation_loss"]).all()


def test_a_first_loss_that_is_not_finite_is_an_error():
    model, p = network("relu")
    huge = p._replace(W_out=1e200 * p.W_out)
    for options in (Options(updates=2, batch_size=2), Options(updates=2, batch_size=2, validation_trials=(0,))):
        with pytest.raises(CortwinError, match=r"(loss|error) is (inf|nan) .*before anything was learned"):
            trained(options, model_and_parameters=(model, huge))


# --------------------------------------------------------------------------------------------------------- checkpoints

LONG = {"updates": 20, "batch_size": 2, "interval": 4, "validation_fraction": 0.2, "schedule": "cosine", "clip": 0.5}


class Interrupted(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("how", [KeyboardInterrupt, Interrupted])
@pytest.mark.failure("learning: interrupted training")
def test_resumed_training_gives_the_bytes_of_an_uninterrupted_one(tmp_path, how):
    whole = trained(Options(**LONG))
    file = tmp_path / "training.npz"
    reported = []

    def advance(updates, value):
        reported.append((updates, value))
        if sum(done for done, _ in reported) == 12 and len(reported) == 3:
            raise how

    with pytest.raises(how):
        trained(Options(**LONG), checkpoint=file, advance=advance)
    resumed = trained(Options(**LONG), checkpoint=file, advance=advance)
    assert to_bytes(resumed.parameters) == to_bytes(whole.parameters)
    assert resumed.history.keys() == whole.history.keys()
    for name, values in whole.history.items():
        np.testing.assert_array_equal(resumed.history[name], values, err_msg=name)
    assert (resumed.best_update, resumed.stopped) == (whole.best_update, whole.stopped)
    assert [updates for updates, _ in reported] == [4, 4, 4, 12, 4, 4]
    assert reported[3][1] == whole.history["loss"][11]
    finished = trained(Options(**LONG), checkpoint=file)
    assert to_bytes(finished.parameters) == to_bytes(whole.parameters)
    assert [path.name for path in tmp_path.iterdir()] == ["training.npz"], "something was left beside the checkpoint"


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    file = tmp_path / "training.npz"
    calls = []
    savez = np.savez

    def full_disk(stream, **arrays):
        calls.append(arrays)
        if len(calls) == 3:
            stream.write(b"half a checkpoint")
            raise OSError(28, "No space left on device")
        savez(stream, **arrays)

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(CortwinError, match=r"training\.npz cannot be written: No space left on device"):
        trained(Options(**LONG), checkpoint=file)
    monkeypatch.undo()
    with np.load(file, allow_pickle=False) as archive:
        assert archive["history.loss"].size == 8
    assert [path.name for path in tmp_path.iterdir()] == ["training.npz"]
    resumed = trained(Options(**LONG), checkpoint=file)
    assert to_bytes(resumed.parameters) == to_bytes(trained(Options(**LONG)).parameters)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    file = tmp_path / "training.npz"
    trained(Options(**LONG), checkpoint=file)
    before = file.read_bytes()
    inputs, target, mask = data()
    model, p = network()
    others = {
        "options": {"options": Options(**{**LONG, "updates": 24})},
        "seed": {"seed": 4},
        "data": {"samples": (inputs, target + 1e-9, mask)},
        "mask": {"mask": None},
        "alpha": {"alpha": 0.1},
        "start": {"model_and_parameters": (model, p._replace(b=p.b + 1e-9))},
        "model": {"model_and_parameters": (elman.model("relu"), p)},
    }
    for what, change in others.items():
        arguments = {"options": Options(**LONG), **change}
        with pytest.raises(CortwinError, match="is of a training with another model"):
            trained(checkpoint=file, **arguments)
        assert file.read_bytes() == before, what


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "pickle"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    file = tmp_path / "training.npz"
    trained(Options(updates=2, batch_size=2), checkpoint=file)
    content = file.read_bytes()
    if damage == "pickle":
        np.savez(file, fingerprint=np.array([{}], dtype=object))
    else:
        file.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"weights"}[damage])
    with pytest.raises(CortwinError, match="is no checkpoint that can be read"):
        trained(Options(updates=2, batch_size=2), checkpoint=file)


def test_a_checkpoint_where_none_can_be_written_is_refused(tmp_path):
    with pytest.raises(CortwinError, match=r"nowhere/training\.npz cannot be written: No such file"):
        trained(Options(updates=2, batch_size=2), checkpoint=tmp_path / "nowhere" / "training.npz")


# -------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adamw"}, "the option optimizer is 'adamw', expected one of sgd, momentum, rmsprop, adam"),
        ({"schedule": "step"}, "the option schedule is 'step', expected one of constant, cosine"),
        ({"dtype": "float16"}, "the option dtype is 'float16', expected one of float64, float32"),
        ({"through": "spiking"}, "the option through is 'spiking', expected one of textbook, rate"),
        ({"updates": 0}, "the option updates is 0, must be a whole number and at least 1"),
        ({"interval": 2.5}, "the option interval is 2.5, must be a whole number"),
        ({"batch_size": 0}, "the option batch_size is 0, must be"),
        ({"patience": 0, "validation_fraction": 0.1}, "the option patience is 0, must be"),
        ({"patience": 10}, "the option patience is 10, but no trials are held out"),
        ({"learning_rate": 0.0}, "the option learning_rate is 0.0, must be finite and positive"),
        ({"learning_rate": np.inf}, "the option learning_rate is inf, must be finite and positive"),
        ({"clip": -1.0}, "the option clip is -1.0, must be finite and positive"),
        ({"clip": np.nan}, "the option clip is nan, must be finite and positive"),
        ({"validation_fraction": 1.0}, "the option validation_fraction is 1.0, must be at least 0 and below 1"),
        ({"validation_fraction": 0.1, "validation_trials": (1,)}, "exclude each other"),
        ({"through": "rate", "dtype": "float32"}, "the rate text is float64"),
        ({"through": "rate", "truncation": 5}, "gradients go through the whole of the rate text"),
        ({"loss": "hinge"}, "the option loss is 'hinge', expected one of mean_squared_error, binary_cross_entropy"),
        ({"truncation": 0}, "the option truncation is 0, must be a whole number and at least 1"),
        ({"dropout": 1.0}, "the option dropout is 1.0, must be at least 0 and below 1"),
        ({"dropout": np.nan}, "the option dropout is nan, must be"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(CortwinError, match=message):
        Options(**options)


@pytest.mark.parametrize(("name", "strength"), [("weight", -1.0), ("rate", np.nan), ("smoothness", np.inf)])
def test_wrong_penalties_are_named(name, strength):
    with pytest.raises(CortwinError, match=f"the penalty {name} is {strength}, must be finite and 0 or more"):
        Penalties(**{name: strength})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 7}, "the option batch_size is 7, but there are 6 trials to train on"),
        ({"validation_fraction": 0.05}, r"validation_fraction = 0.05 holds out 0 of 6 trials"),
        ({"validation_fraction": 0.95}, r"validation_fraction = 0.95 holds out 6 of 6 trials"),
        ({"validation_trials": (6,)}, r"validation_trials names trial 6; there are trials 0\.\.5"),
        ({"validation_trials": (-1,)}, "validation_trials names trial -1"),
        ({"validation_trials": (1, 1)}, "names a trial twice"),
        ({"validation_trials": tuple(range(6))}, "holds out all 6 trials"),
        ({"fixed": ("W",)}, "the option fixed names 'W'; the trained arrays of elman are W_rec, W_in, b"),
        ({"penalties": Penalties(weight=1.0, weights=("V",))}, "the option penalties.weights names 'V'"),
    ],
)
def test_options_that_do_not_fit_the_data_are_named(options, message):
    with pytest.raises(CortwinError, match=message):
        trained(Options(**{"updates": 2, "batch_size": 2, **options}))


def test_data_that_do_not_fit_are_named():
    inputs, target, mask = (np.asarray(array) for array in data())
    bad = inputs.copy()
    bad[1, 2, 0] = np.nan
    none = mask.copy()
    none[2] = 0
    cases = [
        ((inputs[0], target, mask), r"the shape of inputs is \(9, 3\), expected \(trial, time, input\)"),
        ((inputs[:, :0], target, mask), r"the shape of inputs is \(6, 0, 3\)"),
        ((inputs, target[..., 0], mask), r"the shape of target is \(6, 9\), expected \(trial, time, output\)"),
        ((inputs, target[:, 1:], mask), r"inputs have \(6, 9\) = \(trials, times\), the target has \(6, 8\)"),
        ((inputs, target, mask[:, 1:]), r"the shape of the mask is \(6, 8\), expected \(6, 9\)"),
        ((bad, target, mask), r"inputs\[1, 2, 0\] is nan"),
        ((inputs, target, -mask), "the mask goes down to -"),
        ((inputs, target, none), "the mask is 0 at all times of trial 2"),
        ((inputs[..., :2], target, mask), r"W_in has the shape \(5, 3\), expected \(5, 2\)"),
        ((inputs, target[..., :1], mask), r"W_out has the shape \(2, 5\), expected \(1, 5\)"),
    ]
    for samples, message in cases:
        with pytest.raises(CortwinError, match=message):
            trained(Options(updates=2, batch_size=2), samples=samples)
    model, p = network()
    with pytest.raises(CortwinError, match=r"b\[3\] is nan: weights must be finite"):
        trained(Options(updates=2), model_and_parameters=(model, p._replace(b=np.array([1, 1, 1, np.nan, 1]))))
    for alpha in (0, 1.1, np.nan):
        with pytest.raises(CortwinError, match="alpha = dt / tau is"):
            trained(Options(updates=2), alpha=alpha)


YES, NO = np.ones((TRIALS, TIMES, OUTPUTS)), np.zeros((TRIALS, TIMES, OUTPUTS))
FIRST = np.broadcast_to([1.0, 0.0], YES.shape)


@pytest.mark.parametrize(
    ("link", "name", "change", "message"),
    [
        (
            "linear",
            "binary_cross_entropy",
            None,
            r"is of a logistic output; the output of elman is linear: .*with_output",
        ),
        ("logistic", "categorical_cross_entropy", None, "is of a softmax output; the output of elman is logistic"),
        ("logistic", "binary_cross_entropy", (YES, (1, 2, 0), 2.0), r"target\[1, 2, 0\] is 2: .* from 0 to 1"),
        ("logistic", "binary_cross_entropy", (YES, (1, 2, 0), -1.0), r"target\[1, 2, 0\] is -1: .* from 0 to 1"),
        ("logistic", "binary_cross_entropy", (YES, (1, 2, 0), 0.0), "target of output 1 has one class only, 1"),
        ("softmax", "categorical_cross_entropy", (FIRST, (1, 2, 1), 0.5), r"target\[1, 2\] adds up to 1.5 over"),
        ("softmax", "categorical_cross_entropy", (FIRST, (0, 0, 0), 1.0), "one class only, number 0 of 2"),
        ("softmax", "categorical_cross_entropy", (FIRST, (3, 4, 0), np.nan), r"target\[3, 4, 0\] is nan"),
    ],
)
def test_labels_that_do_not_fit_the_loss_are_named(link, name, change, message):
    model, p = network()
    target, where, value = (NO, (0, 0, 0), 0.0) if change is None else change
    target = target.copy()
    target[where] = value
    with pytest.raises(CortwinError, match=message):
        trained(
            Options(loss=name, updates=2, batch_size=2),
            model_and_parameters=(model.with_output(link), p),
            samples=(data()[0], target, None),
        )


def test_what_the_mask_hides_may_have_any_label():
    model, p = network()
    target, mask = np.random.default_rng(1).random((TRIALS, TIMES, OUTPUTS)), np.ones((TRIALS, TIMES))
    target[2, 3], mask[2, 3] = 7, 0
    options = Options(loss="binary_cross_entropy", updates=2, batch_size=2)
    found = trained(options, model_and_parameters=(model.with_output("logistic"), p), samples=(data()[0], target, mask))
    assert np.isfinite(found.history["loss"]).all()


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([9, 9, 9], r"the shape of lengths is \(3,\), expected \(6,\)"),
        ([9, 9, 0, 9, 9, 9], r"lengths\[2\] is 0, must be a whole number of samples from 1 to 9"),
        ([9, 10, 9, 9, 9, 9], r"lengths\[1\] is 10"),
        ([2.5, 9, 9, 9, 9, 9], r"lengths\[0\] is 2\.5"),
    ],
)
def test_lengths_that_do_not_fit_are_named(lengths, message):
    with pytest.raises(CortwinError, match=message):
        trained(Options(updates=2, batch_size=2), lengths=lengths)


def test_an_unknown_output_is_named():
    with pytest.raises(
        CortwinError, match="the link of the output is 'probit', expected one of linear, logistic, softmax"
    ):
        elman.model().with_output("probit")


def test_rate_text_needs_its_own_alpha_and_a_time_step():
    with pytest.raises(CortwinError, match=r"alpha is 0\.1, but the rate text has dt / tau = 0\.02 s / 0\.1 s = 0\.2"):
        trained(Options(updates=2, batch_size=2, through="rate"), alpha=0.1)
    bare = tuple(np.asarray(array) for array in data())
    with pytest.raises(CortwinError, match="inputs have no attribute dt"):
        trained(Options(updates=2, batch_size=2, through="rate"), samples=bare)
