"""How long networks and their twins remember: the adding problem, copy memory, and a value that is held.

Every page learns the adding problem and copy memory over several lengths, all with the same updates, batches, optimiser
and units, beside the error of the best answer without memory. The biological side: a value is written into the twin of
each page, whose one loop returns the share w of it, and decays with the time constant tau / (1 - w) in closed form.

Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; Seung 1996, doi:10.1073/pnas.93.23.13339 (loops that
hold a value).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from brian2 import Quantity, ms, second
from numpy.random import SeedSequence

from cortwin import figures
from cortwin.activity import activity
from cortwin.analysis import holding_time
from cortwin.cpp import compiler
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.ladder import Spiking
from cortwin.model import Model
from cortwin.models import attention, elman, feedforward, gru, jordan, lstm, relay, sublstm
from cortwin.simulation import simulate
from cortwin.tasks import adding_problem, copy_baseline, copy_memory
from cortwin.tasks.adding import BASELINE
from cortwin.training import Options, Signals, fit, logits, textbook_activity, textbook_signals

PAGES = {
    "feedforward": feedforward.model(),
    "jordan": jordan.model(),
    "elman": elman.model(),
    "relay": relay.model(),
    "attention": attention.model(),
    "attention_softmax": attention.model("softmax"),
    "sublstm": sublstm.model(),
    "gru": gru.model(),
    "lstm": lstm.model(),
}
TASKS = ("adding", "copy")
STEP, TAU = 0.01, 0.1  # s
VALUES = np.array([-0.4, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4])
TESTED, TRIALS = 500, 32  # new trials; trials of a mini-batch


def compute(
    run: Run,
    *,
    pages: Annotated[tuple[str, ...], Parameter("which", choices=tuple(PAGES), quick=("elman", "gru"))] = tuple(PAGES),
    lengths: Annotated[tuple[int, ...], Parameter("of the adding problem", quick=(10,), minimum=2)] = (50, 100, 200),
    waits: Annotated[tuple[int, ...], Parameter("of copy memory", quick=(5,), minimum=1)] = (10, 50),
    units: Annotated[int, Parameter("units of each network", quick=8, minimum=1)] = 32,
    updates: Annotated[int, Parameter("updates of the weights", quick=60, minimum=1)] = 1500,
    learning_rate: Annotated[float, Parameter("of Adam, down a half cosine", above=0)] = 5e-3,
    share: Annotated[float, Parameter("w, what a loop returns of a value", minimum=0, maximum=0.999)] = 0.95,
    neurons: Annotated[int, Parameter("LIF neurons in each ensemble", quick=16, minimum=1)] = 64,
    duration: Annotated[Quantity, Parameter("for which a value is held", quick=1 * second, above=0 * ms)] = 4 * second,  # type: ignore
    dt_spiking: Annotated[Quantity, Parameter("step of the spikes", quick=0.5 * ms, above=0 * ms)] = 0.1 * ms,  # type: ignore
) -> Results:
    """Train every page on both tasks, and let its twin hold values."""
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    rows, held, arrays = [], [], {}
    cells = [("adding", steps) for steps in lengths] + [("copy", wait) for wait in waits]
    with run.timed("tasks"), run.progress("tasks", len(pages) * len(cells)) as bar:
        for name in pages:
            for task, length in cells:
                seed = run.seed_sequence(f"{task} {length} {name}")
                rows.append(learn(PAGES[name], name, task, length, units, updates, learning_rate, seed))
                bar.advance()
    holders = [name for name in pages if name in HOLDERS]
    with run.timed("holding"), run.progress("holding", len(holders)) as bar:
        for name in holders:
            row, curves = hold(run, name, share, neurons, float(duration), Spiking(dt=float(dt_spiking)))
            held.append(row)
            arrays |= {f"held.{name}.{writing}": curve for writing, curve in curves.items()}
            bar.advance()
    metrics = {f"memory.{row['task']}.{row['page']}.{row['length']}": row["error"] for row in rows}
    metrics |= {f"memory.adding.baseline.{steps}": BASELINE for steps in lengths}
    metrics |= {f"memory.copy.baseline.{wait}": copy_baseline(wait) for wait in waits}
    metrics |= {f"memory.parameters.{row['page']}": row["parameters"] for row in rows if row["task"] == "adding"}
    metrics |= {
        f"memory.hold.{row['page']}.{key}": row[key] for row in held for key in row if key not in ("page", "why")
    }
    lacking = {name: reason for name, reason in WITHOUT_LOOP.items() if name in pages}
    notes = {"pages": list(pages), "lengths": list(lengths), "waits": list(waits), "lacking": lacking}
    return Results(metrics=metrics, tables={"tasks": rows, "holding": held}, weights=arrays, notes=notes)


def learn(
    model: Model, name: str, task: str, length: int, units: int, updates: int, learning_rate: float, seed: SeedSequence
) -> dict[str, Any]:
    """Train a page as a map (alpha = 1) on fresh trials in every update, and return its error on new ones."""
    of_task, of_test, of_weights, of_batches = (np.random.default_rng(one) for one in seed.spawn(4))
    # Twenty passes over as many trials as memory allows: no trial is met often enough to be learned by heart.
    trials = TRIALS * max(1, min(updates, 200))
    inputs, target, mask = lessons(task, of_task, trials, length)
    loss, link = ("mean_squared_error", "linear") if task == "adding" else ("categorical_cross_entropy", "softmax")
    taught = model.with_output(link)
    sizes = inputs.shape[2], units, target.shape[2]
    of_memory = {"slots": inputs.shape[1]} if name == "attention_softmax" else {}
    start = taught.initial(of_weights, *sizes, **of_memory)
    options = Options(
        loss=loss, updates=updates, learning_rate=learning_rate, schedule="cosine", batch_size=TRIALS,
        interval=min(100, updates),
    )  # fmt: skip
    given, wanted = (
        activity(values, dt=TAU, last=last, name=last) for values, last in ((inputs, "input"), (target, "output"))
    )
    learned = fit(taught, start, given, wanted, alpha=1.0, options=options, generator=of_batches, mask=mask)
    inputs, target, mask = lessons(task, of_test, TESTED, length)
    p = learned.parameters
    said = np.asarray(logits(taught, p, textbook_activity(taught, p, inputs, 1.0)[1]))
    if task == "adding":
        error = float(((said - target)[:, -1, 0] ** 2).mean())
    else:
        shifted = said - said.max(axis=2, keepdims=True)
        error = float(-(target * (shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True)))).sum(axis=2).mean())
    number = sum(int(np.size(getattr(p, array))) for array in p._fields if array != "number")
    return {"page": name, "task": task, "length": length, "error": error, "parameters": number}


def lessons(task: str, generator: np.random.Generator, trials: int, length: int) -> tuple[np.ndarray, ...]:
    """Return inputs, target (trial, time, output) and the weight of each time."""
    if task == "copy":
        inputs, target = copy_memory(generator, trials, length)
        return inputs, target, np.ones(target.shape[:2])
    inputs, total = adding_problem(generator, trials, length)
    target, mask = np.zeros((trials, length, 1)), np.zeros((trials, length))
    target[:, -1, 0], mask[:, -1] = total, 1
    return inputs, target, mask


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _nothing(model: Model, **arrays: Any) -> Any:
    """Return parameters of 0 but for some arrays; one unit for each value, and no input that says anything."""
    n = VALUES.size
    drawn = model.initial(np.random.default_rng(0), 1, n, n)
    return drawn._replace(**{name: np.zeros_like(getattr(drawn, name)) for name in drawn._fields})._replace(**arrays)


# A network of each page whose units each hold one value, and what holds it. w is the share that the loop returns.
EYE = np.eye(VALUES.size)
HOLDERS: dict[str, tuple[Callable[[Model, float, np.ndarray], Any], str]] = {
    "feedforward": (lambda m, w, x: _nothing(m, W_out=EYE, x0=x), "no loop: the synapse alone, tau"),
    "jordan": (
        lambda m, w, x: _nothing(m, W_out=EYE, W_fb=w * EYE, x0=x),
        "the output that comes back; tanh returns less of large values",
    ),
    "elman": (lambda m, w, x: _nothing(m, W_rec=w * EYE, x0=x), "recurrence; tanh returns less of large values"),
    "relay": (
        # The logistic function has slope 1/4 at 0, where it is 1/2.
        lambda m, w, x: _nothing(m, W_hh=4 * w * EYE, b_h=np.full(VALUES.size, -2 * w), x0=x),
        "recurrence; the logistic function returns less of large values",
    ),
    "attention": (
        lambda m, w, x: _nothing(m, W_rec=w * EYE, x0=x),
        "recurrence, to which the fast synapses add what they kept",
    ),
    "sublstm": (lambda m, w, x: _nothing(m, b_f=np.full(VALUES.size, _logit(w)), c0=x), "the forget gate, f = w"),
    "gru": (lambda m, w, x: _nothing(m, b_z=np.full(VALUES.size, _logit(w)), h0=x), "the update gate, z = w"),
    "lstm": (lambda m, w, x: _nothing(m, b_f=np.full(VALUES.size, _logit(w)), c0=x), "the forget gate, f = w"),
}
WITHOUT_LOOP = {
    "attention_softmax": "keeps copies of its states in slots, without decay, until they are full, and has no spikes"
}


def hold(
    run: Run, name: str, share: float, neurons: int, duration: float, spiking: Spiking
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Let the twins of a page hold eight values, one in each unit, without input."""
    model = PAGES[name]
    make, why = HOLDERS[name]
    p = make(model, share, VALUES)
    inputs = activity(np.zeros((1, round(duration / STEP), 1)), dt=STEP, last="input", name="silence")
    closed_form = TAU if name == "feedforward" else TAU / (1 - share)
    # Every unit could hold any of the values, and a little more.
    ends = [textbook_signals(model, make(model, share, side + 0 * VALUES), inputs, STEP / TAU) for side in (-0.5, 0.5)]
    values = {signal: np.concatenate([end.values[signal] for end in ends]) for signal in ends[0].values}
    lived = Signals(values, textbook_signals(model, p, inputs, STEP / TAU).start)
    arrays = spiking.arrays(model, p, lived, neurons, run.seed_sequence(f"neurons {name}"))
    common = {"record_dt": STEP, "batch": 1}
    quick = "xla" if run.engine == "cpp" else run.engine
    rate = simulate(model, "rate", p._asdict(), inputs, dt=STEP / 10, engine=quick, **common).activity["x"]
    spikes = simulate(
        model, "spiking", arrays, inputs, dt=spiking.dt, neurons_per_unit=neurons,
        engine=quick if run.quick else run.engine, **common,
    ).activity["x"]  # fmt: skip
    textbook = model.recurrence()
    first = np.asarray(textbook.current(p, textbook.start(p)))
    found = {"rate": rate.to_numpy()[0], "spiking": spikes.to_numpy()[0]}
    row: dict[str, Any] = {"page": name, "closed_form": closed_form, "why": why}
    for writing, x in found.items():
        row[writing] = holding_time(x, first, STEP)
    # What is lost beside the decay: the RMS distance from the rate twin, over the RMS of what was written.
    row["drift"] = float(np.sqrt(np.mean((found["spiking"] - found["rate"]) ** 2) / np.mean(first**2)))
    found["closed_form"] = first * np.exp(-STEP * np.arange(1, inputs.sizes["time"] + 1) / closed_form)[:, None]
    return row, found


def draw(results: Results) -> list[Drawing]:
    """Draw what was saved."""
    rows, notes = results.tables["tasks"], results.notes
    cells = {"adding": notes["lengths"], "copy": notes["waits"]}
    errors = {
        task: {
            page: {row["length"]: row["error"] for row in rows if (row["task"], row["page"]) == (task, page)}
            for page in notes["pages"]
        }
        for task in TASKS
    }
    baselines = {task: {n: results.metrics[f"memory.{task}.baseline.{n}"] for n in cells[task]} for task in TASKS}
    holders = [row["page"] for row in results.tables["holding"]]
    held = {page: {w: results.weights[f"held.{page}.{w}"] for w in ("rate", "spiking")} for page in holders}
    expected = {page: results.weights[f"held.{page}.closed_form"] for page in holders}
    return [
        Drawing(
            "tasks",
            figures.errors_over_length(errors, baselines),
            "Errors over the length of the wait",
            f"Adding problem: mean squared error. Copy memory: cross-entropy per step. One network of each page and "
            f"length (n = 1), {TESTED} new trials.",
        ),
        Drawing(
            "holding",
            figures.held_values(held, expected, STEP),
            "Values that are held",
            "Eight values, one in each unit, written at time 0 into the twins of each page (n = 1); no input.",
        ),
    ]


def report(results: Results) -> list[Section]:
    """Say what was measured."""
    notes = results.notes
    header = ("", "parameters", *(f"{n} steps" for n in notes["lengths"]), *(f"wait {n}" for n in notes["waits"]))
    cells = [f"adding.{{}}.{n}" for n in notes["lengths"]] + [f"copy.{{}}.{n}" for n in notes["waits"]]
    errors = [
        (page, f"memory.parameters.{page}", *(f"memory.{cell.format(page)}" for cell in cells))
        for page in notes["pages"]
    ]
    errors.append(("without memory", "", *(f"memory.{cell.format('baseline')}" for cell in cells)))
    columns = {
        "page": "page", "closed_form": "closed form (s)", "rate": "rate (s)", "spiking": "spiking (s)",
        "drift": "drift", "why": "what holds it",
    }  # fmt: skip
    lacking = " ".join(f"{page} {reason}." for page, reason in notes["lacking"].items())
    return [
        Section(
            "Two tasks, one budget",
            f"Every page has {{parameters.units}} units and learns by {{parameters.updates}} updates on {TRIALS} "
            "trials each with Adam, as a map (alpha = 1). Without memory the best answer to the adding problem has "
            "the error 1/6, to copy memory 10 ln 8 / (wait + 20).",
            drawings=["tasks"],
            tables=[
                Table(
                    "Adding problem: mean squared error; copy memory: cross-entropy per step (nats). n = 1.",
                    header,
                    errors,
                )
            ],
        ),
        Section(
            "How long a twin holds a value, and why",
            "A value is written into each of eight units of a network that is set by hand: its one loop returns the "
            "share {parameters.share} of it, in the page's own way, and nothing else goes in. In closed form it decays "
            "with tau / (1 - w), tau = 100 ms. Times are those of an exponential fitted to all eight. A gate returns "
            "the same share of every value; a loop through a saturating function returns less of large ones. Drift is "
            "the RMS distance of the spiking twin from the rate twin over the RMS of what was written: decoders return "
            "a share that is a little off, and what is off is returned again. " + lacking,
            drawings=["holding"],
            tables=[Table("Eight values in each of the networks, n = 1.", columns, records="holding")],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
