"""Several seeds on one page: n behind each number, twins paired within seeds, strangers refused."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cortwin import comparison
from cortwin.analysis import COVERAGE, interval
from cortwin.errors import CortwinError
from cortwin.experiment import Run, execute, load_experiment
from cortwin.figures import metric_differences, panels_over_runs, values_over_runs
from cortwin.over_seeds import Seeds, coverage_in_words, gather, interval_in_words, pairs, seeds_page, summaries
from cortwin.parameters import resolve
from cortwin.run_directory import Destination, open_run

TOY = Path(__file__).with_name("toy_experiment.py")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return four runs of one seed each, seeds 3 to 6, and one with another gain."""
    toy, folder = load_experiment(str(TOY)), tmp_path_factory.mktemp("runs")
    made = {}
    for name, seed, given in [*((f"s{k}", k, {}) for k in (3, 4, 5, 6)), ("gain", 7, {"gain": "2"})]:
        run, target = Run(seed=seed, show=False), Destination(folder / name, chosen=True)
        values = resolve(toy.declared, given, quick=False)
        made[name] = execute(toy, values, run, target, command=["cortwin"], figures=False)
    return made


def seeds(values, tables=(), reasons=None):
    arrays = {name: np.asarray(row, dtype=float) for name, row in values.items()}
    n = len(next(iter(arrays.values())))
    return Seeds("x", tuple(range(n)), arrays, reasons or dict.fromkeys(arrays, ""), tables, {}, False, {})


def test_metrics_stand_in_the_order_of_the_seeds(runs):
    found = gather([open_run(runs[name]) for name in ("s5", "s3", "s4")])
    assert found.seeds == (3, 4, 5)
    stored = [json.loads((runs[name] / "metrics.json").read_text()) for name in ("s3", "s4", "s5")]
    assert found.values["x.max"].tolist() == [one["x.max"] for one in stored]
    assert found.values["converged"].tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(found.values["x.rate"]).all()
    assert found.reasons["x.rate"] == "a single spike has no rate"
    assert found.differing == {}


@pytest.mark.parametrize(
    ("names", "only", "message"),
    [
        (["s3"], [], "needs at least 2 runs of different seeds, got 1"),
        (["s3", "s3"], [], "both have seed 3: count it once"),
        (["s3", "gain"], [], r"gain is 1 in .*s3 and 2 in .*gain: runs are summarised over seeds alone"),
        (["s3", "s4"], ["y.*"], r"no metric is called y\.\*; `cortwin show"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(runs, names, only, message):
    with pytest.raises(CortwinError, match=message):
        gather([open_run(runs[name]) for name in names], only)


def test_the_interval_is_that_of_the_values_and_always_the_same():
    many = np.random.default_rng(2).standard_normal(40)
    together = summaries(seeds({"other": many + 1, "many": many}))
    assert summaries(seeds({"many": many}))["many"] == together["many"]  # whatever else is summarised
    found = seeds({"a": [1.0, 2.0, 4.0], "b": [1.0, math.nan, 3.0], "c": [5.0, 5.0, 5.0]})
    one = summaries(found)
    # All 27 resamples of three values are drawn many times: any generator gives the same quantiles.
    assert (one["a"].low, one["a"].high) == interval([1.0, 2.0, 4.0], np.random.default_rng(9))
    assert (one["b"].n, one["b"].runs, one["b"].mean) == (2, 3, 2.0)
    assert (one["c"].low, one["c"].high) == (5.0, 5.0)


def test_twins_are_paired_by_the_word_in_which_they_differ():
    names = [
        f"r2.{writing}.{kind}" for writing in ("textbook", "rate", "spiking") for kind in ("refitted", "transferred")
    ]
    values = {name: np.array([0.0, 10.0, 20.0]) + k + np.array([0.1, 0.2, 0.0]) * k for k, name in enumerate(names)}
    found = pairs(seeds({**values, "rate": [1.0, 2.0, 3.0], "other.rate": [1.0, 2.0, 3.0]}))
    expected = {
        *((f"r2.*.{kind}", a, b) for kind in ("refitted", "transferred")
          for a, b in (("textbook", "rate"), ("textbook", "spiking"), ("rate", "spiking"))),
        *((f"r2.{writing}.*", "refitted", "transferred") for writing in ("textbook", "rate", "spiking")),
    }  # fmt: skip
    assert set(found) == expected
    one = found["r2.*.refitted", "textbook", "spiking"]  # k = 0 and 4
    assert one.difference == pytest.approx(4 + 4 * 0.1)
    assert (one.n, one.larger) == (3, 3)
    # d_z of 4.4, 4.8, 4.0 is 4.4 / 0.4 = 11; J(2) = Gamma(1) / (1 Gamma(1/2)) = 1 / sqrt(pi).
    assert one.effect_size == pytest.approx(11 / math.sqrt(math.pi))


def test_how_far_an_interval_can_be_trusted_is_said():
    assert f"3 at a time, they hold the mean in {100 * COVERAGE[3]:.0f} % of cases" in coverage_in_words(3, 0.95)
    assert "5 at a time" in coverage_in_words(6, 0.95)
    assert coverage_in_words(100, 0.95) == coverage_in_words(5, 0.9) == ""


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1.02016, 1.03247, "1.020 to 1.032"),
        (-0.52, 12.0, "−1 to 12"),
        (0.97, 0.97, "0.9700 to 0.9700"),
        (1e-16, 3e-16, "1.000\xa0×\xa010⁻¹⁶ to 3.000\xa0×\xa010⁻¹⁶"),
        (None, None, None),
    ],
)
def test_an_interval_is_set_by_its_width(low, high, words):
    assert interval_in_words(low, high) == words


def test_the_command_states_n_and_writes_every_table(runs, cortwin, tmp_path):
    words = [runs[name] for name in ("s3", "s4", "s5", "s6")]
    status, said, complained = cortwin("summary", *words, "--out", "all")
    assert (status, complained) == (0, "")
    assert "toy_experiment: n = 4 runs, seeds 3, 4, 5, 6\n" in said
    assert re.search(r"^x\.rate +0 +– +– +–", said, re.M)
    assert "–  no value in 4 of 4: a single spike has no rate" in said
    assert said.splitlines()[-1] == "all: open all/report.html"
    with (tmp_path / "all" / "metrics.csv").open(newline="") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    values = [json.loads((run / "metrics.json").read_text())["x.max"] for run in words]
    assert float(rows["x.max"]["mean"]) == pytest.approx(np.mean(values), rel=1e-15)
    assert float(rows["x.max"]["low"]) < np.mean(values) < float(rows["x.max"]["high"])
    assert (rows["x.max"]["n"], rows["x.rate"]["n"], rows["x.rate"]["mean"]) == ("4", "0", "")
    with (tmp_path / "all" / "runs.csv").open(newline="") as file:
        assert [float(row["value"]) for row in csv.DictReader(file) if row["metric"] == "x.max"] == values
    page = (tmp_path / "all" / "report.html").read_text()
    assert "n = 4 runs, seeds 3, 4, 5, 6" in page
    assert page.count("a single spike has no rate") == 1
    assert page.count("<img") == 1
    assert (
        cortwin("summary", *words, "--out", "again", "--statistic", "median", "--level", "80", "--only", "x.*")[0] == 0
    )
    assert "80 %" in (tmp_path / "again" / "report.html").read_text()
    assert cortwin("summary", *reversed(words), "--out", "turned")[0] == 0
    for name in ("metrics.csv", "runs.csv", "figures/over_seeds.x.svg", "figures/over_seeds.x.png"):
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "turned" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--statistic", "mode"], "--statistic is mean or median, got 'mode'"),
        (["--level", "nan"], "--level takes a percentage between 0 and 100, got 'nan'"),
        (["--level", "100"], "between 0 and 100"),
        (["none"], "there is no folder"),
        (["--out", "full"], "--out full is not empty"),
    ],
)
def test_bad_input_is_one_line(runs, cortwin, tmp_path, words, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    status, said, complained = cortwin("summary", runs["s3"], runs["s4"], *words)
    assert (status, said, complained.count("\n")) == (2, "", 1)
    assert message in complained


def test_what_else_differs_between_the_runs_is_noted(runs, cortwin, tmp_path):
    other = Path(shutil.copytree(runs["s4"], tmp_path / "other"))
    from cortwin.run_directory import seal

    content = json.loads((other / "manifest.json").read_text())
    content["versions"]["numpy"] = "9.9"
    seal(other, {key: value for key, value in content.items() if key not in ("seal", "files")})
    status, _, complained = cortwin("summary", runs["s3"], other, "--out", "all")
    assert status == 0
    assert complained == f"note: numpy is not the same in all runs: {np.__version__}, 9.9\n"
    assert "<h2>Origin</h2>" in (tmp_path / "all" / "report.html").read_text()


def test_the_ladder_over_seeds_is_drawn_with_its_interval():
    def rows(scale):
        return {"ladder": [{"rung": "R5", "neurons_per_unit": n, "nrmse": scale / n} for n in (4, 16)]}

    page = seeds_page(seeds({"a.b": [1.0, 2.0, 3.0]}, tables=[rows(1.0), rows(2.0), rows(3.0)]))
    assert [drawing.name for drawing in page.drawings] == ["cover", "over_seeds.a"]
    curve = page.drawings[0].figure.axes[1]
    (band,) = [one for one in curve.collections if len(one.get_paths()[0].vertices) > 4]
    heights = band.get_paths()[0].vertices[:, 1]
    low, high = interval([1 / 4, 2 / 4, 3 / 4], np.random.default_rng(1))
    assert heights.min() < 2 / 16
    assert heights.max() == pytest.approx(high)
    assert low == pytest.approx(1 / 4)


def test_metrics_are_sorted_into_panels():
    n = [1.0, 2.0]
    names = ["r.spiking.a", "r.rate.a", "r.textbook.b", "l.n.16", "l.n.4", "l.rate.4", "l.rate.16", "l.same", "x"]
    found = panels_over_runs({name: np.array([1.0, 1.0 + 1e-15] if name == "l.same" else n) for name in names})
    assert list(found) == ["r", "l", "x"]  # twins in front
    assert {panel.title: list(panel.metrics) for panel in found["r"]} == {
        "*.a": ["rate", "spiking"],
        "textbook.b": ["textbook"],
    }
    assert {panel.title: list(panel.metrics) for panel in found["l"]} == {"n.*": ["4", "16"], "rate.*": ["4", "16"]}
    assert found["x"][0].title == "x"


def test_a_point_is_drawn_for_every_run():
    values = {"r.rate": np.array([1.0, 2.0, math.nan]), "r.spiking": np.array([0.5, 1.5, 2.5])}
    (panels,) = panels_over_runs(values).values()
    marks = {"r.rate": (1.5, 1.0, 2.0), "r.spiking": (1.5, math.nan, math.nan)}
    figure = values_over_runs(panels, values, marks)
    axes = figure.axes[0]
    dots = [line.get_ydata() for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(np.stack(dots), np.stack(list(values.values())))
    bars = [line.get_ydata() for line in axes.lines if len(line.get_ydata()) == 2 and line.get_xdata()[0] > 0]
    assert [list(bar) for bar in bars if bar[0] != bar[1]] == [[1.0, 2.0]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["rate", "spiking"]
    assert values_over_runs([], {}, {}).axes[0].texts[0].get_text() == "no metric differs between the runs"


def test_the_largest_differences_are_drawn_with_their_direction():
    rows = [
        {"metric": "grew", "first": 1.0, "second": 2.0, "relative": 0.5},
        {"metric": "fell", "first": 1.0, "second": 0.999, "relative": -0.001},
        {"metric": "gone", "first": 1.0, "second": None, "relative": None},
    ]
    axes = metric_differences(rows).axes[0]
    marks = {line.get_marker(): line.get_xdata()[0] for line in axes.lines if line.get_marker() in "<>"}
    assert marks == {">": 0.5, "<": 0.001}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["grew", "fell", "gone"]
    assert "1  →  –" in [text.get_text() for text in axes.texts]
    many = [{"metric": f"m{k}", "first": 1.0, "second": 2.0, "relative": 0.5} for k in range(60)]
    assert len(metric_differences(many).axes[0].get_yticklabels()) == 40
    assert metric_differences([]).axes[0].texts[0].get_text() == "no metric differs"


def test_an_interrupted_page_leaves_nothing(tmp_path, monkeypatch):
    page = comparison.Page("kind", "x", "title", "made", False, {"rows": [{"a": 1.5, "b": "ü"}, {"a": None}]})
    place = comparison.write_page(page, Destination(tmp_path / "page", chosen=True), command=["cortwin"])
    assert (place / "rows.csv").read_text(encoding="utf-8") == "a,b\n1.5,ü\n,\n"

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "write_comparison", fail)
    with pytest.raises(KeyboardInterrupt):
        comparison.write_page(page, Destination(tmp_path / "other", chosen=True), command=["cortwin"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["page"]
