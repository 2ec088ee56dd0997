"""Statistics of spike trains: rates, regularity, variability, correlation, and the flags for pathologies."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cortwin.analysis.spikes import require_spikes, spike_counts

# A neuron counts as saturated from this fraction of 1/t_ref on: on a grid its shortest interval may be t_ref + dt.
SATURATED = 0.9


def mean_rate(spikes: xr.Dataset) -> xr.DataArray:
    """Return each neuron's spikes per second over all trials.

    Parameters
    ----------
    spikes : Dataset of events

    Returns
    -------
    (unit,) DataArray in Hz
    """
    require_spikes(spikes)
    counts = np.bincount(spikes["unit"].to_numpy(), minlength=int(spikes.attrs["n_units"]))
    rate = counts / (spikes.attrs["n_trials"] * spikes.attrs["duration"])
    return xr.DataArray(rate, dims="unit", attrs={"units": "Hz"}, name="rate")


def interval_cv(spikes: xr.Dataset, min_spikes: int = 10) -> xr.DataArray:
    """Return each neuron's coefficient of variation (CV) of the intervals between spikes.

    Intervals lie within trials and are pooled over them; the standard deviation is the unbiased variance's root. A
    Poisson process has 1, a clock 0.

    Parameters
    ----------
    spikes : Dataset of events
    min_spikes : neurons with fewer have NaN, and ``attrs["reason"]`` says how many they are

    Returns
    -------
    (unit,) DataArray
    """
    require_spikes(spikes)
    n_units = int(spikes.attrs["n_units"])
    trial, unit, time = (spikes[name].to_numpy() for name in ("trial", "unit", "time"))
    order = np.lexsort((time, trial, unit))
    trial, unit, time = trial[order], unit[order], time[order]
    within = (np.diff(unit) == 0) & (np.diff(trial) == 0)
    interval, owner = np.diff(time)[within], unit[1:][within]
    n = np.bincount(owner, minlength=n_units)
    mean = np.bincount(owner, interval, minlength=n_units) / np.maximum(n, 1)
    variance = np.bincount(owner, (interval - mean[owner]) ** 2, minlength=n_units) / np.maximum(n - 1, 1)
    defined = (np.bincount(unit, minlength=n_units) >= min_spikes) & (n >= 2)
    cv = np.where(defined, np.sqrt(variance) / np.where(defined, mean, 1.0), np.nan)
    few = n_units - np.count_nonzero(defined)
    reason = f"{few} of {n_units} neurons with fewer than {min_spikes} spikes (or two intervals)" if few else ""
    return xr.DataArray(cv, dims="unit", attrs={"units": "1", "reason": reason}, name="cv")


def fano_factor(spikes: xr.Dataset, window: float, condition: ArrayLike | None = None) -> xr.DataArray:
    """Return each neuron's variance over mean of its spike counts.

    With several trials of a condition the counts of one window vary over its trials; with a single trial in each
    condition they vary over the windows of that trial. Variances (unbiased) and means are averaged over these groups,
    weighted by their degrees of freedom, before one is divided by the other.

    Parameters
    ----------
    spikes : Dataset of events
    window : seconds in which spikes are counted; the duration must be a multiple of it
    condition : (trial,) array_like of int; all trials are of one condition if left out

    Returns
    -------
    (unit,) DataArray
        NaN for silent neurons; ``attrs["reason"]`` says how many.

    Raises
    ------
    ValueError
        If no group has two counts.
    """
    counts, residual, freedom = _counts_and_residuals(spikes, window, condition)
    variance = np.sum(residual**2, axis=0) / freedom.sum()
    # A group of n counts has n - 1 degrees of freedom, and each of its counts carries its share of them.
    mean = np.sum(counts * freedom[:, None], axis=0) / freedom.sum()
    silent = mean == 0.0
    factor = np.where(silent, np.nan, variance / np.where(silent, 1.0, mean))
    reason = f"{np.count_nonzero(silent)} of {silent.size} neurons are silent" if silent.any() else ""
    return xr.DataArray(factor, dims="unit", attrs={"units": "1", "reason": reason}, name="fano_factor")


def count_correlations(spikes: xr.Dataset, window: float, condition: ArrayLike | None = None) -> xr.DataArray:
    """Return the Pearson correlation of the spike counts of every pair of neurons.

    Parameters
    ----------
    spikes, window, condition : as in `fano_factor`, with the same groups

    Returns
    -------
    (unit, other_unit) DataArray
        NaN where the count of a neuron never varies; ``attrs["reason"]`` says how many. It grows with the square of
        the number of neurons: choose some hundred of a large network first.

    Raises
    ------
    ValueError
        As `fano_factor`.
    """
    _, residual, _ = _counts_and_residuals(spikes, window, condition)
    norm = np.sqrt(np.sum(residual**2, axis=0))
    still = norm == 0.0
    unit_vectors = residual / np.where(still, 1.0, norm)
    matrix = unit_vectors.T @ unit_vectors
    matrix[still] = matrix[:, still] = np.nan
    reason = f"the counts of {np.count_nonzero(still)} of {still.size} neurons do not vary" if still.any() else ""
    return xr.DataArray(
        matrix, dims=("unit", "other_unit"), attrs={"units": "1", "reason": reason}, name="count_correlation"
    )


def pathology(spikes: xr.Dataset, t_ref: float) -> str:
    """Return what is wrong with a network as a whole, or an empty string.

    Parameters
    ----------
    spikes : Dataset of events
    t_ref : refractory period in seconds; 0 if there is none
    """
    rate = mean_rate(spikes)
    if not rate.any():
        return "every neuron is silent"
    if (rate * t_ref >= SATURATED).all():
        return f"every neuron fires at 1/t_ref = {1.0 / t_ref:.6g} Hz"
    return ""


def spike_statistics(
    spikes: xr.Dataset,
    t_ref: float,
    window: float,
    *,
    condition: ArrayLike | None = None,
    min_spikes: int = 10,
) -> xr.Dataset:
    """Return the statistics of every neuron, their means, and what is wrong with the network as a whole.

    Parameters
    ----------
    spikes : Dataset of events
    t_ref : refractory period in seconds; 0 if there is none
    window : seconds in which spikes are counted for the Fano factor and the correlations
    condition : (trial,) array_like of int
    min_spikes : for the CV

    Returns
    -------
    Dataset
        Over ``unit``: ``rate`` (Hz), ``cv``, ``fano_factor``, and the flags ``silent`` and ``saturated`` (within 10 %
        of 1/t_ref). Without dimension: ``mean_rate``, ``mean_cv``, ``mean_fano_factor`` over the neurons that have one,
        and ``mean_correlation`` over all pairs of neurons whose counts vary. ``attrs["reason"]`` is empty, or says that
        every neuron is silent or every neuron saturated, in which case ``mean_cv`` and what follows it are NaN.

    Raises
    ------
    ValueError
        As `fano_factor`; or if t_ref is negative.
    """
    if not (np.isfinite(t_ref) and t_ref >= 0):
        raise ValueError(f"t_ref: must be 0 or more, got {t_ref} s")
    rate = mean_rate(spikes)
    silent, saturated = rate == 0.0, rate * t_ref >= SATURATED
    table = {
        "rate": rate,
        "cv": interval_cv(spikes, min_spikes),
        "fano_factor": fano_factor(spikes, window, condition),
        "silent": silent,
        "saturated": saturated,
        "mean_rate": rate.mean(),
    }
    reason = pathology(spikes, t_ref)
    means = {
        "mean_cv": _mean(table["cv"].to_numpy()),
        "mean_fano_factor": _mean(table["fano_factor"].to_numpy()),
        "mean_correlation": _mean_correlation(_counts_and_residuals(spikes, window, condition)[1]),
    }
    return xr.Dataset(
        {**table, **{name: float("nan") if reason else value for name, value in means.items()}},
        attrs={"reason": reason},
    )


def _counts_and_residuals(
    spikes: xr.Dataset, window: float, condition: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return counts, their residuals about the mean of their group (sample, unit), and each sample's freedom."""
    counts = spike_counts(spikes, window).to_numpy()
    n_trials, n_windows, n_units = counts.shape
    conditions = np.zeros(n_trials, dtype=np.int64) if condition is None else np.asarray(condition)
    if conditions.shape != (n_trials,):
        raise ValueError(f"condition: expected one per trial, ({n_trials},), got shape {conditions.shape}")
    members = np.unique(conditions, return_inverse=True)[1]
    if np.bincount(members).max() > 1:
        group = members[:, None] * n_windows + np.arange(n_windows)
    else:
        group = np.repeat(np.arange(n_trials)[:, None], n_windows, axis=1)
    group, counts = group.ravel(), counts.reshape(-1, n_units)
    size = np.bincount(group)
    if size.max() < 2:
        raise ValueError(f"window: one window of {window} s in one trial has no variance: give a shorter one")
    total = np.zeros((size.size, n_units))
    np.add.at(total, group, counts)
    residual = counts - (total / np.maximum(size, 1)[:, None])[group]
    return counts, residual, ((size - 1) / np.maximum(size, 1))[group]


def _mean(values: np.ndarray) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _mean_correlation(residual: np.ndarray) -> float:
    """Mean over pairs without the matrix of pairs: |sum of unit vectors|^2 = n + sum over ordered pairs."""
    norm = np.sqrt(np.sum(residual**2, axis=0))
    used = norm > 0.0
    n = np.count_nonzero(used)
    if n < 2:
        return float("nan")
    total = np.sum(residual[:, used] / norm[used], axis=1)
    return float((np.sum(total**2) - n) / (n * (n - 1)))
