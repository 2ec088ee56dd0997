"""The flip-flop: its target against a loop over samples, its seeds, and what it refuses."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cortwin.errors import CortwinError
from cortwin.tasks import FlipFlopTask


def test_a_flipflop_holds_the_sign_of_the_last_pulse():
    """By a loop over samples; the first pulse sets every bit."""
    task = FlipFlopTask(duration=6.0, pause=(0.1, 0.6), pulse=0.05, input_noise=0.3)
    trials = task.trials(5, np.random.SeedSequence(3))
    clean = FlipFlopTask(duration=6.0, pause=(0.1, 0.6), pulse=0.05).trials(5, np.random.SeedSequence(3))
    assert clean.target.equals(trials.target)
    noise = (trials.inputs - clean.inputs).to_numpy()
    # Standard errors of a mean and of a standard deviation of 9000 normal numbers, 5 of them.
    assert abs(noise.mean()) < 5 * 0.3 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(0.3, abs=5 * 0.3 / np.sqrt(2 * noise.size))
    pulses, target, quiet = clean.inputs.to_numpy(), clean.target.to_numpy(), clean.inputs["quiet"].to_numpy()
    assert set(np.unique(pulses)) == {-1.0, 0.0, 1.0}
    for k in range(5):
        since = 0
        for step in range(task.n_steps):
            since = 0 if pulses[k, step].any() else since + 1
            assert quiet[k, step] == pytest.approx(0.01 * since, abs=1e-12)
            for bit in range(3):
                before = pulses[k, :step, bit]
                running = pulses[k, step, bit] != 0
                past = before[before != 0]
                if step < 5:
                    assert target[k, step, bit] == 0
                elif not running:
                    assert target[k, step, bit] == past[-1]
    lengths = np.diff(np.flatnonzero(np.diff(np.abs(pulses[0, :, 0]), prepend=0)))
    assert set(lengths[::2]) == {5}
    assert 10 <= lengths[1::2].min() <= lengths[1::2].max() <= 60


def test_trials_of_a_flipflop_depend_on_their_own_seed():
    task = FlipFlopTask()
    many, one = task.trials(3, np.random.SeedSequence(1)), task.trials(1, [np.random.SeedSequence(1).spawn(3)[2]])
    np.testing.assert_array_equal(many.inputs[2], one.inputs[0])
    # Signs are fair: 3 bits, some 4 pulses each, 200 trials; 5 standard errors.
    signs = task.trials(200, np.random.SeedSequence(2)).inputs.to_numpy()
    starts = signs[:, 0]
    assert abs(starts.mean()) < 5 / np.sqrt(starts.size)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bits": 0}, "bits must be a whole number of at least 1, got 0"),
        ({"pause": (0.5, 0.2)}, "pause must be"),
        ({"pause": (-0.1, 0.2)}, "pause must be"),
        ({"dt": 0.0}, "dt must be finite and positive"),
        ({"pulse": 0.015}, "pulse must be a multiple of dt"),
        ({"pulse": 3.0}, "pulse must be shorter"),
        ({"duration": np.inf}, "duration must be finite"),
        ({"input_noise": -1.0}, "input_noise must be finite and 0 or more"),
    ],
)
def test_what_cannot_be_a_flipflop_is_refused(given, message):
    with pytest.raises(CortwinError, match=re.escape(f"FlipFlopTask.{message}")):
        FlipFlopTask(**given)


def test_a_flipflop_has_at_least_one_trial():
    with pytest.raises(CortwinError, match="at least 1, got 0"):
        FlipFlopTask().trials(0, np.random.SeedSequence(1))
