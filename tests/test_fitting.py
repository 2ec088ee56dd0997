"""The search of parameters: every method finds a known minimum, and what it costs is counted."""

from __future__ import annotations

import numpy as np
import pytest

from cortwin.errors import CortwinError
from cortwin.fitting import METHODS, search

TRUTH = {"g": 3e-3, "tau": 20.0}


@pytest.mark.parametrize(("method", "error"), [("gradient", 1e-5), ("simplex", 1e-4), ("adam", 2e-2)])
def test_every_method_finds_the_minimum(method, error):
    calls = []

    def objective(values):
        calls.append(values)
        away = {name: np.log(values[name] / TRUTH[name]) for name in TRUTH}
        return sum(one**2 for one in away.values()), {name: 2 * one / values[name] for name, one in away.items()}

    found = search(objective, {"g": 2e-3, "tau": 30.0}, method, evaluations=200)
    assert found.error(TRUTH) < error
    assert found.evaluations == len(calls) <= 210
    assert found.loss == min(objective(values)[0] for values in calls[: found.evaluations])
    if method == "gradient":
        assert found.evaluations < 30


def test_what_cannot_be_searched_is_refused():
    assert set(METHODS) == {"gradient", "adam", "simplex"}
    with pytest.raises(CortwinError, match="g must start from a positive number, got -1"):
        search(lambda values: (0.0, {}), {"g": -1.0}, "gradient")
    with pytest.raises(CortwinError, match="the method is 'guess', expected one of gradient, adam, simplex"):
        search(lambda values: (0.0, {}), {"g": 1.0}, "guess")
