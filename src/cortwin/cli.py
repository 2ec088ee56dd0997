"""The command `cortwin`: run an experiment, look at what it left, look after the installation.

Everything heavy is imported inside the command that needs it, so that `--help` and `list` answer at once.
"""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cortwin import __version__, catalogue
from cortwin.errors import CortwinError, RunFailed
from cortwin.interruption import NOTHING_KEPT, Guard, Interrupted, kill_children
from cortwin.parameters import RESERVED, nearest

if TYPE_CHECKING:
    from rich.console import Console

    from cortwin.experiment import Experiment

BAD_INPUT, FAILURE = 2, 1
# Linear algebra in several threads rounds differently from machine to machine, and trials run in processes anyway.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Recurrent networks and their biological twins.",
)
recording_app = typer.Typer(help="Look at recorded neural activity.")
app.add_typer(recording_app, name="recording")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit status: 0 done, 1 failed, 2 bad input, 124 timeout, 130 Ctrl+C."""
    raise SystemExit(_main(list(sys.argv[1:] if arguments is None else arguments)))


def _main(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    _prepare_streams()
    fixed = [variable for variable in THREAD_VARIABLES if variable not in os.environ]
    os.environ.update(dict.fromkeys(fixed, "1"))
    os.environ.setdefault("MPLBACKEND", "Agg")
    guard = Guard()
    try:
        with guard:
            # In two steps: the one call that typer has for both turns Ctrl+C into an exception of its own.
            command = typer.main.get_command(app)
            with command.make_context("cortwin", arguments, obj=_Call(guard, arguments, fixed)) as context:
                command.invoke(context)
            return 0
    except BaseException as error:
        if debug and not hasattr(error, "exit_code"):
            raise
        return _end(error)
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            _discard_output()


class _Call:
    """What the commands need to know about the call itself."""

    def __init__(self, guard: Guard, arguments: list[str], threads_fixed: list[str]):
        self.guard = guard
        self.threads_fixed = threads_fixed
        self.command = ["cortwin", *arguments]


def _end(error: BaseException) -> int:
    """Say in one line what went wrong, and choose the exit status."""
    if isinstance(error, BrokenPipeError):
        return 0  # who reads our output has left, as in `cortwin list | head -1`
    if isinstance(error, KeyboardInterrupt):
        kill_children()
        _say_error(f"{str(error) or 'interrupted (Ctrl+C)'}: {NOTHING_KEPT}")
        return error.status if isinstance(error, Interrupted) else 130
    if isinstance(error, RunFailed):
        _say_error(str(error))
        return FAILURE
    if hasattr(error, "format_message"):  # wrong use of the command itself, said by typer
        message: str = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        _say_error(f"{message}; see `cortwin --help`")
        return BAD_INPUT
    if hasattr(error, "exit_code"):  # --help, --version, or a status that a command chose
        return error.exit_code  # type: ignore[attr-defined]
    if isinstance(error, (CortwinError, ValueError, TypeError)):
        _say_error(str(error) or type(error).__name__)
        return BAD_INPUT
    if isinstance(error, MemoryError):
        _say_error(f"not enough memory{f': {error}' if str(error) else ''}; use smaller sizes")
    elif isinstance(error, OSError):
        _say_error(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    elif isinstance(error, ModuleNotFoundError):
        _say_error(f"{error}; `cortwin doctor` says what is missing")
    else:
        _say_error(f"{type(error).__name__}: {error}; --debug shows where")
    return FAILURE


def _say_error(text: str) -> None:
    _say(f"error: {' '.join(text.split())}", sys.stderr)


def _say(text: str, stream: Any = None) -> None:
    """Print a line; a reader who has left must not break a run."""
    try:
        print(text, file=stream or sys.stdout, flush=True)
    except OSError:
        _discard_output()


def _discard_output() -> None:
    """Send what is still buffered nowhere, or Python would complain about it when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _prepare_streams() -> None:
    """Make sure that descriptors 0-2 are open, and that no character can break the output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Otherwise the next file that is opened takes the number, and a compiler cannot say anything.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _console() -> Console:
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich itself would exit with status 1

    # Piped output is read by people and grep: do not break its lines at 80 columns.
    return Output(highlight=False, width=None if sys.stdout.isatty() else 120)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    if version:
        _say(f"cortwin {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        _say(context.get_help())


@app.command(
    "run",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def _run(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME|./SCRIPT.py", help="Experiment by name, or your own script.")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, to see that everything works.")] = False,
    seed: Annotated[str, typer.Option(metavar="N", help="Root of all randomness.")] = "1",
    out: Annotated[str, typer.Option(metavar="DIR", help="New or empty folder; default results/NAME-seedN.")] = "",
    engine: Annotated[
        str, typer.Option(metavar="cpp|numpy", help="Compiled C++, or NumPy without a compiler.")
    ] = "cpp",
    jobs: Annotated[
        str, typer.Option(metavar="N", help="Processes at a time; default 2. Results do not depend on it.")
    ] = "",
    timeout: Annotated[str, typer.Option(metavar="SECONDS", help="Stop when this time is over.")] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PARAMETER=VALUE", help="Set a parameter; also --PARAMETER VALUE."),
    ] = None,
) -> None:
    """Run an experiment; `run NAME --help` lists its parameters."""
    call: _Call = context.obj
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

    run = Run(
        seed=_whole(seed, "--seed", 0),
        quick=quick,
        engine=engine,
        jobs=_whole(jobs, "--jobs", 1) if jobs else default_jobs(),
    )
    limit = _positive(timeout, "--timeout") if timeout else None
    for note in import_brian2():
        _say(f"note: {note}", sys.stderr)
    experiment = load_experiment(name)
    if wants_help:
        _help_for(context, experiment)
        return
    given = _given(settings or [], context.args, experiment)
    values = resolve(experiment.declared, given, quick=quick)
    left = [f"{variable}={os.environ[variable]}" for variable in THREAD_VARIABLES if variable not in call.threads_fixed]
    run.record("threads", f"BLAS fixed to 1{' except as the user set them: ' + ', '.join(left) if left else ''}")
    target = destination(Path(out) if out else None, f"{experiment.name}-seed{run.seed}{'-quick' if quick else ''}")
    if limit is not None:
        call.guard.stop_after(limit)
    place = execute(experiment, values, run, target, command=call.command, guard=call.guard)
    if target.chosen and place != target.path:
        _say(f"note: {target.path} was taken by another run meanwhile", sys.stderr)
    _say(f"{_shown(place)}: done in {run.timings['total']:.1f} s; open {shlex.quote(_shown(place / 'report.html'))}")


@app.command("list")
def _list() -> None:
    """List the experiments and the models."""
    from rich.markup import escape
    from rich.table import Table

    console = _console()
    for title, package in (("experiments", catalogue.EXPERIMENTS), ("models", catalogue.MODELS)):
        table = Table.grid(padding=(0, 2))
        for entry in catalogue.entries(package).values():
            table.add_row(f"  [bold]{escape(entry.name)}[/bold]", escape(entry.summary))
        console.print(f"{title}:" if table.rows else f"{title}: none")
        console.print(table)


@app.command("show")
def _show(directory: Annotated[str, typer.Argument(metavar="DIR", help="Directory of a finished run.")]) -> None:
    """Show the command, parameters and metrics of a run."""
    from rich.markup import escape
    from rich.table import Table

    from cortwin.report import cell
    from cortwin.run_directory import PARAMETERS, open_run

    finished = open_run(Path(directory))
    facts, console = finished.manifest, _console()
    console.print(f"[bold]{escape(shlex.join(facts['command']))}[/bold]", soft_wrap=True)
    console.print(f"cortwin {facts['versions']['cortwin']}, seed {facts['seed']}, finished {facts['finished']}\n")
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
        _say_error(f"{finished.path / name} {problem}")
    if finished.damaged:
        raise typer.Exit(FAILURE)


@app.command("figures")
def _figures(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Directory of a finished run.")],
    script: Annotated[str, typer.Option(metavar="FILE", help="Where the run's own script is now.")] = "",
) -> None:
    """Draw figures and report again, without running."""
    from cortwin.experiment import load_experiment, redraw
    from cortwin.manifest import hash_of
    from cortwin.run_directory import open_run

    finished = open_run(Path(directory))
    recorded = finished.manifest.get("script")
    target = script or (recorded["path"] if recorded else finished.manifest["experiment"])
    if recorded and not Path(target).is_file():
        raise CortwinError(f"the script {target} is gone: say where it is with --script FILE")
    if recorded and hash_of(Path(target)) != recorded["sha256"]:
        _say(f"note: {target} was changed since the run", sys.stderr)
    names = redraw(finished, load_experiment(str(Path(target).absolute()) if recorded else target))
    _say(f"{_shown(finished.path)}: drew {', '.join(names) or 'nothing'}")


@recording_app.callback(invoke_without_command=True)
def _recording(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        _say(context.get_help())


@recording_app.command("check")
def _check(file: Annotated[str, typer.Argument(metavar="FILE", help="Recording, an .npz file.")]) -> None:
    """Read a recording, and say what is in it or what is wrong with it."""
    from cortwin.tasks.recording import read_recording

    recording = read_recording(Path(file))
    rate, time = recording.rate, recording.rate["time"].to_numpy()
    conditions, times, units = rate.shape
    _say(f"{file} is a good recording")
    _say(f"  rate           {conditions} conditions, {times} times, {units} units; mean {float(rate.mean()):.3g} Hz")
    _say(
        f"  time           {time[0]:.3g} to {time[-1]:.3g} s from movement onset, every {1e3 * rate.attrs['dt']:.3g} ms"
    )
    degrees = ", ".join(f"{math.degrees(angle):.4g}" for angle in sorted(rate["direction"].to_numpy()))
    _say(f"  direction      {degrees} degrees")
    speed = (recording.hand_velocity**2).sum("output").max() ** 0.5
    _say(f"  hand_velocity  peak speed {float(speed):.3g}")
    for name in ("hand_position", "joint_angle", "movement_end"):
        _say(f"  {name:13}  {'left out' if getattr(recording, name) is None else 'present'}")


@app.command("cache")
def _cache(clear: Annotated[bool, typer.Option("--clear", help="Remove all builds.")] = False) -> None:
    """Show or clear the cache of compiled models."""
    from cortwin.brian2_import import import_brian2

    import_brian2()
    from cortwin.cpp import cache

    if clear:
        entries, size = cache.clear()
        _say(f"removed {entries} builds, {size / 2**20:.1f} MiB")
    else:
        path, entries, size = cache.summary()
        _say(f"{path}: {entries} builds, {size / 2**20:.1f} MiB")


@app.command("doctor")
def _doctor() -> None:
    """Check the installation, and say what to do."""
    from cortwin.doctor import examine

    broken = []
    for finding in examine():
        mark = "ok" if finding.ok else "BROKEN" if finding.essential else "missing"
        _say(f"{mark:8}{finding.what:18}{finding.found}")
        if not finding.ok:
            _say(f"{'':8}{'':18}-> {finding.advice}")
            broken += [finding.what] if finding.essential else []
    if broken:
        _say_error(f"cortwin cannot run: {', '.join(broken)}")
        raise typer.Exit(FAILURE)
    _say("cortwin is ready")


def _given(settings: list[str], words: list[str], experiment: Experiment) -> dict[str, object]:
    """Read `--set name=value`, `--name value`, `--name=value`, and `--name` or `--no-name` for yes and no."""
    declared = experiment.declared
    options = {f"--{name.replace('_', '-')}" for name in declared} | {f"--{name}" for name in RESERVED - {"run"}}
    given: dict[str, object] = {}

    def put(name: str, value: object) -> None:
        if name in given:
            raise CortwinError(f"the parameter {name} is given twice")
        given[name] = value

    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise CortwinError(f"--set {setting}: write --set NAME=VALUE")
        put(name.strip().replace("-", "_"), value)
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("--"):
            raise CortwinError(f"{word!r} was not expected: parameters are given as --set NAME=VALUE or --NAME VALUE")
        option, equals, value = word[2:].partition("=")
        name = option.replace("-", "_")
        switch = declared.get(name.removeprefix("no_"))
        if equals:
            put(name, value)
        elif name not in declared and (switch is None or switch.kind != "bool"):
            raise CortwinError(f"{experiment.name} has no option {word}{nearest(word, options)}")
        elif switch is not None and switch.kind == "bool" and (not waiting or waiting[0].startswith("--")):
            put(switch.name, name == switch.name)
        elif not waiting:
            raise CortwinError(f"{word} needs a value")
        else:
            put(name, waiting.pop(0))
    return given


def _help_without_experiment(context: typer.Context) -> None:
    _say(context.get_help())
    _say("\nExperiments (`cortwin run NAME --help` lists the parameters of each):")
    for entry in catalogue.entries(catalogue.EXPERIMENTS).values():
        _say(f"  {entry.name:12}{entry.summary}")


def _help_for(context: typer.Context, experiment: Experiment) -> None:
    from rich.markup import escape
    from rich.table import Table

    _say(f"{experiment.name}: {experiment.summary}\n")
    _say(context.get_help())
    console = _console()
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
        parts.append("one of " + ", ".join(one.display(choice) for choice in rule.choices))
    for word, bound in (("above", rule.above), ("at least", rule.minimum), ("at most", rule.maximum)):
        if bound is not None:
            parts.append(f"{word} {one.display_bound(bound)}")
    return f" ({'; '.join(parts)})" if parts else ""


def _whole(text: str, option: str, minimum: int) -> int:
    if not text.isascii() or not text.removeprefix("+").isdigit() or len(text) > 18 or int(text) < minimum:
        raise CortwinError(f"{option} takes a whole number, at least {minimum}, got {text!r}")
    return int(text)


def _positive(text: str, option: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise CortwinError(f"{option} takes a number of seconds above 0, got {text!r}")
    return value


def _shown(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
