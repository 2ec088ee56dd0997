"""The main job, small: every part runs, bars that do not depend on size hold, one seed gives the same bytes."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from cortwin.tasks import synthetic_recording

SMALL = (
    "--quick --set units=10 --set updates=40 --set trials=4 --set directions=8 --set neurons=2,4 "
    "--set neurons_per_unit=4 --set shuffles=20"
).split()


def run(*arguments, expected=0):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "cortwin", "run", "reach", *arguments],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == expected, done.stderr
    return done


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reach")
    for jobs in (1, 2):
        run(*SMALL, "--jobs", str(jobs), "--out", str(folder / str(jobs)))
    return folder / "1", folder / "2"


@pytest.mark.cpp
def test_bars_that_hold_at_any_size(twice):
    metrics = json.loads((twice[0] / "metrics.json").read_text())
    # At alpha = 1 one formula, but two XLA programs, which may sum a few dozen numbers of order one in another order.
    assert metrics["ladder.R1.max_abs_error"] <= 1e-13
    assert metrics["ladder.R2.max_abs_error"] <= 1e-10
    assert metrics["ladder.R2.xla_max_abs_error"] <= 1e-10
    assert metrics["ladder.R2.gradient_error"] <= 1e-8
    assert metrics["ladder.R2.gradient_fd_error"] <= 1e-6
    assert abs(metrics["ladder.R3.slope"] - 1) <= 0.1
    assert metrics["ladder.R5.nrmse.4"] < metrics["ladder.R5.nrmse.2"]
    assert metrics["engines.spikes.different"] == 0
    assert metrics["engines.spikes.spikes"] >= 5000
    assert metrics["readout.r2.rate.refitted"] == pytest.approx(metrics["readout.r2.textbook.refitted"], abs=1e-6)
    assert 10 < metrics["spikes.rate"] < 100  # maximum rates are 100 to 200 Hz
    for measure in ("cka", "cca", "procrustes"):
        for name in ("textbook", "rate", "spiking", "untrained", "noise", "ceiling"):
            for mean in ("mean_kept", "mean_removed"):
                assert math.isfinite(metrics[f"similarity.{measure}.{mean}.{name}"])


@pytest.mark.cpp
def test_the_number_of_workers_changes_no_byte(twice):
    first, second = twice
    names = ["metrics.json", "weights.npz", *(f"figures/{file.name}" for file in (first / "figures").iterdir())]
    assert len(names) > 20
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    with xr.open_datatree(first / "activity.nc") as one, xr.open_datatree(second / "activity.nc") as other:
        assert one.identical(other)
        assert "ladder.R5.4" in one.children


@pytest.mark.cpp
def test_the_report_shows_every_figure_and_number(twice):
    page = (twice[0] / "report.html").read_text()
    for name in ("cover", "ladder", "hands", "raster", "rotations", "similarity", "equations"):
        assert (twice[0] / "figures" / f"{name}.svg").exists()
        assert f'id="{name}"' in page or name in page
    assert "How many spiking neurons is one artificial unit worth?" in page


def write_recording(path, **changes):
    recording = synthetic_recording(np.random.default_rng(0), n_directions=6, n_units=12)
    arrays = {
        "rate": recording.rate.to_numpy(),
        "time": recording.rate["time"].to_numpy(),
        "direction": np.degrees(recording.rate["direction"].to_numpy()),
        "hand_velocity": recording.hand_velocity.to_numpy(),
    }
    np.savez(path, **{**arrays, **changes})
    return path


def test_a_recording_gives_its_own_directions_and_times_without_a_compiler(tmp_path):
    file = write_recording(tmp_path / "mit Leerzeichen.npz")
    small = "--quick --set units=8 --set updates=20 --set trials=4 --set neurons=2 --set neurons_per_unit=2".split()
    finer = "--set dt_spiking=1ms --set shuffles=20 --engine numpy".split()
    run(*small, *finer, "--recording", str(file), "--out", str(tmp_path / "out"))
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert 0.5 < metrics["readout.r2.recording.x"] <= 1
    assert "engines.spikes.different" not in metrics
    assert "readout.r2.spiking.refitted.new_directions" not in metrics
    with xr.open_datatree(tmp_path / "out" / "activity.nc") as tree:
        assert tree["ladder.R1"].sizes["trial"] == 6
        np.testing.assert_allclose(tree["ladder.R1"]["time"][0], -0.6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--recording", "nowhere.npz"], "nowhere.npz"),
        (["--set", "directions=7"], "even"),
        (["--set", "dt=200ms"], "alpha|tau"),
        (["--set", "untis=7"], "did you mean 'units'"),
        (["--set", "tau=50Hz"], "tau"),
        (["--set", "units=0"], "units"),
        (["--set", "neurons=0"], "neurons"),
        (["--set", "dt_spiking=0.3ms"], "multiple"),
        (["--set", "t_ref=20ms"], "max_rates|t_ref"),
        (["--set", "noise=nan"], "noise"),
    ],
)
def test_bad_input_ends_in_one_line(cortwin, arguments, words, tmp_path):
    """Before anything long begins: a single update of the weights would already be seen to take its time."""
    status, _, said = cortwin(
        "run", "reach", "--quick", "--set", "updates=1000000", *arguments, "--out", tmp_path / "out"
    )
    assert status == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert any(word in said for word in words.split("|")), said
    # What was refused before it began leaves nothing; what the experiment itself refused leaves the reason.
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} <= {"FAILED.json"}
