"""The ladder: from the document's formula to spikes in small rungs, with a measured distance at every one.

R0  the textbook recurrence, h_t = f(W h_{t-1} + U u_t + b)
R1  its leaky form in the current x, alpha = dt / tau; the same as R0 at alpha = 1
R2  the Brian2 rate text, forward Euler at the textbook's dt
R3  the rate text at a fine dt
R4  f replaced by the decoded tuning curves of n LIF neurons per unit: rates, no spikes, and so a coarser dt will do
R5  the n LIF neurons spike

The input is held over one step of the textbook at every finer dt. Distances are taken on x: the RMS of the difference
over the standard deviation of the reference, over all units, times and trials (`cortwin.analysis.nrmse`). ``step`` is
the distance to the rung before, ``total`` to R1, ``nrmse`` of R4 and R5 to the rate text (R3) at their own dt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from cortwin.analysis import Undefined, correlation_per_unit, nrmse
from cortwin.builder import synaptic_events
from cortwin.ensemble import LIF, ensembles
from cortwin.errors import CortwinError
from cortwin.model import Lacking, Model
from cortwin.simulation import Simulation, simulate
from cortwin.training import Signals, outputs, recurrence_activity, run_textbook, textbook_signals


@dataclass(frozen=True)
class Spiking:
    """How units are written as LIF neurons.

    Parameters
    ----------
    dt : integration step of the spikes in seconds
    dt_rates : integration step of the tuning curves in seconds
    max_rates : range in Hz of the neurons' rates at the end of their unit's range
    """

    dt: float = 1e-4
    dt_rates: float = 1e-3
    max_rates: tuple[float, float] = (100.0, 200.0)

    def membrane(self, model: Model, writing: str = "spiking") -> LIF:
        """Return the neurons' membrane, in the spiking writing with the grid on which it spikes."""
        grid = self.dt if writing == "spiking" else 0.0
        return LIF(float(model.constants["tau_m"]), float(model.constants["t_ref"]), grid)

    def arrays(
        self,
        model: Model,
        parameters: Any,
        lived: Signals,
        neurons_per_unit: int,
        seed: np.random.SeedSequence,
        *,
        writing: str = "spiking",
    ) -> dict[str, Any]:
        """Return every array of the tuning or the spiking writing, parameters included.

        Parameters
        ----------
        model, parameters : the network
        lived : what the ensembles have to represent, by name, of `cortwin.training.textbook_signals`
        neurons_per_unit : LIF neurons that stand for one unit
        seed : the same seed and number of neurons draw the same neurons
        writing : ``"spiking"``, with spikes on the grid of dt, or ``"tuning"``, without spikes and grid
        """
        lif = self.membrane(model, writing)
        generator = np.random.default_rng(
            np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, neurons_per_unit))
        )
        found = parameters._asdict()
        for position, ensemble in enumerate(model.ensembles):
            drawn = ensembles(
                ensemble.function,
                [lived.values[signal] for signal in ensemble.signals],
                [lived.start[signal] for signal in ensemble.signals],
                neurons_per_unit,
                lif,
                0.0 if ensemble.synapse is None else float(model.constants[ensemble.synapse]),
                generator if position == 0 else generator.spawn(1)[0],
                max_rates=self.max_rates,
                dale=ensemble.dale,
            )
            gains = dict(zip(ensemble.gains, drawn.pop("gain"), strict=True))
            found |= gains | {f"{ensemble.prefix}{name}": values for name, values in drawn.items()}
        return found


@dataclass(frozen=True)
class Rung:
    """One rung: its row of numbers and its activity.

    ``row`` has ``rung``, ``neurons_per_unit``, ``dt``, ``step``, ``total``, ``nrmse``, ``max_abs_error`` (to the rung
    before), ``correlation`` and ``correlation_min`` (mean and least over units, with R1), ``loss`` (of the textbook's
    own readout), ``spikes``, ``rate`` (Hz per neuron), ``synaptic_events``, ``seconds``, ``build_seconds``, ``engine``.
    """

    row: dict[str, Any]
    activity: xr.Dataset
    spikes: xr.Dataset | None = None

    @property
    def name(self) -> str:
        """Name of the rung, with the number of neurons where there are several: ``"R5.16"``."""
        neurons = self.row["neurons_per_unit"]
        return self.row["rung"] if neurons is None else f"{self.row['rung']}.{neurons}"


def climb(
    model: Model,
    parameters: Any,
    inputs: xr.DataArray,
    target: xr.DataArray,
    *,
    represented: Signals | None = None,
    neurons: Sequence[int] = (1, 4, 16, 64, 256),
    spiking: Spiking | None = None,
    seed: np.random.SeedSequence,
    engines: Callable[[str, int], str] = lambda writing, neurons: "cpp",
    batch: int = 8,
    jobs: int = 1,
    advance: Callable[[int], None] | None = None,
) -> list[Rung]:
    """Climb the ladder with one network and one set of trials.

    Parameters
    ----------
    model, parameters : the network
    inputs : (trial, time, input) DataArray; its dt is the textbook's step
    target : (trial, time, output) DataArray, for the readout's loss
    represented : signals that set the ensembles' ranges, of `cortwin.training.textbook_signals`; R1's own when None
    neurons : neurons per unit of R4 and R5
    spiking : how units are written as neurons
    seed : for the drawing of neurons
    engines : engine by writing and neurons per unit
    batch, jobs, advance : as in `cortwin.simulation.simulate`

    Returns
    -------
    list of Rung : R0, R1, R2, R3, then R4 and R5 for each number of neurons, if the model has a spiking writing

    Raises
    ------
    CortwinError
        When there is no neuron number, or alpha = dt / tau is above 1.
    """
    if not neurons or min(neurons) < 1:
        raise CortwinError(f"neurons per unit are {tuple(neurons)}, must be at least one number of at least 1")
    settings = spiking or Spiking()
    dt, alpha = float(inputs.attrs["dt"]), float(inputs.attrs["dt"]) / float(model.constants["tau"])
    textbook = run_textbook(model, parameters, inputs, alpha)
    common: dict[str, Any] = {"batch": batch, "jobs": jobs, "advance": advance}

    def rung(
        name: str, found: Simulation, engine: str, dt: float, before: Rung, n: int | None = None, **extra: Any
    ) -> Rung:
        row = {
            "rung": name,
            "neurons_per_unit": n,
            "dt": dt,
            "step": nrmse(before.activity["x"], found.activity["x"]),
            "max_abs_error": float(np.abs(found.activity["x"] - before.activity["x"]).max()),
            **_against(model, parameters, textbook, found.activity, target),
            "nrmse": None,
            "spikes": None,
            "rate": None,
            "synaptic_events": None,
            "seconds": found.seconds,
            "build_seconds": found.build_seconds,
            "engine": engine,
        }
        return Rung(row | extra, found.activity, found.spikes)

    rungs = _textbook_rungs(model, parameters, inputs, target, textbook)
    values = parameters._asdict()

    def rate(step: float, name: str) -> tuple[Simulation, str]:
        engine = engines(f"rate {name}", 1)
        return simulate(model, "rate", values, inputs, dt=step, record_dt=dt, engine=engine, **common), engine

    for name, step in (("R2", dt), ("R3", settings.dt)):
        rungs.append(rung(name, *rate(step, name), step, rungs[-1]))
    if isinstance(model.spiking, Lacking):
        return rungs
    lived = textbook_signals(model, parameters, inputs, alpha) if represented is None else represented
    fine, coarse = rungs[-1].activity["x"], rate(settings.dt_rates, "R4")[0].activity["x"]
    for n in neurons:
        before = replace(rungs[3], activity=xr.Dataset({"x": coarse}))
        for name, writing, step, reference in (
            ("R4", "tuning", settings.dt_rates, coarse),
            ("R5", "spiking", settings.dt, fine),
        ):
            engine = engines(writing, n)
            spikes = writing == "spiking"
            arrays = settings.arrays(model, parameters, lived, n, seed, writing=writing)
            sizes = {"neurons_per_unit": n, "spikes": spikes, "engine": engine}
            found = simulate(model, writing, arrays, inputs, dt=step, record_dt=dt, **sizes, **common)
            extra: dict[str, Any] = {"nrmse": nrmse(reference, found.activity["x"])}
            if found.spikes is not None:
                extra |= _cost(model, found.spikes)
            before = rung(name, found, engine, step, before, n, **extra)
            rungs.append(before)
    return rungs


def ladder_metrics(
    rows: Sequence[Mapping[str, Any]], *, names: Sequence[str] | None = None, suffix: str = ""
) -> dict[str, Any]:
    """Return a ladder's numbers under the names of `metrics.json`.

    Parameters
    ----------
    rows : of `Rung`
    names : rungs that are wanted, all when None
    suffix : what is put behind every name, for instance ``".relu"``

    Returns
    -------
    dict ``"ladder.RUNG.NUMBER"`` or, with several sizes, ``"ladder.RUNG.NUMBER.NEURONS"``; wall times are left out
    """
    metrics = {}
    for row in rows:
        if names is not None and row["rung"] not in names:
            continue
        size = "" if row["neurons_per_unit"] is None else f".{row['neurons_per_unit']}"
        for number, value in row.items():
            if value is not None and number not in (
                "rung",
                "neurons_per_unit",
                "dt",
                "seconds",
                "build_seconds",
                "engine",
            ):
                metrics[f"ladder.{row['rung']}.{number}{size}{suffix}"] = value
    return metrics


def floor(
    model: Model,
    parameters: Any,
    inputs: xr.DataArray,
    reference: xr.DataArray,
    represented: Signals,
    neurons_per_unit: int,
    spiking: Spiking,
    seed: np.random.SeedSequence,
    **common: Any,
) -> dict[str, float]:
    """Measure what is left of the distance at many neurons: take away one cause at a time.

    Returns
    -------
    dict with the NRMSE against R3 ``as_run``; ``decoder``: tuning curves in place of spikes; ``without_anticipation``:
        the neurons hear x itself, so that the lag of tau_s is back; ``half_grid``: spikes on a grid of half the dt;
        ``half_tau_s``: with half the synaptic time constant
    """
    drawn = (parameters, represented, neurons_per_unit, seed)
    arrays, curves = (spiking.arrays(model, *drawn, writing=writing) for writing in ("spiking", "tuning"))

    def distance(variant: Model, writing: str, settings: Spiking, values: dict[str, Any]) -> float:
        found = simulate(
            variant,
            writing,
            values,
            inputs,
            dt=settings.dt if writing == "spiking" else settings.dt_rates,
            record_dt=float(inputs.attrs["dt"]),
            neurons_per_unit=neurons_per_unit,
            **common,
        )
        return nrmse(reference, found.activity["x"])

    finer = replace(spiking, dt=spiking.dt / 2)
    fast = model.with_constants(tau_s=model.constants["tau_s"] / 2)
    return {
        "as_run": distance(model, "spiking", spiking, arrays),
        "decoder": distance(model, "tuning", spiking, curves),
        "without_anticipation": distance(model, "spiking", spiking, arrays | {"lead": np.zeros_like(arrays["lead"])}),
        "half_grid": distance(model, "spiking", finer, finer.arrays(model, *drawn)),
        "half_tau_s": distance(fast, "spiking", spiking, spiking.arrays(fast, *drawn)),
    }


def _textbook_rungs(
    model: Model, parameters: Any, inputs: xr.DataArray, target: xr.DataArray, textbook: xr.Dataset
) -> list[Rung]:
    """Return R0, measured where it is defined (alpha = 1), and R1."""
    leaky = run_textbook(model, parameters, inputs, 1.0)
    first = model.recurrence().activation(model.recurrence().start(parameters))
    states = np.asarray(recurrence_activity(model, parameters, inputs.to_numpy(), first))
    printed = xr.Dataset({"r": leaky["r"].copy(data=states)}, attrs=leaky.attrs)
    blank = dict.fromkeys(("nrmse", "spikes", "rate", "synaptic_events", "seconds", "build_seconds"))
    shared = {"neurons_per_unit": None, "dt": float(inputs.attrs["dt"]), "engine": "xla", **blank}
    start = {
        "rung": "R0",
        "step": None,
        "max_abs_error": None,
        **dict.fromkeys(("total", "correlation", "correlation_min", "loss")),
    }
    identity = {
        "rung": "R1",
        "step": nrmse(printed["r"], leaky["r"]),
        "max_abs_error": float(np.abs(leaky["r"] - printed["r"]).max()),
        **_against(model, parameters, textbook, textbook, target),
    }
    return [Rung(shared | start, printed), Rung(shared | identity, textbook)]


def _against(
    model: Model, parameters: Any, textbook: xr.Dataset, found: xr.Dataset, target: xr.DataArray
) -> dict[str, Any]:
    correlation = correlation_per_unit(textbook["x"], found["x"])
    defined = correlation.to_numpy()[np.isfinite(correlation)]
    undefined = Undefined(correlation.attrs["reason"])
    y = np.asarray(outputs(model, parameters, found["r"].to_numpy()))
    return {
        "total": nrmse(textbook["x"], found["x"]),
        "correlation": float(defined.mean()) if defined.size else undefined,
        "correlation_min": float(defined.min()) if defined.size else undefined,
        "loss": float(np.mean((y - target.to_numpy()) ** 2)),
    }


def _cost(model: Model, spikes: xr.Dataset) -> dict[str, Any]:
    count, attributes = spikes.sizes["event"], spikes.attrs
    return {
        "spikes": count,
        "rate": count / (attributes["n_trials"] * attributes["n_units"] * attributes["duration"]),
        "synaptic_events": synaptic_events(model, count, attributes["n_units"]),
    }
