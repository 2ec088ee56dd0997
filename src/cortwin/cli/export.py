"""`cortwin export`: a simulation of a finished run, for another program."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cortwin.cli.app import app
from cortwin.cli.output import say
from cortwin.cli.values import whole
from cortwin.errors import CortwinError


@app.command("export")
def _export(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Directory of a finished run.")],
    brian2: Annotated[str, typer.Option("--brian2", metavar="FILE", help="Script to write; its .npz lies beside it.")],
    writing: Annotated[str, typer.Option(metavar="rate|spiking", help="Which writing.")] = "spiking",
    trials: Annotated[str, typer.Option(metavar="K,K|all", help="Which trials of the ladder, from 0.")] = "0",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files where they exist.")] = False,
) -> None:
    """Write a run's rate or spiking twin as a script that runs with Brian2 alone and gives the same spikes."""
    from cortwin.brian2_import import import_brian2
    from cortwin.run_directory import open_run

    import_brian2()
    from cortwin.brian2_export import read_kept, save_script, write_script

    finished = open_run(Path(directory))
    results = finished.results()
    try:
        kept = read_kept(results.notes, results.weights, results.activity)
        chosen = range(kept.inputs.sizes["trial"]) if trials == "all" else _numbers(trials)
        script = write_script(
            kept,
            writing,
            list(chosen),
            activity=results.activity,
            spikes=results.spikes,
            facts=_facts(finished.manifest, directory),
        )
    except CortwinError as error:
        raise CortwinError(f"{directory} cannot be exported: {error}") from error
    file = Path(brian2)
    save_script(script, file, overwrite=overwrite)
    say(f"{file} and {file.with_suffix('.npz')}: python {shlex.quote(str(file))}")


def _numbers(text: str) -> list[int]:
    return [whole(word.strip(), "--trials", 0) for word in text.split(",")]


def _facts(manifest: dict, directory: str) -> list[str]:
    versions, git = manifest["versions"], manifest.get("git") or {}
    revision = f", revision {git['revision'][:12]}" if git else ""
    return [
        f"Written by cortwin {versions['cortwin']}{revision}, from {directory}:",
        f"{shlex.join(manifest['command'])} (seed {manifest['seed']}, Brian2 {versions['brian2']}).",
    ]
