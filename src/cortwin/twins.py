"""The writings of one trained network side by side: the same trials in, the same readout behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from cortwin.errors import CortwinError
from cortwin.ladder import Spiking
from cortwin.model import Model
from cortwin.readout import RidgeReadout, fit_readout, leave_one_condition_out, predict_readout, r2
from cortwin.simulation import simulate
from cortwin.training import Signals, outputs, run_textbook

WRITINGS = ("textbook", "rate", "spiking")


@dataclass(frozen=True)
class Twins:
    """A trained network and how its biological writings are simulated.

    Parameters
    ----------
    model, parameters : the network
    represented : signals that set the ensembles' ranges, of `cortwin.training.textbook_signals`
    spiking : how units are written as LIF neurons
    neurons_per_unit : how many for each unit
    seed : for the drawing of neurons
    options : engine, batch and jobs of `cortwin.simulation.simulate`
    """

    model: Model
    parameters: Any
    represented: Signals
    spiking: Spiking
    neurons_per_unit: int
    seed: np.random.SeedSequence
    options: Mapping[str, Any]

    def activities(self, inputs: xr.DataArray, advance: Callable[[int], None] | None = None) -> dict[str, xr.Dataset]:
        """Return the activity of every writing on the same trials.

        Parameters
        ----------
        inputs : (trial, time, input) DataArray
        advance : called with the number of trials after every batch

        Returns
        -------
        dict with a Dataset of ``x`` and ``r``, (trial, time, unit), for ``textbook``, ``rate`` and ``spiking``
        """
        dt = float(inputs.attrs["dt"])
        arrays = self.spiking.arrays(self.model, self.parameters, self.represented, self.neurons_per_unit, self.seed)
        rate = simulate(self.model, "rate", arrays, inputs, dt=dt, advance=advance, **self.options)
        spikes = simulate(
            self.model,
            "spiking",
            arrays,
            inputs,
            dt=self.spiking.dt,
            neurons_per_unit=self.neurons_per_unit,
            spikes=True,
            advance=advance,
            **self.options,
        )
        textbook = run_textbook(self.model, self.parameters, inputs, dt / float(self.model.constants["tau"]))
        return {"textbook": textbook, "rate": rate.activity, "spiking": spikes.activity}

    def transferred(self, activity: xr.Dataset, target: xr.DataArray) -> xr.DataArray:
        """Return what the trained network's own output weights read from an activity, labelled like the target."""
        return target.copy(data=np.asarray(outputs(self.model, self.parameters, activity["r"].to_numpy())))


def refitted(
    test: Mapping[str, xr.Dataset],
    test_target: xr.DataArray,
    fit: Mapping[str, xr.Dataset] | None = None,
    fit_target: xr.DataArray | None = None,
) -> dict[str, xr.DataArray]:
    """Fit a ridge readout to each writing's r on some trials and predict others.

    Without trials to fit, every condition is predicted by a readout that was fitted without it. The penalty is chosen
    by cross-validation that holds out whole conditions.

    Parameters
    ----------
    test, fit : activity by writing
    test_target, fit_target : (trial, time, output) DataArrays

    Returns
    -------
    dict of (trial, time, output) predictions by writing

    Raises
    ------
    CortwinError
        If a trial is in both.
    """
    found = {}
    for name, activity in test.items():
        if fit is None or fit_target is None:
            found[name] = leave_one_condition_out(lambda: RidgeReadout(penalty="nested"), activity["r"], test_target)
            continue
        for number, trial in enumerate(activity["r"].to_numpy()):
            if (fit[name]["r"].to_numpy() == trial).all(axis=(1, 2)).any():
                raise CortwinError(f"{name}: trial {number} is tested and fitted too; leave it out of one of them")
        readout = fit_readout(RidgeReadout(penalty="nested"), fit[name]["r"], fit_target)
        found[name] = predict_readout(readout, activity["r"], like=test_target)
    return found


def scores(predictions: Mapping[str, xr.DataArray], target: xr.DataArray, conditions: Any = None) -> dict[str, float]:
    """Return the R2 of each prediction, over all trials or those of some conditions."""
    chosen = np.ones(target.sizes["trial"], bool) if conditions is None else np.isin(target["condition"], conditions)
    return {name: r2(target[chosen], prediction[chosen]) for name, prediction in predictions.items()}
