"""Rerun and diff: the same run is seen to be the same, and one changed number, byte or version is named."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cortwin import cli, manifest
from cortwin.errors import CortwinError
from cortwin.experiment import Run, execute, load_experiment
from cortwin.parameters import resolve
from cortwin.provenance import (
    CLOCKED,
    causes,
    compare_files,
    compare_metrics,
    compare_parameters,
    difference_page,
    repetition,
)
from cortwin.result_files import read_results, write_json, write_results
from cortwin.results import Results
from cortwin.run_directory import Destination, open_run, seal

TOY = Path(__file__).with_name("toy_experiment.py")


@pytest.fixture(scope="module")
def toy():
    return load_experiment(str(TOY))


def run_toy(toy, path, given=None, figures=False, **options):
    run = Run(show=False, **options)
    values = resolve(toy.declared, given or {}, quick=run.quick)
    target = Destination(path, chosen=True)
    return execute(toy, values, run, target, command=["cortwin", "run", "toy"], figures=figures)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return a run with a value of which the displayed digits are not all; tests do not change it."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "data.bin").write_bytes(b"one")
    given = ["--tau", "30.1234567890123456 ms", "--gain", "0.1", "--units", "2", "--recording", folder / "data.bin"]
    options = ["--seed", 4, "--quick", "--jobs", 1, "--out", folder / "run"]
    with pytest.MonkeyPatch.context() as patch:
        for variable in cli.THREAD_VARIABLES:
            patch.setenv(variable, os.environ.get(variable, "1"))
        with pytest.raises(SystemExit):
            cli.main([str(word) for word in ("run", TOY, *given, *options)])
    return folder / "run"


@pytest.fixture
def copy(original, tmp_path):
    """Return a copy that a test may damage, and seal again."""
    return Path(shutil.copytree(original, tmp_path / "copy"))


def sealed_again(path, **facts):
    content = json.loads((path / "manifest.json").read_text())
    seal(path, {**{key: value for key, value in content.items() if key not in ("seal", "files")}, **facts})
    return open_run(path)


def changed(path, change):
    """Change the results of a run as if it had computed others."""
    results = read_results(path)
    change(results)
    write_results(path, results)
    return sealed_again(path)


def test_a_manifest_names_sources_and_given_files(original):
    content = open_run(original).manifest
    assert content["sources"]["experiment"] == manifest.hash_of(TOY)
    assert set(content["sources"]) == {"cortwin", "experiment", "imports"}
    assert content["inputs"] == {"recording": manifest.hash_of(original.parent / "data.bin")}


def test_a_run_is_repeated_to_the_byte(original, cortwin, tmp_path):
    status, said, complained = cortwin("rerun", original, "--out", "again", "--jobs", "2")
    assert (status, complained) == (0, "")
    assert said.splitlines()[-1] == f"again: the same as {original}, all 10 files byte by byte"
    assert "Versions, compiler, machine and sources are the same." in said
    for name, reason in CLOCKED.items():
        assert re.search(rf"{re.escape(name)} +left out +{reason}", said)
    again = open_run(tmp_path / "again")
    for key in ("seed", "quick", "engine", "experiment"):
        assert again.manifest[key] == open_run(original).manifest[key]
    assert again.manifest["jobs"] == 2
    assert again.manifest["command"] == ["cortwin", "rerun", str(original), "--out", "again", "--jobs", "2"]
    assert again.manifest["records"]["repeats"] == str(original)
    # Displayed with twelve digits, and repeated with all of them.
    assert again.json("parameters.json")["tau"]["value"] == pytest.approx(30.1234567890123456e-3, rel=1e-15)
    assert (again.path / "metrics.json").read_bytes() == (original / "metrics.json").read_bytes()


def test_a_script_that_changed_is_named_as_the_cause(original, cortwin, tmp_path):
    script = tmp_path / "toy_experiment.py"
    text = TOY.read_text()
    assert text.count("0.01 * noisy") == 1
    script.write_text(text.replace("0.01 * noisy", "0.0100001 * noisy"))
    status, said, _ = cortwin("rerun", original, "--script", script)
    assert status == 1
    assert re.search(r"activity\.nc +differs +1 of 11 arrays; first textbook\.x/x\[0, 1, 0\]: ", said)
    assert re.search(r"figures/activity\.png +differs +first at byte \d+", said)
    assert re.search(r"weights\.npz +equal", said)
    before, after = manifest.hash_of(TOY)[:12], manifest.hash_of(script)[:12]
    assert re.search(rf"What may explain it:\n.*\n +source of the experiment +{before} +{after}", said)
    assert said.splitlines()[-1].startswith("results/run-rerun: ")
    assert said.splitlines()[-1].endswith(f" of 10 files differ from {original}")


def test_a_run_without_figures_is_repeated_without(toy, cortwin, tmp_path):
    bare = run_toy(toy, tmp_path / "bare")
    assert cortwin("rerun", bare, "--out", "again")[0] == 0
    assert not (tmp_path / "again" / "figures").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rerun", "none"], "there is no folder"),
        (["rerun", "."], "is not a finished run: it has no manifest.json"),
        (["rerun", "RUN", "--script", "none.py"], "none.py is gone: say where it is with --script FILE"),
        (["rerun", "RUN", "--file", "recording"], "--file recording: write --file PARAMETER=FILE"),
        (["rerun", "RUN", "--file", "recordin=none"], "no parameter 'recordin': did you mean 'recording'?"),
        (["rerun", "RUN", "--file", "units=7"], "--file: units is not a file"),
        (["rerun", "RUN", "--file", "recording=none"], "recording: there is no file '"),
        (["rerun", "RUN", "--jobs", "0"], "--jobs takes a whole number, at least 1"),
        (["diff", "RUN", "RUN"], "are the same run: name two"),
        (["diff", "RUN", "none"], "there is no folder"),
    ],
)
def test_bad_input_is_one_line(original, cortwin, tmp_path, words, message):
    status, said, complained = cortwin(*(original if word == "RUN" else word for word in words))
    assert (status, said, complained.count("\n")) == (2, "", 1)
    assert message in complained
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["rerun", "diff", "summary"])
def test_a_failed_run_and_a_damaged_one_are_one_line(original, copy, cortwin, tmp_path, command):
    others = [original] if command != "rerun" else []
    (tmp_path / "failed").mkdir()
    write_json(tmp_path / "failed" / "FAILED.json", {"error": "signal 9"})
    status, said, complained = cortwin(command, tmp_path / "failed", *others)
    assert (status, said, complained.count("\n")) == (2, "", 1)
    assert "failed holds no results, its run failed: signal 9" in complained
    damaged = "parameters.json" if command == "rerun" else "metrics.json"
    sealed_again(copy, seed=9)
    (copy / damaged).write_text("{}")
    status, said, complained = cortwin(command, copy, *others)
    assert (status, said, complained.count("\n")) == (2, "", 1)
    assert f"{damaged} is damaged" in complained


def test_what_cannot_be_repeated_says_why(copy, toy):
    stored = json.loads((copy / "parameters.json").read_text())
    cases = [
        ({**stored, "old": {"value": 1, "text": "1"}}, "has no parameter 'old' any more; the run is of cortwin"),
        ({**stored, "units": {"value": 0, "text": "0"}}, "units must be at least 1, got 0"),
        ({**stored, "recording": {"value": "/gone.npz", "text": "/gone.npz"}}, "--file recording=FILE"),
    ]
    for content, message in cases:
        write_json(copy / "parameters.json", content)
        with pytest.raises(CortwinError, match=message):
            repetition(sealed_again(copy))
    write_json(copy / "parameters.json", {name: one for name, one in stored.items() if name != "gain"})
    again = repetition(sealed_again(copy))
    assert again.notes == ("the run had no parameter gain: 1 is taken",)
    (copy / "parameters.json").write_text("{}")
    with pytest.raises(CortwinError, match=r"parameters\.json is damaged"):
        repetition(open_run(copy))
    with pytest.raises(CortwinError, match="has format 0"):
        sealed_again(copy, format=0)


def test_equal_runs_have_equal_files(original, copy):
    compared = compare_files(open_run(original), open_run(copy))
    assert len(compared) == 10
    assert all(one.same and not one.words for one in compared)
    assert not {one.name for one in compared} & set(CLOCKED)


def find(first, second, name):
    (one,) = [one for one in compare_files(first, second) if one.name == name]
    return one


def test_the_first_place_and_the_largest_difference_are_told(original, copy):
    def change(results):
        x = results.activity["textbook.x"].values
        x[0, 7, 1] += 0.25
        x[1, 3, 0] -= 2.0
        results.weights["W_rec"][1, 0] = np.nan
        results.metrics["x.max"] = 3.5
        results.tables["error"][1]["error"] += 1.0

    before = read_results(original)
    first, second = open_run(original), changed(copy, change)
    activity = find(first, second, "activity.nc")
    assert not activity.same
    assert activity.first_at == "textbook.x/x[0, 7, 1]"
    assert activity.largest_at == "textbook.x/x[1, 3, 0]"
    assert activity.largest == 2.0
    value = float(before.activity["textbook.x"].values[0, 7, 1])
    assert f"{value:.17g} against {value + 0.25:.17g}" in activity.words
    weights = find(first, second, "weights.npz")
    assert (weights.first_at, weights.largest, weights.largest_at) == ("W_rec[1, 0]", math.inf, "W_rec[1, 0]")
    metrics = find(first, second, "metrics.json")
    assert metrics.first_at == "tables.error[1].error"
    assert metrics.largest == pytest.approx(3.5 - before.metrics["x.max"])
    assert metrics.largest_at == "x.max"
    assert metrics.words.startswith("2 of ")
    assert find(first, second, "spikes.nc").same


def test_other_shapes_attributes_and_files_are_told(original, copy):
    def change(results):
        results.weights["W_rec"] = np.zeros((3, 3))
        results.weights["new"] = np.zeros(1)
        results.activity["input"].attrs["units"] = "mV"

    (copy / "figures" / "error.svg").unlink()
    with (copy / "figures" / "error.png").open("ab") as file:
        file.write(b"more")
    first, second = open_run(original), changed(copy, change)
    weights = find(first, second, "weights.npz")
    assert weights.words == "2 of 3 arrays; first W_rec: shape (2, 2) against shape (3, 3)"
    assert find(first, second, "activity.nc").first_at == "input/u:units"
    assert find(first, second, "figures/error.svg").words == f"only in {original}"
    size = (original / "figures" / "error.png").stat().st_size
    assert find(first, second, "figures/error.png").words == f"first at byte {size} ({size} against {size + 4} bytes)"


def test_a_file_that_was_damaged_later_is_known_by_its_hash(original, copy):
    (copy / "weights.npz").write_bytes(b"damaged")
    assert find(open_run(original), open_run(copy), "weights.npz").same
    with pytest.raises(CortwinError, match=r"weights\.npz is damaged"):
        open_run(copy).weights()


def test_the_origin_is_compared_fact_by_fact(original):
    first = open_run(original).manifest
    assert causes(first, first) == []
    second = json.loads(json.dumps(first))
    second["versions"] |= {"numpy": "9.9.9"}
    second["machine"]["cpu"] = "another"
    second["sources"]["imports"] = {"models.elman": "ab" * 32}
    second["records"] = {"compiler": {"flags": ["-O3", "-march=native"]}, **first["records"]}
    second["environment"]["CXX"] = "clang++"
    second["jobs"] = 7
    found = {cause.what: (cause.first, cause.second) for cause in causes(first, second)}
    assert found == {
        "source of models.elman": ("not recorded", "abababababab"),
        "numpy": (first["versions"]["numpy"], "9.9.9"),
        "compiler flags": ("not recorded", "-O3 -march=native"),
        "environment CXX": ("not recorded", "clang++"),
        "machine cpu": (first["machine"]["cpu"], "another"),
    }
    assert list(found) == ["source of models.elman", "numpy", "compiler flags", "environment CXX", "machine cpu"]


def test_metrics_are_compared_absolutely_and_relatively():
    first = Results({"a": 2.0, "b": 1.0, "c": None, "d": 0.0, "e": True, "same": 5}, {"c": "silent"})
    second = Results({"a": 1.0, "b": -1.0, "c": 3.0, "d": 0.0, "e": False, "same": 5, "new": 1})
    found = compare_metrics(first, second)
    by_name = {one.name: one for one in found.different}
    assert [one.name for one in found.different] == ["b", "e", "a", "c"]
    assert (by_name["a"].absolute, by_name["a"].relative) == (-1.0, -0.5)
    assert (by_name["b"].absolute, by_name["b"].relative) == (-2.0, -2.0)
    assert by_name["c"].reason == "silent"
    assert math.isnan(by_name["c"].absolute)
    assert (found.equal, found.only_first, found.only_second) == (2, (), ("new",))


def test_parameters_that_differ_beyond_the_displayed_digits_are_shown_in_full():
    first = {"tau": {"value": 0.1, "text": "100 ms"}, "units": {"value": 2, "text": "2"}}
    second = {"tau": {"value": 0.1 + 2**-56, "text": "100 ms"}, "units": {"value": 3, "text": "3"}}
    assert compare_parameters(first, first) == []
    assert compare_parameters(first, second) == [("tau", "0.1", "0.10000000000000002"), ("units", "2", "3")]
    assert compare_parameters(first, {"units": first["units"]}) == [("tau", "100 ms", "there is none")]


def test_two_runs_side_by_side(original, toy, cortwin, tmp_path):
    other = run_toy(toy, tmp_path / "other", {"units": "2", "gain": "0.2"}, seed=5, quick=True)
    status, said, complained = cortwin("diff", original, other, "--out", "both")
    assert (status, complained) == (0, "")
    assert re.search(r"^gain +0\.1 +0\.2 *$", said, re.M)
    assert re.search(r"^seed +4 +5 *$", said, re.M)
    assert "shape" not in said  # a parameter that is the same
    metrics = [json.loads((run / "metrics.json").read_text()) for run in (original, other)]
    difference = metrics[1]["x.max"] - metrics[0]["x.max"]
    assert re.search(rf"^x\.max .*{difference:.3g}", said.replace("−", "-"), re.M)
    assert re.search(r"^\d metrics differ, \d are equal\.$", said, re.M)
    assert said.splitlines()[-1] == "both: open both/report.html"
    files = {file.relative_to(tmp_path / "both").as_posix() for file in (tmp_path / "both").rglob("*.*")}
    assert files >= {"report.html", "metrics.csv", "parameters.csv", "origin.csv", "figures/metrics.svg"}
    page = (tmp_path / "both" / "report.html").read_text()
    assert "default-src 'none'" in page
    assert page.count("<img") == 1


def test_runs_of_different_experiments_are_compared_where_they_can_be(original, copy):
    changed(copy, lambda results: results.metrics.pop("converged"))
    other = sealed_again(copy, experiment="another")
    page = difference_page(open_run(original), other, ("a", "b"))
    words = page.sections[0].text
    assert "1 only in A" in words
    assert "The experiments are not the same (toy_experiment and another)" in words


def test_the_page_is_escaped(original, copy, cortwin, tmp_path):
    changed(copy, lambda results: results.metrics.pop("converged"))
    sealed_again(copy, experiment="<b>else</b>")
    named = copy.rename(copy.with_name("<img src=x>{tau}"))
    assert cortwin("diff", original, named, "--out", "both")[0] == 0
    page = (tmp_path / "both" / "report.html").read_text()
    assert "<b>else" not in page
    assert "<img src=x>" not in page
    assert "&lt;img src=x&gt;{tau}" in page
