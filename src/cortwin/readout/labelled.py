"""Readouts on labelled activity: fit, predict, score, hold conditions out, with scikit-learn's estimators inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from cortwin.activity import GRID_TOLERANCE

# What a downstream neuron can know of a population. A membrane potential is not among it.
READABLE_KINDS = ("rate", "filtered_spikes")


def fit_readout(readout: Any, activity: xr.DataArray, target: xr.DataArray) -> Any:
    """Fit an estimator to map activity to a target, every time of every trial being a sample.

    Parameters
    ----------
    readout : scikit-learn regressor or Pipeline; the coordinate ``condition`` is handed to it as ``groups`` if it
        takes them
    activity : (trial, time, unit) DataArray; ``attrs["kind"]``, if there is one, must be ``"rate"`` or
        ``"filtered_spikes"``
    target : (trial, time, output) DataArray on the same trials and times

    Returns
    -------
    The readout itself, fitted.

    Raises
    ------
    ValueError
        If the activity is not of a readable kind, or trials, times or dt of the two differ.
    """
    _require_readable(activity)
    _require_same_samples(activity, target)
    name, last = ("", readout) if not isinstance(readout, Pipeline) else (f"{readout.steps[-1][0]}__", readout[-1])
    groups = {}
    if "condition" in activity.coords and has_fit_parameter(last, "groups"):
        groups = {f"{name}groups": np.repeat(activity["condition"].to_numpy(), activity.sizes["time"])}
    return readout.fit(_rows(activity), _rows(target), **groups)


def predict_readout(readout: Any, activity: xr.DataArray, *, like: xr.DataArray | None = None) -> xr.DataArray:
    """Apply a fitted readout to activity.

    Parameters
    ----------
    readout : fitted scikit-learn regressor or Pipeline
    activity : (trial, time, unit) DataArray
    like : (trial, time, output) DataArray whose units and names of outputs the prediction takes over

    Returns
    -------
    (trial, time, output) DataArray with the activity's trials and times
    """
    _require_readable(activity)
    return _label(_predicted(readout, activity), activity, like)


def r2(target: xr.DataArray, prediction: xr.DataArray) -> float:
    """Return the fraction of the target's variance that is predicted, pooled over trials, times and outputs.

    ``1 - sum (y - prediction)^2 / sum (y - mean y)^2`` with one mean per output.

    Raises
    ------
    ValueError
        If trials, times or outputs differ, or the target does not vary.
    """
    _require_variance(target, prediction, pooled=True)
    return float(r2_score(_rows(target), _rows(prediction), multioutput="variance_weighted"))


def r2_per_output(target: xr.DataArray, prediction: xr.DataArray) -> dict[str, float]:
    """Return `r2` of each output by itself, pooled over trials and times, under the output's name.

    Raises
    ------
    ValueError
        If trials, times or outputs differ, or one output of the target does not vary.
    """
    _require_variance(target, prediction, pooled=False)
    scores = np.asarray(r2_score(_rows(target), _rows(prediction), multioutput="raw_values"))
    return {str(name): float(score) for name, score in zip(target["output"].to_numpy(), scores, strict=True)}


def held_out_score(
    readout: BaseEstimator,
    activity: xr.DataArray,
    target: xr.DataArray,
    *,
    train: Sequence[int] | np.ndarray,
    test: Sequence[int] | np.ndarray,
) -> float:
    """Return `r2` on the trials `test` of a copy of the readout fitted to the trials `train`.

    Parameters
    ----------
    readout : scikit-learn regressor or Pipeline; it is left as it is
    activity : (trial, time, unit) DataArray
    target : (trial, time, output) DataArray
    train, test : numbers of trials

    Raises
    ------
    ValueError
        If a trial is in both.
    """
    n_trials = activity.sizes["trial"]
    # Through arange, so that -1 and the last trial are seen to be one trial.
    train, test = np.arange(n_trials)[np.asarray(train)], np.arange(n_trials)[np.asarray(test)]
    both = np.intersect1d(train, test)
    if both.size:
        raise ValueError(f"held_out_score: {both.size} trials are in both train and test, the first is {both[0]}")
    _require_same_samples(activity, target)
    fitted = fit_readout(clone(readout), activity.isel(trial=train), target.isel(trial=train))
    wanted = target.isel(trial=test)
    return r2(wanted, predict_readout(fitted, activity.isel(trial=test), like=wanted))


def leave_one_condition_out(
    make_readout: Callable[[], Any], activity: xr.DataArray, target: xr.DataArray
) -> xr.DataArray:
    """Predict every trial by a readout that was fitted without all trials of its condition.

    Parameters
    ----------
    make_readout : returns a new, unfitted readout
    activity : (trial, time, unit) DataArray with the coordinate ``condition`` on ``trial``
    target : (trial, time, output) DataArray

    Returns
    -------
    (trial, time, output) DataArray, trials in the order of the activity

    Raises
    ------
    ValueError
        If there is no coordinate ``condition`` or fewer than two conditions.
    """
    _require_same_samples(activity, target)
    if "condition" not in activity.coords:
        raise ValueError("leave_one_condition_out: the activity has no coordinate 'condition' on its trials")
    condition = activity["condition"].to_numpy()
    conditions = np.unique(condition)
    if conditions.size < 2:
        raise ValueError(f"leave_one_condition_out: needs at least 2 conditions, got {conditions.size}")
    values = np.empty(target.shape)
    for held_out in conditions:
        test, train = np.flatnonzero(condition == held_out), np.flatnonzero(condition != held_out)
        readout = fit_readout(make_readout(), activity.isel(trial=train), target.isel(trial=train))
        values[test] = _predicted(readout, activity.isel(trial=test))
    return _label(values, activity, like=target)


def _rows(array: xr.DataArray) -> np.ndarray:
    """Return (trial * time, last) rows, trial after trial."""
    return array.to_numpy().reshape(-1, array.shape[-1])


def _predicted(readout: Any, activity: xr.DataArray) -> np.ndarray:
    """Return a (trial, time, output) prediction."""
    return np.asarray(readout.predict(_rows(activity))).reshape(*activity.shape[:2], -1)


def _label(values: np.ndarray, activity: xr.DataArray, like: xr.DataArray | None) -> xr.DataArray:
    """Give a prediction the trials and times of the activity and the outputs of a target."""
    coordinates = {name: c for name, c in activity.coords.items() if "unit" not in c.dims}
    if like is not None and "output" in like.coords:
        coordinates["output"] = like["output"]
    attrs = {"dt": activity.attrs["dt"], "units": "1" if like is None else like.attrs["units"]}
    return xr.DataArray(values, dims=("trial", "time", "output"), coords=coordinates, attrs=attrs, name="prediction")


def _require_readable(activity: xr.DataArray) -> None:
    if activity.dims != ("trial", "time", "unit"):
        raise ValueError(f"readout: activity must be (trial, time, unit), got ({', '.join(map(str, activity.dims))})")
    kind = activity.attrs.get("kind", "rate")
    if kind not in READABLE_KINDS:
        raise ValueError(
            f"readout: activity {activity.name or ''!r} is of kind {kind!r}, but only {' and '.join(READABLE_KINDS)} "
            "can be decoded: filter the spikes first"
        )


def _require_same_samples(first: xr.DataArray, second: xr.DataArray) -> None:
    """Refuse two arrays whose trials or times differ; unlike `require_same_grid`, units may."""
    names = (first.name or "activity", second.name or "target")
    if first.sizes["trial"] != second.sizes["trial"]:
        raise ValueError(f"{names[0]} has {first.sizes['trial']} trials, {names[1]} has {second.sizes['trial']}")
    dt = (first.attrs["dt"], second.attrs["dt"])
    if abs(dt[0] - dt[1]) > GRID_TOLERANCE * dt[0]:
        raise ValueError(f"dt of {names[0]} is {dt[0]:g} s, of {names[1]} {dt[1]:g} s: resample one of them first")
    time = (first["time"].to_numpy(), second["time"].to_numpy())
    if time[0].shape != time[1].shape or np.abs(time[0] - time[1]).max() > GRID_TOLERANCE * dt[0]:
        raise ValueError(
            f"{names[0]} covers {time[0][0]:g}..{time[0][-1]:g} s in {time[0].size} samples, "
            f"{names[1]} {time[1][0]:g}..{time[1][-1]:g} s in {time[1].size}"
        )
    for name in ("condition", "direction"):
        if name in first.coords and name in second.coords and not np.array_equal(first[name], second[name]):
            k = int(np.flatnonzero(first[name].to_numpy() != second[name].to_numpy())[0])
            raise ValueError(
                f"trial {k} has {name} {first[name].to_numpy()[k]:g} in {names[0]}, "
                f"{second[name].to_numpy()[k]:g} in {names[1]}"
            )


def _require_variance(target: xr.DataArray, prediction: xr.DataArray, *, pooled: bool) -> None:
    _require_same_samples(target, prediction)
    if target.sizes["output"] != prediction.sizes["output"]:
        raise ValueError(f"target has {target.sizes['output']} outputs, prediction {prediction.sizes['output']}")
    flat = np.ptp(_rows(target), axis=0) == 0
    if flat.all() if pooled else flat.any():
        raise ValueError(f"R2: output {int(np.argmax(flat))} of the target does not vary: there is nothing to explain")
