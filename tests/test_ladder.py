"""The ladder: every rung's number against what must hold; the factored spikes against an explicit network."""

from itertools import pairwise

import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.analysis import nrmse
from cortwin.ensemble import LIF
from cortwin.errors import CortwinError
from cortwin.ladder import Spiking, climb, floor, ladder_metrics
from cortwin.models import elman
from cortwin.simulation import simulate
from cortwin.training import textbook_signals

MODEL = elman.model()
TAU, TAU_M, TAU_S, T_REF = (float(MODEL.constants[name]) for name in ("tau", "tau_m", "tau_s", "t_ref"))
SPIKING = Spiking(dt=2e-4)
NEURONS = (1, 4, 16)
COLUMNS = set(
    """rung neurons_per_unit dt step total nrmse max_abs_error correlation correlation_min loss spikes rate
    synaptic_events seconds build_seconds engine""".split()
)


def network(seed=0, units=16):
    generator = np.random.default_rng(seed)
    parameters = elman.initial(generator, 2, units, 1, gain=1.2)
    return parameters._replace(b=0.3 * generator.standard_normal(units), x0=0.5 * generator.standard_normal(units))


def trials(n=2, samples=60, dt=0.01, seed=1):
    """Return smooth inputs of order 1."""
    t = dt * np.arange(samples)
    phase, speed = np.random.default_rng(seed).uniform(1, 6, (2, n, 1, 2))
    return activity(np.sin(speed * t[:, None] * 2 + phase), dt=dt, last="input", name="input")


PARAMETERS, INPUTS = network(), trials()
TARGET = activity(np.zeros((2, 60, 1)), dt=0.01, last="output", name="target")
SEEDS = [np.random.SeedSequence(k) for k in range(3)]


@pytest.fixture(scope="module")
def rungs():
    found = climb(
        MODEL,
        PARAMETERS,
        INPUTS,
        TARGET,
        neurons=NEURONS,
        spiking=SPIKING,
        seed=SEEDS[0],
        engines=lambda *_: "xla",
        batch=2,
    )
    return {rung.name: rung for rung in found}


def test_rungs_and_columns(rungs):
    assert list(rungs) == ["R0", "R1", "R2", "R3", "R4.1", "R5.1", "R4.4", "R5.4", "R4.16", "R5.16"]
    for name, rung in rungs.items():
        assert set(rung.row) == COLUMNS
        assert (rung.spikes is not None) == name.startswith("R5")
        assert rung.activity["r"].shape == (2, 60, 16)
    for name in ("R3", "R4.4", "R5.4"):
        assert rungs[name].row["dt"] == {"R3": 2e-4, "R4.4": 1e-3, "R5.4": 2e-4}[name]


def test_the_textbook_is_its_leaky_form_at_alpha_one(rungs):
    """Both are the same operations on order 1 over 60 contracting or mildly expanding steps."""
    assert rungs["R1"].row["max_abs_error"] < 1e-13
    assert rungs["R1"].row["step"] < 1e-13
    p, h = PARAMETERS, np.tanh(PARAMETERS.x0)
    for k, u in enumerate(INPUTS[1].to_numpy()):
        h = np.tanh(p.W_rec @ h + p.W_in @ u + p.b)
        np.testing.assert_allclose(rungs["R0"].activity["r"][1, k], h, atol=1e-12)


def test_textbook_and_rate_text_are_one(rungs):
    assert 0 < rungs["R2"].row["max_abs_error"] <= 1e-10
    assert rungs["R2"].row["correlation_min"] == pytest.approx(1, abs=1e-12)
    x = PARAMETERS.x0
    for k, u in enumerate(INPUTS[0].to_numpy()):
        x = 0.9 * x + 0.1 * (PARAMETERS.W_rec @ np.tanh(x) + PARAMETERS.W_in @ u + PARAMETERS.b)
        np.testing.assert_allclose(rungs["R1"].activity["x"][0, k], x, atol=1e-12)


def test_a_finer_textbook_is_closer_to_its_limit(rungs):
    """The error of forward Euler is proportional to dt, so half the textbook's step is half the way to R3."""
    samples, target = (np.repeat(array.to_numpy(), 2, axis=1) for array in (INPUTS, TARGET))
    finer = climb(
        MODEL,
        PARAMETERS,
        activity(samples, dt=0.005, last="input"),
        activity(target, dt=0.005, last="output"),
        neurons=(1,),
        spiking=SPIKING,
        seed=SEEDS[0],
        engines=lambda *_: "xla",
        batch=2,
    )
    assert 1.7 < rungs["R3"].row["step"] / finer[3].row["step"] < 2.3


def test_rows_say_what_the_activity_says(rungs):
    """Each number anew in plain NumPy, from the activities alone."""
    x = {name: rung.activity["x"].to_numpy() for name, rung in rungs.items() if name != "R0"}
    for name, before in {"R2": "R1", "R3": "R2", "R5.4": "R4.4", "R5.16": "R4.16"}.items():
        row, own = rungs[name].row, x[name]
        assert row["step"] == pytest.approx(np.sqrt(np.mean((own - x[before]) ** 2)) / x[before].std(), rel=1e-9)
        assert row["max_abs_error"] == pytest.approx(np.abs(own - x[before]).max(), rel=1e-12)
        assert row["total"] == pytest.approx(np.sqrt(np.mean((own - x["R1"]) ** 2)) / x["R1"].std(), rel=1e-9)
        units = zip(own.reshape(-1, 16).T, x["R1"].reshape(-1, 16).T, strict=True)
        correlation = [np.corrcoef(*pair)[0, 1] for pair in units]
        assert row["correlation"] == pytest.approx(np.mean(correlation), rel=1e-9)
        assert row["correlation_min"] == pytest.approx(np.min(correlation), rel=1e-9)
        y = rungs[name].activity["r"].to_numpy() @ PARAMETERS.W_out.T + PARAMETERS.b_out
        assert row["loss"] == pytest.approx(np.mean(y**2), rel=1e-9)
    for n in NEURONS:
        row, count = rungs[f"R5.{n}"].row, rungs[f"R5.{n}"].spikes.sizes["event"]
        assert row["nrmse"] == pytest.approx(
            nrmse(rungs["R3"].activity["x"], rungs[f"R5.{n}"].activity["x"]), rel=1e-12
        )
        assert row["spikes"] == count > 100
        assert row["synaptic_events"] == count * 16 * n
        assert row["rate"] == pytest.approx(count / (2 * 16 * n * 0.6))
        assert 5 < row["rate"] < 200


def test_more_neurons_stand_better_for_a_unit(rungs):
    """Beyond the spread over three drawings of the neurons, for curves and for spikes."""
    lived = textbook_signals(MODEL, PARAMETERS, INPUTS, 0.1)

    def distance(n, seed):
        arrays = SPIKING.arrays(MODEL, PARAMETERS, lived, n, seed)
        options = {"dt": SPIKING.dt, "record_dt": 0.01, "neurons_per_unit": n, "engine": "xla", "batch": 2}
        return nrmse(rungs["R3"].activity["x"], simulate(MODEL, "spiking", arrays, INPUTS, **options).activity["x"])

    found = [[rungs[f"R5.{n}"].row["nrmse"], *(distance(n, seed) for seed in SEEDS[1:])] for n in NEURONS]
    for worse, better in pairwise(found):
        assert min(worse) > max(better)
    assert max(found[-1]) < 0.06
    curves = [rungs[f"R4.{n}"].row["nrmse"] for n in NEURONS]
    assert curves[0] > curves[1] > curves[2]


def test_metrics_have_the_ladders_names(rungs):
    rows = [rung.row for rung in rungs.values()]
    metrics = ladder_metrics(rows)
    assert metrics["ladder.R2.max_abs_error"] == rungs["R2"].row["max_abs_error"]
    assert metrics["ladder.R5.nrmse.16"] == rungs["R5.16"].row["nrmse"]
    assert metrics["ladder.R3.step"] == rungs["R3"].row["step"]
    assert not any("seconds" in name or "engine" in name or value is None for name, value in metrics.items())
    assert set(ladder_metrics(rows, names=("R5",), suffix=".relu")) == {
        f"{name}.relu" for name in metrics if name.startswith("ladder.R5")
    }


def test_what_is_taken_away_from_the_floor():
    inputs, n = INPUTS[:1], 32
    lived = textbook_signals(MODEL, PARAMETERS, INPUTS, 0.1)
    options = {"dt": SPIKING.dt, "record_dt": 0.01, "engine": "xla", "batch": 1}
    fine = simulate(MODEL, "rate", PARAMETERS._asdict(), inputs, **options).activity["x"]
    found = floor(MODEL, PARAMETERS, inputs, fine, lived, n, SPIKING, SEEDS[0], engine="xla", batch=1)
    assert set(found) == {"as_run", "decoder", "without_anticipation", "half_grid", "half_tau_s"}
    assert found["decoder"] < found["as_run"]
    # The lag of tau_s = tau / 10 comes back: x moves by its own standard deviation within about tau.
    assert found["without_anticipation"] > 2 * found["as_run"]
    assert found["half_grid"] != found["as_run"]
    assert found["half_tau_s"] != found["as_run"]


@pytest.mark.parametrize("neurons", [(), (0,), (4, -1)])
def test_no_neurons_are_refused(neurons):
    with pytest.raises(CortwinError, match="must be at least one number of at least 1"):
        climb(MODEL, PARAMETERS, INPUTS, TARGET, neurons=neurons, seed=SEEDS[0])


def test_a_step_above_tau_is_refused():
    coarse = activity(INPUTS.to_numpy(), dt=0.2, last="input")
    with pytest.raises(CortwinError, match="alpha"):
        climb(MODEL, PARAMETERS, coarse, TARGET, neurons=(1,), seed=SEEDS[0])


def test_a_network_at_rest_has_no_distance_and_says_why():
    still = PARAMETERS._replace(b=np.zeros(16), x0=np.zeros(16))
    inputs, target = (activity(np.zeros((1, 3, n)), dt=0.01, last=last) for n, last in ((2, "input"), (1, "output")))
    found = climb(MODEL, still, inputs, target, neurons=(1,), seed=SEEDS[0], engines=lambda *_: "xla", batch=1)
    assert np.isnan(found[2].row["total"])
    assert "constant" in found[2].row["total"].reason
    assert np.isnan(found[2].row["correlation"])
    assert found[2].row["correlation_min"].reason == "16 of 16 units are constant"


def explicit_network(p, found, inputs, dt):
    """Simulate LIF neurons with a synapse from each to each: every neuron has its own currents, no unit is left.

    Brian2's order within a step: sums of the old state, currents, membranes, thresholds, arrivals of spikes, resets.
    """
    n = found["gain"].size // p.b.size
    unit = np.repeat(np.arange(p.b.size), n)
    synapses = p.W_rec[unit[:, None], unit] * found["decoder"] / TAU_S
    x, b = p.x0[unit], p.b[unit]
    s = (p.W_rec @ found["r0"])[unit]
    v, last, silent = found["v0"].copy(), np.full(unit.size, -(10**9)), round(T_REF / dt)
    decay, spikes = np.exp(-dt / TAU_M), []
    for k in range(round(len(inputs) * 0.01 / dt)):
        drive = (p.W_in @ inputs[int((k + 0.5) * dt / 0.01)])[unit]
        x = x + dt / TAU * (-x + s + drive + b)
        heard = x + found["lead"] * (-x + s + drive + b) / TAU
        J = found["gain"] * heard + found["bias"]
        v = np.where(k - last >= silent, J + (v - J) * decay, v)
        fired = v > 1
        s = (1 - dt / TAU_S) * s + synapses @ fired
        v[fired], last[fired] = 0, k
        spikes += [(k, neuron) for neuron in np.flatnonzero(fired)]
    return spikes, x


@pytest.mark.cpp
def test_factored_ensembles_are_an_explicit_network_of_synapses():
    """20 units of 4 neurons for 1 s: every spike of the 80 neurons with their 6400 synapses."""
    p, inputs, dt = network(3, units=20), trials(1, samples=100, seed=5), 1e-4
    lived = textbook_signals(MODEL, p, inputs, 0.1)
    arrays = Spiking(dt=dt).arrays(MODEL, p, lived, 4, SEEDS[0])
    found = simulate(
        MODEL,
        "spiking",
        arrays,
        inputs,
        dt=dt,
        neurons_per_unit=4,
        spikes=True,
        engine="cpp",
        batch=1,
    )
    spikes, x = explicit_network(p, arrays, inputs[0].to_numpy(), dt)
    step = np.rint(found.spikes["time"].to_numpy() / dt).astype(int)
    assert len(spikes) >= 1000
    assert set(zip(step.tolist(), found.spikes["unit"].to_numpy().tolist(), strict=True)) == set(spikes)
    assert found.spikes.sizes["event"] == len(spikes)
    # All four neurons of a unit carry its x; 10^4 steps, each rounded to eps.
    np.testing.assert_allclose(x.reshape(20, 4), np.tile(found.activity["x"][0, -1].to_numpy()[:, None], 4), atol=1e-11)


def ensemble_run(change, inputs=INPUTS, parameters=PARAMETERS, n=4, record_dt=0.01):
    lived = textbook_signals(MODEL, parameters, INPUTS, 0.1)
    arrays = SPIKING.arrays(MODEL, parameters, lived, n, SEEDS[0])
    arrays |= {name: np.broadcast_to(value, np.shape(arrays[name])).copy() for name, value in change.items()}
    options = {"dt": SPIKING.dt, "record_dt": record_dt, "neurons_per_unit": n, "spikes": True, "engine": "xla"}
    return arrays, simulate(MODEL, "spiking", arrays, inputs, batch=2, **options)


def test_without_spikes_nothing_passes_between_units():
    """The neurons are silenced: what was in the synapses dies away, and x is that of a network without recurrence."""
    arrays, found = ensemble_run({"gain": 0.0, "bias": 0.0})
    assert found.spike_count == 0
    steps = 50 * (1 + np.arange(60))
    expected = arrays["r0"] * (1 - SPIKING.dt / TAU_S) ** steps[:, None]
    assert np.abs(arrays["r0"]).min() > 0
    # 3000 roundings of eps, relative; the exponential is not exact under forward Euler, (1 - dt / tau_s)^k is.
    np.testing.assert_allclose(found.activity["r"], np.tile(expected, (2, 1, 1)), rtol=3000 * 2.2e-16)

    _, dead = ensemble_run({"gain": 0.0, "bias": 0.0, "r0": 0.0})
    alone = PARAMETERS._replace(W_rec=np.zeros((16, 16)))
    options = {"dt": SPIKING.dt, "record_dt": 0.01, "engine": "xla", "batch": 2}
    without = simulate(MODEL, "rate", alone._asdict(), INPUTS, **options).activity["x"]
    np.testing.assert_allclose(dead.activity["x"], without, atol=1e-13)
    assert not dead.activity["r"].any()
    connected = simulate(MODEL, "rate", PARAMETERS._asdict(), INPUTS, **options).activity["x"]
    assert nrmse(connected, dead.activity["x"]) > 0.3


def test_the_filter_keeps_the_area_of_every_spike():
    """Forward Euler, r <- (1 - dt / tau_s) r + d / tau_s: sum(r) dt = sum of d - tau_s (last - first), exactly."""
    still = PARAMETERS._replace(W_rec=np.zeros((16, 16)), x0=PARAMETERS.b)
    zero = activity(np.zeros((1, 100, 2)), dt=0.01, last="input")
    arrays, found = ensemble_run({}, inputs=zero, parameters=still, record_dt=SPIKING.dt)
    x, r = found.activity["x"][0].to_numpy(), found.activity["r"][0].to_numpy()
    np.testing.assert_allclose(x, np.tile(PARAMETERS.b, (len(x), 1)), atol=1e-12)
    count = np.bincount(found.spikes["unit"].to_numpy(), minlength=64)
    decoded = (count * arrays["decoder"]).reshape(16, 4).sum(axis=1)
    area = (arrays["r0"] + r[:-1].sum(axis=0)) * SPIKING.dt
    np.testing.assert_allclose(area, decoded - TAU_S * (r[-1] - arrays["r0"]), atol=5000 * 2.2e-16 * np.abs(r).max())
    # So the mean is decoder * rate: one spike more or less of each neuron in 1 s, and tau_s of filter at either end.
    assert np.count_nonzero(count) > 30
    rate = LIF(TAU_M, T_REF, SPIKING.dt).rate(np.repeat(PARAMETERS.b, 4) * arrays["gain"] + arrays["bias"])
    expected = (rate * arrays["decoder"]).reshape(16, 4).sum(axis=1)
    slack = np.abs(arrays["decoder"]).reshape(16, 4).sum(axis=1) + 2 * TAU_S * np.abs(r).max()
    grid = (rate**2 * SPIKING.dt / 2 * np.abs(arrays["decoder"])).reshape(16, 4).sum(axis=1)
    np.testing.assert_array_less(np.abs(r.mean(axis=0) - expected), slack + grid)
