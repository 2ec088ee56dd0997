"""Networks of PyTorch, of Keras and of plain files as pages: the same outputs, and one line for what does not fit.

The ordinary tests read what the libraries computed once, from compare/imports.npz (made by compare/make_imports.py);
the tests marked ``compare`` run the libraries again, and import live modules (compare/live_imports.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np
import pytest

import cortwin
from cortwin.catalogue import MODELS, entries, page_module
from cortwin.errors import CortwinError
from cortwin.model import Lacking
from cortwin.training import outputs, textbook_activity

STORED = Path(__file__).parent / "compare" / "imports.npz"
CASES = sorted({name.rpartition(".outputs")[0] for name in np.load(STORED).files if name.endswith(".outputs")})
# The bar. The libraries round to 24 bits, 6e-8 of numbers of order one, in each of a dozen steps.
FLOAT32 = 1e-6


def run(script, *arguments):
    if missing := [name for name in ("torch", "keras", "tensorflow") if find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    command = [sys.executable, str(STORED.with_name(script)), *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Run the libraries, in a process of their own: they set devices and threads, and warn, at import."""
    file = tmp_path_factory.mktemp("imports") / "imports.npz"
    run("make_imports.py", file)
    return read(file)


@pytest.fixture(scope="module", params=["stored", pytest.param("live", marks=pytest.mark.compare)])
def references(request):
    return read(STORED) if request.param == "stored" else request.getfixturevalue("live")


def read(file):
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def case_of(references, case):
    """Return one case's weights, as the library hands them out, its options, and its outputs."""
    own = {name.removeprefix(f"{case}."): array for name, array in references.items() if name.startswith(f"{case}.")}
    weights = {name.removeprefix("weights."): array for name, array in own.items() if name.startswith("weights.")}
    if case.startswith("keras"):
        weights = [weights[str(k)] for k in range(len(weights))]
    options = {name: own[name][()].item() for name in ("activation", "output", "reset_after") if name in own}
    return weights, options, own["outputs"]


def load(weights, options):
    return (cortwin.from_pytorch if isinstance(weights, dict) else cortwin.from_keras)(weights, **options)


@pytest.fixture
def gru():
    """Return a small GRU of PyTorch with a head: its state_dict."""
    return case_of(read(STORED), "torch.gru")[0]


@pytest.fixture
def kernels():
    """Return a small GRU of Keras, as get_weights has it."""
    return case_of(read(STORED), "keras.gru_after")[0]


@pytest.mark.parametrize("case", CASES)
def test_outputs_are_those_of_the_library(references, case):
    weights, options, expected = case_of(references, case)
    assert expected.dtype == np.float32
    found = load(weights, options).outputs(references["inputs"])
    # ReLU's outputs go up to a dozen.
    np.testing.assert_allclose(found, expected, rtol=FLOAT32, atol=FLOAT32)


@pytest.mark.parametrize("case", CASES)
def test_the_references_exercise_every_array(case):
    """Without any one of the page's arrays the network is far from what the library computed."""
    references = read(STORED)
    weights, options, expected = case_of(references, case)
    assert expected.std(axis=(0, 1)).min() > 0.01
    found = load(weights, options)
    model, u = found.model, references["inputs"]
    run = jax.jit(lambda p: outputs(model, p, textbook_activity(model, p, u, 1.0)[1]))
    arrays = {name: array for name, array in found.parameters._asdict().items() if array.any()}
    assert len(arrays) >= (3 if "without_bias" in case else 5)
    for name, array in arrays.items():
        without = run(found.parameters._replace(**{name: 0 * array}))
        assert np.abs(without - expected).max() > 1e3 * FLOAT32, name


def assert_same(one, other):
    assert (one.page, one.variant, one.alpha) == (other.page, other.variant, other.alpha)
    assert one.model.recurrence().link == other.model.recurrence().link
    for name, array in one.parameters._asdict().items():
        assert np.array_equal(array, getattr(other.parameters, name)), name


@pytest.mark.parametrize("case", CASES)
def test_a_file_as_numpy_writes_it_is_read(tmp_path, case):
    """numpy.savez of a state_dict, or of get_weights, with the options beside the arrays."""
    weights, options, _ = case_of(read(STORED), case)
    named = weights if isinstance(weights, dict) else {f"arr_{k}": array for k, array in enumerate(weights)}
    np.savez(tmp_path / "network.npz", **named, **options)
    found = cortwin.from_npz(tmp_path / "network.npz")
    assert_same(found, load(weights, options))
    found.save(tmp_path / "again.npz")
    again = cortwin.from_npz(tmp_path / "again.npz")
    assert_same(again, found)
    assert again.source == found.source == f"network {tmp_path / 'network.npz'}"


def test_arrays_under_keras_paths_are_told_apart(kernels):
    names = ("gru/gru_cell/kernel", "gru/gru_cell/recurrent_kernel", "gru/gru_cell/bias", "dense/kernel", "dense/bias")
    shuffled = dict(reversed(list(zip(names, kernels, strict=True))))
    older = {f"{name}:0": array for name, array in shuffled.items()}
    for named in (shuffled, older):
        assert_same(cortwin.from_keras(named), cortwin.from_keras(kernels))


TEXTBOOKS = [name for name in entries(MODELS) if not isinstance(page_module(name).model().textbook, Lacking)]


@pytest.mark.parametrize("page", TEXTBOOKS)
def test_every_page_is_read_under_its_own_names(tmp_path, page):
    model, generator = page_module(page).model(), np.random.default_rng(0)
    parameters = model.initial(generator, 2, 4, 3)
    np.savez(tmp_path / "own.npz", cell=page, output="softmax", dt=0.02, tau=0.05, **parameters._asdict())
    found = cortwin.from_npz(tmp_path / "own.npz")
    assert (found.page, float(found.model.constants["tau"])) == (page, 0.05)
    assert found.alpha == pytest.approx(0.4, rel=1e-15)
    assert found.model.recurrence().link == "softmax"
    assert found.sizes["units"] == 4
    u = generator.standard_normal((2, 6, 2))
    r = textbook_activity(model, parameters, u, 0.4)[1]
    a = np.asarray(r) @ np.asarray(parameters.W_out).T
    np.testing.assert_allclose(
        found.outputs(u),
        np.exp(a) / np.exp(a).sum(axis=2, keepdims=True),
        rtol=1e-12 if page != "feedforward" else 1e-9,
    )


def test_a_variant_is_an_entry(tmp_path):
    parameters = page_module("gru").initial_before(np.random.default_rng(0), 2, 4, 1)
    np.savez(tmp_path / "own.npz", cell="gru", reset="before", **parameters._asdict())
    found = cortwin.from_npz(tmp_path / "own.npz")
    assert (dict(found.variant), type(found.parameters)) == ({"reset": "before"}, type(parameters))


def test_the_first_state_is_the_libraries_zero():
    """For a logistic unit no current is: h = 0 is met to 2e-9 from x0 = -20."""
    weights, options, _ = case_of(read(STORED), "keras.rnn_logistic")
    p = load(weights, options).parameters
    assert (p.x0 == -20).all()
    assert 1 / (1 + np.exp(20)) < 2.1e-9
    for case, names in {"torch.rnn": ("x0",), "torch.gru": ("h0",), "torch.lstm": ("h0", "c0")}.items():
        p = load(*case_of(read(STORED), case)[:2]).parameters
        assert all((getattr(p, name) == 0).all() for name in names)


def of_torch(kind, **attributes):
    """Return an object whose class says that it is one of PyTorch's modules."""
    return type(kind, (), {"__module__": "torch.nn.modules.any", **attributes})()


def module(state, *parts):
    """Return a user's module that holds others."""
    own = type("Mine", (type("Module", (), {"__module__": "torch.nn.modules.module"}),), {})()
    own.state_dict = lambda: state
    own.named_modules = lambda: [("", own), *((f"part{k}", part) for k, part in enumerate(parts))]
    return own


def test_a_module_says_its_activation_and_its_link(gru):
    parts = (of_torch("GRU", num_layers=1), of_torch("Dropout"), of_torch("Linear"))
    assert cortwin.from_pytorch(module(gru, *parts)).model.recurrence().link == "linear"
    assert cortwin.from_pytorch(module(gru, *parts, of_torch("Softmax"))).model.recurrence().link == "softmax"
    assert cortwin.from_pytorch(module(gru, *parts), output="logistic").model.recurrence().link == "logistic"
    plain = case_of(read(STORED), "torch.rnn_relu")[0]
    found = cortwin.from_pytorch(module(plain, of_torch("RNN", nonlinearity="relu"), of_torch("Linear")))
    assert found.variant == {"activation": "relu"}
    assert found.source == "PyTorch Mine"


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (("GRU", {"bidirectional": True}), r"a bidirectional layer is not supported: GRU \(part0\)"),
        (("LSTM", {"proj_size": 3}), r"a projection \(proj_size\) is not supported: LSTM \(part0\)"),
        (("GRU", {"num_layers": 2}), r"several layers \(num_layers = 2\) are not supported"),
        (("LayerNorm", {}), r"LayerNorm \(part0\) is not supported; RNN, GRU"),
        (("Conv1d", {}), r"Conv1d \(part0\) is not supported"),
        (("RNN", {"nonlinearity": "elu"}), "the activation 'elu' is not supported, expected one of tanh, logistic"),
    ],
)
def test_a_module_that_is_not_supported_is_refused_by_name(part, message):
    kind, attributes = part
    with pytest.raises(CortwinError, match=message):
        cortwin.from_pytorch(module(case_of(read(STORED), "torch.rnn")[0], of_torch(kind, **attributes)))


class OfKeras:
    """A layer as Keras's own classes look from outside."""

    def __init__(self, weights, **config):
        self.weights, self.config, self.name = weights, config, "mine"

    def get_weights(self):
        return self.weights

    def get_config(self):
        return self.config


def of_keras(kind, weights=(), **config):
    return type(kind, (OfKeras,), {"__module__": "keras.src.layers"})(list(weights), **config)


def model_of(*layers):
    made = of_keras("Sequential")
    made.layers = list(layers)
    return made


GRU = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "reset_after": True}


def test_a_keras_model_is_its_layers(kernels):
    head = of_keras("Dense", kernels[3:], activation="softmax")
    found = cortwin.from_keras(model_of(of_keras("InputLayer"), of_keras("GRU", kernels[:3], **GRU), head))
    assert (found.variant, found.model.recurrence().link) == ({"reset": "after"}, "softmax")
    assert_same(found, cortwin.from_keras(kernels, output="softmax"))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([("GRU", GRU | {"go_backwards": True})], r"go_backwards=True is not supported \(mine\)"),
        ([("GRU", GRU | {"stateful": True})], "stateful=True is not supported"),
        ([("GRU", GRU | {"recurrent_activation": "hard_sigmoid"})], "recurrent_activation 'hard_sigmoid' is not"),
        ([("GRU", GRU | {"activation": "elu"})], "the activation 'elu' is not supported, expected tanh"),
        ([("Bidirectional", {})], r"Bidirectional \(mine\) is not supported; SimpleRNN, GRU, LSTM with a Dense head"),
        ([("GRU", GRU), ("LayerNormalization", {})], r"LayerNormalization \(mine\) is not supported"),
        ([("GRU", GRU), ("GRU", GRU)], "several layers are not supported: a second, mine, is a GRU"),
        ([("GRU", GRU), ("Dense", {"activation": "relu"})], "the activation 'relu' behind the head is not supported"),
        ([("Dense", {"activation": "linear"})], r"a Dense \(mine\) is supported behind a SimpleRNN, GRU, LSTM alone"),
        ([("Dropout", {})], "there is no SimpleRNN, GRU, LSTM in it, only Dropout"),
    ],
)
def test_a_keras_option_that_is_not_supported_is_refused_by_name(kernels, layers, message):
    made = [of_keras(kind, kernels[:3] if kind == "GRU" else (), **config) for kind, config in layers]
    with pytest.raises(CortwinError, match=message):
        cortwin.from_keras(model_of(*made))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_hh_l0": np.zeros((15, 4))}, "weight_hh has 15 = gates x units for 4 units: 1 gate is a plain layer"),
        ({"weight_hh_l0": np.zeros(15)}, r"weight_hh has the shape \(15,\), expected \(gates x units"),
        ({"weight_ih_l0": np.zeros((10, 3))}, r"weight_ih has the shape \(10, 3\), expected \(15, 3\) = \(gates x"),
        ({"bias_ih_l0": np.zeros(5)}, r"bias_ih has the shape \(5,\), expected \(15,\) = \(gates x units\)"),
        ({"bias_ih_l0": None}, "there is bias_hh alone"),
        ({"weight_ih_l0": None}, "there is no weight_ih_l0, only"),
        ({"weight_hh_l0": np.full((15, 5), np.nan)}, r"weight_hh_l0 must be finite, 75 values are not, .* \(0, 0\)"),
        ({"weight_ih_l0": np.array([["a"]])}, "weight_ih_l0 must hold real numbers, it holds <U1"),
        ({"weight_ih_l0": [[1.0], [1.0, 2.0]]}, "weight_ih_l0 is no array of numbers"),
        (
            {"head.weight": np.zeros((2, 4))},
            r"head.weight has the shape \(2, 4\), expected \(2, 5\) = \(outputs, units",
        ),
        ({"head.weight": np.zeros(5)}, r"head.weight has the shape \(5,\): layer norms and the like are not"),
        ({"head.bias": np.zeros(3)}, r"head.bias has the shape \(3,\), expected \(2,\) = \(outputs\)"),
        ({"other.weight": np.zeros((2, 5))}, "one linear head is supported, there are head, other"),
        ({"weight_ih_l1": np.zeros((15, 5))}, r"several layers \(num_layers\) are not supported \(weight_ih_l1\)"),
        ({"weight_hh_l0_reverse": np.zeros((15, 5))}, r"bidirectional layers are not supported \(weight_hh_l0_rev"),
        ({"weight_hr_l0": np.zeros((15, 5))}, r"projections \(proj_size\) are not supported \(weight_hr_l0\)"),
        ({"weight_hh_l0_g": np.zeros((15, 1))}, "weight_hh_l0_g is of no layer that is supported"),
        ({"second.weight_hh_l0": np.zeros((15, 5))}, "expected one recurrent layer .*, got layer, second"),
    ],
)
def test_a_bad_state_dict_is_refused_in_one_line(gru, change, message):
    def key(name):
        return f"layer.{name}" if "_l" in name and "." not in name else name

    state = {**gru, **{key(name): array for name, array in change.items()}}
    state = {name: array for name, array in state.items() if array is not None}
    with pytest.raises(CortwinError, match=message.replace("(weight_", "(layer.weight_")) as caught:
        cortwin.from_pytorch(state)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "array", "message"),
    [
        (0, np.zeros((3, 10)), r"kernel has the shape \(3, 10\), expected \(3, 15\) = \(inputs, gates x units\)"),
        (1, np.zeros((5, 10)), "recurrent_kernel has 10 = gates x units for 5 units"),
        (2, np.zeros(14), r"bias has the shape \(14,\), expected \(15,\) = \(3 x units with reset_after=False\)"),
        (3, np.zeros((4, 2)), r"kernel of the head has the shape \(4, 2\), expected \(5, 2\) = \(units, outputs\)"),
        (4, np.zeros(5), r"bias of the head has the shape \(5,\), expected \(2,\)"),
        (1, np.full((5, 15), np.inf), r"weights\[1\] must be finite"),
        (5, np.zeros((2, 2)), "6 arrays are more than those of one recurrent layer and one Dense head"),
    ],
)
def test_bad_kernels_are_refused_in_one_line(kernels, place, array, message):
    kernels[place : place + 1] = [array]
    with pytest.raises(CortwinError, match=message):
        cortwin.from_keras(kernels)


def test_a_gru_without_bias_has_to_say_where_its_reset_gate_stands(kernels):
    with pytest.raises(CortwinError, match="does not show where its reset gate stands: reset_after="):
        cortwin.from_keras(kernels[:2])
    assert cortwin.from_keras(kernels[:2], reset_after=False).variant == {"reset": "before"}


OWN = page_module("elman").initial(np.random.default_rng(0), 2, 4, 1)._asdict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W_rec": np.zeros((4, 3))}, r"W_rec has the shape \(4, 3\), expected \(4, 4\) = \(units, units\)"),
        ({"b": np.array([0, 1, np.nan, 0])}, r"b must be finite, 1 values are not, the first at \(2,\) is nan"),
        ({"x0": None}, "there is no array x0; elman needs W_rec, W_in, b, x0, W_out, b_out"),
        ({"bias": np.zeros(4)}, "bias is no array of elman, which has W_rec"),
        (
            {"b": np.array([None] * 4)},
            "b must be an array of numbers, it holds pickled Python objects, which are never",
        ),
        ({"cell": "elmann"}, "there is no page 'elmann'; there are attention, brunel, cuba, elman"),
        ({"cell": 3}, "cell must be a text"),
        ({"cell": None}, "there is no entry cell, and neither PyTorch's weight_hh_l0 nor Keras's recurrent_kernel"),
        ({"activation": "elu"}, "elman: activation is 'elu', expected one of tanh, logistic, relu"),
        ({"output": "probit"}, "the link of the output is 'probit', expected one of linear, logistic, softmax"),
        ({"alpha": 1.5}, "alpha = dt / tau is 1.5, must be positive and at most 1"),
        ({"alpha": -1.0}, "alpha must be one number above 0, got -1.0"),
        ({"dt": 0.1}, "dt = 0.1 s says nothing without tau"),
        ({"dt": 0.1, "tau": 0.1, "alpha": 0.5}, "alpha = 0.5 must be dt / tau = 0.1 s / 0.1 s = 1"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, change, message):
    arrays = {name: array for name, array in {"cell": "elman", **OWN, **change}.items() if array is not None}
    file = tmp_path / "mit Leerzeichen.npz"
    np.savez(file, **arrays)
    with pytest.raises(CortwinError, match=message) as caught:
        cortwin.from_npz(file)
    assert str(caught.value).startswith(f"network {file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", b"\x80\x04K\x01."])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "network.npz").write_bytes(content)
    with pytest.raises(CortwinError, match=r"is not a whole .npz file"):
        cortwin.from_npz(tmp_path / "network.npz")
    with pytest.raises(CortwinError, match="no such file"):
        cortwin.from_npz(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 2)])
def test_inputs_of_another_size_are_refused(gru, shape):
    with pytest.raises(CortwinError, match=r"inputs have the shape .*, expected \(trial, time, 3\)"):
        cortwin.from_pytorch(gru).outputs(np.zeros(shape))


def test_what_is_no_network_is_refused():
    with pytest.raises(CortwinError, match="from_pytorch takes a module or its state_dict, got int"):
        cortwin.from_pytorch(3)
    with pytest.raises(CortwinError, match="from_keras takes a layer, a model or its weights, got int"):
        cortwin.from_keras(3)


@pytest.mark.compare
def test_the_stored_outputs_are_what_the_libraries_compute(live):
    stored = read(STORED)
    assert stored.keys() == live.keys()
    for name in stored.keys() - {"versions"}:
        if stored[name].dtype.kind == "f":
            np.testing.assert_allclose(live[name], stored[name], rtol=FLOAT32, atol=FLOAT32)
        else:
            assert stored[name] == live[name]


@pytest.mark.compare
def test_live_modules_and_layers():
    found = json.loads(run("live_imports.py"))
    assert len(found["errors"]) >= 24
    assert max(found["errors"].values()) <= FLOAT32
    expected = {
        "torch bidirectional": "a bidirectional layer is not supported",
        "torch two layers": "several layers",
        "torch proj_size": "projection",
        "torch LayerNorm": "LayerNorm",
        "torch Embedding": "Embedding",
        "torch ReLU": "ReLU",
        "torch parametrized": "ParametrizedRNN",
        "torch Linear alone": "expected one recurrent layer",
        "torch two heads": "one linear head",
        "keras Bidirectional": "Bidirectional",
        "keras go_backwards": "go_backwards=True",
        "keras stateful": "stateful=True",
        "keras LayerNormalization": "LayerNormalization",
        "keras two layers": "several layers",
        "keras hard_sigmoid": "hard_sigmoid",
        "keras elu": "elu",
        "keras function": "<lambda>",
        "keras head of relu": "relu",
        "keras Dense before": "a Dense",
        "keras Dense alone": "a Dense",
        "keras not built": "no weights yet",
        "keras RNN": "RNN (rnn) is not supported",
    }
    assert found["refused"].keys() == expected.keys()
    for name, message in expected.items():
        assert message in found["refused"][name], name
