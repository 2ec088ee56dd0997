"""`cortwin recording`: recorded neural activity."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from cortwin.cli.app import app
from cortwin.cli.output import say

recording_app = typer.Typer(help="Look at recorded neural activity.")
app.add_typer(recording_app, name="recording")


@recording_app.callback(invoke_without_command=True)
def _recording(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        say(context.get_help())


@recording_app.command("check")
def _check(file: Annotated[str, typer.Argument(metavar="FILE", help="Recording, an .npz file.")]) -> None:
    """Read a recording, and say what is in it or what is wrong with it."""
    from cortwin.tasks.recording import read_recording

    recording = read_recording(Path(file))
    rate, time = recording.rate, recording.rate["time"].to_numpy()
    conditions, times, units = rate.shape
    say(f"{file} is a good recording")
    say(f"  rate           {conditions} conditions, {times} times, {units} units; mean {float(rate.mean()):.3g} Hz")
    say(
        f"  time           {time[0]:.3g} to {time[-1]:.3g} s from movement onset, every {1e3 * rate.attrs['dt']:.3g} ms"
    )
    degrees = ", ".join(f"{math.degrees(angle):.4g}" for angle in sorted(rate["direction"].to_numpy()))
    say(f"  direction      {degrees} degrees")
    speed = (recording.hand_velocity**2).sum("output").max() ** 0.5
    say(f"  hand_velocity  peak speed {float(speed):.3g}")
    for name in ("hand_position", "joint_angle", "movement_end"):
        say(f"  {name:13}  {'left out' if getattr(recording, name) is None else 'present'}")
