"""A recorded series: ten seconds of EEG that matplotlib brings along for its examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import cbook

from cortwin.errors import CortwinError

CHANNELS = ("PG3", "PG5", "PG7", "PG9")
SAMPLES, RATE = 800, 80.0  # Hz


def eeg() -> np.ndarray:
    """Read four channels of EEG, recorded over 10 s, 80 samples a second, each of mean 0 and variance 1.

    It is the file ``eeg.dat`` in matplotlib's sample data, as the gallery's example "MRI with EEG" shows it
    (https://matplotlib.org/stable/gallery/specialty_plots/mri_with_eeg.html). The names of the channels and the time
    axis are those of the example; more is not told about the patient, the electrodes or the filters.

    Returns
    -------
    (800, 4) ndarray
        Channels `CHANNELS`.

    Raises
    ------
    CortwinError
        If this matplotlib does not bring the file, or another one.

    References
    ----------
    Hunter 2007, Matplotlib, doi:10.1109/MCSE.2007.55
    """
    try:
        values = np.fromfile(Path(str(cbook.get_sample_data("eeg.dat", asfileobj=False))), dtype="<f8")
    except OSError as error:
        raise CortwinError(f"matplotlib's sample data lack eeg.dat ({error.strerror}): reinstall matplotlib") from error
    if values.size != SAMPLES * len(CHANNELS) or not np.isfinite(values).all():
        raise CortwinError(
            f"matplotlib's eeg.dat holds {values.size} numbers, expected {SAMPLES * len(CHANNELS)}, all finite"
        )
    return values.reshape(SAMPLES, len(CHANNELS)).astype(np.float64)
