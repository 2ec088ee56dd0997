"""Twins handed over to Brian2: its own runtime gives every spike of our C++, with and without cortwin."""

import json
import re
import subprocess
import sys

import brian2
import numpy as np
import pytest

from cortwin.activity import activity
from cortwin.battery import Subject
from cortwin.battery.measured import spiking_arrays
from cortwin.brian2_export import (
    KeptSimulation,
    Ran,
    brian2_network,
    read_kept,
    references_of,
    save_script,
    write_script,
)
from cortwin.errors import CortwinError
from cortwin.ladder import Spiking
from cortwin.models import attention, elman, gru, lif, relay
from cortwin.simulation import simulate
from cortwin.training import textbook_signals
from cortwin.twins import Twins

DT, FINE = 0.01, 5e-4
# With this in front, a script finds no cortwin.
ALONE = "import sys; sys.modules['cortwin'] = None; sys.argv = sys.argv[1:]; import runpy; "
NUMPY = "import brian2; brian2.prefs.codegen.target = 'numpy'; "


def run_alone(file, words=NUMPY):
    """Run a script where cortwin cannot be imported; Brian2 may not warn of anything."""
    code = f"{ALONE}{words}runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(file)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def twins():
    model, generator = elman.model(), np.random.default_rng(0)
    parameters = elman.initial(generator, 2, 8, 2, gain=1.2)
    inputs = activity(np.cumsum(generator.standard_normal((3, 30, 2)), axis=1) / 5, dt=DT, last="input", name="input")
    lived = textbook_signals(model, parameters, inputs, 0.1)
    return Twins(model, parameters, lived, Spiking(dt=FINE), 4, np.random.SeedSequence(1), {"engine": "cpp"}), inputs


@pytest.mark.cpp
def test_brian2s_runtime_gives_every_spike_of_our_cpp(twins):
    made, inputs = twins
    arrays = made.spiking.arrays(made.model, made.parameters, made.represented, 4, made.seed)
    ours = simulate(made.model, "spiking", arrays, inputs, dt=FINE, neurons_per_unit=4, spikes=True, batch=3)
    network = made.brian2(inputs)
    assert isinstance(network, brian2.Network)
    assert {"input", "cortex", "neurons", "feedforward", "recurrence", "spikes"} <= {
        part.name for part in network.objects
    }
    assert "blow_ups" not in network["neurons"].variables
    network.run(0.3 * brian2.second, namespace={})
    trial, unit = np.divmod(np.asarray(network["spikes"].i), 32)
    step = np.rint(np.asarray(network["spikes"].t) / FINE).astype(int)
    expected = zip(*(ours.spikes[name].to_numpy() for name in ("trial", "unit")),
                   np.rint(ours.spikes["time"].to_numpy() / FINE).astype(int), strict=True)  # fmt: skip
    found = set(zip(trial.tolist(), unit.tolist(), step.tolist(), strict=True))
    assert found == {tuple(int(number) for number in event) for event in expected}
    assert len(found) > 500
    # The state at the time (k + 1) DT is the activity's sample k.
    recorded = np.asarray(network["recorded_cortex"].x)[:, 1:].T.reshape(29, 3, 8).transpose(1, 0, 2)
    np.testing.assert_allclose(recorded, ours.activity["x"][:, :-1], atol=1e-12)


def test_the_rate_twin_is_the_rate_text(twins):
    made, inputs = twins
    network = made.brian2(inputs, "rate")
    network.run(0.31 * brian2.second, namespace={})
    recorded = np.asarray(network["recorded_cortex"].x)[:, 1:].T.reshape(30, 3, 8).transpose(1, 0, 2)
    expected = simulate(made.model, "rate", made.parameters._asdict(), inputs, dt=DT, engine="xla", batch=3).activity
    np.testing.assert_allclose(recorded, expected["x"], atol=1e-12)


STANDALONE = """
import sys
import numpy as np
from brian2 import *
from cortwin.brian2_export import brian2_network
from cortwin.battery import Subject
from cortwin.battery.measured import spiking_arrays
from cortwin.models import elman
set_device("cpp_standalone", directory=sys.argv[1])
subject = Subject(elman, {"activation": "tanh"})
network = brian2_network(subject.model, "spiking", spiking_arrays(subject, 4, 1), subject.smooth_inputs, dt=5e-4,
                         neurons_per_unit=4)
network.run(0.3*second, namespace={})
np.savez(sys.argv[2], i=np.asarray(network["spikes"].i), t=np.asarray(network["spikes"].t))
"""


@pytest.mark.cpp
@pytest.mark.slow
def test_the_objects_run_on_brian2s_standalone_device_too(tmp_path):
    file = tmp_path / "session.py"
    file.write_text(STANDALONE)
    subprocess.run(
        [sys.executable, "-P", "-W", "ignore", str(file), str(tmp_path / "build"), str(tmp_path / "spikes.npz")],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    subject = Subject(elman, {"activation": "tanh"})
    network = brian2_network(
        subject.model, "spiking", spiking_arrays(subject, 4, 1), subject.smooth_inputs, dt=5e-4, neurons_per_unit=4
    )
    network.run(0.3 * brian2.second, namespace={})
    found = np.load(tmp_path / "spikes.npz")
    assert found["i"].size > 500
    spikes = [(np.asarray(i).tolist(), np.rint(np.asarray(t) / 5e-4).tolist()) for i, t in (
        (found["i"], found["t"]), (network["spikes"].i, network["spikes"].t))]  # fmt: skip
    assert sorted(zip(*spikes[0], strict=True)) == sorted(zip(*spikes[1], strict=True))


def kept_of(page, **arguments):
    """Simulate a small network of a page and return what a run keeps, and what it found."""
    subject = Subject(page, arguments)
    neurons = 4 if subject.model.ensembles else 1
    arrays, inputs = spiking_arrays(subject, neurons, 1), subject.smooth_inputs
    ran, found, spikes = {}, {}, {}
    for writing in ("rate", "spiking"):
        if not hasattr(getattr(subject.model, writing), "populations"):
            continue
        dt = subject.dt if writing == "rate" else subject.dt_spiking
        done = simulate(
            subject.model, writing, arrays, inputs, dt=dt, neurons_per_unit=neurons, spikes=writing == "spiking",
            record_dt=subject.dt, engine="numpy", batch=2,
        )  # fmt: skip
        ran[writing] = Ran(dt, writing, "R5" if writing == "spiking" else "")
        found[writing] = done.activity
        if done.spikes is not None:
            spikes["R5"] = done.spikes
    return KeptSimulation(subject.model, arrays, inputs, neurons, ran, references_of(page)), found, spikes


@pytest.mark.parametrize(
    ("page", "arguments", "trials"),
    [(elman, {}, [1, 0]), (gru, {}, [1]), (relay, {}, [0]), (attention, {}, [0]), (lif, {}, [1, 0])],
    ids=["elman", "gru", "relay", "attention", "lif"],
)
def test_a_script_gives_the_spikes_with_brian2_alone(tmp_path, page, arguments, trials):
    kept, found, spikes = kept_of(page, **arguments)
    # What is kept goes through JSON, as in notes.json.
    again = read_kept(json.loads(json.dumps(kept.notes)), kept.weights, kept.activity)
    script = write_script(again, "spiking", trials, activity=found, spikes=spikes)
    compile(script.text, "script", "exec")
    assert "cortwin" not in script.text
    assert kept.references[0] in script.text
    file = tmp_path / "mit Leerzeichen.py"
    save_script(script, file, overwrite=False)
    said = run_alone(file)
    wanted = sum(int((spikes["R5"]["trial"] == trial).sum()) for trial in trials)
    assert wanted > 100
    assert f"{wanted} spikes, the run has {wanted}; in one of both only: 0\n" in said
    assert float(re.search(r"largest difference (\S+)", said)[1]) < 1e-12


def test_the_rate_text_as_a_script(tmp_path):
    kept, found, spikes = kept_of(elman)
    script = write_script(kept, "rate", [0, 1], activity=found, spikes=spikes)
    save_script(script, tmp_path / "rate.py", overwrite=False)
    said = run_alone(tmp_path / "rate.py")
    assert float(re.search(r"x: largest difference (\S+)", said)[1]) < 1e-12
    assert "spikes" not in said


def test_a_script_that_finds_other_spikes_says_so(tmp_path):
    kept, found, spikes = kept_of(elman)
    other = {"R5": spikes["R5"].isel(event=slice(1, None))}
    save_script(write_script(kept, "spiking", [0], activity=found, spikes=other), tmp_path / "a.py", overwrite=False)
    assert "in one of both only: 1\n" in run_alone(tmp_path / "a.py")


def test_nothing_is_overwritten_without_being_told(tmp_path):
    kept, found, spikes = kept_of(elman)
    script = write_script(kept, "rate", [0], activity=found, spikes=spikes)
    for name in ("twin.py", "twin.npz"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(CortwinError, match=re.escape(f"{name} exists: name another file, or say --overwrite")):
            save_script(script, tmp_path / "twin.py", overwrite=False)
        assert (tmp_path / name).read_text() == "mine"
        save_script(script, tmp_path / "twin.py", overwrite=True)
        assert {file.name for file in tmp_path.iterdir()} == {"twin.py", "twin.npz"}
        for file in tmp_path.iterdir():
            file.unlink()
    with pytest.raises(CortwinError, match=r"ends in \.py"):
        save_script(script, tmp_path / "twin.txt", overwrite=False)


@pytest.mark.parametrize(
    ("trials", "words"),
    [([], "got none"), ([2], "from 0 to 1, got 2"), ([0, 0], "different numbers"), ([-1], "got -1")],
)
def test_a_trial_that_is_not_there_is_refused(trials, words):
    kept, found, spikes = kept_of(lif)
    with pytest.raises(CortwinError, match=words):
        write_script(kept, "spiking", trials, activity=found, spikes=spikes)
    with pytest.raises(CortwinError, match="kept no rate writing; it kept spiking"):
        write_script(kept, "rate", [0], activity=found, spikes=spikes)


def spoil(notes, *path, value):
    """Change one thing deep inside of what a run kept."""
    inside = notes["simulation"]
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = value


@pytest.mark.failure("security: equations pass a whitelist")
@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            ("writings", "spiking", "populations", "cortex", "reset"),
            "v = __import__('os').getpid()",
            "not a plain call",
        ),
        (
            ("writings", "spiking", "populations", "cortex", "equations"),
            f'{lif.NEURONS} # """ + evil()',
            "cannot stand in a script",
        ),
        (("writings", "spiking", "pathways", "recurrence", "source"), "x; evil()", "does not exist"),
        (("constants",), {"tau_m); evil(": [0.02, "second"]}, "cannot name a constant"),
        (("constants",), {"tau_m": [0.02, "evil()"]}, "not whole"),
        (("writings",), None, "not whole"),
        (("ran",), {"spiking": {"evil": 1}}, "not whole"),
    ],
    ids=range(7),
)
def test_what_was_kept_is_data_and_never_code(path, value, words):
    kept, found, spikes = kept_of(lif)
    notes = json.loads(json.dumps(kept.notes))
    spoil(notes, *path, value=value)
    with pytest.raises(CortwinError, match=re.escape(words)):
        write_script(read_kept(notes, kept.weights, kept.activity), "spiking", [0], activity=found, spikes=spikes)


def test_a_comment_of_a_fact_stays_a_comment():
    kept, found, spikes = kept_of(lif)
    facts = ["from a\nimport os\r\x0bos.abort()", '"""']
    script = write_script(kept, "spiking", [0], activity=found, spikes=spikes, facts=facts)
    assert "\nimport os" not in script.text
    assert "# from a import os os.abort()\n" in script.text


@pytest.fixture(scope="module")
def reach(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reach") / "run"
    small = "units=8 updates=20 trials=4 neurons=2 neurons_per_unit=2 shuffles=20".split()
    words = ["run", "reach", "--quick", *(word for one in small for word in ("--set", one)), "--out", str(folder)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "cortwin", *words],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.cpp
def test_a_finished_run_becomes_a_script(cortwin, reach, tmp_path):
    status, said, complaint = cortwin("export", reach, "--brian2", "twin.py", "--trials", "all")
    assert status == 0, complaint
    assert "twin.py and twin.npz: python twin.py" in said
    said = run_alone(tmp_path / "twin.py")
    count = re.search(r"(\d+) spikes, the run has (\d+); in one of both only: 0\n", said)
    assert int(count[1]) > 500
    text = (tmp_path / "twin.py").read_text()
    assert "cortwin run reach" in text
    assert "(seed 1, Brian2 " in text
    assert "doi:10.1207/s15516709cog1402_1" in text
    status, _, complaint = cortwin("export", reach, "--brian2", "twin.py")
    assert (status, complaint.count("\n")) == (2, 1)
    assert "say --overwrite" in complaint
    assert cortwin("export", reach, "--brian2", "twin.py", "--writing", "rate", "--overwrite")[0] == 0
    assert float(re.search(r"largest difference (\S+)", run_alone(tmp_path / "twin.py"))[1]) < 1e-12
    for option, value, words in (
        ("--trials", "99", "from 0 to 15, got 99"),
        ("--trials", "x", "--trials takes a whole number"),
        ("--writing", "tuning", "it kept rate, spiking"),
    ):
        status, _, complaint = cortwin("export", reach, "--brian2", "other.py", option, value)
        assert (status, complaint.count("\n")) == (2, 1)
        assert words in complaint


def test_a_run_that_kept_nothing_is_refused(cortwin, tmp_path):
    assert cortwin("run", "firing_rate", "--quick", "--engine", "numpy", "--units", "2", "--out", "run")[0] == 0
    status, _, said = cortwin("export", "run", "--brian2", "twin.py")
    assert status == 2
    assert re.fullmatch(
        r"error: run cannot be exported: the run keeps no simulation that could be made again .*\n", said
    )
    assert not (tmp_path / "twin.py").exists()
