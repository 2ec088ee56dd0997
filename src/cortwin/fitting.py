"""Positive parameters of a model found from what was measured: with gradients and without, evaluations counted.

All methods move the logarithms of the parameters, relative to where they start, so that a conductance and a time
constant are steps of one size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from cortwin.errors import CortwinError

#: (values by name) -> loss and its gradient by name
Objective = Callable[[Mapping[str, float]], tuple[float, Mapping[str, float]]]

#: Change of a logarithm that methods take for one: a line search first tries a step of one, and a neuron whose
#: conductance is 2.7 times another may no longer be the same kind of neuron
UNIT = 0.1

METHODS = ("gradient", "adam", "simplex")


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    values : by name
    loss : of them
    evaluations : of the loss, or of the loss with its gradient
    seconds : wall time
    """

    values: dict[str, float]
    loss: float
    evaluations: int
    seconds: float

    def error(self, truth: Mapping[str, float]) -> float:
        """Return the largest relative error of a parameter."""
        return max(abs(self.values[name] / truth[name] - 1) for name in truth)


def search(
    objective: Objective, start: Mapping[str, float], method: str, *, evaluations: int = 200, rate: float = 0.05
) -> Found:
    """Search a minimum and return the best that was seen.

    Parameters
    ----------
    objective : loss and gradient
    start : positive values to begin with
    method : ``"gradient"``, L-BFGS-B; ``"adam"``, slowing down along a cosine, for gradients of surrogates,
        which line searches do not believe; or
        ``"simplex"``, Nelder and Mead's, without gradients
    evaluations : how many, or a few more
    rate : step of Adam, of logarithms

    Raises
    ------
    CortwinError
        If a value is not positive, or the method unknown.
    """
    if method not in METHODS:
        raise CortwinError(f"the method is '{method}', expected one of {', '.join(METHODS)}")
    for name, value in start.items():
        if not (np.isfinite(value) and value > 0):
            raise CortwinError(f"search: {name} must start from a positive number, got {value:g}")
    names, first = list(start), np.array(list(start.values()))
    seen: list[tuple[float, NDArray]] = []

    def at(units: NDArray) -> tuple[float, NDArray]:
        values = first * np.exp(np.clip(UNIT * units, -3, 3))
        found, gradient = objective(dict(zip(names, map(float, values), strict=True)))
        slope = UNIT * values * np.array([float(gradient[name]) for name in names])
        if not (np.isfinite(loss := float(found)) and np.isfinite(slope).all()):
            # A model that blew up: worse than all others, so that a line search turns round.
            loss, slope = 10 * max((one[0] for one in seen), default=1.0) + 1, np.zeros(len(names))
        seen.append((loss, values))
        return loss, slope

    began, origin = time.perf_counter(), np.zeros(len(names))
    if method == "gradient":
        options = {"maxfun": evaluations, "ftol": 1e-15, "gtol": 1e-12}
        minimize(at, origin, jac=True, method="L-BFGS-B", options=options)
    elif method == "simplex":
        simplex = np.concatenate([origin[None], origin + np.eye(len(names))])
        options = {"maxfev": evaluations, "xatol": 1e-5, "fatol": 1e-15, "initial_simplex": simplex}
        minimize(lambda units: at(units)[0], origin, method="Nelder-Mead", options=options)
    else:
        mean, square = np.zeros(len(names)), np.zeros(len(names))
        for number in range(1, evaluations + 1):
            gradient = at(origin)[1]
            mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
            step = rate / UNIT * (1 + np.cos(np.pi * number / evaluations)) / 2
            origin = origin - step * (mean / (1 - 0.9**number)) / (np.sqrt(square / (1 - 0.99**number)) + 1e-12)
    loss, values = min(seen, key=lambda one: one[0])
    return Found(dict(zip(names, map(float, values), strict=True)), loss, len(seen), time.perf_counter() - began)
