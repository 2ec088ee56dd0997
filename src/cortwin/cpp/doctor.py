"""Does a real build work here? The smallest simulation, built from nothing and compared with arithmetic."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import brian2
import numpy as np

from cortwin.builder import Layout
from cortwin.cpp import compiler, launcher, program
from cortwin.errors import CortwinError
from cortwin.model import Lacking, Model, Population, Writing

LEAK = Writing(
    {
        "input": Population("u = stimulus(t, i) : 1", "inputs"),
        "leak": Population("dx/dt = -x/tau : 1", "units", method="euler", values={"x": "x0"}),
    },
    {},
    {"x": "leak.x"},
)


def try_build() -> tuple[bool, str]:
    """Compile and run a decaying exponential outside the cache.

    Returns
    -------
    works : whether the program was built and its numbers are right
    words : one line that says what happened, or what to do
    """
    why = Lacking("a test of the compiler")
    model = Model(
        "doctor",
        why,
        LEAK,
        why,
        why,
        {"x0": ("units",)},
        tuple,
        np.zeros,
        {"tau": 10 * brian2.ms},
    )
    layout = Layout(
        inputs=1,
        units=2,
        outputs=1,
        neurons_per_unit=1,
        trials=1,
        dt=0.001,
        input_dt=0.001,
        input_steps=5,
        record_dt=0.001,
    )
    folder = Path(tempfile.mkdtemp(prefix="cortwin-doctor-"))
    started = time.perf_counter()
    try:
        found = program.build_into(folder / "build", model, "rate", layout, "release")
        built = time.perf_counter() - started
        data = {"leak.x": np.array([1.0, 2.0]), "stimulus.values": np.zeros((5, 1))}
        x = launcher.run(found, data)["recorded_leak.x"]
    except (CortwinError, OSError) as error:
        return False, str(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not np.allclose(x[-1], np.array([1.0, 2.0]) * 0.9**5, rtol=1e-12):
        return False, f"the compiled program computes {x[-1]} instead of {0.9**5} and {2 * 0.9**5}"
    return True, f"{compiler.find().version}: built and run in {built:.1f} s"
