"""The experiments on gradients of spiking networks, at sizes of a few neurons, and what they say where a peer lacks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, StateMonitor, TimedArray, amp, ms, mV, second

from cortwin import speed
from cortwin.errors import CortwinError
from cortwin.experiment import Run, load_experiment
from cortwin.parameters import resolve
from cortwin.speed import environments


def computed(name, *, module=None, **given):
    """Run an experiment with some names of its module replaced: fewer kinds, fewer compilations."""
    experiment = load_experiment(name)
    for key, value in (module or {}).items():
        setattr(experiment.module, key, value)
    run = Run(show=False, quick=True, engine="numpy")
    results = experiment.compute(run, resolve(experiment.declared, given, quick=True))
    assert experiment.draw(results)
    assert experiment.sections(results, [])
    return results


class Fixed(speed.Race):
    """Contestants whose seconds are known: so many for a step of each, times their threads."""

    def __init__(self, field):
        super().__init__([])
        self.field = field

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def measure(self, case, repetitions, contestants=None):
        each = {"ours": 4e-3 if case["gradient"] else 2e-3, "norse": 12e-3, "cpp": 1e-3}
        there = [one for one in self.field if one.name in contestants]
        return {(one.name, one.threads): [{"seconds": each[one.name] * one.threads}] * repetitions for one in there}


@pytest.mark.parametrize("engine", ["numpy", "cpp"])
def test_gradient_speed_compares_medians_and_names_what_is_not_installed(engine, monkeypatch, tmp_path):
    experiment = load_experiment("gradient_speed")
    monkeypatch.setattr(experiment.module, "interpreters", lambda folder, names: {"norse": str(tmp_path / "python")})
    monkeypatch.setattr(experiment.module, "version", lambda python, package: "1.0")
    monkeypatch.setattr(experiment.module.Race, "running", Fixed)
    run = Run(show=False, quick=True, engine=engine)
    results = experiment.compute(run, resolve(experiment.declared, {"threads": 2}, quick=True))
    assert results.metrics["speed.gradient.norse"] == pytest.approx(3)
    assert results.metrics["gradient.over_forward"] == pytest.approx(2)
    assert results.metrics["gradient.milliseconds"] == pytest.approx(2)
    assert results.metrics["speed.gradient.snntorch"] is None
    assert results.reasons["speed.gradient.snntorch"] == "snnTorch is not installed: see 'Benchmarks' in the README"
    if engine == "cpp":
        assert results.metrics["speed.forward.cpp"] == pytest.approx(0.5)
    else:
        assert results.reasons["speed.forward.cpp"] == "the engine is not C++"
    assert {row["threads"] for row in results.tables["times"]} == {1}
    assert {"package": "Norse", "version": "1.0"} in results.tables["versions"]
    assert experiment.draw(results)


def test_everybody_who_is_raced_with_has_a_script():
    module = load_experiment("gradient_speed").module
    everybody = dict.fromkeys(environments.TRAINED, "python")
    field = [*module._contestants(everybody, 1), *module._contestants({}, 1, "cpp")]
    assert all(one.script.is_file() for one in field)
    assert {one.name for one in field} == set(module.NAMES)


def test_gradients_through_spikes_begin_at_one_and_explode_around_the_reset():
    few = {"SURROGATES": ("fast_sigmoid", "straight_through")}
    results = computed("gradient_through_spikes", module=few, units=8, steps=25, trials=2)
    rows = {(row["surrogate"], row["reset"]): row for row in results.tables["surrogates"]}
    assert len(rows) == 4
    for name, norms in results.weights.items():
        np.testing.assert_allclose(np.asarray(norms)[:, 0], 1, rtol=1e-12, err_msg=name)
    # A constant derivative is felt however far the threshold is; the reset takes away what a spike adds.
    through, around = (rows["straight_through", reset]["last"] for reset in ("through", "around"))
    assert around > 2 * through
    assert rows["fast_sigmoid", "through"]["cosine.last"] == pytest.approx(1)


def test_spikes_are_trained_on_every_task():
    sizes = {"units": 10, "updates": 2, "trials": 8, "tests": 1}
    results = computed("train_spikes", tasks=("xor",), **sizes)
    (row,) = results.tables["tasks"]
    assert row["different"] == 0
    assert row["error"] == row["error_cpp"] > 0
    with pytest.raises(CortwinError, match="tasks"):
        computed("train_spikes", tasks=("chess",), **sizes)


def fits_of(module):
    return {
        "HH, potential": module.Fit("hodgkin_huxley", False, False, ("gradient", "simplex"), peer=True),
        "AdEx, potential": module.Fit("adex", False, True, ("gradient",), peer=True),
        "AdEx, spikes": module.Fit("adex", True, True, ("gradient",)),
        "AdEx, own resets": module.Fit("adex", False, False, ("adam",)),
    }


def test_parameters_of_neurons_are_found_again():
    fits = fits_of(load_experiment("fit_neuron").module)
    results = computed("fit_neuron", module={"FITS": fits}, seeds=1, duration=20 * ms, longer=20, evaluations=60)
    rows = {(row["fit"], row["method"]): row for row in results.tables["fits"]}
    assert set(rows) == {(name, method) for name, fit in fits.items() for method in fit.methods}
    # Noise of 0.5 mV on 400 samples of a spike of 100 mV.
    assert rows["HH, potential", "gradient"]["error"] < 0.1
    # Where a search ends the loss is at most that of the truth: (0.5 mV / 1 mV)^2 and its sampling error.
    for name in ("HH, potential", "AdEx, potential"):
        row = rows[name, "gradient"]
        assert row["loss"] <= row["loss.truth"] < 0.25 + 5 * 0.25 * np.sqrt(2 / 400), name
    # 0.4 s hold ten spikes, each of which tells b and g_leak; a alone is weak (see the experiment).
    assert rows["AdEx, potential", "gradient"]["error.g_leak"] < 0.02
    assert rows["AdEx, potential", "gradient"]["error.b"] < 0.05
    assert rows["AdEx, potential", "gradient"]["error"] < rows["AdEx, own resets", "adam"]["error"]
    lacks = {f"speed.fit_neuron.{neuron}.potential.brian2modelfitting" for neuron in ("HH", "AdEx")}
    assert {name for name, value in results.metrics.items() if value is None} == lacks
    missing = "brian2modelfitting is not installed: see 'Benchmarks' in the README"
    assert results.reasons == dict.fromkeys(lacks, missing)
    assert results.tables["versions"] == []


class Fitted(speed.Race):
    """A peer that knows the conductances: off by a tenth after 2 s of evolution, and right, refined, after 6 s."""

    def __init__(self, field):
        super().__init__([])
        self.field, self.cases = field, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def measure(self, case, repetitions, contestants=None):
        json.dumps(case)
        self.cases.append(case)
        (one,) = self.field
        truth = {"g_leak": 0.3e-3, "g_Na": 120e-3, "g_K": 36e-3}
        evolution = {"values": {**truth, "g_K": 1.1 * truth["g_K"]}, "loss": 1.0, "evaluations": 8, "seconds": 2.0}
        refined = {"values": truth, "loss": 0.25, "evaluations": 10, "seconds": 6.0}
        return {(one.name, one.threads): [{"seconds": 6.0, "evolution": evolution, "refined": refined}] * repetitions}


def test_fits_of_brian2modelfitting_stand_beside_ours(monkeypatch, tmp_path):
    module = load_experiment("fit_neuron").module
    races = []

    def race(field):
        races.append(Fitted(field))
        return races[-1]

    python = str(tmp_path / "python")
    monkeypatch.setattr(module, "interpreters", lambda folder, names: dict.fromkeys(names, python))
    monkeypatch.setattr(module, "version", lambda python, package: "0.4")
    monkeypatch.setattr(module.Race, "running", race)
    fits = {"HH, potential": fits_of(module)["HH, potential"]._replace(methods=("gradient",))}
    results = computed("fit_neuron", module={"FITS": fits}, seeds=1, duration=20 * ms, noise=1e-9 * mV, evaluations=90)
    rows = {row["method"]: row for row in results.tables["fits"]}
    assert list(rows) == ["gradient", "evolution", "refined"]
    assert (rows["evolution"]["error"], rows["evolution"]["evaluations"]) == (pytest.approx(0.1), 8)
    assert (rows["refined"]["error"], rows["refined"]["seconds"]) == (0, 6)
    ratio = results.metrics["speed.fit_neuron.HH.potential.brian2modelfitting"]
    assert ratio == pytest.approx(6 / rows["gradient"]["seconds"])
    assert results.tables["versions"] == [{"package": "brian2modelfitting", "version": "0.4"}]
    ((case,),) = (one.cases for one in races)
    assert races[0].field[0].script.is_file()
    assert case["rounds"] * case["samples"] + case["refinements"] == 90
    (low, high) = case["bounds"]["g_K"]
    assert low < 36e-3 < high == pytest.approx(np.exp(2 * 3 * 0.2) * low)
    np.testing.assert_allclose(told_of(module, case, "hodgkin_huxley"), case["target"], atol=1e-10)


def told_of(module, case, neuron):
    """Return the potential of the neuron that a case tells of, at the true parameters, simulated by Brian2."""
    dt = case["dt"] * second
    namespace = {
        "heard": TimedArray(case["stimulus"] * amp, dt=dt),
        "spiked": TimedArray(np.array(case["spikes"], dtype=float), dt=dt),
    }
    model = case["model"] + "stimulus = heard(t) : amp\n"
    options = {key: case[key] for key in ("method", "threshold", "reset")}
    group = NeuronGroup(1, model, dt=dt, namespace=namespace, **options)
    truth = {key: float(value) for key, value in module.NEURONS[neuron].truth.items()}
    group.set_states({**case["initial"], **truth}, units=False)
    monitor = StateMonitor(group, "seen", record=True, dt=dt)
    Network(group, monitor).run(len(case["target"]) * dt)
    return np.asarray(monitor.seen[0])


def test_a_forced_neuron_at_the_true_parameters_is_the_neuron_and_its_losses_have_their_gradients():
    module = load_experiment("fit_neuron").module
    truth = {key: float(value) for key, value in module.NEURONS["adex"].truth.items()}
    run = Run(show=False, quick=True, engine="numpy")
    for name in ("AdEx, potential", "AdEx, spikes"):
        (both, alone), record = module._objectives(run, fits_of(module)[name], 0.2, 0.5e-3)
        assert record["spikes"].sum() >= 3
        if name == "AdEx, potential":
            assert both(record, truth)[0] == 0
            case = module._case(run, fits_of(module)[name], record, truth, 2.0, 100)
            seen = np.minimum(case["target"], module.THRESHOLD)
            np.testing.assert_allclose(told_of(module, case, "adex"), seen, rtol=1e-9)
        else:
            assert alone(record, truth)[0] == pytest.approx(float(both(record, truth)[0]), rel=1e-12)
        there = {key: 1.1 * value for key, value in truth.items()}
        gradients = both(record, there)[1]
        for key, value in there.items():
            step = 1e-6 * value
            ends = [float(alone(record, {**there, key: value + side * step})[0]) for side in (-1, 1)]
            # A centred difference of relative step 1e-6: rounding 1e-16 / 1e-6, and curvature of spikes' upstrokes.
            assert float(gradients[key]) == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-4), (name, key)


def test_the_surprise_of_spikes_is_that_of_a_point_process():
    module = load_experiment("fit_neuron").module
    potential, spikes = np.array([-60e-3, -42e-3, -40e-3, -20e-3]), np.array([0, 1, 0, 1])
    dt, jitter = 1e-4, 5e-4
    rate = np.exp(np.minimum(potential + 40e-3, 0) / module.SOFTNESS) / jitter
    # -log of exp(-integral of the rate) times the product of the rates at spikes, over two spikes
    expected = -(-(rate * dt).sum() + np.log(rate[1]) + np.log(rate[3])) / 2
    assert float(module._surprise(potential, spikes, dt, jitter)) == pytest.approx(expected, rel=1e-12)
