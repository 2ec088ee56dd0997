"""Do simulated neurons and networks fire as theory and publications say? One neuron, Brunel's network, and CUBA.

One neuron under a constant current has a closed form, and under white noise Siegert's rate. A simulation in steps sees
the noisy potential at its steps only and misses excursions between them: it fires less, by what a threshold that is
0.58 standard deviations of a step higher explains. Brunel's (2000) network is held against its mean field and the
published numbers in an asynchronous and in an oscillating state, CUBA against the mean of other simulators.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import xarray as xr
from brian2 import Quantity, second

from cortwin import figures
from cortwin.activity import activity
from cortwin.analysis import (
    interval_cv,
    mean_rate,
    peak_frequency,
    population_rate,
    population_spectrum,
    reason_of,
    siegert_rate,
    spikes_between,
    spikes_of,
    stationary_rates,
)
from cortwin.cpp import compiler
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.models import brunel, cuba, lif
from cortwin.network import NetworkRun, run_network
from cortwin.simulation import simulate

MU = (0.7, 0.8, 0.9, 1.0, 1.02, 1.05, 1.1, 1.2, 1.4, 1.6)  # mean drive, in units of the threshold
SIGMA = 0.25  # of the white noise
NEURON = {"tau_m": 20e-3, "t_ref": 2e-3, "threshold": 1.0, "reset": 0.0}
STEPS = {"fine": 1e-5, "coarse": 1e-4}  # s
CHANNELS = 16  # independent noises; each is heard by a neuron of every mean
RECORD_DT = 0.05  # s, of potentials that nobody looks at
DT, SETTLING = 1e-4, 0.2  # s, of the networks
STATES = {"asynchronous": (5.0, 2.0), "oscillating": (4.5, 0.9)}  # (g, eta)
PUBLISHED = {"asynchronous": 37.7, "oscillating": 5.5}  # Hz
SHOWN = 100  # neurons in a raster
COLUMNS = ("rate", "mean_field", "mean_field_in_steps", "cv", "frequency")


def compute(
    run: Run,
    *,
    noise_duration: Annotated[Quantity, Parameter("of a neuron at the finer step", quick=0.5 * second)] = 10 * second,  # type: ignore
    scale: Annotated[float, Parameter("size of Brunel's network", quick=0.08, above=0)] = 1.0,
    asynchronous: Annotated[Quantity, Parameter("time of that state", quick=0.5 * second)] = 1 * second,  # type: ignore
    oscillating: Annotated[Quantity, Parameter("time of that state", quick=1 * second)] = 3 * second,  # type: ignore
    cuba_seeds: Annotated[int, Parameter("networks of CUBA", quick=1, minimum=1)] = 5,
    cuba_duration: Annotated[Quantity, Parameter("of each", quick=1 * second)] = 5 * second,  # type: ignore
) -> Results:
    """Simulate a neuron, two states of a network, and another network."""
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    metrics: dict[str, float] = {}
    curve: list[dict[str, Any]] = []
    with run.progress("simulations", len(STEPS) + len(STATES) + cuba_seeds) as bar:
        for name, dt in STEPS.items():
            with run.timed("neuron"):
                curve += _curve(run, name, dt, float(noise_duration) * (4 if name == "coarse" else 1), metrics)
            bar.advance()
        spikes, spectra, rates = {}, [], {}
        for name, duration in (("asynchronous", asynchronous), ("oscillating", oscillating)):
            with run.timed("brunel"):
                found = _state(run, name, scale, float(duration), metrics)
            spikes[name] = spikes_of(_window(found), np.arange(min(SHOWN, found.attrs["n_units"])))
            rates[name] = _as_activity(population_rate(_window(found), 1e-3))
            spectrum = population_spectrum(found, _segment(found))
            spectra += [
                {"state": name, "frequency": float(f), "power": float(p)}
                for f, p in zip(spectrum["frequency"], spectrum, strict=True)
            ]
            bar.advance()
        own = []
        for number in range(cuba_seeds):
            with run.timed("cuba"):
                done = run_network(
                    cuba.model(), duration=float(cuba_duration), dt=DT, seed=run.seed + number, engine=run.engine
                )
            own.append(float(mean_rate(_together(done)).mean()))
            bar.advance()
    metrics |= {"cuba.rate": float(np.mean(own)), "cuba.spread": float(np.std(own))}
    return Results(
        metrics=metrics,
        reasons={name: reason_of(value) or "undefined" for name, value in metrics.items() if math.isnan(value)},
        tables={"curve": curve, "spectra": spectra},
        activity=rates,
        spikes=spikes,
    )


def _curve(run: Run, name: str, dt: float, duration: float, metrics: dict[str, float]) -> list[dict[str, Any]]:
    """Return rates over mean drives, with noise and without, of neurons that are not connected."""
    n, tau_m = len(MU), NEURON["tau_m"]
    # Neurons of one mean after those of another; those without noise last.
    hears = np.vstack([np.tile(np.eye(CHANNELS), (n, 1)), np.zeros((n, CHANNELS))])
    units = len(hears)
    parameters = lif.Parameters(
        W_rec=np.zeros((units, units)), W_in=hears, b=np.concatenate([np.repeat(MU, CHANNELS), MU]), v0=np.zeros(units)
    )
    # Held over a step, this moves the potential by as much as white noise does.
    held = SIGMA * math.sqrt((1 - math.exp(-2 * dt / tau_m)) / 2) / (1 - math.exp(-dt / tau_m))
    drawn = held * run.generator(f"noise, {name}").standard_normal((1, round(duration / dt), CHANNELS))
    inputs = activity(drawn, dt=dt, last="input", name="noise")
    done = simulate(
        lif.model(), "spiking", parameters._asdict(), inputs, dt=dt, record_dt=RECORD_DT, spikes=True, batch=1,
        engine=run.engine,
    )  # fmt: skip
    assert done.spikes is not None
    noisy = mean_rate(done.spikes).to_numpy()[:-n].reshape(n, CHANNELS).mean(axis=1)
    theory = siegert_rate(np.array(MU), SIGMA, **NEURON)
    in_steps = siegert_rate(np.array(MU), SIGMA, dt=dt, **NEURON)
    # Of means up to the threshold, where it is the noise that makes a neuron fire.
    driven = np.array(MU) <= 1
    metrics[f"noise.ratio.{name}"] = float(noisy[driven].sum() / theory[driven].sum())
    metrics[f"noise.ratio_in_steps.{name}"] = float(noisy[driven].sum() / in_steps[driven].sum())
    rows, late = [], []
    for k, mu in enumerate(MU):
        time = done.spikes["time"].to_numpy()[done.spikes["unit"].to_numpy() == units - n + k]
        interval = float(np.diff(time).mean()) if time.size > 1 else math.nan
        closed = float(siegert_rate(mu, 0, **NEURON))
        if closed > 0 and not math.isnan(interval):
            late.append((interval - 1 / closed) / dt)
        rows.append(
            {
                "step": name,
                "mu": mu,
                "constant": 0.0 if math.isnan(interval) else 1 / interval,
                "closed_form": closed,
                "noise": float(noisy[k]),
                "siegert": float(theory[k]),
                "siegert_in_steps": float(in_steps[k]),
            }
        )
    # Between -1 and 0: the refractory time counts the spike's own step, and a crossing is seen at the end of its step.
    metrics |= {f"constant.least_lag.{name}": min(late), f"constant.most_lag.{name}": max(late)}
    return rows


def _state(run: Run, name: str, scale: float, duration: float, metrics: dict[str, float]) -> xr.Dataset:
    """Return the spikes of Brunel's network in a state, after it has settled; measure it."""
    g, eta = STATES[name]
    done = run_network(
        brunel.model(g, eta, scale), duration=SETTLING + duration, dt=DT, seed=run.seed, engine=run.engine
    )
    spikes = spikes_between(_together(done), SETTLING, SETTLING + duration)
    metrics[f"{name}.rate"] = float(mean_rate(spikes).mean())
    metrics[f"{name}.mean_field"] = _mean_field(g, eta, scale)
    metrics[f"{name}.mean_field_in_steps"] = _mean_field(g, eta, scale, dt=DT)
    metrics[f"{name}.cv"] = float(interval_cv(spikes, min_spikes=10).mean())
    metrics[f"{name}.frequency"] = peak_frequency(population_spectrum(spikes, _segment(spikes)))
    return spikes


def _mean_field(g: float, eta: float, scale: float, dt: float = 0.0) -> float:
    """Return the stationary rate, which both populations share, in Hz."""
    _, _, c_e, c_i = brunel.sizes(scale)
    J, drive = brunel.STRENGTH / c_e, eta * brunel.THETA
    neuron = {"tau_m": 1e-3 * brunel.TAU_M, "t_ref": 2e-3, "threshold": brunel.THETA, "reset": 10.0}
    return float(stationary_rates([[c_e + 0.0, c_i]] * 2, [[J, -g * J]] * 2, mean=[drive] * 2,
                                  variance=[J * drive] * 2, dt=dt, **neuron)[0])  # fmt: skip


def _together(done: NetworkRun) -> xr.Dataset:
    """Return the spikes of all populations as those of one, whose neurons follow one another."""
    tables, first = [], 0
    for table in done.spikes.values():
        tables.append(table.assign(unit=table["unit"] + first))
        first += int(table.attrs["n_units"])
    return xr.concat(tables, "event").sortby("time").assign_attrs({**tables[0].attrs, "n_units": first})


def _segment(spikes: xr.Dataset) -> float:
    """Return how long a stretch the spectrum is taken of: its inverse is the resolution."""
    return min(0.5, spikes.attrs["duration"])


def _window(spikes: xr.Dataset) -> xr.Dataset:
    """Return the first 0.4 s."""
    start = spikes.attrs["t_start"]
    return spikes_between(spikes, start, start + min(0.4, spikes.attrs["duration"]))


def _as_activity(rate: xr.DataArray) -> xr.DataArray:
    return activity(
        rate.to_numpy()[..., None], dt=rate.attrs["dt"], t_start=float(rate["time"][0]), last="unit", name="rate"
    )


def draw(results: Results) -> list[Drawing]:
    """Draw the curves, and the two states."""
    spectra: dict[str, Mapping[str, list[float]]] = {}
    for name in STATES:
        own = [row for row in results.tables["spectra"] if row["state"] == name]
        spectra[name] = {key: [row[key] for row in own] for key in ("frequency", "power")}
    return [
        Drawing(
            "rates",
            figures.rate_curves(results.tables["curve"]),
            "One neuron",
            "Rate of a LIF neuron against its mean drive, which is 1 at the threshold: without noise, and with white "
            "noise of 0.25. Lines: closed form, and Siegert's rate; dashed: with the threshold higher by the overshoot "
            "of a step. Discs: simulated.",
        ),
        Drawing(
            "states",
            figures.network_states(results.spikes, results.activity, spectra),
            "Two states of Brunel's network",
            "100 neurons, the rate of all in bins of 1 ms, and the spectrum of that rate. Left (g, eta) = (5, 2): "
            "{asynchronous.rate} Hz; right (4.5, 0.9): {oscillating.rate} Hz, together {oscillating.frequency} times a "
            "second.",
        ),
    ]


def report(results: Results) -> list[Section]:
    """Hold what was simulated against theory and publications."""
    del results
    return [
        Section(
            "One neuron",
            "Under a constant current an interval is {constant.least_lag.coarse:.2f} to {constant.most_lag.coarse:.2f} "
            "steps longer than the closed form's: the refractory time counts the step of the spike, and a crossing is "
            "seen at the end of its step. Under white noise, and a mean up to the threshold, the simulated rate is "
            "{noise.ratio.fine:.3f} of Siegert's at steps of 0.01 ms (bar: within 3 %) and {noise.ratio.coarse:.3f} at "
            "0.1 ms (3 to 9 % low); of Siegert's with the threshold corrected for the step it is "
            "{noise.ratio_in_steps.fine:.3f} and {noise.ratio_in_steps.coarse:.3f}.",
            drawings=["rates"],
            tables=[
                Table(
                    "Rates in Hz.",
                    {
                        "step": "step",
                        "mu": "mean drive",
                        "constant": "no noise",
                        "closed_form": "closed form",
                        "noise": "noise",
                        "siegert": "Siegert",
                        "siegert_in_steps": "in steps",
                    },
                    records="curve",
                )
            ],
        ),
        Section(
            "Networks",
            "Published for 12,500 neurons: 37.7 Hz (bar: 5 %) with a CV of intervals of 0.40 (0.05) at (5, 2); 5.5 Hz "
            "(15 %) and an oscillation of 22 Hz (20 %) at (4.5, 0.9). CUBA, 4000 neurons: 5.52 Hz (5 %); here "
            "{cuba.rate} Hz, with a standard deviation of {cuba.spread} over networks.",
            drawings=["states"],
            tables=[
                Table(
                    "Brunel's network.",
                    ("(g, eta)", "rate (Hz)", "mean field", "mean field, in steps", "CV", "frequency (Hz)"),
                    [(str(STATES[name]), *(f"{name}.{part}" for part in COLUMNS)) for name in STATES],
                )
            ],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
