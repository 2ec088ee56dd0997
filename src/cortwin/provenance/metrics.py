"""The metrics of two runs, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cortwin.results import Results


@dataclass(frozen=True)
class MetricDifference:
    """A metric that is not the same in two runs.

    Parameters
    ----------
    name : of the metric
    first, second : its values; None where it is undefined
    reason : why one of them is undefined
    """

    name: str
    first: float | None
    second: float | None
    reason: str = ""

    @property
    def absolute(self) -> float:
        """Second minus first, NaN where one of them is undefined."""
        if self.first is None or self.second is None:
            return math.nan
        return float(self.second) - float(self.first)

    @property
    def relative(self) -> float:
        """The same over the larger of the two in size, between -2 and 2."""
        largest = max(abs(self.first or 0.0), abs(self.second or 0.0))
        return self.absolute / largest if largest else math.nan


@dataclass(frozen=True)
class MetricsComparison:
    """All metrics of two runs.

    Parameters
    ----------
    different : the largest relative difference first, undefined ones at the end
    equal : how many are the same in both
    only_first, only_second : names that the other run lacks
    """

    different: tuple[MetricDifference, ...]
    equal: int
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def compare_metrics(first: Results, second: Results) -> MetricsComparison:
    """Compare the metrics of two runs; undefined in both for the same reason is the same."""
    different = []
    common = [name for name in first.metrics if name in second.metrics]
    for name in common:
        reasons = _reason(first, name), _reason(second, name)
        if first.metrics[name] != second.metrics[name] or reasons[0] != reasons[1]:
            reason = "; ".join(dict.fromkeys(filter(None, reasons)))
            different.append(MetricDifference(name, first.metrics[name], second.metrics[name], reason))
    different.sort(key=_order)
    return MetricsComparison(
        tuple(different),
        len(common) - len(different),
        tuple(sorted(set(first.metrics) - set(common))),
        tuple(sorted(set(second.metrics) - set(common))),
    )


def compare_parameters(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name and both texts of every parameter whose value is not the same.

    Parameters
    ----------
    first, second : contents of `parameters.json`
    """
    rows = []
    for name in [*first, *(name for name in second if name not in first)]:
        one, other = first.get(name), second.get(name)
        if one is None or other is None or one["value"] != other["value"]:
            texts = [part["text"] if part else "there is none" for part in (one, other)]
            # Values that differ in digits that are not displayed.
            if texts[0] == texts[1] and one and other:
                texts = [repr(one["value"]), repr(other["value"])]
            rows.append((name, *texts))
    return rows


def _reason(results: Results, name: str) -> str:
    return results.reasons.get(name, "") if results.metrics[name] is None else ""


def _order(one: MetricDifference) -> tuple[bool, float, str]:
    relative = one.relative
    return math.isnan(relative), -abs(relative) if not math.isnan(relative) else 0.0, one.name
