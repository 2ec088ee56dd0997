"""Every network of the five documents: exact where it should be, as near as its spikes bring it where it cannot be.

Each page of ``models/`` is trained on a small task and climbs the ladder, over several seeds. The documents' samples
are quoted fault by fault, and the corrected form of each is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import xarray as xr
from brian2 import Quantity, ms
from numpy.random import Generator, SeedSequence

from cortwin import figures
from cortwin.activity import activity
from cortwin.cpp import compiler
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.ladder import Rung, Spiking, climb
from cortwin.model import Lacking, Model
from cortwin.models import attention, elman, feedforward, gru, jordan, lstm, relay, sublstm
from cortwin.tasks import ReachTask
from cortwin.training import Options, fit, gradient_errors, outputs, textbook_activity, textbook_signals

ALPHA, STEP = 0.1, 0.01  # of the textbook networks; s
DIRECTIONS = 8
PAGES = {
    "jordan": jordan.model(),
    "feedforward": feedforward.model(),
    "elman": elman.model(),
    "relay": relay.model(),
    "relay_as_printed": relay.model("as_printed"),
    "lstm": lstm.model(),
    "gru": gru.model(),
    "sublstm": sublstm.model(),
    "attention": attention.model(),
    "attention_softmax": attention.model("softmax"),
}
# Document, network as it is read, and the page that holds it.
EQUATIONS = {
    "000": ("y(t) = f(W [x(t), y(t-1)] + b)", "jordan"),
    "001": ("h_t = f(W x_t + b), y_t = softmax(W_y h_t + b_y)", "feedforward"),
    "002": ("h_t = f(W_h [h_{t-1}, x_t] + b)", "elman"),
    "003": ("a_t = W_ax x_t + b_a, h_t = f(W_hx x_t + W_ha a_{t-1} + b_h)", "relay_as_printed"),
    "004": ("h_t = f(W_hh h_{t-1} + W_xh x_t + b_h)", "elman"),
}


@dataclass(frozen=True)
class Fault:
    """A line of a document's sample, what is wrong with it, and what the corrected form does."""

    document: str
    line: str
    fault: str
    instead: str


FAULTS = (
    Fault("000", "d_out = 1.0 * (y - output)", "backward is not given output", "gradients are derived"),
    Fault(
        "000",
        "d_input_hidden = np.dot(d_h, self.W_hh.T)",
        "the gradient of one step, not through time",
        "backpropagation through all steps",
    ),
    Fault("000", "h_prev = np.zeros((hidden_size, 1))", "the past is forgotten in every update", "sequences"),
    Fault("000", "np.dot(self.W_ih, x)", "W_ih is (input, hidden): fits as every size is 10", "W_in is (unit, input)"),
    Fault("000", "y = np.random.randn(output_size, 1)", "targets are noise", "a delayed copy"),
    Fault("001", "h_t = f(W x_t + b)", "called recurrent, and has no recurrence", "an Elman network for the sample"),
    Fault("001", "input_shape=(X.shape[1], X.shape[2])", "X has two axes", "axes (trial, time, input)"),
    Fault("001", "Dense(units=y.shape[1], activation='softmax')", "a class for each time", "a class for each symbol"),
    Fault("002", "h_t = f(W_h [h_t, x_t] + b)", "h_t stands on both sides", "h_{t-1} on the right"),
    Fault("002", "Wh = np.random.randn(hidden_size, input_size)", "no columns for h", "W_rec beside W_in"),
    Fault("002", "return x * (1 - x)", "true of the output, used on the argument", "gradients are derived"),
    Fault("002", "Wh += np.dot(dh, h.T) * learning_rate", "the gradient is added", "it is subtracted"),
    Fault("003", "h_t = f(W_hx x_t + W_ha a_{t-1} + b_h)", "not recurrent as printed", "with and without W_hh"),
    Fault("003", "model.fit(X_train, y_train, ...)", "X_train, y_train, X_test are undefined", "a task with an answer"),
    Fault("004", "x_train = np.random.rand(100, 10, 1)", "np is not imported", "it is"),
    Fault("004", "y_train = np.random.rand(100, 1)", "targets are noise", "the sequence's mean"),
)


def compute(
    run: Run,
    *,
    pages: Annotated[
        tuple[str, ...], Parameter("which networks", choices=tuple(PAGES), quick=("jordan", "relay", "gru"))
    ] = tuple(PAGES),
    units: Annotated[int, Parameter("units of each network", quick=8, minimum=2)] = 24,
    seeds: Annotated[int, Parameter("networks of each page", quick=1, minimum=1)] = 3,
    updates: Annotated[int, Parameter("updates of the weights", quick=40, minimum=1)] = 300,
    neurons: Annotated[tuple[int, ...], Parameter("LIF neurons per ensemble", quick=(4, 16), minimum=1)] = (4, 16, 64),
    dt_spiking: Annotated[Quantity, Parameter("step of the spikes", above=0 * ms, quick=0.5 * ms)] = 0.1 * ms,  # type: ignore
    sample_updates: Annotated[int, Parameter("updates of the corrected samples", quick=100, minimum=1)] = 1000,
) -> Results:
    """Measure every page, and train every corrected sample."""
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    metrics: dict[str, Any] = {}
    tables: dict[str, list[dict[str, Any]]] = {"ladder": []}
    with run.timed("pages"), run.progress("pages", len(pages) * seeds) as bar:
        for name in pages:
            measured = []
            for seed in run.seed_sequence(name).spawn(seeds):
                measured.append(measure(run, name, units, updates, neurons, Spiking(dt=float(dt_spiking)), seed))
                bar.advance()
            found = {number: [one[0][number] for one in measured] for number in measured[0][0]}
            metrics |= {f"pages.{name}.{number}": float(np.median(values)) for number, values in found.items()}
            metrics |= {
                f"pages.{name}.{number}.{end}": float(value)
                for number, values in found.items()
                if number.startswith("nrmse")
                for end, value in (("least", min(values)), ("most", max(values)))
            }
            tables["ladder"] += [{"page": name, "seed": k, **row} for k, one in enumerate(measured) for row in one[1]]
    with run.timed("samples"):
        samples, histories = corrected_samples(run, sample_updates)
    tables["samples"] = samples
    tables["faults"] = [vars(one) for one in FAULTS]
    tables["equations"] = [{"document": d, "printed": text, "page": page} for d, (text, page) in EQUATIONS.items()]
    metrics |= {f"samples.{row['document']}.{name}": row[name] for row in samples for name in ("error", "baseline")}
    return Results(
        metrics=metrics,
        tables=tables,
        weights={f"history.{document}": history for document, history in histories.items()},
        notes={
            "pages": list(pages),
            "texts": {name: figures.page_texts(PAGES[name]) for name in pages},
            "neurons": list(neurons),
            "seeds": seeds,
            "units": units,
            "lacking": {n: spiking.reason for n in pages if isinstance(spiking := PAGES[n].spiking, Lacking)},
        },
    )


def lessons(name: str, seed: SeedSequence, repetitions: int) -> tuple[xr.DataArray, xr.DataArray, np.ndarray | None]:
    """Return inputs, targets and mask of a page's task: hand velocities, or for the classifier the direction."""
    task = ReachTask(DIRECTIONS, dt=STEP, cue_until="end")
    trials = task.trials(np.tile(np.arange(DIRECTIONS), repetitions), seed)
    if name != "feedforward":
        return trials.inputs, trials.target, None
    shown = np.broadcast_to(np.eye(DIRECTIONS)[trials.condition][:, None], (*trials.inputs.shape[:2], DIRECTIONS))
    labels = activity(shown, dt=STEP, t_start=float(trials.inputs["time"][0]), last="output", name="class")
    # While no target is shown there is no answer.
    return trials.inputs, labels, (np.abs(trials.inputs.to_numpy()[:, :, :2]).sum(axis=2) > 0).astype(float)


def measure(
    run: Run,
    name: str,
    units: int,
    updates: int,
    neurons: Sequence[int],
    spiking: Spiking,
    seed: SeedSequence,
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Train one network of a page and return its numbers and the rows of its ladder."""
    model = PAGES[name]
    of_weights, of_batches, of_trials, of_neurons, of_entries = seed.spawn(5)
    inputs, target, mask = lessons(name, of_trials, 8)
    start = _initial(model, np.random.default_rng(of_weights), inputs, units, target)
    loss = "categorical_cross_entropy" if name == "feedforward" else "mean_squared_error"
    options = Options(learning_rate=5e-3, schedule="cosine", updates=updates, loss=loss)
    generator = np.random.default_rng(of_batches)
    learned = fit(model, start, inputs, target, alpha=ALPHA, options=options, generator=generator, mask=mask)
    parameters, shown = learned.parameters, slice(0, DIRECTIONS, 2)
    signals = None if isinstance(model.spiking, Lacking) else textbook_signals(model, parameters, inputs, ALPHA)

    def engine(writing: str, _: int) -> str:
        return run.engine if writing == "rate R2" or (writing == "spiking" and not run.quick) else "xla"

    rungs = climb(
        model,
        parameters,
        inputs[shown],
        target[shown],
        represented=signals,
        neurons=neurons,
        spiking=spiking,
        seed=of_neurons,
        engines=engine,
        batch=4,
        jobs=run.jobs,
    )
    few = slice(0, 2)
    gradients = gradient_errors(
        model,
        parameters,
        inputs[few],
        target[few],
        alpha=ALPHA,
        generator=np.random.default_rng(of_entries),
    )
    numbers = {
        "exact_error": rungs[2].row["max_abs_error"],
        "gradient_error": gradients.finite_difference,
        "gradient_between_writings": gradients.between_writings,
        "error_before": _first(learned.history["error"]),
        "error": _last(learned.history["error"]),
    }
    for rung in rungs[4:]:
        kind = "nrmse" if rung.row["rung"] == "R5" else "without_spikes"
        numbers[f"{kind}.{rung.row['neurons_per_unit']}"] = rung.row["nrmse"]
    if name in ("lstm", "attention"):
        numbers |= limits(model, parameters, rungs, inputs[shown])
    kept = ("rung", "neurons_per_unit", "step", "total", "nrmse", "correlation", "loss", "spikes", "rate", "engine")
    return numbers, [{column: rung.row[column] for column in kept} for rung in rungs]


def limits(model: Model, parameters: Any, rungs: list[Rung], inputs: xr.DataArray) -> dict[str, float]:
    """Measure what the distance of the largest spiking network comes from.

    Returns
    -------
    dict with ``limit.decoding``: the squared distance without spikes over that with them, and for the LSTM
    ``limit.memory``: the rank correlation over units of the RMS error with the time for which the forget gate holds it
    """
    fine, last = rungs[3].activity["x"], rungs[-1]
    found = {"limit.decoding": float((rungs[-2].row["nrmse"] / last.row["nrmse"]) ** 2)}
    if model.name == "lstm":
        gate = textbook_signals(model, parameters, inputs, ALPHA).values["a_f"]
        memory = (1 + np.exp(gate)).mean(axis=(0, 1))  # 1 / (1 - f), in tau
        error = np.sqrt(np.asarray(((last.activity["x"] - fine) ** 2).mean(("trial", "time"))))
        ranks = [np.argsort(np.argsort(values)) for values in (memory, error)]
        found["limit.memory"] = float(np.corrcoef(ranks)[0, 1])
    return found


def _initial(model: Model, generator: Generator, inputs: xr.DataArray, units: int, target: xr.DataArray) -> Any:
    sizes = inputs.sizes["input"], units, target.sizes["output"]
    if model.trained is attention.ParametersOfMemory:
        return model.initial(generator, *sizes, slots=inputs.sizes["time"])
    return model.initial(generator, *sizes)


def _first(history: np.ndarray) -> float:
    return float(history[:10].mean())


def _last(history: np.ndarray) -> float:
    return float(history[-10:].mean())


def corrected_samples(run: Run, updates: int) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Train the corrected form of each document's sample, as a map (alpha = 1) as the documents write it.

    Returns
    -------
    rows with the error of trials that were not trained beside that of the best constant answer, and the training errors
    """
    rows, histories = [], {}
    for document, sample in SAMPLES.items():
        generator = run.generator(f"sample {document}")
        model, units, options, (inputs, target, mask), baseline, task = sample(generator, updates)
        held = len(inputs) // 2
        start = model.initial(generator, inputs.sizes["input"], units, target.sizes["output"])
        learned = fit(
            model,
            start,
            inputs[:held],
            target[:held],
            alpha=1.0,
            options=options,
            generator=generator,
            mask=mask[:held],
        )
        h = textbook_activity(model, learned.parameters, inputs[held:].to_numpy(), 1.0)[1]
        y = np.asarray(outputs(model, learned.parameters, h))
        rows.append(
            {
                "document": document,
                "network": f"{model.name}, {units} units, {model.recurrence().link} output",
                "task": task,
                "error": _error(y, target[held:].to_numpy(), mask[held:], options.loss),
                "baseline": baseline,
                "updates": options.updates,
            }
        )
        histories[document] = learned.history["error"]
    return rows, histories


def _error(y: np.ndarray, target: np.ndarray, mask: np.ndarray, loss: str) -> float:
    """Return the mean error, by NumPy alone: a check on what training says of itself."""
    if loss == "categorical_cross_entropy":
        error = -(target * np.log(y)).sum(axis=2)
    elif loss == "binary_cross_entropy":
        error = -(target * np.log(y) + (1 - target) * np.log(1 - y)).mean(axis=2)
    else:
        error = ((y - target) ** 2).mean(axis=2)
    return float((mask * error).sum() / mask.sum())


def _trials(inputs: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None) -> tuple[Any, Any, np.ndarray]:
    return (
        activity(inputs, dt=STEP, last="input", name="input"),
        activity(target, dt=STEP, last="output", name="target"),
        np.ones(inputs.shape[:2]) if mask is None else np.broadcast_to(mask, inputs.shape[:2]).astype(float),
    )


def _copy(generator: Generator, trials: int, steps: int, size: int) -> tuple[Any, Any, np.ndarray]:
    """Return random sequences and, as target, the same one step later."""
    inputs = generator.uniform(-1, 1, (trials, steps, size))
    target = np.concatenate([np.zeros((trials, 1, size)), inputs[:, :-1]], axis=1)
    return _trials(inputs, target, np.arange(steps) > 0)


def sample_000(generator: Generator, updates: int) -> tuple[Any, ...]:
    """Jordan network with tanh units and a linear output, as the class in document 000."""
    data = _copy(generator, 64, 10, 2)
    options = Options(optimizer="sgd", learning_rate=0.1, updates=updates)
    return jordan.model(), 10, options, data, 1 / 3, "the input of one step ago"


def sample_001(generator: Generator, updates: int) -> tuple[Any, ...]:
    """Three ReLU units with a softmax output: which symbol comes next in a sequence like that of document 001."""
    # From each symbol to the next, as often as in the document's sequence 0 1 0 3 1 2 0 1 0 3 0 1 2 0 1 0 3 1 2 0.
    follows = np.array([[0, 5, 0, 3], [3, 0, 3, 0], [3, 0, 0, 0], [1, 2, 0, 0]], float)
    follows /= follows.sum(axis=1, keepdims=True)
    symbols = np.zeros((64, 21), int)
    for trial in symbols:
        for k in range(1, 21):
            trial[k] = generator.choice(4, p=follows[trial[k - 1]])
    one_hot = np.eye(4)[symbols]
    frequency = one_hot[:, 1:].mean(axis=(0, 1))
    options = Options(learning_rate=1e-2, updates=updates, loss="categorical_cross_entropy")
    model = elman.model("relu").with_output("softmax")
    baseline = float(-(frequency * np.log(frequency)).sum())
    return model, 3, options, _trials(one_hot[:, :-1], one_hot[:, 1:]), baseline, "the next symbol"


def sample_002(generator: Generator, updates: int) -> tuple[Any, ...]:
    """Ten logistic units over 100 steps, gradient descent, as in document 002."""
    data = _copy(generator, 16, 100, 2)
    options = Options(optimizer="momentum", learning_rate=0.05, updates=updates, batch_size=8)
    return elman.model("logistic"), 10, options, data, 1 / 3, "the input of one step ago"


def sample_003(generator: Generator, updates: int) -> tuple[Any, ...]:
    """An LSTM of 50 units with one logistic output, binary cross-entropy, Adam, batches of 32, as in document 003."""
    inputs = generator.standard_normal((256, 20, 1))
    target = np.broadcast_to((inputs.sum(axis=1, keepdims=True) > 0).astype(float), inputs.shape)
    options = Options(learning_rate=5e-3, updates=max(1, updates // 5), loss="binary_cross_entropy")
    data = _trials(inputs, target, np.arange(20) == 19)
    return lstm.model().with_output("logistic"), 50, options, data, float(np.log(2)), "whether the sum is positive"


def sample_004(generator: Generator, updates: int) -> tuple[Any, ...]:
    """Ten tanh units and a linear output, Adam, batches of one, as in document 004: 100 sequences of 10 steps."""
    inputs = generator.uniform(size=(200, 10, 1))
    target = np.broadcast_to(inputs.mean(axis=1, keepdims=True), inputs.shape)
    options = Options(learning_rate=1e-3, updates=updates, batch_size=1)
    data = _trials(inputs, target, np.arange(10) == 9)
    return elman.model(), 10, options, data, 1 / 120, "the mean of the sequence"


SAMPLES = {"000": sample_000, "001": sample_001, "002": sample_002, "003": sample_003, "004": sample_004}


def draw(results: Results) -> list[Drawing]:
    """Draw what was saved."""
    notes, rows = results.notes, results.tables["ladder"]
    found = [
        Drawing(
            "distances",
            figures.distances_of_pages(rows, notes["neurons"]),
            "How near the spikes come",
            f"Distance of x between the spiking twin and the rate text, against the LIF neurons in each ensemble; "
            f"{notes['seeds']} networks of {notes['units']} units of each page, a line through their medians.",
        ),
        Drawing(
            "samples",
            figures.sample_curves(
                {document: results.weights[f"history.{document}"] for document in SAMPLES},
                {row["document"]: row["baseline"] for row in results.tables["samples"]},
            ),
            "The documents' samples, corrected",
            "Training error of each; dashed: the best constant answer.",
        ),
    ]
    return found + [
        Drawing(f"page_{name}", figures.typeset_page(texts), name, "Typeset from the functions and the texts that ran.")
        for name, texts in ((name, notes["texts"][name]) for name in notes["pages"])
    ]


def report(results: Results) -> list[Section]:
    """Say what was measured."""
    notes, metrics = results.notes, results.metrics
    n, sizes = notes["seeds"], notes["neurons"]
    lacking = " ".join(f"{name} has no spiking writing: {reason}." for name, reason in notes["lacking"].items())
    names = notes["pages"]

    def rows(*numbers: str) -> list[tuple[str, ...]]:
        return [
            (name, *(f"pages.{name}.{number}" if f"pages.{name}.{number}" in metrics else "" for number in numbers))
            for name in names
        ]

    spikes = [f"nrmse.{size}" for size in sizes]
    spread = [f"nrmse.{sizes[-1]}.{end}" for end in ("least", "most")]
    limited = [name for name in names if f"pages.{name}.limit.decoding" in metrics]
    sections = [
        Section(
            "Every page",
            "The rate text, compiled, against the textbook's own step; the gradient against centred differences; and "
            "the distance of x between the spiking twin and the rate text at the same dt (R5 to R3). " + lacking,
            drawings=["distances"],
            tables=[
                Table(
                    f"Medians of {n} trained networks of {notes['units']} units; neurons counted for each ensemble.",
                    (
                        "page",
                        "exact error",
                        "gradient error",
                        *(f"NRMSE, {size} neurons" for size in sizes),
                        "least",
                        "most",
                    ),
                    rows("exact_error", "gradient_error", *spikes, *spread),
                ),
                Table(
                    f"The same neurons without spikes: their tuning curves (R4). Medians of {n} networks.",
                    ("page", *(f"NRMSE, {size} neurons" for size in sizes)),
                    rows(*(f"without_spikes.{size}" for size in sizes)),
                ),
                Table(
                    f"Error of the task, in the first and the last updates. Medians of {n} networks.",
                    ("page", "first", "last"),
                    rows("error_before", "error"),
                ),
            ],
        )
    ]
    if limited:
        sections.append(
            Section(
                "What limits the gated cell and attention",
                "Decoding: the squared distance without spikes over that with them, at the most neurons; near 1 the "
                "decoders limit, near 0 the spikes' noise. Memory: rank correlation over units of the error "
                "with the time for which the forget gate holds it, 1 / (1 - f).",
                tables=[
                    Table(
                        f"Medians of {n} networks.",
                        ("page", "decoding", "memory"),
                        [row for row in rows("limit.decoding", "limit.memory") if row[0] in limited],
                    )
                ],
            )
        )
    return [
        *sections,
        Section(
            "The documents' samples",
            "Lines as they stand in the documents, what is wrong with them, and the corrected form, which was trained.",
            drawings=["samples"],
            tables=[
                Table(
                    "Faults.",
                    {"document": "document", "line": "line", "fault": "fault", "instead": "corrected form"},
                    records="faults",
                ),
                Table(
                    "Corrected samples: error of new trials, and of the best constant answer (n = 1).",
                    {
                        "document": "document",
                        "network": "network",
                        "task": "task",
                        "updates": "updates",
                        "error": "error",
                        "baseline": "constant",
                    },
                    records="samples",
                ),
            ],
        ),
        Section(
            "The documents' equations beside their twins",
            drawings=[f"page_{name}" for name in names],
            tables=[
                Table(
                    "The five recurrences, and the pages that hold them.",
                    {"document": "document", "printed": "as printed", "page": "page"},
                    records="equations",
                )
            ],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
