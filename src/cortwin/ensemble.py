"""Ensembles of LIF neurons that stand for one unit: tuning curves, decoders, and the arrays a spiking writing needs.

The neurons of a unit have heterogeneous gain, background and sign; a ridge fit on their tuning curves gives the
decoders that turn their firing into a function of what they hear (Eliasmith & Anderson 2003, Neural Engineering, MIT
Press).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from cortwin.errors import CortwinError


@dataclass(frozen=True)
class LIF:
    """Membrane of a leaky integrate-and-fire neuron, threshold 1 and reset 0: times in seconds."""

    tau_m: float
    t_ref: float
    dt: float = 0.0

    @property
    def silence(self) -> float:
        """Mean time in seconds that an interval takes beside the charging of the membrane: t_ref - dt / 2.

        In Brian2 a spike carries the time at which its step begins, and the reset comes at that step's end: only
        t_ref - dt is lost. The threshold is noticed at the end of a step, half a step late on average. Brian2 counts
        t_ref in whole steps, rounded down but for a thousandth.
        """
        if self.dt == 0:
            return self.t_ref
        return (max(np.floor(self.t_ref / self.dt + 1e-3), 1) - 0.5) * self.dt

    def rate(self, current: Any) -> NDArray[np.float64]:
        """Return the firing rate in Hz at a constant current (threshold at 1).

        With ``dt`` an interval is a whole number of steps, as `silence` tells.
        """
        J = np.asarray(current, dtype=np.float64)
        above = np.maximum(J - 1, 1e-12)
        return np.where(J > 1, 1 / (self.silence + self.tau_m * np.log1p(1 / above)), 0.0)

    def advance(self, current: Any) -> NDArray[np.float64]:
        """Return by how many seconds the rate runs ahead of `rate` while the current changes slowly.

        A spike ends an interval T over which the membrane remembers the current of a time m before the spike on
        average, ``m = tau_m - L / (exp(L / tau_m) - 1)`` with ``L = T - t_ref``; the rate that the interval stands for
        belongs to its middle, T / 2 before the spike. To first order the rate at t is that of the current at
        ``t + T / 2 - m``.
        """
        J = np.maximum(np.asarray(current, dtype=np.float64), 1 + 1e-12)
        charging = self.tau_m * np.log1p(1 / (J - 1))
        remembered = self.tau_m - charging / np.expm1(charging / self.tau_m)
        return (charging + self.t_ref) / 2 - remembered

    def current(self, rate: Any) -> NDArray[np.float64]:
        """Return the constant current at which the neuron fires at a rate in Hz, the inverse of `rate`.

        Raises
        ------
        CortwinError
            For a rate that the refractory time forbids.
        """
        interval = 1 / np.asarray(rate, dtype=np.float64) - self.silence
        if not (interval > 0).all():
            raise CortwinError(f"max_rates: {np.max(rate):.6g} Hz must be below 1 / t_ref ({1 / self.silence:.6g} Hz)")
        return 1 / -np.expm1(-interval / self.tau_m)


def ensembles(
    function: Callable[..., Any],
    signals: Sequence[NDArray[np.float64]],
    start: Sequence[NDArray[np.float64]],
    neurons_per_unit: int,
    lif: LIF,
    tau_s: float,
    generator: np.random.Generator,
    *,
    max_rates: tuple[float, float] = (100.0, 200.0),
    margin: float = 0.1,
    noise: float = 0.05,
    samples: int = 400,
    dale: bool = False,
) -> dict[str, NDArray[Any]]:
    """Draw the neurons of every unit and fit their decoders.

    Parameters
    ----------
    function : what the decoders approximate, of as many arrays as there are signals
    signals : (..., units) arrays, one for each signal that the neurons hear; what is represented sets each unit's range
    start : (units,) arrays, the signals at the beginning
    neurons_per_unit : neurons that stand for one unit
    lif : membrane of the neurons, dt included
    tau_s : synaptic time constant in seconds, whose lag the neurons make up for by hearing a moment ahead
    generator : NumPy Generator
    max_rates : range of the neurons' rates at the end of their unit's range, in Hz
    margin : fraction by which the range is wider than the activity on each side
    noise : standard deviation of the firing that the ridge fit allows for, as a fraction of the highest rate
    samples : points per unit at which the decoders are fitted, half evenly over the range, half as the activity visits
        it
    dale : whether every neuron is excited by the (one) signal, and three of four have decoders of 0 or more, the fourth
        of 0 or less: the sign of a neuron is its own, not the fit's

    Returns
    -------
    dict with ``bias``, ``v0`` (units x neurons,), ``gain`` (signals, units x neurons), ``decoder``, ``lead``
        (units x neurons,) in seconds, ``r0`` (units,)
    """
    lived = np.stack(
        [np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1]) for values in signals], axis=-1
    )
    low, high = lived.min(axis=0), lived.max(axis=0)
    width = np.maximum(high - low, 1e-3 * np.maximum(np.maximum(np.abs(low), np.abs(high)), 1.0))
    center, radius = (low + high) / 2, (0.5 + margin) * width
    (units, dimensions), n = center.shape, neurons_per_unit
    encoder = _encoders(units, n, dimensions, generator, dale=dale)
    per_sign = -(-n // 2)
    # One draw in each of equal strata: the intercepts of a unit cover its range however few neurons it has.
    stratum = np.stack([generator.permutation(per_sign) for _ in range(2 * units)]).reshape(units, 2, per_sign)
    level = (stratum + generator.uniform(size=stratum.shape)) / per_sign
    # Neurons of fixed sign that fire over the whole range give what the function is at its lower end.
    lowest = -2.0 if dale else -1.0
    intercept = (lowest + (0.9 - lowest) * level).transpose(0, 2, 1).reshape(units, -1)[:, :n]
    J_max = lif.current(generator.uniform(*max_rates, size=(units, n)))
    slope = (J_max - 1) / (1 - intercept)
    gain = slope[:, :, None] * encoder / radius[:, None, :]
    bias = 1 - slope * intercept - (gain * center[:, None, :]).sum(axis=2)
    points = _points(lived, center, radius, samples, generator)
    current = points.transpose(1, 0, 2) @ gain.transpose(0, 2, 1) + bias[:, None, :]
    rates = lif.rate(current)
    wanted = np.asarray(function(*points.transpose(2, 1, 0)))
    ridge = samples * (noise * max_rates[1]) ** 2
    decoder = _decoders(rates, wanted, ridge, np.where(np.arange(n) % 4 == 3, -1.0, 1.0) if dale else None)
    # A neuron's own anticipation, as its spikes meet it; one that never fires gets the synapse's lag whole.
    advance = (rates * lif.advance(current)).sum(axis=1) / np.maximum(rates.sum(axis=1), 1e-12)
    first = lif.rate((gain * np.stack(start, axis=-1)[:, None, :]).sum(axis=2) + bias)
    return {
        "gain": gain.reshape(-1, dimensions).T,
        "bias": bias.ravel(),
        "decoder": decoder.ravel(),
        "lead": (tau_s - advance).ravel(),
        "v0": generator.uniform(size=units * n),
        "r0": (decoder * first).sum(axis=1),
    }


def _encoders(
    units: int, n: int, dimensions: int, generator: np.random.Generator, *, dale: bool
) -> NDArray[np.float64]:
    """Return the direction that each neuron prefers, (units, neurons, signals), of length 1.

    One signal: up and down in turn. Two: around the circle at equal angles, from an angle drawn for each unit.
    """
    if dimensions == 1:
        sign = np.ones(n) if dale else np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
        return np.broadcast_to(sign[:, None], (units, n, 1))
    if dimensions != 2 or dale:
        raise CortwinError(f"neurons hear {dimensions} signals: one or two can be drawn, and one under Dale's law")
    turn = generator.uniform(size=(units, 1))
    # In shuffled order, so that the strata of intercepts, which alternate, fall on all directions.
    place = np.stack([generator.permutation(n) for _ in range(units)])
    angle = 2 * np.pi * (place + turn) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _points(
    lived: NDArray[np.float64],
    center: NDArray[np.float64],
    radius: NDArray[np.float64],
    samples: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Return where the decoders are fitted, (samples, units, signals): half over the range, half as it was visited."""
    even, visited = samples // 2, samples - samples // 2
    if center.shape[1] == 1:
        grid = np.linspace(0, 1, even)[:, None, None] * 2 * radius + (center - radius)
        return np.concatenate([grid, np.quantile(lived, np.linspace(0, 1, visited), axis=0)])
    box = center + radius * generator.uniform(-1, 1, size=(even, *center.shape))
    return np.concatenate([box, lived[generator.integers(len(lived), size=visited)]])


def _decoders(
    rates: NDArray[np.float64], wanted: NDArray[np.float64], ridge: float, sign: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the ridge fit of (units, samples) values by (units, samples, neurons) rates: (units, neurons)."""
    n = rates.shape[2]
    if sign is not None:
        # The ridge penalty as further rows: sqrt(ridge) times the identity.
        penalty, nothing = np.sqrt(ridge) * np.eye(n), np.zeros(n)
        fits = [
            nnls(np.concatenate([sign * own, penalty]), np.concatenate([goal, nothing]))[0]
            for own, goal in zip(rates, wanted, strict=True)
        ]
        return np.asarray(sign * np.stack(fits), dtype=np.float64)
    gram = rates.transpose(0, 2, 1) @ rates
    found = np.linalg.solve(gram + ridge * np.eye(n), rates.transpose(0, 2, 1) @ wanted[:, :, None])
    return np.asarray(found[:, :, 0], dtype=np.float64)
