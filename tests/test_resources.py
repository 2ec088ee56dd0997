"""Estimates of memory and disk against what Brian2 itself holds, and refusals before anything is built."""

from __future__ import annotations

import resource
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cortwin import cpp, resources
from cortwin.activity import activity
from cortwin.builder import Layout
from cortwin.errors import CortwinError
from cortwin.models import elman, lif
from cortwin.simulation import simulate

LAYOUT = Layout(
    inputs=2, units=300, outputs=1, neurons_per_unit=1, trials=2, dt=1e-3, input_dt=0.01, input_steps=20, record_dt=0.01
)


@pytest.mark.cpp
@pytest.mark.parametrize(("model", "writing"), [(elman.model(), "rate"), (lif.model(), "spiking")])
def test_the_estimate_is_what_the_program_writes(model, writing):
    """Every array is held in memory and written at the end; the program keeps lists of synapses beside them."""
    layout = replace(LAYOUT, spikes=writing == "spiking")
    arrays = cpp.build(model, writing, layout, "stock").description["arrays"]
    written = sum((entry["size"] or 0) * np.dtype(entry["dtype"]).itemsize for entry in arrays)
    need = resources.estimate(model, writing, layout)
    # 180,000 synapses: the rest is below a tenth of them, and the lists of synapses are a fifth of the estimate.
    assert written < need.memory < 1.4 * written
    assert written < need.disk < 2 * written
    assert need.most == "the 180,000 synapses of recurrence"
    assert need.results == pytest.approx(21 * 600 * 8 * len(model.writing(writing).activity))


@pytest.mark.cpp
def test_synapses_that_trials_share_need_their_weights_alone():
    layout = replace(LAYOUT, units=1000)
    program = cpp.build(elman.model(), "rate", layout)
    written = sum((entry["size"] or 0) * np.dtype(entry["dtype"]).itemsize for entry in program.description["arrays"])
    need = resources.estimate(elman.model(), "rate", layout, shared=program.shared)
    # 8 MB of weights, and the least that a program takes.
    assert written < need.memory < 1.2 * written
    assert need.most == "the 1,000,000 synapses of recurrence"


@pytest.mark.parametrize(
    ("change", "most"),
    [
        ({"units": 20_000}, "the 800,000,000 synapses of recurrence"),
        ({"input_steps": 10**8, "inputs": 1000}, "the 100,000,000 samples of the input"),
        ({"input_steps": 10**7}, "the 10,000,000 samples that are recorded"),
    ],
)
def test_what_needs_most_is_named(change, most):
    assert resources.estimate(elman.model(), "rate", replace(LAYOUT, **change)).most == most


@pytest.mark.failure("running: out of memory")
def test_too_little_memory_is_refused_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(cpp, "build", lambda *_: pytest.fail("it was built"))
    monkeypatch.setattr(resources, "free_memory", lambda: 2**20)
    parameters = elman.initial(np.random.default_rng(0), 2, 300, 1)._asdict()
    inputs = activity(np.zeros((4, 20, 2)), dt=0.01, last="input", name="input")
    with pytest.raises(
        CortwinError,
        match=r"needs about \d\.\d+ MiB of memory, most of it for the 90,000 synapses of recurrence; 1 MiB are free",
    ):
        simulate(elman.model(), "rate", parameters, inputs, dt=0.01, batch=2, jobs=2)
    for engine in ("xla", "numpy"):
        with pytest.raises(CortwinError, match=r"of memory, .* 1 MiB are free: use fewer units, smaller batches$"):
            simulate(elman.model(), "rate", parameters, inputs, dt=0.01, batch=2, engine=engine)


@pytest.mark.failure("running: the disk fills while results are written")
def test_too_little_disk_is_refused_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(cpp, "build", lambda *_: pytest.fail("it was built"))
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    parameters = elman.initial(np.random.default_rng(0), 2, 300, 1)._asdict()
    inputs = activity(np.zeros((4, 20, 2)), dt=0.01, last="input", name="input")
    with pytest.raises(CortwinError, match=r"of disk in \S+, most of it for .*; 1 MiB are free: .*TMPDIR"):
        simulate(elman.model(), "rate", parameters, inputs, dt=0.01, batch=2)


def test_free_memory_is_what_the_system_says():
    lines = Path("/proc/meminfo").read_text().splitlines()
    total = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal")) * 1024
    found = resources.free_memory()
    assert found is not None
    assert 0 < found < total


def test_free_memory_is_no_more_than_the_limit_of_a_process(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**20, resource.RLIM_INFINITY))
    assert resources.free_memory() == 2**20
