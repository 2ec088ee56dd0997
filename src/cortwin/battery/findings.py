"""What a check finds: a measured number beside its bar, or the reason why there is nothing to measure."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """What one check measured.

    Parameters
    ----------
    text : what was held against what
    measured, bar : the number, and the most that it may be; both None where the check counts nothing
    least : the number must be above it: a comparison that gives exactly 0 may have compared nothing
    """

    text: str
    measured: float | None = None
    bar: float | None = None
    least: float = -math.inf

    @property
    def passed(self) -> bool:
        """Whether the number is within its bar; NaN is not."""
        return self.measured is None or self.bar is None or self.least < self.measured <= self.bar


@dataclass(frozen=True)
class Missing:
    """Nothing to measure, and why: a writing that the page lacks."""

    reason: str


@dataclass(frozen=True)
class Finding:
    """One line of a page's examination.

    Parameters
    ----------
    check : its name
    variant : arguments of ``model()``, as text; empty for what holds of the page as a whole
    passed : None where there was nothing to measure
    text : what was found, or what is wrong
    measured, bar : as of `Found`
    """

    check: str
    variant: str
    passed: bool | None
    text: str
    measured: float | None = None
    bar: float | None = None

    @property
    def mark(self) -> str:
        """``"ok"``, ``"FAILED"``, or a dash where there was nothing to measure."""
        return {True: "ok", False: "FAILED", None: "–"}[self.passed]

    @property
    def numbers(self) -> str:
        """The measured number and its bar, for instance ``"4.4e-16 <= 1e-10"``."""
        if self.measured is None or self.bar is None:
            return ""
        # A number that is too small to count as one fails below its bar.
        relation = "<=" if self.passed else ">" if self.measured > self.bar else "against"
        return f"{self.measured:.2g} {relation} {self.bar:g}".replace("e-0", "e-").replace("e+", "e")
