"""Spikes over sparse synapses: rows on our device against Brian2's queue of synapses, bit for bit."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import ms
from brian2.devices.device import all_devices, reset_device, set_device
from brian2.synapses import synapses as brian2_synapses

from cortwin.builder import Layout
from cortwin.cpp import compiler, program
from cortwin.cpp.device import LIBRARY, NAME
from cortwin.cpp.paths import sparse
from cortwin.models import microcircuit

pytestmark = pytest.mark.cpp
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def queues(tmp_path_factory):
    """Compile `delivery.cpp`, which sets `cortwin/delivery.h` beside Brian2's own queue."""
    folder = tmp_path_factory.mktemp("queues")
    (folder / "cortwin").symlink_to(LIBRARY, target_is_directory=True)
    (folder / "brianlib").mkdir()
    stock = Path(brian2_synapses.__file__).parent
    # A header since Brian2 2.11.
    queue = next(path for path in (stock / "spikequeue.h", stock / "cspikequeue.cpp") if path.exists())
    shutil.copy(queue, folder / "brianlib" / "spikequeue.h")
    shutil.copy(stock / "stdint_compat.h", folder / "brianlib")
    command = shlex.split(compiler.find().command)
    flags = ["-w", "-O1", "-std=c++17", "-pthread", f"-I{folder}", f"-I{folder / 'brianlib'}"]
    subprocess.run([*command, *flags, HERE / "delivery.cpp", "-o", folder / "delivery"], check=True)
    return folder / "delivery"


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("kept_in", ["arrays", "rows"])
def test_every_synapse_comes_when_it_comes_from_brian2s_queue(queues, kept_in, threads):
    """One thread: in the same order too. Several: each target's in the same order, and no target has two threads."""
    environment = {**os.environ, "CORTWIN_THREADS": str(threads)}
    # In case 1103 what one thread had listed for all is overtaken by what the next run lists.
    for first, cases in (("1100", "10"), ("1", "100")):
        command = [queues, first, cases, kept_in]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    events, divided, travelled = (int(part.split()[0]) for part in ended.stdout.split(", "))
    assert events > 1_000_000
    assert travelled > 10_000
    assert (divided > 100) == (threads > 1)


# One network for every kind of pathway, so that there are two programs to compile and no more. Each kind has neurons
# of its own. Between the two runs delays change, and one pathway pauses in the second.
EQUATIONS = """
dv/dt = (drive - v + I) / (10*ms) : 1 (unless refractory)
dI/dt = -I / (5*ms) : 1
drive : 1 (constant)
ref : second (constant)
"""
STDP = """
w : 1
dx/dt = -x / (20*ms) : 1 (event-driven)
dy/dt = -y / (20*ms) : 1 (event-driven)
"""
NEURONS = {
    "random": 80,
    "sorted": 80,
    "grid": 60,
    "wide": 80,
    "now": 80,
    "plastic": 60,
    "none": 10,
    "both": 60,
    "large": 320,
}
SYNAPSES = {
    "random": 800,
    "sorted": 800,
    "grid": 9000,
    "wide": 700,
    "now": 300,
    "plastic": 3000,
    "none": 0,
    "both": 500,
}
SYNAPSES["large"] = 128_000  # enough to be divided among threads
COMPARED = ("i", "t", "v", "I", "w", "x", "y", "lastupdate")


def network(rng: np.random.Generator) -> brian2.Network:
    """Make the network on the active device and let it run, twice."""
    group = brian2.NeuronGroup(
        sum(NEURONS.values()),
        EQUATIONS,
        threshold="v > 1",
        reset="v = 0",
        refractory="ref",
        method="euler",
        events={"half": "v > 0.5 and v < 0.6"},
        name="cells",
    )
    edges = np.cumsum([0, *NEURONS.values()])
    part = {name: group[edges[k] : edges[k + 1]] for k, name in enumerate(NEURONS)}
    group.v = rng.random(len(group))
    group.drive = np.where(np.arange(len(group)) < edges[-2], 1.2, 4.0)
    group.ref = rng.integers(0, 3, len(group)) * ms

    def connect(name: str, model: str, on_pre: Any, *, in_order: bool = False, steps: int = 0, **keywords: Any) -> Any:
        synapses = brian2.Synapses(part[name], part[name], model, on_pre=on_pre, name=name, method="euler", **keywords)
        n = SYNAPSES[name]
        i, j = rng.integers(0, NEURONS[name], (2, n))
        if n:
            synapses.connect(i=np.sort(i) if in_order else i, j=j)
        else:
            synapses.connect(False)
        if "w" in synapses.variables and n:
            synapses.w = rng.normal(0.02, 0.2, n)
        if steps and n:
            synapses.pre.delay = rng.integers(0, steps, n) * 0.1 * ms
        return synapses

    late: dict[str, Any] = {"delay": 1.5 * ms}
    plastic = "v_post += w\nx += 0.01\nw = clip(w - y, -1, 1)"
    made = {
        "random": connect("random", "w : 1", "v_post += w", **late),
        "sorted": connect("sorted", "w : 1", "v_post += w", in_order=True, **late),
        "grid": connect("grid", "w : 1", "v_post += w", steps=30),
        "wide": connect("wide", "w : 1", "I_post += w", steps=150),
        "now": connect("now", "", "v_post += 0.01 * v_pre", on_event={"pre": "half"}, delay=0 * ms),
        "plastic": connect("plastic", STDP, plastic, on_post="y += 0.01\nw = clip(w + x, -1, 1)", steps=9),
        "none": connect("none", "w : 1", "v_post += w", steps=9),
        "both": connect("both", "w : 1", {"a": "v_post += w", "b": "v_post *= 0.99"}, delay={"a": 0.3 * ms}),
        "large": connect("large", "w : 1", "I_post += 0.02 * w", **late),
    }
    whole = brian2.Network(group, brian2.SpikeMonitor(group, name="spikes"), *made.values())
    whole.run(40 * ms, namespace={})
    made["random"].pre.delay = 0.4 * ms
    made["grid"].pre.delay = rng.integers(0, 9, SYNAPSES["grid"]) * 0.1 * ms
    made["sorted"].active = False
    whole.run(30 * ms, namespace={})
    return whole


def build(folder: Path, *, fast: bool) -> tuple[dict, list]:
    """Compile the network, with Brian2's templates unless it is to be fast.

    Returns the file and type of each array that is compared, and the notes.
    """
    set_device(NAME, build_on_run=False)
    device = all_devices[NAME]
    device.reinit()
    device.fast = fast
    device.activate(build_on_run=False)
    # Less optimisation than in use: most of the test is the compilation of Brian2's many files.
    flags = ["-O1" if flag == "-O3" else flag for flag in compiler.PROFILES["release"]]
    kept = {"codegen.cpp.extra_compile_args": flags}
    kept["devices.cpp_standalone.extra_make_args_unix"] = ["-j2"]
    before = {name: brian2.prefs[name] for name in kept}
    try:
        for name, value in kept.items():
            brian2.prefs[name] = value
        network(np.random.default_rng(3))
        device.build(directory=str(folder), compile=True, run=False)
        files = {
            f"{variable.owner.name}.{variable.name}": (device.get_array_filename(variable), variable.dtype)
            for variable in device.arrays
            if getattr(variable.owner, "name", "") in {"spikes", "cells", *NEURONS} and variable.name in COMPARED
        }
        return files, list(device.notes)
    finally:
        for name, value in before.items():
            brian2.prefs[name] = value
        device.reinit()
        reset_device()


def found(folder: Path, files: dict, threads: int) -> dict[str, np.ndarray]:
    """Run a compiled network and read its arrays."""
    results = folder / f"results_{threads}"
    results.mkdir()
    environment = {**os.environ, "CORTWIN_THREADS": str(threads)}
    subprocess.run(["./main", "--results_dir", f"{results}/"], cwd=folder, env=environment, check=True, timeout=300)
    return {name: np.fromfile(results / file, dtype) for name, (file, dtype) in files.items()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Compile the network with Brian2's templates and with ours: (stock arrays, our arrays by threads, our notes)."""
    folder = tmp_path_factory.mktemp("networks")
    files, _ = build(folder / "stock", fast=False)
    stock = found(folder / "stock", files, 1)
    files, notes = build(folder / "ours", fast=True)
    return stock, {threads: found(folder / "ours", files, threads) for threads in (1, 2)}, notes


@pytest.mark.parametrize("threads", [1, 2])
def test_networks_equal_brian2s_bit_for_bit(built, threads):
    stock, ours, _ = built
    assert set(stock) == set(ours[threads])
    for name, array in stock.items():
        np.testing.assert_array_equal(ours[threads][name], array, err_msg=name)
    edges = np.cumsum([0, *NEURONS.values()])
    spikes = np.histogram(stock["spikes.i"], edges)[0]
    assert all(spikes > 0.5 * np.array(list(NEURONS.values())))


def test_every_pathway_used_rows(built):
    notes = [note for note in built[2] if note.stock in sparse.REPLACES]
    assert {note.used for note in notes} == {"sparse_push_spikes", "sparse_synapses"}
    # Eleven pathways are pushed to; their statements are code objects of each run in which they take part.
    assert len(notes) == 11 + 11 + 10


def generated(folder, model):
    """Return the text of a microcircuit's steps."""
    sizes = {"inputs": 902, "units": 8, "outputs": 8, "neurons_per_unit": 1, "trials": 1, "dt": 1e-4}
    layout = Layout(**sizes, input_dt=1e-3, input_steps=10, record_dt=1e-3, spikes=True)
    program.generate(folder, model, "spiking", layout, "release")
    return (folder / "steps.cpp").read_text()


@pytest.mark.parametrize(
    ("equations", "on_pre", "travels"),
    [
        ("w : amp (constant)", "I_post += w", True),
        ("w : amp", "I_post += w", False),  # something else may change it while a spike is under way
        ("w : amp (constant)", "I_post += w\nw = 2*w", False),
    ],
)
def test_values_travel_with_spikes_where_nothing_changes_them(tmp_path, equations, on_pre, travels):
    model = microcircuit.model(0.02)
    pathway = replace(model.spiking.pathways["L4E_L5E"], equations=equations, on_pre=on_pre)
    pathways = {**model.spiking.pathways, "L4E_L5E": pathway}
    text = generated(tmp_path, replace(model, spiking=replace(model.spiking, pathways=pathways)))
    code = text[text.index("void _run_L4E_L5E_pre_codeobject()") :]
    values = "_ptr_array_L4E_L5E__synaptic_post, _ptr_array_L4E_L5E_w" if travels else ""
    assert f"cortwin::values({values});" in code[: code.index("_delivery.deliver(")]


def test_memory_of_what_comes_next_is_asked_for(tmp_path):
    """Of the targets and the weights; whether it comes in time no result tells."""
    text = generated(tmp_path, microcircuit.model(0.02))
    for array in ("_ptr_array_L4E_L5E__synaptic_post", "_ptr_array_L4E_L5E_w"):
        assert f"cortwin::prefetch({array}, _ahead.begin" in text
        assert f"__builtin_prefetch({array} + _later" in text
