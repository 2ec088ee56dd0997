"""Every way in which a simulation, its results or its installation are known to go wrong has a test that does it.

A test that injects a fault carries ``@pytest.mark.failure("row 6: the program is killed")``, with a name of this list.
`python -m pytest -m failure` runs them all.
"""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent

# What Brian2's standalone programs do without a word, and what else goes wrong around simulations.
FAILURES = """
row 1: a run argument is inf or nan
row 2: a file of a run argument is cut short
row 3: a static array file is missing
row 4: the disk fills while results are written
row 5: Ctrl+C in the middle of a run
row 6: the program is killed
row 7: NaN, or 1e206, is told once per process
row 8: the reset hides a blow-up
row 9: threads run simulations at a time
row 10: results outside the chosen folder
row 11: no compiler, no make
row 12: a variable called double
row 13: an undefined symbol that exists in the caller
row 14: dt after another build
row 15: a unit that hangs in eval
row 16: a file brian_preferences in the current folder
row 17: an uncaught exception leaves logs and a copy of the script
row 18: runtime and standalone with one seed
row 19: an input shorter than the run

install: NumPy 2.4 under Brian2 2.9
install: no compiler
install: no make
install: a broken compiler
install: CXX and CFLAGS are set
install: a read-only home or cache folder

model: an undefined symbol
model: a keyword as name
model: units that do not fit
model: negative tau, zero dt, weights that are not finite
model: dt too large for tau
model: weights of the wrong shape
model: empty group, one unit, zero trials, zero synapses
model: input dt is no multiple of dt
model: duration is no multiple of dt
model: no spikes at all, or every neuron at its limit

running: out of memory
running: the program crashes
running: a program for another processor
running: the disk fills while building
running: the disk fills while results are written
running: Ctrl+C once and twice, SIGTERM
running: a hang
running: two processes, one folder or one build
running: a stale lock of a dead process
running: a worker of a sweep is killed
running: a sweep in another order, with other workers, restarted half-way
running: a path with spaces and umlauts
running: stdout closed, no terminal, ascii
running: a failed run leaves FAILED.json

results: a truncated or flipped file
results: a crash between files and manifest
results: a pickled array in a file
results: output names ../x, absolute, 300 characters, a link out
results: results of an older format

learning: a loss that is NaN or infinite
learning: interrupted training
learning: constant features, one class, NaN rows, few samples
learning: the same trial in train and test
analysis: activity of different dt, duration or units

security: equations pass a whitelist
security: no pickle
security: output stays under the chosen folder
security: the report escapes everything and loads nothing
security: nothing is evaluated from the current folder
security: a scheduler listens on loopback alone
"""


def marked(folder: Path) -> dict[str, list[str]]:
    """Return name of a failure -> the tests that carry it, read without running anything."""
    found: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.failure":
                (name,) = (ast.literal_eval(argument) for argument in node.args)
                found.setdefault(name, []).append(f"{file.name}:{node.lineno}")
    return found


def test_every_failure_has_a_test_and_every_name_is_on_the_list():
    listed = [line for line in FAILURES.splitlines() if line]
    assert len(set(listed)) == len(listed)
    assert sorted(marked(TESTS)) == sorted(listed)


def test_a_failure_without_a_test_is_found(tmp_path):
    (tmp_path / "test_a.py").write_text(
        "import pytest\n@pytest.mark.failure('row 1: x')\ndef test_a(): ...\n"
        "@pytest.mark.parametrize('a', [pytest.param(1, marks=pytest.mark.failure('row 2: y'))])\ndef test_b(a): ...\n"
    )
    assert marked(tmp_path) == {"row 1: x": ["test_a.py:2"], "row 2: y": ["test_a.py:4"]}
