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


def test_a_model_that_blows_up_where_the_first_step_ends_is_still_fitted():
    # The first step is 0.1 of the logarithm: 1.105 is not finite, as of an explicit method whose step is too long.
    def objective(values):
        away = np.log(values["g"] / 1.05)
        return (1e6 * away**2, {"g": 2e6 * away / values["g"]}) if values["g"] < 1.09 else (np.nan, {"g": np.nan})

    assert search(objective, {"g": 1.0}, "gradient", evaluations=100).error({"g": 1.05}) < 1e-6
