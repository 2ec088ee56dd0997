"""The command: one clear line for everything that goes wrong, the right exit status, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cortwin import __version__, catalogue, cli
from cortwin.run_directory import open_run

TOY = Path(__file__).with_name("toy_experiment.py")
COMMAND = [sys.executable, "-m", "cortwin"]


def one_line(text):
    """The error, if the text is one line that says so."""
    assert text.startswith("error: "), text
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


def start(folder, *words, **environment):
    return subprocess.Popen(
        [*COMMAND, *(str(word) for word in words)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )


def start_waiting(folder, *words, **environment):
    """Start the toy and come back when it is in the middle of its computation."""
    process = start(folder, "run", TOY, "--out", "out", "--wait", "30s", *words, **environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    assert len(list(folder.glob(".out.partial-*"))) == 1
    return process


def is_alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_run_and_what_it_left(cortwin, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    status, said, complained = cortwin(
        "run", TOY, "--quick", "--seed", "3", "--tau=20ms", "--set", "units=4", "--no-noisy"
    )
    assert (status, complained) == (0, "")
    assert said.startswith("results/toy_experiment-seed3-quick: done in ")
    finished = open_run(tmp_path / "results" / "toy_experiment-seed3-quick")
    values = {name: one["text"] for name, one in finished.json("parameters.json").items()}
    assert (values["units"], values["tau"], values["noisy"], values["neurons"]) == ("4", "20 ms", "false", "1,4")
    assert finished.manifest["quick"] is True
    assert finished.manifest["environment"]["OMP_NUM_THREADS"] == "1"
    assert "except as the user set them: " in finished.manifest["records"]["threads"]
    assert "MKL_NUM_THREADS=3" in finished.manifest["records"]["threads"]
    assert finished.manifest["command"][:2] == ["cortwin", "run"]

    assert cortwin("run", TOY, "--quick", "--seed", "3", "--jobs", "1")[1].startswith(
        "results/toy_experiment-seed3-quick-2:"
    )

    status, said, _ = cortwin("show", finished.path)
    assert status == 0
    for text in ("--tau=20ms", "20 ms", "time constant of the current", "spikes.count", "a single spike has no rate"):
        assert text in said
    status, said, _ = cortwin("figures", "results/toy_experiment-seed3-quick")
    assert (status, said) == (0, "results/toy_experiment-seed3-quick: drew activity, error\n")
    assert not open_run(finished.path).damaged

    (finished.path / "weights.npz").write_bytes(b"x")
    status, said, complained = cortwin("show", finished.path)
    assert status == 1
    assert "x.max" in said
    assert "weights.npz is damaged: it has 1 bytes" in one_line(complained)


@pytest.mark.failure("model: no spikes at all, or every neuron at its limit")
def test_a_silent_network_is_told(cortwin, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import xarray as xr\nfrom cortwin.experiment import Results\n"
        "def compute(run):\n    return Results(spikes={'R5': xr.Dataset(attrs={'note': 'every neuron is silent'})})\n"
        "def draw(results):\n    return []\n"
    )
    assert cortwin("run", "./mine.py", "--out", "out")[::2] == (0, "note: R5: every neuron is silent\n")
    assert "note: R5: every neuron is silent" in cortwin("show", "out")[1]


@pytest.mark.failure("running: a path with spaces and umlauts")
def test_a_path_with_spaces_and_umlauts(cortwin, tmp_path):
    script = tmp_path / "Übung eins" / "mein Versuch.py"
    script.parent.mkdir()
    script.write_text(TOY.read_text())
    data = tmp_path / "Daten für M1.npz"
    data.touch()
    status, said, _ = cortwin("run", script, "--recording", data.name, "--out", "Läufe von Jürgen/erster Lauf")
    assert status == 0
    assert "open 'Läufe von Jürgen/erster Lauf/report.html'" in said
    assert open_run(tmp_path / "Läufe von Jürgen" / "erster Lauf").json("parameters.json")["recording"]["value"] == str(
        data
    )
    assert cortwin("figures", "Läufe von Jürgen/erster Lauf")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rum"], "No such command 'rum'"),
        (["list", "--all"], "No such option: --all"),
        (["run"], "name the experiment first"),
        (["run", "--quick"], "name the experiment first"),
        (["run", "raech"], "there is no experiment 'raech'"),
        (["run", "./none.py"], "there is no script './none.py'"),
        (["run", TOY, "--unts", "3"], "toy_experiment has no option --unts: did you mean '--units'?"),
        (["run", TOY, "--qick"], "toy_experiment has no option --qick: did you mean '--quick'?"),
        (["run", TOY, "--set", "unts=3"], "there is no parameter 'unts': did you mean 'units'?"),
        (["run", TOY, "--set", "units"], "--set units: write --set NAME=VALUE"),
        (["run", TOY, "--units"], "--units needs a value"),
        (["run", TOY, "--units", "3", "--set", "units=4"], "the parameter units is given twice"),
        (["run", TOY, "extra"], "'extra' was not expected"),
        (["run", TOY, "--units", "0"], "units must be at least 1, got 0"),
        (["run", TOY, "--gain", "-inf"], "gain=-inf is not a number"),
        (["run", TOY, "--gain", "1e999"], "gain must be finite, got 1e999"),
        (["run", TOY, "--tau", "3mV"], "tau is a time (ms, s, us), got mV, a potential"),
        (["run", TOY, "--tau", "1ms**9**9**9"], "tau=1ms**9**9**9 is not a number with a unit"),
        (["run", TOY, "--shape", "circle"], "shape must be one of step, ramp, got 'circle'"),
        (["run", TOY, "--recording", "none.npz"], "recording: there is no file 'none.npz'"),
        (["run", TOY, "--seed", "-1"], "--seed takes a whole number, at least 0, got '-1'"),
        (["run", TOY, "--seed", "one"], "--seed takes a whole number"),
        (["run", TOY, "--seed"], "requires an argument"),
        (["run", TOY, "--jobs", "0"], "--jobs takes a whole number, at least 1"),
        (["run", TOY, "--engine", "nunpy"], "there is no engine 'nunpy': did you mean 'numpy'?"),
        (["run", TOY, "--timeout", "nan"], "--timeout takes a number of seconds above 0"),
        (["run", TOY, "--out", "full"], "--out full is not empty"),
        (["run", TOY, "--out", "full/file"], "--out full/file is a file"),
        (["run", TOY, "--out", "full/file/run"], "full/file: it is not a folder"),
        (["run", TOY, "--out", "."], "--out . is"),
        (["show", "none"], "there is no folder"),
        (["show", "full"], "is not a finished run"),
        (["figures", "full"], "is not a finished run"),
        (["recording", "check", "none.npz"], "none.npz"),
        (["recording", "check", "full/file"], "file"),
    ],
    ids=lambda value: " ".join(map(str, value[-3:])).replace(str(TOY), "toy") if isinstance(value, list) else "",
)
@pytest.mark.failure("row 15: a unit that hangs in eval")
def test_bad_input_is_one_line(cortwin, tmp_path, words, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    status, said, complained = cortwin(*words)
    assert (status, said) == (2, "")
    assert message in one_line(complained)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full"]


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        ("MemoryError()", 1, "error: not enough memory; use smaller sizes"),
        ("OSError(28, 'No space left on device', 'x.nc')", 1, "error: No space left on device: x.nc"),
        ("KeyError('a')", 1, "error: KeyError: 'a'; --debug shows where"),
        ("ValueError('two\\nlines')", 2, "error: two lines"),
        ("__import__('cortwin').errors.RunFailed('signal 9', 'last\\nwords')", 1, "error: signal 9"),
    ],
)
@pytest.mark.failure("running: a failed run leaves FAILED.json")
def test_failures_of_an_experiment_are_one_line(cortwin, tmp_path, raised, status, message):
    script = tmp_path / "mine.py"
    script.write_text(f"def compute(run):\n    raise {raised}\ndef draw(results):\n    return []\n")
    for _ in range(2):  # the place of a failed run is taken again
        said = f"{message}; results/mine-seed1/FAILED.json says more\n"
        assert cortwin("run", script) == (status, "", said)
        assert [path.name for path in (tmp_path / "results").rglob("*")] == ["mine-seed1", "FAILED.json"]
    failure = json.loads((tmp_path / "results" / "mine-seed1" / "FAILED.json").read_text())
    assert failure["log"] == (["last", "words"] if "RunFailed" in raised else [])
    status, _, complained = cortwin("show", "results/mine-seed1")
    assert status == 2
    assert f"mine-seed1 holds no results, its run failed: {failure['error']}; FAILED.json in it says more" in complained
    script.write_text(script.read_text().replace(f"raise {raised}", "from cortwin import Results; return Results()"))
    script.write_text(script.read_text().replace("from cortwin import", "from cortwin.experiment import"))
    assert cortwin("run", script)[0] == 0
    assert not (tmp_path / "results" / "mine-seed1" / "FAILED.json").exists()


def test_an_interrupted_run_leaves_nothing(cortwin, tmp_path):
    script = tmp_path / "mine.py"
    script.write_text("def compute(run):\n    raise KeyboardInterrupt\ndef draw(results): ...\n")
    message = "error: interrupted (Ctrl+C): nothing unfinished was kept, finished runs are untouched\n"
    assert cortwin("run", script) == (130, "", message)
    assert list((tmp_path / "results").iterdir()) == []


def test_debug_shows_where(cortwin, tmp_path):
    (tmp_path / "mine.py").write_text("def compute(run):\n    raise KeyError('a')\ndef draw(results): ...\n")
    with pytest.raises(KeyError):
        cli.main(["run", "./mine.py", "--debug"])


def test_help_lists_every_parameter(cortwin):
    status, said, _ = cortwin("run", TOY, "--help")
    assert status == 0
    lines = {line.split()[0]: line for line in said.splitlines() if line.startswith("  --")}
    assert "time constant of the current (above 0)" in lines["--tau"]
    assert "100 ms" in lines["--tau"]
    assert "50 ms" in lines["--tau"]
    assert "one of step, ramp" in lines["--shape"]
    assert lines.keys() >= {"--units", "--gain", "--noisy", "--neurons", "--recording", "--seed", "--quick", "--out"}
    status, said, _ = cortwin("run", "--help")
    assert status == 0
    assert "--seed" in said


def test_help_version_and_list(cortwin):
    assert cortwin("--version") == (0, f"cortwin {__version__}\n", "")
    assert "recording" in cortwin()[1]
    assert "check" in cortwin("recording")[1]
    status, said, _ = cortwin("list")
    assert status == 0
    for package in (catalogue.EXPERIMENTS, catalogue.MODELS):
        for name, entry in catalogue.entries(package).items():
            assert name in said
            assert entry.summary.split()[0] in said


@pytest.mark.failure("results: a pickled array in a file")
def test_a_recording_is_checked(cortwin, tmp_path):
    rng = np.random.default_rng(1)
    arrays = {
        "rate": rng.random((4, 6, 3)),
        "time": np.arange(6) * 0.01,
        "direction": np.arange(4) * 90.0,
        "hand_velocity": rng.random((4, 6, 2)),
    }
    np.savez(tmp_path / "good.npz", **arrays)
    status, said, _ = cortwin("recording", "check", "good.npz")
    assert status == 0
    assert "4 conditions, 6 times, 3 units" in said
    assert "0, 90, 180, 270 degrees" in said
    np.savez(tmp_path / "bad.npz", **{**arrays, "time": np.arange(5) * 0.01})
    np.savez(tmp_path / "pickled.npz", **{**arrays, "rate": np.array([{}], dtype=object)})
    (tmp_path / "cut.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:300])
    for name in ("bad", "pickled", "cut"):
        status, said, complained = cortwin("recording", "check", f"{name}.npz")
        assert (status, said) == (2, "")
        one_line(complained)


def test_cache_and_doctor(cortwin, monkeypatch, tmp_path):
    from cortwin.cpp import cache

    monkeypatch.setenv("CORTWIN_CACHE", str(tmp_path / "cache"))
    assert str(cache.directory()) in cortwin("cache")[1]
    assert cortwin("cache", "--clear")[:2] == (0, "removed 0 builds, 0.0 MiB\n")

    import cortwin.doctor as doctor

    monkeypatch.setattr(doctor, "_build", lambda: doctor.Finding("a real build", "works"))
    status, said, complained = cortwin("doctor")
    assert status == 0, complained
    assert said.endswith("cortwin is ready\n")
    for text in ("brian2", "numpy", "compiler", "make", "build cache", "cores"):
        assert text in said

    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(doctor, "_build", lambda: doctor.Finding("a real build", "no compiler", False, "install g++"))
    status, said, complained = cortwin("doctor")
    assert status == 1
    assert "missing compiler          no-such-compiler not found" in said
    assert "-> install g++" in said
    assert one_line(complained) == "error: cortwin cannot run: a real build\n"


def test_doctor_names_versions_that_do_not_fit(cortwin, monkeypatch):
    import importlib.metadata

    from cortwin.doctor import _packages

    monkeypatch.setattr(
        importlib.metadata, "requires", lambda _: ["numpy<1.0", "not-a-package>=2", 'x; extra == "dev"']
    )
    found = list(_packages())
    assert [(one.what, one.ok, one.advice) for one in found] == [
        ("numpy", False, "pip install 'numpy<1.0'"),
        ("not-a-package", False, "pip install 'not-a-package>=2'"),
    ]


def test_the_command_answers_at_once_without_the_heavy_libraries(tmp_path):
    for words in (["--help"], ["list"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "cortwin", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "typer" in imported
        assert not imported & {"numpy", "brian2", "jax", "matplotlib", "xarray", "scipy"}


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [(signal.SIGINT, 130, "interrupted (Ctrl+C)"), (signal.SIGTERM, 143, "stopped (SIGTERM)")],
)
@pytest.mark.failure("running: Ctrl+C once and twice, SIGTERM")
def test_a_signal_ends_a_run_in_one_line(tmp_path, number, status, words):
    process = start_waiting(tmp_path, "--helper", _empty(tmp_path / "helper"))
    helper = int((tmp_path / "helper").read_text())
    assert is_alive(helper)
    process.send_signal(number)
    _, complained = process.communicate(timeout=20)
    assert words in one_line(complained)
    assert process.returncode == status
    assert [path.name for path in tmp_path.iterdir()] == ["helper"]
    assert not is_alive(helper)


def test_a_signal_is_heard_inside_one_long_call_of_a_library(tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = start_waiting(tmp_path, "--deaf", "--helper", _empty(tmp_path / "helper"), TMPDIR=str(temporary))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)  # impatient
    _, complained = process.communicate(timeout=20)
    assert time.monotonic() - began < 10  # the call itself takes half a minute
    assert "interrupted (Ctrl+C)" in one_line(complained)
    assert process.returncode == 130
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["helper", "temporary"]
    assert not is_alive(int((tmp_path / "helper").read_text()))


@pytest.mark.failure("results: a crash between files and manifest")
@pytest.mark.failure("running: a stale lock of a dead process")
def test_a_killed_run_leaves_nothing_that_loads_and_the_next_one_clears_up(cortwin, tmp_path):
    process = start_waiting(tmp_path)
    process.kill()
    process.communicate(timeout=20)
    left = list(tmp_path.iterdir())
    assert [path.name.startswith(".out.partial-") for path in left] == [True]
    for words in (["show", left[0]], ["figures", left[0]], ["show", "out"]):
        status, _, complained = cortwin(*words)
        assert status == 2
        one_line(complained)
    assert cortwin("run", TOY, "--out", "out")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.failure("running: a hang")
def test_a_run_stops_when_its_time_is_over(cortwin, tmp_path):
    status, _, complained = cortwin("run", TOY, "--wait", "30s", "--timeout", "0.3")
    assert status == 124
    assert "--timeout" in one_line(complained)
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.failure("row 16: a file brian_preferences in the current folder")
@pytest.mark.failure("security: nothing is evaluated from the current folder")
def test_preferences_in_the_current_folder_are_not_evaluated(tmp_path):
    (tmp_path / "brian_preferences").write_text("codegen.target = open('evaluated', 'w') and 'numpy'\n")
    process = start(tmp_path, "run", TOY, "--out", "out")
    _, complained = process.communicate(timeout=60)
    assert process.returncode == 0
    assert complained == "note: the file brian_preferences in the current folder is not used\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["brian_preferences", "out"]
    preferences = open_run(tmp_path / "out").manifest["preferences"]
    assert preferences.items() >= {"logging.file_log": "False", "logging.save_script": "False"}.items()
    assert "codegen.target" not in preferences


@pytest.mark.failure("row 16: a file brian_preferences in the current folder")
@pytest.mark.parametrize("first", ["", "import brian2; "])
def test_a_library_user_is_warned_of_preferences(tmp_path, first):
    """Python code of the user's own imports Brian2 as Brian2 is: all that cortwin can do is say so."""
    (tmp_path / "brian_preferences").write_text("codegen.target = 'numpy'\n")
    code = f"{first}from cortwin.models import elman"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert f"UserWarning: Brian2 evaluates the file {tmp_path / 'brian_preferences'} when it is imported" in done.stderr
    (tmp_path / "brian_preferences").unlink()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert "brian_preferences" not in done.stderr


@pytest.mark.failure("row 17: an uncaught exception leaves logs and a copy of the script")
def test_an_exception_leaves_nothing_in_the_temporary_folder(tmp_path):
    (tmp_path / "temporary").mkdir()
    (tmp_path / "mine.py").write_text("def compute(run):\n    raise KeyError('a')\ndef draw(results): ...\n")
    process = start(tmp_path, "run", "./mine.py", "--out", "out", "--debug", TMPDIR=str(tmp_path / "temporary"))
    assert "KeyError" in process.communicate(timeout=60)[1]
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(("how", "helper"), [(">&- 2>&- <&-", "cat && echo a && echo b >&2"), ("| true", "true")])
@pytest.mark.failure("running: stdout closed, no terminal, ascii")
def test_closed_streams_do_not_break_a_command(tmp_path, how, helper):
    (tmp_path / "mine.py").write_text(
        "import subprocess\nfrom cortwin.experiment import Results\n"
        "def compute(run):\n"
        f"    subprocess.run(['sh', '-c', '{helper}'], check=True)\n"
        "    return Results()\n"
        "def draw(results):\n    return []\n"
    )
    command = f"'{sys.executable}' -m cortwin"
    line = f"set -eo pipefail; {command} list {how}; {command} run ./mine.py --out out {how}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not open_run(tmp_path / "out").damaged


@pytest.mark.failure("running: the disk fills while results are written")
def test_a_full_disk_is_one_line(tmp_path):
    # A limit on the size of files is what a test can have; the libraries meet it in the same place.
    line = f"ulimit -f 20; '{sys.executable}' -m cortwin run '{TOY}' --units 40 --out out"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert one_line(done.stderr) == f"error: File too large: {tmp_path / 'out'}; out/FAILED.json says more\n"
    assert done.returncode == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "FAILED.json"]


@pytest.mark.failure("running: stdout closed, no terminal, ascii")
def test_an_ascii_terminal_does_not_break_a_run(tmp_path):
    out = tmp_path / "Läufe"
    process = start(tmp_path, "run", TOY, "--out", out, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    said, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (0, "")
    assert "L??ufe: done" in said  # two bytes that are no ASCII
    assert open_run(out).json("parameters.json")["tau"]["text"] == "100 ms"


def _empty(path):
    path.touch()
    return path
