"""`cortwin twin`: a network from a file and its twins, into a run directory."""

from __future__ import annotations

from typing import Annotated

import typer

from cortwin.cli import run as runs
from cortwin.cli.app import app
from cortwin.errors import CortwinError


@app.command(
    "twin",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def _twin(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The network: an .npz file, laid out as cortwin.exchange.npz says.")
    ] = "",
    shown: Annotated[
        str, typer.Option("--input", metavar="FILE", help="Its trials: .npz with input, target, mask, dt, or .npy.")
    ] = "",
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Train on through the rate text at a small alpha.")
    ] = False,
    quick: runs.Quick = False,
    seed: runs.Seed = "1",
    out: Annotated[str, typer.Option(metavar="DIR", help="New or empty folder; default results/twin-seedN.")] = "",
    engine: runs.Engine = "cpp",
    jobs: runs.Jobs = "",
    timeout: runs.Timeout = "",
    settings: runs.Settings = None,
) -> None:
    """Give a network of your own its rate and spiking twins; `twin --help` lists the parameters."""
    given = []
    if any(word in ("--help", "-h") for word in (file, *context.args)):
        context.args = ["--help"]
    elif not file or file.startswith("-"):
        raise CortwinError("name the file of the network first: cortwin twin FILE [options]")
    else:
        given = [f"network={file}", *([f"input={shown}"] if shown else []), *(["fine_tune=true"] if fine_tune else [])]
    runs.run(context, "twin", quick, seed, out, engine, jobs, timeout, [*given, *(settings or [])])
