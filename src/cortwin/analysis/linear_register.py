"""A tapped delay line with a linear readout: the baseline of every forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class LinearRegister:
    """The prediction ``w_0 u_k + ... + w_{taps-1} u_{k-taps+1} + b``; of the input's next value: linear autoregression.

    Attributes
    ----------
    weights : (taps,) ndarray, the latest input first
    intercept : b
    """

    weights: NDArray[np.float64]
    intercept: float

    @classmethod
    def fitted(cls, inputs: ArrayLike, target: ArrayLike, taps: int) -> LinearRegister:
        """Fit by least squares to every sample that has enough past.

        Parameters
        ----------
        inputs, target : (time,) array_like
        taps : number of inputs, the present among them

        Raises
        ------
        ValueError
            If there are fewer samples than weights.
        """
        u, wanted = np.asarray(inputs, dtype=float), np.asarray(target, dtype=float)
        if taps < 1 or u.size - taps + 1 <= taps:
            raise ValueError(f"LinearRegister: {u.size} samples are too few for {taps} taps")
        past = np.column_stack([_past(u, taps), np.ones(u.size - taps + 1)])
        solution = np.linalg.lstsq(past, wanted[taps - 1 :], rcond=None)[0]
        return cls(solution[:-1].astype(np.float64), float(solution[-1]))

    def predict(self, inputs: ArrayLike) -> NDArray[np.float64]:
        """Return the prediction at every sample; NaN at the first, whose past is not known.

        Parameters
        ----------
        inputs : (time,) array_like
        """
        taps = self.weights.size
        known = _past(np.asarray(inputs, dtype=float), taps) @ self.weights + self.intercept
        return np.concatenate([np.full(taps - 1, np.nan), known])

    def free_run(self, inputs: ArrayLike, steps: int) -> NDArray[np.float64]:
        """Go on after the inputs, each prediction the next input.

        Parameters
        ----------
        inputs : (time,) array_like, at least as long as the register

        Returns
        -------
        (steps,) ndarray
        """
        heard = [float(value) for value in np.asarray(inputs, dtype=float)[-self.weights.size :]]
        for _ in range(steps):
            past = np.array(heard[: -self.weights.size - 1 : -1])
            heard.append(float(past @ self.weights + self.intercept))
        return np.array(heard[-steps:])


def _past(u: NDArray[np.float64], taps: int) -> NDArray[np.float64]:
    return np.lib.stride_tricks.sliding_window_view(u, taps)[:, ::-1]
