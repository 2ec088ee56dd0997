"""The limit of infinitely many units: against weighted least squares by hand, and on numbers that have one."""

from __future__ import annotations

import numpy as np
import pytest

from cortwin.analysis import finite_size_limit


def test_the_limit_is_that_of_weighted_least_squares():
    n = np.repeat([100, 300, 900], 40)
    y = 0.05 - 6 / n + np.random.default_rng(1).standard_normal(120) / n
    found = finite_size_limit(n, y)
    # N y = N limit + slope is an ordinary problem: its errors are all of one size.
    A = np.stack([n, np.ones(120)], axis=1)
    expected, residual, *_ = np.linalg.lstsq(A, n * y, rcond=None)
    assert (found.limit, found.slope) == (pytest.approx(expected[0]), pytest.approx(expected[1]))
    assert found.error == pytest.approx(np.sqrt(residual[0] / 118 * np.linalg.inv(A.T @ A)[0, 0]))
    # Four standard errors are left by one seed in 10,000.
    assert found.limit == pytest.approx(0.05, abs=4 * found.error)
    assert found.error < 2e-3


@pytest.mark.parametrize(
    ("units", "values", "message"),
    [
        ([10, 20], [1.0, 2.0], "2 networks of 2 sizes, expected 3 of 2 at least"),
        ([10, 10, 10], [1.0, 2.0, 3.0], "3 networks of 1 sizes, expected 3 of 2 at least"),
        ([10, 20, 30], [1.0, 2.0], r"units of shape \(3,\) for values of shape \(2,\)"),
    ],
)
def test_what_tells_no_limit_is_refused(units, values, message):
    with pytest.raises(ValueError, match=message):
        finite_size_limit(units, values)
