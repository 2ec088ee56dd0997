"""A network of one's own and its twins: the command, the time base of finer steps, trials from files."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from cortwin.errors import CortwinError
from cortwin.exchange.finer import constant_loss, fine_tune, lessons_of, steps_of, task_loss
from cortwin.exchange.imported import imported
from cortwin.exchange.presented import Presented, read_presented, smooth_noise
from cortwin.models import elman, gru
from cortwin.training import Options, run_textbook

SMALL = "--engine numpy --trials 4 --steps 6 --shown 1 --neurons 4 --dt-spiking 1ms --alphas 0.5 --updates 20".split()


def network(page=elman, units=4, outputs=2, **settings):
    """Return a small network with nothing at 0."""
    generator = np.random.default_rng(0)
    drawn = page.initial(generator, 2, units, outputs)._asdict()
    arrays = {
        name: array if np.any(array) else 0.3 * generator.standard_normal(array.shape) for name, array in drawn.items()
    }
    return imported(page.__name__.rpartition(".")[2], arrays, "a test", **settings)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Give a GRU from a file its twins, fine-tuned towards a target that it was not trained for."""
    folder = tmp_path_factory.mktemp("mit Leerzeichen")
    network(gru, outputs=1).save(folder / "network.npz")
    generator = np.random.default_rng(1)
    u = generator.standard_normal((4, 6, 2))
    np.savez(folder / "input.npz", input=u, target=0.5 * np.tanh(u[:, :, :1]), dt=0.1)
    words = [
        "twin",
        folder / "network.npz",
        "--input",
        folder / "input.npz",
        "--fine-tune",
        *SMALL,
        "--out",
        folder / "o",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "cortwin", *map(str, words)],
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "o"


def test_the_command_climbs_fine_tunes_and_climbs_again(ran):
    metrics = json.loads((ran / "metrics.json").read_text())
    assert (metrics["alpha"], metrics["alpha.fine_tuned"], metrics["tau"]) == (1, 0.5, 0.1)
    for end in ("", ".fine_tuned"):
        assert metrics[f"ladder.R2.max_abs_error{end}"] <= 1e-10
        assert metrics[f"ladder.R5.nrmse.4{end}"] > 0
    # One step per tau is no small step; half of it is nearer. An untrained GRU is slow: its gates stand half open.
    assert metrics["ladder.R3.total"] > 0.05
    assert metrics["ladder.R3.total.fine_tuned"] < metrics["ladder.R3.total"]
    # Training lowers what it trains on, the textbook's loss; the continuous twin's follows.
    assert metrics["loss.textbook.fine_tuned"] < metrics["loss.textbook"]
    assert metrics["loss.rate.fine_tuned"] < metrics["loss.rate"]


def test_the_losses_are_those_of_the_files(ran):
    """By NumPy alone, on the last trial, which was held out."""
    metrics = json.loads((ran / "metrics.json").read_text())
    with np.load(ran.parent / "input.npz") as trials, np.load(ran.parent / "network.npz") as p:
        u, z, h = trials["input"][3], trials["target"][3], p["h0"]
        error = []
        for sample, wanted in zip(u, z, strict=True):
            gate = {g: p[f"W_{g}"] @ sample + p[f"b_{g}"] for g in "zrn"}
            r, leak = (1 / (1 + np.exp(-gate[g] - p[f"U_{g}"] @ h)) for g in "rz")
            h = (1 - leak) * np.tanh(gate["n"] + r * (p["U_n"] @ h + p["b_q"])) + leak * h
            error.append((p["W_out"] @ h + p["b_out"] - wanted) ** 2)
    assert metrics["loss.textbook"] == pytest.approx(np.mean(error), rel=1e-12)
    assert metrics["loss.constant"] == pytest.approx(np.var(z), rel=1e-12)


def test_the_report_says_the_distance_to_continuous_time_first(ran):
    page = (ran / "report.html").read_text()
    words = ('id="section-1"', "R1 and R3", 'id="section-2"', "<h2>Fine-tuning", 'id="section-3"', "<h2>The ladder")
    places = [page.index(each) for each in words]
    assert places == sorted(places)
    assert "smooth Gaussian noise" not in page
    assert {file.stem for file in (ran / "figures").glob("*.svg")} == {
        *("activity", "equations", "ladder", "ladder_fine_tuned", "outputs", "training")
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name the file of the network first: cortwin twin FILE"),
        (["nowhere.npz"], "network: there is no file 'nowhere.npz'"),
        (["network.npz", "--input", "nowhere.npz"], "input: there is no file 'nowhere.npz'"),
        (["network.npz", "--input", "wrong.npz"], "input has the shape (1, 3, 5), expected (trial, time, 2)"),
        (
            ["network.npz", "--input", "other_dt.npz"],
            "input: dt = 0.05 s, but a step of the network is alpha tau =",
        ),
        (["network.npz", "--fine-tune", "--alphas", "0.3"], "alpha = 0.3 must divide the network's alpha = 1"),
        (["network.npz", "--dt-spiking", "0.3ms"], "multiple"),
        (["network.npz", "--colour", "red"], "twin has no option --colour"),
    ],
)
def test_bad_input_ends_in_one_line(cortwin, tmp_path, words, message):
    network(tau=0.1).save(tmp_path / "network.npz")
    np.savez(tmp_path / "wrong.npz", input=np.zeros((1, 3, 5)))
    np.savez(tmp_path / "other_dt.npz", input=np.zeros((1, 3, 2)), dt=0.05)
    status, _, said = cortwin("twin", *words, "--out", tmp_path / "out")
    assert status == 2
    assert message in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_help_lists_the_parameters(cortwin):
    status, said, _ = cortwin("twin", "--help")
    assert status == 0
    assert "--fine-tune" in said
    assert "smooth noise" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": np.zeros((3, 2))}, r"input has the shape \(3, 2\), expected \(trial, time, 2\), none of them 0"),
        ({"input": np.zeros((0, 3, 2))}, r"input has the shape \(0, 3, 2\)"),
        ({"input": np.full((2, 3, 2), np.nan)}, r"input must be finite, 12 values are not"),
        (
            {"target": np.zeros((2, 3, 2))},
            r"target has the shape \(2, 3, 2\), expected \(2, 3, 1\) = \(trial, time",
        ),
        ({"mask": np.zeros((2, 3))}, "mask must be 0 or more everywhere, and above 0 at some time of every trial"),
        ({"mask": np.ones(3)}, r"mask has the shape \(3,\), expected \(2, 3\)"),
        ({"dt": 0.0}, "dt must be one number above 0"),
        ({"inputs": np.zeros((2, 3, 2))}, "there is an array inputs; input, target, mask, dt are read"),
        ({"input": None}, "there is no array input, only target"),
        ({"target": np.array([{}])}, "target must be an array of numbers, it holds pickled Python objects"),
    ],
)
def test_bad_trials_are_refused_in_one_line(tmp_path, change, message):
    arrays = {"input": np.zeros((2, 3, 2)), "target": np.zeros((2, 3, 1)), **change}
    np.savez(tmp_path / "input.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(CortwinError, match=message) as caught:
        read_presented(tmp_path / "input.npz", 2, 1)
    assert "\n" not in str(caught.value)


def test_inputs_alone_may_be_an_npy_file(tmp_path):
    np.save(tmp_path / "input.npy", np.ones((2, 3, 2), np.float32))
    found = read_presented(tmp_path / "input.npy", 2, 1)
    assert (found.inputs.shape, found.target, found.mask.shape, found.dt) == ((2, 3, 2), None, (2, 3), None)
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(CortwinError, match=r"is not a whole .npy file"):
        read_presented(tmp_path / "broken.npy", 2, 1)


def test_noise_is_smooth_and_of_order_one():
    found = smooth_noise(np.random.default_rng(0), 20, 200, 2)
    u = found.inputs - found.inputs.mean()
    # Noise that a Gaussian of s.d. s has smoothed is correlated by exp(-lag^2 / 4 s^2);
    # 8000 samples, of which one in 7 is independent: 1 / sqrt(8000 / 7) = 0.03.
    for lag in (1, 3):
        assert np.mean(u[:, lag:] * u[:, :-lag]) / u.var() == pytest.approx(np.exp(-(lag**2) / 16), abs=0.1)
    assert found.inputs.std() == pytest.approx(1)


def test_a_step_of_the_source_is_many_finer_ones():
    """Held inputs, and the output where the step ends: beside a loop."""
    own = network()
    generator = np.random.default_rng(2)
    presented = Presented(generator.standard_normal((2, 5, 2)), None, np.array([[1.0, 0, 1, 1, 2], [0, 1, 1, 1, 1]]))
    target, p = generator.standard_normal((2, 5, 2)), own.parameters
    lessons = lessons_of(presented, target, 0.1, steps_of(1.0, 0.25))
    assert lessons.inputs.attrs["dt"] == 0.025
    r = run_textbook(own.model, p, lessons.inputs, 0.25)["r"]
    squared, weights = 0.0, 0.0
    for u, z, m in zip(presented.inputs, target, presented.mask, strict=True):
        x = p.x0
        for sample, wanted, weight in zip(u, z, m, strict=True):
            for _ in range(4):
                x = 0.75 * x + 0.25 * (p.W_rec @ np.tanh(x) + p.W_in @ sample + p.b)
            squared += weight * np.mean((p.W_out @ np.tanh(x) + p.b_out - wanted) ** 2)
            weights += weight
    assert task_loss(own.model, p, r, lessons, "mean_squared_error") == pytest.approx(squared / weights, rel=1e-12)


@pytest.mark.parametrize("finer", [0.3, 1.0, 2.0, 0.7])
def test_steps_that_do_not_fit_are_refused(finer):
    with pytest.raises(CortwinError, match=f"alpha = {finer:g} must divide the network's alpha = 1 into whole steps"):
        steps_of(1.0, finer)
    assert [steps_of(1.0, 0.1), steps_of(0.3, 0.1), steps_of(1.0, 1 / 3)] == [10, 3, 3]


def test_the_best_constant_is_the_mean():
    """One output of 0, 1, 1, 1 with weights 1, 1, 2, 0: the mean is 3/4."""
    presented = Presented(np.zeros((1, 4, 1)), None, np.array([[1.0, 1, 2, 0]]))
    lessons = lessons_of(presented, np.array([0.0, 1, 1, 1]).reshape(1, 4, 1), 0.1, 2)
    assert constant_loss(lessons, "mean_squared_error") == pytest.approx(3 / 16)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert constant_loss(lessons, "binary_cross_entropy") == pytest.approx(entropy)
    classes = lessons_of(presented, np.array([[0.0, 1], [1, 0], [1, 0], [1, 0]]).reshape(1, 4, 2), 0.1)
    assert constant_loss(classes, "categorical_cross_entropy") == pytest.approx(entropy)


def test_fine_tuning_teaches_the_rate_text_what_the_map_answered():
    own = network(units=6, outputs=1)
    presented = smooth_noise(np.random.default_rng(3), 8, 8, 2)
    target = own.outputs(presented.inputs)
    options = Options(learning_rate=3e-3, updates=60, batch_size=None)
    tuned, fits = fine_tune(own, presented, target, (0.5, 0.25), options, np.random.default_rng(4))
    assert tuned.alpha == 0.25
    assert [len(one.history["error"]) for one in fits] == [60, 60]
    lessons = lessons_of(presented, target, 0.1, 4)
    before, after = (
        task_loss(each.model, each.parameters, run_textbook(each.model, each.parameters, lessons.inputs, 0.25)["r"],
                  lessons, "mean_squared_error")
        for each in (own, tuned)
    )  # fmt: skip
    assert after < before / 3
    # The second training began where the first ended: not from the weights of the map.
    assert fits[1].history["error"][0] < before
