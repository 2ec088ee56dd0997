"""A page measured as a trained network: the task's error, the exact rungs, the gradient, how near its spikes come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from cortwin.ladder import Rung, Spiking, climb
from cortwin.model import Lacking, Model
from cortwin.training import Options, fit, gradient_errors, textbook_signals

# Columns of a rung that are the same in every run: no wall times.
KEPT = ("rung", "neurons_per_unit", "step", "total", "nrmse", "correlation", "loss", "spikes", "rate", "engine")
# Updates over which the error is averaged, at the beginning and at the end.
ENDS = 10


@dataclass(frozen=True)
class Trained:
    """What was measured of one trained network.

    Parameters
    ----------
    parameters : the trained network
    rungs : its ladder
    numbers : ``exact_error`` (R2 against R1), ``gradient_error`` (relative, against centred differences),
        ``gradient_between_writings``, ``error_before``, ``error``; ``nrmse.N`` (R5) and ``without_spikes.N`` (R4) for N
        neurons in each ensemble, where there is a spiking writing
    """

    parameters: Any
    rungs: list[Rung]
    numbers: dict[str, float]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of the ladder, without what depends on the clock."""
        return [{column: rung.row[column] for column in KEPT} for rung in self.rungs]


def measure_trained(
    model: Model,
    start: Any,
    inputs: xr.DataArray,
    target: xr.DataArray,
    *,
    mask: np.ndarray | None = None,
    alpha: float,
    options: Options,
    shown: slice,
    neurons: Sequence[int],
    spiking: Spiking,
    batches: np.random.Generator,
    drawn: np.random.SeedSequence,
    entries: np.random.Generator,
    engines: Callable[[str, int], str],
    batch: int = 4,
    jobs: int = 1,
) -> Trained:
    """Train one network of a page and measure it.

    Parameters
    ----------
    model, start : the page's model, and the parameters to begin with
    inputs, target, mask : what is trained, (trial, time, input), (trial, time, output), (trial, time)
    alpha, options : of the training; alpha = dt / tau
    shown : the trials on which the ladder is climbed; gradients are compared on the first two
    neurons, spiking : numbers of neurons in each ensemble, and how they are written
    batches, drawn, entries : for the batches, the neurons, and the entries that are moved for differences
    engines, batch, jobs : as in `cortwin.ladder.climb`
    """
    learned = fit(model, start, inputs, target, alpha=alpha, options=options, generator=batches, mask=mask)
    parameters = learned.parameters
    signals = None if isinstance(model.spiking, Lacking) else textbook_signals(model, parameters, inputs, alpha)
    rungs = climb(
        model,
        parameters,
        inputs[shown],
        target[shown],
        represented=signals,
        neurons=neurons,
        spiking=spiking,
        seed=drawn,
        engines=engines,
        batch=batch,
        jobs=jobs,
    )
    few = slice(0, 2)
    gradients = gradient_errors(model, parameters, inputs[few], target[few], alpha=alpha, generator=entries)
    numbers = {
        "exact_error": rungs[2].row["max_abs_error"],
        "gradient_error": gradients.finite_difference,
        "gradient_between_writings": gradients.between_writings,
        "error_before": float(learned.history["error"][:ENDS].mean()),
        "error": float(learned.history["error"][-ENDS:].mean()),
    }
    for rung in rungs[4:]:
        kind = "nrmse" if rung.row["rung"] == "R5" else "without_spikes"
        numbers[f"{kind}.{rung.row['neurons_per_unit']}"] = rung.row["nrmse"]
    return Trained(parameters, rungs, numbers)
