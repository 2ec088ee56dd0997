"""Forecasts of three series: by trained networks, and by untrained populations with a fitted readout.

Mackey-Glass, NARMA10 and a recorded EEG, one sample ahead; where a series is its own input, also freely running, each
forecast the next input. Trained: Elman, GRU and LSTM. Untrained: a reservoir, the Elman page with random weights, in
its textbook, rate and spiking writings, each with a ridge readout of its own activity. How long a reservoir remembers
is its memory capacity.

Jaeger & Haas 2004, doi:10.1126/science.1091277; Maass, Natschlaeger & Markram 2002, doi:10.1162/089976602760407955.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import xarray as xr
from brian2 import Quantity, ms
from numpy.random import Generator, SeedSequence

from cortwin import figures
from cortwin.activity import activity
from cortwin.analysis import LinearRegister, error_by_horizon, memory_capacity, nmse, scaled_to_radius
from cortwin.cpp import compiler
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.ladder import Spiking
from cortwin.models import elman, gru, lstm
from cortwin.readout import RidgeReadout
from cortwin.simulation import simulate
from cortwin.tasks import eeg, mackey_glass, narma10
from cortwin.training import Options, Signals, fit, free_run, outputs, run_textbook, textbook_activity

TAU = 0.1  # s
WASHOUT = 100  # samples in which a network forgets its first state
CUT = 5  # pieces of a straight line between two samples of a smooth series
RATE_STEPS = 20  # steps of the rate text in a sample
PENALTIES = (1e-8, 1e-6, 1e-4, 1e-2, 1.0, 1e2)
PAGES = {"Elman": elman.model(), "GRU": gru.model(), "LSTM": lstm.model()}
WRITINGS = ("textbook", "rate", "spiking")
TITLES = {"mackey_glass": "Mackey-Glass", "eeg": "EEG", "narma10": "NARMA10"}
DELAYS = np.arange(1, 41)
CYCLE, CYCLE_RADIUS = 20, 0.9
# Length of a sample over tau, and scale of the reservoir's input weights: what there is to choose from.
SETTINGS = {
    "mackey_glass": ((0.1, 0.2, 0.4), (0.2, 0.6, 1.2)),
    "eeg": ((0.25, 0.5, 1.0), (0.05, 0.1, 0.3)),
    "narma10": ((1.0,), (0.02, 0.04, 0.1)),
}
BENCHMARK_SCALE, BENCHMARK_PENALTY = 0.04, 1e-8


@dataclass(frozen=True, eq=False)
class Series:
    """A series to forecast: the target of sample k is to be told after input k.

    Attributes
    ----------
    inputs, target : (time,) ndarrays of mean 0 and variance 1 over the samples that are trained on
    train : how many samples these are
    alpha : length of a sample over tau
    scale : of the reservoir's input weights
    taps : inputs of the linear register
    horizon : steps of a free run; 0 where the target is not the next input
    """

    inputs: np.ndarray
    target: np.ndarray
    train: int
    alpha: float
    scale: float
    taps: int
    horizon: int

    @property
    def sample(self) -> float:
        """Length of a sample in seconds, to the nanosecond."""
        return round(self.alpha * TAU, 9)

    @property
    def starts(self) -> np.ndarray:
        """(starts,) ndarray: last inputs before the free runs, spread evenly over the new samples."""
        return np.linspace(self.train, len(self.inputs) - self.horizon - 1, 10).astype(int)


def series_of(run: Run, train: int, test: int) -> dict[str, Series]:
    """Make the three series; the EEG has 800 samples, of which the first five eighths are trained on."""
    start = run.generator("Mackey-Glass").uniform(0.5, 1.5)
    own = {"mackey_glass": (mackey_glass(train + test + 1, start=start), train, 84), "eeg": (eeg()[:, 0], 500, 40)}
    found = {}
    for name, (values, size, horizon) in own.items():
        z = _standard(values, size)
        alpha, scale = (choices[0] for choices in SETTINGS[name])
        found[name] = Series(z[:-1], z[1:], size, alpha, scale, 18, horizon)
    found["narma10"] = narma_series(run.generator("NARMA10"), train, test)
    return found


def narma_series(generator: Generator, train: int, test: int) -> Series:
    """Draw the input of NARMA10 and make its output, with the settings of the benchmark."""
    u, y = narma10(generator, train + test)
    return Series(_standard(u, train), _standard(y, train), train, 1.0, BENCHMARK_SCALE, 10, 0)


def _standard(values: np.ndarray, train: int) -> np.ndarray:
    return (values - values[:train].mean()) / values[:train].std()


def compute(
    run: Run,
    *,
    series: Annotated[tuple[str, ...], Parameter("which series", choices=tuple(TITLES))] = tuple(TITLES),
    train: Annotated[int, Parameter("samples to learn from", quick=400, minimum=300)] = 2000,
    test: Annotated[int, Parameter("new samples", quick=200, minimum=150)] = 1000,
    networks: Annotated[int, Parameter("networks of each kind", quick=1, minimum=1)] = 3,
    trained_units: Annotated[int, Parameter("units of the trained networks", quick=8, minimum=1)] = 32,
    updates: Annotated[int, Parameter("updates of their weights", quick=40, minimum=1)] = 600,
    units: Annotated[int, Parameter("units of the reservoir", quick=30, minimum=2)] = 100,
    radius: Annotated[float, Parameter("spectral radius of its recurrent weights", above=0)] = 0.8,
    neurons: Annotated[int, Parameter("LIF neurons per unit", quick=8, minimum=1)] = 32,
    dt_spiking: Annotated[Quantity, Parameter("step of the spikes", above=0 * ms, quick=0.5 * ms)] = 0.25 * ms,  # type: ignore
    benchmarks: Annotated[int, Parameter("series and reservoirs of the benchmark", quick=1, minimum=1)] = 9,
) -> Results:
    """Forecast every series by every network."""
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    rows: list[dict[str, Any]] = []
    capacities: dict[str, list[np.ndarray]] = {}
    arrays: dict[str, np.ndarray] = {}
    reservoir = Reservoir(run, units, radius, neurons, Spiking(dt=float(dt_spiking)))
    with run.timed("settings"):
        made = {
            name: reservoir.settled(one, SETTINGS[name], run.generator(f"settings of {name}"))
            for name, one in series_of(run, train, test).items()
            if name in series
        }
    curves: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in made}
    with run.timed("forecasts"), run.progress("series", len(made) * (networks + 1)) as bar:
        for name, one in made.items():
            found = [("last value", 0, *last_value(one)), ("linear", 0, *linear(one))]
            bar.advance()
            for number, seed in enumerate(run.seed_sequence(name).spawn(networks)):
                of_reservoir, *seeds = seed.spawn(1 + len(PAGES))
                for (page, model), own in zip(PAGES.items(), seeds, strict=True):
                    found.append((page, number, *trained(model, one, trained_units, updates, own)))
                for writing, (told, alone, r) in reservoir.forecasts(one, of_reservoir).items():
                    found.append((f"reservoir, {writing}", number, told, alone))
                    if name == "narma10":
                        capacity = memory_capacity(r, one.inputs, DELAYS, washout=WASHOUT)
                        capacities.setdefault(f"reservoir, {writing}", []).append(capacity)
                bar.advance()
            for kind, number, told, alone in found:
                row = {"series": name, "network": kind, "number": number}
                row["nmse"] = nmse(one.target[one.train :], told[one.train :])
                row["nrmse_free"] = None
                if alone is not None:
                    error = error_by_horizon(one.inputs, alone, one.starts[: len(alone)], 1.0)
                    row["nrmse_free"] = float(error[-1])
                    curves[name].setdefault(kind, []).append(error)
                    if number == 0:
                        arrays[f"run.{name}.{_key(kind)}"] = alone[0]
                rows.append(row)
    arrays |= {f"capacity.{_key(kind)}": np.median(found, axis=0) for kind, found in capacities.items()}
    arrays["capacity.cycle"] = cycle_capacity(run)
    for name, one in made.items():
        if one.horizon:
            first = one.starts[0]
            arrays[f"heard.{name}"] = one.inputs[first - one.horizon // 2 : first + 1]
            arrays[f"continued.{name}"] = one.inputs[first + 1 : first + 1 + one.horizon]
        arrays |= {f"curve.{name}.{_key(kind)}": np.median(found, axis=0) for kind, found in curves[name].items()}
    metrics = medians(rows)
    for kind, found in capacities.items():
        metrics[f"forecast.memory_capacity.{_key(kind)}"] = float(np.median([curve.sum() for curve in found]))
    with run.timed("benchmark"):
        found = [benchmark(reservoir, seed, train, test) for seed in run.seed_sequence("benchmark").spawn(benchmarks)]
    for number, kind in enumerate(("reservoir", "register")):
        metrics[f"forecast.narma10.benchmark.{kind}"] = float(np.median([one[number] for one in found]))
    metrics["forecast.memory_capacity.cycle"] = float(arrays["capacity.cycle"].sum())
    metrics["forecast.memory_capacity.cycle_closed_form"] = CYCLE - (1 - CYCLE_RADIUS ** (2 * CYCLE))
    kinds = list(dict.fromkeys(row["network"] for row in rows))
    horizons = {name: one.horizon for name, one in made.items()}
    notes = {"kinds": kinds, "networks": networks, "horizon": horizons, "benchmarks": benchmarks}
    settings = [{"series": TITLES[name], "alpha": one.alpha, "scale": one.scale} for name, one in made.items()]
    return Results(metrics=metrics, tables={"forecasts": rows, "settings": settings}, weights=arrays, notes=notes)


def medians(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians over networks under the names of `metrics.json`."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for number in ("nmse", "nrmse_free"):
            if row[number] is not None:
                found.setdefault(f"forecast.{row['series']}.{_key(row['network'])}.{number}", []).append(row[number])
    return {name: float(np.median(values)) for name, values in found.items()}


def _key(kind: str) -> str:
    return kind.lower().replace(", ", "_").replace(" ", "_")


Forecast = tuple[np.ndarray, np.ndarray | None]  # (time,) one sample ahead, (starts, horizon) freely running


def last_value(series: Series) -> Forecast:
    """Say that the target stays as it was."""
    told = np.concatenate([[0.0], series.target[:-1]])
    alone = np.repeat(series.inputs[series.starts][:, None], series.horizon, axis=1) if series.horizon else None
    return told, alone


def linear(series: Series) -> Forecast:
    """Fit a linear register; of a series that is its own input that is autoregression."""
    heard = slice(series.train)
    register = LinearRegister.fitted(series.inputs[heard], series.target[heard], series.taps)
    told = np.nan_to_num(register.predict(series.inputs))
    if not series.horizon:
        return told, None
    return told, np.stack([register.free_run(series.inputs[: k + 1], series.horizon) for k in series.starts])


def trained(model: Any, series: Series, units: int, updates: int, seed: SeedSequence) -> Forecast:
    """Train a network on windows of the series; the last fifth of them tell which weights are the best."""
    of_weights, of_batches = (np.random.default_rng(one) for one in seed.spawn(2))
    length, skip = 60, 20
    border = int(0.8 * series.train)
    first = np.concatenate([np.arange(0, border - length, 20), np.arange(border, series.train - length, length)])
    windows = first[:, None] + np.arange(length)
    inputs, target = (
        activity(values[windows][:, :, None], dt=series.sample, last=last, name=last)
        for values, last in ((series.inputs, "input"), (series.target, "output"))
    )
    options = Options(
        updates=updates,
        learning_rate=5e-3,
        schedule="cosine",
        batch_size=min(32, int((first < border).sum())),
        validation_trials=tuple(np.flatnonzero(first >= border).tolist()),
    )
    # In the first samples of a window the network does not know its past.
    mask = np.broadcast_to(np.arange(length) >= skip, windows.shape)
    start = model.initial(of_weights, 1, units, 1)
    learned = fit(model, start, inputs, target, alpha=1.0, options=options, generator=of_batches, mask=mask).parameters
    whole = series.inputs[None, :, None]
    told = np.asarray(outputs(model, learned, textbook_activity(model, learned, whole, 1.0)[1]))[0, :, 0]
    if not series.horizon:
        return told, None
    return told, free_run(model, learned, whole[0], series.starts, series.horizon, 1.0)[:, :, 0]


@dataclass(frozen=True)
class Reservoir:
    """The Elman page with random weights, in its three writings, and a ridge readout of each."""

    run: Run
    units: int
    radius: float
    neurons: int
    spiking: Spiking

    def parameters(self, generator: Generator, scale: float) -> elman.Parameters:
        """Draw a network: recurrent weights of the spectral radius, uniform input weights and biases."""
        drawn = elman.initial(generator, 1, self.units, 1)
        return drawn._replace(
            W_rec=scaled_to_radius(drawn.W_rec, self.radius),
            W_in=scale * generator.uniform(-1, 1, (self.units, 1)),
            b=generator.uniform(-0.3, 0.3, self.units),
        )

    def heard(self, series: Series, generator: Generator) -> np.ndarray:
        """Return the textbook's activity r under a series, (time, unit)."""
        p = self.parameters(generator, series.scale)
        coarse = activity(series.inputs[None, :, None], dt=series.sample, last="input", name="inputs")
        return run_textbook(PAGES["Elman"], p, coarse, series.alpha)["r"].to_numpy()[0]

    def settled(
        self, series: Series, settings: tuple[tuple[float, ...], tuple[float, ...]], generator: Generator
    ) -> Series:
        """Return the series with the settings under which a textbook reservoir of its own forecasts held-out blocks.

        The blocks are of the samples that are trained on; no new sample is looked at.
        """
        drawn = generator.bit_generator.state
        found = []
        for alpha, scale in itertools.product(*settings):
            generator.bit_generator.state = drawn  # the same reservoir under all settings
            one = replace(series, alpha=alpha, scale=scale)
            readout = self.readout(self.heard(one, generator), one.target, one.train)
            found.append((float(readout.cv_error_.min()), one))
        return min(found, key=lambda pair: pair[0])[1]

    def forecasts(self, series: Series, seed: SeedSequence) -> dict[str, tuple[np.ndarray, np.ndarray | None, Any]]:
        """Return one-step forecasts, free runs and the activity r, by writing."""
        of_weights, of_neurons = seed.spawn(2)
        p = self.parameters(np.random.default_rng(of_weights), series.scale)
        model, sample = PAGES["Elman"], series.sample
        coarse = activity(series.inputs[None, :, None], dt=sample, last="input", name="inputs")
        fine = self.between(series)
        textbook = run_textbook(model, p, coarse, series.alpha)
        steps = {"record_dt": sample, "batch": 1}
        rate = simulate(
            model, "rate", p._asdict(), fine, dt=round(sample / RATE_STEPS, 9), engine=self.engine("rate"), **steps
        ).activity
        lived = Signals({"x": rate["x"].to_numpy()}, {"x": p.x0})
        arrays = self.spiking.arrays(model, p, lived, self.neurons, of_neurons)
        spiking = simulate(
            model, "spiking", arrays, fine, dt=self.spiking.dt, neurons_per_unit=self.neurons,
            engine=self.engine("spiking"), **steps,
        ).activity  # fmt: skip
        found = {}
        for writing, did in {"textbook": textbook, "rate": rate, "spiking": spiking}.items():
            r = did["r"].to_numpy()[0]
            told = self.readout(r, series.target, series.train)
            alone = None
            if series.horizon and writing == "textbook":
                hears_itself = p._replace(W_out=told.coef_[None], b_out=np.array([told.intercept_]))
                alone = free_run(
                    model, hears_itself, series.inputs[:, None], series.starts, series.horizon, series.alpha
                )
                alone = alone[:, :, 0]
            elif series.horizon:
                # In continuous time a network hears what it says at that moment.
                now = self.readout(r, series.inputs, series.train)
                if writing == "rate":
                    now = self.readout_of_loop(series, p, r)
                hears_itself = closed_loop(p, now.coef_, float(now.intercept_))
                alone = self.alone(writing, hears_itself, now, did, series, arrays)
            found[writing] = told.predict(r), alone, r
        return found

    def between(self, series: Series) -> xr.DataArray:
        """Return what the twins hear: straight lines between samples of a smooth series, else each sample held."""
        sample = series.sample
        if not series.horizon:
            return activity(series.inputs[None, :, None], dt=sample, last="input", name="inputs")
        places = np.arange(1, CUT * len(series.inputs) + 1) / CUT
        line = np.interp(places, np.arange(len(series.inputs) + 1), np.concatenate([[0.0], series.inputs]))
        return activity(line[None, :, None], dt=round(sample / CUT, 9), last="input", name="inputs")

    def readout(self, r: np.ndarray, target: np.ndarray, train: int, penalty: Any = "nested") -> RidgeReadout:
        """Fit a ridge readout; its penalty is found by leaving out one tenth of the time after the other, or given."""
        fitted = slice(min(WASHOUT, train // 4), train)
        blocks = np.arange(train)[fitted] * 10 // train
        return RidgeReadout(penalty=penalty, penalties=PENALTIES).fit(r[fitted], target[fitted], groups=blocks)

    def readout_of_loop(self, series: Series, p: elman.Parameters, r: np.ndarray) -> RidgeReadout:
        """Return the readout of the present input whose loop goes on best with the samples that were trained on.

        The penalty under which rates without noise tell the present input best leaves weights of order 1000, and the
        loop may run away. The rate text is the textbook at a small alpha, where a loop takes no simulation of its own.
        """
        alpha, size = series.alpha / RATE_STEPS, RATE_STEPS * series.train
        line = np.repeat(self.between(series).to_numpy()[0], RATE_STEPS // CUT, axis=0)[:size]
        starts = np.linspace(series.train // 4, series.train - series.horizon - 1, 10).astype(int)
        last, steps = RATE_STEPS * (starts + 1) - 1, RATE_STEPS * series.horizon + 1
        errors, found = [], [self.readout(r, series.inputs, series.train, penalty) for penalty in PENALTIES]
        for now in found:
            heard = p._replace(W_out=now.coef_[None], b_out=np.array([now.intercept_]))
            alone = free_run(PAGES["Elman"], heard, line, last, steps, alpha)[:, RATE_STEPS::RATE_STEPS, 0]
            errors.append(float(np.mean(error_by_horizon(series.inputs, alone, starts, 1.0) ** 2)))
        return found[int(np.argmin(errors))]

    def alone(
        self, writing: str, p: elman.Parameters, readout: RidgeReadout, did: xr.Dataset, series: Series, arrays: Any
    ) -> np.ndarray:
        """Let a writing that hears itself go on from the states that it was driven to."""
        sample, model = series.sample, PAGES["Elman"]
        silence = activity(np.zeros((1, series.horizon, 1)), dt=sample, last="input", name="silence")
        spikes = writing == "spiking"
        dt = self.spiking.dt if spikes else round(sample / RATE_STEPS, 9)
        said = []
        for start in series.starts if not self.run.quick else series.starts[:1]:
            x0, r0 = (did[name].to_numpy()[0, start] for name in ("x", "r"))
            values: Mapping[str, Any] = {**arrays, **p._replace(x0=x0)._asdict(), "r0": r0}
            found = simulate(
                model, writing, values, silence, dt=dt, neurons_per_unit=self.neurons if spikes else 1,
                engine=self.engine("free"), batch=1,
            ).activity["r"].to_numpy()[0]  # fmt: skip
            said.append(readout.predict(found))
        return np.stack(said)

    def engine(self, what: str) -> str:
        """Choose the engine: a quick run, and a rate text that runs once, go through XLA."""
        return "xla" if self.run.engine == "cpp" and (self.run.quick or what == "rate") else self.run.engine


def benchmark(reservoir: Reservoir, seed: SeedSequence, train: int, test: int) -> tuple[float, float]:
    """Return the NMSE of NARMA10 by a reservoir with a ridge readout of a fixed penalty, and by the linear register."""
    of_series, of_weights = (np.random.default_rng(one) for one in seed.spawn(2))
    series = narma_series(of_series, train, test)
    r = reservoir.heard(series, of_weights)
    learned, new = slice(min(WASHOUT, train // 4), train), slice(train, None)
    readout = RidgeReadout(penalty=BENCHMARK_PENALTY).fit(r[learned], series.target[learned])
    return nmse(series.target[new], readout.predict(r[new])), nmse(series.target[new], linear(series)[0][new])


def closed_loop(p: elman.Parameters, weights: np.ndarray, intercept: float) -> elman.Parameters:
    """Return the network whose input is its own output: ``W_in (w r + b_out)`` becomes recurrence and bias."""
    return p._replace(W_rec=p.W_rec + p.W_in @ weights[None], b=p.b + p.W_in[:, 0] * intercept)


def cycle_capacity(run: Run) -> np.ndarray:
    """Measure the memory of a cycle of units with the Elman page's textbook, at inputs so small that tanh is linear."""
    generator = run.generator("cycle")
    drawn = elman.initial(generator, 1, CYCLE, 1)
    p = drawn._replace(
        W_rec=CYCLE_RADIUS * np.roll(np.eye(CYCLE), 1, axis=0), W_in=1e-4 * generator.uniform(-1, 1, (CYCLE, 1))
    )
    u = generator.uniform(-1, 1, 100_000)
    x = np.asarray(textbook_activity(PAGES["Elman"], p, u[None, :, None], 1.0)[1])[0]
    return memory_capacity(x, u, np.arange(1, 61), washout=200)


def draw(results: Results) -> list[Drawing]:
    """Draw what was saved."""
    rows, arrays, notes = results.tables["forecasts"], results.weights, results.notes
    errors = {
        title: {
            kind: [row["nmse"] for row in rows if (row["series"], row["network"]) == (name, kind)]
            for kind in notes["kinds"]
        }
        for name, title in TITLES.items()
        if name in notes["horizon"]
    }
    free = [name for name, steps in notes["horizon"].items() if steps]

    def saved(what: str, name: str) -> dict[str, np.ndarray]:
        keys = {kind: f"{what}.{name}.{_key(kind)}" for kind in notes["kinds"]}
        return {kind: arrays[key] for kind, key in keys.items() if key in arrays}

    n = f"{notes['networks']} network{'s' if notes['networks'] > 1 else ''} of each kind"
    runs = [
        Drawing(
            f"free_{name}",
            figures.free_runs(arrays[f"heard.{name}"], arrays[f"continued.{name}"], saved("run", name)),
            f"{TITLES[name]}, freely running",
            "Grey: the series. Left of the line it is heard; right of it each network hears itself (the first network "
            "of each kind, the first of the starts).",
        )
        for name in free
    ]
    capacities = {kind: arrays[key] for kind in notes["kinds"] if (key := f"capacity.{_key(kind)}") in arrays}
    capacities["cycle"] = arrays["capacity.cycle"][: DELAYS.size]
    return [
        Drawing(
            "errors",
            figures.forecast_errors(errors),
            "One sample ahead",
            f"Mean squared error over the variance, of samples that were not learned; a point for each of {n}, a bar "
            "at their median. Dashed: the error of the mean.",
        ),
        *runs,
        Drawing(
            "horizon",
            figures.errors_by_horizon({TITLES[name]: saved("curve", name) for name in free}),
            "How long a free run is right",
            f"Root mean squared error over the standard deviation, over the starts; medians of {n}.",
        ),
        Drawing(
            "memory",
            figures.memory_curves(capacities),
            "Memory capacity",
            f"Of the reservoirs of NARMA10, medians of {n}, and of a linear cycle of {CYCLE} units (n = 1). Delays are "
            "in samples; the sums in the legend are over the delays shown.",
        ),
    ]


def report(results: Results) -> list[Section]:
    """Say what was measured."""
    kinds, n, horizons = (results.notes[name] for name in ("kinds", "networks", "horizon"))
    free = [name for name, steps in horizons.items() if steps]
    ahead = [(kind, *(f"forecast.{name}.{_key(kind)}.nmse" for name in horizons)) for kind in kinds]
    alone = [(kind, *(f"forecast.{name}.{_key(kind)}.nrmse_free" for name in free)) for kind in kinds]
    steps = ", ".join(f"{horizons[name]} samples of {TITLES[name]}" for name in free)
    capacities = {w: f"forecast.memory_capacity.reservoir_{w}" for w in WRITINGS}
    told = ", ".join(f"{w} {{{name}:.1f}}" for w, name in capacities.items() if name in results.metrics)
    return [
        Section(
            "One sample ahead",
            "Each network hears a series and tells its next sample; of NARMA10 it hears the input and tells the "
            "output. The linear register hears 18 samples, of NARMA10 ten: of a series that is its own input this is "
            "linear autoregression. The EEG is ten seconds that matplotlib brings along.\n\nReservoirs are untrained "
            "networks of {parameters.units} units, spectral radius {parameters.radius}; textbook, rate and spiking "
            "writing ({parameters.neurons} LIF neurons per unit) share their weights and have a ridge readout each. "
            "The textbook advances once a sample; the twins live in continuous time, tau = 100 ms. How many tau a "
            "sample lasts, and the scale of the input weights, are those under which another textbook reservoir "
            "forecast held-out blocks of the training samples best.",
            drawings=["errors"],
            tables=[
                Table(f"NMSE of new samples; medians of {n}.", ("", *(TITLES[name] for name in horizons)), ahead),
                Table(
                    "Settings of the reservoirs.",
                    {"series": "", "alpha": "sample, in tau", "scale": "scale of the input weights"},
                    records="settings",
                ),
                Table(
                    f"NARMA10 as a benchmark: textbook reservoirs with a ridge penalty of {BENCHMARK_PENALTY:g}; "
                    f"medians of {results.notes['benchmarks']} series, each with a reservoir of its own.",
                    ("", "reservoir", "ten-tap linear register"),
                    [("NMSE", *(f"forecast.narma10.benchmark.{kind}" for kind in ("reservoir", "register")))],
                ),
            ],
        ),
        Section(
            "Freely running",
            "Its own output is each network's next input. A reservoir that hears itself is another network of the "
            "same page: input weights times readout are added to its recurrent weights, in every writing.",
            drawings=[*(f"free_{name}" for name in free), "horizon"],
            tables=[Table(f"NRMSE after {steps}; medians of {n}.", ("", *(TITLES[name] for name in free)), alone)],
        ),
        Section(
            "Memory",
            "Capacity of the linear cycle, over delays from 1 to 60: {forecast.memory_capacity.cycle:.3f}; in closed "
            "form N - (1 - r^2N) = {forecast.memory_capacity.cycle_closed_form:.3f}. "
            + (f"Of the reservoirs of NARMA10, over delays from 1 to {DELAYS[-1]}: {told}." if told else ""),
            drawings=["memory"],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
