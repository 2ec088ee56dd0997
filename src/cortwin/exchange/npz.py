"""Networks in plain files: ``.npz`` archives of arrays, as `numpy.savez` writes them.

========================  ============================================================================================
entry                     meaning
========================  ============================================================================================
``cell``                  name of a page: ``elman``, ``gru``, ``lstm``, ``jordan``, ...
every array of the page   under the page's own names (``W_rec``, ``W_in``, ``b``, ``x0``, ``W_out``, ``b_out``)
``activation``, ...       a variant of the page, the argument of its ``model()``; may be left out
``output``                ``linear``, ``logistic`` or ``softmax``; linear when left out
``alpha``                 dt / tau of a step; 1, a map, when left out
``tau``                   time constant in s; the page's own when left out
``dt``                    seconds of a step, in place of alpha
``source``                where it comes from, in words; may be left out
========================  ============================================================================================

Without ``cell``, the arrays may have the names of a PyTorch `state_dict` (``weight_ih_l0``, ``fc.weight``, ...), of
Keras's weights or their paths (``kernel``, ``gru/gru_cell/recurrent_kernel``, ...), or those that `numpy.savez` gives
to a list, Keras's `get_weights` (``arr_0``, ...). ``activation``, ``output``, ``alpha``, ``tau``, ``dt`` and for Keras
``reset_after`` may stand beside them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from cortwin.archives import opened_archive, read_array
from cortwin.catalogue import page_module
from cortwin.errors import CortwinError
from cortwin.exchange.arrays import number, words
from cortwin.exchange.imported import Imported, imported
from cortwin.exchange.keras import from_weights
from cortwin.exchange.pytorch import from_state

TEXTS = ("cell", "output", "source")
NUMBERS = ("alpha", "tau", "dt")


def from_npz(file: str | PathLike[str]) -> Imported:
    """Read a network from a file; its layout stands at the head of this module.

    Parameters
    ----------
    file : ``.npz`` file, without pickled objects

    Raises
    ------
    CortwinError
        Naming the file, what is missing or does not fit, the rule, and both shapes.
    """
    source = f"network {Path(file)}"
    with opened_archive(file, source) as archive:
        entries = {name: read_array(archive, name, source) for name in archive.files}
    said = {name: words(name, entries.pop(name), source) for name in TEXTS if name in entries}
    given = {name: number(name, entries.pop(name), source) for name in NUMBERS if name in entries}
    if "cell" in said:
        settings = {"output": said.get("output", "linear"), **_times(given, source)}
        try:
            variants = list(inspect.signature(page_module(said["cell"]).model).parameters)
        except CortwinError as error:
            raise CortwinError(f"{source}: cell: {error}") from error
        variant = {name: words(name, entries.pop(name), source) for name in variants if name in entries}
        found = imported(said["cell"], entries, source, variant=variant, **settings)
    else:
        found = _of_a_library(entries, said.get("output"), _times(given, source), source)
    return replace(found, source=said["source"]) if "source" in said else found


def _of_a_library(entries: dict[str, Any], output: str | None, times: Mapping[str, Any], source: str) -> Imported:
    activation = words("activation", entries.pop("activation"), source) if "activation" in entries else None
    reset_after = entries.pop("reset_after", None)
    if reset_after is not None and (reset_after.shape != () or reset_after.dtype != bool):
        raise CortwinError(f"{source}: reset_after must be True or False, got {reset_after}")
    if any(re.search(r"(weight|bias)_(ih|hh)", name) for name in entries):
        if reset_after is not None:
            raise CortwinError(f"{source}: reset_after is an option of Keras; the arrays are named as PyTorch does")
        return from_state(entries, source, activation=activation or "tanh", output=output or "linear", **times)
    of_keras: Any = entries
    if entries and all(re.fullmatch(r"arr_\d+", name) for name in entries):
        of_keras = [entries[f"arr_{k}"] for k in range(len(entries))]
    elif not any(name.rpartition("/")[2].startswith("recurrent_kernel") for name in entries):
        raise CortwinError(
            f"{source}: there is no entry cell, and neither PyTorch's weight_hh_l0 nor Keras's recurrent_kernel among "
            f"{', '.join(entries) or 'nothing'}"
        )
    after = None if reset_after is None else bool(np.asarray(reset_after))
    return from_weights(of_keras, source, activation=activation, output=output, reset_after=after, **times)


def _times(given: Mapping[str, float], source: str) -> dict[str, Any]:
    """Return alpha and tau from two of alpha, tau and dt."""
    alpha, tau, dt = (given.get(name) for name in ("alpha", "tau", "dt"))
    if dt is not None:
        if tau is None and alpha is None:
            raise CortwinError(f"{source}: dt = {dt:g} s says nothing without tau or alpha = dt / tau")
        if tau is None:
            tau = dt / alpha  # type: ignore[operator]
        elif alpha is not None and abs(alpha * tau - dt) > 1e-9 * dt:
            raise CortwinError(f"{source}: alpha = {alpha:g} must be dt / tau = {dt:g} s / {tau:g} s = {dt / tau:g}")
        alpha = dt / tau
    return {"alpha": 1.0 if alpha is None else alpha, "tau": tau}
