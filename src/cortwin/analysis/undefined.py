"""A number that is not defined, and why."""

from __future__ import annotations


class Undefined(float):
    """A NaN that carries the reason why a measure has no value.

    It is a float like any other NaN, so that tables, files and arithmetic need no second case.

    Parameters
    ----------
    reason : one sentence, for the reader of a report

    Examples
    --------
    >>> Undefined("the network is silent")
    nan (the network is silent)
    """

    reason: str

    def __new__(cls, reason: str) -> Undefined:
        """Make the NaN and hang the reason on it."""
        value = super().__new__(cls, "nan")
        value.reason = reason
        return value

    def __repr__(self) -> str:
        """Show the reason with the NaN."""
        return f"nan ({self.reason})"


def reason_of(value: float) -> str:
    """Return why a measure is NaN, or an empty string."""
    return getattr(value, "reason", "")
