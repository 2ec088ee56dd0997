"""The microcircuit's page: its numbers, its mean field, what scaling keeps, and the loop written by hand for it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from brian2 import pA

from cortwin import experiments
from cortwin.activity import activity
from cortwin.analysis import siegert_rate, stationary_rates
from cortwin.errors import CortwinError
from cortwin.experiments import _microcircuit as peers
from cortwin.figures import page_texts, typeset_page
from cortwin.models import microcircuit as page
from cortwin.speed.loops import compile_loop, loop_spikes, run_loop
from cortwin.training import run_textbook

LOOP = Path(experiments.__path__[0]) / "microcircuit_loop.cpp"


def test_the_circuit_has_the_published_size():
    whole = page.circuit()
    assert whole.neurons.sum() == 77169
    # Potjans & Diesmann 2014 state 0.3 billion; the reference implementation makes 298,880,941 or so of them.
    assert whole.synapses.sum() == pytest.approx(298.88e6, rel=1e-4)
    # One in-degree by hand: L5I hears L5E with p = 0.06: ln(1 - p) / ln(1 - 1 / (N N')) / N = -ln(0.94) 4850.
    assert whole.indegrees[5, 4] == pytest.approx(-math.log(0.94) * 4850, rel=1e-5)
    assert whole.weight[0, 2] == 2 * whole.weight[0, 0]
    assert whole.weight[3, 1] == -4 * whole.weight[3, 0]
    assert not whole.current.any()


@pytest.mark.parametrize("scale", [0.5, 0.1, 0.02])
def test_scaling_keeps_mean_and_variance_of_the_input(scale):
    h = np.array(page.REFERENCE_RATES) * 10e-3
    whole, small = (page.mean_field(page.circuit(one)) for one in (1.0, scale))
    for weights, drive in (("W", "b"), ("W_2", "b_2")):
        expected, found = (getattr(p, weights) @ h + getattr(p, drive) for p in (whole, small))
        # In-degrees are rounded to whole synapses of whole neurons, of which the smallest population has 21.
        np.testing.assert_allclose(found, expected, rtol=0.03, atol=0.01)
    # What a thalamic fibre adds is not put back by a current: its mean shrinks like the weights' sum.
    np.testing.assert_allclose(small.U_2, whole.U_2, rtol=0.03)


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, math.nan, "no such"])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(CortwinError, match="expected one of the numbers above 0 and up to 1"):
        page.circuit(scale)


def test_a_scale_that_leaves_a_population_empty_is_refused():
    with pytest.raises(CortwinError, match=r"scale = 0\.0004 leaves L5I without neurons; the least is 0\.00047"):
        page.circuit(0.0004)
    assert page.circuit(0.00047).neurons.min() == 1


def test_forgotten_wirings_keep_what_they_promise():
    whole = page.circuit()
    for sign in (slice(0, None, 2), slice(1, None, 2)):
        own, kept, random = (page.circuit(1.0, wiring).synapses[:, sign] for wiring in page.ARRANGEMENTS)
        np.testing.assert_allclose(kept.sum(axis=0), own.sum(axis=0), atol=4)
        np.testing.assert_allclose(kept.sum(axis=1), own.sum(axis=1), atol=4)
        # Independent: every 2 x 2 minor vanishes.
        np.testing.assert_allclose(kept[0, 0] * kept[1:, 1:], kept[1:, :1] * kept[:1, 1:], rtol=1e-4)
        density = random / np.outer(whole.neurons, whole.neurons[sign])
        assert np.ptp(density) < 1e-5
        assert random.sum() == pytest.approx(own.sum(), abs=32)
    with pytest.raises(CortwinError, match="wiring is 'no such', expected one of cortical, degree_shuffled, random"):
        page.circuit(1.0, "no such")


@pytest.mark.parametrize("scale", [1.0, 0.1])
@pytest.mark.parametrize("wiring", page.ARRANGEMENTS[1:])
def test_forgotten_wirings_work_at_the_rates_of_the_cortical_one(wiring, scale):
    whole, other = page.circuit(), page.circuit(scale, wiring)
    h = np.array(page.REFERENCE_RATES) * 10e-3
    expected, found = (p.W @ h + p.b for p in map(page.mean_field, (whole, other)))
    # As in the test of scaling; the means of excitation and inhibition are ten times what is left of them.
    np.testing.assert_allclose(found, expected, rtol=0.03, atol=0.02)
    charge = [(one.synapses * one.weight)[:, ::2].sum() for one in (whole, other)]
    assert charge[1] == pytest.approx(charge[0] * scale**1.5, rel=1e-4)
    rest = activity(np.zeros((1, 400, 1)), dt=1e-3, last="input")
    settled = run_textbook(page.model("0.05"), page.mean_field(other), rest, 0.1)["r"].to_numpy()[0, -1] / 10e-3
    # Without the current layer 2/3 falls silent in one, and the other fires at 250 Hz.
    assert settled.min() > 0.05
    assert settled.max() < 12


def test_the_spiking_writing_has_the_weights_of_its_circuit():
    for wiring in page.ARRANGEMENTS:
        numbers = page.circuit(0.05, wiring)
        model = page.model(0.05, wiring)
        for j, source in enumerate(page.POPULATIONS):
            for i, target in enumerate(page.POPULATIONS):
                if (pathway := model.spiking.pathways.get(f"{source}_{target}")) is not None:
                    mean = model.constants[pathway.drawn["w"].mean] / pA
                    assert mean == pytest.approx(numbers.weight[i, j], rel=1e-12), (wiring, source, target)
        assert model.constants[model.spiking.pathways["thalamus_L4E"].drawn["w"].mean] / pA == numbers.external_weight


def test_the_transfer_function_is_siegerts():
    x, s = (grid.ravel() for grid in np.meshgrid(np.linspace(-1, 1.5, 51), np.geomspace(0.02, 0.6, 21)))
    expected = siegert_rate(x, np.sqrt(s), tau_m=1.0, t_ref=page.T_REF, threshold=1.0, reset=0.0, tau_s=page.TAU_SYN)
    found = np.asarray(page.transfer(x, s))
    fires = expected > 1e-6
    assert fires.sum() > 500
    # The page states 1e-4 of the rate; where nothing fires f is held above the rate by its farthest threshold.
    np.testing.assert_allclose(found[fires], expected[fires], rtol=1e-4)
    assert found[~fires].max() < 1e-5


def test_the_textbook_settles_at_the_stationary_rates_of_the_theory():
    numbers = page.circuit()
    p = page.mean_field(numbers)
    rest = activity(np.zeros((1, 400, 1)), dt=1e-3, last="input")
    h = run_textbook(page.model("0.05"), p, rest, 0.1)["r"].to_numpy()[0]
    assert np.abs(h[-1] - h[-2]).max() < 1e-12
    # The theory squares the mean weight; the scatter of weights adds a hundredth to the mean of the square.
    J, spread = page.JUMP * numbers.weight, 1 + page.WEIGHT_SD**2
    plain = p._replace(W_2=p.W_2 / spread)
    h = run_textbook(page.model("0.05"), plain, rest, 0.1)["r"].to_numpy()[0]
    expected = stationary_rates(
        numbers.indegrees, J, mean=p.b, variance=p.b_2, tau_m=10e-3, t_ref=2e-3, threshold=1.0, reset=0.0, tau_s=0.5e-3
    )
    np.testing.assert_allclose(h[-1] / 10e-3, expected, rtol=1e-4)
    # And the theory is near the network: a few per cent, for the reasons that the page states.
    np.testing.assert_allclose(h[-1] / 10e-3, page.REFERENCE_RATES, rtol=0.2)


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    return compile_loop(LOOP, tmp_path_factory.mktemp("loop"))


def looped(loop, tmp_path, threads, seed=1, scale=0.05, duration=1.0):
    text = peers.loop_description(page.circuit(scale), threads=threads, seed=seed, settling=0.2, duration=duration)
    return run_loop(loop, text, tmp_path / "spikes")


@pytest.mark.cpp
def test_the_loop_by_hand_gives_the_same_spikes_on_any_number_of_threads(loop, tmp_path):
    measured, spikes = looped(loop, tmp_path, 1)
    assert measured["spikes"] == len(spikes) > 5000
    assert measured["synapses"] == page.circuit(0.05).synapses.sum()
    for threads in (2, 3):
        again, same = looped(loop, tmp_path, threads)
        assert np.array_equal(spikes, same)
        assert again["events"] == measured["events"]
    assert not np.array_equal(spikes, looped(loop, tmp_path, 1, seed=2)[1])


@pytest.mark.cpp
def test_the_loop_by_hand_says_what_is_wrong(loop, tmp_path):
    with pytest.raises(CortwinError, match="the description of the circuit is cut short"):
        run_loop(loop, "8 1 1", tmp_path / "spikes")
    text = peers.loop_description(page.circuit(0.01), threads=1, seed=1, settling=0.01, duration=0.01)
    with pytest.raises(CortwinError, match="the spikes cannot be written"):
        run_loop(loop, text, tmp_path / "no folder" / "spikes")


@pytest.mark.cpp
@pytest.mark.slow
def test_the_engine_fires_as_the_loop_by_hand(loop, tmp_path):
    from cortwin.network import run_network

    numbers = page.circuit(0.05)
    _, pairs = looped(loop, tmp_path, 1, duration=2.0)
    populations = zip(page.POPULATIONS, numbers.neurons.tolist(), strict=True)
    by_hand = loop_spikes(pairs, populations, dt=peers.DT, duration=2.0)
    network = run_network(page.model(0.05), duration=2.0, dt=peers.DT, seed=1)
    for name in page.POPULATIONS:
        one, other = network.rate(name), by_hand[name].sizes["event"] / (by_hand[name].attrs["n_units"] * 2.0)
        # Two networks drawn anew: of the smallest population 53 neurons, whose rates scatter by as much as they are.
        n = by_hand[name].attrs["n_units"]
        assert abs(one - other) < 0.1 + 6 * max(one, other) / math.sqrt(n), name


def test_a_page_of_dozens_of_pathways_is_typeset_once_for_all_that_are_alike():
    made = page.model("0.05")
    figure = typeset_page(page_texts(made))
    words = [text.get_text() for text in figure.texts]
    others = [int(word.split("and ")[1].split()[0]) for word in words if word.endswith("others")]
    # One for each sign, and every pathway is counted.
    assert len(others) == 2
    assert sum(others) + 2 == len(made.writing("spiking").pathways)
    assert sum(word.startswith("L23E_") for word in words) == 1
    # Constants stand in rows that end within the page.
    figure.draw_without_rendering()
    assert max(text.get_window_extent().x1 for text in figure.texts) <= figure.bbox.x1
