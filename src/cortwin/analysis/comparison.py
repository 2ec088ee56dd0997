"""Networks beside a recording: brought onto one grid and smoothing, with floors below and a ceiling above."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from cortwin.activity import activity
from cortwin.analysis.conditions import condition_average, cross_condition_average
from cortwin.analysis.floors import smooth_noise_like, split_halves
from cortwin.analysis.grids import smooth
from cortwin.analysis.normalisation import soft_normalise
from cortwin.analysis.rotations import Rotations, jpca, jpca_null
from cortwin.analysis.similarity import compare
from cortwin.analysis.undefined import Undefined


def aligned_rates(found: xr.DataArray, time: np.ndarray, *, width: float, scale: float = 1.0) -> xr.DataArray:
    """Bring a network's rates onto a recording's grid: smoothed, aligned to movement onset, averaged by condition.

    Parameters
    ----------
    found : (trial, time, unit) DataArray with the coordinates ``condition`` and ``movement_onset`` (s) on ``trial``
    time : (time,) seconds from movement onset, evenly spaced
    width : standard deviation in s of the Gaussian that the recording was smoothed with
    scale : Hz per unit of the rates

    Returns
    -------
    (trial, time, unit) DataArray in Hz, one row per condition

    Raises
    ------
    ValueError
        If a trial does not cover the times.
    """
    smoothed = smooth(found, width)
    onsets = smoothed["movement_onset"].to_numpy()
    own = smoothed["time"].to_numpy()
    values = smoothed.to_numpy()
    first, last = (own[0] - onsets).max(), (own[-1] - onsets).min()
    slack = 1e-6 * float(found.attrs["dt"])
    if time[0] < first - slack or time[-1] > last + slack:
        raise ValueError(
            f"{found.name}: trials cover {first:.3g} to {last:.3g} s from movement onset, "
            f"not {time[0]:.3g} to {time[-1]:.3g}"
        )
    cut = np.stack(
        [
            np.stack([np.interp(time + onset, own, unit) for unit in trial.T], axis=-1)
            for onset, trial in zip(onsets, values, strict=True)
        ]
    )
    coordinates = {name: smoothed[name] for name in ("condition", "direction") if name in smoothed.coords}
    dt = float(time[1] - time[0])
    labelled = activity(
        scale * cut, dt=dt, t_start=float(time[0]), units="Hz", coordinates=coordinates, name=str(found.name)
    )
    return condition_average(labelled)


def covered(onsets: np.ndarray, start: float, end: float, time: np.ndarray) -> np.ndarray:
    """Return which times from movement onset lie within every trial from ``start`` to ``end`` (s)."""
    slack = 1e-9
    return (time >= start - onsets.min() - slack) & (time <= end - onsets.max() + slack)


def similarities(
    reference: xr.DataArray,
    others: Mapping[str, xr.DataArray],
    generator: np.random.Generator,
    *,
    softening: float = 5.0,
) -> dict[str, float]:
    """Compare networks with a recording, beside the floors and the ceiling that tell what a score is worth.

    Parameters
    ----------
    reference : (trial, time, unit) recorded rates in Hz, one row per condition
    others : name -> rates in Hz on the same grid and conditions
    generator : draws the smooth noise and the split into halves
    softening : Hz added to each unit's range (Churchland et al. 2012, doi:10.1038/nature11129)

    Returns
    -------
    dict ``"MEASURE.MEAN.NAME"`` -> score, for the others, ``noise`` (smooth noise of the recording's own spectrum),
        ``average`` (the cross-condition average) and ``ceiling`` (one half of the recorded units against the other)
    """
    recorded = soft_normalise(reference, softening)
    first, second = split_halves(recorded, generator)
    pairs = {name: (recorded, soft_normalise(other, softening)) for name, other in others.items()}
    pairs |= {
        "noise": (recorded, smooth_noise_like(recorded, generator)),
        "average": (recorded, cross_condition_average(recorded)),
        "ceiling": (first, second),
    }
    scores = {}
    for name, (one, other) in pairs.items():
        for measure, score in compare(one, other).items():
            if name == "average" and measure.endswith("mean_removed"):
                score = Undefined("nothing of the cross-condition average is left")
            scores[f"{measure}.{name}"] = score
    return scores


def rotations(
    activities: Mapping[str, xr.DataArray], generator: np.random.Generator, *, shuffles: int = 1000
) -> tuple[dict[str, float], dict[str, Rotations]]:
    """Find rotations in each activity, each with the null of conditions shuffled per unit.

    Parameters
    ----------
    activities : name -> (trial, time, unit) rates in Hz, one row per condition, time 0 at movement onset
    generator : draws the shuffles
    shuffles : how many

    Returns
    -------
    metrics : ``"NAME.r2"``, ``"NAME.r2_skew"``, ``"NAME.frequency"``, ``"NAME.variance"``, ``"NAME.null.r2.mean"``, ...
    found : name -> Rotations
    """
    metrics: dict[str, float] = {}
    found = {}
    for name, rates in activities.items():
        rotation = found[name] = jpca(rates)
        for attribute in ("r2", "r2_skew", "frequency", "variance"):
            value = getattr(rotation, attribute)
            metrics[f"{name}.{attribute}"] = Undefined(rotation.reason) if rotation.reason else value
        for key, value in jpca_null(rates, generator, shuffles).summary.items():
            metrics[f"{name}.null.{key}"] = Undefined(rotation.reason) if rotation.reason else value
    return metrics, found
