"""Small random networks run alike with our templates, with Brian2's own and in XLA: every spike, every state.

Several networks make one program, because it is compiling that takes long. ``python -m pytest -n 0 -m slow
tests/test_random_networks.py`` runs more of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import brian2
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, defaultclock, ms
from brian2.devices.device import all_devices, reset_device, set_device

from cortwin import xla
from cortwin.builder import interpreted
from cortwin.cpp import compiler, device

pytestmark = pytest.mark.cpp

STEP = 0.1 * ms
STEPS = 300
# Synapses onto one variable in one step are added up in another order, and XLA arranges sums its own way: 1e-16 in 1,
# for 300 steps of a leak that forgets. A spike that came a step early or late would be off by more than 0.01.
TOLERANCE = 1e-11
MODEL = """
dv/dt = (I - v + g)/(5*ms) : 1{held}
dg/dt = -g/(2*ms) : 1
I : 1 (constant)
"""


def random_network(generator: np.random.Generator, number: int, largest: int) -> list:
    """Return the objects of two populations and two to four pathways, each thing about them drawn."""
    groups, objects = [], []
    for letter in "ab":
        size = int(generator.integers(1, largest + 1))
        refractory = generator.choice([0, 1, 7])
        group = NeuronGroup(
            size,
            MODEL.format(held=" (unless refractory)" if refractory else ""),
            threshold="v > 1",
            reset=generator.choice(["v = 0", "v -= 1", "v = 0\ng *= 0.5"]),
            refractory=int(refractory) * STEP if refractory else False,
            method=generator.choice(["euler", "exact"]),
            name=f"{letter}_{number}",
        )
        group.v, group.I = generator.uniform(0, 1, size), generator.uniform(0.9, 1.6, size)
        groups.append(group)
        objects += [group, SpikeMonitor(group, name=f"spikes_{letter}_{number}")]
        objects.append(StateMonitor(group, ["v", "g"], record=True, name=f"states_{letter}_{number}"))
    for path in range(int(generator.integers(2, 5))):
        ends = [_end(generator, groups[generator.integers(2)]) for _ in range(2)]
        objects.append(_pathway(generator, *ends, f"path_{path}_{number}"))
    return objects


def _end(generator: np.random.Generator, group: NeuronGroup):
    """Return a population, or a part of it."""
    if len(group) < 2 or generator.random() < 0.6:
        return group
    start = int(generator.integers(0, len(group) - 1))
    return group[start : int(generator.integers(start + 1, len(group) + 1))]


def _pathway(generator: np.random.Generator, source, target, name: str) -> Synapses:
    weighted = generator.random() < 0.7
    delay = generator.choice(["none", "one", "each"])
    synapses = Synapses(
        source,
        target,
        "w : 1" if weighted else "",
        on_pre=f"{generator.choice(['g', 'v'])}_post += {'w' if weighted else '-0.125'}",
        delay=int(generator.integers(0, 9)) * STEP if delay == "one" else None,
        name=name,
    )
    rule = generator.choice(["none", "all", "own", "drawn", "drawn"])
    if rule == "none":
        synapses.connect("i < 0")
        return synapses
    if rule == "all":
        i, j = (part.ravel() for part in np.indices((len(source), len(target))))
    elif rule == "own":
        i = j = np.arange(min(len(source), len(target)))
    else:
        # In any order, some pairs more than once.
        count = int(generator.integers(1, 2 * len(source) * len(target) + 1))
        i, j = generator.integers(0, len(source), count), generator.integers(0, len(target), count)
    synapses.connect(i=i, j=j)
    if weighted:
        synapses.w = generator.uniform(-0.3, 0.5, len(i))
    if delay == "each":
        synapses.delay = generator.integers(0, 9, len(i)) * STEP
    return synapses


def networks(seed: int, count: int, largest: int = 12) -> Network:
    """Return some random networks side by side; the same for the same seed, on whichever device is active."""
    generator = np.random.default_rng(seed)
    defaultclock.dt = STEP
    return Network([part for number in range(count) for part in random_network(generator, number, largest)])


@contextlib.contextmanager
def standalone(name: str, level: str) -> Iterator:
    """Activate a standalone device, with flags that keep arithmetic as it is written, and a level of optimisation."""
    set_device(name, build_on_run=False)
    active = all_devices[name]
    flags = brian2.prefs["codegen.cpp.extra_compile_args"]
    brian2.prefs["codegen.cpp.extra_compile_args"] = [*compiler.PROFILES["strict"], level]
    try:
        yield active
    finally:
        brian2.prefs["codegen.cpp.extra_compile_args"] = flags
        active.reinit()
        reset_device()


def compiled(name: str, seed: int, count: int, folder, level: str) -> tuple[dict, list]:
    """Run the networks on a standalone device and return what they did, and the notes of ours."""
    with standalone(name, level) as active:
        network = networks(seed, count)
        network.run(STEPS * STEP)
        notes = list(getattr(active, "notes", ()))
        active.build(directory=str(folder), with_output=False)
        return recorded(network), notes


def recorded(network: Network) -> dict:
    """Return spikes and states that the monitors of a network hold."""
    found = {}
    for part in network.objects:
        if isinstance(part, SpikeMonitor):
            found[part.name] = np.stack([np.rint(np.asarray(part.t / STEP)), np.asarray(part.i)]).astype(int)
        elif isinstance(part, StateMonitor):
            found |= {f"{part.name}.{name}": np.asarray(getattr(part, name)).T for name in ("v", "g")}
    return found


def through_xla(seed: int, count: int) -> dict:
    """Run the same networks in the second compiler."""
    with interpreted():
        made = xla.compile(networks(seed, count)).simulate(n_steps=STEPS, differentiable=False)
    found = {}
    for name, values in made.items():
        if name.endswith(".raster"):
            found[name.removesuffix(".raster")] = np.stack(np.nonzero(np.asarray(values) > 0))
        elif name.startswith("states_") and not name.endswith(".t"):
            found[name] = np.asarray(values)
    return found


def compare(one: dict, other: dict) -> None:
    """Hold every spike and every state of one against the other."""
    for name, values in one.items():
        if name.startswith("spikes"):
            np.testing.assert_array_equal(values, other[name], err_msg=name)
        else:
            np.testing.assert_allclose(values, other[name], rtol=0, atol=TOLERANCE, err_msg=name)


def check(seed: int, count: int, tmp_path, level: str) -> None:
    ours, notes = compiled(device.NAME, seed, count, tmp_path / "ours", level)
    # Nothing proves anything that did not happen.
    assert sum(values.shape[1] for name, values in ours.items() if name.startswith("spikes")) > 30 * count
    assert any(np.abs(values).max() > 0.01 for name, values in ours.items() if name.endswith(".g"))
    # "connections" are made once; everything that runs in a step is ours.
    stepping = {"stateupdate", "threshold", "reset", "spikemonitor", "statemonitor"}
    assert all(note.fast for note in notes if note.stock in stepping)
    stock, _ = compiled("cpp_standalone", seed, count, tmp_path / "stock", level)
    compare(ours, stock)
    compare(ours, through_xla(seed, count))


def test_random_networks_run_alike(tmp_path):
    # The compiler takes most of the time; what it makes of our loops at higher levels is for the slow test.
    check(5, 2, tmp_path, "-O1")


def test_threads_change_no_bit(tmp_path, monkeypatch):
    """Of networks whose neurons are divided among threads, 64 at a time; after two runs, each begun by one alone."""
    found = {}
    with standalone(device.NAME, "-O1") as active:
        network = networks(7, 2, largest=200)
        network.run(STEPS * STEP)
        network.run(STEPS * STEP)
        active.build(directory=str(tmp_path), with_output=False, run=False)
        # All take part, however much faster one would be.
        header = tmp_path / "cortwin" / "segment.h"
        text = header.read_text()
        assert text.count("4 * TIMED && !together_is_faster))\n            alone") == 1
        assert "SHORT = 3e-6" in text
        header.write_text(
            text.replace("4 * TIMED && !together_is_faster))\n            alone", "4 * TIMED))\n            alone")
            .replace("TIMED = 64", "TIMED = 16")
            .replace("SHORT = 3e-6", "SHORT = 0")
            .replace("CHOSEN = 4096", "CHOSEN = 100")
        )
        active.compile_source(str(tmp_path), "unix", False, True)
        for threads in (1, 2, 3):
            monkeypatch.setenv("CORTWIN_THREADS", str(threads))
            active.run(str(tmp_path), f"results_{threads}", with_output=False)
            found[threads] = recorded(network)
    assert sum(values.shape[1] for name, values in found[1].items() if name.startswith("spikes")) > 1000
    for threads in (2, 3):
        for name, values in found[1].items():
            np.testing.assert_array_equal(values, found[threads][name], err_msg=f"{name}, {threads} threads")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 14))
def test_more_random_networks_run_alike(seed, tmp_path):
    check(seed, 8, tmp_path, "-O3")
