"""The same done to every writing: exact where the writings are, alike where spikes come near, and nothing otherwise."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace

import numpy as np
import pytest
from brian2 import ms

from cortwin import resources
from cortwin.activity import activity
from cortwin.analysis import nrmse
from cortwin.builder import Layout, arrays, interpreted, objects
from cortwin.cpp import cache
from cortwin.errors import CortwinError
from cortwin.intervention import Intervention, state_of, variable_of
from cortwin.ladder import Spiking
from cortwin.model import Lacking
from cortwin.models import attention, lif, relay
from cortwin.perturbation import Clamp, Lesion, Noise, Pulse, ScaleWeights, TimeConstant, perturb
from cortwin.simulation import simulate
from cortwin.training import run_textbook, textbook_signals
from cortwin.twins import WRITINGS, Twins

DT, STEPS, TRIALS, UNITS = 0.01, 24, 3, 6
PAGES = {name: importlib.import_module(f"cortwin.models.{name}") for name in ("elman", "feedforward", "gru", "jordan")}
PAGES |= {name: importlib.import_module(f"cortwin.models.{name}") for name in ("lstm", "relay", "sublstm")}
HANDS = (Clamp([0, 3], [0.5, -1.0], 0.05, 0.1), Pulse([1, 3], 3.0, 0.08, 0.2), Noise(1.0, 7))
EVERY = {
    "lesion": Lesion([1, 4]),
    "clamp": HANDS[0],
    "pulse": HANDS[1],
    "noise": HANDS[2],
    "weights": ScaleWeights("W_rec", 0.5),
    "tau": TimeConstant("tau", 2.0),
    "together": (*HANDS, Lesion(2), ScaleWeights("W_in", [0.5, 2.0]), TimeConstant("tau", value=150 * ms)),
}
# As exact as the writings are without a hand (rung R2 of the ladder): a few roundings in every step.
EXACT = 1e-10


def trials(seed=0, n=TRIALS, t_start=0.0):
    values = np.random.default_rng(seed).standard_normal((n, STEPS, 2))
    return activity(values, dt=DT, t_start=t_start, last="input", name="input")


def network(page, seed=0, gain=1.5):
    model = PAGES[page].model()
    drawn = model.initial(np.random.default_rng(seed), 2, UNITS, 2)
    matrices = {n: gain * getattr(drawn, n) for n in drawn._fields if model.shapes[n] == ("units", "units")}
    return model, drawn._replace(**matrices)


def exact_writings(model, parameters, perturbations, engine="xla", batch=2):
    """Return the textbook and the rate text, at the same dt, with the same done to both."""
    inputs = trials()
    done = perturb(model, parameters, perturbations, inputs)
    textbook = run_textbook(
        done.model, done.parameters, inputs, DT / float(done.model.constants["tau"]), done.intervention
    )
    rate = simulate(
        done.model, "rate", done.parameters._asdict(), inputs, dt=DT, intervention=done.intervention,
        engine=engine, batch=batch,
    ).activity  # fmt: skip
    return textbook, rate


def largest(first, second):
    return max(float(np.abs(first[name] - second[name]).max()) for name in ("x", "r"))


@pytest.mark.parametrize("perturbation", EVERY.values(), ids=EVERY)
def test_the_rate_text_is_the_textbook_under_every_perturbation(perturbation):
    model, parameters = network("elman")
    textbook, rate = exact_writings(model, parameters, perturbation)
    assert largest(textbook, rate) < EXACT
    plain = run_textbook(model, parameters, trials(), 0.1)
    assert largest(textbook, plain) > 0.05


@pytest.mark.parametrize("page", [name for name in PAGES if name != "elman"])
def test_the_rate_text_of_every_page_is_the_textbook_under_all_at_once(page):
    model, parameters = network(page)
    (weights, *_) = [name for name in model.trained._fields if model.shapes[name] == ("units", "inputs")]
    done = (*HANDS, Lesion(2), ScaleWeights(weights, 0.5), TimeConstant("tau", 1.5))
    assert largest(*exact_writings(model, parameters, done)) < EXACT


@pytest.mark.parametrize("arguments", [(), ("softmax",)], ids=["linear", "softmax"])
def test_attention_is_held_too(arguments):
    model = attention.model(*arguments)
    sizes = {"slots": STEPS} if arguments else {}
    parameters = model.initial(np.random.default_rng(0), 2, UNITS, 2, **sizes)
    assert largest(*exact_writings(model, parameters, HANDS)) < EXACT


@pytest.mark.cpp
@pytest.mark.parametrize("page", ["elman", "lstm", "feedforward"])
def test_the_compiled_rate_text_too_and_another_amplitude_compiles_nothing(page):
    model, parameters = network(page)
    textbook, rate = exact_writings(model, parameters, HANDS, engine="cpp")
    assert largest(textbook, rate) < EXACT
    inputs = trials()
    done = perturb(model, parameters, (Clamp(2, 0.7, 0.02), Noise(0.1, 1)), inputs)
    again = simulate(
        model, "rate", parameters._asdict(), inputs, dt=DT, batch=2, intervention=done.intervention, engine="cpp"
    )
    assert again.build_seconds == 0
    assert largest(run_textbook(model, parameters, inputs, 0.1, done.intervention), again.activity) < EXACT


@pytest.mark.cpp
@pytest.mark.parametrize("page", ["elman", "gru"])
def test_both_compilers_give_the_same_spikes_under_a_hand(page):
    model, parameters = network(page)
    drawn = Spiking(dt=5e-4).arrays(
        model, parameters, textbook_signals(model, parameters, trials(), 0.1), 4, np.random.SeedSequence(1)
    )
    done = perturb(model, parameters, HANDS, trials())
    compiled, other = (
        simulate(
            model, "spiking", drawn, trials(), dt=5e-4, neurons_per_unit=4, spikes=True,
            intervention=done.intervention, engine=engine, batch=2,
        )
        for engine in ("cpp", "xla")
    )  # fmt: skip
    assert compiled.spike_count > 100
    for name in ("trial", "unit", "time"):
        np.testing.assert_array_equal(compiled.spikes[name], other.spikes[name])
    assert largest(compiled.activity, other.activity) < 1e-9


def test_a_slow_loop_in_numpy_does_the_same():
    """Clamp, pulse and noise at dt / 5, written from the definitions: the hand is held over each textbook step."""
    model, parameters = network("elman")
    p, inputs = parameters, trials(t_start=-0.1)
    clamp, pulse, noise = Clamp([0, 3], [0.5, -1.0], -0.05, 0.0), Pulse([1, 3], 3.0, -0.02, 0.1), Noise(0.7, 11)
    drawn = 0.7 * np.random.default_rng(11).standard_normal((TRIALS, STEPS, UNITS))
    fine, expected = 5, np.zeros((TRIALS, STEPS, UNITS))
    for trial in range(TRIALS):
        x = np.array(p.x0, dtype=float)
        for step in range(STEPS):
            # In whole steps: -0.1 s is step 0, so -0.05 s is step 5, and so on.
            for _ in range(fine):
                push = drawn[trial, step].copy()
                if 8 <= step < 20:
                    push[[1, 3]] += 3.0
                slope = -x + p.W_rec @ np.tanh(x) + p.W_in @ inputs.to_numpy()[trial, step] + p.b + push
                x = x + DT / fine / 0.1 * slope
                if 5 <= step < 10:
                    x[0], x[3] = 0.5, -1.0
            expected[trial, step] = x
    done = perturb(model, parameters, (clamp, pulse, noise), inputs)
    found = simulate(
        model, "rate", p._asdict(), inputs, dt=DT / fine, intervention=done.intervention, engine="xla", batch=2
    )
    assert float(np.abs(found.activity["x"] - expected).max()) < EXACT
    assert done.touched == (0, 1, 3)


@pytest.fixture(scope="module", params=["elman", "gru"])
def twins(request):
    model, parameters = network(request.param, gain=1.0)
    signals = textbook_signals(model, parameters, trials(1, 8), 0.1)
    options = {"engine": "xla", "batch": TRIALS}
    return Twins(model, parameters, signals, Spiking(dt=5e-4), 64, np.random.SeedSequence(1), options)


@pytest.fixture(scope="module")
def before(twins):
    return twins.activities(trials())


@pytest.mark.parametrize("perturbation", [Pulse([0, 1], 2.0, 0.05, 0.15), Noise(2.0, 3)], ids=["pulse", "noise"])
def test_spikes_react_like_rates(twins, before, perturbation):
    effects = twins.effects(trials(), perturbation, before)
    found = effects.compared("x")
    assert tuple(effects.after) == WRITINGS
    assert found["rate"]["correlation"] == pytest.approx(1, abs=1e-9)
    assert found["rate"]["gain"] == pytest.approx(1, abs=1e-9)
    assert found["textbook"]["size"] > 0.05
    # Two activities at a distance e from their references have a difference at most 2 e from that of the references.
    distances = [
        float(np.sqrt(((when["spiking"]["x"] - when["textbook"]["x"]) ** 2).sum()))
        for when in (effects.before, effects.after)
    ]
    change = effects.after["textbook"]["x"] - effects.before["textbook"]["x"]
    assert found["spiking"]["distance"] < 1
    assert found["spiking"]["correlation"] > 0.9
    whole = float(np.sqrt(((effects.after["spiking"]["x"] - effects.before["spiking"]["x"] - change) ** 2).sum()))
    assert whole <= sum(distances) * (1 + 1e-12)


def test_a_clamped_unit_stays_where_it_is_held_in_every_writing(twins):
    found = twins.perturbed(trials(), Clamp(4, 0.25, 0.05, 0.1))
    for name, after in found.items():
        x = after["x"][:, :, 4].to_numpy()
        np.testing.assert_array_equal(x[:, 5:10], 0.25, err_msg=name)
        assert (x[:, [4, 10]] != 0.25).all()


def test_nobody_hears_a_lesioned_unit(twins):
    """Whatever is done to it, no other unit and no output of any writing moves, to the last bit."""
    quiet = twins.effects(trials(), Lesion([1]))
    loud = twins.effects(trials(), [Lesion([1]), Pulse(1, 5.0)], quiet.before)
    for name in WRITINGS:
        for quantity in ("x", "r"):
            rest = [0, 2, 3, 4, 5]
            a, b = (found.after[name][quantity].to_numpy() for found in (quiet, loud))
            np.testing.assert_array_equal(a[:, :, rest], b[:, :, rest], err_msg=name)
            assert np.abs(a[:, :, 1] - b[:, :, 1]).max() > 0.1
        np.testing.assert_array_equal(quiet.after[name]["output"], loud.after[name]["output"])
        assert nrmse(quiet.before[name]["x"], quiet.after[name]["x"]) > 0.01
    assert quiet.touched == (1,)
    assert quiet.pair("x")[0]["rate"].sizes["unit"] == UNITS - 1


def test_a_membrane_time_constant_is_the_spiking_writings_alone(twins, before):
    perturbation = TimeConstant("tau_m", 1.5)
    assert perturbation.reaches(twins.model) == ("tuning", "spiking")
    effects = twins.effects(trials(), perturbation, before)
    found = effects.compared("x")
    assert found["textbook"]["size"] == found["rate"]["size"] == 0
    assert found["spiking"]["size"] > 0.005
    assert "textbook: nothing changed" in repr(found["spiking"]["correlation"])


def test_nothing_done_is_nothing_changed(twins, before):
    found = twins.perturbed(trials(), ())
    still = Intervention(*(np.zeros((TRIALS, STEPS, UNITS), dtype) for dtype in (bool, float, float)))
    held = simulate(
        twins.model, "rate", twins.parameters._asdict(), trials(), dt=DT, intervention=still, **twins.options
    )
    for name in WRITINGS:
        np.testing.assert_array_equal(found[name]["x"], before[name]["x"])
    np.testing.assert_array_equal(held.activity["x"], before["rate"]["x"])


LAYOUT = Layout(
    inputs=2, units=4, outputs=2, neurons_per_unit=3, trials=2, dt=1e-3, input_dt=DT, input_steps=5, record_dt=DT
)


def schedule(page, writing, layout):
    """Return name, slot and order of every object, and the code of those that run regularly."""
    with interpreted():
        made = objects(PAGES[page].model(), writing, layout)
        # As before a run: objects that no network ever ran are complained of. Brian2 numbers names that it gave before.
        for part in made.sorted_objects:
            part._network = made.id
        return {
            re.sub(r"_\d+$", "", part.name): (part.when, part.order, str(getattr(part, "abstract_code", "")))
            for part in made.sorted_objects
        }


@pytest.mark.parametrize("page", ["elman", "feedforward", "lstm"])
@pytest.mark.parametrize("writing", ["rate", "spiking"])
def test_a_program_that_is_left_alone_has_nothing_of_it(page, writing):
    plain, held = (schedule(page, writing, replace(LAYOUT, intervention=hand)) for hand in (False, True))
    (added,) = set(held) - set(plain)
    assert added.endswith("_intervention")
    assert "intervention" not in str(plain)
    # Orders in the plain program: a population leaves room for the pathways behind it, and for nothing else.
    text = PAGES[page].model().writing(writing)
    for position, name in enumerate(text.populations):
        assert plain.get(f"{name}_stateupdater", (0, position * (len(text.pathways) + 1)))[1] == position * (
            len(text.pathways) + 1
        )
    # And the hand changes the place of nothing: everything else comes in the same order.
    assert list(plain) == [name for name in held if name != added]


def test_amplitudes_are_data_and_windows_too():
    model, parameters = network("elman")
    layout = replace(LAYOUT, units=UNITS, input_steps=STEPS, intervention=True)
    keys, numbers = set(), []
    for amplitude in (1.0, 2.0):
        done = perturb(model, parameters, Pulse(0, amplitude, 0.0, amplitude / 10), trials(n=2))
        found = arrays(model, "rate", layout, parameters._asdict(), trials(n=2).to_numpy(), done.intervention)
        numbers.append(found["intervention_add.values"])
        keys.add(cache.key(model, "rate", layout, "release"))
    assert len(keys) == 1
    # alpha at dt = 1 ms is 0.01; held for 10 and for 20 steps of 10 ms in two trials.
    np.testing.assert_allclose([numbers[0].sum(), numbers[1].sum()], [2 * 10 * 0.01, 2 * 20 * 0.02], rtol=1e-12)
    plain = resources.estimate(model, "rate", replace(layout, intervention=False))
    assert resources.estimate(model, "rate", layout).memory - plain.memory == 2 * 2 * STEPS * UNITS * 8


def test_noise_is_frozen_and_has_its_size():
    model, parameters = network("elman")
    inputs = activity(np.zeros((40, STEPS, 2)), dt=DT, last="input", name="input")
    first, again, other = (perturb(model, parameters, Noise(2.0, seed), inputs).intervention for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.current, again.current)
    assert (first.current != other.current).all()
    # 5760 numbers: the s.d. of their s.d. is 2 / sqrt(2 n) = 0.019; five of those.
    assert first.current.std() == pytest.approx(2.0, abs=0.1)
    assert not first.held.any()


FIRST = {"elman": "x0", "feedforward": "x0", "gru": "h0", "jordan": "x0", "lstm": "c0", "relay": "x0", "sublstm": "c0"}


@pytest.mark.parametrize("page", PAGES)
def test_the_state_is_found_by_what_it_begins_with(page):
    model = PAGES[page].model()
    assert state_of(model).first == FIRST[page]
    for writing in ("rate", "tuning", "spiking"):
        population, item = variable_of(model, writing)
        assert model.writing(writing).populations[population].values[item.name] == FIRST[page]


@pytest.mark.parametrize(
    ("perturbation", "words"),
    [
        (Lesion([1, 6]), "Lesion: there is no unit 6; the network has units 0 to 5"),
        (Lesion(-1), "Lesion: there is no unit -1; the network has units 0 to 5"),
        (Lesion([]), "Lesion: units are [], expected the number of a unit or a list of them"),
        (Lesion(1.5), "Lesion: units are 1.5, expected the number of a unit or a list of them"),
        (Pulse([2, 2], 1.0), "Pulse: a unit is named twice in [2, 2]"),
        (Pulse(0, 1.0, 0.1, 0.3), "Pulse: the window from 0.1 to 0.3 s does not lie in the trial, 0 to 0.24 s"),
        (Pulse(0, 1.0, 0.1, 0.1), "Pulse: the window from 0.1 to 0.1 s does not lie in the trial, 0 to 0.24 s"),
        (Clamp(0, 1.0, -0.1), "Clamp: the window from -0.1 to 0.24 s does not lie in the trial, 0 to 0.24 s"),
        (Clamp(0, 1.0, 0.101, 0.109), "Clamp: no step of 0.01 s begins between 0.101 and 0.109 s"),
        (Clamp(0, None), "Clamp: value is None, must be finite"),
        (Clamp([0, 1], [1.0, np.nan]), "Clamp: value is [1.0, nan], must be finite"),
        (Clamp([0, 1], [1.0] * 3), "Clamp: value has the shape (3,), expected a number or one for each of 2 units"),
        (Noise(-1.0, 0), "sd is -1.0, must be 0 or more"),
        (Noise("loud", 0), "Noise: sd is 'loud', expected a number"),
        (ScaleWeights("W", 2.0), "elman has no weights 'W'; it has W_rec, W_in, b, x0, W_out, b_out"),
        (ScaleWeights("W_rec", np.ones(3)), "ScaleWeights: a factor of shape (3,) does not fit W_rec (6, 6)"),
        (ScaleWeights("b", np.ones((2, 6))), "ScaleWeights: a factor of shape (2, 6) does not fit b (6,)"),
        (TimeConstant("tau_x", 2.0), "elman has no time 'tau_x'; it has tau, tau_m, tau_s, t_ref"),
        (TimeConstant("tau"), "TimeConstant: tau needs either a factor or a value"),
        (TimeConstant("tau", 2.0, 1 * ms), "TimeConstant: tau needs either a factor or a value"),
        (TimeConstant("tau", 0.0), "must be a positive time, for instance 20*ms"),
        (TimeConstant("tau", value=2.0), "TimeConstant: tau = 2.0 must be a positive time, for instance 20*ms"),
        ("lesion", "'lesion' is no perturbation; there are Clamp, Lesion, Noise, Pulse, ScaleWeights, TimeConstant"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(perturbation, words):
    model, parameters = network("elman")
    with pytest.raises(CortwinError) as told:
        perturb(model, parameters, [perturbation], trials())
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_what_a_page_cannot_do_is_said_with_its_reason():
    softmax = attention.model("softmax")
    drawn = softmax.initial(np.random.default_rng(0), 2, UNITS, 2, slots=STEPS)
    with pytest.raises(CortwinError, match="the units of attention are heard through 'store' too"):
        perturb(softmax, drawn, Lesion(0), trials())
    late = relay.model()
    with pytest.raises(CortwinError, match="the textbook of relay has delay built in as its step"):
        perturb(late, late.initial(np.random.default_rng(0), 2, UNITS, 2), TimeConstant("delay", 2.0), trials())
    assert isinstance(softmax.spiking, Lacking)
    signals = textbook_signals(softmax, drawn, trials(), 0.1)
    lacking = Twins(softmax, drawn, signals, Spiking(), 4, np.random.SeedSequence(1), {"engine": "xla"})
    with pytest.raises(CortwinError, match="attention has no spiking writing: softmax over stored states"):
        lacking.perturbed(trials(), Pulse(0, 1.0))
    alone = lacking.perturbed(trials(), Pulse(0, 1.0), writings=("textbook",))
    assert tuple(alone) == ("textbook",)
    with pytest.raises(CortwinError, match="there is no twin 'tuning'; there are textbook, rate, spiking"):
        lacking.perturbed(trials(), (), writings=("tuning",))
    with pytest.raises(CortwinError, match="lif has no textbook writing"):
        state_of(lif.model())


def test_a_tau_below_dt_is_refused():
    model, parameters = network("elman")
    with pytest.raises(CortwinError, match=r"alpha = dt / tau is 2\.0"):
        exact_writings(model, parameters, TimeConstant("tau", value=5 * ms))


def test_an_intervention_of_another_shape_is_refused():
    model, parameters = network("elman")
    wrong = perturb(model, parameters, Pulse(0, 1.0), trials(n=2)).intervention
    with pytest.raises(CortwinError, match=r"the intervention has the shape \(2, 24, 6\), expected \(3, 24, 6\)"):
        simulate(model, "rate", parameters._asdict(), trials(), dt=DT, intervention=wrong, engine="xla", batch=TRIALS)
