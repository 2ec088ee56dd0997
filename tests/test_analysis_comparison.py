"""Networks beside a recording: alignment against a hand-made shift, floors below, ceiling above, planted rotations."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from cortwin.activity import activity
from cortwin.analysis import aligned_rates, covered, rotations, similarities

DT = 0.01
ONSETS = np.array([0.5, 0.6, 0.55, 0.65])
CONDITIONS = np.array([0, 1, 0, 1])
OWN = DT * np.arange(120)
TIME = np.round(np.arange(-0.2, 0.3 + DT / 2, DT), 10)


def bump(t, condition, unit):
    """Return a smooth course of time from movement onset, another for each condition and unit."""
    return (1 + condition) * np.exp(-((t - 0.05 * unit) ** 2) / (2 * 0.08**2))


def network(onsets=ONSETS):
    trials = zip(onsets, CONDITIONS, strict=True)
    values = np.stack([np.stack([bump(OWN - onset, c, unit) for unit in range(3)], axis=-1) for onset, c in trials])
    labels = {
        "condition": ("trial", CONDITIONS),
        "movement_onset": ("trial", onsets),
        "direction": ("trial", CONDITIONS * np.pi),
    }
    return activity(values, dt=DT, coordinates=labels, name="r")


def test_rates_are_shifted_to_movement_onset_scaled_and_averaged():
    found = aligned_rates(network(), TIME, width=0.0, scale=100.0)
    assert found.dims == ("trial", "time", "unit")
    assert found.shape == (2, TIME.size, 3)
    np.testing.assert_allclose(found["time"], TIME, atol=1e-12)
    np.testing.assert_array_equal(found["condition"], [0, 1])
    np.testing.assert_allclose(found["direction"], [0, np.pi])
    assert (found.attrs["units"], found.attrs["dt"]) == ("Hz", pytest.approx(DT))
    for condition in (0, 1):
        expected = 100 * np.stack([bump(TIME, condition, unit) for unit in range(3)], axis=-1)
        # Onsets are multiples of dt: every time of the recording is one of the network's own.
        np.testing.assert_allclose(found[condition], expected, atol=1e-9)


def test_an_onset_between_samples_is_interpolated():
    found = aligned_rates(network(ONSETS + DT / 2), TIME, width=0.0)
    expected = np.stack([bump(TIME, 0, unit) for unit in range(3)], axis=-1)
    # A straight line over dt misses a curve by dt^2 / 8 of its second derivative, at most 1 / 0.08^2.
    np.testing.assert_allclose(found[0], expected, atol=1.001 * DT**2 / 8 / 0.08**2)
    assert np.abs(found[0] - expected).max() > 0.1 * DT**2 / 8 / 0.08**2


def test_smoothing_is_the_recordings_gaussian():
    """A bump of width s smoothed with w is one of width sqrt(s^2 + w^2), lower by s over it."""
    width, s = 0.03, 0.08
    found = aligned_rates(network(), TIME, width=width)
    wide = np.hypot(s, width)
    expected = s / wide * np.exp(-(TIME**2) / (2 * wide**2))
    np.testing.assert_allclose(found[0, :, 0], expected, atol=1e-3)
    sharp = np.exp(-(TIME**2) / (2 * s**2))
    assert np.abs(found[0, :, 0] - sharp).max() > 0.02


def test_trials_of_one_condition_are_averaged():
    one = network()
    one[2] = one[2] + 1.0
    found = aligned_rates(one, TIME, width=0.0)
    np.testing.assert_allclose(found[0, :, 0], bump(TIME, 0, 0) + 0.5, atol=1e-9)


@pytest.mark.parametrize("time", [TIME - 0.35, TIME + 0.3])
def test_times_that_a_trial_does_not_cover_are_refused(time):
    with pytest.raises(ValueError, match=r"r: trials cover -0\.5 to 0\.54 s from movement onset, not"):
        aligned_rates(network(), time, width=0.0)


def test_covered_times_are_those_that_can_be_aligned():
    time = np.round(np.arange(-0.8, 0.9, DT), 10)
    kept = covered(ONSETS, float(OWN[0]), float(OWN[-1]), time)
    # The earliest onset leaves the least before it, the latest the least behind it.
    np.testing.assert_allclose(time[kept][[0, -1]], [-0.5, 1.19 - 0.65], atol=1e-9)
    assert np.array_equal(kept, (time >= -0.5 - 1e-9) & (time <= 0.54 + 1e-9))
    assert aligned_rates(network(), time[kept], width=0.0).sizes["time"] == np.count_nonzero(kept)
    for wider in (np.r_[time[kept][0] - DT, time[kept]], np.r_[time[kept], time[kept][-1] + DT]):
        with pytest.raises(ValueError, match="trials cover"):
            aligned_rates(network(), wider, width=0.0)


def population(generator, units, latents):
    """Return rates of units that read out the same latent courses, (condition, time, unit)."""
    return latents @ generator.standard_normal((latents.shape[2], units)) * 5 + 40


@pytest.fixture(scope="module")
def recorded():
    generator = np.random.default_rng(3)
    latents = gaussian_filter1d(generator.standard_normal((8, 60, 4)), 5, axis=1) * 4
    labels = {"condition": ("trial", np.arange(8))}
    made = {}
    for name, units in {"recording": 40, "twin": 30}.items():
        values = population(generator, units, latents) + 0.2 * generator.standard_normal((8, 60, units))
        made[name] = activity(values, dt=DT, t_start=-0.2, units="Hz", coordinates=labels, name=name)
    return made


def test_similarities_stand_between_floor_and_ceiling(recorded):
    twin = recorded["twin"]
    found = similarities(recorded["recording"], {"twin": twin}, np.random.default_rng(0))
    measures, means = ("cka", "cca", "procrustes"), ("mean_kept", "mean_removed")
    names = ("twin", "noise", "average", "ceiling")
    assert set(found) == {f"{measure}.{mean}.{name}" for measure in measures for mean in means for name in names}
    for measure in measures:
        for mean in means:
            noise, twin_score, ceiling = (found[f"{measure}.{mean}.{name}"] for name in ("noise", "twin", "ceiling"))
            # The twin reads the very latents of the recording: it belongs beside the ceiling, not beside the floor.
            assert noise < min(twin_score, ceiling) - 0.2
            assert twin_score == pytest.approx(ceiling, abs=0.15)
        undefined = found[f"{measure}.mean_removed.average"]
        assert np.isnan(undefined)
        assert undefined.reason == "nothing of the cross-condition average is left"
        assert np.isfinite(found[f"{measure}.mean_kept.average"])
    again = similarities(recorded["recording"], {"twin": twin}, np.random.default_rng(0))
    assert {name: value for name, value in again.items() if value == value} == {
        name: value for name, value in found.items() if value == value
    }
    other = similarities(recorded["recording"], {"twin": twin}, np.random.default_rng(1))
    assert other["cka.mean_kept.noise"] != found["cka.mean_kept.noise"]
    assert other["cka.mean_kept.twin"] == found["cka.mean_kept.twin"]


def test_a_planted_rotation_is_found_and_its_null_is_below():
    frequency, n = 2.0, 8
    time = np.round(np.arange(-0.2, 0.4 + DT / 2, DT), 10)
    phase = 2 * np.pi * np.arange(n) / n
    angle = 2 * np.pi * frequency * time[None, :] + phase[:, None]
    plane = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    preferred = 2 * np.pi * np.arange(20) / 20
    values = 50 + 10 * plane @ np.stack([np.cos(preferred), np.sin(preferred)])
    labels = {"condition": ("trial", np.arange(n))}
    turning = activity(values, dt=DT, t_start=-0.2, units="Hz", coordinates=labels, name="turning")
    still = activity(np.tile(values[:1], (n, 1, 1)), dt=DT, t_start=-0.2, units="Hz", coordinates=labels, name="still")
    metrics, planes = rotations({"turning": turning, "still": still}, np.random.default_rng(0), shuffles=20)
    assert set(planes) == {"turning", "still"}
    numbers = ("r2", "r2_skew", "frequency", "variance")
    null = ("null.r2.mean", "null.r2.quantile95", "null.r2_skew.mean", "null.r2_skew.quantile95")
    assert set(metrics) == {f"{name}.{number}" for name in planes for number in (*numbers, *null)}
    # Preferred directions are even, so the units' plane is a circle. A forward difference turns it by sin(w dt) / dt,
    # and its other part, (cos(w dt) - 1) / dt, is no rotation. The units' ranges differ by a hundredth: squared, 1e-4.
    w = 2 * np.pi * frequency
    assert metrics["turning.r2"] == pytest.approx(1, abs=1e-9)
    assert metrics["turning.r2_skew"] == pytest.approx(np.cos(w * DT / 2) ** 2, abs=1e-3)
    assert metrics["turning.frequency"] == pytest.approx(np.sin(w * DT) / DT / (2 * np.pi), rel=1e-3)
    assert metrics["turning.variance"] == pytest.approx(1, abs=1e-9)
    assert metrics["turning.null.r2_skew.quantile95"] < metrics["turning.r2_skew"] - 0.1
    # Conditions that do not differ do not rotate: every number is a NaN that says so.
    for number in (*numbers, *null):
        assert np.isnan(metrics[f"still.{number}"])
        assert "no difference between conditions" in metrics[f"still.{number}"].reason
