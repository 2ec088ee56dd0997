"""Networks of PyTorch: a recurrent layer and a linear head, from a module or from its `state_dict`.

PyTorch is not imported: a module is known by its own class, tensors by what they can do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortwin.errors import CortwinError
from cortwin.exchange.arrays import numbers, require_shape
from cortwin.exchange.cells import Head, Layer, as_page, cell_of_rows
from cortwin.exchange.imported import Imported

GATES = {"rnn": "", "gru": "rzn", "lstm": "ifgo"}
RECURRENT = ("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell")
LINKS = {"Sigmoid": "logistic", "Softmax": "softmax"}
# They hold others, or do nothing once a network is trained.
PASSED_OVER = ("Module", "Sequential", "ModuleList", "ModuleDict", "Identity", "Dropout")
OPTIONS = {"bidirectional": "a bidirectional layer", "proj_size": "a projection (proj_size)"}
_KEY = re.compile(r"(?P<layer>.*?)(?P<kind>(weight|bias)_(ih|hh|hr))(_l(?P<number>\d+))?(?P<reverse>_reverse)?")


def from_pytorch(
    network: Any,
    *,
    activation: str | None = None,
    output: str | None = None,
    alpha: float = 1.0,
    tau: float | None = None,
) -> Imported:
    """Return a PyTorch network as a page: ``elman``, ``gru`` or ``lstm``.

    A network is one recurrent layer (``RNN``, ``GRU``, ``LSTM`` or their cells), with one ``Linear`` layer behind it as
    its head; without a head its outputs are the states. How a module's ``forward`` puts them together is not looked at.

    Parameters
    ----------
    network : module, or its ``state_dict()``
    activation : ``"tanh"`` or ``"relu"``, where a state_dict does not say; None for tanh, or the module's own
    output : what stands behind the head, ``"linear"``, ``"logistic"`` or ``"softmax"``; None for a module's own Sigmoid
        or Softmax, else linear
    alpha : dt / tau of a step; 1 for what PyTorch computes
    tau : time constant in s; the page's own when None

    Returns
    -------
    Imported : its outputs are the source's to the rounding of float32, with zeros as the first state

    Raises
    ------
    CortwinError
        Naming the layer or option that is not supported, or the array that does not fit, the rule and both shapes.
    """
    settings = {"alpha": alpha, "tau": tau}
    if isinstance(network, Mapping):
        return from_state(network, "state_dict", activation=activation or "tanh", output=output or "linear", **settings)
    if not (callable(getattr(network, "state_dict", None)) and callable(getattr(network, "named_modules", None))):
        raise CortwinError(f"from_pytorch takes a module or its state_dict, got {type(network).__name__}")
    source = f"PyTorch {type(network).__name__}"
    own, link = _read_modules(network, source)
    if activation is not None and own is not None and activation != own:
        raise CortwinError(f"{source}: the activation is {own}, not {activation}")
    return from_state(
        network.state_dict(), source, activation=own or activation or "tanh", output=output or link, **settings
    )


def from_state(state: Mapping[str, Any], source: str, *, activation: str, output: str, **settings: Any) -> Imported:
    """Return a page from arrays under the names of a `state_dict`."""
    found: dict[str, NDArray] = {}
    others: dict[str, Any] = {}
    layers = set()
    for key, value in state.items():
        match = _KEY.fullmatch(key)
        if match is None:
            others[key] = value
            continue
        if match["reverse"]:
            raise CortwinError(f"{source}: bidirectional layers are not supported ({key})")
        if match["kind"] == "weight_hr":
            raise CortwinError(f"{source}: projections (proj_size) are not supported ({key})")
        if int(match["number"] or 0) > 0:
            raise CortwinError(f"{source}: several layers (num_layers) are not supported ({key})")
        layers.add(match["layer"].rstrip("."))
        found[match["kind"]] = numbers(key, value, source)
    if len(layers) != 1:
        names = ", ".join(sorted(layers)) if layers else f"none among {', '.join(state) or 'nothing'}"
        raise CortwinError(f"{source}: expected one recurrent layer (weight_ih_l0, weight_hh_l0, ...), got {names}")
    if missing := [kind for kind in ("weight_ih", "weight_hh") if kind not in found]:
        raise CortwinError(f"{source}: there is no {missing[0]}_l0, only {', '.join(state)}")
    W, U = found["weight_ih"], found["weight_hh"]
    if U.ndim != 2 or W.ndim != 2:
        name, array = ("weight_hh", U) if U.ndim != 2 else ("weight_ih", W)
        raise CortwinError(f"{source}: {name} has the shape {array.shape}, expected (gates x units, ...)")
    rows, units = U.shape
    cell = cell_of_rows("weight_hh", rows, units, source)
    require_shape("weight_ih", W, (rows, W.shape[1]), "gates x units, inputs", source)
    biases = [kind for kind in ("bias_ih", "bias_hh") if kind in found]
    if len(biases) == 1:
        raise CortwinError(f"{source}: there is {biases[0]} alone; PyTorch has bias_ih and bias_hh, or neither")
    for kind in biases:
        require_shape(kind, found[kind], (rows,), "gates x units", source)
    b, b_rec = (found.get(kind, np.zeros(rows)) for kind in ("bias_ih", "bias_hh"))
    layer = Layer(cell, GATES[cell], W, U, b, b_rec, activation)
    return as_page(layer, _head(others, units, source), source, output=output, **settings)


def _head(state: Mapping[str, Any], units: int, source: str) -> Head | None:
    """Return the linear layer among arrays that belong to no recurrent one."""
    if not state:
        return None
    layers: dict[str, dict[str, NDArray]] = {}
    for key, value in state.items():
        name, _, kind = key.rpartition(".")
        if kind not in ("weight", "bias"):
            raise CortwinError(f"{source}: {key} is of no layer that is supported (RNN, GRU, LSTM and Linear are)")
        layers.setdefault(name, {})[kind] = numbers(key, value, source)
    if len(layers) > 1:
        raise CortwinError(f"{source}: one linear head is supported, there are {', '.join(layers)}")
    ((name, arrays),) = layers.items()
    label = f"{name}.weight" if name else "weight"
    if "weight" not in arrays:
        raise CortwinError(f"{source}: there is no {label}, only its bias")
    W = arrays["weight"]
    if W.ndim != 2:
        raise CortwinError(
            f"{source}: {label} has the shape {W.shape}: layer norms and the like are not supported, a linear head is "
            "(outputs, units)"
        )
    require_shape(label, W, (W.shape[0], units), "outputs, units", source)
    b = arrays.get("bias", np.zeros(len(W)))
    require_shape(label.replace("weight", "bias"), b, (len(W),), "outputs", source)
    return Head(W, b)


def _read_modules(network: Any, source: str) -> tuple[str | None, str]:
    """Return the activation of a module's recurrent layer and the link behind its head; refuse what is not known."""
    activation, links = None, []
    for name, module in network.named_modules():
        kind = _class_of(module)
        where = f"{kind} ({name})" if name else kind
        if kind in RECURRENT:
            for option, words in OPTIONS.items():
                if getattr(module, option, False):
                    raise CortwinError(f"{source}: {words} is not supported: {where}")
            if getattr(module, "num_layers", 1) != 1:
                raise CortwinError(f"{source}: several layers (num_layers = {module.num_layers}) are not supported")
            activation = str(getattr(module, "nonlinearity", "tanh"))
        elif kind in LINKS:
            links.append(LINKS[kind])
        elif kind not in (*PASSED_OVER, "Linear"):
            raise CortwinError(f"{source}: {where} is not supported; {', '.join((*RECURRENT, 'Linear', *LINKS))} are")
    if len(links) > 1:
        raise CortwinError(f"{source}: one of {' and '.join(LINKS)} may stand behind the head, there are {len(links)}")
    return activation, links[0] if links else "linear"


def _class_of(module: Any) -> str:
    """Return the name of the class of PyTorch's that a module is or is derived from."""

    def of_pytorch() -> Iterator[str]:
        for each in type(module).__mro__:
            if each.__module__.partition(".")[0] == "torch":
                yield each.__name__

    return next(of_pytorch(), type(module).__name__)
