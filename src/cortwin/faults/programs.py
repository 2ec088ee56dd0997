"""Faults in the compiled program, its files, its compiler and the machine under it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from numpy.typing import NDArray

from cortwin import cpp
from cortwin.builder import Layout, arrays
from cortwin.cpp import cache
from cortwin.faults.bench import Bench, refusal, require


def wrapped(program: cpp.Program, folder: Path, script: str) -> cpp.Program:
    """Return the program with a Python script in place of its executable.

    Parameters
    ----------
    program : the real one
    folder : empty, holds the stand-in
    script : runs where the program would, and finds the command of the real one as ``REAL``
    """
    folder.mkdir(parents=True, exist_ok=True)
    executable = folder / "main"
    # Through the shell, as pip does it: the path of an interpreter may hold a space, and a first line #! cannot.
    executable.write_text(
        f"#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} \"$0\" \"$@\"\n' '''\n"
        f"import os, pathlib, resource, signal, subprocess, sys\nREAL = [{str(program.executable)!r}, *sys.argv[1:]]\n"
        f"{script}\n",
        encoding="utf-8",
    )
    executable.chmod(0o755)
    (folder / "static_arrays").symlink_to(program.folder / "static_arrays")
    # A stand-in has another size than the executable that was built.
    files = {name: size for name, size in program.description["files"].items() if name != "main"}
    return replace(program, folder=folder, description={**program.description, "files": files})


def _program(bench: Bench) -> tuple[cpp.Program, dict[str, NDArray]]:
    """Return the compiled rate writing and the numbers of its first batch."""
    sizes = bench.model.sizes(bench.values)
    layout = Layout(
        inputs=bench.inputs.sizes["input"],
        units=sizes["units"],
        outputs=sizes["outputs"],
        neurons_per_unit=1,
        trials=2,
        dt=bench.dt,
        input_dt=bench.dt,
        input_steps=bench.inputs.sizes["time"],
        record_dt=bench.dt,
    )
    data = arrays(bench.model, "rate", layout, bench.values, bench.inputs[:2].to_numpy())
    return cpp.build(bench.model, "rate", layout), data


def _scripted(script: str, **options: float) -> Callable[[Bench], str]:
    """Return the fault in which a script stands for the program."""

    def cause(bench: Bench) -> str:
        program, data = _program(bench)
        return refusal(lambda: cpp.run(wrapped(program, bench.folder / "program", script), data, **options))  # type: ignore[arg-type]

    return cause


# Without a word, as Brian2's program is on a full disk: the signal of the limit is ignored.
_QUIETLY = "raise SystemExit(subprocess.run(REAL, stderr=subprocess.DEVNULL, restore_signals=False).returncode)"
_FULL = "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))\n"
_RUN = "subprocess.run(REAL, check=True)\n"


def _spoilt(result: str, content: str) -> str:
    return f"{_RUN}f = next(pathlib.Path('results').glob('{result}*'))\nf.write_bytes({content})"


def _cut_static_array(bench: Bench) -> str:
    program, data = _program(bench)
    shutil.copytree(program.folder, bench.folder / "program")
    copy = replace(program, folder=bench.folder / "program")
    os.truncate(next(iter((copy.folder / "static_arrays").iterdir())), 4)
    return refusal(lambda: cpp.run(copy, data))


def _cut_in_cache(bench: Bench) -> str:
    """A killed process or a full disk left half a program in the cache: it is built anew."""
    program, _ = _program(bench)
    shutil.copytree(program.folder, bench.folder / "cache" / program.folder.name)
    with _environment(CORTWIN_CACHE=str(bench.folder / "cache")):
        os.truncate(bench.folder / "cache" / program.folder.name / "main", 1000)
        again, _ = _program(bench)
        require(again.build_seconds > 0, "half a program was taken for a whole one")
        bench.simulate()
    return "it was built anew"


def _compiler(name: str, words: str) -> Callable[[Bench], str]:
    """Return the fault of a compiler that answers to --version, and then says some words and fails."""

    def cause(bench: Bench) -> str:
        script = bench.folder / name
        script.write_text(f"#!/bin/sh\n[ $1 = --version ] && echo {name} 1.0 && exit\necho {words!r} >&2\nexit 1\n")
        script.chmod(0o755)
        with _environment(CXX=shlex.quote(str(script)), CORTWIN_CACHE=str(bench.folder / "cache")):
            message = refusal(lambda: _program(bench))
            require(cache.summary()[1] == 0, "a program that was not compiled lies in the cache")
        return message

    return cause


def _no_compiler(bench: Bench) -> str:
    with _environment(CXX="no-such-compiler"):
        return refusal(lambda: _program(bench))


def _no_make(bench: Bench) -> str:
    (bench.folder / "compiler").write_text("#!/bin/sh\necho 1.0\n")
    (bench.folder / "compiler").chmod(0o755)
    with _environment(PATH=str(bench.folder), CXX="compiler"):
        return refusal(lambda: _program(bench))


def _dead_lock(bench: Bench) -> str:
    """The process that held a build's lock was killed."""
    code = (
        "import sys, time; from pathlib import Path; from cortwin.cpp import cache\n"
        "with cache.locked(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-W", "ignore", "-P", "-c", code, str(bench.folder / "entry")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=bench.folder) as holder:
        assert holder.stdout is not None
        require(holder.stdout.readline() == b"held\n", "the lock was not held")
        holder.kill()
    with cache.locked(bench.folder / "entry"):
        return "the lock was free again"


@contextlib.contextmanager
def _environment(**changes: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


FAULTS = {
    "no compiler": _no_compiler,
    "no make": _no_make,
    "a broken compiler": _compiler("broken", "main.cpp:1: error: no such thing"),
    "the disk is full while building": _compiler("full", "fatal error: No space left on device"),
    "a program in the cache is cut short": _cut_in_cache,
    "a static array is cut short": _cut_static_array,
    "the holder of a lock is killed": _dead_lock,
    "a parameter's file is cut short": _scripted(f"os.truncate('data/array_3', 8)\n{_QUIETLY}"),
    "a parameter's file is lost": _scripted(f"os.unlink('data/array_4')\n{_QUIETLY}"),
    "a parameter is overwritten": _scripted(_spoilt("_dynamic_array_recurrence_w", "bytes(len(f.read_bytes()))")),
    "the disk fills while results are written": _scripted(_FULL + _QUIETLY),
    "a result is not written": _scripted(_RUN + "next(pathlib.Path('results').glob('*recorded*')).unlink()"),
    "the program stops half-way": _scripted(_spoilt("_array_simulation_clock_t_", "bytes(8)")),
    "the program says that it could not write": _scripted(_RUN + "print('Error writing output file')"),
    "a state at the end is not a number": _scripted(_spoilt("_array_cortex_x_", "b'\\xff' * len(f.read_bytes())")),
    "the program is killed": _scripted("os.kill(os.getpid(), signal.SIGKILL)"),
    "the program crashes": _scripted("os.kill(os.getpid(), signal.SIGSEGV)"),
    "the program is for another processor": _scripted("os.kill(os.getpid(), signal.SIGILL)"),
    "the program takes more memory than its limit": _scripted(
        "import time; time.sleep(0.5)\ntry: bytearray(2**32)\nexcept MemoryError: print('bad_alloc'); os.abort()",
        memory=2**31,
    ),
    "the program hangs": _scripted("import time; time.sleep(600)", timeout=0.5),
}
