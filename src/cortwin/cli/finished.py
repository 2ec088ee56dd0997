"""`cortwin show` and `cortwin figures`: what finished runs left."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cortwin.cli.app import FAILURE, app
from cortwin.cli.output import make_console, say, say_error, shown
from cortwin.errors import CortwinError


@app.command("show")
def _show(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Directory of a finished run, or folder of a sweep.")],
) -> None:
    """Show the command, parameters and metrics of a run, or how far a sweep is."""
    from rich.markup import escape
    from rich.table import Table

    from cortwin.cli.sweep import show_sweep
    from cortwin.report import cell
    from cortwin.run_directory import PARAMETERS, open_run
    from cortwin.sweep.folder import is_sweep

    if is_sweep(Path(directory)):
        show_sweep(Path(directory))
        return
    finished = open_run(Path(directory))
    facts, console = finished.manifest, make_console()
    console.print(f"[bold]{escape(shlex.join(facts['command']))}[/bold]", soft_wrap=True)
    console.print(f"cortwin {facts['versions']['cortwin']}, seed {facts['seed']}, finished {facts['finished']}\n")
    for warning in facts["records"].get("warnings", []):
        console.print(f"note: {escape(warning)}\n")
    if PARAMETERS not in finished.damaged:
        table = Table("parameter", "value", "default", "meaning", box=None, pad_edge=False)
        for name, one in finished.json(PARAMETERS).items():
            changed = "bold" if one["text"] != one["default"] else None
            table.add_row(name, escape(one["text"]), escape(one["default"]), escape(one["meaning"]), style=changed)
        console.print(table, "")
    if "metrics.json" not in finished.damaged:
        saved = finished.metrics()
        table = Table("metric", "value", "", box=None, pad_edge=False)
        for name, value in sorted(saved.metrics.items()):
            table.add_row(name, cell(value, 4).plain, escape(saved.reasons.get(name, "")))
        console.print(table)
    for name, problem in finished.damaged.items():
        say_error(f"{finished.path / name} {problem}")
    if finished.damaged:
        raise typer.Exit(FAILURE)


@app.command("figures")
def _figures(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Directory of a finished run, or folder of a sweep.")],
    script: Annotated[str, typer.Option(metavar="FILE", help="Where the run's own script is now.")] = "",
    metrics: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME", help="Of a sweep: what is drawn; * for anything.")
    ] = None,
) -> None:
    """Draw figures and report again, without running; of a sweep, the summary."""
    from cortwin.cli.sweep import draw_sweep
    from cortwin.experiment import load_experiment_of, redraw
    from cortwin.run_directory import open_run
    from cortwin.sweep.folder import is_sweep

    if is_sweep(Path(directory)):
        draw_sweep(Path(directory), metrics or [])
        return
    if metrics:
        raise CortwinError(f"--metric is for sweeps, and {directory} is none")
    finished = open_run(Path(directory))
    experiment = load_experiment_of(finished, script)
    recorded = finished.manifest.get("script")
    if recorded and experiment.sources["experiment"] != recorded["sha256"]:
        say(f"note: {experiment.script} was changed since the run", sys.stderr)
    names = redraw(finished, experiment)
    say(f"{shown(finished.path)}: drew {', '.join(names) or 'nothing'}")
