"""A neuron fitted to a potential by brian2modelfitting: differential evolution, then its least squares.

Its simulations record a potential before a step, ours after it: the target comes with the initial potential in front.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Equations, Quantity, TimedArray, amp, second, volt
from brian2modelfitting import MSEMetric, NevergradOptimizer, TraceFitter  # type: ignore[import-not-found]

WARM_UP = False  # `prepare` has compiled


class FiniteError(MSEMetric):
    """Mean square error, large where a simulation blew up: the least of errors with NaN among them would be NaN."""

    def get_errors(self, features: np.ndarray) -> np.ndarray:
        """Return an error for each sample."""
        return np.nan_to_num(super().get_errors(features), nan=1e12, posinf=1e12).clip(max=1e12)


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Make the fitter, and run both searches for a moment, which compiles; each call fits from the beginning.

    The answer has ``evolution`` and ``refined``: values, loss, evaluations, and seconds since the beginning.
    """
    np.random.seed(case["seed"])  # noqa: NPY002 - nevergrad draws from the global generator
    equations, dt = Equations(case["model"]), case["dt"] * second
    fitter = TraceFitter(
        model=equations,
        input_var="stimulus",
        input=np.array([case["stimulus"]]) * amp,
        output_var="seen",
        output=np.array([case["target"]]) * volt,
        dt=dt,
        n_samples=case["samples"],
        method=case["method"],
        threshold=case["threshold"],
        reset=case["reset"],
        param_init={name: Quantity(value, dim=equations[name].dim) for name, value in case["initial"].items()},
        use_units=False,
    )
    metric, spikes = FiniteError(normalization=case["membrane"]), np.array(case["spikes"], dtype=float)

    def evolve(rounds: int) -> tuple[dict[str, float], float]:
        spiked = TimedArray(spikes, dt=dt)  # noqa: F841 - the fitter looks for names where it is called
        optimizer = NevergradOptimizer(method="DE")
        values, loss = fitter.fit(optimizer, metric, rounds, callback=None, restart=True, **case["bounds"])
        return {name: float(value) for name, value in values.items()}, float(loss)

    def refine(start: dict[str, float], evaluations: int) -> list[tuple[dict[str, float], float]]:
        """Return values and loss of each simulation."""
        spiked = TimedArray(spikes, dt=dt)  # noqa: F841 - as above
        seen = []

        def watch(values: dict[str, float], errors: np.ndarray, *_: Any) -> None:
            seen.append((values, float(errors[-1])))

        fitter.refine(start, callback=watch, max_nfev=evaluations)
        return seen

    def work() -> dict[str, Any]:
        began = time.perf_counter()
        values, loss = evolve(case["rounds"])
        runs = case["rounds"] * case["samples"]
        evolution = _found(values, loss, runs, began)
        seen = refine(values, case["refinements"])
        return {"evolution": evolution, "refined": _found(*min(seen, key=_loss), runs + len(seen), began)}

    refine(evolve(1)[0], 1)
    evolve(1)
    return work


def _loss(one: tuple[dict[str, float], float]) -> float:
    return one[1]


def _found(values: dict[str, float], loss: float, evaluations: int, began: float) -> dict[str, Any]:
    return {"values": values, "loss": loss, "evaluations": evaluations, "seconds": time.perf_counter() - began}
