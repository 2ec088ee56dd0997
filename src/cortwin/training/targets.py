"""What a loss asks of the network's output and of its target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortwin.errors import CortwinError
from cortwin.model import Model
from cortwin.training.loss import LOSSES

# Probabilities of classes that were computed in float32 add up to 1 within this.
TOLERANCE = 1e-5


def check_loss(model: Model, name: str) -> None:
    """Refuse a loss that is not one of the model's output."""
    needed, found = LOSSES[name].link, model.recurrence().link
    if needed not in (None, found):
        raise CortwinError(
            f"the option loss is '{name}', which is of a {needed} output; the output of {model.name} is {found}: "
            f"choose another loss, or train model.with_output('{needed}')"
        )


def check_target(target: Any, mask: Any, name: str) -> None:
    """Refuse targets that are no probabilities where the loss needs some, or that are of one class only.

    Parameters
    ----------
    target : (trial, time, output) array
    mask : (trial, time) array; where it is 0, the target may be anything
    name : of the loss

    Raises
    ------
    CortwinError
        Naming the first label that is out of range, or the only class.
    """
    if LOSSES[name].link is None:
        return
    places = np.argwhere(np.asarray(mask) > 0)
    labels = np.asarray(target)[tuple(places.T)]
    wrong = np.argwhere((labels < 0) | (labels > 1))
    if wrong.size:
        place, output = wrong[0]
        where = ", ".join(map(str, (*places[place], output)))
        raise CortwinError(f"target[{where}] is {labels[place, output]:g}: {name} needs labels from 0 to 1")
    if name == "categorical_cross_entropy":
        _check_classes(labels, places)
        return
    for output, values in enumerate(labels.T):
        if values[0] in (0, 1) and (values == values[0]).all():
            raise CortwinError(
                f"the target of output {output} has one class only, {values[0]:g}: there is nothing to tell apart"
            )


def _check_classes(labels: NDArray, places: NDArray) -> None:
    sums = labels.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[worst] - 1) > TOLERANCE:
        where = ", ".join(map(str, places[worst]))
        raise CortwinError(
            f"target[{where}] adds up to {sums[worst]:g} over the classes: categorical_cross_entropy needs 1, for "
            "instance a 1 for the class and 0 for the others"
        )
    if labels[0].max() == 1 and (labels == labels[0]).all():
        raise CortwinError(
            f"the target has one class only, number {labels[0].argmax()} of {labels.shape[1]}: there is nothing to "
            "tell apart"
        )
