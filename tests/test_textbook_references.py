"""Rung R0: the textbook recurrence and its training against PyTorch's and Keras's own recurrent layers.

The ordinary tests read what the libraries computed once, from compare/references.npz; the tests marked ``compare`` run
the libraries again (they need torch, keras and tensorflow). What the file holds is said in compare/make_references.py.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.models import elman
from cortwin.training import Options, fit, mean_squared_error, outputs, recurrence_activity, textbook_activity

STORED = Path(__file__).parent / "compare" / "references.npz"
LAYERS = ("torch.tanh", "torch.relu", "keras.tanh", "keras.relu", "keras.logistic")
# Each number is a chain of at most 12 steps of sums of at most 9 products. Rounding to 53 bits leaves 1e-14 to 1e-13
# of it where positive and negative terms nearly cancel, rounding to 24 bits (float32) 1e-7.
STATES, GRADIENTS = 1e-12, 1e-10


def read(file):
    """Return a file of references as a dict."""
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Run the libraries, in a process of their own: they set devices and threads, and warn, at import."""
    if missing := [name for name in ("torch", "keras", "tensorflow") if find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    file = tmp_path_factory.mktemp("references") / "references.npz"
    command = [sys.executable, str(STORED.with_name("make_references.py")), str(file)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    return read(file)


@pytest.fixture(scope="module", params=["stored", pytest.param("live", marks=pytest.mark.compare)])
def references(request):
    """Return the references, read from the file or made anew."""
    return read(STORED) if request.param == "stored" else request.getfixturevalue("live")


@pytest.fixture(params=LAYERS)
def layer(request, references):
    """Return one layer's model, its parameters and what the library found for it."""
    found = {name.removeprefix(f"{request.param}."): array for name, array in references.items()}
    parameters = elman.Parameters(*(references[name] for name in elman.Parameters._fields))
    return elman.model(request.param.partition(".")[2]), parameters, found


def assert_same(ours, theirs, tolerance):
    """Compare every element; an exact zero of ReLU has to be an exact zero."""
    assert theirs.dtype == np.float64
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=tolerance, atol=0)


def test_the_printed_recurrence_is_the_libraries_layer(layer):
    model, parameters, found = layer
    h = recurrence_activity(model, parameters, found["inputs"], found["first"])
    assert_same(h, found["states"], STATES)
    assert_same(outputs(model, parameters, h), found["outputs"], STATES)


def test_the_leaky_form_is_the_libraries_layer_at_alpha_1(layer):
    model, parameters, found = layer
    _, h = textbook_activity(model, parameters, found["inputs"], alpha=1.0)
    assert_same(h, found["states"], STATES)


def test_gradients_through_the_printed_recurrence_are_those_of_the_libraries(layer):
    model, parameters, found = layer

    def loss(p, first):
        y = outputs(model, p, recurrence_activity(model, p, found["inputs"], first))
        return mean_squared_error(y, found["target"], jnp.ones(y.shape[:2]))

    value, (gradient, by_first) = jax.value_and_grad(loss, argnums=(0, 1))(parameters, found["first"])
    assert_same(value, found["loss"], STATES)
    assert_same(by_first, found["gradient.first"], GRADIENTS)
    for name in ("W_rec", "W_in", "b", "W_out", "b_out"):
        assert_same(getattr(gradient, name), found[f"gradient.{name}"], GRADIENTS)


def test_gradients_through_the_leaky_form_are_those_of_the_libraries_at_alpha_1(layer):
    model, parameters, found = layer

    def loss(p):
        y = outputs(model, p, textbook_activity(model, p, found["inputs"], 1.0)[1])
        return mean_squared_error(y, found["target"], jnp.ones(y.shape[:2]))

    gradient = jax.grad(loss)(parameters)
    for name in elman.Parameters._fields:
        assert_same(getattr(gradient, name), found[f"gradient.{name}"], GRADIENTS)


def test_gradient_descent_leads_to_the_weights_of_the_libraries(layer):
    model, parameters, found = layer
    trained = fit(
        model,
        parameters,
        activity(found["inputs"], dt=0.1, last="input"),
        activity(found["target"], dt=0.1, last="output"),
        alpha=1.0,
        options=Options(
            optimizer="sgd",
            learning_rate=float(found["learning_rate"]),
            updates=len(found["losses"]),
            batch_size=None,
            clip=None,
        ),
        generator=np.random.default_rng(0),
    )
    assert_same(trained.history["loss"], found["losses"], GRADIENTS)
    for name in elman.Parameters._fields:
        assert_same(getattr(trained.parameters, name), found[f"trained.{name}"], GRADIENTS)


def test_the_references_exercise_the_network(layer):
    """Every array matters, states differ between trials and steps, ReLU is on and off, and training moves weights."""
    _, parameters, found = layer
    h = found["states"]
    assert h.shape == (4, 12, 5)
    assert h.std(axis=0).min(axis=0).max() > 0.01
    assert h.std(axis=1).min() > 0.01
    assert found["losses"].shape == (3,)
    assert (np.diff(found["losses"]) < 0).all()
    # Large against the rounding of an array, 1e-16, divided by the tolerance that it is compared with, 1e-10.
    for name in elman.Parameters._fields:
        assert np.abs(found[f"gradient.{name}"]).max() > 1e-4
        assert np.abs(found[f"trained.{name}"] - getattr(parameters, name)).max() > 1e-5
    if (h == 0).any():
        assert 0.25 < np.mean(h == 0) < 0.75
        assert ((h == 0).any(axis=(0, 1)) & (h > 0).any(axis=(0, 1))).all()


@pytest.mark.compare
def test_the_stored_references_are_what_the_libraries_compute(live):
    stored = read(STORED)
    assert stored.keys() == live.keys()
    for name in stored.keys() - {"versions"}:
        assert_same(live[name], stored[name], GRADIENTS if "gradient" in name or "trained" in name else STATES)
