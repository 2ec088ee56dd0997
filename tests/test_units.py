"""The two files that a program is compiled as, and the memory that its arrays lie in."""

import shlex
import subprocess
from pathlib import Path

import pytest

from cortwin import cpp
from cortwin.builder import Layout
from cortwin.cpp import compiler, units
from cortwin.cpp.device import LIBRARY
from cortwin.models import elman

LAYOUT = Layout(
    inputs=2, units=5, outputs=2, neurons_per_unit=1, trials=2, dt=0.1, input_dt=0.1, input_steps=5, record_dt=0.1
)


def test_a_file_with_macros_of_its_own_stays_alone(tmp_path):
    (tmp_path / "code_objects").mkdir()

    class Writer:
        def __init__(self):
            self.source_files = {"network.cpp", *units.FRAME}

        def write(self, name, text):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
            self.source_files.add(name)

    writer = Writer()
    for name in ("network.cpp", *units.FRAME):
        writer.write(name, "#include <cmath>\n")
    for name, inside in (("a", ""), ("b", "#define TWO 2\n"), ("c", "#define _brian_abs std::abs\n")):
        text = f"#include <vector>\n{units.MARK}\n{inside}void _run_{name}()\n{{\n}}\n"
        writer.write(f"code_objects/{name}.cpp", text)
    assert units.combine(tmp_path, writer, {"c": ("-O0",)}) == {
        "steps.cpp": (),
        "setup.cpp": ("-O1",),
        "steps_2.cpp": ("-O0",),
        "code_objects/b.cpp": (),
    }
    steps = (tmp_path / "steps.cpp").read_text()
    assert steps.startswith("#include <cmath>\n#include <vector>\n")
    assert "namespace unit_a {" in steps
    assert "void _run_a() { unit_a::_run_a(); }" in steps
    text = units.makefile(writer.source_files, "-O3", "-lm", {"steps_2.cpp": ("-O0",)})
    assert "steps_2.o: EXTRA = -O0" in text
    # Brian2's own flags ask for C++11, which our headers are not.
    assert " -w -std=c++17 " in units.makefile(writer.source_files, "-w -std=c++11", "", {})


@pytest.mark.cpp
def test_no_step_asks_for_the_time(tmp_path):
    """Brian2 before 2.10 asks in every step; where the loop has changed, this says so."""
    cpp.program.generate(tmp_path, elman.model(), "rate", LAYOUT, "release")
    text = (tmp_path / "steps.cpp").read_text()
    loop, _, behind = text[text.index("while(clock") :].partition("\n    }\n")
    assert "func();" in loop
    assert "elapsed_realtime =" not in loop.partition("func();")[2]
    assert behind.index("elapsed_realtime =") < behind.index("_last_run_time = elapsed_realtime")


def test_a_limit_of_time_is_still_looked_at():
    asked = "        current = std::clock();\n        elapsed_realtime = current - start;\n"
    limited = f"while(clock)\n{asked}        if(elapsed_realtime>3.0)\n    Network::_globally_running = false;\n"
    assert units._asked_once(limited) == limited


SOURCE = """
#include <cstdint>
#include <iostream>
#include <vector>
int main()
{
    for (std::size_t n = 64; n < 1000000; n = n * 5 / 3) {
        double* array = new double[n];
        std::vector<int32_t> grown(2 * n);
        std::cout << reinterpret_cast<std::uintptr_t>(array) % 64 + reinterpret_cast<std::uintptr_t>(&grown[0]) % 64;
        delete[] array;
        std::vector<char> small(n % 7);
    }
    try {
        std::cout << static_cast<void*>(new char[std::size_t(1) << 62]);
    } catch (const std::bad_alloc&) {
        std::cout << " refused";
    }
}
"""


@pytest.mark.cpp
def test_arrays_begin_at_a_cache_line(tmp_path):
    (tmp_path / "main.cpp").write_text(SOURCE)
    memory = LIBRARY / Path(units.MEMORY).name
    command = [*shlex.split(compiler.find().command), *compiler.PROFILES["strict"], "main.cpp", str(memory)]
    subprocess.run([*command, "-o", "main"], cwd=tmp_path, check=True)
    said = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    zeros, _, refused = said.partition(" ")
    assert set(zeros) == {"0"}
    assert refused == "refused"
