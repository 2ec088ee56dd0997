"""An experiment for sweeps that costs nothing, and fails, dies or waits when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Annotated

import numpy as np
from brian2 import Quantity, ms, second

from cortwin.activity import activity
from cortwin.errors import CortwinError
from cortwin.experiment import Drawing, Parameter, Results, Run


def compute(
    run: Run,
    *,
    gain: Annotated[float, Parameter("slope; a negative one fails", maximum=100)] = 1.0,
    shape: Annotated[str, Parameter("form", choices=("step", "ramp"))] = "step",
    units: Annotated[int, Parameter("units", minimum=1, quick=1)] = 2,
    neurons: Annotated[tuple[int, ...], Parameter("neurons", minimum=1)] = (1, 4),
    tau: Annotated[Quantity, Parameter("time constant", above=0 * ms)] = 100 * ms,
    wait: Annotated[Quantity, Parameter("wall time to pass", minimum=0 * second)] = 0 * second,
    deaths: Annotated[Path | None, Parameter("folder with a file for every worker that dies of gain 13")] = None,
    data: Annotated[Path | None, Parameter("a file that counts")] = None,
) -> Results:
    """Draw a few numbers."""
    print("at work", flush=True)
    if gain < 0:
        raise CortwinError(f"the gain is {gain}")
    if deaths is not None and gain == 13 and (left := list(deaths.iterdir())):
        left[0].unlink()
        helper = subprocess.Popen(["sleep", "600"], start_new_session=True)
        (deaths.parent / "helpers").open("a").write(f"{helper.pid}\n")
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(wait))
    x = gain * run.generator("x").standard_normal((1, 20, units))
    return Results(
        metrics={
            "x.mean": x.mean(),
            "gain": 2 * gain,
            "none": float("nan"),
            "folder.empty": not list(Path.cwd().iterdir()),
            "threads": int(os.environ["OMP_NUM_THREADS"]),
            "agg": os.environ["MPLBACKEND"] == "Agg",
        },
        reasons={"none": "it has no value"},
        activity={"x": activity(x, dt=0.01, name="x")},
        weights={"w": np.arange(len(neurons))},
    )


def draw(results: Results) -> list[Drawing]:
    """Draw nothing."""
    return []
