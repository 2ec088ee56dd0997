"""`cortwin run`: an experiment with its parameters, into a run directory."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortwin import catalogue
from cortwin.cli.app import Call, app
from cortwin.cli.output import make_console, say, shown
from cortwin.cli.threads import threads_in_words
from cortwin.cli.values import given_values, positive, whole
from cortwin.errors import CortwinError

if TYPE_CHECKING:
    from cortwin.experiment import Experiment

# Options of every command that runs an experiment.
Quick = Annotated[bool, typer.Option("--quick", help="Small sizes, to see that everything works.")]
Seed = Annotated[str, typer.Option(metavar="N", help="Root of all randomness.")]
Engine = Annotated[str, typer.Option(metavar="cpp|numpy", help="Compiled C++, or NumPy without a compiler.")]
Jobs = Annotated[str, typer.Option(metavar="N", help="Processes at a time; default 2. Results do not depend on it.")]
Timeout = Annotated[str, typer.Option(metavar="SECONDS", help="Stop when this time is over.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="PARAMETER=VALUE", help="Set a parameter; also --PARAMETER VALUE.")
]


@app.command(
    "run",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def run(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME|./SCRIPT.py", help="Experiment by name, or your own script.")
    ] = "",
    quick: Quick = False,
    seed: Seed = "1",
    out: Annotated[str, typer.Option(metavar="DIR", help="New or empty folder; default results/NAME-seedN.")] = "",
    engine: Engine = "cpp",
    jobs: Jobs = "",
    timeout: Timeout = "",
    settings: Settings = None,
) -> None:
    """Run an experiment; `run NAME --help` lists its parameters."""
    call: Call = context.obj
    wants_help = any(word in ("--help", "-h") for word in (name, *context.args))
    if wants_help and (not name or name.startswith("-")):
        _help_without_experiment(context)
        return
    if not name or name.startswith("-"):
        known = ", ".join([*catalogue.entries(catalogue.EXPERIMENTS), "./SCRIPT.py"])
        raise CortwinError(f"name the experiment first, cortwin run NAME [options]: {known}")

    from cortwin.brian2_import import import_brian2
    from cortwin.experiment import Run, default_jobs, execute, load_experiment
    from cortwin.parameters import resolve
    from cortwin.run_directory import destination

    job = Run(
        seed=whole(seed, "--seed", 0),
        quick=quick,
        engine=engine,
        jobs=whole(jobs, "--jobs", 1) if jobs else default_jobs(),
    )
    limit = positive(timeout, "--timeout") if timeout else None
    for note in import_brian2():
        say(f"note: {note}", sys.stderr)
    experiment = load_experiment(name)
    if wants_help:
        _help_for(context, experiment)
        return
    given = given_values(settings or [], context.args, experiment)
    values = resolve(experiment.declared, given, quick=quick)
    job.record("threads", threads_in_words(call.threads_fixed))
    target = destination(Path(out) if out else None, f"{experiment.name}-seed{job.seed}{'-quick' if quick else ''}")
    if limit is not None:
        call.guard.stop_after(limit)
    place = execute(experiment, values, job, target, command=call.command, guard=call.guard)
    if target.chosen and place != target.path:
        say(f"note: {target.path} was taken by another run meanwhile", sys.stderr)
    for warning in job.records.get("warnings", []):
        say(f"note: {warning}", sys.stderr)
    say(f"{shown(place)}: done in {job.timings['total']:.1f} s; open {shlex.quote(shown(place / 'report.html'))}")


def _help_without_experiment(context: typer.Context) -> None:
    say(context.get_help())
    say("\nExperiments (`cortwin run NAME --help` lists the parameters of each):")
    for entry in catalogue.entries(catalogue.EXPERIMENTS).values():
        say(f"  {entry.name:12}{entry.summary}")


def _help_for(context: typer.Context, experiment: Experiment) -> None:
    from rich.markup import escape
    from rich.table import Table

    say(f"{experiment.name}: {experiment.summary}\n")
    say(context.get_help())
    console = make_console()
    table = Table("", "meaning", "default", "quick", box=None, pad_edge=False, title_justify="left")
    for one in experiment.declared.values():
        table.add_row(
            f"  --{one.name.replace('_', '-')}",
            escape(one.parameter.meaning + _rules(one)),
            escape(one.display(one.default)),
            escape("" if one.quick == one.default else one.display(one.quick)),
        )
    console.print(f"\nParameters of {experiment.name}, given as --NAME VALUE or --set NAME=VALUE:")
    console.print(table)


def _rules(one: Any) -> str:
    rule, parts = one.parameter, []
    if rule.choices:
        parts.append("one of " + ", ".join(one.display((choice,) if one.many else choice) for choice in rule.choices))
    for word, bound in (("above", rule.above), ("at least", rule.minimum), ("at most", rule.maximum)):
        if bound is not None:
            parts.append(f"{word} {one.display_bound(bound)}")
    return f" ({'; '.join(parts)})" if parts else ""
