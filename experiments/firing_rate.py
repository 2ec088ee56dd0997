"""Firing rates of LIF neurons under a constant current with noise, beside the closed form: small enough to sweep over.

The neurons of `cortwin.models.lif`, unconnected. Without noise a neuron under the constant current I > 1 fires at
1 / (t_ref + tau_m log(I / (I - 1))) (Gerstner et al. 2014, Neuronal Dynamics, doi:10.1017/CBO9781107447615, 5.3); noise
makes it fire below threshold too.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from brian2 import Quantity, ms, second

from cortwin import figures
from cortwin.activity import activity
from cortwin.analysis import spike_statistics
from cortwin.analysis.undefined import reason_of
from cortwin.cpp import compiler
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.models import lif
from cortwin.simulation import simulate

INPUT_DT = 1e-3  # s over which a sample of the noise is held


def compute(
    run: Run,
    *,
    current: Annotated[float, Parameter("constant current; 1 brings a neuron just to its threshold")] = 1.2,
    noise: Annotated[float, Parameter("s.d. of each neuron's noise, drawn anew every ms", minimum=0)] = 0.0,
    units: Annotated[int, Parameter("neurons", minimum=1)] = 20,
    trials: Annotated[int, Parameter("trials, each with noise of its own", minimum=1)] = 4,
    duration: Annotated[Quantity, Parameter("of a trial", quick=0.5 * second, above=0 * second)] = 1 * second,  # type: ignore
    dt: Annotated[Quantity, Parameter("time step", above=0 * ms)] = 0.1 * ms,  # type: ignore
    tau_m: Annotated[Quantity, Parameter("membrane time constant", above=0 * ms)] = 20 * ms,  # type: ignore
    t_ref: Annotated[Quantity, Parameter("refractory time", minimum=0 * ms)] = 2 * ms,  # type: ignore
) -> Results:
    """Simulate, count spikes, and compare."""
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    model = lif.model().with_constants(tau_m=tau_m, t_ref=t_ref)
    parameters = lif.Parameters(
        W_rec=np.zeros((units, units)),
        W_in=np.eye(units),
        b=np.full(units, current),
        v0=run.generator("initial potentials").uniform(size=units),
    )
    steps = round(float(duration) / INPUT_DT)
    drawn = noise * run.generator("noise").standard_normal((trials, steps, units))
    inputs = activity(drawn, dt=INPUT_DT, last="input", name="noise")
    with run.timed("simulation"):
        done = simulate(
            model, "spiking", parameters._asdict(), inputs, dt=float(dt), record_dt=10 * INPUT_DT, spikes=True,
            engine=run.engine, batch=trials, jobs=run.jobs,
        )  # fmt: skip
    assert done.spikes is not None
    statistics = spike_statistics(done.spikes, float(t_ref), window=0.1)
    expected = 0.0 if current <= 1 else 1 / (float(t_ref) + float(tau_m) * math.log(current / (current - 1)))
    metrics = {
        "rate.mean": float(statistics["mean_rate"]),
        "rate.closed_form": expected,
        "cv.mean": float(statistics["mean_cv"]),
        "spikes.count": done.spike_count,
    }
    reason = statistics.attrs["reason"] or reason_of(metrics["cv.mean"]) or "no neuron fired often enough"
    return Results(
        metrics=metrics,
        reasons={"cv.mean": reason} if math.isnan(metrics["cv.mean"]) else {},
        activity={"potential": done.activity["v"].isel(trial=slice(1))},
        spikes={"spiking": done.spikes},
    )


def draw(results: Results) -> list[Drawing]:
    """Draw potentials and spikes of the first neurons."""
    potential, spikes = results.activity["potential"], results.spikes["spiking"]
    shown = range(min(3, potential.sizes["unit"]))
    drawn = figures.example_units({"spiking": potential}, units=shown, trials=[0], spikes=spikes, quantity="v")
    caption = "Membrane potential, sampled every 10 ms, and below it the spikes; {spikes.count} spikes in all."
    return [Drawing("potentials", drawn, "Potentials and spikes", caption)]


def report(results: Results) -> list[Section]:
    """Tell the rates."""
    return [
        Section(
            "Firing rate",
            "The neurons fire at {rate.mean} Hz; without noise the closed form gives {rate.closed_form} Hz.",
            drawings=["potentials"],
            tables=[
                Table(
                    "{parameters.units} neurons, {parameters.trials} trials of {parameters.duration}.",
                    ("", "rate (Hz)", "closed form (Hz)", "CV of intervals"),
                    [("current {parameters.current}", "rate.mean", "rate.closed_form", "cv.mean")],
                )
            ],
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
