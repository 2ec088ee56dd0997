"""One bound for all neurons in place of a division for each: the same answer for every spike on the grid of steps."""

import re

import numpy as np
import pytest

from cortwin.cpp.paths.refractoriness import compare_first

BODY = ["const double lastspike = a[_idx];", "not_refractory = _timestep(t - lastspike, dt) >= _lio_3;"]


def test_only_a_fixed_time_is_compared():
    body, bounds = compare_first(BODY)
    assert body == [BODY[0], "not_refractory = lastspike <= _old_enough_0;"]
    assert bounds == ["const double _old_enough_0 = t + 1e-3*dt - (_lio_3 > 0 ? _lio_3 : _lio_3 - 1)*dt;"]
    own = [BODY[0], "not_refractory = _timestep(t - lastspike, dt) >= _timestep(refractory, dt);"]
    assert compare_first(own) == (own, [])


@pytest.mark.parametrize("dt", [1e-4, 1e-5, 1e-3, 3e-4, 0.1, 1 / 3])
def test_the_bound_answers_as_the_division_does(dt):
    """After up to 1e7 steps, for spikes around the refractory time and before the first step."""
    _, (line,) = compare_first(BODY)
    formula = re.sub(r"_lio_3 > 0 \? _lio_3 : _lio_3 - 1", "steps if steps > 0 else steps - 1", line.split(" = ")[1])
    answers = set()
    for steps in (-1.0, 0.0, 1.0, 2.0, 20.0, 1000.0):
        for now in (0, 1, 19, 20, 21, 12345, 10**7):
            t = now * dt
            spikes = np.concatenate([np.arange(now - 1010, now + 1) * dt, [-1e4]])  # -1e4 s: none so far
            divided = np.trunc((t - spikes + 1e-3 * dt) / dt) >= steps
            bound = eval(formula.rstrip(";"), {"t": t, "dt": dt, "steps": steps})
            assert np.array_equal(spikes <= bound, divided), (steps, now)
            answers |= set(divided)
    assert answers == {True, False}
