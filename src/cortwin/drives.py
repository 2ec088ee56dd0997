"""Drive: what a population hears from sources that are not simulated."""

from __future__ import annotations

from dataclasses import dataclass

from cortwin.errors import CortwinError

# The event count of one neuron in one step; Brian2 has the function for each of its targets.
POISSON = "poisson"


@dataclass(frozen=True)
class PoissonDrive:
    """Independent Poisson sources onto every neuron of a population, of the same rate and weight.

    In a step of dt the ``variable`` of each neuron grows by ``weight`` times a Poisson number of mean
    ``number * rate * dt``: what that many independent Poisson processes deliver. It arrives with the spikes (Brian2's
    slot ``synapses``), and not at a variable that is held while the neuron is refractory. Every compiler draws this
    number. Brian2's `PoissonInput` draws another one: binomial of ``number`` trials, because each source fires at most
    once in a step, whose variance is smaller by the factor ``1 - rate * dt``, and a normal one where more than 5 events
    are expected. Binomial and Poisson are at most ``rate * dt`` apart in total variation (Barbour & Hall 1984,
    doi:10.1017/S0305004100061806).

    Parameters
    ----------
    target : name of the population
    variable : what grows, a state or parameter of it
    number : of sources for each neuron
    rate : name of the constant that holds the rate of one source
    weight : name of the constant that is added for each event

    Raises
    ------
    CortwinError
        When the number of sources is not a positive whole number.
    """

    target: str
    variable: str
    number: int
    rate: str
    weight: str

    def __post_init__(self) -> None:
        """Check the number of sources."""
        if not isinstance(self.number, int) or self.number < 1:
            raise CortwinError(
                f"the Poisson drive of {self.target}.{self.variable} has {self.number} sources, "
                "must be a whole number of at least 1"
            )

    @property
    def statement(self) -> str:
        """Brian2 statement of one step."""
        return f"{self.variable} += {POISSON}({self.number}*{self.rate}*dt)*{self.weight}"
