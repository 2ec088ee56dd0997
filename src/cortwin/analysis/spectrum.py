"""Power spectrum of the population rate."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.signal import find_peaks, welch

from cortwin.analysis.spikes import population_rate
from cortwin.analysis.undefined import Undefined


def power_spectrum(rate: xr.DataArray, segment: float | None = None) -> xr.DataArray:
    """Estimate the power spectral density by Welch's method and average it over trials.

    Hann windows, half overlapping, the mean of each segment removed. One-sided: the integral over frequency is the
    variance of the rate.

    Parameters
    ----------
    rate : (trial, time) DataArray, for instance from `population_rate`
    segment : seconds; the resolution is its inverse. The whole trial if left out

    Returns
    -------
    (frequency,) DataArray
        In the rate's unit squared per Hz; ``attrs["reason"]`` says why it is NaN where the rate is constant.

    Raises
    ------
    ValueError
        If the segment is longer than a trial or shorter than two samples, or a rate is not finite.

    References
    ----------
    Welch 1967, doi:10.1109/TAU.1967.1161901
    """
    values, dt = rate.to_numpy().astype(np.float64), rate.attrs["dt"]
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"{rate.name or 'rate'}: expected finite values over (trial, time), got shape {values.shape}")
    n_segment = values.shape[1] if segment is None else round(segment / dt)
    if not 2 <= n_segment <= values.shape[1]:
        raise ValueError(f"segment: {n_segment} samples of {dt} s; must be between 2 and the trial's {values.shape[1]}")
    frequency, density = welch(values, fs=1.0 / dt, nperseg=n_segment, axis=1)
    constant = bool(np.ptp(values) == 0.0)
    return xr.DataArray(
        np.full(frequency.size, np.nan) if constant else density.mean(axis=0),
        dims="frequency",
        coords={"frequency": ("frequency", frequency, {"units": "Hz"})},
        attrs={
            "units": f"{rate.attrs['units']}^2/Hz",
            "reason": f"{rate.name or 'rate'} is constant" if constant else "",
        },
        name="power",
    )


def population_spectrum(spikes: xr.Dataset, segment: float | None = None, bin_width: float = 1e-3) -> xr.DataArray:
    """Return the power spectrum of the spikes per second and neuron, counted in bins of 1 ms.

    Parameters
    ----------
    spikes : Dataset of events
    segment : as in `power_spectrum`
    bin_width : seconds
    """
    return power_spectrum(population_rate(spikes, bin_width), segment)


def peak_frequency(spectrum: xr.DataArray, above: float = 5.0) -> float:
    """Return the frequency of the highest peak above a frequency, in Hz.

    Parameters
    ----------
    spectrum : (frequency,) DataArray
    above : Hz; slow drifts below it are not an oscillation

    Returns
    -------
    float
        `Undefined` where the spectrum is, or where it has no peak there.

    Raises
    ------
    ValueError
        If the spectrum does not reach that far.
    """
    if spectrum.attrs["reason"]:
        return Undefined(spectrum.attrs["reason"])
    frequency, power = spectrum["frequency"].to_numpy(), spectrum.to_numpy()
    if frequency[-1] <= above:
        raise ValueError(f"above: the spectrum ends at {frequency[-1]:.6g} Hz, below {above} Hz")
    # A local maximum, not the largest value: that could be the flank of a slow drift.
    peaks = [k for k in find_peaks(power)[0] if frequency[k] > above]
    if not peaks:
        return Undefined(f"{spectrum.name or 'spectrum'} has no peak above {above} Hz")
    return float(frequency[max(peaks, key=lambda k: power[k])])
