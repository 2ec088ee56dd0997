"""Layers of the libraries as pages: plain, GRU and LSTM cells whose gates lie stacked in one array.

==========  ======  =====================================================================================
cell        page    notes
==========  ======  =====================================================================================
rnn         elman   the libraries' two biases add up to one
gru         gru     reset="after" with two biases (PyTorch, cuDNN, Keras), reset="before" with one (Keras)
lstm        lstm    the two biases add up to one
==========  ======  =====================================================================================

The libraries' first state is h = 0. That is x0 = 0 for tanh and ReLU. No current makes a logistic unit's rate 0: it
starts from x0 = `REST`, where the rate is 2e-9.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortwin.activations import ACTIVATIONS
from cortwin.errors import CortwinError
from cortwin.exchange.imported import Imported, imported

GATES_OF_ROWS = {1: "rnn", 3: "gru", 4: "lstm"}
REST = -20.0
# What the libraries call our activations and links.
LIBRARY_NAMES = {"sigmoid": "logistic"}


class Layer(NamedTuple):
    """A recurrent layer; gates are stacked along the rows, in the order of ``gates``.

    Attributes
    ----------
    cell : ``"rnn"``, ``"gru"`` or ``"lstm"``
    gates : a letter for each block of rows, as the page calls it; empty for ``"rnn"``
    W : (gates x units, inputs) input weights
    U : (gates x units, units) recurrent weights
    b : (gates x units,) bias
    b_rec : (gates x units,) bias behind the recurrent weights
    activation : of an rnn
    reset : of a gru
    """

    cell: str
    gates: str
    W: NDArray
    U: NDArray
    b: NDArray
    b_rec: NDArray
    activation: str = "tanh"
    reset: str = "after"


class Head(NamedTuple):
    """A linear layer behind it: (outputs, units) weights and (outputs,) bias."""

    W_out: NDArray
    b_out: NDArray


def as_page(layer: Layer, head: Head | None, source: str, **settings: Any) -> Imported:
    """Return a library's layer and head as a page.

    Parameters
    ----------
    layer, head : as above; without a head the outputs are the units' states
    source : what they were made from, in words
    settings : output, alpha and tau of `cortwin.exchange.imported.imported`
    """
    units = layer.U.shape[1]
    readout = head or Head(np.eye(units), np.zeros(units))
    ends = {"W_out": readout.W_out, "b_out": readout.b_out}
    if layer.cell == "rnn":
        activation = LIBRARY_NAMES.get(layer.activation, layer.activation)
        if activation not in ACTIVATIONS:
            raise CortwinError(
                f"{source}: the activation '{layer.activation}' is not supported, expected one of "
                f"{', '.join(ACTIVATIONS)}"
            )
        x0 = np.full(units, REST if activation == "logistic" else 0.0)
        arrays = {"W_rec": layer.U, "W_in": layer.W, "b": layer.b + layer.b_rec, "x0": x0, **ends}
        return imported("elman", arrays, source, variant={"activation": activation}, **settings)
    if layer.activation != "tanh":
        raise CortwinError(f"{source}: the activation '{layer.activation}' is not supported, expected tanh")
    W, U, b, b_rec = (
        dict(zip(layer.gates, np.split(array, len(layer.gates)), strict=True))
        for array in (layer.W, layer.U, layer.b, layer.b_rec)
    )
    gates = {f"W_{gate}": W[gate] for gate in layer.gates} | {f"U_{gate}": U[gate] for gate in layer.gates}
    biases = {f"b_{gate}": b[gate] + b_rec[gate] for gate in layer.gates}
    start = {"h0": np.zeros(units)}
    if layer.cell == "lstm":
        return imported("lstm", {**gates, **biases, **start, "c0": np.zeros(units), **ends}, source, **settings)
    if layer.reset == "after":
        # This bias stands behind the reset gate: it cannot be added to the other.
        biases |= {"b_n": b["n"], "b_q": b_rec["n"]}
    return imported("gru", {**gates, **biases, **start, **ends}, source, variant={"reset": layer.reset}, **settings)


def cell_of_rows(name: str, rows: int, units: int, source: str) -> str:
    """Return which cell has so many gates: 1 block of rows for each unit, 3 or 4.

    Raises
    ------
    CortwinError
        If it is none of them.
    """
    if units == 0 or rows % units or rows // units not in GATES_OF_ROWS:
        raise CortwinError(
            f"{source}: {name} has {rows} = gates x units for {units} units: 1 gate is a plain layer, 3 are a GRU, "
            "4 an LSTM"
        )
    return GATES_OF_ROWS[rows // units]
