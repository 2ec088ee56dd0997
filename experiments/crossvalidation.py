"""Hidden size, learning rate, batch size and optimiser by cross-validation, and how far its scores can be trusted.

Documents 002 and 003 choose them so, and say what each does to over-fitting. Here scikit-learn's own search goes over
the estimators, on the judgements of subjects who are biased: folds that part the trials of one subject promise what no
new subject gives, the best score of a grid promises more than its winner keeps, and both are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold

from cortwin import figures
from cortwin.analysis import paired, summarise
from cortwin.catalogue import page_module
from cortwin.errors import CortwinError
from cortwin.estimator import RNNClassifier
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.tasks import Choices, ChoiceTask
from cortwin.training import OPTIMIZERS, Options, Penalties, fit, outputs, textbook_activity

PAGES = ("elman", "gru", "jordan", "relay", "lstm", "sublstm", "feedforward")
SCORING = "neg_log_loss"  # minus the cross-entropy in nats
NEW_SUBJECTS, NEW_TRIALS = 200, 10  # behind what is called the score of new subjects
NAMES = {
    "units": "units", "learning_rate": "learning rate", "batch_size": "batch size", "optimizer": "optimiser",
}  # fmt: skip
# What document 003 says of each.
CLAIMS = {
    "units": "more do better, and may over-fit",
    "learning_rate": "smaller ones train longer, and may over-fit",
    "batch_size": "larger ones train faster, and may over-fit",
    "optimizer": "Adam is usually a good choice",
}
SCORES = {
    "plain": "best of the grid,\nplain folds", "grouped": "best of the grid,\nfolds of subjects",
    "nested": "nested,\nfolds of subjects", "new": "new subjects",
}  # fmt: skip
# Against over-fitting: what is changed, and how many times the sequences of each subject there are.
REMEDIES: dict[str, tuple[dict[str, Any], int]] = {
    "none": ({}, 1),
    "dropout": ({"dropout": 0.5}, 1),
    "weight_decay": ({"penalties": Penalties(weight=3e-3)}, 1),
    "more_data": ({}, 8),
}
FEW = (8, 8)  # subjects to train on, and sequences of each


def compute(
    run: Run,
    *,
    page: Annotated[str, Parameter("which network", choices=PAGES)] = "elman",
    subjects: Annotated[int, Parameter("subjects; folds are of whole subjects", quick=9, minimum=6)] = 12,
    trials: Annotated[int, Parameter("sequences of each subject", minimum=4)] = 20,
    folds: Annotated[int, Parameter("folds of every cross-validation", quick=3, minimum=3)] = 4,
    epochs: Annotated[int, Parameter("how often the sequences are gone through", minimum=1)] = 40,
    units: Annotated[tuple[int, ...], Parameter("hidden sizes", quick=(2, 8), minimum=1)] = (2, 4, 8, 16, 32),
    learning_rates: Annotated[tuple[float, ...], Parameter("learning rates", quick=(0.003, 0.03), above=0)] = (
        *(1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    ),
    batch_sizes: Annotated[tuple[int, ...], Parameter("batch sizes", quick=(8, 32), minimum=1)] = (4, 8, 16, 32, 64),
    optimizers: Annotated[
        tuple[str, ...], Parameter("optimisers", choices=tuple(OPTIMIZERS), quick=("sgd", "adam"))
    ] = (*OPTIMIZERS,),
    sets: Annotated[int, Parameter("sets of subjects on which scores are compared", quick=2, minimum=2)] = 8,
    networks: Annotated[int, Parameter("networks behind the curves of over-fitting", quick=2, minimum=2)] = 5,
    remedies: Annotated[
        tuple[str, ...], Parameter("against over-fitting", choices=tuple(REMEDIES), quick=("none", "more_data"))
    ] = tuple(REMEDIES),
    updates: Annotated[int, Parameter("updates of the curves of over-fitting", quick=100, minimum=20)] = 1000,
) -> Results:
    """Search, compare the scores with those of new subjects, and over-fit on purpose."""
    if subjects < 2 * folds:
        raise CortwinError(
            f"subjects is {subjects}, must be at least twice the folds, {2 * folds}: folds hold subjects out"
        )
    task = ChoiceTask()
    data = task.trials(subjects, trials, run.generator("subjects"))
    new = task.trials(NEW_SUBJECTS, NEW_TRIALS, run.generator("new subjects"))
    network = RNNClassifier(page, epochs=epochs, units=8, random_state=run.generator("weights").integers(2**31))
    grids = {
        "architecture": {"units": list(units), "learning_rate": list(learning_rates)},
        "training": {"batch_size": list(batch_sizes), "optimizer": list(optimizers)},
    }
    metrics: dict[str, Any] = {
        "crossvalidation.floor.known_subjects": task.best(known=True),
        "crossvalidation.floor.new_subjects": task.best(known=False),
        "crossvalidation.constant": float(np.log(2)),
    }
    tables: dict[str, list[dict[str, Any]]] = {}
    chosen: dict[str, Any] = {}
    # One process: it shares what XLA compiled, where workers would compile every network again, and so the same bits.
    with run.timed("grids"), run.progress("grids", len(grids)) as bar:
        for name, grid in grids.items():
            found = search(network, grid, GroupKFold(folds)).fit(data.X, data.y, groups=data.subjects)
            tables[name] = rows = grid_rows(found, list(grid))
            best = rows[found.best_index_]
            chosen |= {parameter: best[parameter] for parameter in grid}
            metrics |= {f"crossvalidation.{name}.best.{n}": v for n, v in best.items() if n not in grid}
            bar.advance()
    small = {"units": sorted(units)[-3:], "learning_rate": sorted(learning_rates)[-3:]}
    with run.timed("scores"), run.progress("sets of subjects", sets) as bar:
        tables["scores"] = []
        for seed in run.seed_sequence("sets").spawn(sets):
            tables["scores"].append(scores(network, small, task, (subjects, trials), folds, new, seed))
            bar.advance()
    metrics |= over_sets(run, tables["scores"])
    with run.timed("overfitting"), run.progress("over-fitting", len(remedies) * networks) as bar:
        tables["curves"], tables["remedies"] = overfit(run, page, task, remedies, networks, updates, bar.advance)
    for row in tables["remedies"]:
        metrics |= {f"crossvalidation.overfitting.{row['remedy']}.{n}": v for n, v in row.items() if n != "remedy"}
    return Results(
        metrics,
        tables=tables,
        notes={
            "page": page,
            "folds": folds,
            "chosen": chosen,
            "remedies": list(remedies),
            "sets": sets,
            "networks": networks,
            "n": len(data.y),
        },
    )


def search(network: RNNClassifier, grid: dict[str, Any], folds: Any) -> GridSearchCV:
    """Return scikit-learn's search of the smallest cross-entropy."""
    # scikit-learn's types forbid the word that its documentation names.
    strict: Any = "raise"
    return GridSearchCV(network, grid, scoring=SCORING, cv=folds, return_train_score=True, error_score=strict)


def grid_rows(found: GridSearchCV, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row for each combination: cross-entropies of held-out and of trained folds, and their spread."""
    results = found.cv_results_
    rows = []
    for k, chosen in enumerate(results["params"]):
        row = {name: chosen[name] for name in names}
        for part, label in (("test", "error"), ("train", "training_error")):
            row |= {
                label: -float(results[f"mean_{part}_score"][k]),
                f"{label}_sd": float(results[f"std_{part}_score"][k]),
            }
        rows.append(row)
    return rows


def scores(
    network: RNNClassifier, grid: dict[str, Any], task: ChoiceTask, size: tuple[int, int], folds: int, new: Choices,
    seed: np.random.SeedSequence,
) -> dict[str, float]:  # fmt: skip
    """Return, for one set of subjects, what cross-validations promise of the chosen network and what it keeps.

    Returns
    -------
    dict of cross-entropies: ``plain`` (the winner's own folds, which part subjects), ``grouped`` (whole subjects),
    ``nested`` (whole subjects that the choice has not seen either) and ``new``, of new subjects
    """
    data = task.trials(*size, np.random.default_rng(seed))
    whole = GroupKFold(folds)
    # One fold fewer inside: every fold then holds out as many subjects as outside.
    inside = GroupKFold(folds - 1)
    plain = search(network, grid, KFold(folds, shuffle=True, random_state=0)).fit(data.X, data.y)
    grouped = search(network, grid, whole).fit(data.X, data.y, groups=data.subjects)
    nested = []
    for train, test in whole.split(data.X, data.y, data.subjects):
        inner = search(network, grid, inside).fit(data.X[train], data.y[train], groups=data.subjects[train])
        nested.append(-float(np.asarray(inner.score(data.X[test], data.y[test]))))
    kept = {name: log_loss(new.y, found.predict_proba(new.X)) for name, found in (("", grouped), ("_plain", plain))}
    return {
        "plain": -plain.best_score_, "grouped": -grouped.best_score_, "nested": float(np.mean(nested)),
        **{f"new{name}": float(value) for name, value in kept.items()},
    }  # fmt: skip


def over_sets(run: Run, rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return means of the scores over sets, and how far each promise is from what is kept."""
    generator, metrics = run.generator("intervals"), {}
    column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    for name, values in column.items():
        found = summarise(values, generator)
        metrics |= named(f"crossvalidation.scores.{name}", found.mean, found.low, found.high)
    # How much better a score is than what new subjects give the same winner.
    for name, kept in (("plain", "new_plain"), ("grouped", "new"), ("nested", "new")):
        found = paired(column[name], column[kept], generator)
        metrics |= named(f"crossvalidation.optimism.{name}", found.difference, found.low, found.high)
    return metrics


def named(name: str, value: float, low: float, high: float) -> dict[str, float]:
    """Return a number and its interval under the names of `metrics.json`."""
    return {name: value, f"{name}.low": low, f"{name}.high": high}


def overfit(
    run: Run, page: str, task: ChoiceTask, remedies: Sequence[str], networks: int, updates: int, advance: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Train on few sequences with each remedy; return the curves and what new subjects give.

    Returns
    -------
    rows of the curves (``remedy``, ``network``, ``update``, ``training``, ``validation``), and a row for each remedy:
    means over networks of the errors at the last update and where validation was best (``stopped``)
    """
    model = page_module(page).model().with_output("logistic")
    new = task.trials(NEW_SUBJECTS, NEW_TRIALS, run.generator("new subjects"))
    interval = max(1, updates // 50)
    curves, rows = [], []
    for remedy in remedies:
        changed, times = REMEDIES[remedy]
        found = []
        for number, seed in enumerate(run.seed_sequence("few sequences").spawn(networks)):
            of_trials, of_held, of_weights, of_batches = (np.random.default_rng(child) for child in seed.spawn(4))
            few, held = task.trials(FEW[0], FEW[1] * times, of_trials), task.trials(FEW[0], 4 * FEW[1], of_held)
            X, target, mask = asked(np.concatenate([few.X, held.X]), np.concatenate([few.y, held.y]))
            start = model.initial(of_weights, task.inputs, 32, 1)
            # All sequences in every update: the training error is exact.
            options = Options(
                "binary_cross_entropy", learning_rate=3e-3, updates=updates, batch_size=None, interval=interval,
                validation_trials=tuple(range(len(few.y), len(X))), **changed,
            )  # fmt: skip
            done = fit(model, start, X, target, alpha=1.0, options=options, generator=of_batches, mask=mask)
            history = done.history
            at = history["validation_update"]
            # The error before update k is that after k updates; the last is not followed by another.
            training = [float(history["error"][min(update, updates - 1)]) for update in at]
            curves += [
                {"remedy": remedy, "network": number, "update": int(u), "training": t, "validation": float(v)}
                for u, t, v in zip(at, training, history["validation_loss"], strict=True)
            ]
            h = textbook_activity(model, done.parameters, new.X, 1.0)[1]
            probability = np.asarray(outputs(model, done.parameters, h))[:, -1, 0]
            found.append(
                {
                    "training": training[-1],
                    "held_out": float(history["validation_loss"][-1]),
                    "held_out.stopped": float(history["validation_loss"].min()),
                    "new.stopped": float(log_loss(new.y, probability)),
                    "update.stopped": float(done.best_update),
                }
            )
            advance()
        rows.append({"remedy": remedy, **{name: float(np.mean([one[name] for one in found])) for name in found[0]}})
    return curves, rows


def asked(X: np.ndarray, y: np.ndarray) -> tuple[Any, Any, np.ndarray]:
    """Return sequences, targets and a mask: the answer is asked for after the last input."""
    target, mask = np.zeros((*X.shape[:2], 1)), np.zeros(X.shape[:2])
    target[:, -1, 0], mask[:, -1] = y, 1
    return X, target, mask


def draw(results: Results) -> list[Drawing]:
    """Draw what was saved."""
    notes, metrics, tables = results.notes, results.metrics, results.tables
    n, folds = notes["n"], notes["folds"]
    maps = [
        Drawing(
            name,
            figures.search_maps(tables[name], *parameters, names=NAMES),
            f"{NAMES[parameters[0]].capitalize()} and {NAMES[parameters[1]]}",
            f"Cross-entropy of the {notes['page']} network, mean and standard deviation over {folds} folds of whole "
            f"subjects, {n} sequences in all, one network a fold. The frame: the smallest on held-out subjects. A "
            "constant answer has {crossvalidation.constant:.2f}, the best for new subjects "
            "{crossvalidation.floor.new_subjects:.2f}.",
        )
        for name, parameters in {
            "architecture": ("learning_rate", "units"),
            "training": ("optimizer", "batch_size"),
        }.items()
    ]
    by_remedy = {name: [row for row in tables["curves"] if row["remedy"] == name] for name in notes["remedies"]}
    updates = sorted({row["update"] for row in tables["curves"]})
    shape = (notes["networks"], len(updates))
    curves = {
        name.replace("_", " "): {
            "update": updates,
            **{part: np.reshape([row[part] for row in rows], shape) for part in ("training", "validation")},
        }
        for name, rows in by_remedy.items()
    }
    stopped = {name: np.take(updates, one["validation"].argmin(axis=1)) for name, one in curves.items()}
    floors = {"new subjects, at best": "new_subjects", "known subjects, at best": "known_subjects"}
    return [
        *maps,
        Drawing(
            "scores",
            figures.promised_and_kept(
                tables["scores"],
                SCORES,
                {label: metrics[f"crossvalidation.floor.{name}"] for label, name in floors.items()},
            ),
            "What is promised and what is kept",
            f"Each line: one of {notes['sets']} sets of subjects, searched anew. Thick: means. New subjects: the "
            f"network that folds of subjects chose, fitted to the whole set, on {NEW_SUBJECTS} others. Dashed: the "
            "smallest there is.",
        ),
        Drawing(
            "overfitting",
            figures.overfitting_curves(curves, floor=metrics["crossvalidation.floor.new_subjects"], stopped=stopped),
            "Over-fitting",
            f"Errors against updates, 32 units trained on {FEW[0] * FEW[1]} sequences of {FEW[0]} subjects (more data: "
            f"8 times as many). Lines: means of {notes['networks']} networks, each on data of its own; bands: least "
            "to most; marks: where held-out subjects are predicted best. With dropout the training error is that of "
            "the thinned network.",
        ),
    ]


def report(results: Results) -> list[Section]:
    """Tell what was chosen, and what to believe of it."""
    notes = results.notes
    ends = ("", ".low", ".high")
    chosen = "; ".join(
        f"{NAMES[name]} {value} ({CLAIMS[name]}, says document 003)" for name, value in notes["chosen"].items()
    )
    columns = ("training", "held_out", "held_out.stopped", "new.stopped", "update.stopped")
    sets = notes["sets"]
    return [
        Section(
            "Two grids",
            "Documents 002 and 003 choose the hidden size, the learning rate, the batch size and the optimiser by "
            f"cross-validation. Chosen here: {chosen}.",
            drawings=["architecture", "training"],
        ),
        Section(
            "What the scores are worth",
            "Folds that part the trials of one subject let a network learn who it is: their best score is better "
            "than what new subjects give by {crossvalidation.optimism.plain:.3f} nats. Of folds of whole subjects the "
            "best score is better by {crossvalidation.optimism.grouped:.3f}: the winner was chosen by it. Of nested "
            "folds, whose choice has not seen the subjects that are scored, it is "
            "{crossvalidation.optimism.nested:.3f}. Where every fold chooses alike, the two are the same.",
            drawings=["scores"],
            tables=[
                Table(
                    f"Cross-entropy (nats), means over {sets} sets of subjects with bootstrap intervals (95 %, BCa).",
                    ("score", "mean", "low", "high"),
                    [
                        (t.replace("\n", " "), *(f"crossvalidation.scores.{s}{e}" for e in ends))
                        for s, t in SCORES.items()
                    ],
                ),
                Table(
                    f"Optimism: cross-entropy on new subjects less the score, paired over {sets} sets.",
                    ("score", "mean", "low", "high"),
                    [
                        (SCORES[s].replace("\n", " "), *(f"crossvalidation.optimism.{s}{e}" for e in ends))
                        for s in ("plain", "grouped", "nested")
                    ],
                ),
            ],
        ),
        Section(
            "Over-fitting, and what helps",
            drawings=["overfitting"],
            tables=[
                Table(
                    f"Means over {notes['networks']} networks. Stopped: at the update that held-out subjects "
                    "choose; new subjects had no part in it.",
                    ("", "training", "held out", "held out, stopped", "new subjects, stopped", "stopped at update"),
                    [
                        (r.replace("_", " "), *(f"crossvalidation.overfitting.{r}.{c}" for c in columns))
                        for r in notes["remedies"]
                    ],
                )
            ],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
