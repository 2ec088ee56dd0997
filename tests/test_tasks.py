"""Reach tasks: the target against the closed form of a minimum-jerk movement, inputs against a slow loop by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from cortwin.errors import CortwinError
from cortwin.tasks import OrderTask, ReachTask, direction_split, minimum_jerk_speed

ROOT = np.random.SeedSequence(7)


def test_minimum_jerk_speed_integrates_to_the_amplitude():
    area, _ = quad(lambda t: float(minimum_jerk_speed(t, duration=0.4, amplitude=3.0)), 0, 0.4)
    assert area == pytest.approx(3.0, rel=1e-12)  # polynomial of degree 4: the quadrature is exact to rounding


def test_minimum_jerk_speed_peaks_in_the_middle():
    time = np.linspace(-0.2, 0.6, 801)
    speed = minimum_jerk_speed(time, duration=0.4, amplitude=3.0)
    assert time[np.argmax(speed)] == pytest.approx(0.2)
    assert speed.max() == pytest.approx(1.875 * 3.0 / 0.4, rel=1e-12)
    assert not speed[(time < 0) | (time > 0.4)].any()


def test_minimum_jerk_speed_minimises_jerk():
    """The derivative of x(s) = 10 s^3 - 15 s^4 + 6 s^5, the position of Flash and Hogan's equation."""
    position = np.polynomial.Polynomial([0, 0, 0, 10, -15, 6])
    s = np.linspace(0, 1, 33)
    np.testing.assert_allclose(
        minimum_jerk_speed(0.5 * s, duration=0.5, amplitude=2.0), 2.0 / 0.5 * position.deriv()(s), atol=1e-13
    )


def test_inputs_and_target_of_a_trial_are_what_the_words_say():
    task = ReachTask(n_directions=4, dt=0.05, baseline=0.1, hold=(0.2, 0.2), go_duration=0.1, rest=0.1)
    trials = task.trials([1], ROOT)
    assert task.n_steps == 20
    assert task.duration == pytest.approx(1.0)
    expected = np.zeros((20, 4))
    expected[2:6, 1] = 1  # the target straight ahead: cosine 0, sine 1, from the cue at 0.1 s to the go signal at 0.3 s
    expected[:6, 2] = 1
    expected[6:8, 3] = 1
    np.testing.assert_allclose(trials.inputs[0], expected, atol=1e-15)
    assert list(trials.inputs["input"].to_numpy()) == ["cos", "sin", "hold", "go"]
    assert trials.go_time == pytest.approx([0.3])
    assert trials.movement_onset == pytest.approx([0.4])
    s = (np.arange(20) * 0.05 - 0.4) / 0.5
    speed = np.where((s > 0) & (s < 1), 30 * 0.25 / 0.5 * s**2 * (1 - s) ** 2, 0)
    np.testing.assert_allclose(trials.target.sel(output="vy")[0], speed, atol=1e-14)
    np.testing.assert_allclose(trials.target.sel(output="vx")[0], 0, atol=1e-15)
    xr.testing.assert_identical(trials.target, trials.noisy_target.rename("target"))


def test_target_shown_to_the_end():
    shown = ReachTask(cue_until="end").trials([3], ROOT).inputs
    np.testing.assert_allclose(
        shown.isel(trial=0, time=-1), [np.cos(6 * np.pi / 16), np.sin(6 * np.pi / 16), 0, 0], atol=1e-15
    )


def test_hand_ends_on_the_circle_of_targets():
    task = ReachTask()
    end = task.trials(range(16), ROOT).position.isel(time=-1)
    expected = task.amplitude * np.stack([np.cos(task.angles), np.sin(task.angles)], axis=1)
    # Trapezoidal rule on a function whose first derivative vanishes at both ends: Euler-Maclaurin leaves
    # h^4/720 times the jump of the third derivative, 720/50^4/720 = 1.6e-7 of the amplitude at 50 steps.
    np.testing.assert_allclose(end, expected, atol=1.7e-7 * task.amplitude)


def test_hold_jitters_over_every_step_of_its_range_and_no_other():
    task = ReachTask(hold=(0.3, 0.35))
    trials = task.trials(np.zeros(200, dtype=int), ROOT)
    steps = np.rint((trials.go_time - task.baseline) / task.dt).astype(int)
    assert sorted(set(steps)) == [30, 31, 32, 33, 34, 35]  # the chance to miss one in 200 draws is below 6 (5/6)^200


def test_a_trial_depends_on_its_own_seed_alone():
    task = ReachTask(input_noise=0.1, output_noise=0.2)
    seeds = np.random.SeedSequence(11, spawn_key=(2,)).spawn(6)
    directions = np.array([3, 0, 5, 5, 9, 15])
    order = np.array([4, 1, 5, 0])
    together = task.trials(directions, np.random.SeedSequence(11, spawn_key=(2,)))
    apart = task.trials(directions[order], [seeds[k] for k in order])
    for name in ("inputs", "target", "noisy_target"):
        xr.testing.assert_identical(getattr(together, name).isel(trial=order), getattr(apart, name))
    assert not np.array_equal(together.inputs[2], together.inputs[3])


def test_the_same_seed_sequence_gives_the_same_trials_again():
    task = ReachTask(input_noise=0.1)
    root = np.random.SeedSequence(3, spawn_key=(2,))
    xr.testing.assert_identical(task.trials([1, 2], root).inputs, task.trials([1, 2], root).inputs)
    assert root.n_children_spawned == 0


def test_noise_has_its_size_and_leaves_everything_else_alone():
    directions = np.arange(160) % 16
    still = ReachTask().trials(directions, ROOT)
    noisy = ReachTask(input_noise=0.1, output_noise=0.2).trials(directions, ROOT)
    for noise, sd in ((noisy.inputs - still.inputs, 0.1), (noisy.noisy_target - still.target, 0.2)):
        # n = 44,800 samples at least: six standard errors of the mean are 6/sqrt(n) and of the s.d. 6/sqrt(2n)
        assert abs(float(noise.mean())) < 6 * sd / np.sqrt(noise.size)
        assert float(noise.std()) == pytest.approx(sd, rel=6 / np.sqrt(2 * noise.size))
    xr.testing.assert_identical(noisy.target, still.target)
    only_output = ReachTask(output_noise=0.2).trials(directions, ROOT)
    xr.testing.assert_identical(only_output.noisy_target, noisy.noisy_target)


def test_split_alternates():
    trained, never = direction_split(16)
    assert trained.tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert never.tolist() == [1, 3, 5, 7, 9, 11, 13, 15]
    with pytest.raises(CortwinError, match=r"n_directions must be even .* got 7"):
        direction_split(7)


@settings(max_examples=30, deadline=None)
@given(
    parts=st.lists(st.integers(0, 40), min_size=5, max_size=5),
    jitter=st.integers(0, 30),
    dt=st.sampled_from([1e-4, 1e-3, 0.01, 0.0125]),
)
def test_any_task_on_the_grid_has_whole_trials(parts, jitter, dt):
    baseline, hold, reaction, movement, rest = parts
    task = ReachTask(
        dt=dt,
        baseline=baseline * dt,
        hold=(hold * dt, (hold + jitter) * dt),
        go_duration=dt,
        reaction=reaction * dt,
        movement=(movement + 2) * dt,
        rest=rest * dt,
    )
    trials = task.trials([0, 5, 9], ROOT)
    assert trials.inputs.sizes["time"] == task.n_steps == sum(parts) + jitter + 2
    assert (trials.inputs.sel(input="hold").sum("time") * dt).to_numpy() == pytest.approx(trials.go_time, abs=dt * 1e-6)
    assert (trials.inputs.sel(input="go").sum("time") == 1).all()
    after = trials.target["time"] > trials.target["movement_onset"] + task.movement - dt / 2
    assert np.abs(trials.target.where(after, 0)).max() < 1e-12 / dt  # rounding of time at the last sample, squared


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dt": 0.0}, r"ReachTask\.dt must be finite and positive, got 0"),
        ({"dt": np.nan}, r"ReachTask\.dt must be finite and positive, got nan"),
        ({"n_directions": 0}, r"ReachTask\.n_directions must be finite and positive, got 0"),
        ({"n_directions": 2.5}, r"ReachTask\.n_directions must be a whole number, got 2\.5"),
        ({"movement": 0.0}, r"ReachTask\.movement must be finite and positive, got 0"),
        ({"movement": 0.505}, r"ReachTask\.movement must be a multiple of dt = 0\.01 s, got 0\.505 s"),
        ({"hold": (0.3, 0.507)}, r"ReachTask\.hold\[1\] must be a multiple of dt = 0\.01 s, got 0\.507 s"),
        ({"hold": (0.5, 0.3)}, r"ReachTask\.hold must be \(shortest, longest\), got \(0\.5, 0\.3\)"),
        ({"hold": (0.5,)}, r"ReachTask\.hold must be \(shortest, longest\), got 1 numbers"),
        ({"rest": -0.1}, r"ReachTask\.rest must be finite and 0 or more, got -0\.1"),
        ({"input_noise": np.inf}, r"ReachTask\.input_noise must be finite and 0 or more, got inf"),
        ({"go_duration": 0.9}, r"ReachTask\.go_duration must fit .* 0\.8 s, got 0\.9 s"),
        ({"cue_until": "never"}, r"ReachTask\.cue_until must be 'go' or 'end', got 'never'"),
    ],
)
@pytest.mark.failure("model: duration is no multiple of dt")
def test_what_cannot_be_a_task_is_refused(change, message):
    with pytest.raises(CortwinError, match=message):
        ReachTask(**change)


@pytest.mark.parametrize(
    ("directions", "seeds", "message"),
    [
        ([], ROOT, r"at least one whole number, got float64 of shape \(0,\)"),
        ([0.5], ROOT, r"whole number, got float64"),
        ([0, 16], ROOT, r"directions must lie in 0\.\.15, got 16"),
        ([-1], ROOT, r"directions must lie in 0\.\.15, got -1"),
        ([0, 1], [5], r"seeds must be one per trial, 2, got 1"),
    ],
)
def test_what_cannot_be_trials_is_refused(directions, seeds, message):
    with pytest.raises(CortwinError, match=message):
        ReachTask().trials(directions, seeds)


# --- orders -----------------------------------------------------------------------------------------------------------


def test_a_trial_of_an_order_is_what_the_words_say():
    fixed = {"gap": (0.1, 0.1), "wait": (0.3, 0.3), "amplitude": (2.0, 2.0), "input_noise": 0.0}
    task = OrderTask(dt=0.05, baseline=0.1, pulse=0.1, reaction=0.1, rest=0.1, **fixed)
    assert task.names == ["ABC", "ACB", "BAC", "BCA", "CAB", "CBA"]
    trials = task.trials([3], ROOT)
    expected = np.zeros((20, 3))
    expected[2:4, 1] = expected[6:8, 2] = expected[10:12, 0] = 2  # B, C, A
    np.testing.assert_array_equal(trials.inputs[0], expected)
    np.testing.assert_array_equal(trials.mask[0], [0] * 14 + [1] * 4 + [0] * 2)
    np.testing.assert_array_equal(trials.target[0], np.tile(np.eye(6)[3], (20, 1)))
    assert trials.inputs["last_pulse"].item() == pytest.approx(0.6)
    assert trials.inputs["end"].item() == pytest.approx(0.9)
    assert trials.lengths == [18]


def test_classes_of_one_seed_differ_in_which_input_has_which_pulse_alone():
    task = OrderTask(input_noise=0.0)
    seeds = [5] * 6
    trials = task.trials(np.arange(6), seeds)
    for order, one in zip(task.orders, trials.inputs.to_numpy(), strict=True):
        np.testing.assert_array_equal(one[:, list(order)], trials.inputs[0])
    assert len(set(trials.lengths)) == 1
    again = task.trials([4, 1], [5, 6])
    np.testing.assert_array_equal(again.inputs[0], trials.inputs[4])
    np.testing.assert_array_equal(trials[1:3].inputs, trials.inputs[1:3])
    noisy = OrderTask().trials(np.arange(6), seeds)
    difference = noisy.inputs.to_numpy() - trials.inputs.to_numpy()
    # 6 * 130 * 3 samples, but one noise: the s.d. of 390 numbers is known to 1 / sqrt(2 * 390) = 3.6 %.
    np.testing.assert_allclose(difference, np.broadcast_to(difference[:1], difference.shape), atol=1e-15)  # of 1.2
    assert difference[0].std() == pytest.approx(0.1, rel=4 * 0.036)


def test_trials_of_orders_are_of_unequal_length():
    task = OrderTask()
    trials = task.trials(np.zeros(50, dtype=int), ROOT)
    waits = trials.inputs["end"].to_numpy() - trials.inputs["last_pulse"].to_numpy()
    assert waits.min() >= 0.4 - 1e-9
    assert waits.max() <= 0.6 + 1e-9
    assert len(np.unique(trials.lengths)) > 10
    np.testing.assert_array_equal(trials.lengths, np.rint(trials.inputs["end"].to_numpy() / 0.01))
    assert trials.lengths.max() <= task.n_steps == 130


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_inputs": 5}, "OrderTask.n_inputs must be 2, 3 or 4, got 5"),
        ({"dt": 0.0}, "OrderTask.dt must be finite and positive, got 0"),
        ({"input_noise": -1.0}, "OrderTask.input_noise must be finite and 0 or more, got -1"),
        ({"wait": (0.6, 0.4)}, r"OrderTask.wait must be \(smallest, largest\), got \(0.6, 0.4\)"),
        ({"gap": (float("nan"), 0.1)}, r"OrderTask.gap must be \(smallest, largest\), got \(nan, 0.1\)"),
        ({"reaction": 0.5}, "OrderTask.reaction must be shorter than the shortest wait, 0.4 s, got 0.5 s"),
        ({"pulse": 0.105}, "OrderTask.pulse must be a multiple of dt = 0.01 s, got 0.105 s"),
    ],
)
def test_orders_that_cannot_be_are_named(change, message):
    with pytest.raises(CortwinError, match=message):
        OrderTask(**change)


def test_a_class_that_is_not_there_is_named():
    with pytest.raises(CortwinError, match=r"must lie in 0\.\.5, got 6"):
        OrderTask().trials([0, 6], ROOT)
