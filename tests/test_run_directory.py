"""Run directories: whole or not there at all, the same bytes for the same results, and damage is named."""

from __future__ import annotations

import fcntl
import json
import os
import time
import zipfile

import numpy as np
import pytest
import xarray as xr

from cortwin import manifest
from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.result_files import (
    ACTIVITY,
    DATA_FILES,
    METRICS,
    SPIKES,
    WEIGHTS,
    read_results,
    read_weights,
    write_json,
    write_results,
)
from cortwin.results import Results
from cortwin.run_directory import (
    FAILED,
    MANIFEST,
    Destination,
    destination,
    failure_in,
    leave_failure,
    open_run,
    publish,
    seal,
    staging,
)

FACTS = {"format": manifest.FORMAT, "command": ["cortwin", "run", "x"], "versions": {"cortwin": "0.1.0"}}


def some_results():
    rng = np.random.default_rng(1)
    x = activity(
        rng.standard_normal((2, 5, 3)),
        dt=0.01,
        name="x",
        coordinates={"condition": ("trial", [0, 1]), "name": ("unit", ["a", "b", "ü"])},
    )
    spikes = xr.Dataset(
        {
            "trial": ("event", np.array([0, 0, 1])),
            "unit": ("event", np.array([2, 0, 1])),
            "time": ("event", np.array([0.01, 0.02, 0.01])),
        },
        attrs={"n_trials": 2, "n_units": 3, "t_start": 0.0, "duration": 0.05, "dt": 1e-4},
    )
    none = spikes.isel(event=slice(0, 0))
    return Results(
        metrics={"error": 1e-17, "n": 3, "flag": np.bool_(True), "rate": np.float64("nan"), "lost": None},
        reasons={"rate": "no spikes"},
        tables={"ladder": [{"rung": "R1", "error": 0.1 + 0.2}, {"rung": "R2", "error": float("inf")}]},
        activity={"textbook.x": x, "both": xr.Dataset({"x": x, "y": 2 * x})},
        spikes={"spiking": spikes, "silent": none},
        weights={"W_rec": rng.standard_normal((3, 3)), "names": np.array(["a", "b"])},
        notes={"equations": ["dx/dt = -x/τ"]},
    )


def finish(path):
    target = Destination(path, chosen=True)
    with staging(target) as folder:
        write_results(folder, some_results())
        seal(folder, FACTS)
        return publish(folder, target)


def test_results_come_back_as_they_were(tmp_path):
    write_results(tmp_path, some_results())
    given, found = some_results(), read_results(tmp_path)
    assert found.metrics == {"error": 1e-17, "n": 3, "flag": True, "rate": None, "lost": None}
    assert found.reasons == {"rate": "no spikes", "lost": "no value"}
    assert found.tables == {"ladder": [{"rung": "R1", "error": 0.1 + 0.2}, {"rung": "R2", "error": None}]}
    assert found.notes == given.notes
    for name, group in {**given.activity, **given.spikes}.items():
        back = {**found.activity, **found.spikes}[name]
        assert type(back) is type(group)
        xr.testing.assert_identical(back, group)
    assert isinstance(found.activity["textbook.x"].attrs["dt"], float)
    assert isinstance(found.spikes["spiking"].attrs["n_units"], int)
    assert found.spikes["spiking"]["unit"].dtype == np.int64
    assert found.spikes["silent"].sizes["event"] == 0
    assert found.weights.keys() == given.weights.keys()
    for name, array in given.weights.items():
        np.testing.assert_array_equal(found.weights[name], array)


def test_metrics_are_flat_and_sorted(tmp_path):
    write_results(tmp_path, some_results())
    content = json.loads((tmp_path / METRICS).read_text())
    assert content["error"] == 1e-17
    assert list(content) == sorted(content)


def test_the_same_results_are_the_same_bytes(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        write_results(folder, some_results())
        time.sleep(0.01)
    for name in DATA_FILES:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    with zipfile.ZipFile(folders[0] / WEIGHTS) as archive:  # a stamp of two seconds could agree by chance
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (Results(metrics={"a": "text"}), "metric a must be a number, got str"),
        (Results(metrics={"a": np.zeros(2)}), "metric a must be a number, got ndarray"),
        (Results(metrics={"tables": 1}), "cannot be called 'tables'"),
        (Results(metrics={"a": 1.0}, reasons={"a": "why"}), "a reason for 'a'"),
        (Results(tables={"t": [{"c": []}]}), "table t, column c must be a number"),
        (Results(weights={"w": np.array([object()])}), "weights w have type object"),
        (Results(weights={"../w": np.zeros(1)}), "use 1-100 letters"),
        (Results(weights={"/w": np.zeros(1)}), "use 1-100 letters"),
        (Results(weights={"w" * 300: np.zeros(1)}), "300 characters"),
        (Results(activity={"a/b": activity(np.zeros((1, 1, 1)), dt=1)}), "use 1-100 letters"),
        (Results(activity={"a": xr.DataArray([object()])}), "activity a holds Python objects"),
        (Results(activity={"a": xr.DataArray([1.0], attrs={"x": {}})}), "activity a cannot be saved"),
        (Results(notes={"a": object()}), "notes hold something that is not JSON"),
        (Results(notes={"a": float("nan")}), "notes hold something that is not JSON"),
    ],
)
@pytest.mark.failure("results: output names ../x, absolute, 300 characters, a link out")
@pytest.mark.failure("security: output stays under the chosen folder")
def test_what_cannot_be_saved_is_named(tmp_path, results, message):
    with pytest.raises(CortwinError) as refused:
        write_results(tmp_path, results)
    assert message in str(refused.value)


class Attack:
    """An object that writes a file when somebody loads it from a pickle."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


@pytest.mark.failure("results: a pickled array in a file")
@pytest.mark.failure("security: no pickle")
def test_pickled_weights_are_refused(tmp_path):
    np.savez(tmp_path / WEIGHTS, w=np.array([Attack(tmp_path / "attacked")], dtype=object))
    with pytest.raises(CortwinError, match=r"weights\.npz cannot be read.*allow_pickle"):
        read_weights(tmp_path)
    assert not (tmp_path / "attacked").exists()
    np.load(tmp_path / WEIGHTS, allow_pickle=True)["w"][0].close()
    assert (tmp_path / "attacked").exists()  # the attack works where nobody refuses it


def test_a_finished_run_opens(tmp_path):
    path = finish(tmp_path / "Läufe von heute" / "run")
    finished = open_run(path)
    assert finished.damaged == {}
    assert set(finished.manifest["files"]) == set(DATA_FILES)
    assert finished.metrics().metrics["n"] == 3
    assert finished.results().notes == some_results().notes
    assert [entry.name for entry in path.parent.iterdir()] == ["run"]
    assert path.stat().st_mode & 0o777 == (tmp_path / "Läufe von heute").stat().st_mode & 0o777


@pytest.mark.failure("results: a crash between files and manifest")
def test_a_half_run_leaves_nothing(tmp_path):
    def half_run():
        with staging(Destination(tmp_path / "run", chosen=True)) as folder:
            write_results(folder, some_results())
            with pytest.raises(CortwinError, match="not a finished run: it has no manifest"):
                open_run(folder)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_run()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.failure("running: a stale lock of a dead process")
def test_what_a_killed_run_left_is_swept_and_a_living_one_is_not(tmp_path):
    (tmp_path / ".run.partial-dead").mkdir()
    (tmp_path / ".run.partial-dead" / "file").touch()
    (tmp_path / ".other.partial-dead").mkdir()
    alive = tmp_path / ".run.partial-alive"
    alive.mkdir()
    lock = os.open(alive, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        finish(tmp_path / "run")
    finally:
        os.close(lock)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.partial-dead", ".run.partial-alive", "run"]


@pytest.mark.failure("running: two processes, one folder or one build")
def test_two_runs_into_one_place_lose_nothing(tmp_path):
    target = Destination(tmp_path / "run", chosen=True)
    with staging(target) as first, staging(target) as second:
        for folder in (first, second):
            write_json(folder / "notes.json", folder.name)
            seal(folder, FACTS)
        places = [publish(first, target), publish(second, target)]
    assert places == [tmp_path / "run", tmp_path / "run-2"]
    assert [json.loads((place / "notes.json").read_text()) for place in places] == [first.name, second.name]


@pytest.mark.failure("running: a failed run leaves FAILED.json")
def test_a_failure_takes_no_place_from_a_finished_run(tmp_path):
    target = Destination(tmp_path / "run", chosen=True)
    with staging(target) as folder:
        (folder / "half").mkdir()
        assert leave_failure(folder, target, {"error": "first"}) == tmp_path / "run" / FAILED
    with staging(target) as folder:
        assert leave_failure(folder, target, {"error": "second"}) == tmp_path / "run" / FAILED
    assert failure_in(tmp_path / "run") == {"error": "second"}
    assert destination(tmp_path / "run", "x") == target
    assert finish(tmp_path / "run") == tmp_path / "run"
    with staging(target) as folder:
        assert leave_failure(folder, target, {"error": "too late"}) is None
    assert failure_in(tmp_path / "run") is None
    assert not open_run(tmp_path / "run").damaged
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_default_places_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert destination(None, "reach-seed1") == Destination(tmp_path / "results" / "reach-seed1", chosen=False)
    for expected in ("reach-seed1", "reach-seed1-2", "reach-seed1-3"):
        target = destination(None, "reach-seed1")
        assert target.path.name == expected
        target.path.mkdir(parents=True)


@pytest.mark.failure("results: output names ../x, absolute, 300 characters, a link out")
def test_places_that_would_be_overwritten_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    assert destination(tmp_path / "link", "x").path == tmp_path / "empty"
    for out, message in [
        (tmp_path / "full", "is not empty"),
        (tmp_path / "full" / "file", "is a file"),
        (tmp_path / "x" / ("n" * 300), "300 characters"),
    ]:
        with pytest.raises(CortwinError, match=message):
            destination(out, "x")
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(CortwinError, match="current folder"):
        destination(tmp_path / "empty", "x")
    with (
        pytest.raises(CortwinError, match=r"cannot write in .*/full/file: it is not a folder"),
        staging(Destination(tmp_path / "full" / "file" / "run", chosen=True)),
    ):
        pass


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", DATA_FILES)
@pytest.mark.failure("results: a truncated or flipped file")
def test_a_flipped_bit_is_named_and_the_others_load(tmp_path, name):
    path = finish(tmp_path / "run")
    flip(path / name)
    finished = open_run(path)
    assert list(finished.damaged) == [name]
    readers = {
        METRICS: finished.metrics,
        ACTIVITY: finished.activity,
        SPIKES: finished.spikes,
        WEIGHTS: finished.weights,
    }
    for file, read in readers.items():
        if file == name:
            with pytest.raises(CortwinError, match=f"{name} is damaged: its hash is"):
                read()
        else:
            read()
    with pytest.raises(CortwinError, match=name):
        finished.results()


@pytest.mark.failure("results: output names ../x, absolute, 300 characters, a link out")
def test_truncated_missing_and_foreign_files_are_named(tmp_path):
    path = finish(tmp_path / "run")
    os.truncate(path / ACTIVITY, 100)
    (path / SPIKES).unlink()
    (tmp_path / "elsewhere.npz").write_bytes((path / WEIGHTS).read_bytes())
    (path / WEIGHTS).unlink()
    (path / WEIGHTS).symlink_to(tmp_path / "elsewhere.npz")
    damaged = open_run(path).damaged
    assert damaged[ACTIVITY].startswith("is damaged: it has 100 bytes, the run wrote ")
    assert damaged[SPIKES] == "is missing"
    assert damaged[WEIGHTS] == "lies outside the run"
    assert len(damaged) == 3


@pytest.mark.failure("results: results of an older format")
def test_manifests_that_cannot_be_trusted_are_refused(tmp_path):
    path = finish(tmp_path / "run")
    whole = (path / MANIFEST).read_text()

    def refused(text):
        (path / MANIFEST).write_text(text)
        with pytest.raises(CortwinError) as error:
            open_run(path)
        return str(error.value)

    assert "was changed after it was written" in refused(whole.replace("cortwin", "cortwim", 1))
    assert "is damaged" in refused(whole[:-20])
    assert "is not a manifest" in refused("[]")
    assert "has format 0 (cortwin 0.1.0), this version reads 1" in refused(whole.replace('"format": 1', '"format": 0'))
    (path / MANIFEST).unlink()
    with pytest.raises(CortwinError, match="is not a finished run"):
        open_run(path)
    with pytest.raises(CortwinError, match="there is no folder"):
        open_run(tmp_path / "nowhere")
    (path / MANIFEST).write_text(whole)
    assert open_run(path).damaged == {}


@pytest.mark.failure("row 10: results outside the chosen folder")
@pytest.mark.failure("security: output stays under the chosen folder")
def test_a_manifest_names_only_files_inside(tmp_path):
    path = finish(tmp_path / "run")
    content = manifest.read(path / MANIFEST)
    content["files"]["../secret"] = {"sha256": "0", "bytes": 1}
    write_json(path / MANIFEST, manifest.sealed(content))
    (tmp_path / "secret").write_text("x")
    assert open_run(path).damaged == {"../secret": "lies outside the run"}


def test_origin_says_where_a_result_comes_from(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text("x = 1\n")
    facts = manifest.origin(command=["cortwin"], seed=3, script=script)
    assert facts["seed"] == 3
    assert facts["versions"].keys() >= {"cortwin", "brian2", "numpy", "jax", "xarray", "h5netcdf", "sympy"}
    assert facts["machine"]["cores"] >= facts["machine"]["cores_available"] >= 1
    assert facts["machine"]["memory_bytes"] > 2**20
    # From `printf 'x = 1\n' | sha256sum`.
    assert facts["script"]["sha256"] == "9e26bf369911c45c243c684147b23fc9e1dcfcf257d299a1c632016a6fcd33f4"
    assert facts["script"]["git"] is None
