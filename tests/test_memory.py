"""Memory: what the tasks ask, their baselines by drawing, values that decay, and the bars of trained networks."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.analysis import holding_time
from cortwin.errors import CortwinError
from cortwin.experiment import Run
from cortwin.experiments import memory
from cortwin.ladder import Spiking
from cortwin.tasks import adding_problem, copy_baseline, copy_memory
from cortwin.tasks.adding import BASELINE
from cortwin.training import run_textbook


def test_the_adding_problem_asks_for_the_sum_of_the_marked_numbers():
    u, y = adding_problem(np.random.default_rng(1), 200, 11)
    assert u.shape == (200, 11, 2)
    for numbers, marks, total in zip(u[:, :, 0], u[:, :, 1], y, strict=True):
        first, second = np.flatnonzero(marks)
        assert first < 5 <= second
        assert total == numbers[first] + numbers[second]
    assert set(np.unique(u[:, :, 1])) == {0, 1}
    # Every step of both halves is marked in some trial.
    assert u[:, :, 1].any(axis=0).all()
    with pytest.raises(CortwinError, match="adding_problem: needs at least 1 trial and 2 steps, got 3 and 1"):
        adding_problem(np.random.default_rng(1), 3, 1)


def test_the_best_constant_answer_to_the_adding_problem_errs_by_a_sixth():
    y = adding_problem(np.random.default_rng(2), 20000, 4)[1]
    error = (y - 1) ** 2
    # Four standard errors of the mean.
    assert error.mean() == pytest.approx(BASELINE, abs=4 * error.std() / np.sqrt(20000))


def test_copy_memory_shows_ten_symbols_and_asks_for_them_after_the_signal():
    u, z = copy_memory(np.random.default_rng(1), 50, 7)
    assert u.shape == (50, 27, 10)
    assert z.shape == (50, 27, 9)
    assert (u.sum(axis=2) == 1).all()
    assert (z.sum(axis=2) == 1).all()
    heard, told = u.argmax(axis=2), z.argmax(axis=2)
    assert np.array_equal(told[:, 17:], heard[:, :10])
    assert heard[:, :10].max() == 7
    assert (told[:, :17] == 8).all()
    assert (heard[:, 16] == 9).all()
    assert (np.delete(heard[:, 10:], 6, axis=1) == 8).all()
    with pytest.raises(CortwinError, match="copy_memory: needs at least 1 trial and a wait of 1 step, got 2 and 0"):
        copy_memory(np.random.default_rng(1), 2, 0)


@pytest.mark.parametrize("wait", [1, 30])
def test_guessing_at_the_right_time_has_the_baseline_of_copy_memory(wait):
    target = copy_memory(np.random.default_rng(3), 2000, wait)[1]
    # The frequencies that were drawn stand for what the guesser knows: how often each class is told at each step.
    known = np.stack([target.mean(axis=0)] * len(target))
    error = -(target * np.log(np.maximum(known, 1e-300))).sum(axis=2).mean()
    # The entropy of frequencies of 2000 draws falls short by 7 / 4000 at each answer, of log 8: 0.08 %.
    assert error == pytest.approx(copy_baseline(wait), rel=2e-3)


def test_the_time_of_a_decay_is_found():
    first = np.array([0.4, -0.1, 2.0])
    time = 0.01 * np.arange(1, 301)
    for tau in (0.03, 0.7, 20.0):
        assert holding_time(first * np.exp(-time / tau)[:, None], first, 0.01) == pytest.approx(tau, rel=1e-5)
    assert holding_time(np.broadcast_to(first, (300, 3)), first, 0.01) == pytest.approx(300, rel=1e-3)
    noise = 0.1 * np.random.default_rng(4).standard_normal((300, 3))
    assert holding_time(first * (np.exp(-time / 0.7)[:, None] + noise), first, 0.01) == pytest.approx(0.7, rel=0.1)
    with pytest.raises(ValueError, match="a value that was written is 0"):
        holding_time(np.ones((5, 2)), [1.0, 0.0], 0.01)
    with pytest.raises(ValueError, match=r"got \(5, 2\), \(3,\)"):
        holding_time(np.ones((5, 2)), np.ones(3), 0.01)


@pytest.mark.parametrize("page", [name for name in memory.HOLDERS if name != "feedforward"])
def test_small_values_decay_with_the_closed_form(page):
    """Linear at small values, whatever the loop: Euler's steps of dt = tau / 10 have -dt / log(1 - (1 - w) / 10)."""
    model = memory.PAGES[page]
    p = memory.HOLDERS[page][0](model, 0.9, 1e-3 * memory.VALUES)
    silence = activity(np.zeros((1, 200, 1)), dt=0.01, last="input")
    x = run_textbook(model, p, silence, 0.1)["x"].to_numpy()[0]
    found = holding_time(x, 1e-3 * memory.VALUES, 0.01)
    assert found == pytest.approx(-0.01 / np.log1p(-0.01), rel=1e-4)


def test_every_page_holds_a_value_or_says_why_not():
    assert set(memory.HOLDERS) | set(memory.WITHOUT_LOOP) == set(memory.PAGES)


def test_spikes_hold_a_value_about_as_long_as_the_gate_says():
    row, curves = memory.hold(Run(quick=True, show=False), "gru", 0.9, 64, 1.5, Spiking(dt=5e-4))
    assert row["closed_form"] == pytest.approx(1.0)
    # Euler's steps of 1 ms: 0.5 ms of 1 s.
    assert row["rate"] == pytest.approx(1.0, rel=1e-3)
    assert row["spiking"] == pytest.approx(1.0, rel=0.3)
    assert 0 < row["drift"] < 0.2
    assert curves["spiking"].shape == curves["closed_form"].shape == (150, 8)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory") / "run"
    small = "--quick --set pages=elman,attention_softmax --set updates=20 --set lengths=6 --set waits=2 --set units=6"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "cortwin", "run", "memory", *small.split(), "--out", str(folder)],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_a_small_run_measures_draws_and_reports(ran):
    metrics = json.loads((ran / "metrics.json").read_text())
    assert metrics["memory.adding.baseline.6"] == pytest.approx(1 / 6)
    assert metrics["memory.copy.baseline.2"] == pytest.approx(10 * np.log(8) / 22)
    for page in ("elman", "attention_softmax"):
        assert 0 < metrics[f"memory.adding.{page}.6"] < 1
        assert 0 < metrics[f"memory.copy.{page}.2"] < np.log(9) + 0.5
    # 6 x (6 + 2 + 1 + 1) recurrent, input, bias and first current, 6 + 1 of the readout.
    assert metrics["memory.parameters.elman"] == 67
    assert metrics["memory.hold.elman.closed_form"] == pytest.approx(2)
    assert 1 < metrics["memory.hold.elman.rate"] < 2
    assert {file.stem for file in (ran / "figures").glob("*.png")} == {"tasks", "holding"}
    assert "until they are full" in (ran / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "steps", "low", "high"), [("gru", 50, 0, 0.01), ("lstm", 50, 0, 0.01), ("elman", 200, 0.1, 1)]
)
def test_the_bars_of_the_adding_problem(page, steps, low, high):
    """LSTM and GRU below 0.01 at 50 steps, Elman above 0.1 at 200, on the budget of the full run."""
    seed = Run(seed=1).seed_sequence(f"adding {steps} {page}")
    found = memory.learn(memory.PAGES[page], page, "adding", steps, 32, 1500, 5e-3, seed)
    assert low < found["error"] < high
