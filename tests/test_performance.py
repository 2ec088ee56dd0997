"""`cortwin run performance`: who takes part, what a ratio is, what is refused, and what the contestants compute."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cortwin.errors import CortwinError
from cortwin.experiment import Run, load_experiment
from cortwin.parameters import resolve
from cortwin.speed import Contestant, Race, environments
from cortwin.speed.fallbacks import fallbacks

FAST = {"seconds": 1.0, "fallbacks": []}


@pytest.fixture(scope="module")
def performance():
    return load_experiment("performance")


class Fixed(Race):
    """A race whose turns are known: seconds by contestant and threads."""

    def __init__(self, seconds, field):
        super().__init__([])
        self.seconds, self.field = seconds, field

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def prepare(self, case, contestants=None):
        self.case = case

    def turns(self, repetitions, contestants=None, threads=None):
        keys = [(one.name, one.threads) for one in self.field]
        if threads is not None:
            keys = [key for key in keys if key[0] in contestants and threads[key[0]] == key[1]]
        return {
            key: [{**FAST, "seconds": self.seconds[key] * (1 + k), "spikes": 100} for k in range(repetitions)]
            for key in keys
        }


def computed(experiment, seconds, monkeypatch, **given):
    monkeypatch.setattr(experiment.module.Race, "running", lambda field: Fixed(seconds, field))
    return experiment.compute(Run(show=False, quick=True), resolve(experiment.declared, given, quick=True))


def test_a_ratio_is_of_medians_at_a_peers_best_number_of_threads(performance, monkeypatch, tmp_path):
    seconds = {
        ("ours", 1): 1.0, ("limit", 1): 0.6, ("stock", 1): 6.0, ("stock", 2): 7.0, ("sorted", 1): 3.0,
        ("sorted", 2): 2.0, ("nest", 1): 9.0, ("nest", 2): 4.0, ("together", 2): 0.8,
    }  # fmt: skip
    there = {"nest": tmp_path / "python"}
    monkeypatch.setattr(environments, "interpreter", lambda folder, peer: there.get(peer))
    monkeypatch.setattr(performance.module, "version", lambda python, package: "3.10")
    results = computed(
        performance, seconds, monkeypatch, works=("brunel",), threads=2, repetitions=3, peers=str(tmp_path)
    )
    ratios = {name.removeprefix("ratio.brunel."): value for name, value in results.metrics.items() if "ratio" in name}
    assert ratios == pytest.approx({"limit": 0.6, "stock": 6, "sorted": 2, "nest": 4})
    rows = {row["peer"]: row for row in results.tables["ratios"]}
    assert {row["peer"]: row["threads"] for row in rows.values()} == {
        "loop by hand": 1, "Brian2": 1, "Brian2, sorted synapses": 2, "NEST": 2,
    }  # fmt: skip
    assert {name: row["met"] for name, row in rows.items()} == {
        "loop by hand": True, "Brian2": True, "Brian2, sorted synapses": False, "NEST": True,
    }  # fmt: skip
    assert results.metrics["threads.brunel"] == pytest.approx(1.25)
    assert results.notes["missed"] == ["brunel beside Brian2, sorted synapses"]
    assert {"package": "NEST", "version": "3.10"} in results.tables["versions"]
    drawings = performance.draw(results)
    assert [drawing.name for drawing in drawings] == ["ratios"]
    text = performance.sections(results, drawings)[0].text
    assert "3 of 4 bars are met" in text
    assert "Our time with one thread over that with 2: {threads.brunel:.2f} in `brunel`." in text


def test_of_two_ways_of_writing_the_faster_one_counts(performance, monkeypatch):
    seconds = {("ours", 1): 1.0, ("stock", 1): 9.0, ("stock, copies", 1): 5.0}
    results = computed(performance, seconds, monkeypatch, works=("lif64",))
    assert results.metrics["ratio.lif64.stock"] == pytest.approx(5)


def test_a_peer_that_is_not_installed_is_skipped_by_name(performance, monkeypatch):
    seconds = {("ours", 1): 1.0, ("limit", 1): 1.0, ("stock", 1): 1.0, ("sorted", 1): 1.0}
    results = computed(performance, seconds, monkeypatch, works=("brunel",))
    assert results.metrics["ratio.brunel.nest"] is None
    assert results.reasons["ratio.brunel.nest"].startswith("NEST is not installed")
    assert results.notes["absent"] == ["NEST", "ANNarchy", "BrainPy"]


def test_what_fell_back_is_not_timed(performance, monkeypatch):
    slow = {
        "code_object": "neurons_thresholder",
        "stock": "threshold",
        "used": "threshold",
        "reason": "it is complicated",
    }
    first = {
        **slow,
        "code_object": "neurons_group_variable_set",
        "stock": "group_variable_set",
        "used": "group_variable_set",
    }
    ours = {**slow, "used": "crossings", "reason": ""}
    assert fallbacks([ours, first]) == []
    told = fallbacks([ours, slow])
    assert told == ["neurons_thresholder uses Brian2's 'threshold': it is complicated"]
    monkeypatch.setitem(FAST, "fallbacks", told)
    with pytest.raises(CortwinError, match=r"12,500 neurons.*neurons_thresholder uses Brian2's 'threshold'"):
        computed(
            performance, {(n, 1): 1.0 for n in ("ours", "limit", "stock", "sorted")}, monkeypatch, works=("brunel",)
        )


def test_costs_that_grow_with_the_events_have_the_exponent_one(performance, monkeypatch):
    # 100 spikes each: the events grow with the synapses and the inverse of the time, and here the seconds do not.
    seconds = {("ours", 1): 2.0, ("numpy", 1): 2.0, ("memory", 1): 1.0}
    monkeypatch.setattr(performance.module, "_memory", lambda case: ({"bytes": 5.0, "peak": 1.2}, None))
    sizes = {"neurons": (1000, 10_000), "trials": (1, 4), "growing": True}
    results = computed(performance, seconds, monkeypatch, works=("dense64",), **sizes)
    rows = [row for row in results.tables["costs"] if row["kind"] == "neurons"]
    case = performance.module._sparse(10_000)
    assert rows[1]["events"] == pytest.approx(100 * 1000 / case["seconds"])
    assert rows[1]["seconds"] == pytest.approx(np.median([2.0, 4.0]) / case["seconds"])
    assert results.metrics["cost.exponent.neurons"] == pytest.approx(1)
    assert results.metrics["memory.bytes_per_synapse.synapse"] == 5
    drawings = performance.draw(results)
    assert [drawing.name for drawing in drawings] == ["ratios", "cost"]
    titles = [section.title for section in performance.sections(results, drawings)]
    assert titles == ["Works", "Cost against size", "Memory"]


def test_a_folder_of_peers_that_is_none_is_named(performance, monkeypatch):
    with pytest.raises(CortwinError, match="peers is '/no/such', which is no folder"):
        computed(performance, {}, monkeypatch, works=("dense64",), peers="/no/such")


def test_environments_are_found_with_their_versions(tmp_path):
    assert environments.interpreter(tmp_path, "nest") is None
    assert environments.version(Path(sys.executable), "numpy") == np.__version__
    assert environments.version(Path(sys.executable), "no-such-package") == ""
    (tmp_path / "nest" / "bin").mkdir(parents=True)
    (tmp_path / "nest" / "bin" / "python").symlink_to(sys.executable)
    # There is an environment, but not the package.
    assert environments.interpreter(tmp_path, "nest") is None


def test_every_work_has_its_scripts(performance):
    module = performance.module
    for work in module.WORKS.values():
        assert (module.SCRIPTS / f"{work.script}_cortwin.py").is_file()
        assert set(work.bars) == set(module._peers(work))


def test_a_contestant_may_tell_seconds_of_its_own(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("def prepare(case):\n    return lambda: {'seconds': case['seconds'], 'found': case['own']}\n")
    contestant = Contestant("somebody", script, options={"own": 3})
    with Race.running([contestant]) as race:
        assert race.measure({"seconds": 2.5}, 2) == {("somebody", 1): [{"seconds": 2.5, "found": 3}] * 2}


def test_numpys_script_multiplies_what_it_is_told(performance):
    contestant = Contestant("numpy", performance.module.SCRIPTS / "dense_numpy.py")
    with Race.running([contestant]) as race:
        (found,) = race.measure({"units": 10, "trials": 3, "steps": 5}, 1)["numpy", 1]
    assert found["seconds"] > 0


@pytest.mark.cpp
def test_the_loop_by_hand_fires_as_the_mean_field_says(performance, tmp_path):
    """The limit simulates the same network: its rate is the published one within the tolerance of the page's tests."""
    script = performance.module.SCRIPTS / "brunel_limit.py"
    case = {"n_e": 2000, "n_i": 500, "c_e": 200, "c_i": 50, "g": 5.0, "eta": 2.0, "J": 0.5, "seconds": 0.5}
    code = f"import runpy, json; run = runpy.run_path({str(script)!r})['prepare']({case!r}); print(json.dumps(run()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    told = json.loads(done.stdout)
    mean_field = load_experiment("lif_theory").module._mean_field(5.0, 2.0, 0.2, dt=1e-4)
    # Jumps of a fortieth of the threshold and shared inputs: some percent from the diffusion limit.
    assert told["spikes"] / (2500 * 0.5) == pytest.approx(mean_field, rel=0.1)
