"""The experiment on perturbations, small: effects as large as wanted, exact where they should be, and alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cortwin.experiment import Run, load_experiment
from cortwin.experiments import perturbations
from cortwin.parameters import resolve
from cortwin.perturbation import Clamp, Lesion

SMALL = {"units": 8, "networks": 1, "updates": 20, "trials": 2, "neurons_per_unit": 8, "size": 0.25}


@pytest.fixture(scope="module")
def found():
    experiment = load_experiment("perturbations")
    given = resolve(experiment.declared, SMALL, quick=True)
    return experiment.compute(Run(show=False, quick=True), given)


def test_effects_are_as_large_as_wanted_and_exact(found):
    rows = found.tables["effects"]
    assert len(rows) == 7
    for row in rows:
        assert row["exact_error"] < 1e-10
        if row["perturbation"] in ("clamp", "pulse", "noise", "tau", "weights"):
            # Strengths are halved ten times: to 1 / 1024 of their range. Noise goes to 20, and acts in proportion.
            assert row["size.textbook"] == pytest.approx(0.25, rel=0.1), row["words"]
        if row["perturbation"] != "tau_m":
            assert row["size.rate"] == pytest.approx(row["size.textbook"], rel=1e-9)
    assert {row["size.textbook"] for row in rows if row["perturbation"] == "tau_m"} == {0.0}


def test_twins_react_alike_and_what_cannot_be_compared_says_why(found):
    for name in ("clamp", "pulse", "noise"):
        assert 0.8 < found.metrics[f"effects.{name}.correlation.spiking"] <= 1
    assert math.isnan(found.metrics["effects.tau_m.correlation.spiking"])
    assert "nothing changed in it" in found.reasons["effects.tau_m.correlation.spiking"]
    assert found.metrics["effects.tau_m.correlation.between_twins"] > 0.5


def test_figures_and_report_are_made_of_what_was_kept(found):
    drawn = perturbations.draw(found)
    assert [drawing.name for drawing in drawn] == ["agreement", "effects"]
    (section,) = perturbations.report(found)
    assert set(section.drawings) == {"agreement", "effects"}
    for table in section.tables:
        assert all(cell in found.metrics or not cell for row in table.rows for cell in row[1:])
    assert "of the units lesioned" in section.text


def test_numbers_over_networks_are_means_with_intervals():
    rows = [{"network": k, "perturbation": "pulse", "words": "", "gain.spiking": 1.0 + k} for k in range(4)]
    metrics, reasons = perturbations.over_networks(rows, np.random.default_rng(0))
    assert metrics["effects.pulse.gain.spiking"] == 2.5
    assert 1 <= metrics["effects.pulse.gain.spiking.low"] < 2.5 < metrics["effects.pulse.gain.spiking.high"] <= 4
    assert not reasons


def test_units_and_signs_are_drawn_once():
    ways = perturbations.kinds(10, 0.2, (0.0, 0.1), np.random.default_rng(0))
    weak, strong = ways["clamp"].make(0.5), ways["clamp"].make(1.0)
    assert isinstance(weak, Clamp)
    assert weak.units == strong.units
    np.testing.assert_allclose(2 * np.asarray(weak.value), strong.value)
    few, more = ways["lesion"].make(0.01), ways["lesion"].make(0.5)
    assert isinstance(few, Lesion)
    assert len(few.units) == 1
    assert set(few.units) < set(more.units)
    assert len(more.units) == 5
