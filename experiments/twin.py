"""A network of your own and its twins: the ladder from its formula to spikes, and what is lost on the way.

`cortwin twin FILE --input FILE` runs this. A network that was trained as a map (alpha = 1) is far from its continuous
twin: with ``fine_tune`` it is trained on, through its rate text at a small alpha. Without a file, a GRU is trained here
to hold the sign of the last pulse of each input.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from brian2 import Quantity, ms, second

from cortwin import figures
from cortwin.analysis import nrmse
from cortwin.cpp import compiler
from cortwin.errors import CortwinError
from cortwin.exchange import Imported, from_npz
from cortwin.exchange.finer import (
    LOSS_OF_LINK,
    Lessons,
    constant_loss,
    fine_tune,
    lessons_of,
    steps_of,
    task_loss,
)
from cortwin.exchange.presented import Presented, read_presented, smooth_noise
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.ladder import Rung, Spiking, climb, ladder_metrics
from cortwin.model import Lacking
from cortwin.models import gru
from cortwin.simulation import simulate
from cortwin.study import Study
from cortwin.training import Options, fit, outputs, run_textbook, textbook_signals

EXAMPLE_INPUTS = 2
# A rate text that is the textbook differs from it by rounding alone; one of another dt by some per cent.
SAME = 1e-6
TUNED = ".fine_tuned"


def compute(
    run: Run,
    *,
    network: Annotated[Path | None, Parameter("file of the network, see cortwin.exchange.npz")] = None,
    input: Annotated[Path | None, Parameter("file of its trials: input, target, mask, dt; else smooth noise")] = None,
    tau: Annotated[Quantity | None, Parameter("time constant; else the files' own, else 100 ms", above=0 * ms)] = None,  # type: ignore
    trials: Annotated[int, Parameter("trials where no file is given", quick=24, minimum=2)] = 64,
    steps: Annotated[int, Parameter("steps of a trial where no file is given", quick=15, minimum=2)] = 40,
    shown: Annotated[int, Parameter("trials on the ladder", quick=2, minimum=1)] = 8,
    neurons: Annotated[tuple[int, ...], Parameter("LIF neurons per ensemble", quick=(16,), minimum=1)] = (4, 16, 64),
    dt_spiking: Annotated[Quantity, Parameter("step of the spikes", above=0 * ms, quick=0.5 * ms)] = 0.1 * ms,  # type: ignore
    fine_tune: Annotated[bool, Parameter("train on through the rate text at a small alpha")] = False,
    alphas: Annotated[
        tuple[float, ...], Parameter("dt / tau of the fine-tuning, one after another", quick=(0.2,), above=0)
    ] = (0.5, 0.2, 0.1),
    updates: Annotated[int, Parameter("updates of the weights at each alpha", quick=30, minimum=1)] = 300,
    learning_rate: Annotated[float, Parameter("learning rate of Adam, falling along a cosine", above=0)] = 3e-3,
) -> Results:
    """Climb, fine-tune, climb again."""
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    source = from_npz(network) if network is not None else None
    if source is None:
        if input is not None:
            raise CortwinError("input is given without a network: give both files, or none of them")
        source, presented = _example(run, trials, steps)
    elif input is not None:
        presented = read_presented(input, source.sizes["inputs"], source.sizes["outputs"])
    else:
        presented = smooth_noise(run.generator("noise"), trials, steps, source.sizes["inputs"])
    source = _with_tau(source, tau, presented, network)
    dt = source.alpha * float(source.model.constants["tau"])
    grids = [steps_of(source.alpha, alpha) for alpha in alphas] if fine_tune else []
    study = Study(run, source.alpha, Spiking(dt=float(dt_spiking)), neurons_per_unit=max(neurons))
    for step in (dt, *(dt / grid for grid in grids)):
        if not isinstance(source.model.spiking, Lacking):
            study.check(source.model, step)

    given = presented.target is not None
    target = presented.target if presented.target is not None else source.outputs(presented.inputs)
    loss = LOSS_OF_LINK[source.model.recurrence().link] if given else "mean_squared_error"
    page = figures.page_texts(source.model)
    whole = lessons_of(presented, target, dt)
    _require_one_text(source, whole)
    # The last trials are not trained on; one trial alone has to do for both.
    held = max(1, len(target) // 4) if len(target) > 1 else 0
    taught = slice(0, len(target) - held)
    tested = slice(len(target) - held if held else 0, len(target))
    tested = slice(tested.start, min(tested.stop, tested.start + shown))

    rungs = _climb(run, study, source, whole, tested, neurons)
    metrics: dict[str, Any] = {"alpha": source.alpha, "tau": float(source.model.constants["tau"])}
    metrics |= _distances(rungs) | _losses(source, rungs, whole[tested], loss)
    metrics["loss.constant"] = constant_loss(whole[tested], loss)
    tables = {"ladder": [_kept(rung.row) for rung in rungs]}
    activity = {f"ladder.{rung.name}": rung.activity for rung in rungs}
    activity |= _read(source, rungs, whole[tested])
    arrays = {f"imported.{name}": np.asarray(value) for name, value in source.parameters._asdict().items()}
    last = rungs
    if fine_tune:
        lessons = Presented(presented.inputs[taught], None, presented.mask[taught])
        options = Options(
            loss=loss,
            learning_rate=learning_rate,
            schedule="cosine",
            updates=updates,
            batch_size=min(32, len(lessons.inputs)),
        )
        with run.timed("fine-tuning"), run.progress("fine-tuning", updates * len(grids)) as bar:
            tuned, fits = _tune(source, lessons, target[taught], alphas, options, run, bar)
        finer = lessons_of(presented, target, dt, grids[-1])
        last = _climb(run, study, tuned, finer, tested, neurons)
        metrics |= {f"alpha{TUNED}": tuned.alpha, f"tau{TUNED}": metrics["tau"]}
        found = _distances(last) | _losses(tuned, last, finer[tested], loss)
        metrics |= {f"{name}{TUNED}": value for name, value in found.items()}
        tables[f"ladder{TUNED}"] = [_kept(rung.row) for rung in last]
        activity |= {f"ladder.{rung.name}{TUNED}": rung.activity for rung in last}
        activity |= {f"{name}{TUNED}": y for name, y in _read(tuned, last, finer[tested]).items()}
        arrays |= {f"fine_tuned.{name}": np.asarray(value) for name, value in tuned.parameters._asdict().items()}
        arrays["history.error"] = np.concatenate([one.history["error"] for one in fits])
        arrays["history.gradient_norm"] = np.concatenate([one.history["gradient_norm"] for one in fits])
    return Results(
        metrics=metrics,
        tables=tables,
        activity=activity,
        spikes={last[-1].name: last[-1].spikes} if last[-1].spikes is not None else {},
        weights=arrays,
        notes={
            "page": page,
            "source": source.source if network is None else f"{network.name}: {source.page}",
            "variant": dict(source.variant),
            "sizes": source.sizes,
            "link": source.model.recurrence().link,
            "given": given,
            "noise": network is not None and input is None,
            "loss": loss.replace("_", " "),
            "held": held,
            "tested": len(rungs[0].activity["trial"]),
            "trained": len(target) - held,
            "alphas": list(alphas) if fine_tune else [],
            "neurons": [] if isinstance(source.model.spiking, Lacking) else sorted(neurons),
            "lacking": source.model.spiking.reason if isinstance(source.model.spiking, Lacking) else "",
        },
    )


def _example(run: Run, trials: int, steps: int) -> tuple[Imported, Presented]:
    """Train a GRU as a map to say the sign of the last pulse of each input."""
    generator, grid = run.generator("example"), (trials, steps, EXAMPLE_INPUTS)
    sign = generator.choice([-1.0, 1.0], size=grid)
    u = np.where((generator.uniform(size=grid) < 0.15) | (np.arange(steps) == 0)[:, None], sign, 0.0)
    last = np.maximum.accumulate(np.where(u != 0, np.arange(steps)[:, None], 0), axis=1)
    presented = Presented(u, np.take_along_axis(u, last, axis=1), np.ones(grid[:2]))
    model = gru.model()
    start = model.initial(generator, EXAMPLE_INPUTS, 12, EXAMPLE_INPUTS)
    lessons = lessons_of(presented, np.asarray(presented.target), float(model.constants["tau"]))
    options = Options(learning_rate=1e-2, schedule="cosine", updates=400, batch_size=min(32, trials))
    learned = fit(
        model, start, lessons.inputs, lessons.target, alpha=1.0, options=options, generator=run.generator("batches")
    )
    return Imported("gru", {"reset": "after"}, model, learned.parameters, 1.0, "a GRU trained here"), presented


def _with_tau(source: Imported, tau: Any, presented: Presented, file: Path | None) -> Imported:
    """Return the network with the time constant that is asked for, or that the trials' dt says."""
    if tau is None and presented.dt is not None:
        tau, own = presented.dt / source.alpha * second, source.model.constants["tau"]
        if file is not None and _says_tau(file) and abs(float(tau - own)) > 1e-9 * float(own):
            raise CortwinError(
                f"input: dt = {presented.dt:g} s, but a step of the network is alpha tau = {source.alpha:g} x "
                f"{float(own):g} s: leave dt out, or say tau"
            )
    return source if tau is None else replace(source, model=source.model.with_constants(tau=tau))


def _says_tau(file: Path) -> bool:
    with np.load(file, allow_pickle=False) as archive:
        return bool({"tau", "dt"} & set(archive.files))


def _require_one_text(network: Imported, lessons: Lessons) -> None:
    """Refuse a page whose rate text, at this dt, is not its textbook: some constants belong to one dt."""
    few, dt = lessons.inputs[:1, :10], float(lessons.inputs.attrs["dt"])
    values = network.parameters._asdict()
    found = simulate(network.model, "rate", values, few, dt=dt, engine="xla", batch=1).activity["x"]
    expected = run_textbook(network.model, network.parameters, few, network.alpha)["x"]
    off = nrmse(expected, found)
    if off > SAME:
        raise CortwinError(
            f"{network.page}: at dt = {dt:g} s its rate text is not its textbook (NRMSE {off:.2g}): a constant of the "
            f"page belongs to another dt ({', '.join(f'{n} = {v}' for n, v in network.model.constants.items())})"
        )


def _climb(
    run: Run, study: Study, network: Imported, lessons: Lessons, shown: slice, neurons: tuple[int, ...]
) -> list[Rung]:
    """Climb the ladder with the trials that are shown; ensembles represent what all trials visit."""
    lacking = isinstance(network.model.spiking, Lacking)
    lived = None if lacking else textbook_signals(network.model, network.parameters, lessons.inputs, network.alpha)
    few = lessons[shown]

    def engine(writing: str, _: int) -> str:
        return run.engine if writing == "rate R2" or (writing == "spiking" and not run.quick) else "xla"

    total = (3 + 2 * len(neurons)) * few.inputs.sizes["trial"]
    with run.timed("ladder"), run.progress("climbing the ladder", total) as bar:
        return climb(
            network.model,
            network.parameters,
            few.inputs,
            few.target,
            represented=lived,
            neurons=sorted(neurons),
            spiking=study.spiking,
            seed=run.seed_sequence("neurons"),
            engines=engine,
            batch=4,
            jobs=run.jobs,
            advance=bar.advance,
        )


def _tune(
    source: Imported, lessons: Presented, target: Any, alphas: Any, options: Options, run: Run, bar: Any
) -> tuple[Imported, list[Any]]:
    def advance(updates: int, loss: float) -> None:
        bar.advance(updates)
        bar.update(f"loss {loss:.2g}")

    return fine_tune(source, lessons, target, alphas, options, run.generator("fine-tuning"), advance)


def _writings(rungs: list[Rung]) -> dict[str, Rung]:
    """Return the rungs whose output is read: the textbook, the rate text, and the spikes of each number of neurons."""
    names = {"R1": "textbook", "R3": "rate"}
    found = {names[rung.name]: rung for rung in rungs if rung.name in names}
    return found | {f"spiking.{rung.row['neurons_per_unit']}": rung for rung in rungs if rung.row["rung"] == "R5"}


def _distances(rungs: list[Rung]) -> dict[str, Any]:
    """Return a ladder's numbers but its losses, which know neither the mask nor where the steps end."""
    return {name: value for name, value in ladder_metrics([rung.row for rung in rungs]).items() if ".loss" not in name}


def _losses(network: Imported, rungs: list[Rung], lessons: Lessons, loss: str) -> dict[str, float]:
    return {
        f"loss.{name}": task_loss(network.model, network.parameters, rung.activity["r"], lessons, loss)
        for name, rung in _writings(rungs).items()
    }


def _read(network: Imported, rungs: list[Rung], lessons: Lessons) -> dict[str, Any]:
    """Return the output of each writing, labelled like the target."""
    found = {"output.target": lessons.target}
    for name, rung in _writings(rungs).items():
        y = outputs(network.model, network.parameters, rung.activity["r"].to_numpy())
        found[f"output.{name}"] = lessons.target.copy(data=np.asarray(y))
    return found


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "loss" and not name.endswith("seconds")}


def draw(results: Results) -> list[Drawing]:
    """Draw what was saved."""
    notes, metrics = results.notes, results.metrics
    suffixes = ("", TUNED) if notes["alphas"] else ("",)
    titles = {"": "as it came", TUNED: "fine-tuned"}
    columns = {f"{titles[end]}, alpha = {metrics[f'alpha{end}']:g}": _answers(results, end) for end in suffixes}
    last = suffixes[-1]
    x = {name: results.activity[f"ladder.{rung}{last}"]["x"] for name, rung in _rungs_of(notes).items()}
    busiest = np.argsort(-x["textbook"].std(("trial", "time")).to_numpy())[:3]
    pair = list(range(min(2, notes["tested"])))
    size = f"{notes['neurons'][-1]} LIF neurons in each ensemble" if notes["neurons"] else "no spiking twin"
    drawings = [
        Drawing(
            "outputs",
            figures.output_traces(columns, outputs=list(range(min(3, notes["sizes"]["outputs"])))),
            "What the writings answer",
            f"The outputs in one trial that was not fine-tuned on, read by the network's own output weights; {size}. "
            "Spiking: filtered spikes.",
        )
    ]
    for end in suffixes:
        step = f"one step lasts {1e3 * metrics[f'alpha{end}'] * metrics[f'tau{end}']:g} ms"
        drawings.append(
            Drawing(
                f"ladder{end.replace('.', '_')}",
                figures.ladder_rungs(results.tables[f"ladder{end}"]),
                f"The ladder, {titles[end]}",
                f"Distance of x at every rung, to the rung before and to the textbook (R1), at alpha = "
                f"{metrics[f'alpha{end}']:g}: {step}. {notes['tested']} trials.",
            )
        )
    drawings.append(
        Drawing(
            "activity",
            figures.example_units(x, units=[int(k) for k in busiest], trials=pair, titles=[f"trial {k}" for k in pair]),
            "Example units",
            f"The current or state x of the most active units, {titles[last]}, in all writings; {size}.",
        )
    )
    if notes["alphas"]:
        at = ", then ".join(f"{alpha:g}" for alpha in notes["alphas"])
        error, norm = (results.weights[f"history.{name}"] for name in ("error", "gradient_norm"))
        drawings.append(
            Drawing(
                "training",
                figures.training_curves(error, gradient_norm=norm, clip=1.0),
                "Fine-tuning",
                f"The {notes['loss']} on mini-batches through the rate text, at alpha = {at}, and the norm of its "
                "gradient.",
            )
        )
    drawings.append(
        Drawing(
            "equations",
            figures.typeset_page(notes["page"]),
            "One network, written three times",
            "Typeset from the functions and the texts that ran.",
        )
    )
    return drawings


def _rungs_of(notes: dict[str, Any]) -> dict[str, str]:
    """Return the rung that stands for each writing in the drawings."""
    return {"textbook": "R1", "rate": "R3"} | ({"spiking": f"R5.{notes['neurons'][-1]}"} if notes["neurons"] else {})


def _answers(results: Results, end: str) -> dict[str, Any]:
    size = results.notes["neurons"][-1] if results.notes["neurons"] else None
    names = {"target": "target", "textbook": "textbook", "rate": "rate", "spiking": f"spiking.{size}"}
    if not results.notes["given"] and end == "":
        del names["target"]  # it is what the textbook answers
    found = {name: f"output.{other}{end}" for name, other in names.items()}
    return {name: results.activity[other] for name, other in found.items() if other in results.activity}


def report(results: Results) -> list[Section]:
    """Tell what was found, the distance to continuous time first."""
    notes, metrics = results.notes, results.metrics
    sizes, neurons = notes["sizes"], notes["neurons"]
    task = (
        "its target" if notes["given"] else "what the network itself answered as it came, because no target was given"
    )
    shown = "smooth Gaussian noise, because no input was given" if notes["noise"] else "the trials of its task"
    seen = "1 trial" if notes["tested"] == 1 else f"{notes['tested']} trials"
    if notes["alphas"]:
        seen += " that it was not fine-tuned on" if notes["held"] else ", on which it was fine-tuned too"
    map_or_not = "a map: alpha = 1" if metrics["alpha"] == 1 else f"at alpha = {metrics['alpha']:g}"
    first = (
        f"The network is {notes['source']}, with {sizes['inputs']} inputs, {sizes['units']} units and "
        f"{sizes['outputs']} {notes['link']} outputs, {map_or_not}. Its continuous twin is the same equations with a "
        "small time step: between the two (R1 and R3) x differs by {ladder.R3.total} of its standard deviation. "
        f"It was shown {shown}. The loss is the {notes['loss']} against {task}, on {seen}: "
        "{loss.textbook} of the textbook, {loss.rate} of the continuous twin, {loss.constant} of the best constant."
    )
    if notes["lacking"]:
        first += f"\n\nThere is no spiking twin: {notes['lacking']}."
    ends = [""] + ([TUNED] if notes["alphas"] else [])
    quantities = {
        "alpha": "alpha",
        "R1 to R3, x": "ladder.R3.total",
        **{f"R5 to R3, x, {n} neurons": f"ladder.R5.nrmse.{n}" for n in neurons},
        "loss, textbook": "loss.textbook",
        "loss, rate": "loss.rate",
        **{f"loss, spiking, {n} neurons": f"loss.spiking.{n}" for n in neurons},
    }
    rows = [(title, *(f"{name}{end}" for end in ends)) for title, name in quantities.items()]
    header = ("", "as it came", "fine-tuned")[: 1 + len(ends)]
    sections = [
        Section(
            "Into continuous time",
            first,
            drawings=["outputs"],
            tables=[Table(f"Distances (NRMSE) and losses of one network (n = 1), on {seen}.", header, rows)],
        )
    ]
    if notes["alphas"]:
        tuned = (
            "Trained on through the rate text: each input is held for as many finer steps as one step of the network "
            "takes, and the output is asked for at the last of them. "
            f"{notes['trained']} trials, {{parameters.updates}} updates at each alpha."
        )
        sections.append(Section("Fine-tuning", tuned, drawings=["training"]))
    columns = {
        "rung": "rung",
        "neurons_per_unit": "neurons",
        "dt": "dt (s)",
        "step": "to the rung before",
        "total": "to R1",
        "nrmse": "to R3",
        "correlation": "correlation",
        "rate": "rate (Hz)",
        "spikes": "spikes",
        "engine": "engine",
    }
    tables = [
        Table(f"Every rung, {title}, one draw of the neurons (n = 1).", columns, records=f"ladder{end}")
        for title, end in zip(("as it came", "fine-tuned"), ends, strict=False)
    ]
    drawn = [f"ladder{end.replace('.', '_')}" for end in ends]
    text = (
        "From the formula to spikes, a rung at a time. Distances are RMS differences of x over its standard deviation."
    )
    return [
        *sections,
        Section("The ladder", text, drawings=[*drawn, "activity"], tables=tables),
        Section("Three writings", drawings=["equations"]),
    ]


if __name__ == "__main__":
    run_script(__file__)
