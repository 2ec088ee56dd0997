"""`cortwin sweep` and `cortwin collect`: many runs of one experiment, and one table of them."""

from __future__ import annotations

import contextlib
import itertools
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortwin import catalogue
from cortwin.cli.app import Call, app
from cortwin.cli.output import make_console, say, shown
from cortwin.cli.values import positive, whole
from cortwin.errors import CortwinError, RunFailed

if TYPE_CHECKING:
    from cortwin.sweep.folder import Sweep
    from cortwin.sweep.run import Backend, Done

SHOWN_FAILURES = 5


@app.command("sweep")
def _sweep(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|./SCRIPT.py|DESIGN.toml|DIR", help="Experiment, design, or a sweep to go on with."
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PARAMETER=A,B,C",
            help="Values of a parameter; of one that is itself a list, A,B;C,D; in random designs LOW..HIGH, with "
            ":log for a logarithmic scale.",
        ),
    ] = None,
    design: Annotated[
        str, typer.Option(metavar="grid|list|random:N|lhs:N", help="Every combination (default), in step, or drawn.")
    ] = "",
    design_seed: Annotated[str, typer.Option(metavar="N", help="Seed of a random design; default 1.")] = "",
    seeds: Annotated[str, typer.Option(metavar="N", help="Seeds 1 to N for every point; also 5..8 or 3,7.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Quick values for the other parameters.")] = False,
    engine: Annotated[str, typer.Option(metavar="cpp|numpy", help="Compiled C++, or NumPy without a compiler.")] = "",
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder of the sweep; default results/NAME-sweep.")] = "",
    jobs: Annotated[
        str, typer.Option(metavar="N", help="Worker processes; default 2. Results do not depend on it.")
    ] = "",
    timeout: Annotated[str, typer.Option(metavar="SECONDS", help="Limit for one point.")] = "",
    scheduler: Annotated[
        str, typer.Option(metavar="tcp://HOST:PORT", help="Compute on the Dask cluster of this scheduler.")
    ] = "",
    jobqueue: Annotated[
        str,
        typer.Option(
            metavar="slurm|pbs|...|FILE", help="Ask a batch system for --jobs workers, as dask_jobqueue is configured."
        ),
    ] = "",
    results: Annotated[
        str, typer.Option(metavar="shared|dask", help="How a cluster's results come: a shared file system, or Dask.")
    ] = "",
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Figures and report of every point at once; default no.")
    ] = False,
) -> None:
    """Run an experiment at many points; finished ones are skipped, failed ones repeated."""
    from cortwin.experiment import default_jobs
    from cortwin.interruption import kill_children
    from cortwin.sweep.display import Display
    from cortwin.sweep.folder import FINISHED, status
    from cortwin.sweep.process import clear_workplaces
    from cortwin.sweep.run import here, run_sweep

    call: Call = context.obj
    limit = positive(timeout, "--timeout") if timeout else None
    workers = whole(jobs, "--jobs", 1) if jobs else default_jobs()
    if results and not (scheduler or jobqueue):
        raise CortwinError("--results is for a cluster: add --scheduler or --jobqueue")
    if scheduler and (jobs or jobqueue):
        raise CortwinError(f"a running scheduler has its workers: leave out {'--jobs' if jobs else '--jobqueue'}")
    given = {"--set": settings, "--design": design, "--design-seed": design_seed, "--seeds": seeds}
    given |= {"--quick": quick, "--engine": engine, "--out": out}
    sweep = _plan(what, given, call.command)
    before = status(sweep)
    _say_notes(_stale(len(before.stale)))
    call.guard.cleanups += [kill_children, lambda: clear_workplaces(sweep.path)]
    try:
        with contextlib.ExitStack() as stack:
            backend = here(workers, limit)
            if scheduler or jobqueue:
                backend = stack.enter_context(_cluster(scheduler, jobqueue, workers, results or "shared", limit))
            display = stack.enter_context(Display(sweep.title, len(sweep.points), before.count(FINISHED)))
            done = run_sweep(sweep, display, backend, figures=figures)
    except (KeyboardInterrupt, RunFailed):
        finished = status(sweep).count(FINISHED)
        say(f"{finished} of {len(sweep.points)} points are finished; go on with {_again(sweep)}", sys.stderr)
        raise
    _say_end(sweep, done)


@contextlib.contextmanager
def _cluster(scheduler: str, jobqueue: str, jobs: int, results: str, limit: float | None) -> Iterator[Backend]:
    """Reach a cluster, so that one that is not there is told before anything begins."""
    from cortwin.parameters import nearest
    from cortwin.sweep.cluster import RESULTS, connect, through_dask
    from cortwin.sweep.jobqueue import started

    if results not in RESULTS:
        raise CortwinError(f"--results {results}: there is no such way{nearest(results, RESULTS)}")
    if scheduler:
        connect(scheduler).close()
        yield through_dask(lambda timeout: connect(scheduler, timeout), results, limit)
        return
    with started(jobqueue, jobs) as cluster:
        yield through_dask(lambda timeout: connect(cluster, timeout), results, limit)


def _plan(what: str, given: dict[str, Any], command: list[str]) -> Sweep:
    """Find out which sweep is meant, and check every point of it."""
    from cortwin.brian2_import import import_brian2
    from cortwin.experiment import ENGINES, load_experiment
    from cortwin.sweep.design import Design, read_kind, read_seeds, read_toml
    from cortwin.sweep.folder import read_sweep
    from cortwin.sweep.points import Options
    from cortwin.sweep.run import fits, plan, require_fitting

    if Path(what).is_dir():
        sweep = read_sweep(Path(what))
        extra = [option for option, value in given.items() if value]
        if extra:
            raise CortwinError(f"{what} holds a sweep whose design is fixed: leave out {extra[0]}, or begin a new one")
        for note in import_brian2():
            say(f"note: {note}", sys.stderr)
        return plan(sweep.path, sweep.target, load_experiment(sweep.target), sweep.design, sweep.options, sweep.command)
    said: dict[str, Any] = {"settings": {}, "rows": []}
    target = what
    if what.endswith(".toml"):
        said = read_toml(Path(what))
        if not isinstance(said.get("experiment"), str):
            raise CortwinError(f'{what} does not name the experiment: write experiment = "NAME"')
        target = said["experiment"]
        if target.endswith(".py"):
            target = str(Path(what).parent / target)
    if not target or target.startswith("-"):
        known = ", ".join([*catalogue.entries(catalogue.EXPERIMENTS), "./SCRIPT.py", "DESIGN.toml", "DIR"])
        raise CortwinError(f"name what is swept first, cortwin sweep NAME [options]: {known}")
    chosen: dict[str, str] = {}
    for setting in given["--set"] or []:
        name, equals, value = setting.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise CortwinError(f"--set {setting}: write --set NAME=A,B,C")
        if name in chosen:
            raise CortwinError(f"the parameter {name} is given twice")
        chosen[name] = value
    rows = said["rows"]
    kind, draws = read_kind(given["--design"] or str(said.get("design", "list" if rows else "grid")))
    draw_seed = given["--design-seed"] or str(said.get("design_seed", 1))
    design = Design(
        settings={**said["settings"], **chosen},
        rows=rows,
        kind=kind,
        draws=draws,
        draw_seed=whole(draw_seed, "--design-seed", 0),
        seeds=read_seeds(given["--seeds"] or str(said.get("seeds", 1))),
    )
    options = Options(
        quick=given["--quick"] or said.get("quick") is True, engine=given["--engine"] or said.get("engine", ENGINES[0])
    )
    for note in import_brian2():
        say(f"note: {note}", sys.stderr)
    experiment = load_experiment(target)
    target = str(experiment.script) if experiment.script is not None else target
    if given["--out"]:
        path = Path(given["--out"]).expanduser().absolute()
        return require_fitting(plan(path, target, experiment, design, options, command))
    # The same sweep is gone on with; the place of another is left alone.
    first = Path("results").absolute() / f"{experiment.name}-sweep{'-quick' if options.quick else ''}"
    sweep = plan(first, target, experiment, design, options, command)
    numbered = (replace(sweep, path=first.with_name(f"{first.name}-{k}")) for k in itertools.count(2))
    return next(one for one in itertools.chain([sweep], numbered) if fits(one))


def _again(sweep: Sweep) -> str:
    return f"`cortwin sweep {shlex.quote(shown(sweep.path))}`"


def _say_end(sweep: Sweep, done: Done) -> None:
    from cortwin.sweep.folder import FAILED, FINISHED, failure_of

    place = shown(sweep.path)
    finished, failed = done.after.count(FINISHED), done.after.count(FAILED)
    before = done.before.count(FINISHED)
    now = f" ({before} of them before)" if before else ""
    say(
        f"{place}: {finished} of {len(sweep.points)} points are finished{now}, in {done.seconds:.1f} s; "
        f"`cortwin collect {shlex.quote(place)}` makes one table of them"
    )
    if failed:
        broken = [point for point in sweep.points if done.after.states[point.name] == FAILED]
        for point in broken[:SHOWN_FAILURES]:
            say(f"failed: {point}: {failure_of(sweep.place(point))}; {shown(sweep.place(point))}", sys.stderr)
        raise RunFailed(f"{failed} of {len(sweep.points)} points failed; {_again(sweep)} repeats them and nothing else")


@app.command("collect")
def _collect(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a sweep.")],
    out: Annotated[
        str, typer.Option(metavar="FILE.csv|FILE.parquet", help="Where the table goes; default DIR/table.csv.")
    ] = "",
) -> None:
    """Make one table of a sweep: a row a point, with parameters, seed, status and all metrics."""
    from cortwin.sweep.collect import collect, write_table
    from cortwin.sweep.folder import read_sweep

    sweep = read_sweep(Path(directory))
    file = Path(out).expanduser().absolute() if out else sweep.path / "table.csv"
    collected = collect(sweep)
    write_table(collected, file)
    _say_notes([*_stale(len(collected.status.stale)), *collected.notes])
    say(f"{shown(file)}: {len(collected.rows)} points, {len(collected.metrics)} metrics; {collected.status}")


def draw_sweep(folder: Path, patterns: list[str]) -> None:
    """Draw the summary of a sweep."""
    from cortwin.sweep.collect import collect
    from cortwin.sweep.folder import FINISHED, read_sweep
    from cortwin.sweep.summary import draw_summary

    sweep = read_sweep(folder)
    collected = collect(sweep)
    names, left_out = draw_summary(sweep, collected, patterns)
    _say_notes([*_stale(len(collected.status.stale)), *collected.notes])
    if left_out:
        _say_notes([f"{left_out} metrics more vary over the points; name them with --metric, or --metric '*'"])
    finished, figures = collected.status.count(FINISHED), sweep.path / "figures"
    say(f"{shown(figures)}: drew {', '.join(names)} from {finished} of {len(sweep.points)} points")


def show_sweep(folder: Path) -> None:
    """Show how far a sweep is."""
    from rich.markup import escape
    from rich.table import Table

    from cortwin.sweep.folder import FAILED, failure_of, read_sweep, status

    sweep = read_sweep(folder)
    found, console = status(sweep), make_console()
    console.print(f"[bold]{escape(shlex.join(sweep.command))}[/bold]", soft_wrap=True)
    console.print(f"{sweep.title}: {len(sweep.points)} points: {found}\n")
    failed = [point for point in sweep.points if found.states[point.name] == FAILED]
    table = Table("failed point", "reason", "directory", box=None, pad_edge=False)
    for point in failed:
        place = sweep.place(point)
        table.add_row(escape(str(point)), escape(failure_of(place)), escape(shown(place)))
    if failed:
        console.print(table, "")
    if found.count("finished") < len(sweep.points):
        say(f"go on with {_again(sweep)}")


def _say_notes(notes: list[str]) -> None:
    for note in notes:
        say(f"note: {note}", sys.stderr)


def _stale(number: int) -> list[str]:
    are = "1 stale point" if number == 1 else f"{number} stale points"
    return [f"{are} of other code or another design in the folder: not used"] if number else []
