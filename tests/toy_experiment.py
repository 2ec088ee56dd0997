"""Two leaky units follow a step, and one of them spikes: the smallest experiment with everything in it."""

from __future__ import annotations

import hashlib
import subprocess
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import xarray as xr
from brian2 import Quantity, ms, second
from matplotlib.figure import Figure

from cortwin.activity import activity
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script


def compute(
    run: Run,
    *,
    units: Annotated[int, Parameter("number of units", quick=2, minimum=1, maximum=1000)] = 3,
    tau: Annotated[Quantity, Parameter("time constant of the current", above=0 * ms, quick=50 * ms)] = 100 * ms,
    gain: Annotated[float, Parameter("slope of the step")] = 1.0,
    shape: Annotated[str, Parameter("form of the input", choices=("step", "ramp"))] = "step",
    noisy: Annotated[bool, Parameter("whether noise is added")] = True,
    neurons: Annotated[tuple[int, ...], Parameter("neurons per unit", minimum=1)] = (1, 4),
    recording: Annotated[Path | None, Parameter("a file to compare with")] = None,
    wait: Annotated[Quantity, Parameter("wall time to pass before it ends", minimum=0 * second)] = 0 * second,
    deaf: Annotated[bool, Parameter("whether signals cannot be heard meanwhile")] = False,
    helper: Annotated[Path | None, Parameter("file that receives the id of a helper process")] = None,
) -> Results:
    """Integrate, and let the first unit spike."""
    dt = 0.01
    noise = run.generator("noise")
    time_axis = dt * np.arange(50)
    drive = gain * (time_axis > 0.1) * (1.0 if shape == "step" else time_axis)
    x = np.zeros((2, 50, units))
    with run.timed("integrate"), run.progress("integrating", 49) as bar:
        for k in range(49):
            x[:, k + 1] = x[:, k] + dt / float(tau) * (drive[k] - x[:, k])
            x[:, k + 1] += 0.01 * noisy * noise.standard_normal((2, units))
            bar.advance()
            bar.update(f"x = {x.max():.2f}")
    if helper is not None:
        process = subprocess.Popen(["sleep", "60"], start_new_session=True)
        helper.write_text(str(process.pid))
    if wait > 0 * second:
        print("waiting", flush=True)
        if deaf:
            # One long call that lets other threads run: no signal reaches Python before it is over.
            hashlib.pbkdf2_hmac("sha256", b"", b"", int(2e6 * float(wait)))
        time.sleep(float(wait))
    trial, step = np.nonzero(np.diff((x[:, :, 0] > 0.5).astype(int), axis=1) > 0)
    spikes = xr.Dataset(
        {
            "trial": ("event", trial.astype(np.int64)),
            "unit": ("event", np.zeros(trial.size, dtype=np.int64)),
            "time": ("event", dt * step),
        },
        attrs={"n_trials": 2, "n_units": units, "t_start": 0.0, "duration": 0.5, "dt": dt},
    )
    run.record("solver", {"method": "euler", "dt": dt})
    return Results(
        metrics={"x.max": x.max(), "x.rate": float("nan"), "spikes.count": np.int64(trial.size), "converged": True},
        reasons={"x.rate": "a single spike has no rate"},
        tables={"error": [{"neurons": n, "error": 1 / n, "note": "<b>plain</b> text"} for n in neurons]},
        activity={
            "textbook.x": activity(x, dt=dt, name="x", coordinates={"condition": ("trial", np.array([0, 1]))}),
            "input": activity(drive[np.newaxis, :, np.newaxis], dt=dt, last="input", name="u"),
        },
        spikes={"spiking": spikes},
        weights={"W_rec": noise.standard_normal((units, units)), "recurrent.w": np.arange(3.0)},
        notes={"equation": "tau dx/dt = -x + u"},
    )


def draw(results: Results) -> list[Drawing]:
    """Draw the activity and the error."""
    x = results.activity["textbook.x"]
    traces = Figure(figsize=(7, 3.2), layout="constrained")
    axes = traces.subplots()
    axes.plot(x["time"], x.sel(trial=0))
    axes.plot(x["time"], results.activity["input"].sel(trial=0), color="0.6", linestyle="--")
    axes.set_xlabel("time (s)")
    axes.set_ylabel("x")
    axes.spines[["top", "right"]].set_visible(False)
    errors = Figure(figsize=(3.5, 3), layout="constrained")
    axes = errors.subplots()
    rows = results.tables["error"]
    axes.loglog([row["neurons"] for row in rows], [row["error"] for row in rows], "o-")
    axes.set_xlabel("neurons per unit")
    axes.set_ylabel("error")
    axes.spines[["top", "right"]].set_visible(False)
    return [
        Drawing("activity", traces, "Activity", "All units, largest value {x.max:.2f}. Dashed: input."),
        Drawing("error", errors, "Error", "Falls with the number of neurons."),
    ]


def report(results: Results) -> list[Section]:
    """Tell what was found."""
    return [
        Section(
            "Units follow the step",
            "The {parameters.units} units rise with {parameters.tau} to {x.max}.\n\n<script>alert('never')</script>",
            drawings=["activity", "error"],
            tables=[
                Table(
                    "Summary (n = {parameters.units} units, {spikes.count} spikes).",
                    ("", "largest x", "rate", "converged"),
                    [("textbook", "x.max", "x.rate", "converged")],
                ),
                Table("Error.", {"neurons": "neurons per unit", "error": "error", "note": ""}, records="error"),
            ],
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
