"""The writings of one trained network side by side: the same trials in, the same readout behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from brian2 import Network

from cortwin.activity import activity as labelled
from cortwin.analysis import compare_effects, effect_over_time, others
from cortwin.brian2_export import KeptSimulation, Ran, brian2_network
from cortwin.errors import CortwinError
from cortwin.ladder import Spiking
from cortwin.model import Model
from cortwin.perturbation import Perturbation, Perturbed, perturb
from cortwin.readout import RidgeReadout, fit_readout, leave_one_condition_out, predict_readout, r2
from cortwin.simulation import simulate
from cortwin.training import Signals, outputs, run_textbook

WRITINGS = ("textbook", "rate", "spiking")


@dataclass(frozen=True)
class Effects:
    """What a perturbation did to each writing.

    Parameters
    ----------
    before, after : by writing, Datasets of ``x``, ``r`` and ``output``, what the network's own output weights read
    touched : units that something was done to directly; they are left out of every number
    """

    before: Mapping[str, xr.Dataset]
    after: Mapping[str, xr.Dataset]
    touched: tuple[int, ...]

    def pair(self, quantity: str) -> tuple[dict[str, xr.DataArray], dict[str, xr.DataArray]]:
        """Return ``x``, ``r`` or ``output`` before and after by writing, touched units left out."""
        before, after = (
            {name: others(found[quantity], self.touched) for name, found in when.items()}
            for when in (self.before, self.after)
        )
        return before, after

    def compared(self, quantity: str = "x", reference: str = "textbook") -> dict[str, dict[str, float]]:
        """Return size, correlation, gain and distance by writing: see `cortwin.analysis.compare_effects`."""
        return compare_effects(*self.pair(quantity), reference)

    def over_time(self, quantity: str = "x") -> dict[str, xr.DataArray]:
        """Return the size of the effect at each time by writing: see `cortwin.analysis.effect_over_time`."""
        before, after = self.pair(quantity)
        return {name: effect_over_time(before[name], after[name]) for name in before}


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

    def activities(
        self,
        inputs: xr.DataArray,
        advance: Callable[[int], None] | None = None,
        writings: Sequence[str] = WRITINGS,
    ) -> dict[str, xr.Dataset]:
        """Return the activity of every writing on the same trials.

        Parameters
        ----------
        inputs : (trial, time, input) DataArray
        advance : called with the number of trials after every batch
        writings : which of them

        Returns
        -------
        dict with a Dataset of ``x`` and ``r``, (trial, time, unit), for ``textbook``, ``rate`` and ``spiking``
        """
        return self._run(Perturbed(self.model, self.parameters), inputs, advance, writings)

    def perturbed(
        self,
        inputs: xr.DataArray,
        perturbations: Perturbation | Iterable[Perturbation],
        advance: Callable[[int], None] | None = None,
        writings: Sequence[str] = WRITINGS,
    ) -> dict[str, xr.Dataset]:
        """Return the activity of every writing with the same done to each: see `cortwin.perturbation`.

        The neurons are those of `activities`.

        Parameters
        ----------
        inputs : (trial, time, input) DataArray
        perturbations : one or several, in order
        advance, writings : as of `activities`

        Returns
        -------
        dict as of `activities`

        Raises
        ------
        CortwinError
            If a perturbation does not fit the network or the trials, or the page lacks a writing.
        """
        return self._run(perturb(self.model, self.parameters, perturbations, inputs), inputs, advance, writings)

    def effects(
        self,
        inputs: xr.DataArray,
        perturbations: Perturbation | Iterable[Perturbation],
        before: Mapping[str, xr.Dataset] | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> Effects:
        """Return every writing before and after, with what the network's own output weights read from it.

        Parameters
        ----------
        inputs, perturbations, advance : as of `perturbed`
        before : of `activities` on the same trials, where they are there already; the writings that it has are run
        """
        network = perturb(self.model, self.parameters, perturbations, inputs)
        unperturbed = self.activities(inputs, advance) if before is None else before
        found = self._run(network, inputs, advance, tuple(unperturbed))
        return Effects(
            {name: self._with_output(self.parameters, one) for name, one in unperturbed.items()},
            {name: self._with_output(network.parameters, one) for name, one in found.items()},
            network.touched,
        )

    def _with_output(self, parameters: Any, found: xr.Dataset) -> xr.Dataset:
        r = found["r"]
        values = np.asarray(outputs(self.model, parameters, r.to_numpy()))
        read = labelled(values, dt=r.attrs["dt"], t_start=float(r["time"][0]), last="output", name="output")
        return found.assign(output=read)

    def _run(
        self,
        network: Perturbed,
        inputs: xr.DataArray,
        advance: Callable[[int], None] | None,
        writings: Sequence[str],
    ) -> dict[str, xr.Dataset]:
        model, dt = network.model, float(inputs.attrs["dt"])
        for writing in writings:  # before anything runs
            if writing not in WRITINGS:
                raise CortwinError(f"there is no twin '{writing}'; there are {', '.join(WRITINGS)}")
            model.recurrence() if writing == "textbook" else model.writing(writing)
        # Drawn for the network as it was.
        arrays: dict[str, Any] = network.parameters._asdict()
        if "spiking" in writings:
            drawn = (self.model, self.parameters, self.represented, self.neurons_per_unit, self.seed)
            arrays = self.spiking.arrays(*drawn) | arrays
        shared = {"advance": advance, "intervention": network.intervention, **self.options}
        found: dict[str, xr.Dataset] = {}
        for writing in writings:
            if writing == "textbook":
                alpha = dt / float(model.constants["tau"])
                found[writing] = run_textbook(model, network.parameters, inputs, alpha, network.intervention)
            elif writing == "rate":
                found[writing] = simulate(model, writing, arrays, inputs, dt=dt, **shared).activity
            else:
                found[writing] = simulate(
                    model,
                    writing,
                    arrays,
                    inputs,
                    dt=self.spiking.dt,
                    neurons_per_unit=self.neurons_per_unit,
                    spikes=True,
                    **shared,
                ).activity
        return found

    def brian2(self, inputs: xr.DataArray, writing: str = "spiking") -> Network:
        """Return the rate or the spiking twin on some trials as plain Brian2 objects, ready to run on any device.

        See `cortwin.brian2_export.brian2_network` for their names. A run of the inputs' duration gives the spikes of
        `activities`.

        Parameters
        ----------
        inputs : (trial, time, input) DataArray
        writing : ``"rate"`` or ``"spiking"``
        """
        dt = float(inputs.attrs["dt"])
        arrays = self.spiking.arrays(self.model, self.parameters, self.represented, self.neurons_per_unit, self.seed)
        step = self.spiking.dt if writing == "spiking" else dt
        sizes = {"neurons_per_unit": self.neurons_per_unit}
        return brian2_network(self.model, writing, arrays, inputs, dt=step, record_dt=dt, **sizes)

    def kept(
        self, inputs: xr.DataArray, ran: Mapping[str, Ran], neurons_per_unit: int, references: Sequence[str] = ()
    ) -> KeptSimulation:
        """Return what a run has to keep so that `cortwin export` can make these twins' simulations again.

        Parameters
        ----------
        inputs : (trial, time, input) DataArray
        ran : the writings that were simulated, and where their results stand
        neurons_per_unit : LIF neurons for each unit in that simulation
        references : sources of the page
        """
        arrays = self.spiking.arrays(self.model, self.parameters, self.represented, neurons_per_unit, self.seed)
        return KeptSimulation(self.model, arrays, inputs, neurons_per_unit, ran, references)

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
