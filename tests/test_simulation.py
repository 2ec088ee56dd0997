"""One call for three engines: the same numbers, whatever the number of workers and of other trials, and honest ends."""

from itertools import count

import brian2
import numpy as np
import pytest
from brian2 import ms

from cortwin import cpp
from cortwin.activity import activity
from cortwin.analysis import spike_statistics
from cortwin.cpp import doctor
from cortwin.errors import CortwinError, RunFailed
from cortwin.ladder import Spiking
from cortwin.model import Lacking, Model
from cortwin.models import elman, lif
from cortwin.simulation import simulate
from cortwin.training import textbook_signals

MODEL = elman.model()
UNITS, NEURONS, SAMPLES, TRIALS, BATCH = 4, 3, 12, 5, 2
DT = 5e-4


def network(seed=0, units=UNITS):
    generator = np.random.default_rng(seed)
    parameters = elman.initial(generator, 2, units, 1, gain=1.5)
    return parameters._replace(b=generator.standard_normal(units), x0=generator.standard_normal(units))


def trials(n=TRIALS, samples=SAMPLES, seed=1, t_start=-0.05):
    values = np.random.default_rng(seed).standard_normal((n, samples, 2))
    coordinates = {
        "condition": ("trial", np.arange(n) % 3),
        "direction": ("trial", np.linspace(0, 3, n), {"units": "rad"}),
    }
    return activity(values, dt=0.01, t_start=t_start, last="input", coordinates=coordinates, name="input")


def values(parameters, inputs, n=NEURONS):
    lived = textbook_signals(MODEL, parameters, inputs, 0.1)
    return Spiking(dt=DT).arrays(MODEL, parameters, lived, n, np.random.SeedSequence(2))


PARAMETERS, INPUTS = network(), trials()
ARRAYS = values(PARAMETERS, INPUTS)
SPIKING = {"dt": DT, "neurons_per_unit": NEURONS, "spikes": True, "batch": BATCH}


@pytest.fixture(scope="module")
def compiled():
    return simulate(MODEL, "spiking", ARRAYS, INPUTS, engine="cpp", **SPIKING)


def events(simulation):
    return {name: simulation.spikes[name].to_numpy() for name in ("trial", "unit", "time")}


@pytest.mark.cpp
@pytest.mark.parametrize("engine", ["xla", "numpy"])
@pytest.mark.failure("row 18: runtime and standalone with one seed")
def test_every_engine_finds_the_same_spikes_and_currents(compiled, engine):
    inputs = INPUTS if engine == "xla" else INPUTS[:BATCH]
    found = simulate(MODEL, "spiking", ARRAYS, inputs, engine=engine, **SPIKING)
    n = inputs.sizes["trial"]
    kept = events(compiled)["trial"] < n
    assert np.count_nonzero(kept) > 50 * n
    for name, array in events(found).items():
        np.testing.assert_array_equal(array, events(compiled)[name][kept])
    for name in ("x", "r"):
        # A few hundred steps of sums of order 1 in different order: some hundred eps.
        np.testing.assert_allclose(found.activity[name], compiled.activity[name][:n], atol=1e-12)
        assert found.activity[name].attrs == compiled.activity[name].attrs


@pytest.mark.cpp
@pytest.mark.failure("row 9: threads run simulations at a time")
def test_results_do_not_depend_on_workers_or_on_other_trials(compiled):
    again = simulate(MODEL, "spiking", ARRAYS, INPUTS, engine="cpp", jobs=2, **SPIKING)
    assert again.build_seconds == 0
    for name in ("x", "r"):
        assert again.activity[name].to_numpy().tobytes() == compiled.activity[name].to_numpy().tobytes()
    for name, array in events(again).items():
        assert array.tobytes() == events(compiled)[name].tobytes()
    # The third batch holds one trial and one that is padded; the trial alone is padded in the same way.
    alone = simulate(MODEL, "spiking", ARRAYS, INPUTS[4:], engine="cpp", **SPIKING)
    fewer = simulate(MODEL, "spiking", ARRAYS, INPUTS[:3], engine="cpp", **SPIKING)
    for part, chosen in ((alone, slice(4, None)), (fewer, slice(0, 3))):
        own = events(compiled)
        kept = (own["trial"] >= (chosen.start or 0)) & (own["trial"] < (chosen.stop or TRIALS))
        assert part.activity["x"].to_numpy().tobytes() == compiled.activity["x"][chosen].to_numpy().tobytes()
        np.testing.assert_array_equal(events(part)["time"], own["time"][kept])
        np.testing.assert_array_equal(events(part)["trial"], own["trial"][kept] - chosen.start)


@pytest.mark.cpp
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_batch_that_fails_ends_the_others(monkeypatch, jobs):
    """The second batch fails; the third, which would last for ever, is stopped or never begun."""
    begun, stopped, real = count(), [], cpp.run

    def run(program, data, *, timeout, memory, threads, stop):
        number = next(begun)
        if number == 0:
            return real(program, data, timeout=timeout, memory=memory, threads=threads, stop=stop)
        if number == 1:
            raise RunFailed("the simulation failed: as it should")
        if not stop.wait(30):
            stopped.append("not")
        raise RunFailed("the simulation was stopped")

    monkeypatch.setattr(cpp, "run", run)
    seen = []
    with pytest.raises(RunFailed, match="as it should"):
        simulate(MODEL, "spiking", ARRAYS, INPUTS, engine="cpp", jobs=jobs, advance=seen.append, **SPIKING)
    assert not stopped
    assert seen in ([], [2])


@pytest.mark.cpp
def test_an_interrupt_by_the_user_ends_every_batch(monkeypatch):
    released = []

    def run(program, data, *, timeout, memory, threads, stop):
        released.append(stop.wait(30))
        raise RunFailed("the simulation was stopped")

    def interrupt(futures, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(cpp, "run", run)
    monkeypatch.setattr("cortwin.simulation.wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        simulate(MODEL, "spiking", ARRAYS, INPUTS, engine="cpp", jobs=2, **SPIKING)
    assert all(released)


@pytest.mark.cpp
def test_progress_counts_every_trial():
    for engine in ("cpp", "xla"):
        seen = []
        simulate(MODEL, "spiking", ARRAYS, INPUTS, engine=engine, advance=seen.append, **SPIKING)
        assert seen == [2, 2, 1]


def test_results_are_labelled_like_the_inputs():
    found = simulate(MODEL, "rate", PARAMETERS._asdict(), INPUTS, dt=0.005, engine="xla", batch=BATCH).activity
    for name in ("x", "r"):
        array = found[name]
        assert array.dims == ("trial", "time", "unit")
        assert array.shape == (TRIALS, SAMPLES, UNITS)
        np.testing.assert_array_equal(array["time"], INPUTS["time"])
        np.testing.assert_array_equal(array["condition"], INPUTS["condition"])
        assert array["direction"].attrs == {"units": "rad"}
        assert array.attrs == {"dt": 0.01, "units": "1", "kind": "rate"}
    assert found.attrs == {"writing": "rate", "model": "elman", "dt": 0.005}
    finer = simulate(MODEL, "rate", PARAMETERS._asdict(), INPUTS, dt=0.005, record_dt=0.005, engine="xla").activity["x"]
    np.testing.assert_allclose(finer["time"], -0.05 + 0.005 * np.arange(2 * SAMPLES), atol=1e-12)
    # Every other sample of the finer grid is the state at the end of an input.
    np.testing.assert_allclose(finer[:, 1::2], found["x"], atol=1e-12)
    spiking = simulate(MODEL, "spiking", ARRAYS, INPUTS, engine="xla", **SPIKING).activity
    assert spiking["r"].attrs["kind"] == "filtered_spikes"


def test_a_trials_rate_is_the_plain_loop_with_the_input_held():
    """Five steps to an input, in NumPy; the sample that carries an input's time is the state at that input's end."""
    p = PARAMETERS
    found = simulate(MODEL, "rate", p._asdict(), INPUTS, dt=0.002, engine="xla", batch=BATCH).activity
    for trial in range(TRIALS):
        x = p.x0
        for k, u in enumerate(INPUTS[trial].to_numpy()):
            for _ in range(5):
                r = np.tanh(x)
                x = x + 0.02 * (-x + p.W_rec @ r + p.W_in @ u + p.b)
            # 60 steps of about 10 additions of order 1, each rounded to eps.
            np.testing.assert_allclose(found["x"][trial, k], x, atol=1e-12)
    # r of the rate text belongs to the x of its own sample.
    np.testing.assert_allclose(found["r"], np.tanh(found["x"]), atol=1e-12)


def test_spikes_are_a_sorted_table_within_the_trials(compiled_or_xla):
    spikes = compiled_or_xla.spikes
    trial, unit, time = events(compiled_or_xla).values()
    sizes = {"n_trials": TRIALS, "n_units": UNITS * NEURONS}
    assert spikes.attrs == sizes | {"t_start": 0.0, "duration": pytest.approx(SAMPLES * 0.01), "dt": DT}
    assert (trial.dtype, unit.dtype, time.dtype) == (np.int64, np.int64, np.float64)
    np.testing.assert_array_equal(np.lexsort((unit, time, trial)), np.arange(time.size))
    assert set(trial) == set(range(TRIALS))
    assert unit.min() >= 0
    assert unit.max() < UNITS * NEURONS
    assert time.min() >= 0
    assert time.max() < SAMPLES * 0.01 - DT / 2
    np.testing.assert_allclose(time / DT, np.rint(time / DT), atol=1e-6)
    assert compiled_or_xla.spike_count == time.size > 100
    # Refractoriness: a neuron's own spikes are never closer than t_ref.
    order = np.lexsort((time, unit, trial))
    same = (np.diff(trial[order]) == 0) & (np.diff(unit[order]) == 0)
    assert np.diff(time[order])[same].min() >= 2e-3 - 1e-9


@pytest.fixture(scope="module")
def compiled_or_xla():
    return simulate(MODEL, "spiking", ARRAYS, INPUTS, engine="xla", **SPIKING)


@pytest.mark.parametrize("engine", ["xla", "numpy"])
@pytest.mark.failure("model: empty group, one unit, zero trials, zero synapses")
def test_one_unit_one_trial_one_sample(engine):
    p = network(units=1)
    u = trials(1, samples=1)
    found = simulate(MODEL, "rate", p._asdict(), u, dt=0.01, engine=engine).activity["x"]
    expected = 0.9 * p.x0 + 0.1 * (p.W_rec @ np.tanh(p.x0) + p.W_in @ u[0, 0].to_numpy() + p.b)
    assert found.shape == (1, 1, 1)
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-14)


@pytest.mark.failure("model: no spikes at all, or every neuron at its limit")
@pytest.mark.parametrize("engine", ["xla", "numpy"])
def test_no_spikes_at_all(engine):
    silent = ARRAYS | {"gain": np.zeros(UNITS * NEURONS), "bias": np.zeros(UNITS * NEURONS)}
    found = simulate(MODEL, "spiking", silent, INPUTS[:2], engine=engine, **SPIKING)
    assert found.spike_count == found.spikes.sizes["event"] == 0
    assert found.spikes.attrs["note"] == "every neuron is silent"
    statistics = spike_statistics(found.spikes, 2e-3, 0.01)
    assert statistics.attrs["reason"] == "every neuron is silent"
    assert np.isnan([float(statistics[f"mean_{name}"]) for name in ("cv", "fano_factor", "correlation")]).all()
    assert float(statistics["mean_rate"]) == 0
    assert simulate(MODEL, "rate", PARAMETERS._asdict(), INPUTS[:2], dt=0.01, engine=engine).spike_count == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"engine": "gpu"}, "the engine is 'gpu', expected one of cpp, xla, numpy"),
        ({"inputs": INPUTS[:0]}, "inputs have no trial"),
        ({"inputs": INPUTS[:, :0]}, "input_steps is 0"),
        ({"batch": 0}, "batch is 0|trials is 0"),
        ({"writing": "baroque"}, "no writing 'baroque'"),
        ({"dt": 0.003}, "input_dt is 0.01 s, not a multiple of dt = 0.003 s"),
        ({"dt": 0.0}, "dt is 0.0 s, must be positive"),
        ({"record_dt": 0.015}, "record_dt is 0.015 s"),
        ({"record_dt": 0.05}, r"record_dt is 0.05 s, must divide the inputs' duration of 0.12 s"),
        ({"model": MODEL.with_constants(tau=5 * ms)}, "dt = 0.01 s is larger than tau = 0.005 s"),
        ({"values": {**PARAMETERS._asdict(), "b": np.zeros(9)}}, r"b has the shape \(9,\), expected \(4,\)"),
        ({"inputs": INPUTS[:, :, :1]}, r"W_in has the shape \(4, 2\), expected \(4, 1\)"),
    ],
)
@pytest.mark.failure("model: dt too large for tau")
@pytest.mark.failure("model: negative tau, zero dt, weights that are not finite")
@pytest.mark.failure("model: weights of the wrong shape")
@pytest.mark.failure("model: input dt is no multiple of dt")
@pytest.mark.failure("model: duration is no multiple of dt")
@pytest.mark.failure("model: empty group, one unit, zero trials, zero synapses")
def test_what_does_not_fit_is_refused(change, words):
    given = {
        "model": MODEL,
        "writing": "rate",
        "values": PARAMETERS._asdict(),
        "inputs": INPUTS,
        "dt": 0.01,
        "engine": "xla",
    }
    with pytest.raises(CortwinError, match=words):
        simulate(**(given | change))


@pytest.mark.parametrize("engine", ["xla", "numpy"])
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.failure("row 7: NaN, or 1e206, is told once per process")
def test_a_blow_up_is_no_result(engine):
    """Recurrent ReLU with an eigenvalue of 1e30 leaves the range of float64 within 12 steps of 1e29."""
    model = elman.model("relu")
    wild = PARAMETERS._replace(W_rec=1e30 * np.eye(UNITS), x0=np.ones(UNITS))
    with pytest.raises(RunFailed, match=r"numbers of recorded_cortex\.\w+ are not finite"):
        simulate(model, "rate", wild._asdict(), INPUTS, dt=0.01, engine=engine)


@pytest.mark.failure("model: no spikes at all, or every neuron at its limit")
@pytest.mark.parametrize(("background", "note"), [(1e6, "every neuron fires at 1/t_ref = 500 Hz"), (1.2, None)])
def test_every_neuron_at_its_limit(background, note):
    model = lif.model()
    values = lif.initial(np.random.default_rng(0), 2, 5, jump=0.0)._asdict() | {"b": np.full(5, background)}
    found = simulate(model, "spiking", values, INPUTS[:2], engine="numpy", dt=1e-4, spikes=True, batch=2)
    assert found.spike_count > 0
    assert found.spikes.attrs.get("note") == note


@pytest.mark.parametrize("engine", ["xla", "numpy"])
@pytest.mark.failure("row 8: the reset hides a blow-up")
def test_a_blow_up_that_a_reset_hides_is_no_result(engine):
    """Four of five neurons spike at once; their jumps add up to 3.6e100 in the fifth, which spikes and is put back."""
    model = lif.model()
    values = lif.initial(np.random.default_rng(0), 2, 5)._asdict()
    jumps = np.zeros((5, 5))  # (target, source)
    jumps[4, :4] = 9e99
    wild = values | {"W_rec": jumps, "v0": np.array([2.0, 2.0, 2.0, 2.0, 0.0])}
    words = r"cortex: the states of 1 of 5 neurons were not finite or beyond .* their resets hid it"
    with pytest.raises(RunFailed, match=words):
        simulate(model, "spiking", wild, INPUTS[:1], engine=engine, dt=1e-4, spikes=True, batch=1)


@pytest.mark.parametrize("engine", ["xla", "numpy"])
def test_a_blow_up_of_a_silent_neuron_is_no_result(engine):
    """A neuron that is inhibited beyond the bound is not reset; nothing but spikes is recorded."""
    model = lif.model()
    values = lif.initial(np.random.default_rng(0), 2, 5)._asdict()
    jumps = np.zeros((5, 5))  # (target, source)
    jumps[4, :4] = -9e99
    wild = values | {"W_rec": jumps, "v0": np.array([2.0, 2.0, 2.0, 2.0, 0.0])}
    with pytest.raises(RunFailed, match=r"^1 of 5 numbers of cortex\.v are not finite or beyond 1e\+100"):
        simulate(model, "spiking", wild, INPUTS[:1], engine=engine, dt=1e-4, spikes=True, batch=1)


@pytest.mark.failure("model: empty group, one unit, zero trials, zero synapses")
@pytest.mark.parametrize("engine", ["xla", "numpy"])
def test_no_synapse_at_all(engine):
    """Units that only decay, beside an input that nobody hears."""
    assert not doctor.LEAK.pathways
    lacking, constants = Lacking("a test"), {"tau": 10 * ms}
    model = Model("m", lacking, doctor.LEAK, lacking, lacking, {"x0": ("units",)}, tuple, np.zeros, constants)
    found = simulate(model, "rate", {"x0": np.array([1.0, -2.0])}, INPUTS[:1], dt=1e-3, engine=engine).activity["x"]
    np.testing.assert_allclose(found[0, -1], np.array([1.0, -2.0]) * 0.9**120, rtol=1e-12)


def test_brian2_is_left_as_it_was():
    before = brian2.get_device(), brian2.prefs.codegen.target
    simulate(MODEL, "rate", PARAMETERS._asdict(), INPUTS, dt=0.01, engine="xla")
    assert (brian2.get_device(), brian2.prefs.codegen.target) == before
