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
# Nothing runs here, so that the report is the same on every machine: AVX2, and AVX-512 where only that has what it takes.
AVX2, AVX512 = "x86-64-v3", "x86-64-v4"
PAGES = {
    "lif": {"cortex_stateupdater": AVX2, "cortex_blow_ups": AVX2, "cortex_spike_thresholder": AVX2},
    "brunel": {
        "excitatory_stateupdater": AVX2,
        "excitatory_blow_ups": AVX2,
        "excitatory_spike_thresholder": AVX2,
        "background_excitatory": AVX512,
    },
    "cuba": {"excitatory_stateupdater": AVX2, "excitatory_blow_ups": AVX2, "excitatory_spike_thresholder": AVX2},
}
LOOP = "for (int _idx = _first; _idx < _last; _idx++)"


@pytest.fixture(scope="module", params=PAGES)
def page(request, tmp_path_factory):
    """Generate the sources of a page."""
    folder = tmp_path_factory.mktemp(request.param)
    module = pytest.importorskip(f"cortwin.models.{request.param}")
    program.generate(folder, module.model(), "spiking", LAYOUT, "release")
    return folder, PAGES[request.param]


def lines_of_loops(source: Path) -> list[int]:
    """Return the numbers of the lines at which a loop over the elements begins."""
    return [number for number, line in enumerate(source.read_text().splitlines(), 1) if LOOP in line]


def vectorised_lines(source: Path, processor: str) -> set[int]:
    """Return the lines of a source at which the compiler says that it vectorised a loop."""
    if "GCC" not in compiler.find().version and "g++" not in compiler.find().version:
        pytest.skip("the report is g++'s")
    flags = [flag for flag in compiler.PROFILES["release"] if not flag.startswith("-march")]
    command = [compiler.find().command, *flags, f"-march={processor}", "-fopt-info-vec-optimized", "-I."]
    done = subprocess.run(
        [*command, "-c", str(source), "-o", "/dev/null"],
        cwd=source.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    report = re.findall(rf"{source.name}:(\d+):\d+: optimized: +loop vectorized", done.stderr + done.stdout)
    return {int(line) for line in report}


def test_the_loops_of_a_page_are_vectorised(page):
    folder, expected = page
    for name, processor in expected.items():
        source = folder / "code_objects" / f"{name}_codeobject.cpp"
        first = lines_of_loops(source)[0]
        assert first in vectorised_lines(source, processor), f"{name}: line {first} of {source}"


@pytest.mark.parametrize("branch", ["while (v > 0.01) v *= 0.5;", 'if (v > 0.01) asm volatile("");', "v = cbrt(v);"])
def test_a_branch_or_a_call_in_a_loop_is_found(tmp_path, branch):
    lif = importlib.import_module("cortwin.models.lif")
    program.generate(tmp_path, lif.model(), "spiking", LAYOUT, "release")
    source = tmp_path / "code_objects" / "cortex_stateupdater_codeobject.cpp"
    text = source.read_text()
    (place,) = re.findall(r"(_ptr_array_cortex_v\[_idx\]) = ", text)
    source.write_text(text.replace(f"{place} = ", f"{branch}\n        {place} = "))
    assert lines_of_loops(source)[0] not in vectorised_lines(source, AVX2)
