"""What a similarity is read against: floors that know nothing, and a ceiling.

A further floor, the average over conditions, is `cross_condition_average`.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from cortwin.analysis.checks import require_activity


def smooth_noise_like(activity: xr.DataArray, generator: np.random.Generator) -> xr.DataArray:
    """Draw Gaussian noise with each unit's own mean and power spectrum, independent over units and conditions.

    The power spectrum is the average over conditions of the periodogram about the unit's mean; every Fourier
    coefficient is drawn anew with that power and a random phase. The noise is as smooth as the activity and as large.
    It is periodic over the window, as everything is that is made from a periodogram.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray
    generator : the source of the noise
    """
    values = require_activity(activity)
    n_trials, n_times, _ = values.shape
    mean = values.mean(axis=(0, 1))
    power = np.mean(np.abs(np.fft.rfft(values - mean, axis=1)) ** 2, axis=0)
    shape = (n_trials, *power.shape)
    noise = generator.standard_normal(shape) + 1j * generator.standard_normal(shape)
    noise /= np.sqrt(2.0)
    # The coefficients at 0 and at the Nyquist frequency are real, and carry their whole power in that part.
    alone = [0, n_times // 2] if n_times % 2 == 0 else [0]
    noise[:, alone] = np.sqrt(2.0) * noise[:, alone].real
    return activity.copy(data=mean + np.fft.irfft(noise * np.sqrt(power), n=n_times, axis=1)).rename("noise")


def split_halves(activity: xr.DataArray, generator: np.random.Generator) -> tuple[xr.DataArray, xr.DataArray]:
    """Split the units at random into two halves; with an odd number the first half has one more.

    The similarity of one half with the other is a ceiling: two samples of the very same population.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray
    generator : the source of the split

    Raises
    ------
    ValueError
        If there is one unit only.
    """
    require_activity(activity)
    n_units, dimension = activity.shape[2], activity.dims[2]
    if n_units < 2:
        raise ValueError(f"{activity.name or 'activity'}: one unit cannot be split into halves")
    order = generator.permutation(n_units)
    middle = (n_units + 1) // 2
    first, second = (activity.isel({dimension: np.sort(part)}) for part in (order[:middle], order[middle:]))
    return first, second
