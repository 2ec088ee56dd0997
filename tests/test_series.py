"""Series: against closed forms, an adaptive solver, loops written out, and the file that they are read from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cortwin.errors import CortwinError
from cortwin.tasks import eeg, mackey_glass, narma10


def solved(tau: float, intervals: int, start: float) -> np.ndarray:
    """Mackey-Glass by the method of steps: over each delay the past is known, and an adaptive solver goes on."""
    pieces: list = []

    def past(t):
        return start if t <= 0 else pieces[min(int(t // tau), len(pieces) - 1)](t)[0]

    x = [start]
    for k in range(intervals):
        found = solve_ivp(
            lambda t, x: 0.2 * past(t - tau) / (1 + past(t - tau) ** 10) - 0.1 * x,
            (k * tau, (k + 1) * tau), x, rtol=1e-11, atol=1e-12, dense_output=True, max_step=0.5,
        )  # fmt: skip
        pieces.append(found.sol)
        x = found.y[:, -1]
    times = np.arange(1, int(intervals * tau))
    return np.array([start, *(pieces[int(t // tau)](t)[0] for t in times)])


def test_the_first_delay_of_mackey_glass_is_an_exponential():
    # The past is constant, and so is the production: x relaxes with the rate gamma.
    x = mackey_glass(18, start=0.7, discard=0)
    rest = 0.2 * 0.7 / (1 + 0.7**10) / 0.1
    # The classical Runge-Kutta method errs by (gamma h)^5 / 120 of the distance in each of 170 steps: 1.4e-10.
    np.testing.assert_allclose(x, rest + (0.7 - rest) * np.exp(-0.1 * np.arange(18)), atol=2e-10)


def test_mackey_glass_approaches_the_solution_with_the_fourth_power_of_the_step():
    exact = solved(17.0, 3, 1.2)
    errors = [np.abs(mackey_glass(exact.size, step=step, discard=0) - exact).max() for step in (1.0, 0.5, 0.25)]
    # 16 to leading order; the next order is a twentieth of it at the coarsest step.
    assert 14 < errors[0] / errors[1] < 18
    assert 15 < errors[1] / errors[2] < 17
    assert np.abs(mackey_glass(exact.size, discard=0) - exact).max() < 1e-9


def test_mackey_glass_is_sampled_where_it_says():
    fine = mackey_glass(101, every=0.5, discard=10.0)
    assert np.array_equal(fine[::2], mackey_glass(51, discard=10.0))
    assert np.array_equal(mackey_glass(50, discard=11.0), mackey_glass(51, discard=10.0)[1:])
    # Chaotic, and within its attractor.
    x = mackey_glass(2000)
    assert 0.2 < x.min() < 0.5 < 1.2 < x.max() < 1.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"samples": 0}, "samples must be at least 1, got 0"),
        ({"tau": 17.05}, "tau must be a multiple of the step 0.1, 0 or more, got 17.05"),
        ({"discard": -1.0}, "discard must be a multiple of the step 0.1, 0 or more, got -1"),
        ({"beta": float("nan")}, "beta must be finite and positive, got nan"),
    ],
)
def test_a_series_that_cannot_be_made_is_refused(given, message):
    with pytest.raises(CortwinError, match=f"mackey_glass: {message}"):
        mackey_glass(**{"samples": 10, **given})


def test_narma10_is_its_formula():
    u, y = narma10(np.random.default_rng(5), 300)
    assert u.shape == y.shape == (300,)
    assert 0 <= u.min() < 0.05 < 0.45 < u.max() < 0.5
    # Term by term; y[k] is the answer to u[k], so that the printed y_k is y[k - 1] here.
    for k in range(10, 300):
        total = sum(y[k - 1 - i] for i in range(10))
        expected = 0.3 * y[k - 1] + 0.05 * y[k - 1] * total + 1.5 * u[k - 9] * u[k] + 0.1
        assert y[k] == pytest.approx(expected, rel=1e-13)


def test_narma10_starts_from_nothing_and_says_when_it_diverges():
    class Loudest(np.random.Generator):
        def uniform(self, low=0.0, high=1.0, size=None):
            return np.full(size, 2.0)

    _, y = narma10(np.random.default_rng(5), 3, discard=0)
    # Before the first sample everything is 0: the products u_{k-9} u_k vanish.
    first, second = 0.1, 0.3 * 0.1 + 0.05 * 0.1 * 0.1 + 0.1
    assert y[:2] == pytest.approx([first, second], rel=1e-13)
    with pytest.raises(CortwinError, match="narma10: the series diverges at sample"):
        narma10(Loudest(np.random.PCG64(1)), 100)
    with pytest.raises(CortwinError, match="at least 1 sample"):
        narma10(np.random.default_rng(5), 0)


def test_the_eeg_is_the_file_that_matplotlib_brings():
    x = eeg()
    assert x.shape == (800, 4)
    # As the docstring says; the file's own numbers are standardised to three digits.
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=3e-3)
    # Neighbouring samples of 12.5 ms are alike, as those of an EEG and unlike those of noise.
    assert all(np.corrcoef(x[1:, k], x[:-1, k])[0, 1] > 0.8 for k in range(4))


@pytest.mark.parametrize(
    ("content", "message"), [(None, "lack eeg.dat"), (b"\0" * 80, "holds 10 numbers, expected 3200")]
)
def test_another_matplotlib_is_told(content, message, monkeypatch, tmp_path):
    file = tmp_path / "eeg.dat"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr("matplotlib.cbook.get_sample_data", lambda *_, **__: str(file))
    with pytest.raises(CortwinError, match=message):
        eeg()
