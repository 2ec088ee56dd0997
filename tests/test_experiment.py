"""The frame of an experiment: seeds by purpose, saved before drawn, the same bytes twice, figures drawn again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from cortwin import catalogue
from cortwin.errors import CortwinError
from cortwin.experiment import Drawing, Results, Run, execute, load_experiment, redraw, write_drawings
from cortwin.interruption import Guard, Interrupted
from cortwin.parameters import resolve
from cortwin.run_directory import Destination, open_run

TOY = Path(__file__).with_name("toy_experiment.py")
# What must be the same in two runs of one seed. The others tell the time.
REPRODUCED = ("metrics.json", "weights.npz", "activity.nc", "spikes.nc", "notes.json", "parameters.json")


@pytest.fixture(scope="module")
def toy():
    return load_experiment(str(TOY))


def run_toy(toy, path, given=None, **options):
    run = Run(show=False, **options)
    values = resolve(toy.declared, given or {}, quick=run.quick)
    return execute(toy, values, run, Destination(path, chosen=True), command=["cortwin", "run", "toy"])


def test_seeds_depend_on_the_purpose_and_not_on_the_order():
    run = Run(seed=3)
    first = run.generator("noise").standard_normal(4)
    run.generator("connectivity").standard_normal(1000)
    np.testing.assert_array_equal(run.generator("noise").standard_normal(4), first)
    assert not np.array_equal(run.generator("connectivity").standard_normal(4), first)
    assert not np.array_equal(Run(seed=4).generator("noise").standard_normal(4), first)


def test_seeds_are_those_of_numpys_documented_spawning():
    # By hand from sha256("noise"), little endian words; a change would silently alter every result.
    digest = hashlib.sha256(b"noise").digest()
    words = tuple(int.from_bytes(digest[k : k + 4], "little") for k in range(0, 16, 4))
    expected = np.random.SeedSequence(3, spawn_key=words).generate_state(4)
    np.testing.assert_array_equal(Run(seed=3).seed_sequence("noise").generate_state(4), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"seed": -1}, "seed"), ({"jobs": 0}, "jobs must be at least 1"), ({"engine": "ccp"}, "did you mean 'cpp'")],
)
def test_options_are_checked(options, message):
    with pytest.raises(CortwinError, match=message):
        Run(**options)


def test_parts_are_timed_and_added():
    run = Run()
    for _ in range(2):
        with run.timed("a"), run.timed("b"):
            sum(range(1000))
    assert run.timings["a"] >= run.timings["b"] > 0
    with pytest.raises(CortwinError, match="record 'x' is not JSON"):
        run.record("x", object())


def test_a_run_directory_has_everything(toy, tmp_path):
    path = run_toy(toy, tmp_path / "run", {"units": "2"}, seed=5)
    finished = open_run(path)
    assert not finished.damaged
    files = set(finished.manifest["files"])
    figures = {f"figures/{name}.{ending}" for name in ("activity", "error") for ending in ("png", "svg")}
    assert files == {*REPRODUCED, *figures, "timings.json", "report.html"}
    assert finished.manifest["seed"] == 5
    assert finished.manifest["experiment"] == "toy_experiment"
    assert finished.manifest["records"] == {"solver": {"method": "euler", "dt": 0.01}}
    assert finished.manifest["command"] == ["cortwin", "run", "toy"]
    assert finished.json("timings.json").keys() >= {"total", "compute", "integrate", "save", "draw"}
    parameters = finished.json("parameters.json")
    assert parameters["tau"] == {
        "value": 0.1,
        "unit": "SI",
        "text": "100 ms",
        "default": "100 ms",
        "meaning": "time constant of the current",
    }
    assert parameters["units"]["value"] == 2
    assert finished.activity()["textbook.x"].shape == (2, 50, 2)
    assert finished.spikes()["spiking"].sizes["event"] == finished.metrics().metrics["spikes.count"] > 0


def test_the_same_seed_gives_the_same_bytes(toy, tmp_path):
    first = run_toy(toy, tmp_path / "a", jobs=1)
    second = run_toy(toy, tmp_path / "b", jobs=2)
    other = run_toy(toy, tmp_path / "c", seed=2)
    figures = sorted(path.relative_to(first).as_posix() for path in (first / "figures").iterdir())
    assert len(figures) == 4
    for name in (*REPRODUCED, *figures):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    for name in ("metrics.json", "weights.npz", "activity.nc", "figures/activity.svg"):
        assert (first / name).read_bytes() != (other / name).read_bytes(), name


def test_figures_are_drawn_again_from_what_was_saved(toy, tmp_path, monkeypatch):
    path = run_toy(toy, tmp_path / "run")
    before = {name: (path / name).read_bytes() for name in open_run(path).manifest["files"]}
    (path / "figures" / "activity.png").write_bytes(b"damaged")
    (path / "figures" / "error.svg").unlink()
    (path / "figures" / "left over.svg").touch()
    assert "figures/activity.png" in open_run(path).damaged

    monkeypatch.setattr(toy.module, "compute", None)  # it must not run
    assert redraw(open_run(path), toy) == ["activity", "error"]
    finished = open_run(path)
    assert not finished.damaged
    assert len(list((path / "figures").iterdir())) == 4
    assert {name: (path / name).read_bytes() for name in finished.manifest["files"]} == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]

    shutil.rmtree(path / "figures")
    (path / "figures").symlink_to(tmp_path)
    with pytest.raises(CortwinError, match="link out of the run"):
        redraw(open_run(path), toy)


def test_damaged_data_are_not_drawn(toy, tmp_path):
    path = run_toy(toy, tmp_path / "run")
    (path / "activity.nc").write_bytes(b"damaged")
    with pytest.raises(CortwinError, match=r"activity\.nc is damaged"):
        redraw(open_run(path), toy)


@pytest.mark.parametrize("name", ["../x", "/x", "x" * 300, "", ".hidden", "a b", "a/b"])
@pytest.mark.failure("row 10: results outside the chosen folder")
@pytest.mark.failure("results: output names ../x, absolute, 300 characters, a link out")
@pytest.mark.failure("security: output stays under the chosen folder")
def test_drawings_stay_in_their_folder(tmp_path, name):
    with pytest.raises(CortwinError, match="a drawing is called"):
        write_drawings(tmp_path, [Drawing(name, Figure())])
    assert list((tmp_path / "figures").iterdir()) == []


def test_two_drawings_of_one_name_are_refused(tmp_path):
    with pytest.raises(CortwinError, match="two drawings are called 'a'"):
        write_drawings(tmp_path, [Drawing("a", Figure()), Drawing("a", Figure())])


@pytest.mark.failure("running: a failed run leaves FAILED.json")
def test_a_failing_experiment_leaves_its_reason_and_nothing_that_loads(toy, tmp_path, monkeypatch):
    def draw(results):
        raise ZeroDivisionError("no\nwidth")

    monkeypatch.setattr(toy.module, "draw", draw)
    with pytest.raises(ZeroDivisionError):
        run_toy(toy, tmp_path / "run", {"units": "2"}, seed=5)
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "FAILED.json"]
    failure = json.loads((tmp_path / "run" / "FAILED.json").read_text())
    assert failure["error"] == "ZeroDivisionError: no width"
    assert failure["traceback"][-1] == "width"
    assert failure["parameters"]["units"] == "2"
    assert failure["parameters"]["tau"] == "100 ms"
    assert (failure["seed"], failure["command"]) == (5, ["cortwin", "run", "toy"])
    assert failure["versions"]["cortwin"]
    with pytest.raises(
        CortwinError, match=r"run holds no results, its run failed: ZeroDivisionError: no width; FAILED"
    ):
        open_run(tmp_path / "run")

    compute = toy.module.compute
    monkeypatch.setattr(toy.module, "compute", lambda run, **_: {})
    with pytest.raises(CortwinError, match="must return Results, got dict"):
        run_toy(toy, tmp_path / "run")
    assert "must return Results" in json.loads((tmp_path / "run" / "FAILED.json").read_text())["error"]
    monkeypatch.setattr(toy.module, "compute", compute)
    monkeypatch.setattr(toy.module, "draw", lambda results: [])
    monkeypatch.setattr(toy.module, "report", lambda results: [])
    assert not open_run(run_toy(toy, tmp_path / "run")).damaged
    assert not (tmp_path / "run" / "FAILED.json").exists()


def test_an_experiment_without_a_report_shows_its_drawings(toy, tmp_path, monkeypatch):
    monkeypatch.delattr(toy.module, "report")
    page = (run_toy(toy, tmp_path / "run") / "report.html").read_text()
    assert page.count("<figure") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def compute(run): ...", "has no function draw"),
        ("x = 1", "has no function compute"),
        ("def compute(run): return (", "line 1, cannot be imported: SyntaxError"),
        ("\nimport not_a_module", "line 2, cannot be imported: ModuleNotFoundError: No module named 'not_a_module'"),
        ("def compute(run, *, seed=1): ...\ndef draw(results): ...", "write seed after the"),
    ],
)
def test_scripts_that_are_no_experiments_are_refused(tmp_path, text, message):
    script = tmp_path / "mine.py"
    script.write_text(text)
    with pytest.raises(CortwinError) as refused:
        load_experiment(str(script))
    assert message in str(refused.value)


def test_unknown_experiments_are_answered_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "entries", lambda _: {"reach": None, "memory": None})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CortwinError, match="there is no experiment 'raech': did you mean 'reach'"):
        load_experiment("raech")
    (tmp_path / "raech.py").touch()
    with pytest.raises(CortwinError, match=r"write \./raech\.py"):
        load_experiment("raech")
    with pytest.raises(CortwinError, match=r"there is no script '\./none\.py'"):
        load_experiment("./none.py")


def test_a_script_finds_its_neighbours(tmp_path):
    (tmp_path / "toy_neighbour.py").write_text("VALUE = 3\n")
    (tmp_path / "mine.py").write_text(
        "import toy_neighbour\ndef compute(run): ...\ndef draw(results): ...\nvalue = toy_neighbour.VALUE\n"
    )
    assert load_experiment(str(tmp_path / "mine.py")).module.value == 3


def test_summaries_are_read_without_importing(tmp_path):
    (tmp_path / "a.py").write_text('"""First line.\n\nMore."""\nraise SystemExit\n')
    (tmp_path / "b.py").write_text("x = (\n")
    assert catalogue.summary(tmp_path / "a.py") == "First line."
    assert catalogue.summary(tmp_path / "b.py").startswith("(cannot be read")


def test_a_shielded_step_is_finished_before_a_signal_counts(signal_handlers):
    reached = []

    def step():
        with Guard() as guard:
            with guard.shield():
                os.kill(os.getpid(), signal.SIGTERM)
                reached.append("end of the step")
            reached.append("after it")

    with pytest.raises(Interrupted, match="SIGTERM") as stopped:
        step()
    assert reached == ["end of the step"]
    assert stopped.value.status == 143
    # Further signals would change the exit status while the interpreter shuts down.
    assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


def test_a_signal_counts_that_came_where_exceptions_are_ignored(signal_handlers, capfd):
    """In a finalizer Python says that it ignores the exception, and would go on."""

    class Dropped:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)

    def drop():
        one = Dropped()
        del one
        time.sleep(30)

    began = time.monotonic()
    with pytest.raises(Interrupted, match="SIGTERM"), Guard():
        drop()
    assert time.monotonic() - began < 15
    assert capfd.readouterr() == ("", "")


def test_a_notebook_shows_a_bar_that_moves(monkeypatch):
    pages = []
    shell = type("ZMQInteractiveShell", (), {})()
    handle = SimpleNamespace(update=pages.append)

    def display(page, display_id):
        pages.append(page)
        return handle

    parts = SimpleNamespace(HTML=str, display=display)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=parts))
    monkeypatch.setitem(sys.modules, "IPython.display", parts)
    monkeypatch.setattr("cortwin.progress.REFRESH_INTERVAL", 0)
    with Run().progress("training <x>", 4) as bar:
        bar.advance()
        bar.update("loss 0.5")
    assert pages[0] == '<div>training &lt;x&gt; <progress value="0.0000"></progress>  </div>'
    assert 'value="0.2500"' in pages[1]
    assert "0:00 left" in pages[1]
    assert "loss 0.5" in pages[-1]


def test_bars_are_shown_on_a_terminal_alone(monkeypatch, capsys):
    with Run().progress("integrating", 2) as bar:
        bar.advance(2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    run = Run()
    with run.progress("outer", 2) as outer, run.progress("inner", None) as inner:
        inner.update("[loss]")
        outer.advance(2)
    shown = capsys.readouterr().err
    for text in ("outer", "inner", "[loss]", "100%", "left"):
        assert text in shown
    with Run(show=False).progress("integrating", 2) as bar:
        bar.advance(2)
    assert capsys.readouterr() == ("", "")


def test_a_script_is_the_same_as_the_command(tmp_path):
    (tmp_path / "rich.py").write_text("raise SystemExit(3)\n")  # nothing is imported from the current folder
    done = subprocess.run(
        [sys.executable, TOY, "--quick", "--out", "out", "--units", "4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("out: done in ")
    finished = open_run(tmp_path / "out")
    assert finished.manifest["command"][1:] == ["run", str(TOY), "--quick", "--out", "out", "--units", "4"]
    assert finished.manifest["environment"]["OPENBLAS_NUM_THREADS"] == "1"
    assert json.loads((tmp_path / "out" / "parameters.json").read_text())["units"]["value"] == 4


def test_results_hold_containers_of_their_own():
    assert Results().metrics is not Results().metrics
