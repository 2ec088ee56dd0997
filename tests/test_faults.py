"""Faults on purpose: all are survived, and what is not survived is counted as such."""

from __future__ import annotations

import os

import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.faults import Bench, commands, count, inject, injection
from cortwin.faults.bench import refusal, require, told
from cortwin.models import elman, lif


def bench(folder, engine):
    generator = np.random.default_rng(1)
    inputs = activity(generator.standard_normal((4, 20, 2)), dt=0.01, last="input", name="input")
    rate = elman.initial(generator, inputs=2, units=5, outputs=1)._asdict()
    spiking = lif.initial(generator, inputs=2, units=5)._asdict()
    return Bench(folder, engine, elman.model(), rate, lif.model(), spiking, inputs)


def not_survived(outcomes):
    return [(one.fault, one.happened) for one in outcomes if not one.survived]


def test_faults_in_models_and_results_are_survived(tmp_path):
    seen = []
    outcomes = inject(bench(tmp_path, "numpy"), seen.append, around=False)
    assert not_survived(outcomes) == []
    assert len(outcomes) == sum(seen) == count("numpy", around=False) > 25
    assert count("numpy") == len(outcomes) + len(commands.FAULTS)
    assert all(one.happened and str(tmp_path) not in one.happened for one in outcomes)


@pytest.mark.cpp
def test_faults_in_programs_are_survived(tmp_path, monkeypatch):
    monkeypatch.setattr(injection, "ANYWHERE", {})
    before = dict(os.environ)
    outcomes = inject(bench(tmp_path, "cpp"))
    assert not_survived(outcomes) == []
    assert len(outcomes) == count("cpp") == 20
    assert dict(os.environ) == before


@pytest.mark.slow
def test_faults_around_the_command_are_survived(tmp_path, monkeypatch):
    monkeypatch.setattr(injection, "ANYWHERE", commands.FAULTS)
    assert not_survived(inject(bench(tmp_path, "numpy"))) == []


def test_what_is_not_survived_is_counted(tmp_path, monkeypatch):
    numbers = iter(range(100))

    class Unsteady(Bench):
        def simulate(self, *_, **__):
            return super().simulate(values={**self.values, "b": np.full(5, float(next(numbers)))})

    faults = {
        "believed": lambda bench: refusal(lambda: 1),
        "a traceback": lambda bench: refusal(lambda: 1 / 0),
        "many lines": lambda bench: refusal(lambda: require(False, "two\nlines")),
        "silent": lambda bench: told(None),
        "wrong": lambda bench: require(False, "left behind"),
        "survived": lambda bench: told("a note"),
    }
    monkeypatch.setattr(injection, "ANYWHERE", faults)
    outcomes = {one.fault: one for one in inject(Bench(*fields(tmp_path, "a")))}
    assert {name for name, one in outcomes.items() if one.survived} == {"survived"}
    assert outcomes["believed"].happened == "nothing was noticed: int returned"
    assert outcomes["a traceback"].happened == "ZeroDivisionError: division by zero"
    (unsteady,) = [one for one in inject(Unsteady(*fields(tmp_path, "b"))) if one.fault == "survived"]
    assert not unsteady.survived
    assert unsteady.happened == "a note; the next simulation gave other numbers"


def fields(folder, name):
    (folder / name).mkdir()
    made = bench(folder / name, "numpy")
    return [getattr(made, field) for field in Bench.__dataclass_fields__]
