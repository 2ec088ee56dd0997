"""From Brian2 objects to a compiled program in the cache: generate, compile, describe."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import brian2
import numpy as np
from brian2.core.base import BrianObjectException
from brian2.core.variables import ArrayVariable, DynamicArrayVariable
from brian2.devices.device import all_devices, reset_device, set_device

from cortwin import blocks
from cortwin.blow_ups import COUNTER
from cortwin.builder import NOISE, TIMED, Layout, block, connections, objects, timed_arrays
from cortwin.connectivity import FromArrays
from cortwin.cpp import cache, compiler
from cortwin.cpp.device import NAME, NotShared
from cortwin.cpp.drawing import clearing, drawer, given_of
from cortwin.equations import definitions
from cortwin.errors import CortwinError
from cortwin.model import Model, Pathway, Population, Writing

# What the program found in its memory when it began: a line for each array that it was given, name and checksum.
READ_BACK = "read_back"
# Brian2 ignores a run argument that it cannot read. A sum of 64-bit words, each times an odd number of its place, tells
# an array from one that was not set, was cut short or has its numbers elsewhere; `cortwin.cpp.checks` repeats it.
_CHECKSUM = """{
    std::ofstream read_back(brian::results_dir + "%s", std::ios::app);
    auto checksum = [](const auto* values, std::size_t size) {
        std::uint64_t sum = 0;
        for (std::size_t k = 0; k < size; k++) {
            std::uint64_t word = 0;
            __builtin_memcpy(&word, values + k, sizeof(*values));
            sum += word * (2 * k + 1);
        }
        return sum;
    };
%s
}"""


@dataclass(frozen=True)
class Program:
    """A compiled simulation: its folder in the cache, what its files are, and how long the build took (0 if cached)."""

    folder: Path
    description: dict[str, Any]
    build_seconds: float

    @property
    def shared(self) -> tuple[str, ...]:
        """Names of the pathways whose arrays are given once for all trials."""
        return tuple(self.description["shared"])

    @property
    def executable(self) -> Path:
        """Path of the compiled program."""
        return self.folder / "main"


def build(model: Model, writing: str, layout: Layout, profile: str = "release") -> Program:
    """Return the compiled program of a writing, from the cache or built now.

    Raises
    ------
    CortwinError
        When there is no compiler, or it fails (with its first error line).
    """
    entry = cache.directory() / cache.key(model, writing, layout, profile)
    if not _is_whole(entry):
        with cache.locked(entry):
            if not _is_whole(entry):
                shutil.rmtree(entry, ignore_errors=True)
                return build_into(entry, model, writing, layout, profile)
    return Program(entry, json.loads((entry / cache.COMPLETE).read_text()), 0.0)


def shared(model: Model, writing: str, profile: str) -> tuple[str, ...]:
    """Return the pathways whose synapses serve every trial, as far as their text tells before anything is built."""
    return () if profile == compiler.STOCK else blocks.shared(model.writing(writing))


def generate(folder: Path, model: Model, writing: str, layout: Layout, profile: str) -> dict[str, Any]:
    """Write a program's C++ sources into a folder and return the description of its files."""
    names = shared(model, writing, profile)
    while True:
        try:
            return _generate(folder, model, writing, layout, profile, names)
        except (BrianObjectException, NotShared) as error:
            # What a device raises reaches us through Brian2's own exception.
            refused = error if isinstance(error, NotShared) else error.__cause__
            if not isinstance(refused, NotShared):
                raise
            names = tuple(name for name in names if name != refused.pathway)


def _generate(
    folder: Path, model: Model, writing: str, layout: Layout, profile: str, shared: Collection[str]
) -> dict[str, Any]:
    with our_device() as device, profile_flags(profile):
        device.fast = profile != compiler.STOCK
        text = model.writing(writing)
        if text.drives:
            device.seed_from_arguments(NOISE, READ_BACK)
        connect = drawer(device, model, text, layout, READ_BACK)
        network = objects(model, writing, layout, connect=connect, shared=shared)
        # One step more than the duration: the monitors record at the start of a step, and so see the last state too.
        network.run((layout.duration + layout.dt) * brian2.second, namespace={})
        given = _given(device, network, model, writing, layout)
        # Between the run's arguments and the run there is no slot for code of our own.
        ((_, lines),) = [queued for kind, queued in device.main_queue if kind == "run_network"]
        lines.insert(lines.index("set_from_command_line(args);") + 1, _reading_back(device, given, layout))
        for line in clearing(device, network):
            device.insert_code("before_end", line)
        device.build(directory=str(folder), compile=False, run=False)
        return _describe(device, network, given, model, writing, layout, shared) | {
            "shared": list(shared),
            "compiler": compiler.find().describe(profile),
            # As JSON gives them back when the program is found in the cache.
            "code_objects": [{**asdict(note), "flags": list(note.flags)} for note in device.notes],
            "units": {unit: list(flags) for unit, flags in device.units.items()},
        }


def build_into(entry: Path, model: Model, writing: str, layout: Layout, profile: str) -> Program:
    """Build a program beside a folder and move it there when it is whole."""
    found, started = compiler.find(), time.perf_counter()
    workplace = Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=entry.parent))
    try:
        description = generate(workplace, model, writing, layout, profile)
        compile_program(workplace, found)
        for path in [*workplace.rglob("*.o"), *workplace.rglob("*.d")]:
            path.unlink()
        (workplace / "make.deps").unlink(missing_ok=True)
        files = [workplace / "main", *sorted((workplace / "static_arrays").iterdir())]
        description["files"] = {str(file.relative_to(workplace)): file.stat().st_size for file in files}
        description["sha256"] = hashlib.sha256((workplace / "main").read_bytes()).hexdigest()
        (workplace / cache.COMPLETE).write_text(json.dumps(description, indent=1, sort_keys=True))
        os.replace(workplace, entry)
        return Program(entry, description, time.perf_counter() - started)
    except OSError as error:
        raise CortwinError(f"the program could not be built in {entry.parent}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def compile_program(folder: Path, found: compiler.Compiler) -> None:
    """Compile the sources in a folder."""
    jobs = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    command = [found.make, "-j", jobs, f"CXX={found.command}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return
    lines = (done.stderr + done.stdout).splitlines()
    first = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no output")
    hint = "the disk is full" if "No space left" in done.stderr else "`cortwin doctor` checks the compiler"
    raise CortwinError(f"the C++ compiler {found.command} failed: {first.strip()} ({hint})")


def _is_whole(entry: Path) -> bool:
    """Tell whether an entry is complete and no file of it was cut short."""
    try:
        files = json.loads((entry / cache.COMPLETE).read_text())["files"]
        return all((entry / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError):
        return False


def _given(device: Any, network: brian2.Network, model: Model, writing: str, layout: Layout) -> dict[str, Any]:
    """Return the Brian2 variable of every array that the program is given, by its name; None for timed arrays."""
    text = model.writing(writing)
    # A timed input that no equation uses is not part of the program.
    heard = [name for name in timed_arrays(layout) if name in device.timed_arrays.values()]
    return {f"{name}.values": None for name in heard} | {
        f"{name}.{variable}": network[name].variables[variable]
        for name, part in (*text.populations.items(), *text.pathways.items())
        if not _is_listed(part)
        for variable in (*part.values, *(part.drawn if isinstance(part, Population) else ()))
    }


def _is_listed(part: Population | Pathway) -> bool:
    return isinstance(part, Pathway) and isinstance(part.connect, FromArrays)


def _taken(network: brian2.Network, text: Writing) -> dict[str, Any]:
    """Describe the arrays that synapses are made of: the program takes them before Brian2 looks at its arguments."""
    dtypes: dict[str, str] = {NOISE: "uint32"} if text.drives else {}
    for name, pathway in text.pathways.items():
        dtypes |= given_of(pathway, name)
        if _is_listed(pathway):
            variables = network[name].variables
            dtypes |= {f"{name}.{variable}": np.dtype(variables[variable].dtype).name for variable in pathway.values}
    entry = {"constant": False, "file": None, "trials": 1, "size": None}
    return {name: {"dtype": dtype, **entry} for name, dtype in dtypes.items()}


def _reading_back(device: Any, given: dict[str, Any], layout: Layout) -> str:
    """Return C++ that writes what the program holds of the arrays that it was given."""
    lines = []
    for name, variable in sorted(given.items()):
        if variable is None:
            timed = name.partition(".")[0]
            where, size = f"{timed}_values", layout.input_steps * layout.trials * layout.sizes[TIMED[timed]]
        elif isinstance(variable, DynamicArrayVariable):
            where = device.get_array_name(variable, access_data=False)
            where, size = f"{where}.data()", f"{where}.size()"
        else:
            where, size = device.get_array_name(variable, access_data=False), int(variable.size)
        lines.append(f'    read_back << "{name} " << checksum({where}, {size}) << std::endl;')
    return _CHECKSUM % (READ_BACK, "\n".join(lines))


def _describe(
    device: Any,
    network: brian2.Network,
    given: dict[str, Any],
    model: Model,
    writing: str,
    layout: Layout,
    shared: Collection[str],
) -> dict[str, Any]:
    """Say which file holds which array: what can be set, what must come out and how large it is."""
    text = model.writing(writing)
    constants = {
        f"{name}.{item.name}"
        for name, part in (*text.populations.items(), *text.pathways.items())
        for item in definitions("\n".join(line for line in part.equations.splitlines() if "_post" not in line), name)
        if "constant" in item.flags
    }
    shared_sizes = {name: block(text.pathways[name], text, layout, name).size for name in shared}
    values: dict[str, Any] = {
        name: {"dtype": "float64", "constant": False, "file": None, "trials": 1, "size": None}
        if variable is None
        else {
            "dtype": np.dtype(variable.dtype).name,
            "constant": name in constants,
            "file": device.get_array_filename(variable),
            "trials": layout.trials if name.partition(".")[0] in shared else 1,
            "size": shared_sizes.get(name.partition(".")[0]),
        }
        for name, variable in given.items()
    } | _taken(network, text)
    results = {}
    for part in network.objects:
        if isinstance(part, brian2.StateMonitor | brian2.SpikeMonitor):
            for variable in ("t", "i", "N", "count", *getattr(part, "record_variables", ())):
                if variable in part.variables:
                    results[f"{part.name}.{variable}"] = _file(device, part.variables[variable])
    sizes = _dynamic_sizes(device, network, text, layout, shared)
    arrays = []
    for variable in device.arrays:
        if isinstance(variable, ArrayVariable):
            name = f"{getattr(variable.owner, 'name', '')}.{variable.name}"
            # A scalar that Brian2 keeps in an array that can grow is a delay that all synapses share.
            fixed = 1 if variable.scalar else sizes.get(name)
            size = fixed if isinstance(variable, DynamicArrayVariable) else int(variable.size)
            arrays.append({"name": name, **_file(device, variable), "size": size})
    owner = next(iter(network[name].clock for name in text.populations))
    spiking = [name for name, population in text.populations.items() if population.reset]
    return {
        "values": values,
        "results": results,
        "arrays": arrays,
        "counters": {name: _file(device, network[name].variables[COUNTER]) for name in spiking},
        "clock": _file(device, owner.variables["t"]),
        "dt": layout.dt,
        "samples": layout.samples,
        "end": (round(layout.duration / layout.dt) + 1) * layout.dt,
    }


def _dynamic_sizes(
    device: Any, network: brian2.Network, text: Writing, layout: Layout, shared: Collection[str]
) -> dict[str, int]:
    """Return the sizes of the arrays that the program makes itself.

    Nobody knows how many spikes there will be, nor how many synapses a rule draws. Rows are let go of at the end.
    """
    sizes: dict[str, int] = {}
    for name, pathway in text.pathways.items():
        if name in shared:
            size = block(pathway, text, layout, name).size
            sizes |= {f"{name}.{variable}": size for variable in network[name].variables}
            sizes |= {f"{name}.{v}": 0 for v in ("_synaptic_pre", "_synaptic_post", "N_incoming", "N_outgoing")}
            continue
        if name in device.rows:
            sizes |= {f"{name}.{variable}": 0 for variable in network[name].variables}
        if not isinstance(pathway.connect, str):
            continue
        synapses = connections(name, text, layout, name)[0].size
        sizes |= {f"{name}.{variable}": synapses for variable in network[name].variables}
        sizes[f"{name}.N_outgoing"] = len(network[pathway.source])
        sizes[f"{name}.N_incoming"] = len(network[pathway.target])
    for part in network.objects:
        if isinstance(part, brian2.StateMonitor):
            samples = layout.samples + 1
            sizes[f"{part.name}.t"] = samples
            sizes |= {f"{part.name}.{variable}": samples * len(part.source) for variable in part.record_variables}
    return sizes


def _file(device: Any, variable: ArrayVariable) -> dict[str, Any]:
    return {"file": device.get_array_filename(variable), "dtype": np.dtype(variable.dtype).name}


@contextlib.contextmanager
def our_device() -> Iterator[Any]:
    """Activate our device for one build, and put back whatever device was active."""
    device: Any = all_devices[NAME]
    # Brian2 numbers the names of code objects while earlier ones of the same name, caught in cycles, are still alive.
    gc.collect()
    set_device(device, build_on_run=False)
    device.reinit()
    device.activate(build_on_run=False)
    try:
        yield device
    finally:
        device.reinit()
        reset_device()


@contextlib.contextmanager
def profile_flags(profile: str) -> Iterator[None]:
    """Let Brian2 write our compiler flags into the makefile, and put its preference back."""
    if profile not in compiler.PROFILES:
        raise CortwinError(f"the compiler profile is '{profile}', expected one of {', '.join(compiler.PROFILES)}")
    name = "codegen.cpp.extra_compile_args"
    before = brian2.prefs[name]
    brian2.prefs[name] = list(compiler.PROFILES[profile])
    try:
        yield
    finally:
        brian2.prefs[name] = before
