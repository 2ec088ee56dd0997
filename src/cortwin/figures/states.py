"""How neurons and networks fire: rates against drive, and rasters, rates and spectra of the states of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from cortwin.figures.style import DOUBLE, INK, SPARE, drawing, new_figure, panel_letter


@drawing
def rate_curves(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the rate of a neuron against its mean drive, simulated and by theory, a panel for each time step.

    Parameters
    ----------
    rows : with ``step`` (its name), ``mu``, and rates in Hz: ``constant`` beside ``closed_form``, ``noise`` beside
        ``siegert`` and ``siegert_in_steps``

    Returns
    -------
    Figure
    """
    names = list(dict.fromkeys(row["step"] for row in rows))
    figure = new_figure(DOUBLE, 0.36 * DOUBLE)
    panels = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for number, (axes, name) in enumerate(zip(panels, names, strict=True)):
        own = {key: [row[key] for row in rows if row["step"] == name] for key in rows[0] if key != "step"}
        axes.plot(own["mu"], own["closed_form"], color=INK, label="closed form, no noise")
        axes.plot(own["mu"], own["siegert"], color=SPARE[0], label="Siegert, white noise")
        axes.plot(own["mu"], own["siegert_in_steps"], "--", color=SPARE[0], linewidth=0.7, label="the same in steps")
        axes.plot(own["mu"], own["constant"], "o", color=INK, fillstyle="none")
        axes.plot(own["mu"], own["noise"], "o", color=SPARE[1], label="simulated")
        axes.set_title(f"{name} step")
        axes.set_xlabel("mean drive (thresholds)")
        panel_letter(axes, "ab"[number % 2])
    panels[0].set_ylabel("rate (Hz)")
    panels[0].legend(loc="upper left")
    return figure


@drawing
def network_states(
    spikes: Mapping[str, xr.Dataset],
    rates: Mapping[str, xr.DataArray],
    spectra: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    highest: float = 250.0,
) -> Figure:
    """Draw raster, population rate and spectrum of each state of a network, a column for each.

    Parameters
    ----------
    spikes : by state, Datasets of events of some neurons in one trial
    rates : by state, (trial, time, unit) DataArrays of one population rate in Hz
    spectra : by state, ``frequency`` in Hz and ``power``
    highest : Hz, the end of the spectrum's axis

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE, 0.72 * DOUBLE)
    panels = figure.subplots(3, len(spikes), squeeze=False, height_ratios=(2, 1, 1.2))
    for column, (name, table) in enumerate(spikes.items()):
        raster, rate, spectrum = panels[:, column]
        start = table.attrs["t_start"]
        raster.plot(1e3 * (table["time"] - start), table["unit"], ".", color=INK, markersize=1.2, rasterized=True)
        raster.set_title(name)
        raster.tick_params(labelbottom=False)
        values = rates[name]
        rate.step(1e3 * (values["time"] - start), values[0, :, 0], where="mid", color=SPARE[0], linewidth=0.6)
        rate.set_xlabel("time (ms)")
        rate.set_ylim(bottom=0)
        for axes in (raster, rate):
            axes.set_xlim(0, 1e3 * table.attrs["duration"])
        frequency, power = (np.array(spectra[name][key], dtype=float) for key in ("frequency", "power"))
        shown = (frequency > 0) & (frequency <= highest) & np.isfinite(power)
        spectrum.plot(frequency[shown], power[shown], color=SPARE[0])
        spectrum.set_xlabel("frequency (Hz)")
        spectrum.set_xlim(0, highest)
        spectrum.set_ylim(bottom=0)
        panel_letter(raster, "abcdef"[column % 6])
    for axes, label in zip(panels[:, 0], ("neuron", "rate (Hz)", "power (Hz²/Hz)"), strict=True):
        axes.set_ylabel(label)
    return figure
