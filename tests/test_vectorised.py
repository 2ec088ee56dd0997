"""The compiler vectorises the loops over neurons, and says so; a branch put into one would end that."""

import importlib
import re
import subprocess
from pathlib import Path

import pytest

from cortwin.builder import Layout
from cortwin.cpp import compiler, program

pytestmark = pytest.mark.cpp

LAYOUT = Layout(
    inputs=2,
    units=500,
    outputs=2,
    neurons_per_unit=1,
    trials=4,
    dt=1e-4,
    input_dt=1e-4,
    input_steps=10,
    record_dt=1e-3,
    spikes=True,
)
# Nothing runs, so that the report is the same on every machine that compiles for AVX2.
AVX2 = "x86-64-v3"
PAGES = {
    "elman": {"cortex_stateupdater": AVX2},  # its rate text
    "lif": {"cortex_stateupdater": AVX2, "cortex_spike_thresholder": AVX2},
    "brunel": {
        "excitatory_stateupdater": AVX2,
        "excitatory_spike_thresholder": AVX2,
        "background_excitatory": AVX2,
    },
    "cuba": {"excitatory_stateupdater": AVX2, "excitatory_spike_thresholder": AVX2},
}
LOOP = "for (int _idx = _first; _idx < _last; _idx++)"


@pytest.fixture(scope="module", params=PAGES)
def page(request, tmp_path_factory):
    """Generate the sources of a page."""
    folder = tmp_path_factory.mktemp(request.param)
    module = pytest.importorskip(f"cortwin.models.{request.param}")
    program.generate(folder, module.model(), "rate" if request.param == "elman" else "spiking", LAYOUT, "release")
    return folder, PAGES[request.param]


def loop_of(folder: Path, name: str) -> tuple[Path, int]:
    """Return the file in which a code object stands, and the line at which its loop over the elements begins."""
    function = f"void _run_{name}_codeobject()"
    for file in sorted(folder.rglob("*.cpp")):
        lines = file.read_text().splitlines()
        if function in lines:
            start = lines.index(function)
            return file, next(number for number, line in enumerate(lines[start:], start + 1) if LOOP in line)
    raise AssertionError(f"{folder} has no {name}")


def vectorised_lines(folder: Path, file: Path, processor: str) -> set[int]:
    """Return the lines of a source at which the compiler says that it vectorised a loop."""
    if "GCC" not in compiler.find().version and "g++" not in compiler.find().version:
        pytest.skip("the report is g++'s")
    flags = [flag for flag in compiler.PROFILES["release"] if not flag.startswith("-march")]
    command = [compiler.find().command, *flags, f"-march={processor}", "-fopt-info-vec-optimized", "-I."]
    done = subprocess.run(
        [*command, "-c", str(file), "-o", "/dev/null"], cwd=folder, capture_output=True, text=True, check=True
    )
    report = re.findall(rf"{file.name}:(\d+):\d+: optimized: +loop vectorized", done.stderr + done.stdout)
    return {int(line) for line in report}


def test_the_loops_of_a_page_are_vectorised(page):
    folder, expected = page
    found: dict[tuple[Path, str], set[int]] = {}
    for name, processor in expected.items():
        file, line = loop_of(folder, name)
        if (file, processor) not in found:
            found[file, processor] = vectorised_lines(folder, file, processor)
        assert line in found[file, processor], f"{name}: line {line} of {file} with {processor}"


@pytest.mark.parametrize("obstacle", ["while (v > 0.01) v *= 0.5;", 'if (v > 0.01) asm volatile("");', "v = cbrt(v);"])
def test_what_stands_in_the_way_is_found(tmp_path, obstacle):
    lif = importlib.import_module("cortwin.models.lif")
    program.generate(tmp_path, lif.model(), "spiking", LAYOUT, "release")
    file, line = loop_of(tmp_path, "cortex_stateupdater")
    lines = file.read_text().splitlines()
    place = next(k for k in range(line, len(lines)) if lines[k].strip().startswith("_ptr_array_cortex_v[_idx] = "))
    file.write_text("\n".join([*lines[:place], obstacle, *lines[place:]]) + "\n")
    assert line not in vectorised_lines(tmp_path, file, AVX2)
