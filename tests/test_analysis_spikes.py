"""Counts, rates, filters, spectra and statistics of spikes with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter1d

from cortwin.activity import activity
from cortwin.analysis import (
    count_correlations,
    fano_factor,
    filtered_spikes,
    firing_rate,
    interval_cv,
    mean_rate,
    peak_frequency,
    population_rate,
    population_spectrum,
    power_spectrum,
    psth,
    reason_of,
    spike_counts,
    spike_statistics,
)


def spike_table(trial, unit, time, *, n_trials=1, n_units=1, t_start=0.0, duration=1.0, dt=1e-4):
    trial, unit = np.asarray(trial, dtype=np.int64), np.asarray(unit, dtype=np.int64)
    time = np.asarray(time, dtype=np.float64)
    order = np.lexsort((unit, time, trial))
    return xr.Dataset(
        {"trial": ("event", trial[order]), "unit": ("event", unit[order]), "time": ("event", time[order])},
        attrs={"n_trials": n_trials, "n_units": n_units, "t_start": t_start, "duration": duration, "dt": dt},
    )


def poisson(generator, rate, *, n_trials=20, n_units=30, duration=2.0):
    n = generator.poisson(rate * duration, (n_trials, n_units))
    trial, unit = (np.repeat(k.ravel(), n.ravel()) for k in np.indices((n_trials, n_units)))
    return spike_table(
        trial, unit, duration * generator.random(n.sum()), n_trials=n_trials, n_units=n_units, duration=duration
    )


@pytest.fixture
def generator():
    return np.random.default_rng(4)


def test_counts_are_the_loop_over_events(generator):
    spikes = poisson(generator, 20.0, n_trials=3, n_units=4)
    counts = spike_counts(spikes, 0.1, {"condition": ("trial", [5, 6, 7])})
    expected = np.zeros((3, 20, 4))
    for trial, unit, time in zip(*(spikes[k].to_numpy() for k in ("trial", "unit", "time")), strict=True):
        expected[trial, int(time / 0.1), unit] += 1
    np.testing.assert_array_equal(counts, expected)
    assert counts["condition"].to_numpy().tolist() == [5, 6, 7]
    np.testing.assert_allclose(counts["time"], 0.05 + 0.1 * np.arange(20))
    np.testing.assert_allclose(population_rate(spikes, 0.1), expected.sum(axis=2) / (4 * 0.1), rtol=1e-12)


def test_a_spike_on_an_edge_belongs_to_the_bin_that_it_opens():
    steps = np.arange(10_000)
    spikes = spike_table(0 * steps, 0 * steps, -0.2 + steps * 1e-4, t_start=-0.2)
    # Every step has its spike: any edge that rounding moved would leave a bin with 9 or 11.
    np.testing.assert_array_equal(spike_counts(spikes, 1e-3), np.full((1, 1000, 1), 10))


def test_firing_rate_and_psth(generator):
    spikes = poisson(generator, 20.0, n_trials=4, n_units=3)
    condition = np.array([1, 0, 1, 0])
    rate = firing_rate(spikes, 0.05)
    np.testing.assert_allclose(rate, spike_counts(spikes, 0.05) / 0.05)
    assert rate.attrs == {"dt": 0.05, "units": "Hz"}
    found = psth(spikes, condition, 0.05, smoothing=0.1)
    smoothed = gaussian_filter1d(rate.to_numpy(), 2.0, axis=1)  # 0.1 s in bins
    for k in range(2):
        np.testing.assert_allclose(found[k], smoothed[condition == k].mean(axis=0), rtol=1e-12)
    # Smoothing moves spikes about and loses none.
    np.testing.assert_allclose(found.mean(), rate.mean(), rtol=1e-12)
    assert found["condition"].to_numpy().tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"condition: expected one per trial, \(4,\), got \(3,\)"):
        psth(spikes, [0, 1, 0], 0.05)


def test_filtered_spikes_are_the_sum_of_exponentials(generator):
    spikes = poisson(generator, 30.0, n_trials=2, n_units=3, duration=0.5)
    tau_s, time = 0.01, 0.05 + 0.003 * np.arange(120)
    found = filtered_spikes(spikes, tau_s, time, {"condition": ("trial", [3, 4])})
    expected = np.zeros((2, 120, 3))
    for trial, unit, t_k in zip(*(spikes[k].to_numpy() for k in ("trial", "unit", "time")), strict=True):
        expected[trial, :, unit] += np.where(time >= t_k, np.exp(-np.maximum(time - t_k, 0) / tau_s) / tau_s, 0.0)
    # 120 multiplications by the decay, each exact to eps.
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert found.attrs["units"] == "Hz"
    assert found["condition"].to_numpy().tolist() == [3, 4]


def test_the_filter_is_causal_has_area_one_and_sees_a_spike_on_its_own_sample():
    dt, tau_s = 1e-4, 5e-3
    time = dt * np.arange(1000)
    spikes = spike_table([0], [0], [300 * dt], duration=0.1)
    y = filtered_spikes(spikes, tau_s, time).to_numpy()[0, :, 0]
    assert np.all(y[:300] == 0)
    assert y[300] == pytest.approx(1 / tau_s)
    # The sum over samples exceeds the integral by dt / (2 tau_s) = 1 %, the trapezium rule's end term.
    assert dt * (y.sum() - y[300] / 2) == pytest.approx(1.0, abs=1e-3)
    late = spike_table([0], [0], [0.0999], duration=0.1)
    assert np.all(filtered_spikes(late, tau_s, time[:500]) == 0)
    # Spikes that come out a rounding before or after their samples count at those samples.
    steps = np.arange(1000)
    geometric = (1 - np.exp(-dt / tau_s * (steps + 1))) / (1 - np.exp(-dt / tau_s)) / tau_s
    for rounding in (-1e-14, 0.0, 1e-14):
        every = spike_table(0 * steps, 0 * steps, -0.03 + steps * dt + rounding, t_start=-0.03, duration=0.1)
        y = filtered_spikes(every, tau_s, -0.03 + steps * dt).to_numpy()[0, :, 0]
        np.testing.assert_allclose(y, geometric, rtol=1e-9)


def test_filter_refuses_bad_time_constants_and_grids():
    spikes = spike_table([0], [0], [0.5])
    for tau_s in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="tau_s: must be positive"):
            filtered_spikes(spikes, tau_s, [0.0, 0.1])
    with pytest.raises(ValueError, match="not evenly spaced"):
        filtered_spikes(spikes, 0.01, [0.0, 0.1, 0.3])


def test_the_spectrum_of_a_sinusoid_peaks_at_its_frequency():
    time = 1e-3 * np.arange(3000)
    signal = 20.0 + 3.0 * np.sin(2 * np.pi * 22.0 * time) + 30.0 * np.sin(2 * np.pi * 2.0 * time)
    rate = activity(signal[None, :, None], dt=1e-3, units="Hz", name="rate")[:, :, 0]
    spectrum = power_spectrum(rate, segment=1.0)
    assert peak_frequency(spectrum) == pytest.approx(22.0, abs=1e-9)  # a whole number of periods in a segment
    assert peak_frequency(spectrum, above=1.0) == pytest.approx(2.0, abs=1e-9)
    # The integral of a one-sided density is the variance: half the squares of the two amplitudes.
    assert float(spectrum.sum()) == pytest.approx((3.0**2 + 30.0**2) / 2, rel=1e-6)
    assert spectrum.attrs["units"] == "Hz^2/Hz"


def test_the_flank_of_a_slow_drift_is_no_peak():
    frequency = np.arange(0.0, 101.0)
    slope = xr.DataArray(
        1 / (1 + frequency), dims="frequency", coords={"frequency": frequency}, attrs={"reason": ""}, name="power"
    )
    assert reason_of(peak_frequency(slope)) == "power has no peak above 5.0 Hz"
    with_peak = slope.copy(data=slope.to_numpy() + 0.05 * (frequency == 60) + 0.005 * (frequency == 30))
    assert peak_frequency(with_peak) == 60.0
    with pytest.raises(ValueError, match="the spectrum ends at 100 Hz, below 200 Hz"):
        peak_frequency(slope, above=200)


def test_the_spectrum_of_poisson_spikes_is_flat_at_the_rate_over_the_neurons(generator):
    spikes = poisson(generator, 40.0, n_trials=20, n_units=10)
    spectrum = population_spectrum(spikes, segment=0.25)
    # A Poisson process of rate r has the two-sided density r, the mean of n of them r / n, one-sided twice that. 20
    # trials of 15 half-overlapping segments: at least 160 independent, hence 8 % at each frequency, about 1 % over 120
    # of which neighbours correlate.
    assert float(spectrum[3:-3].mean()) == pytest.approx(2 * 40.0 / 10, rel=0.04)
    np.testing.assert_allclose(spectrum[3:-3], 8.0, rtol=5 * 0.08)


def test_the_spectrum_of_silence_is_undefined_and_bad_segments_are_refused():
    silent = spike_table([], [], [])
    spectrum = population_spectrum(silent)
    assert np.isnan(spectrum).all()
    assert spectrum.attrs["reason"] == "population_rate is constant"
    assert reason_of(peak_frequency(spectrum)) == "population_rate is constant"
    with pytest.raises(ValueError, match=r"segment: 2000 samples of 0.001 s; must be between 2 and the trial's 1000"):
        population_spectrum(silent, segment=2.0)
    with pytest.raises(ValueError, match="expected finite values"):
        power_spectrum(population_rate(silent, 0.1) + np.nan)


def test_poisson_spikes_have_the_rate_cv_fano_factor_and_correlation_of_poisson(generator):
    rate, n_trials, n_units, duration, window = 40.0, 20, 30, 2.0, 0.1
    spikes = poisson(generator, rate, n_trials=n_trials, n_units=n_units, duration=duration)
    found = spike_statistics(spikes, t_ref=0.002, window=window)
    n_spikes = rate * n_trials * duration * n_units
    # Five standard errors each. Rate: sqrt(n) / n. CV of n exponential intervals: 1 / sqrt(n) for the whole population;
    # the intervals that a trial's end cuts off bias it by about 1 / (rate * duration). Fano: sqrt(2 / degrees of
    # freedom), with n_trials - 1 for each window. Correlation: of n_units (n_units - 1) / 2 pairs, each 1 / sqrt(dof).
    freedom = (n_trials - 1) * duration / window
    assert float(found["mean_rate"]) == pytest.approx(rate, rel=5 / np.sqrt(n_spikes))
    assert float(found["mean_cv"]) == pytest.approx(1.0, abs=5 / np.sqrt(n_spikes) + 1 / (rate * duration))
    assert float(found["mean_fano_factor"]) == pytest.approx(1.0, abs=5 * np.sqrt(2 / (freedom * n_units)))
    pairs = n_units * (n_units - 1) / 2
    assert float(found["mean_correlation"]) == pytest.approx(0.0, abs=5 / np.sqrt(freedom * pairs))
    assert not found["silent"].any()
    assert not found["saturated"].any()
    assert found.attrs["reason"] == ""


def test_a_gamma_process_has_its_cv(generator):
    shape = 4.0
    intervals = generator.gamma(shape, 0.02 / shape, (5, 4000))
    time = np.cumsum(intervals, axis=1)
    kept = time < 70.0
    unit = np.broadcast_to(np.arange(5)[:, None], time.shape)[kept]
    cv = interval_cv(spike_table(0 * unit, unit, time[kept], n_units=5, duration=70.0))
    # Standard error of the CV of n intervals: below CV / sqrt(n) for this skew; n = 3500.
    np.testing.assert_allclose(cv, 1 / np.sqrt(shape), rtol=5 / np.sqrt(3500))


def test_cv_is_that_of_the_intervals_within_trials(generator):
    spikes = poisson(generator, 10.0, n_trials=3, n_units=4)
    found = interval_cv(spikes, min_spikes=2)
    for unit in range(4):
        mine = spikes.where(spikes["unit"] == unit, drop=True)
        intervals = np.concatenate([np.diff(mine["time"].to_numpy()[mine["trial"] == k]) for k in range(3)])
        assert float(found[unit]) == pytest.approx(np.std(intervals, ddof=1) / np.mean(intervals), rel=1e-12)


def test_neurons_with_few_spikes_have_no_cv_and_a_reason():
    regular = 0.1 * np.arange(1, 10)
    time, unit = np.concatenate([regular, regular[:4], [0.5]]), np.repeat([0, 1, 2], [9, 4, 1])
    spikes = spike_table(0 * unit, unit, time, n_units=4)
    cv = interval_cv(spikes, min_spikes=4)
    np.testing.assert_allclose(cv[:2], 0.0, atol=1e-12)
    assert np.isnan(cv[2:]).all()
    assert cv.attrs["reason"] == "2 of 4 neurons with fewer than 4 spikes (or two intervals)"


def test_fano_factor_and_correlations_are_the_loop_over_conditions_and_windows(generator):
    spikes = poisson(generator, 10.0, n_trials=6, n_units=4, duration=1.0)
    condition = np.array([0, 1, 0, 1, 1, 0])
    counts = spike_counts(spikes, 0.25).to_numpy()
    groups = [counts[condition == c, w] for c in range(2) for w in range(4)]
    variance, mean = np.mean([g.var(axis=0, ddof=1) for g in groups], axis=0), np.mean(groups, axis=(0, 1))
    np.testing.assert_allclose(fano_factor(spikes, 0.25, condition), variance / mean, rtol=1e-10)
    residual = np.concatenate([g - g.mean(axis=0) for g in groups])
    matrix = count_correlations(spikes, 0.25, condition)
    np.testing.assert_allclose(matrix, np.corrcoef(residual.T), atol=1e-12)
    off = ~np.eye(4, dtype=bool)
    mean = spike_statistics(spikes, 0.002, 0.25, condition=condition)["mean_correlation"]
    assert float(mean) == pytest.approx(matrix.to_numpy()[off].mean(), abs=1e-12)


def test_conditions_of_unequal_size_weigh_by_their_degrees_of_freedom(generator):
    spikes = poisson(generator, 10.0, n_trials=7, n_units=3, duration=1.0)
    condition = np.array([0, 0, 0, 0, 1, 1, 2])
    counts = spike_counts(spikes, 1.0).to_numpy()[:, 0]
    a, b = counts[:4], counts[4:6]  # the single trial of the last condition has no variance to offer
    variance = (3 * a.var(axis=0, ddof=1) + b.var(axis=0, ddof=1)) / 4
    mean = (3 * a.mean(axis=0) + b.mean(axis=0)) / 4
    np.testing.assert_allclose(fano_factor(spikes, 1.0, condition), variance / mean, rtol=1e-10)


def test_a_single_trial_varies_over_its_windows(generator):
    spikes = poisson(generator, 30.0, n_trials=1, n_units=3)
    counts = spike_counts(spikes, 0.1).to_numpy()[0]
    expected = counts.var(axis=0, ddof=1) / counts.mean(axis=0)
    np.testing.assert_allclose(fano_factor(spikes, 0.1), expected, rtol=1e-10)
    with pytest.raises(ValueError, match=r"one window of 2.0 s in one trial has no variance"):
        fano_factor(spikes, 2.0)


def test_identical_neurons_correlate_fully(generator):
    one = poisson(generator, 30.0, n_trials=10, n_units=1)
    n = one.sizes["event"]
    trial, time = (np.tile(one[k].to_numpy(), 2) for k in ("trial", "time"))
    both = spike_table(trial, np.repeat([0, 1], n), time, n_trials=10, n_units=3, duration=2.0)
    matrix = count_correlations(both, 0.1)
    np.testing.assert_allclose(matrix[:2, :2], 1.0, rtol=1e-12)
    assert np.isnan(matrix[2]).all()
    assert np.isnan(matrix[:, 2]).all()
    assert matrix.attrs["reason"] == "the counts of 1 of 3 neurons do not vary"
    assert float(spike_statistics(both, 0.002, 0.1)["mean_correlation"]) == pytest.approx(1.0)


def test_silence_and_saturation_are_flagged():
    silent = spike_statistics(spike_table([], [], [], n_units=3), t_ref=0.002, window=0.1)
    assert silent["silent"].all()
    assert silent.attrs["reason"] == "every neuron is silent"
    assert float(silent["mean_rate"]) == 0.0
    assert np.isnan([silent[k] for k in ("mean_cv", "mean_fano_factor", "mean_correlation")]).all()

    clock = np.arange(0.0, 1.0, 0.0021)  # t_ref + dt
    time, unit = np.tile(clock, 3), np.repeat(np.arange(3), clock.size)
    full = spike_statistics(spike_table(0 * unit, unit, time, n_units=3), t_ref=0.002, window=0.1)
    assert full["saturated"].all()
    assert full.attrs["reason"] == "every neuron fires at 1/t_ref = 500 Hz"
    assert np.isnan(full["mean_cv"])
    assert not spike_statistics(spike_table(0 * unit, unit, time, n_units=4), 0.002, 0.1).attrs["reason"]
    assert not spike_statistics(spike_table(0 * unit, unit, time, n_units=3), 0.0, 0.1)["saturated"].any()
    with pytest.raises(ValueError, match=r"t_ref: must be 0 or more, got -0.002 s"):
        spike_statistics(spike_table([], [], []), -0.002, 0.1)


def test_mean_rate_counts_trials_and_seconds():
    spikes = spike_table([0, 0, 1], [0, 1, 1], [0.1, 0.2, 0.3], n_trials=2, n_units=3, duration=0.5)
    assert mean_rate(spikes).to_numpy().tolist() == [1.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("trial", "unit", "time", "message"),
    [
        ([2], [0], [0.1], "trial of event 0 is 2, outside 0..1"),
        ([0, 0], [0, 5], [0.1, 0.2], "unit of event 1 is 5, outside 0..2"),
        ([0], [0], [1.5], "time of event 0 is 1.5, outside"),
        ([0], [0], [np.nan], "time of event 0 is nan, outside"),
    ],
)
def test_events_outside_are_refused(trial, unit, time, message):
    spikes = spike_table(trial, unit, time, n_trials=2, n_units=3)
    for analysis in (mean_rate, interval_cv, lambda s: spike_counts(s, 0.1), lambda s: population_rate(s, 0.1)):
        with pytest.raises(ValueError, match=message):
            analysis(spikes)


def test_bad_tables_and_bins_are_refused():
    spikes = spike_table([0], [0], [0.1])
    with pytest.raises(ValueError, match="spikes: without time"):
        mean_rate(spikes.drop_vars("time"))
    with pytest.raises(ValueError, match="spikes: 0 trials of 1 units"):
        mean_rate(spikes.assign_attrs(n_trials=0))
    for bin_width in (0.3, 0.0, -0.1, 2.0):
        with pytest.raises(ValueError, match=r"does not divide the duration of 1.0 s"):
            spike_counts(spikes, bin_width)
