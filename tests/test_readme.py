"""The README: its Python runs, and what it says stands in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cortwin import cli, parameters
from cortwin.models import elman
from cortwin.tasks.recording import LAYOUT, REQUIRED, read_recording

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
SIZES = "UNITS, UPDATES, NEURONS_PER_UNIT = 100, 1000, 16\n"


def section(title: str) -> str:
    """Return the text between a heading and the next of its level or above."""
    level = title.split()[0]
    text = README.split(f"\n{title}\n")[1]
    return re.split(rf"^#{{1,{len(level)}}} ", text, flags=re.MULTILINE)[0]


@pytest.mark.cpp
def test_the_script_runs_and_the_twins_agree(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert SCRIPTS[0].count(SIZES) == 1
    variables: dict[str, object] = {}
    exec(
        compile(SCRIPTS[0].replace(SIZES, SIZES.replace("100, 1000, 16", "12, 40, 2")), "README.md", "exec"), variables
    )
    distances = re.findall(r"^(\w+): NRMSE of x ([\d.e+-]+), R2 of the readout", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, _ in distances] == ["textbook", "rate", "spiking"]
    # Forward Euler at alpha = dt / tau is the textbook up to rounding; two neurons a unit are not.
    assert float(distances[1][1]) < 1e-10 < 1e-2 < float(distances[2][1])
    assert {file.name for file in tmp_path.iterdir()} == {"hands.svg", "hands.png"}


def test_the_recording_is_read_from_arrays_and_from_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    variables: dict[str, object] = {}
    exec(compile(SCRIPTS[1], "README.md", "exec"), variables)
    assert read_recording("recording.npz").rate.equals(variables["recording"].rate)  # type: ignore[attr-defined]


def test_a_network_is_searched_by_scikit_learn(capsys):
    variables: dict[str, object] = {}
    exec(compile(SCRIPTS[2], "README.md", "exec"), variables)
    # Adam learns the sum of a few numbers; half of the labels are right by chance.
    assert variables["search"].best_params_["optimizer"] == "adam"  # type: ignore[attr-defined]
    assert variables["search"].best_score_ > 0.75  # type: ignore[attr-defined]
    assert "adam" in capsys.readouterr().out


def test_a_sparse_network_runs_by_itself(capsys):
    (script,) = [script for script in SCRIPTS if "run_network" in script]
    assert script.count("dt=1e-4, seed=1)") == 2
    interpreted = script.replace("0.5, dt=1e-4, seed=1)", "0.1, dt=1e-4, seed=1, engine='numpy')")
    exec(compile(interpreted, "README.md", "exec"), {})
    rates, synapses = capsys.readouterr().out.splitlines()
    assert int(synapses) == 800 * 80
    assert all(1 < float(rate) < 200 for rate in re.findall(r"([\d.]+) Hz", rates))


def test_conductances_are_found_by_gradients(capsys):
    (script,) = [script for script in SCRIPTS if "cortwin.differentiate" in script]
    variables: dict[str, object] = {}
    exec(compile(script, "README.md", "exec"), variables)
    # BFGS ends where the gradient, in mV^2 per nS, is below 1e-5; the loss is 1e-2 at the start.
    assert variables["found"].x == pytest.approx([15, 7], rel=1e-2)  # type: ignore[attr-defined]
    in_brian2 = variables["trace"].v_.T  # type: ignore[attr-defined]
    assert in_brian2 == pytest.approx(variables["measured"], abs=2e-5)


def test_a_network_of_ones_own_is_read_from_arrays_and_from_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    variables: dict[str, object] = {}
    exec(compile(SCRIPTS[3], "README.md", "exec"), variables)
    assert "gru" in (said := capsys.readouterr().out)
    assert "(3, 20, 1)" in said
    network = variables["network"]
    assert network.model.recurrence().link == "logistic"  # type: ignore[attr-defined]
    assert network.alpha == 1  # type: ignore[attr-defined]


def test_perturbed_twins_react_alike(capsys):
    variables: dict[str, object] = {}
    exec(compile(SCRIPTS[4], "README.md", "exec"), variables)
    # Elman's twins of 16 neurons per unit are at a distance of some hundredths; these effects are larger.
    found = [float(number) for number in re.findall(r"'correlation': ([\d.]+)", capsys.readouterr().out)]
    assert len(found) == 2
    assert min(found) > 0.9
    assert set(variables["held"]) == {"textbook", "rate", "spiking"}  # type: ignore[call-overload]


def test_every_script_is_one_of_these():
    assert len(SCRIPTS) == 7


def test_the_equations_are_those_of_the_page():
    block = re.search(r"^    textbook .*?(?=\n\n)", README, re.DOTALL | re.MULTILINE)
    assert block is not None
    page = {re.split(r"   \(", line)[0].strip() for line in (elman.__doc__ or "").splitlines()}
    lines = [re.split(r"   \(", line)[0].strip() for line in block[0].splitlines()]
    assert len(lines) == 5
    assert [line for line in lines if line not in page] == []


def test_the_layout_of_a_recording_is_the_one_that_is_read():
    rows = re.findall(r"^\| `(\w+)` \| \(([^)]*)\) \| (.*) \|$", section("## A recording"), re.MULTILINE)
    shapes = {name: tuple(re.findall(r"\w+", shape)) for name, shape, _ in rows}
    assert shapes == {name: tuple(map(str, shape)) for name, shape in LAYOUT.items()}
    assert {name for name, _, unit in rows if "left out" not in unit} == set(REQUIRED)


def test_the_units_are_those_that_are_understood():
    line = re.search(r"The units are\n(.*)\.$", README, re.MULTILINE)
    assert line is not None
    assert re.split("[,;] ", line[1]) == list(parameters.UNITS)


def test_every_command_exists():
    named = set(re.findall(r"^    cortwin (\w+)", section("## Commands"), re.MULTILINE))
    apps = [*cli.app.registered_commands, *cli.app.registered_groups]
    assert named == {app.name for app in apps}
