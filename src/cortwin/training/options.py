"""How a network is trained: one frozen record, checked when it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from cortwin.errors import CortwinError
from cortwin.training.loss import LOSSES, Penalties
from cortwin.training.optimizers import OPTIMIZERS, SCHEDULES
from cortwin.training.routes import ROUTES

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Options:
    """Options of `fit`.

    Attributes
    ----------
    loss : ``"mean_squared_error"`` of the output, whatever its link; ``"binary_cross_entropy"`` of a logistic output;
        ``"categorical_cross_entropy"`` of a softmax
    optimizer : ``"sgd"``, ``"momentum"``, ``"rmsprop"`` or ``"adam"``
    learning_rate : step size of the first update
    schedule : ``"constant"``, or ``"cosine"``: down to 0 at the last update along half a cosine
    updates : number of updates
    batch_size : trials in a mini-batch; None for all
    clip : largest norm of the gradient, over all arrays together; None for no limit
    truncation : steps of a segment of truncated backpropagation: the state goes from each into the next, gradients do
        not go back; None for backpropagation to the start of the trial
    dropout : probability with which the readout does not hear a unit, drawn for each trial and time of each update; the
        others are heard 1 / (1 - dropout) times as loud, and all in validation and use
    penalties : what is added to the error
    fixed : names of arrays that are not trained
    validation_fraction : share of the trials, drawn at random, that is held out
    validation_trials : numbers of the trials that are held out; instead of a fraction
    interval : updates between two validations, checkpoints and reports of progress
    patience : updates without a better validation error after which training stops; None for never
    dtype : ``"float64"`` or ``"float32"``
    through : the writing that gradients pass through: ``"textbook"`` or ``"rate"``

    Raises
    ------
    CortwinError
        Naming the option, the rule and the value.
    """

    loss: str = "mean_squared_error"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    updates: int = 1000
    batch_size: int | None = 32
    clip: float | None = 1.0
    truncation: int | None = None
    dropout: float = 0.0
    penalties: Penalties = field(default_factory=Penalties)
    fixed: tuple[str, ...] = ()
    validation_fraction: float = 0.0
    validation_trials: tuple[int, ...] = ()
    interval: int = 20
    patience: int | None = None
    dtype: str = "float64"
    through: str = "textbook"

    def __post_init__(self) -> None:
        """Check every option."""
        for name in ("fixed", "validation_trials"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        choices = {
            "loss": LOSSES,
            "optimizer": OPTIMIZERS,
            "schedule": SCHEDULES,
            "dtype": DTYPES,
            "through": ROUTES,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise CortwinError(
                    f"the option {name} is {getattr(self, name)!r}, expected one of {', '.join(allowed)}"
                )
        for name in ("updates", "interval", "batch_size", "patience", "truncation"):
            number = getattr(self, name)
            optional = name in ("batch_size", "patience", "truncation")
            if not (optional and number is None) and (number != int(number) or number < 1):
                raise CortwinError(f"the option {name} is {number}, must be a whole number and at least 1")
        for name in ("learning_rate", "clip"):
            number = getattr(self, name)
            if not (name == "clip" and number is None) and not (math.isfinite(number) and number > 0):
                raise CortwinError(f"the option {name} is {number}, must be finite and positive")
        if not 0 <= self.dropout < 1:
            raise CortwinError(f"the option dropout is {self.dropout}, must be at least 0 and below 1")
        fraction = self.validation_fraction
        if not 0 <= fraction < 1:
            raise CortwinError(f"the option validation_fraction is {fraction}, must be at least 0 and below 1")
        if fraction and self.validation_trials:
            raise CortwinError("the options validation_fraction and validation_trials exclude each other: give one")
        if self.patience is not None and not (fraction or self.validation_trials):
            raise CortwinError(f"the option patience is {self.patience}, but no trials are held out to validate on")
        if self.through == "rate" and self.truncation is not None:
            raise CortwinError(
                f"the option truncation is {self.truncation}, but gradients go through the whole of the rate text: "
                "train through 'textbook'"
            )
        if self.through == "rate" and self.dtype != "float64":
            raise CortwinError("the option dtype is 'float32', but the rate text is float64: train through 'textbook'")
