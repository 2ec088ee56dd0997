"""One experiment over several seeds: every metric with its interval, and twins compared within each seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from cortwin import figures
from cortwin.analysis import COVERAGE, Paired, Summary, paired, reason_of, summarise
from cortwin.comparison import Page
from cortwin.errors import CortwinError
from cortwin.provenance import causes, compare_parameters
from cortwin.report import REASON, cell
from cortwin.results import Drawing, Results, Section, Table
from cortwin.run_directory import PARAMETERS, FinishedRun

# Words in the names of metrics that are compared within a run: the writings, a trained network with an untrained one,
# and a readout fitted anew with the trained one.
PAIRS = (
    ("textbook", "rate"),
    ("textbook", "spiking"),
    ("rate", "spiking"),
    ("untrained", "spiking"),
    ("refitted", "transferred"),
)
# Not a cause that could make runs incomparable: the seed must differ, and what is recorded may be a result.
_EXPECTED = ("seed", "recorded ")
LADDER = "ladder"


@dataclass(frozen=True)
class Seeds:
    """Metrics of runs that differ in their seed alone.

    Parameters
    ----------
    experiment : of all runs
    seeds : of each run
    values : metric -> (runs,) ndarray, NaN where a run has no value
    reasons : metric -> why it has none, of the first run that says so
    tables : of each run
    parameters : of all runs
    quick : whether sizes are small
    differing : what else is not the same, for instance a version: fact -> its values
    """

    experiment: str
    seeds: tuple[int, ...]
    values: Mapping[str, np.ndarray]
    reasons: Mapping[str, str]
    tables: Sequence[Mapping[str, list[dict[str, Any]]]]
    parameters: Mapping[str, Any]
    quick: bool
    differing: Mapping[str, tuple[str, ...]]


def gather(runs: Sequence[FinishedRun], only: Sequence[str] = ()) -> Seeds:
    """Put the metrics of several runs beside each other.

    Parameters
    ----------
    runs : finished runs of one experiment with the same parameters, each with a seed of its own
    only : patterns as in a shell, ``"readout.*"``; metrics that match none are left out

    Raises
    ------
    CortwinError
        If runs are of different experiments or parameters, if a seed comes twice, if metrics are damaged, or if no
        metric matches.
    """
    if len(runs) < 2:
        raise CortwinError(f"a summary needs at least 2 runs of different seeds, got {len(runs)}")
    runs = sorted(runs, key=lambda run: run.manifest["seed"])
    first = runs[0]
    for run, before in zip(runs[1:], runs, strict=False):
        if run.manifest["experiment"] != first.manifest["experiment"]:
            raise CortwinError(
                f"{run.path} is of the experiment {run.manifest['experiment']!r}, {first.path} of "
                f"{first.manifest['experiment']!r}: summarise one experiment at a time"
            )
        for name, one, other in compare_parameters(first.json(PARAMETERS), run.json(PARAMETERS)):
            raise CortwinError(
                f"{name} is {one} in {first.path} and {other} in {run.path}: runs are summarised over seeds alone; "
                "`cortwin diff` compares two, `cortwin sweep` goes through parameters"
            )
        if run.manifest["seed"] == before.manifest["seed"]:
            raise CortwinError(f"{before.path} and {run.path} both have seed {run.manifest['seed']}: count it once")
    every = [run.metrics() for run in runs]
    names = list(dict.fromkeys(name for one in every for name in one.metrics))
    if only:
        names = [name for name in names if any(fnmatchcase(name, pattern) for pattern in only)]
        if not names:
            raise CortwinError(f"no metric is called {' or '.join(only)}; `cortwin show {first.path}` lists them")
    return Seeds(
        experiment=first.manifest["experiment"],
        seeds=tuple(run.manifest["seed"] for run in runs),
        values={name: np.array([_value(one, name) for one in every]) for name in names},
        reasons={name: next((one.reasons[name] for one in every if name in one.reasons), "") for name in names},
        tables=[one.tables for one in every],
        parameters=first.json(PARAMETERS),
        quick=any(run.manifest["quick"] for run in runs),
        differing=_differing(runs),
    )


def summaries(found: Seeds, *, level: float = 0.95, statistic: str = "mean") -> dict[str, Summary]:
    """Summarise every metric over the seeds; the same runs give the same intervals."""
    return {name: summarise(values, _generator(name), level, statistic) for name, values in found.values.items()}


def pairs(found: Seeds, *, level: float = 0.95) -> dict[tuple[str, str, str], Paired]:
    """Compare, within each seed, the metrics whose names differ in one word of `PAIRS`.

    Returns
    -------
    dict
        (name with ``*`` in place of the word, first word, second word) -> differences second less first
    """
    compared = {}
    for name in found.values:
        words = name.split(".")
        for k, word in enumerate(words):
            for first, second in PAIRS:
                other = ".".join([*words[:k], second, *words[k + 1 :]])
                if word == first and other in found.values:
                    family = ".".join([*words[:k], "*", *words[k + 1 :]])
                    values = found.values[name], found.values[other]
                    draw = _generator(f"{family} {first} {second}")
                    compared[family, first, second] = paired(*values, draw, level)
    return dict(sorted(compared.items(), key=lambda item: item[0][0]))


def coverage_in_words(n: int, level: float) -> str:
    """Say how far an interval over so few runs can be trusted, empty where it can."""
    known = [size for size in COVERAGE if size <= n]
    if not known or level != 0.95 or n >= 30:
        return ""
    return (
        f"Bootstrap intervals of few runs are too narrow: of normally distributed values, {max(known)} at a time, "
        f"they hold the mean in {100 * COVERAGE[max(known)]:.0f} % of cases and not in 95 %."
    )


def seeds_page(found: Seeds, *, level: float = 0.95, statistic: str = "mean") -> Page:
    """Put summaries, comparisons and figures on one page.

    Returns
    -------
    Page
        With the tables ``metrics`` (one row a metric), ``pairs`` (differences within seeds) and ``runs`` (every value).
    """
    summarised, compared = summaries(found, level=level, statistic=statistic), pairs(found, level=level)
    n = len(found.seeds)
    which = f"n = {n} runs, seeds {', '.join(map(str, found.seeds))}"
    tables = {
        "metrics": [_metric_row(found, name, one) for name, one in summarised.items()],
        "pairs": [_pair_row(*key, one) for key, one in compared.items()],
        "runs": [
            {"metric": name, "seed": seed, "value": _finite(value)}
            for name, values in found.values.items()
            for seed, value in zip(found.seeds, values.tolist(), strict=True)
        ],
        "differing": [{"fact": fact, "values": ", ".join(values)} for fact, values in found.differing.items()],
    }
    drawings = _drawings(found, summarised, which, statistic, level)
    percent = f"{100 * level:g} %"
    metrics_table = Table(
        f"Every metric over {which}; n in the table: the runs in which it has a value. Interval: {percent}, bootstrap.",
        {"metric": "metric", "n": "n", statistic: statistic, "interval": "interval", "sd": "s.d."},
        records="metrics",
    )
    columns = {"metric": "metric", "pair": "", "difference": "difference", "interval": "interval",
               "effect_size": "effect size", "larger": "larger in", "p": "p"}  # fmt: skip
    if not any(math.isfinite(one.p) for one in compared.values()):
        del columns["p"]
    pairs_table = Table(
        f"Differences within seeds, over {which}. Interval of the mean difference: {percent}, bootstrap over seeds. "
        "Effect size: mean over standard deviation of the differences, with Hedges' correction. Larger in: how many "
        "differences are above 0."
        + (" p: signed-rank test, not corrected for the number of comparisons." if "p" in columns else ""),
        columns,
        records="pairs",
    )
    sections = [Section(f"Over {n} seeds", coverage_in_words(n, level), [one.name for one in drawings])]
    if compared:
        sections.append(Section("Twins within a seed", tables=[pairs_table]))
    sections.append(Section("All metrics", tables=[metrics_table]))
    if found.differing:
        caption = "Not the same in all runs, beside the seed."
        sections.append(Section("Origin", tables=[Table(caption, {"fact": "", "values": ""}, records="differing")]))
    return Page(
        kind="summary",
        experiment=found.experiment,
        title=f"{found.experiment} over {n} seeds",
        made=f"Seeds {', '.join(map(str, found.seeds))}",
        quick=found.quick,
        tables={name: rows for name, rows in tables.items() if rows},
        shown={
            "metrics": [{**row, "interval": interval_in_words(row["low"], row["high"])} for row in tables["metrics"]],
            "pairs": [
                {
                    **row,
                    "interval": interval_in_words(row["low"], row["high"]),
                    "pair": f"{row['second']} − {row['first']}",
                }
                for row in tables["pairs"]
            ],
        },
        drawings=drawings,
        sections=sections,
    )


def _drawings(
    found: Seeds, summarised: Mapping[str, Summary], which: str, statistic: str, level: float
) -> list[Drawing]:
    drawings = []
    curve = _ladder_curve(found, level)
    if curve:
        units = found.parameters.get("units", {}).get("value")
        drawings.append(
            Drawing(
                "cover",
                figures.neurons_per_unit(
                    {str(found.parameters.get("activation", {}).get("text", "R5")): curve},
                    units=units if isinstance(units, int) else None,
                ),
                figures.QUESTION,
                f"Mean over {which}; band: {100 * level:g} % bootstrap interval.",
            )
        )
    caption = f"Over {which}. Points: runs, joined by seed; bars: {statistic} and {100 * level:g} % bootstrap interval."
    for group, panels in figures.panels_over_runs(found.values).items():
        marks = {
            name: (one.centre, one.low, one.high)
            for name, one in summarised.items()
            if any(name in panel.metrics.values() for panel in panels)
        }
        figure = figures.values_over_runs(panels, found.values, marks)
        drawings.append(Drawing(f"over_seeds.{group}", figure, group, caption))
    return drawings


def _ladder_curve(found: Seeds, level: float) -> list[dict[str, Any]]:
    """Return the distance of the spiking twin by neurons per unit, with its interval over the seeds."""
    sizes: dict[int, list[float]] = {}
    for tables in found.tables:
        for row in tables.get(LADDER, []):
            if row.get("rung") == "R5" and row.get("nrmse") is not None:
                sizes.setdefault(row["neurons_per_unit"], []).append(row["nrmse"])
    rows = []
    for size, values in sorted(sizes.items()):
        if len(values) == len(found.seeds):
            one = summarise(values, _generator(f"ladder {size}"), level)
            rows.append({"rung": "R5", "neurons_per_unit": size, "nrmse": one.mean, "low": one.low, "high": one.high})
    return rows


def _metric_row(found: Seeds, name: str, one: Summary) -> dict[str, Any]:
    left_out = f"no value in {one.runs - one.n} of {one.runs}" if one.n < one.runs else ""
    reason = ": ".join(filter(None, [left_out, found.reasons[name]])) or reason_of(one.low)
    return {
        "metric": name, "n": one.n, "runs": one.runs, "mean": _finite(one.mean), "median": _finite(one.median),
        "sd": _finite(one.sd), "low": _finite(one.low), "high": _finite(one.high), "statistic": one.statistic,
        "level": one.level, REASON: reason,
    }  # fmt: skip


def _pair_row(family: str, first: str, second: str, one: Paired) -> dict[str, Any]:
    return {
        "metric": family, "first": first, "second": second, "n": one.n, "runs": one.runs,
        "difference": _finite(one.difference), "low": _finite(one.low), "high": _finite(one.high),
        "effect_size": _finite(one.effect_size), "larger": f"{one.larger} of {one.n}", "p": _finite(one.p),
        "level": one.level, REASON: "; ".join(dict.fromkeys(filter(None, map(reason_of, (one.effect_size, one.p))))),
    }  # fmt: skip


def interval_in_words(low: float | None, high: float | None) -> str | None:
    """Set an interval with two significant digits of its width, None where there is none."""
    if low is None or high is None:
        return None
    decimals = 1 - math.floor(math.log10(high - low)) if high > low else -1
    if 0 <= decimals <= 5:
        return f"{low:.{decimals}f} to {high:.{decimals}f}".replace("-", "−")
    return f"{cell(low, 4).plain} to {cell(high, 4).plain}"


def _differing(runs: Sequence[FinishedRun]) -> dict[str, tuple[str, ...]]:
    first, facts = runs[0].manifest, {}
    for run in runs[1:]:
        for cause in causes(first, run.manifest):
            if not cause.what.startswith(_EXPECTED):
                facts.setdefault(cause.what, [cause.first])
                if cause.second not in facts[cause.what]:
                    facts[cause.what].append(cause.second)
    return {fact: tuple(values) for fact, values in facts.items()}


def _value(results: Results, name: str) -> float:
    value = results.metrics.get(name)
    return math.nan if value is None else float(value)


def _generator(purpose: str) -> np.random.Generator:
    """Draw the resamples of one number: always the same, whatever else is summarised."""
    return np.random.default_rng(list(hashlib.sha256(purpose.encode()).digest()))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
