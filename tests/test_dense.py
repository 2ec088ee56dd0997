"""Everything to everything: the product against a slow loop, our templates against Brian2's own, to the bit."""

from __future__ import annotations

import ctypes
import importlib
import pkgutil
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import brian2
import numpy as np
import pytest
from brian2 import ms
from brian2.devices.device import all_devices, reset_device, set_device

from cortwin import cpp, models
from cortwin.activity import activity
from cortwin.battery import variants
from cortwin.blocks import Block, shareable, shared
from cortwin.builder import Layout, arrays
from cortwin.cli import main
from cortwin.cpp import cache, compiler, paths, program
from cortwin.cpp.device import LIBRARY, NAME
from cortwin.cpp.explanation import explain
from cortwin.cpp.launcher import STEPPING
from cortwin.errors import CortwinError
from cortwin.model import WRITINGS, Lacking, Pathway, Population, Writing
from cortwin.models import attention, elman, lif
from cortwin.simulation import simulate

LAYOUT = Layout(
    inputs=2, units=7, outputs=2, neurons_per_unit=3, trials=3, dt=1e-3, input_dt=0.01, input_steps=20, record_dt=0.01
)
PAGES = {
    page.name: importlib.import_module(f"cortwin.models.{page.name}") for page in pkgutil.iter_modules(models.__path__)
}


# The product


PRODUCT = """
#include "product.h"
template <typename real> void all(const void* x, std::size_t k, const void* w, std::size_t m, std::size_t n, void* y) {
    cortwin::product(static_cast<const real*>(x), k, static_cast<const real*>(w), m, n, static_cast<real*>(y));
}
extern "C" void of_float64(const void* x, std::size_t k, const void* w, std::size_t m, std::size_t n, void* y) {
    all<double>(x, k, w, m, n, y);
}
extern "C" void of_float32(const void* x, std::size_t k, const void* w, std::size_t m, std::size_t n, void* y) {
    all<float>(x, k, w, m, n, y);
}
"""


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    folder = tmp_path_factory.mktemp("product")
    (folder / "product.cpp").write_text(PRODUCT)
    command = [*shlex.split(compiler.find().command), *compiler.PROFILES["strict"], f"-I{LIBRARY}", "-fPIC", "-shared"]
    subprocess.run([*command, "product.cpp", "-o", "product.so"], cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "product.so"))

    def multiply(x, w):
        y = np.full((len(x), w.shape[1]), np.nan, x.dtype)
        size, place = ctypes.c_size_t, lambda array: array.ctypes.data_as(ctypes.c_void_p)
        function = getattr(library, f"of_{x.dtype}")
        function(place(x), size(len(x)), place(w), size(len(w)), size(w.shape[1]), place(y))
        return y

    return multiply


@pytest.mark.cpp
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_product_adds_in_the_order_of_the_sources(product, dtype):
    """Without contraction a slow loop has the same bits, whatever the edges of tiles, panels and batches."""
    generator = np.random.default_rng(0)
    for batch in (1, 2, 8, 9, 16, 19):
        for rows in (1, 7, 8, 256, 259):
            for columns in (1, 8, 23, 24, 25, 48, 61):
                x = generator.standard_normal((batch, rows)).astype(dtype)
                w = generator.standard_normal((rows, columns)).astype(dtype)
                slow = np.zeros((batch, columns), dtype)
                for i in range(rows):
                    slow += x[:, i, None] * w[i]
                assert np.array_equal(product(x, w), slow), (batch, rows, columns)


# Pages


def simulated(model, writing, profile, layout=LAYOUT):
    generator = np.random.default_rng(1)
    spiking = model.writing(writing).spikes
    layout = replace(layout, spikes=bool(spiking), dt=1e-4 if spiking else layout.dt)
    sizes = layout.sizes
    values = {
        name: generator.standard_normal([sizes[size] for size in shape])
        / np.sqrt(max(1, sizes[shape[-1]] if shape else 1))
        for name, shape in model.shapes.items()
    }
    # Neurons that fire: a background above threshold, and a time constant that cannot be negative.
    values |= {
        name: 1.2 + 0.3 * abs(array) for name, array in values.items() if name in ("b", "bias") or "_bias" in name
    }
    values |= {name: 0.01 * array for name, array in values.items() if name.endswith(("decoder", "lead"))}
    inputs = 0.3 * generator.standard_normal((layout.trials, layout.input_steps, layout.inputs)).cumsum(axis=1)
    built = cpp.build(model, writing, layout, profile)
    return built, cpp.run(built, arrays(model, writing, layout, values, inputs))


def same_to_the_bit(model, writing, layout=LAYOUT):
    """Return a program of ours after its results were held against those of Brian2's own templates."""
    ours, found = simulated(model, writing, "release", layout)
    stock, expected = simulated(model, writing, "stock", layout)
    assert not any(note["used"] != note["stock"] for note in stock.description["code_objects"])
    assert found.keys() == expected.keys()
    del found[STEPPING]  # how long it took
    for name, array in found.items():
        assert np.array_equal(array, expected[name]), name
        assert array.size
        if name.endswith((".x", ".v")):
            assert len(np.unique(array)) > array.size // 3
        if name.endswith(".count"):
            assert array.sum() > 3 * len(array)
    return ours


def used(built):
    return {note["code_object"]: note["used"] for note in built.description["code_objects"]}


@pytest.mark.cpp
def test_a_batch_of_spiking_networks_shares_a_full_matrix():
    ours = same_to_the_bit(lif.model(), "spiking")
    assert ours.shared == ("feedforward", "recurrence")
    assert used(ours)["recurrence_pre_codeobject"] == "dense_deliver"
    assert used(ours)["recurrence_pre_push_spikes"] == "dense_push"
    # One set of synapses for three trials, and no array of sources or targets.
    sizes = {entry["name"]: entry["size"] for entry in ours.description["arrays"]}
    assert sizes["recurrence.w"] == 7 * 7
    assert sizes["recurrence._synaptic_pre"] == sizes["recurrence._synaptic_post"] == 0


@pytest.mark.cpp
def test_a_batch_of_ensembles_shares_its_weights():
    ours = same_to_the_bit(elman.model(), "spiking")
    assert ours.shared == ("feedforward", "decode", "recurrence")
    assert used(ours)["recurrence_summed_variable_recurrent_post_codeobject"] == "dense_product"
    assert used(ours)["decode_pre_codeobject"] == "dense_deliver"


@pytest.mark.cpp
def test_synapses_that_change_are_each_trial_s_own():
    ours = same_to_the_bit(attention.model(), "rate")
    assert ours.shared == ("feedforward", "recurrence")
    assert used(ours)["fast_summed_variable_attended_post_codeobject"] == "summed_variable"


EVERY = [
    pytest.param(page, arguments, writing, id="-".join([name, *arguments.values(), writing]))
    for name, page in PAGES.items()
    for arguments in variants(page)
    for writing in WRITINGS
    if not isinstance(getattr(page.model(**arguments), writing), Lacking)
]


@pytest.mark.slow
@pytest.mark.cpp
@pytest.mark.parametrize(("page", "arguments", "writing"), EVERY)
def test_every_page_is_the_same_on_brian2_s_own_templates(page, arguments, writing):
    same_to_the_bit(page.model(**arguments), writing)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_page_takes_a_fast_path(page):
    """Every sum and every spike over synapses that do not change, or that a rule draws; nothing is compiled."""
    model = page.model(**variants(page)[0])
    lines, lacking = explain(model)
    for writing in set(WRITINGS) - set(lacking):
        text = model.writing(writing)
        drawn = {name for name, pathway in text.pathways.items() if pathway.in_rows}
        for kind, names in (("dense", {*shared(text)} - drawn), ("sparse", drawn)):
            ends = tuple(f"{name}_{end}" for name in names for end in ("summed", "pre", "synapses"))
            own = [line for line in lines if line.writing == writing and line.code_object.startswith(ends)]
            assert len(own) >= 2 * len(names)
            assert {line.used.split("_")[0] for line in own} <= {kind}
        assert drawn or shared(text)


@pytest.mark.cpp
def test_one_batch_or_several_the_same_numbers():
    """A trial's numbers do not hang on the size of its batch: sums are taken in one order."""
    generator = np.random.default_rng(2)
    parameters = elman.initial(generator, 2, 30, 1)._asdict()
    inputs = activity(generator.standard_normal((12, 10, 2)), dt=0.01, last="input", name="input")
    found = [simulate(elman.model(), "rate", parameters, inputs, dt=0.01, batch=batch).activity for batch in (12, 3)]
    assert np.array_equal(found[0]["x"], found[1]["x"])


def test_which_pathways_can_be_shared():
    populations = {"a": Population("x : 1", "units"), "b": Population("y : 1", "units")}

    def can(equations="w : 1 (constant)", on_pre=None, connect="all_to_all"):
        pathway = Pathway("a", "b", connect, equations, on_pre=on_pre)
        return shareable(Writing(populations, {"p": pathway}, {}), "p")

    assert can("w : 1 (constant)\ny_post = w*x_pre : 1 (summed)")
    assert can(on_pre="y_post += w", connect="convergent")
    assert not can("dw/dt = -w/tau : 1 (clock-driven)")
    assert not can("w : 1")
    assert not can("w : 1", on_pre="y_post += w; w += 0.1")
    assert not can(on_pre="x_pre += w")
    assert not can("y_post = x_pre*int(i < j) : 1 (summed)")
    assert not can(connect="random")


def test_a_block_counts_its_synapses():
    assert Block("all_to_all", 4, 3, 5).size == 15
    assert Block("convergent", 4, 6, 2).size == 6
    assert Block("convergent", 4, 6, 2).fan == 3
    assert Block("one_to_one", 4, 6, 6).fan == 1


def test_trials_with_weights_of_their_own_are_refused():
    layout = replace(LAYOUT, dt=0.01)
    parameters = elman.initial(np.random.default_rng(0), 2, 7, 2)._asdict()
    data = arrays(elman.model(), "rate", layout, parameters, np.zeros((3, 20, 2)))
    data["recurrence.w"][7 * 7 + 1] += 1
    with pytest.raises(CortwinError, match=r"recurrence.w differs from trial to trial"):
        cpp.run(cpp.build(elman.model(), "rate", layout), data)


def test_a_pathway_that_no_path_takes_is_built_for_every_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PATHS", ())
    description = program.generate(tmp_path, elman.model(), "spiking", LAYOUT, "release")
    assert description["shared"] == []
    assert {note["used"] == note["stock"] for note in description["code_objects"]} == {True}


# Networks of Brian2's users


NEURONS = (
    "dv/dt = (1.2 - v + g)/(10*ms) : 1 (unless refractory)\ng : 1\nr = tanh(v) : 1\ns : 1\nz : 1\nu : 1\nk : 1\nq : 1"
)
# Of `u`, the source of two sums, one number changes now and then; one of the sums is written by the reset, too.
RESET = "v = 0; s += 1; u += int(i == 3); q = -1"


def everything_to_everything():
    """A network without us, with what can be written of synapses that connect everything to everything."""
    group = brian2.NeuronGroup(
        20, NEURONS, threshold="v > 1", reset=RESET, refractory=2 * ms, method="exact", name="group"
    )
    group.v = "i/20.0"
    half = group[3:11]
    jumps = brian2.Synapses(group, group, "w : 1", on_pre="v_post += 0.02*w", delay=1.5 * ms, name="jumps")
    jumps.connect()
    jumps.w = "sin(i + 2*j)"
    learning = brian2.Synapses(half, group, "w : 1", on_pre="w += 0.01*s_post\nz_post += w", name="learning")
    learning.connect(True)
    sums = brian2.Synapses(group, half, "w : 1\ng_post = w*r_pre : 1 (summed)", name="sums")
    sums.connect("True")
    sums.w = "cos(i*j)/20"
    group.u = "cos(i)"
    still = brian2.Synapses(group, half, "w : 1\nk_post = w*u_pre : 1 (summed)", name="still")
    written = brian2.Synapses(group, half, "w : 1\nq_post = w*u_pre : 1 (summed)", name="written")
    for synapses in (still, written):
        synapses.connect()
        synapses.w = "sin(i*j)"
    ring = brian2.Synapses(group, group, on_pre="z_post += 1", name="ring")
    ring.connect("i != j")
    late = brian2.Synapses(group, group, on_pre="z_post += 2", name="late")
    late.connect()
    late.delay = "(i % 4)*ms"
    twice = brian2.Synapses(group, group, on_pre="z_post += 3", name="twice")
    twice.connect()
    twice.connect(i=[1], j=[2])
    back = brian2.Synapses(group, group, on_post="z_pre += 1", name="back")
    back.connect()
    state = brian2.StateMonitor(group, ["v", "g", "z", "k", "q"], record=True, name="state")
    parts = (group, jumps, learning, sums, still, written, ring, late, twice, back, state)
    return brian2.Network(*parts, brian2.SpikeMonitor(group, name="spikes"), name="net")


def on_our_device(tmp_path: Path, *, fast: bool):
    set_device(NAME, build_on_run=False)
    device = all_devices[NAME]
    device.reinit()
    device.activate(build_on_run=False)
    device.fast = fast
    try:
        network = everything_to_everything()
        network.run(30 * ms)
        network.run(20 * ms)  # spikes that are on their way between the two
        device.build(directory=str(tmp_path), run=True)
        results = {
            name: np.array(device.get_value(network[part].variables[variable]))
            for name, part, variable in (
                *((f"state.{v}", "state", v) for v in "vgzkq"),
                *((f"spikes.{v}", "spikes", v) for v in "it"),
                *((f"{s}.w", s, "w") for s in ("jumps", "learning", "sums")),
            )
        }
        return results, device.notes
    finally:
        device.reinit()
        reset_device()


@pytest.mark.cpp
def test_a_brian2_network_without_us_is_the_same_to_the_bit(tmp_path):
    # Brian2's own flags let the compiler take sums in another order, and those of "release" where to fuse a*b+c.
    with program.profile_flags("strict"):
        found, notes = on_our_device(tmp_path / "ours", fast=True)
        expected, _ = on_our_device(tmp_path / "stock", fast=False)
    for name, array in found.items():
        assert np.array_equal(array, expected[name]), name
    assert len(found["spikes.i"]) > 30
    assert np.abs(found["state.g"]).max() > 0.1
    assert 1 < len(np.unique(found["state.k"][:, 4])) < 10
    assert (found["state.q"] == -1).any()
    kept = re.findall(r"unwritten<\d+>\(\) = (true|false)", (tmp_path / "ours/setup.cpp").read_text())
    assert kept == ["true", "true", "false"] * 2  # sums, still, written; two runs
    used = {note.code_object: (note.used, note.reason) for note in notes}
    assert used["jumps_pre_codeobject"] == ("dense_deliver", "")
    assert used["learning_pre_codeobject"] == ("dense_deliver", "")
    assert used["sums_summed_variable_g_post_codeobject"] == ("dense_product", "")
    # Not all to all; a delay for each synapse; connected by two calls; spikes of the target.
    for name in ("ring_pre", "late_pre", "twice_pre", "back_post"):
        assert used[f"{name}_codeobject"] == ("sparse_synapses", "")


# Builds


@pytest.mark.cpp
def test_a_build_is_two_files_with_their_flags(tmp_path):
    built = cpp.build(elman.model(), "rate", replace(LAYOUT, dt=0.01))
    assert built.description["units"] == {"steps.cpp": [], "setup.cpp": ["-O1"]}
    assert {file.name for file in built.folder.rglob("*.cpp")} == {"steps.cpp", "setup.cpp"}
    flags = {note["code_object"]: note["flags"] for note in built.description["code_objects"]}
    assert flags["recurrence_synapses_create_generator_codeobject"] == ["-O1"]
    assert flags["recurrence_summed_variable_recurrent_post_codeobject"] == []


@pytest.mark.cpp
def test_a_cached_program_is_found_without_its_sources(monkeypatch):
    """Brian2 takes a second to write them."""
    layout = replace(LAYOUT, dt=0.01)
    cpp.build(elman.model(), "rate", layout)
    cache._engine.cache_clear()
    compiler._version.cache_clear()
    monkeypatch.setattr(program, "generate", lambda *_: pytest.fail("sources are generated again"))
    assert cpp.build(elman.model(), "rate", layout).build_seconds == 0


def test_explain_names_every_writing_and_why():
    lines, lacking = explain(lif.model())
    assert set(lacking) == {"rate", "tuning"}
    assert {line.writing for line in lines} == {"spiking"}
    deliver = next(line for line in lines if line.code_object == "recurrence_pre_codeobject")
    assert (deliver.stock, deliver.used, deliver.reason) == ("synapses", "dense_deliver", "")
    assert "-O3" in deliver.flags
    assert all(line.used == line.stock for line in explain(lif.model(), "stock")[0])


def test_the_command_explains_a_page(capsys):
    with pytest.raises(SystemExit) as left:
        main(["explain", "lif"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "lif, spiking: " in said
    assert re.search(r"recurrence_pre +dense_deliver +- +a fast path", said)
    assert "lif has no rate writing: " in said
