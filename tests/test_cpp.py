"""Compiler one: the C++ program against plain NumPy, its cache, and everything that must not be believed."""

import hashlib
import os
import resource
import shlex
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace

import brian2
import numpy as np
import pytest
from brian2 import ms

from cortwin import cpp
from cortwin.builder import Layout, arrays
from cortwin.cpp import cache, checks, compiler, doctor, launcher, program
from cortwin.errors import CortwinError, RunFailed
from cortwin.faults import wrapped
from cortwin.models import elman, lif

pytestmark = pytest.mark.cpp
NUMPY = {"tanh": np.tanh, "logistic": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0)}
LAYOUT = Layout(
    inputs=2, units=5, outputs=1, neurons_per_unit=1, trials=2, dt=0.01, input_dt=0.01, input_steps=20, record_dt=0.01
)


def numbers(seed, model, layout=LAYOUT):
    generator = np.random.default_rng(seed)
    parameters = elman.initial(generator, layout.inputs, layout.units, layout.outputs, gain=1.5)
    parameters = parameters._replace(
        b=generator.standard_normal(layout.units), x0=generator.standard_normal(layout.units)
    )
    inputs = generator.standard_normal((layout.trials, layout.input_steps, layout.inputs))
    return parameters, inputs, arrays(model, "rate", layout, parameters._asdict(), inputs)


@pytest.fixture(scope="module")
def built():
    model = elman.model()
    return cpp.build(model, "rate", LAYOUT), numbers(0, model)[2]


@pytest.mark.parametrize("activation", elman.ACTIVATIONS)
def test_the_rate_text_is_the_textbook_in_plain_numpy(activation):
    model = elman.model(activation)
    parameters, inputs, data = numbers(1, model)
    found = cpp.run(cpp.build(model, "rate", LAYOUT), data)["recorded_cortex.x"]
    f, alpha = NUMPY[activation], 0.1
    for trial, samples in enumerate(inputs):
        x = parameters.x0
        for k, u in enumerate(samples):
            x = (1 - alpha) * x + alpha * (parameters.W_rec @ f(x) + parameters.W_in @ u + parameters.b)
            # 20 steps of about 10 additions of order 1, each rounded to eps = 2e-16.
            np.testing.assert_allclose(found[k + 1, trial * 5 : trial * 5 + 5], x, atol=1e-13)


def test_other_numbers_do_not_compile_again(built):
    first, _ = built
    again = cpp.build(elman.model(), "rate", LAYOUT)
    assert again.build_seconds == 0
    assert again.folder == first.folder
    results = [cpp.run(again, numbers(seed, elman.model())[2])["recorded_cortex.x"] for seed in (0, 1, 0)]
    assert np.array_equal(results[0], results[2])
    assert not np.array_equal(results[0], results[1])


def test_one_unit_one_trial_one_input():
    """Brian2 writes arrays of length one into the code; ours stay data."""
    model, layout = elman.model(), replace(LAYOUT, units=1, trials=1, inputs=1, input_steps=1)
    for seed in (0, 1):
        parameters, inputs, data = numbers(seed, model, layout)
        found = cpp.run(cpp.build(model, "rate", layout), data)["recorded_cortex.x"]
        p = parameters
        x = p.x0 + 0.1 * (-p.x0 + p.W_rec @ np.tanh(p.x0) + p.W_in @ inputs[0, 0] + p.b)
        np.testing.assert_allclose(found[1], x, rtol=1e-14)


@pytest.mark.failure("row 14: dt after another build")
def test_each_build_has_its_own_dt():
    """Brian2 goes back to its default of 0.1 ms when its device begins anew."""
    model = elman.model()
    parameters, inputs, _ = numbers(3, model)
    for dt in (0.01, 0.005, 0.01):
        layout = replace(LAYOUT, dt=dt)
        data = arrays(model, "rate", layout, parameters._asdict(), inputs)
        results = cpp.run(cpp.build(model, "rate", layout), data)
        x, alpha = parameters.x0, dt / 0.1
        for _ in range(round(LAYOUT.input_dt / dt)):
            r = np.tanh(x)
            x = (1 - alpha) * x + alpha * (parameters.W_rec @ r + parameters.W_in @ inputs[0, 0] + parameters.b)
        np.testing.assert_allclose(results["recorded_cortex.x"][1, :5], x, atol=1e-13)
        assert results["recorded_cortex.t"][1] == pytest.approx(LAYOUT.input_dt)


@pytest.mark.failure("row 3: a static array file is missing")
@pytest.mark.parametrize("spoil", [lambda file: file.unlink(), lambda file: os.truncate(file, 8)])
def test_a_program_that_is_not_whole_does_not_start(built, tmp_path, spoil):
    """Brian2's program would compute with memory that nobody wrote."""
    found, data = built
    shutil.copytree(found.folder, tmp_path / "program")
    copy = replace(found, folder=tmp_path / "program")
    cpp.run(copy, data)
    file = next(iter((copy.folder / "static_arrays").iterdir()))
    spoil(file)
    with pytest.raises(CortwinError, match=rf"{file.name} of the compiled program (is missing|has 8 bytes instead of)"):
        cpp.run(copy, data)


@pytest.mark.failure("running: a program for another processor")
def test_what_is_no_program_is_named(built, tmp_path):
    """A program of another architecture, or one that was overwritten, in the place of ours."""
    found, data = built
    (tmp_path / "main").write_bytes(b"\x7fELF of another kind")
    (tmp_path / "main").chmod(0o755)
    (tmp_path / "static_arrays").symlink_to(found.folder / "static_arrays")
    other = replace(found, folder=tmp_path, description={**found.description, "files": {}})
    with pytest.raises(RunFailed, match=r"main does not start \(Exec format error\)"):
        cpp.run(other, data)


@pytest.mark.failure("running: a stale lock of a dead process")
def test_the_lock_of_a_killed_process_holds_nobody_up(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from cortwin.cpp import cache\n"
        "with cache.locked(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "entry")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    entered = threading.Event()

    def enter():
        with cache.locked(tmp_path / "entry"):
            entered.set()

    waiting = threading.Thread(target=enter, daemon=True)
    waiting.start()
    assert not entered.wait(0.3)
    holder.kill()
    holder.communicate()
    assert entered.wait(10)
    waiting.join()
    assert (tmp_path / "entry.lock").exists()  # the file stays, and means nothing


@pytest.mark.failure("running: the disk fills while building")
def test_a_disk_that_fills_while_building_is_named(monkeypatch, tmp_path):
    """The limit on the size of files meets the compiler; the folder of the build goes with it."""
    monkeypatch.setenv("CORTWIN_CACHE", str(tmp_path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(program, "compile_program", limited(program.compile_program))
    with pytest.raises(CortwinError, match=r"the C\+\+ compiler g\+\+ failed: .*"):
        cpp.build(elman.model(), "rate", LAYOUT)
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before
    assert cache.summary()[1] == 0
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def limited(function):
    """Return the function under a limit of 30 kB for every file that it or its children write."""

    def call(*arguments):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
        try:
            return function(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return call


def test_the_users_device_and_preferences_are_left_alone():
    before = brian2.get_device(), list(brian2.prefs.codegen.cpp.extra_compile_args or ["none"])
    cache.clear()
    cpp.build(elman.model(), "rate", LAYOUT)
    assert before == (brian2.get_device(), list(brian2.prefs.codegen.cpp.extra_compile_args or ["none"]))
    assert brian2.all_devices["cpp_standalone"] is not brian2.all_devices["cortwin"]


VARIATIONS = [
    (elman.model(), "rate", LAYOUT, "release"),
    (elman.model(), "rate", LAYOUT, "strict"),
    (elman.model("relu"), "rate", LAYOUT, "release"),
    (elman.model().with_constants(tau=50 * ms), "rate", LAYOUT, "release"),
    (elman.model(), "rate", replace(LAYOUT, trials=3), "release"),
    (elman.model(), "rate", replace(LAYOUT, dt=0.005), "release"),
    (elman.model(), "rate", replace(LAYOUT, input_steps=21), "release"),
    (elman.model(), "tuning", replace(LAYOUT, dt=0.001, neurons_per_unit=2), "release"),
    (elman.model(), "spiking", replace(LAYOUT, dt=0.001, neurons_per_unit=2), "release"),
    (elman.model(), "spiking", replace(LAYOUT, dt=0.001, neurons_per_unit=2, spikes=True), "release"),
    (lif.model(), "spiking", replace(LAYOUT, dt=0.0001, spikes=True), "release"),
    (lif.model("exponential_euler"), "spiking", replace(LAYOUT, dt=0.0001, spikes=True), "release"),
]


def test_keys_tell_apart_what_the_generated_sources_tell_apart(tmp_path):
    """Over every page: two programs with one key have the same sources, two with different sources have two keys."""
    keys, sources = [], []
    for number, variation in enumerate([*VARIATIONS, VARIATIONS[0]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        keys.append(cache.key(*variation))
        program.generate(folder, *variation)
        digest = hashlib.sha256()
        for file in sorted(
            [*folder.rglob("*.cpp"), *folder.rglob("*.h"), folder / "makefile", *folder.glob("static_arrays/*")]
        ):
            if file.parent.name != "brianlib":
                # Sorted, because Brian2 writes the lines of the two clocks in the order of a set.
                digest.update(
                    b"\n".join([str(file.relative_to(folder)).encode(), *sorted(file.read_bytes().split(b"\n"))])
                )
        sources.append(digest.hexdigest())
    assert keys[-1] == keys[0]
    assert sources[-1] == sources[0]
    assert len(set(sources)) == len(set(keys)) == len(VARIATIONS)


def test_the_key_holds_compiler_flags_and_preferences(monkeypatch):
    first = cache.key(*VARIATIONS[0])
    monkeypatch.setattr(compiler, "processor", lambda: "another")
    assert cache.key(*VARIATIONS[0]) != first
    monkeypatch.undo()
    name = "codegen.cpp.extra_link_args"
    before = brian2.prefs[name]
    try:
        brian2.prefs[name] = ["-lm"]
        assert cache.key(*VARIATIONS[0]) != first
    finally:
        brian2.prefs[name] = before
    assert cache.key(*VARIATIONS[0]) == first


@pytest.mark.failure("install: CXX and CFLAGS are set")
@pytest.mark.parametrize("variable", ["CFLAGS", "CXXFLAGS", "MAKEFLAGS", "CPATH"])
def test_the_environment_of_a_build_is_recorded_and_part_of_the_key(monkeypatch, variable):
    monkeypatch.delenv(variable, raising=False)
    first = cache.key(*VARIATIONS[0])
    monkeypatch.setenv(variable, "-O0")
    assert compiler.find().describe("release")["environment"] == {variable: "-O0"}
    assert cache.key(*VARIATIONS[0]) != first
    monkeypatch.setenv(variable, "")
    assert "environment" not in compiler.find().describe("release")


@pytest.mark.failure("install: CXX and CFLAGS are set")
def test_another_compiler_has_another_key(monkeypatch, tmp_path):
    first = cache.key(*VARIATIONS[0])
    other = tmp_path / "another compiler"
    other.write_text("#!/bin/sh\necho another 1.0\n")
    other.chmod(0o755)
    monkeypatch.setenv("CXX", shlex.quote(str(other)))
    assert compiler.find().describe("release")["version"] == "another 1.0"
    assert cache.key(*VARIATIONS[0]) != first


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.failure("row 1: a run argument is inf or nan")
def test_a_value_that_is_not_finite_is_refused(built, value):
    """Brian2 takes 'inf' for a file name and keeps its default."""
    found, data = built
    broken = {**data, "cortex.b": np.full_like(data["cortex.b"], value)}
    with pytest.raises(CortwinError, match=r"cortex\.b holds 10 numbers that are not finite"):
        cpp.run(found, broken)


@pytest.mark.failure("row 2: a file of a run argument is cut short")
def test_an_array_of_the_wrong_length_is_noticed(built):
    found, data = built
    with pytest.raises(RunFailed, match=r"complained: .*does not match expected size"):
        cpp.run(found, {**data, "cortex.b": data["cortex.b"][:-1]})


@pytest.mark.failure("row 3: a static array file is missing")
def test_a_missing_static_array_builds_anew(built):
    """Brian2's program would compute with memory that nobody wrote."""
    found, data = built
    file = next(iter((found.folder / "static_arrays").iterdir()))
    file.unlink()
    again = cpp.build(elman.model(), "rate", LAYOUT)
    assert again.build_seconds > 0
    assert file.exists()
    cpp.run(again, data)


@pytest.fixture(scope="module")
def spiking():
    """Return the compiled recurrent LIF network and its numbers: some spikes in 0.2 s."""
    layout = replace(LAYOUT, dt=1e-4, spikes=True)
    model, generator = lif.model(), np.random.default_rng(0)
    values = lif.initial(generator, 2, 5)._asdict()
    return cpp.build(model, "spiking", layout), arrays(model, "spiking", layout, values, np.zeros((2, 20, 2)))


@pytest.mark.parametrize(
    ("large", "words"),
    [(1e30, r"numbers of \S+\.\w+ are not finite or beyond"), (1e9, "not finite or beyond 1e\\+100")],
)
@pytest.mark.failure("row 7: NaN, or 1e206, is told once per process")
def test_a_blow_up_is_noticed_in_every_run(large, words):
    """An eigenvalue of 1e29 leaves the range of float64 within 12 steps, one of 1e8 stays below 1e160 in 20."""
    model = elman.model("relu")
    program = cpp.build(model, "rate", LAYOUT)
    wild = numbers(0, model)[0]._replace(W_rec=large * np.eye(5), x0=np.ones(5))
    data = arrays(model, "rate", LAYOUT, wild._asdict(), np.zeros((2, 20, 2)))
    for _ in range(2):
        with pytest.raises(RunFailed, match=words):
            cpp.run(program, data)


@pytest.mark.failure("row 8: the reset hides a blow-up")
def test_a_blow_up_that_a_reset_hides_is_counted(spiking):
    """Four of five neurons spike at once; their jumps add up to 3.6e100 in the fifth, which spikes and is put back."""
    program, data = spiking
    jumps = np.zeros((2, 5, 5))  # (trial, source, target)
    jumps[:, :4, 4] = 9e99
    wild = {**data, "recurrence.w": jumps.ravel(), "cortex.v": np.tile([2.0, 2.0, 2.0, 2.0, 0.0], 2)}
    words = r"cortex: the states of 2 of 10 neurons were not finite or beyond .* their resets hid it"
    with pytest.raises(RunFailed, match=words):
        cpp.run(program, wild)
    wild["recurrence.w"] = -wild["recurrence.w"]  # not reset, since it is inhibited
    with pytest.raises(RunFailed, match=r"2 of 10 numbers of cortex\.v are not finite"):
        cpp.run(program, wild)


# Run the program, then put other bytes into one of its results.
RUN = "subprocess.run(REAL, check=True)\n"
SPOIL = RUN + "f = next(pathlib.Path('results').glob({!r} + '*')); f.write_bytes({})"


def spoil(result, content):
    return SPOIL.format(result, content)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(
            "os.kill(os.getpid(), signal.SIGKILL)",
            "killed, mostly by the system for lack of memory",
            marks=pytest.mark.failure("row 6: the program is killed"),
        ),
        pytest.param("os.abort()", "SIGABRT", marks=pytest.mark.failure("running: the program crashes")),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV", marks=pytest.mark.failure("running: the program crashes")
        ),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGILL)",
            "another processor",
            marks=pytest.mark.failure("running: a program for another processor"),
        ),
        ("raise SystemExit(3)", "exit status 3"),
        ("pass", "is missing: is the disk full"),
        (spoil("_dynamic_array_recorded_cortex_x", "f.read_bytes()[:-8]"), r"recorded_cortex\.x has \d+ bytes instead"),
        (spoil("_dynamic_array_recorded_cortex_t", "f.read_bytes()[:-8]"), r"recorded_cortex\.t has \d+ bytes instead"),
        (spoil("_dynamic_array_recurrence_w", "f.read_bytes() + bytes(8)"), r"recurrence\.w has \d+ bytes instead"),
        (spoil("_array_simulation_clock_t_", "bytes(8)"), r"stopped at 0\.0 s instead of"),
        (spoil("_array_cortex_b_", "bytes(len(f.read_bytes()))"), r"did not use the cortex\.b"),
        (spoil("read_back", "f.read_bytes()[:-8]"), r"did not use the \w+\.\w+ that it was given"),
        (spoil("_array_cortex_drive_", "b'\\xff' * len(f.read_bytes())"), r"numbers of cortex\.drive are not finite"),
        (RUN + "print('Error writing output file')", "complained: Error writing"),
        (RUN + "print('Error writing', *9 * ['done'], sep=chr(10))", "complained: Error writing"),
    ],
)  # fmt: skip
def test_a_run_that_goes_wrong_gives_no_results(built, tmp_path, script, words):
    found, data = built
    with pytest.raises(RunFailed, match=words):
        cpp.run(wrapped(found, tmp_path, script), data)


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ("_dynamic_array_spikes_i", "f.read_bytes()[:-4]"),
        ("_dynamic_array_spikes_t", "f.read_bytes()[:-8]"),
        ("_array_spikes_N", "(1).to_bytes(4, 'little')"),
        ("_array_spikes_count", "bytes(len(f.read_bytes()))"),
    ],
)
def test_spikes_that_do_not_add_up_are_noticed(spiking, tmp_path, result, content):
    found, data = spiking
    assert cpp.run(found, data)["spikes.t"].size > 30
    with pytest.raises(RunFailed, match="the spikes do not add up"):
        cpp.run(wrapped(found, tmp_path, spoil(result, content)), data)


@pytest.mark.failure("row 4: the disk fills while results are written")
@pytest.mark.failure("running: the disk fills while results are written")
def test_a_disk_that_fills_is_noticed(spiking, tmp_path):
    """A limit on the size of files, its signal ignored: writing fails as on a full disk, and the program ends well."""
    found, data = spiking
    limit = "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
    silent = (
        limit + "raise SystemExit(subprocess.run(REAL, stderr=subprocess.DEVNULL, restore_signals=False).returncode)"
    )
    with pytest.raises(RunFailed, match=r"the result \S+ has \d+ bytes instead of \d+: is the disk full"):
        cpp.run(wrapped(found, tmp_path, silent), data)


@pytest.mark.failure("row 2: a file of a run argument is cut short")
@pytest.mark.parametrize("script", ["os.truncate(f, 8)", "f.unlink()", "f.write_bytes(bytes(f.stat().st_size))"])
def test_what_a_run_was_given_is_read_back(built, tmp_path, script):
    """An initial state: it changes in the run, so that no result tells what it was."""
    found, data = built
    position = sorted(found.description["values"]).index("cortex.x")
    spoilt = f"f = pathlib.Path('data/array_{position}')\n{script}\n"
    silent = (
        f"{spoilt}raise SystemExit(subprocess.run(REAL, stderr=subprocess.DEVNULL, restore_signals=False).returncode)"
    )
    with pytest.raises(RunFailed, match=r"did not use the cortex\.x that it was given"):
        cpp.run(wrapped(found, tmp_path, silent), data)


def test_the_checksum_is_that_of_a_slow_loop():
    """In Python's own integers, whose size has no limit."""
    for values in (np.array([0.0, -0.0, 1e-300, np.pi]), np.array([1, -2, 3], dtype=np.int32), np.zeros(0)):
        words = [int.from_bytes(number.tobytes(), "little") for number in values]
        assert checks.checksum(values) == sum(word * (2 * k + 1) for k, word in enumerate(words)) % 2**64


@pytest.mark.failure("row 5: Ctrl+C in the middle of a run")
def test_an_interrupted_program_is_noticed(tmp_path):
    """Brian2's program stops at a step, writes what it has and ends with status 0."""
    # Ten million steps, some seconds; each of the ten numbers of the input is held for a million of them.
    layout = replace(LAYOUT, dt=1e-3, input_dt=1e3, input_steps=10, record_dt=1e3, trials=1)
    model = elman.model()
    _, _, data = numbers(0, model, layout)
    interrupting = (
        "import time\nstarted = subprocess.Popen(REAL)\n"
        "while not pathlib.Path('results/read_back').exists(): pass\n"
        "time.sleep(0.3)\nstarted.send_signal(signal.SIGINT)\nraise SystemExit(started.wait())"
    )
    with pytest.raises(RunFailed, match=r"bytes instead of|stopped at \S+ s instead of 10000"):
        cpp.run(wrapped(cpp.build(model, "rate", layout), tmp_path, interrupting), data)


@pytest.mark.failure("running: out of memory")
def test_a_program_that_needs_too_much_memory_is_ended(built, tmp_path):
    found, data = built
    # The limit is set while the interpreter starts, which needs less.
    greedy = wrapped(
        found,
        tmp_path,
        "import time; time.sleep(0.5)\ntry: bytearray(2**32)\nexcept MemoryError: print('bad_alloc'); os.abort()",
    )
    with pytest.raises(RunFailed, match="asked for more memory than the 2 GiB left to it"):
        cpp.run(greedy, data, memory=2**31)


def test_a_failed_run_keeps_the_end_of_what_was_said(built, tmp_path):
    found, data = built
    with pytest.raises(RunFailed) as failed:
        cpp.run(wrapped(found, tmp_path, "print(*range(1000), sep='\\n'); raise SystemExit(3)"), data)
    assert failed.value.log.splitlines() == [str(k) for k in range(950, 1000)]


@pytest.mark.failure("running: a hang")
def test_a_run_that_hangs_is_killed(built, tmp_path):
    found, data = built
    broken = wrapped(found, tmp_path, "import time; time.sleep(600)")
    started = time.perf_counter()
    with pytest.raises(RunFailed, match=r"stopped after 0\.3 s"):
        cpp.run(broken, data, timeout=0.3)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(RunFailed, match="was stopped"):
        cpp.run(broken, data, stop=stop)
    assert time.perf_counter() - started < 60


@pytest.mark.failure("row 11: no compiler, no make")
@pytest.mark.failure("install: no compiler")
@pytest.mark.failure("install: no make")
def test_no_compiler_and_no_make(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CortwinError, match=r"no C\+\+ compiler: 'g\+\+' was not found; install .* --engine numpy"):
        compiler.find()
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(CortwinError, match="'no-such-compiler' was not found"):
        compiler.find()
    for name in ("g++",):
        (tmp_path / name).write_text("#!/bin/sh\necho 1.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.delenv("CXX")
    with pytest.raises(CortwinError, match="'make' was not found"):
        compiler.find()


@pytest.mark.failure("install: a broken compiler")
def test_a_broken_compiler_shows_its_first_error(monkeypatch, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text(
        "#!/bin/sh\ncase $1 in --version) echo broken 1.0;; "
        "*) echo 'main.cpp:1: error: no such thing' >&2; exit 1;; esac\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", shlex.quote(str(broken)))
    with pytest.raises(CortwinError, match=r"main\.cpp:1: error: no such thing"):
        cpp.build(elman.model(), "rate", LAYOUT)
    assert not [path for path in cache.directory().iterdir() if path.name.startswith(".")]


@pytest.mark.failure("install: a read-only home or cache folder")
def test_a_cache_that_cannot_be_written_is_replaced(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("CORTWIN_CACHE", str(blocked / "cache"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    with pytest.warns(UserWarning, match="cannot be used"):
        assert cache.directory().parent == tmp_path


@pytest.mark.failure("running: a path with spaces and umlauts")
def test_the_cache_is_counted_and_cleared(monkeypatch, tmp_path):
    monkeypatch.setenv("CORTWIN_CACHE", str(tmp_path / "mit Leerzeichen und Ümläut"))
    assert cache.summary()[1:] == (0, 0)
    found = cpp.build(elman.model(), "rate", LAYOUT)
    cpp.run(found, numbers(0, elman.model())[2])
    folder, entries, size = cache.summary()
    assert (folder.name, entries) == ("mit Leerzeichen und Ümläut", 1)
    assert size > 10_000
    assert cache.clear() == (1, size)
    assert cache.summary()[1:] == (0, 0)


@pytest.mark.failure("running: two processes, one folder or one build")
def test_two_processes_build_once(monkeypatch, tmp_path):
    monkeypatch.setenv("CORTWIN_CACHE", str(tmp_path))
    code = (
        "from cortwin import cpp; from cortwin.builder import Layout; from cortwin.models import elman\n"
        f"print(cpp.build(elman.model(), 'rate', {LAYOUT!r}).build_seconds > 0)"
    )
    both = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert sorted(process.communicate()[0].split()[-1] for process in both) == ["False", "True"]


def test_the_doctor_builds_and_runs(monkeypatch):
    assert doctor.try_build()[0]
    monkeypatch.setenv("CXX", "no-such-compiler")
    works, words = doctor.try_build()
    assert not works
    assert "no-such-compiler" in words


def test_launcher_leaves_nothing_behind(built, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found, data = built
    cpp.run(found, data)
    assert not list(tmp_path.iterdir())
    assert launcher.SIGNALS
    assert os.path.isdir(tmp_path)
