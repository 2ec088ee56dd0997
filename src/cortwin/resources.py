"""Memory and disk that a simulation needs, estimated before anything is built, and refused when there is not as much.

The estimate counts what is certain: states, synapses, inputs and records. Spikes come on top, because nobody knows how
many there will be; the launcher limits each process to its share of the free memory.
"""

from __future__ import annotations

import math
import resource
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cortwin.builder import Layout
from cortwin.connectivity import Distribution, FromArrays
from cortwin.equations import definitions
from cortwin.errors import CortwinError
from cortwin.model import Model, Pathway, Writing

NUMBER, INDEX = 8, 4  # bytes
# Source and target of each synapse, once as Brian2 is told them and once as it keeps them, and its place in the lists
# of synapses that a neuron's spike goes through.
SYNAPSE = 5 * INDEX
DELAY = 2  # of a synapse in a row, in steps
# What NumPy holds of a synapse while it draws it: counters, words and products of Philox.
DRAWN = 16 * NUMBER
# Index, last spike, whether it is refractory, and a place among the spikes of a step.
NEURON = 2 * INDEX + NUMBER + 1
LEAST = 2**20  # what a program takes that does nothing


@dataclass(frozen=True)
class Need:
    """Bytes that one batch needs.

    Parameters
    ----------
    memory : held by the process that simulates it
    disk : written for it and by it
    results : kept of it when it is over
    most : what takes most of the memory, in words
    """

    memory: int
    disk: int
    results: int
    most: str


def estimate(
    model: Model,
    writing: str,
    layout: Layout,
    values: Mapping[str, Any] | None = None,
    *,
    shared: Collection[str] = (),
    compiled: bool = True,
) -> Need:
    """Estimate what one batch of a simulation needs.

    Parameters
    ----------
    model, writing, layout : what is simulated
    values : the model's arrays, which tell how many synapses are listed
    shared : pathways whose synapses serve every trial, without arrays of sources and targets
    compiled : whether a compiled program simulates it, whose rules make rows of synapses
    """
    text = model.writing(writing)
    parts, given, in_rows = {}, 0, 0
    for name, population in text.populations.items():
        elements = layout.trials * layout.elements(population)
        stored = [item for item in definitions(population.equations, name) if item.kind != "subexpression"]
        parts[f"the {elements:,} elements of {name}"] = elements * (NEURON + NUMBER * len(stored))
        given += elements * NUMBER * len(population.values)
    for name, pathway in text.pathways.items():
        synapses = (1 if name in shared else layout.trials) * _synapses(pathway, text, layout, values or {})
        size = synapses * _bytes(pathway, compiled, shared=name in shared)
        parts[f"the {synapses:,} synapses of {name}"] = size
        given += synapses * NUMBER * len(pathway.values)
        if compiled and pathway.in_rows:
            in_rows += size
            given += 2 * INDEX * synapses * isinstance(pathway.connect, FromArrays)
    steps = layout.input_steps * layout.trials * layout.inputs * NUMBER
    parts[f"the {layout.input_steps:,} samples of the input"] = steps
    if layout.intervention:
        hand = 2 * layout.input_steps * layout.trials * layout.units * NUMBER
        parts[f"the {layout.input_steps:,} samples of the intervention"] = hand
        given += hand
    recorded = sum(layout.elements(text.populations[name.partition(".")[0]]) for name in text.activity.values())
    records = (layout.samples + 1) * layout.trials * recorded * NUMBER
    parts[f"the {layout.samples:,} samples that are recorded"] = records
    memory = LEAST + sum(parts.values())
    return Need(memory, memory - in_rows + given + steps, records, max(parts, key=lambda part: parts[part]))


def require(need: Need, batches: int, processes: int) -> int | None:
    """Refuse a simulation for which there is not enough memory or disk.

    Parameters
    ----------
    need : of one batch
    batches : how many there are; the results of all are kept to the end
    processes : batches that run at a time; 0 when they run within this process

    Returns
    -------
    int or None
        Bytes of memory that each process may take, None where the system does not say how much is free.

    Raises
    ------
    CortwinError
        With both figures, and what takes most.
    """
    at_once = max(1, processes)
    what = f"most of it for {need.most}"
    advice = "use fewer units, smaller batches" + (", or --jobs 1" if processes > 1 else "")
    wanted, free = at_once * need.memory + batches * need.results, free_memory()
    if free is not None and wanted > free:
        raise CortwinError(
            f"the simulation needs about {_words(wanted)} of memory, {what}; {_words(free)} are free: {advice}"
        )
    folder = Path(tempfile.gettempdir())
    room = shutil.disk_usage(folder).free
    if processes and at_once * need.disk > room:
        raise CortwinError(
            f"the simulation needs about {_words(at_once * need.disk)} of disk in {folder}, {what}; "
            f"{_words(room)} are free: {advice}, or set TMPDIR to another disk"
        )
    return None if free is None else (free - batches * need.results) // at_once


def free_memory() -> int | None:
    """Bytes of memory that can still be had: of the machine, or less where the container or ``ulimit -v`` sets a limit.

    None if unknown.
    """
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    free = free if limit == resource.RLIM_INFINITY else min(free, limit)
    group = Path("/sys/fs/cgroup")
    try:
        used = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        # What files left in memory is given up when it is wanted.
        held = int((group / "memory.current").read_text()) - int(used["inactive_file"])
        return min(free, max(0, int((group / "memory.max").read_text()) - held))
    except (OSError, ValueError, KeyError):  # no such limit, for instance "max"
        return free


def _bytes(pathway: Pathway, compiled: bool, *, shared: bool) -> int:
    """Return the bytes that a synapse takes at most; those of variables in single precision are half."""
    variables = sum(np.dtype(pathway.dtype.get(name, float)).itemsize for name in (*pathway.values, *pathway.drawn))
    delay = isinstance(pathway.delay, Distribution)
    if isinstance(pathway.connect, str):
        return variables + (0 if shared else SYNAPSE)
    if compiled and pathway.in_rows:
        return INDEX + variables + DELAY * delay
    return SYNAPSE + variables + NUMBER * delay + (0 if compiled else DRAWN)


def _synapses(pathway: Pathway, text: Writing, layout: Layout, values: Mapping[str, Any]) -> int:
    """Return how many synapses a pathway has in one trial, on average where the number is random."""
    source, target = (layout.elements(text.populations[name]) for name in (pathway.source, pathway.target))
    rule = pathway.connect
    if isinstance(rule, FromArrays):
        return np.size(values.get(rule.source, ()))
    if not isinstance(rule, str):
        return rule.synapses(source, target, pathway.source == pathway.target)
    return source * target if rule == "all_to_all" else source


def _words(size: int) -> str:
    """Say a number of bytes with three digits."""
    power = min(4, max(0, int(math.log2(max(size, 1)) // 10)))
    return f"{size / 2 ** (10 * power):.3g} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"
