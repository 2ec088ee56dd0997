"""Which code object of a model takes which template, and why: the sources are generated, nothing is compiled."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from cortwin.builder import Layout
from cortwin.cpp import compiler
from cortwin.cpp.program import generate
from cortwin.model import WRITINGS, Lacking, Model

# Small, and no two alike.
SIZES = {"inputs": 2, "units": 5, "outputs": 3, "slots": 4, "neurons_per_unit": 6, "trials": 7}


@dataclass(frozen=True)
class Line:
    """What became of one code object.

    Parameters
    ----------
    writing, code_object : their names
    stock, used : Brian2's template, and the one that is used; the same where no path of ours takes it
    reason : why none takes it; empty where one does, or where there is none for it
    flags : what it is compiled with
    """

    writing: str
    code_object: str
    stock: str
    used: str
    reason: str
    flags: tuple[str, ...]


def explain(model: Model, profile: str = "release") -> tuple[list[Line], dict[str, str]]:
    """Say of every writing of a model what its code objects become.

    Parameters
    ----------
    model : a page's
    profile : one of `cortwin.cpp.compiler.PROFILES`

    Returns
    -------
    lines : one for each code object
    lacking : why a writing is not there, by its name
    """
    lines, lacking = [], {}
    for writing in WRITINGS:
        text = getattr(model, writing)
        if isinstance(text, Lacking):
            lacking[writing] = text.reason
            continue
        spikes = bool(text.spikes)
        layout = Layout(
            **SIZES, dt=1e-4, input_dt=1e-2, input_steps=1, record_dt=1e-2, spikes=spikes, intervention=False
        )
        with tempfile.TemporaryDirectory(prefix="cortwin-explain-") as folder:
            notes = generate(Path(folder), model, writing, layout, profile)["code_objects"]
        for note in notes:
            flags = (*compiler.PROFILES[profile], *note["flags"])
            lines.append(Line(writing, note["code_object"], note["stock"], note["used"], note["reason"], flags))
    return lines, lacking
