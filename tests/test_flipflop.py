"""The flip-flop experiment, small: fixed points in both writings, bits that are held, figures of what was saved."""

from __future__ import annotations

import numpy as np
import pytest

from cortwin.experiment import Run, load_experiment
from cortwin.parameters import resolve
from cortwin.twins import WRITINGS

SMALL = {"units": 32, "updates": 300, "trials": 128, "tests": 2, "starts": 80, "neurons_per_unit": 16}


@pytest.fixture(scope="module")
def flipflop():
    return load_experiment("flipflop")


@pytest.fixture(scope="module")
def found(flipflop):
    return flipflop.compute(Run(show=False), resolve(flipflop.declared, SMALL, quick=True))


@pytest.mark.cpp
def test_bits_are_held_by_stable_points_in_both_writings(found):
    """The number of corners is that of the bits; no small network has to be taught so well that it has no other."""
    for name in ("textbook", "rate"):
        assert found.metrics[f"flipflop.{name}.corners"] == 8
        assert found.metrics[f"flipflop.{name}.stable"] >= 8
        assert found.metrics[f"flipflop.{name}.saddle"] >= 1
    # A point counts as fixed below a speed of 1e-9; the velocity's least slope is some 1e-3 per step.
    assert found.metrics["flipflop.points.max_difference"] < 1e-6
    assert found.metrics["flipflop.eigenvalues.max_difference"] < 1e-6


@pytest.mark.cpp
def test_points_are_fixed_and_their_kinds_are_those_of_the_network(found):
    """By hand, from the weights: -x + W tanh(x) + b = 0, and the eigenvalues of -1 + W (1 - tanh(x)^2)."""
    W, b = (found.weights[f"trained.{name}"] for name in ("W_rec", "b"))
    rows = found.tables["points.rate"]
    for x, unstable, row in zip(found.weights["points.rate"], found.weights["unstable.rate"], rows, strict=True):
        if row["kind"].startswith("slow"):
            continue
        assert np.abs(-x + W @ np.tanh(x) + b).max() < 1e-9
        growth = np.linalg.eigvals(-np.eye(len(x)) + W * (1 - np.tanh(x) ** 2)).real
        assert (growth > 0).sum() == unstable == row["unstable"]
        assert (row["kind"] == "stable") == (unstable == 0)
        # In 1/s, with tau 0.1 s.
        assert row["real"] == pytest.approx(growth.max() / 0.1, abs=1e-6)


@pytest.mark.cpp
def test_every_writing_holds_the_bits_and_dwells_near_the_points(found):
    for name in WRITINGS:
        assert found.metrics[f"flipflop.accuracy.{name}"] > 0.95
        assert found.metrics[f"flipflop.dwell.{name}.right"] > 0.9
        assert 0 < found.metrics[f"flipflop.dwell.{name}.distance"] < 0.5
    bits = [found.metrics[f"flipflop.accuracy.spiking.bit{k}"] for k in (1, 2, 3)]
    assert np.mean(bits) == pytest.approx(found.metrics["flipflop.accuracy.spiking"], rel=1e-12)
    # Both writings are one network; spikes are not.
    x = {name: found.activity[name]["x"].to_numpy() for name in WRITINGS}
    assert np.abs(x["rate"] - x["textbook"]).max() < 1e-10 < 1e-3 < np.abs(x["spiking"] - x["textbook"]).max()


@pytest.mark.cpp
def test_figures_and_report_speak_of_what_was_saved(flipflop, found):
    drawings = flipflop.draw(found)
    shown = {name for section in flipflop.sections(found, drawings) for name in section.drawings}
    assert shown == {drawing.name for drawing in drawings} == {"state_space", "bits", "eigenvalues", "training"}


@pytest.mark.cpp
@pytest.mark.slow
def test_three_bits_are_eight_stable_points(flipflop):
    """Sussillo & Barak 2013: 8, in the textbook's step and in the rate text; spikes hold the bits too."""
    given = {"tests": 4}
    metrics = flipflop.compute(Run(show=False), resolve(flipflop.declared, given, quick=False)).metrics
    for name in ("textbook", "rate"):
        assert metrics[f"flipflop.{name}.stable"] == metrics[f"flipflop.{name}.corners"] == 8
    assert metrics["flipflop.accuracy.spiking"] > 0.99
