"""Networks of Keras: a recurrent layer and a Dense head, from a layer, a model or its weights.

Keras is not imported: layers are known by their own class and `get_config`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortwin.errors import CortwinError
from cortwin.exchange.arrays import numbers, require_shape
from cortwin.exchange.cells import LIBRARY_NAMES, Head, Layer, as_page, cell_of_rows
from cortwin.exchange.imported import Imported
from cortwin.links import LINKS

# Keras's kernels are (inputs, gates x units); its LSTM keeps i, f, c (our g) and o.
GATES = {"rnn": "", "gru": "zrn", "lstm": "ifgo"}
RECURRENT = {"SimpleRNN": "rnn", "GRU": "gru", "LSTM": "lstm"}
BEHIND = ("Dense", "Activation", "Softmax")
PASSED_OVER = ("InputLayer", "Dropout")
REFUSED = ("go_backwards", "stateful")
PARTS = ("kernel", "recurrent_kernel", "bias")


def from_keras(
    network: Any,
    *,
    activation: str | None = None,
    output: str | None = None,
    reset_after: bool | None = None,
    alpha: float = 1.0,
    tau: float | None = None,
) -> Imported:
    """Return a Keras network as a page: ``elman``, ``gru`` or ``lstm``.

    A network is one recurrent layer (``SimpleRNN``, ``GRU``, ``LSTM``), with one ``Dense`` layer behind it as its head;
    without a head its outputs are the states.

    Parameters
    ----------
    network : layer, model, the list of its ``get_weights()``, or arrays by name or path (``"gru/gru_cell/kernel"``)
    activation : of a SimpleRNN where weights alone are given, ``"tanh"``, ``"relu"`` or ``"sigmoid"``; None for tanh
    output : what stands behind the head, ``"linear"``, ``"logistic"`` or ``"softmax"``, where weights alone are given;
        None for linear
    reset_after : of a GRU where weights alone are given; None for what the shape of its bias says
    alpha : dt / tau of a step; 1 for what Keras computes
    tau : time constant in s; the page's own when None

    Returns
    -------
    Imported : its outputs are the source's to the rounding of float32, with zeros as the first state

    Raises
    ------
    CortwinError
        Naming the layer or option that is not supported, or the array that does not fit, the rule and both shapes.
    """
    settings: dict[str, Any] = {"alpha": alpha, "tau": tau}
    if isinstance(network, (Mapping, Sequence)):
        return from_weights(
            network, "Keras weights", activation=activation, output=output, reset_after=reset_after, **settings
        )
    if not (callable(getattr(network, "get_weights", None)) and callable(getattr(network, "get_config", None))):
        raise CortwinError(f"from_keras takes a layer, a model or its weights, got {type(network).__name__}")
    source = f"Keras {type(network).__name__}"
    recurrent, head, link = _read_layers(network, source)
    own = _options(recurrent, source)
    for name, given in (("activation", activation), ("reset_after", reset_after)):
        given = LIBRARY_NAMES.get(given, given) if isinstance(given, str) else given
        if given is not None and own.get(name) != given:
            raise CortwinError(f"{source}: {name} is {own.get(name)}, not {given}")
    weights = [*recurrent.get_weights(), *(head.get_weights() if head is not None else [])]
    if len(weights) < 2:
        raise CortwinError(f"{source}: it has no weights yet: build it, or call it once")
    return from_weights(
        weights,
        source,
        activation=own["activation"],
        output=output or link,
        reset_after=own.get("reset_after"),
        bias=own["use_bias"],
        **settings,
    )


def from_weights(
    weights: Mapping[str, Any] | Sequence[Any],
    source: str,
    *,
    activation: str | None,
    output: str | None,
    reset_after: bool | None,
    bias: bool | None = None,
    **settings: Any,
) -> Imported:
    """Return a page from arrays in the order of `get_weights`, or under their names or paths."""
    if isinstance(weights, Mapping):
        found, dense = _by_name(weights, source)
    else:
        found, dense = _in_order(weights, bias, source)
    kernel, recurrent = found["kernel"], found["recurrent_kernel"]
    if recurrent.ndim != 2 or kernel.ndim != 2:
        name, array = ("recurrent_kernel", recurrent) if recurrent.ndim != 2 else ("kernel", kernel)
        raise CortwinError(f"{source}: {name} has the shape {array.shape}, expected (..., gates x units)")
    units, columns = recurrent.shape
    cell = cell_of_rows("recurrent_kernel", columns, units, source)
    require_shape("kernel", kernel, (kernel.shape[0], columns), "inputs, gates x units", source)
    b, b_rec, reset = np.zeros(columns), np.zeros(columns), "after"
    own = found.get("bias")
    if cell == "gru":
        if own is None and reset_after is None:
            raise CortwinError(f"{source}: a GRU without bias does not show where its reset gate stands: reset_after=")
        after = own.ndim == 2 if own is not None and reset_after is None else bool(reset_after)
        reset = "after" if after else "before"
        if own is not None:
            shape, meaning = ((2, columns), "2, 3 x units") if after else ((columns,), "3 x units")
            require_shape("bias", own, shape, f"{meaning} with reset_after={after}", source)
            b, b_rec = own if after else (own, b_rec)
    elif own is not None:
        require_shape("bias", own, (columns,), "gates x units", source)
        b = own
    layer = Layer(cell, GATES[cell], kernel.T, recurrent.T, b, b_rec, activation or "tanh", reset)
    return as_page(layer, _head(dense, units, source), source, output=output or "linear", **settings)


def _head(dense: Mapping[str, NDArray], units: int, source: str) -> Head | None:
    if not dense:
        return None
    kernel = dense["kernel"]
    if kernel.ndim != 2:
        raise CortwinError(f"{source}: the kernel of the head has the shape {kernel.shape}, expected (units, outputs)")
    outputs = kernel.shape[1]
    require_shape("the kernel of the head", kernel, (units, outputs), "units, outputs", source)
    bias = dense.get("bias", np.zeros(outputs))
    require_shape("the bias of the head", bias, (outputs,), "outputs", source)
    return Head(kernel.T, bias)


def _in_order(weights: Sequence[Any], bias: bool | None, source: str) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Tell the arrays of `get_weights` apart: of the recurrent layer, then of the head."""
    arrays = [numbers(f"weights[{k}]", array, source) for k, array in enumerate(weights)]
    if len(arrays) < 2:
        raise CortwinError(f"{source}: expected kernel, recurrent_kernel, ... of one layer, got {len(arrays)} arrays")
    found, rest = {"kernel": arrays[0], "recurrent_kernel": arrays[1]}, arrays[2:]
    if bias is None:
        # A bias has one axis, or two rows as long as the recurrent kernel; a head begins with a kernel of two axes.
        alone = rest and (rest[0].ndim == 1 or rest[0].shape == (2, *arrays[1].shape[1:]))
        bias = rest[1].ndim == 2 if len(rest) == 2 else len(rest) > 2 or bool(alone)
    if rest and bias:
        found["bias"], rest = rest[0], rest[1:]
    if len(rest) > 2:
        raise CortwinError(
            f"{source}: {len(arrays)} arrays are more than those of one recurrent layer and one Dense head: several "
            "layers, layer norms and bidirectional layers are not supported"
        )
    return found, dict(zip(("kernel", "bias"), rest, strict=False))


def _by_name(weights: Mapping[str, Any], source: str) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Tell arrays apart by the ends of their names: the layer with a recurrent_kernel, then the other one."""
    layers: dict[str, dict[str, NDArray]] = {}
    for path, array in weights.items():
        layer, _, part = re.sub(r":\d+$", "", path).rpartition("/")
        if part not in PARTS:
            raise CortwinError(f"{source}: {path} is of no layer that is supported (SimpleRNN, GRU, LSTM, Dense are)")
        layers.setdefault(layer, {})[part] = numbers(path, array, source)
    recurrent = [name for name, parts in layers.items() if "recurrent_kernel" in parts]
    others = [name for name in layers if name not in recurrent]
    if any(re.search(r"(^|/)(forward|backward)_", name) for name in recurrent):
        raise CortwinError(f"{source}: bidirectional layers are not supported ({', '.join(recurrent)})")
    if len(recurrent) != 1 or len(others) > 1:
        raise CortwinError(
            f"{source}: expected one recurrent layer and at most one head, got {len(recurrent)} and "
            f"{len(others)}: {', '.join(layers)}"
        )
    for name in (*recurrent, *others):
        if "kernel" not in layers[name]:
            raise CortwinError(f"{source}: there is no kernel beside {', '.join(layers[name])} of '{name}'")
    return layers[recurrent[0]], layers[others[0]] if others else {}


def _read_layers(network: Any, source: str) -> tuple[Any, Any, str]:
    """Return the recurrent layer, the head or None, and the link behind it; refuse what is not known."""
    layers = list(getattr(network, "layers", [network]))
    recurrent, head, links = None, None, []
    for layer in layers:
        kind = _class_of(layer)
        if kind in RECURRENT:
            if recurrent is not None or head is not None:
                raise CortwinError(f"{source}: several layers are not supported: a second, {layer.name}, is a {kind}")
            recurrent = layer
            continue
        inner = layer.layer if kind == "TimeDistributed" else layer
        if kind == "TimeDistributed":
            kind = _class_of(inner)
        if kind in PASSED_OVER:
            continue
        if kind not in BEHIND:
            raise CortwinError(
                f"{source}: {kind} ({layer.name}) is not supported; {', '.join(RECURRENT)} with a Dense head are"
            )
        if recurrent is None:
            raise CortwinError(f"{source}: a {kind} ({layer.name}) is supported behind a {', '.join(RECURRENT)} alone")
        if kind == "Dense":
            if head is not None:
                raise CortwinError(f"{source}: one Dense head is supported; {layer.name} is another")
            head = inner
        name = "softmax" if kind == "Softmax" else _activation(inner, "activation")
        if name not in LINKS:
            raise CortwinError(
                f"{source}: the activation '{name}' behind the head is not supported, expected one of linear, "
                "sigmoid, softmax"
            )
        links += [name] if name != "linear" else []
    if recurrent is None:
        kinds = ", ".join(_class_of(layer) for layer in layers)
        raise CortwinError(f"{source}: there is no {', '.join(RECURRENT)} in it, only {kinds}")
    if len(links) > 1:
        raise CortwinError(f"{source}: one activation may stand behind the head, there are {', '.join(links)}")
    return recurrent, head, links[0] if links else "linear"


def _options(layer: Any, source: str) -> dict[str, Any]:
    """Return what a layer's configuration says of the cell; refuse the options that change it."""
    config = layer.get_config()
    for option in REFUSED:
        if config.get(option):
            raise CortwinError(f"{source}: {option}=True is not supported ({layer.name})")
    gate = _activation(layer, "recurrent_activation") if "recurrent_activation" in config else "logistic"
    if gate != "logistic":
        raise CortwinError(f"{source}: the recurrent_activation '{gate}' is not supported, expected sigmoid")
    options = {"activation": _activation(layer, "activation"), "use_bias": bool(config["use_bias"])}
    return options | ({"reset_after": bool(config["reset_after"])} if "reset_after" in config else {})


def _activation(layer: Any, option: str) -> str:
    """Return the name of an activation; a function that Keras has no name for goes by its own."""
    name = layer.get_config()[option]
    if not isinstance(name, str):
        name = f"function {getattr(getattr(layer, option, None), '__name__', 'without a name')}"
    return LIBRARY_NAMES.get(name, name)


def _class_of(layer: Any) -> str:
    """Return the name of the class of Keras's that a layer is or is derived from."""
    for each in type(layer).__mro__:
        if each.__module__.partition(".")[0] in ("keras", "tf_keras", "tensorflow"):
            return each.__name__
    return type(layer).__name__
