"""The experiments on gradients of spiking networks, at sizes of a few neurons, and what they say where a peer lacks."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms

from cortwin import speed
from cortwin.errors import CortwinError
from cortwin.experiment import Run, load_experiment
from cortwin.parameters import resolve


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


def test_gradient_speed_compares_medians_and_names_what_is_not_installed(monkeypatch):
    class Fixed(speed.Race):
        def __init__(self):
            super().__init__([])

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def times(self, case, repetitions, contestants):
            each = {"spiking.ours": 2e-3 if case.gradient else 1e-3, "spiking.norse": 6e-3}
            return {(who, n): [each[who] * n] * repetitions for who in contestants for n in (1, 2)}

    experiment = load_experiment("gradient_speed")
    there = ("spiking.ours", "spiking.norse", "spiking.cpp")
    monkeypatch.setattr(experiment.module, "installed", lambda name: {name: "1"} if name in there else None)
    monkeypatch.setattr(experiment.module.Race, "running", lambda *_: Fixed())
    run = Run(show=False, quick=True, engine="numpy")
    results = experiment.compute(run, resolve(experiment.declared, {}, quick=True))
    assert results.metrics["speed.gradient.norse"] == pytest.approx(3)
    assert results.metrics["gradient.over_forward"] == pytest.approx(2)
    assert results.metrics["speed.gradient.snntorch"] is None
    assert results.reasons["speed.gradient.snntorch"] == "not installed: pip install -e '.[spiking]'"
    assert results.reasons["speed.forward.cpp"] == "the engine is not C++"
    assert {row["threads"] for row in results.tables["times"]} == {1}
    assert experiment.draw(results)


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


def test_parameters_of_neurons_are_found_again():
    fits = {
        "HH, potential": ("hodgkin_huxley", False, ("gradient", "simplex")),
        "AdEx, spike times": ("adex", True, ("adam",)),
    }
    results = computed("fit_neuron", module={"FITS": fits}, seeds=1, duration=20 * ms, evaluations=15)
    rows = {(row["fit"], row["method"]): row for row in results.tables["fits"]}
    assert set(rows) == {(fit, method) for fit, (_, _, methods) in fits.items() for method in methods}
    # Noise of 0.5 mV on 400 samples of a spike of 100 mV.
    assert rows["HH, potential", "gradient"]["error"] < 0.1
    assert rows["HH, potential", "gradient"]["loss"] < 0.5
    assert results.metrics["fit_neuron.brian2modelfitting"] is None
    assert results.reasons["fit_neuron.brian2modelfitting"]
