"""Spike templates as a task, and readouts that are asked about the segments of a stream."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cortwin.errors import CortwinError
from cortwin.readout import accuracies, asked_of
from cortwin.tasks import shown_in_order, spike_templates


def test_templates_have_their_rate():
    found = spike_templates(np.random.default_rng(1), patterns=3, fibres=200, duration=0.5, rate=40.0)
    assert found.shape == (3, 500, 200)
    assert abs(found.mean() - 0.04) < 6 * math.sqrt(0.04 / found.size)
    with pytest.raises(ValueError, match="2000 Hz"):
        spike_templates(np.random.default_rng(1), patterns=1, fibres=1, duration=0.1, rate=2000)


def test_without_jitter_a_stream_is_its_templates():
    templates = spike_templates(np.random.default_rng(1), patterns=2, fibres=30, duration=0.05, rate=40.0)
    shown = shown_in_order(np.random.default_rng(2), templates, [1, 0, 1], jitter=0.0)
    assert np.array_equal(shown, np.concatenate([templates[1], templates[0], templates[1]]))


def test_jitter_moves_spikes_by_as_much_as_it_says():
    # One spike of each of many fibres in the middle: none meets another or an end.
    template = np.zeros((1, 101, 4000), dtype=bool)
    template[0, 50] = True
    shown = shown_in_order(np.random.default_rng(2), template, [0], jitter=5e-3)
    moved = np.nonzero(shown)[0] - 50
    assert shown.sum() == 4000
    # Rounding to a millisecond adds a twelfth to the variance.
    assert abs(moved.std() - math.sqrt(25 + 1 / 12)) < 6 * 5 / math.sqrt(2 * 4000)
    assert abs(moved.mean()) < 6 * 5 / math.sqrt(4000)


def test_questions_are_about_the_right_segment():
    asked = asked_of([0, 1, 1, 0, 1], lags=2)
    assert {name: values.tolist() for name, values in asked.items()} == {
        "lag_0": [1, 0, 1], "lag_1": [1, 1, 0], "lag_2": [0, 1, 1], "xor": [0, 1, 1],
    }  # fmt: skip
    for order, lags in (([0, 1], 2), ([0, 1, 2], 1), ([0, 1], 0)):
        with pytest.raises(CortwinError, match="cannot be asked"):
            asked_of(order, lags)


def test_readouts_tell_what_is_there_and_nothing_else():
    generator = np.random.default_rng(3)
    asked = asked_of(generator.integers(2, size=803), lags=3)
    signal = np.stack([asked["lag_0"], asked["lag_1"]], axis=1) - 0.5
    features = np.concatenate([signal, generator.normal(size=(800, 6)), np.zeros((800, 1))], axis=1)
    found = {(row["asked"], row["readout"]): row["accuracy"] for row in accuracies(features, asked, 560, (1.0, 1e3))}
    for readout in ("logistic", "ridge"):
        assert found["lag_0", readout] == found["lag_1", readout] == 1
        # Linear readouts of the two bits know nothing of their exclusive or: 240 tosses of a coin.
        for name in ("xor", "lag_2", "lag_3"):
            assert abs(found[name, readout] - 0.5) < 6 * 0.5 / math.sqrt(240)
