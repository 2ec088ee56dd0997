"""The builder's arrays and Brian2 objects: order of synapses, trials side by side, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from brian2 import Hz, ms, seed

from cortwin.builder import Layout, arrays, connections, interpreted, objects, owner, synaptic_events
from cortwin.drives import PoissonDrive
from cortwin.errors import CortwinError
from cortwin.models import elman, lif

MODEL = elman.model()
LAYOUT = Layout(
    inputs=2, units=3, outputs=1, neurons_per_unit=4, trials=2, dt=0.001, input_dt=0.01, input_steps=5, record_dt=0.005
)
PARAMETERS = elman.initial(np.random.default_rng(3), 2, 3, 1)
INPUTS = np.arange(2 * 5 * 2, dtype=float).reshape(2, 5, 2)


def test_weights_follow_the_synapses():
    data = arrays(MODEL, "rate", LAYOUT, PARAMETERS._asdict(), INPUTS)
    text = MODEL.rate
    for name, array in (("recurrence", PARAMETERS.W_rec), ("feedforward", PARAMETERS.W_in)):
        source, target = connections(name, text, LAYOUT, name)
        n_target, n_source = array.shape
        expected = [array[j % n_target, i % n_source] for i, j in zip(source, target, strict=True)]
        np.testing.assert_array_equal(data[f"{name}.w"], expected)
        # Synapses stay within their trial.
        np.testing.assert_array_equal(source // n_source, target // n_target)
        assert len(source) == LAYOUT.trials * array.size


def test_inputs_lie_side_by_side_and_missing_trials_are_silent():
    full = arrays(MODEL, "rate", LAYOUT, PARAMETERS._asdict(), INPUTS)["stimulus.values"]
    np.testing.assert_array_equal(full[:, :2], INPUTS[0])
    np.testing.assert_array_equal(full[:, 2:], INPUTS[1])
    part = arrays(MODEL, "rate", LAYOUT, PARAMETERS._asdict(), INPUTS[:1])["stimulus.values"]
    np.testing.assert_array_equal(part[:, 2:], 0)


def test_neurons_belong_to_their_unit():
    np.testing.assert_array_equal(owner(LAYOUT, "neurons", "units", "here"), np.arange(24) // 4)
    with pytest.raises(CortwinError, match="belongs to no element"):
        owner(LAYOUT, "inputs", "units", "here")


def test_the_schedule_sums_before_it_advances():
    """Pathways in the order of the page, then populations: forward Euler on one and the same state."""
    with interpreted():
        network = objects(MODEL, "rate", LAYOUT)
    in_groups = [item.name for item in network.sorted_objects if item.when == "groups"]
    assert in_groups == [
        "feedforward_summed_variable_drive_post",
        "recurrence_summed_variable_recurrent_post",
        "input_stateupdater",
        "cortex_stateupdater",
    ]


def test_a_drive_arrives_with_the_spikes():
    drive = PoissonDrive("cortex", "x", number=1000, rate="nu", weight="J")
    model = replace(
        MODEL,
        rate=replace(MODEL.rate, drives={"background": drive}),
        constants={**MODEL.constants, "nu": 20 * Hz, "J": 0.125},
    )
    with interpreted():
        network = objects(model, "rate", LAYOUT, arrays(model, "rate", LAYOUT, PARAMETERS._asdict(), INPUTS))
        (found,) = [item for item in network.sorted_objects if item.name == "background"]
        assert (found.when, found.clock.name) == ("synapses", "simulation_clock")
        x = network["cortex"].variables["x"].get_value()
        before = x.copy()
        seed(5)
        found.before_run({})
        found.run()
    counts = (x - before) / 0.125
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-12)
    # 6 Poisson numbers of mean 1000 * 20 Hz * 1 ms = 20: the sum is within six standard errors.
    assert abs(counts.sum() - 6 * 20) < 6 * np.sqrt(6 * 20)
    assert len(set(np.rint(counts))) > 1


def test_one_time_step_by_hand():
    """x_1 = x_0 + dt/tau (-x_0 + W tanh(x_0) + U u + b) for one unit, written out."""
    parameters = elman.Parameters(
        W_rec=np.array([[0.5]]),
        W_in=np.array([[2.0]]),
        b=np.array([0.1]),
        x0=np.array([0.3]),
        W_out=np.ones((1, 1)),
        b_out=np.zeros(1),
    )
    layout = Layout(
        inputs=1,
        units=1,
        outputs=1,
        neurons_per_unit=1,
        trials=1,
        dt=0.01,
        input_dt=0.01,
        input_steps=1,
        record_dt=0.01,
    )
    data = arrays(MODEL, "rate", layout, parameters._asdict(), np.array([[[0.7]]]))
    with interpreted():
        network = objects(MODEL, "rate", layout, data)
        network.run(2 * layout.dt * 1000 * ms, namespace={})
    by_hand = 0.3 + 0.1 * (-0.3 + 0.5 * 0.2913126124515909 + 2.0 * 0.7 + 0.1)
    assert network["recorded_cortex"].x[0, 1] == pytest.approx(by_hand, rel=1e-14)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"units": 0}, "units is 0, must be at least 1"),
        ({"trials": 0}, "trials is 0"),
        ({"input_steps": 0}, "input_steps is 0"),
        ({"dt": 0.0}, "dt is 0.0 s, must be positive"),
        ({"dt": float("nan")}, "dt is nan"),
        ({"dt": 0.003}, "input_dt is 0.01 s, not a multiple of dt = 0.003 s"),
        ({"record_dt": 0.0015}, "record_dt is 0.0015 s, not a multiple"),
    ],
)
@pytest.mark.failure("model: empty group, one unit, zero trials, zero synapses")
@pytest.mark.failure("model: negative tau, zero dt, weights that are not finite")
@pytest.mark.failure("model: input dt is no multiple of dt")
def test_layouts_are_refused(changes, words):
    with pytest.raises(CortwinError, match=words):
        replace(LAYOUT, **changes)


@pytest.mark.parametrize(
    ("change", "inputs", "words"),
    [
        ({"b": np.zeros(4)}, INPUTS, r"b has the shape \(4,\), expected \(3,\)"),
        ({"W_rec": np.full((3, 3), np.nan)}, INPUTS, "weights must be finite"),
        ({}, INPUTS[:, :4], r"inputs have the shape \(2, 4, 2\), expected at most \(2, 5, 2\)"),
        ({}, np.full_like(INPUTS, np.inf), "20 numbers that are not finite"),
        ({}, np.zeros((3, 5, 2)), "at most"),
    ],
)
@pytest.mark.failure("row 1: a run argument is inf or nan")
@pytest.mark.failure("row 19: an input shorter than the run")
@pytest.mark.failure("model: weights of the wrong shape")
@pytest.mark.failure("model: negative tau, zero dt, weights that are not finite")
def test_numbers_are_refused(change, inputs, words):
    with pytest.raises(CortwinError, match=words):
        arrays(MODEL, "rate", LAYOUT, {**PARAMETERS._asdict(), **change}, inputs)


def test_a_missing_array_is_named():
    with pytest.raises(CortwinError, match=r"no array 'decoder' for decode\.d|no array 'gain'|no array 'r0'"):
        arrays(MODEL, "spiking", LAYOUT, PARAMETERS._asdict(), INPUTS)


@pytest.mark.failure("model: dt too large for tau")
def test_dt_above_the_time_constant_is_refused():
    with pytest.raises(CortwinError, match=r"dt = 0.01 s is larger than tau = 0.005 s, the time constant of x"):
        arrays(
            MODEL.with_constants(tau=5 * ms),
            "rate",
            replace(LAYOUT, dt=0.01, record_dt=0.01),
            PARAMETERS._asdict(),
            INPUTS,
        )


def test_synaptic_events_are_those_of_the_explicit_network():
    assert synaptic_events(MODEL, 10, 12) == 120
    assert synaptic_events(lif.model(), 10, 12) == 120
