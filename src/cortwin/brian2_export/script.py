"""A simulation as a script that runs with Brian2 alone: the equations as text, the numbers in a file beside it.

It makes the same objects as `cortwin.builder.objects`, in the same order, and says at its end whether its spikes are
those of the run.
"""

from __future__ import annotations

import builtins
import json
import keyword
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cortwin.brian2_export.kept import KeptSimulation, Ran
from cortwin.builder import layout_of, spike_monitors
from cortwin.equations import UNITS, definitions
from cortwin.errors import CortwinError
from cortwin.model import STIMULUS, Pathway, Population, Writing

# Names of the script's own.
TAKEN = {
    *"Path np numbers trials dt duration names clock monitor network spike_monitors updater found".split(),
    *"first spikes size step trial neuron spike kept difference expected ms us".split(),
    *UNITS,
    *dir(builtins),
}  # fmt: skip
IMPORTED = "Clock Network NeuronGroup SpikeMonitor StateMonitor Synapses TimedArray linked_var".split()
SCALES = (("ms", 1e-3), ("second", 1.0), ("us", 1e-6))


@dataclass(frozen=True)
class Script:
    """A script and the arrays that it reads from the .npz file of its own name."""

    text: str
    arrays: dict[str, NDArray]


def write_script(
    kept: KeptSimulation,
    writing: str,
    trials: Sequence[int],
    *,
    activity: Mapping[str, xr.Dataset],
    spikes: Mapping[str, xr.Dataset],
    facts: Sequence[str] = (),
) -> Script:
    """Write a simulation of some of a run's trials as a script.

    Parameters
    ----------
    kept : what the run kept
    writing : one of ``kept.ran``
    trials : which of the run's trials
    activity, spikes : the run's, to compare with
    facts : lines about the run, for the head of the script

    Raises
    ------
    CortwinError
        For a writing or trial that the run does not have, or a text that cannot stand in a script.
    """
    if writing not in kept.ran:
        raise CortwinError(f"the run kept no {writing} writing; it kept {', '.join(kept.ran)}")
    count = kept.inputs.sizes["trial"]
    if not trials or not all(0 <= trial < count for trial in trials) or len(set(trials)) < len(trials):
        raise CortwinError(f"the trials must be different numbers from 0 to {count - 1}, got {_listed(trials)}")
    ran, text = kept.ran[writing], kept.model.writing(writing)
    _refuse_what_is_drawn(text)
    inputs = kept.inputs[list(trials)]
    layout = layout_of(
        kept.model,
        kept.values,
        inputs,
        dt=ran.dt,
        neurons_per_unit=kept.neurons_per_unit,
        record_dt=None,
        spikes=bool(ran.spikes),
        trials=len(trials),
    )
    used = {name for part in (*text.populations.values(), *text.pathways.values()) for name in part.values.values()}
    arrays: dict[str, NDArray] = {name: np.asarray(kept.values[name], dtype=np.float64) for name in sorted(used)}
    arrays[STIMULUS] = inputs.to_numpy().transpose(1, 0, 2).reshape(layout.input_steps, -1)
    lines = [
        *_head(kept, writing, trials, layout.sizes, facts),
        *_constants(kept, ran.dt, layout.input_dt, layout.duration, len(trials)),
    ]
    variables = _variables(text)
    lines += ["", "# Populations, in the order in which they are advanced."]
    room = len(text.pathways) + 1
    for position, (name, population) in enumerate(text.populations.items()):
        lines += _population(kept, text, variables, name, population, layout.sizes, position * room)
    lines += ["", "# Synapses. Weights are (target, source); Brian2 numbers synapses by source, then target."]
    for position, (name, pathway) in enumerate(text.pathways.items()):
        first = 0 if pathway.after is None else room * list(text.populations).index(pathway.after) + room
        order = first + position - len(text.pathways)
        lines += _pathway(kept, text, variables, name, pathway, layout.sizes, len(trials), order)
    lines += _monitors_and_run(text, variables, layout.record_dt, bool(ran.spikes))
    arrays |= _expected(ran, _label(text), trials, activity, spikes)
    lines += _comparison(text, layout.sizes, bool(ran.spikes))
    return Script("\n".join(lines) + "\n", arrays)


def save_script(script: Script, file: Path, *, overwrite: bool) -> None:
    """Write a script and its arrays side by side.

    Raises
    ------
    CortwinError
        For a name that is no script's, or a file that exists and may not be overwritten.
    """
    if file.suffix != ".py":
        raise CortwinError(f"--brian2 {file}: the name of a script ends in .py")
    beside = file.with_suffix(".npz")
    for path in (file, beside):
        if path.exists() and not overwrite:
            raise CortwinError(f"{path} exists: name another file, or say --overwrite")
    fresh = beside.with_name(f".{beside.name}.new.npz"), file.with_name(f".{file.name}.new")
    try:
        np.savez(fresh[0], **script.arrays)  # type: ignore[arg-type]
        fresh[1].write_text(script.text, encoding="utf-8")
        fresh[0].replace(beside)
        fresh[1].replace(file)
    finally:
        for path in fresh:
            path.unlink(missing_ok=True)


def _refuse_what_is_drawn(text: Writing) -> None:
    """Refuse populations and pathways that are drawn: a script holds no rules, but arrays.

    Below, every size is the name of one.
    """
    for name, part in (*text.populations.items(), *text.pathways.items()):
        own = isinstance(part, Population) and isinstance(part.size, int)
        ruled = isinstance(part, Pathway) and not isinstance(part.connect, str)
        if own or ruled or part.drawn:
            raise CortwinError(
                f"{name} has a rule, a distribution or a size of its own, which a script cannot hold; "
                "cortwin.network.connections_of gives its synapses as arrays"
            )


def _head(
    kept: KeptSimulation, writing: str, trials: Sequence[int], sizes: Mapping[str, int], facts: Sequence[str]
) -> list[str]:
    n, count = kept.neurons_per_unit, kept.inputs.sizes["trial"]
    network = ", ".join(f"{sizes[name]} {name}" for name in ("inputs", "units"))
    lines = [
        f"The {writing} writing of the network '{kept.model.name}' with Brian2 alone.",
        f"{network}{f', {n} LIF neurons in each ensemble' if writing != 'rate' else ''}; "
        f"trial {_listed(trials)} of {count} (counted from 0).",
        *facts,
        "The numbers are in the .npz file of the same name. Compiled to C++ before it runs:",
        "from brian2 import set_device; set_device('cpp_standalone')",
        *(["Sources of the network:"] if kept.references else []),
        *kept.references,
    ]
    units = sorted({_unit_of(value) for value in kept.model.constants.values()} | {"second"} | _units(kept, writing))
    imported = ", ".join([*IMPORTED, *(unit for unit in units if unit.isidentifier()), "ms", "us"])
    return [
        *(_comment(line) for line in lines),
        "",
        "from pathlib import Path",
        "",
        "import numpy as np",
        f"from brian2 import {imported}",
        "",
        'numbers = np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False)',
    ]


def _constants(kept: KeptSimulation, dt: float, input_dt: float, duration: float, trials: int) -> list[str]:
    constants = {name: _quantity(float(value), _unit_of(value)) for name, value in kept.model.constants.items()}
    return [
        f"trials = {trials}  # at once: elements k n to (k + 1) n - 1 of a population of n are those of trial k",
        f"dt, duration = {_quantity(dt, 'second')}, {_quantity(duration, 'second')}",
        "clock = Clock(dt)",
        "names = {",
        *(f"    {_text(name)}: {value}," for name, value in constants.items()),
        "    # (time, trial and input)",
        f"    {_text(STIMULUS)}: TimedArray(numbers[{_text(STIMULUS)}], dt={_quantity(input_dt, 'second')}),",
        "}",
    ]


def _population(
    kept: KeptSimulation,
    text: Writing,
    variables: Mapping[str, str],
    name: str,
    population: Population,
    sizes: Mapping[str, int],
    order: int,
) -> list[str]:
    variable, size = variables[name], sizes[population.size]  # type: ignore[index]
    options = [f"method={_text(population.method)}"] if population.method else []
    if population.threshold and population.reset:
        options += [f"threshold={_text(population.threshold)}", f"reset={_text(population.reset)}"]
    if population.refractory:
        options.append(f"refractory=names[{_text(population.refractory)}]")
    lines = [
        f"{variable} = NeuronGroup(",
        f"    trials * {size},",
        *_equations(population.equations, population.linked, name),
        *(f"    {option}," for option in options),
        f"    namespace=names, clock=clock, order={order}, name={_text(name)},",
        ")",
    ]
    for linked, target in population.linked.items():
        source, _, other = target.partition(".")
        owner = ""
        if text.populations[source].size != population.size:
            owner = f", index=np.arange(trials * {size}) // {kept.neurons_per_unit}"
        lines.append(f"{variable}.{linked} = linked_var({variables[source]}, {_text(other)}{owner})")
    units = {item.name: item.unit for item in definitions(population.equations, name)}
    for state, array in population.values.items():
        lines.append(f"{variable}.{state} = np.tile(numbers[{_text(array)}], trials){_times(units[state])}")
    for drive, found in text.drives.items():
        if found.target == name:
            lines.append(f'{variable}.run_regularly({_text(found.statement)}, when="synapses", name={_text(drive)})')
    return lines


def _pathway(
    kept: KeptSimulation,
    text: Writing,
    variables: Mapping[str, str],
    name: str,
    pathway: Pathway,
    sizes: Mapping[str, int],
    trials: int,
    order: int,
) -> list[str]:
    variable = variables[name]
    source, target = (sizes[text.populations[end].size] for end in (pathway.source, pathway.target))  # type: ignore[index]
    options = [f"on_pre={_text(pathway.on_pre)}"] if pathway.on_pre else []
    options += [f"method={_text(pathway.method)}"] if pathway.method else []
    options += [f"delay=names[{_text(pathway.delay)}]"] if isinstance(pathway.delay, str) else []
    if pathway.connect == "all_to_all":
        connect = "" if trials == 1 else f'"i // {source} == j // {target}"'
    elif pathway.connect == "one_to_one":
        connect = 'j="i"'
    else:
        connect = f'j="i // {kept.neurons_per_unit}"'
    lines = [
        f"{variable} = Synapses(",
        f"    {variables[pathway.source]},",
        f"    {variables[pathway.target]},",
        *_equations(pathway.equations, {}, name),
        *(f"    {option}," for option in options),
        f"    namespace=names, clock=clock, name={_text(name)},",
        ")",
        f"{variable}.connect({connect})",
    ]
    own = _own_lines(pathway)
    units = {item.name: item.unit for item in definitions("\n".join(own), name)}
    for state, array in pathway.values.items():
        flat = f"numbers[{_text(array)}].T.ravel()" if pathway.connect == "all_to_all" else f"numbers[{_text(array)}]"
        lines.append(f"{variable}.{state} = np.tile({flat}, trials){_times(units[state])}")
    if len(own) < len(pathway.equations.splitlines()):
        lines += [f"for updater in {variable}.summed_updaters.values():", f"    updater.order = {order}"]
    return lines


def _monitors_and_run(text: Writing, variables: Mapping[str, str], record_dt: float, spikes: bool) -> list[str]:
    name, _, variable = text.activity[_label(text)].partition(".")
    lines = [
        "",
        "# What is recorded: sample k of the monitor is the state at the beginning of step k of the input.",
        f"monitor = StateMonitor({variables[name]}, {_text(variable)}, record=True, clock=Clock("
        f'{_quantity(record_dt, "second")}), when="start")',
        f"network = Network({', '.join(variables.values())}, monitor)",
    ]
    if spikes:
        groups = ", ".join(f"SpikeMonitor({variables[population]})" for population in spike_monitors(text))
        lines += [f"spike_monitors = [{groups}]", "network.add(spike_monitors)"]
    return [
        *lines,
        "# One step more: at its beginning stands the last sample.",
        "network.run(duration + dt, namespace={})",
    ]


def _comparison(text: Writing, sizes: Mapping[str, int], spikes: bool) -> list[str]:
    variable = text.activity[_label(text)].partition(".")[2]
    lines = [
        "",
        "# Is it what the run found?",
        f"kept = np.asarray(monitor.{variable})[:, 1:].reshape(trials, -1, monitor.N - 1)  # (trial, unit, time)",
        'difference = np.abs(kept.transpose(0, 2, 1) - numbers["expected.activity"]).max()',
        f'print(f"{variable}: largest difference {{difference:.1e}}")',
    ]
    if not spikes:
        return lines
    counts = [sizes[text.populations[population].size] for population in spike_monitors(text)]  # type: ignore[index]
    return [
        *lines,
        "found, first = set(), 0",
        f"for spikes, size in zip(spike_monitors, {counts!r}, strict=True):",
        "    step = np.rint(np.asarray(spikes.t / dt)).astype(int)",
        "    trial, neuron = np.divmod(np.asarray(spikes.i), size)",
        "    found |= set(zip(trial.tolist(), (first + neuron).tolist(), step.tolist(), strict=True))",
        "    first += size",
        "found = {spike for spike in found if spike[2] < round(float(duration / dt))}",
        'expected = set(map(tuple, numbers["expected.spikes"].tolist()))  # (trial, neuron, step)',
        'print(f"{len(found)} spikes, the run has {len(expected)}; in one of both only: {len(found ^ expected)}")',
    ]


def _expected(
    ran: Ran, label: str, trials: Sequence[int], activity: Mapping[str, xr.Dataset], spikes: Mapping[str, xr.Dataset]
) -> dict[str, NDArray]:
    for where, name in ((activity, ran.activity), *([(spikes, ran.spikes)] if ran.spikes else [])):
        if name not in where:
            raise CortwinError(f"the run has no group '{name}' to compare with")
    found = {"expected.activity": np.asarray(activity[ran.activity][label])[list(trials)]}
    if ran.spikes:
        table = spikes[ran.spikes]
        step = np.rint(table["time"].to_numpy() / ran.dt).astype(np.int64)
        events = np.stack([table["trial"].to_numpy(), table["unit"].to_numpy(), step], axis=1).astype(np.int64)
        # The script's trials are counted from 0.
        found["expected.spikes"] = np.concatenate(
            [np.where([1, 0, 0], place, events[events[:, 0] == trial]) for place, trial in enumerate(trials)]
        )
    return found


def _label(text: Writing) -> str:
    """Return the activity that is compared: x, or of a writing that has none, its first."""
    return "x" if "x" in text.activity else next(iter(text.activity))


def _variables(text: Writing) -> dict[str, str]:
    """Return a Python name for every population and pathway, none of them taken by something else."""
    found: dict[str, str] = {}
    for name in (*text.populations, *text.pathways):
        variable = name
        while variable in TAKEN or keyword.iskeyword(variable) or variable in found.values():
            variable += "_"
        found[name] = variable
    return found


def _equations(equations: str, linked: Mapping[str, str], where: str) -> list[str]:
    lines = []
    for line in filter(None, (line.strip() for line in equations.splitlines())):
        if '"""' in line or "\\" in line:
            raise CortwinError(f"{where}: the line '{line}' cannot stand in a script")
        name = line.split(":")[0].strip()
        lines.append(f"    {line} (linked)" if name in linked else f"    {line}")
    return ['    """', *lines, '    """,']


def _unit_of(value: Any) -> str:
    return next(name for name, unit in UNITS.items() if brian2.have_same_dimensions(value, unit))


def _units(kept: KeptSimulation, writing: str) -> set[str]:
    text = kept.model.writing(writing)
    texts = [part.equations for part in text.populations.values()]
    texts += ["\n".join(_own_lines(part)) for part in text.pathways.values()]
    return {item.unit for one in texts for item in definitions(one, "") if item.unit in UNITS}


def _own_lines(pathway: Pathway) -> list[str]:
    """Return the lines of a synapse's text that define variables of its own."""
    return [line for line in pathway.equations.splitlines() if "(summed)" not in line]


def _quantity(value: float, unit: str) -> str:
    """Return a number with its unit as text that gives the same number to the last bit."""
    if unit == "1":
        return repr(value)
    for name, scale in SCALES if unit == "second" else ():
        number = float(f"{value / scale:.12g}")
        if number * scale == value and (0.1 <= abs(number) < 1000 or value == 0):
            return f"{number:g} * {name}" if float(f"{number:g}") == number else f"{number!r} * {name}"
    return f"{value!r} * ({unit})" if not unit.isidentifier() else f"{value!r} * {unit}"


def _times(unit: str) -> str:
    if unit in ("1", "boolean", "integer"):
        return ""
    return f" * {unit}" if unit.isidentifier() else f" * ({unit})"


def _text(text: str) -> str:
    """Return a text as Python writes it between double quotes."""
    return json.dumps(text)


def _comment(text: str) -> str:
    """Return a line of comment; whatever the text holds, it stays one line."""
    return f"# {' '.join(text.split())}"


def _listed(trials: Sequence[int]) -> str:
    return ", ".join(map(str, trials)) or "none"
