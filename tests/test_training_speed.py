"""The comparison of speed: who takes turns, what a ratio is, and what is said where nobody else is installed."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from cortwin import speed
from cortwin.errors import CortwinError
from cortwin.experiment import Run, load_experiment
from cortwin.parameters import resolve
from cortwin.speed import ours, race

CASE = speed.Case("elman", 3, 4, 2, 2, updates=5, trials=2)


@pytest.fixture(scope="module")
def training_speed():
    return load_experiment("training_speed")


def computed(experiment, **given):
    return experiment.compute(Run(show=False, quick=True), resolve(experiment.declared, given, quick=True))


def test_without_the_others_there_are_reasons_and_our_times(training_speed, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(race, "find_spec", lambda name: None if name in ("torch", "keras") else there(name))
    results = computed(training_speed, sizes=("3x4x2",), cells=("elman",), repetitions=2, epochs=1)
    for name, peer in (("elman.3x4x2", "PyTorch"), ("document_004", "Keras")):
        assert results.metrics[f"speed.{name}"] is None
        assert results.reasons[f"speed.{name}"] == f"{peer} is not installed: pip install -e '.[compare]'"
        assert results.metrics[f"milliseconds.{name}"] > 0
    assert {(row["by"], row["threads"]) for row in results.tables["updates"]} == {("cortwin", 1)}
    assert {row["package"] for row in results.tables["versions"]} == {"jax", "jaxlib"}
    assert len(training_speed.draw(results)) == 1
    assert "PyTorch is not installed" in training_speed.sections(results, [])[0].text


def test_a_ratio_is_of_medians_at_the_best_number_of_threads(training_speed, monkeypatch):
    times = {
        ("ours", 1): [2e-3, 1e-3, 9e-3],
        ("ours", 2): [3e-3, 3e-3, 3e-3],
        ("pytorch", 1): [8e-3, 8e-3, 8e-3],
        ("pytorch", 2): [1e-3, 6e-3, 5e-3],
        ("keras", 1): [4e-2, 4e-2, 4e-2],
    }

    class Fixed(speed.Race):
        def __init__(self):
            super().__init__([])

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def times(self, case, repetitions, contestants):
            return {key: values for key, values in times.items() if key[0] in contestants}

    monkeypatch.setattr(training_speed.module, "installed", lambda name: {name: "1"})
    monkeypatch.setattr(training_speed.module.Race, "running", lambda *_: Fixed())
    results = computed(training_speed, sizes=("3x4x2",), cells=("gru",))
    # Medians: ours 2 ms with one thread, PyTorch 5 ms with two, Keras 40 ms.
    assert results.metrics["speed.gru.3x4x2"] == pytest.approx(2.5)
    assert results.metrics["speed.document_004"] == pytest.approx(20)
    assert results.metrics["milliseconds.gru.3x4x2"] == pytest.approx(2)
    (row, _) = results.tables["ratios"]
    # Turn by turn: 1/2, 6/1, 5/9.
    assert (row["low"], row["high"]) == (pytest.approx(0.5), pytest.approx(6))
    assert len(training_speed.draw(results)) == 1


def test_the_processes_take_turns_and_end(monkeypatch):
    started = []
    start = race._start
    monkeypatch.setattr(race, "_start", lambda *given: started.append(start(*given)) or started[-1])
    with speed.Race.running(speed.trainers(["ours"], [1])) as running:
        times = running.times(CASE, 3, ["ours"])
        assert set(times) == {("ours", 1)}
        assert len(times["ours", 1]) == 3
        assert min(times["ours", 1]) > 0
        with pytest.raises(CortwinError, match=r"the process of ours with 1 threads ended: .*there is no page 'none'"):
            running.times(CASE._replace(cell="none"), 1, ["ours"])
    assert [one.process.poll() is not None for one in started] == [True]


def test_the_processor_and_no_variable_of_the_session_chooses_what_is_computed_with(monkeypatch, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os\ndef prepare(case):\n    return lambda: dict(os.environ)\n")
    by_hand = {"OPENBLAS_CORETYPE", "MKL_DEBUG_CPU_TYPE", "ATEN_CPU_CAPABILITY", "JAX_NUM_CPU_DEVICES"}
    for name in by_hand:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OF_THE_SESSION", "1")
    with speed.Race.running([speed.Contestant("anyone", script, threads=3, settings={"OF_ITS_OWN": 2})]) as running:
        running.prepare({})
        (found,) = running.turns(1)["anyone", 3]
    assert not by_hand & set(found)
    assert (found["OF_THE_SESSION"], found["OPENBLAS_NUM_THREADS"], found["OF_ITS_OWN"]) == ("1", "3", "2")
    assert [one.settings["JAX_NUM_CPU_DEVICES"] for one in speed.trainers(["ours"], [1, 2])] == [1, 2]


def test_of_a_process_that_was_killed_the_reason_is_told(monkeypatch):
    started = []
    start = race._start
    monkeypatch.setattr(race, "_start", lambda *given: started.append(start(*given)) or started[-1])
    with speed.Race.running(speed.trainers(["ours"], [1])) as running:
        started[0].process.kill()
        started[0].process.wait()
        with pytest.raises(CortwinError, match="the process of ours with 1 threads ended: it was killed, as a system"):
            running.times(CASE, 1, ["ours"])


def test_our_updates_are_those_of_fit(monkeypatch):
    seen = []
    monkeypatch.setattr(ours, "fit", lambda *given, **named: seen.append((given, named)))
    ours.prepare(CASE._replace(last=True)._asdict())()
    (_, _, inputs, target), named = seen[0]
    assert (inputs.shape, target.shape) == ((2, 4, 2), (2, 4, 1))
    assert (named["options"].updates, named["options"].optimizer, named["options"].dtype) == (5, "adam", "float32")
    assert named["options"].clip is None
    np.testing.assert_array_equal(named["mask"], [[0, 0, 0, 1]] * 2)


@pytest.mark.compare
@pytest.mark.parametrize("contestant", ["pytorch", "keras"])
def test_others_train_what_we_train(contestant):
    assert speed.installed(contestant)
    case = CASE._replace(updates=4, trials=4, batch=2, last=True)
    with speed.Race.running(speed.trainers([contestant], [1])) as running:
        assert min(running.times(case, 2, [contestant])[contestant, 1]) > 0


@pytest.mark.parametrize(("size", "message"), [("10x10", "expected units x steps x batch"), ("0x1x1", "at least 1")])
def test_a_size_that_is_none_is_named(training_speed, size, message):
    with pytest.raises(CortwinError, match=f"sizes names '{size}'.*{message}"):
        computed(training_speed, sizes=(size,))
