"""Classes read from activity: the state at a trial's own time, what its samples tell without theirs, a logistic fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from cortwin.errors import CortwinError


def state_at(activity: xr.DataArray, steps: ArrayLike) -> NDArray[np.float64]:
    """Return the state of each trial at a time of its own.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray
    steps : (trial,) or (), number of the sample

    Returns
    -------
    (trial, unit) ndarray

    Raises
    ------
    CortwinError
        If a sample is not there, or there is not one for each trial.
    """
    trials, times = activity.shape[:2]
    found = np.asarray(steps)
    if found.shape not in ((), (trials,)):
        raise CortwinError(f"the shape of steps is {found.shape}, expected ({trials},) = (trial,)")
    if found.min() < 0 or found.max() >= times:
        wrong = found.min() if found.min() < 0 else found.max()
        raise CortwinError(f"steps has {wrong}, must be from 0 to {times - 1}, the samples of the activity")
    return np.asarray(activity.to_numpy()[np.arange(trials), found], dtype=np.float64)


def order_free(activity: xr.DataArray, levels: int = 11) -> NDArray[np.float64]:
    """Return what a trial's samples tell without their times: quantiles of each input or unit.

    Parameters
    ----------
    activity : (trial, time, input) DataArray
    levels : number of quantiles, evenly spaced from the smallest sample to the largest

    Returns
    -------
    (trial, levels * input) ndarray
    """
    found = np.quantile(activity.to_numpy(), np.linspace(0, 1, levels), axis=1)
    return np.moveaxis(found, 0, 1).reshape(len(activity), -1)


def fit_classes(features: ArrayLike, classes: ArrayLike) -> Pipeline:
    """Fit a multinomial logistic readout to standardised features.

    The penalty on its weights is scikit-learn's own, C = 1: it is not chosen on the data.

    Parameters
    ----------
    features : (trial, feature) array_like
    classes : (trial,) array_like

    Returns
    -------
    fitted Pipeline, with ``predict`` and ``predict_proba``

    Raises
    ------
    CortwinError
        If there is one class only, or a feature is not finite.
    """
    values, labels = np.asarray(features, dtype=np.float64), np.asarray(classes)
    if not np.isfinite(values).all():
        trial, feature = np.argwhere(~np.isfinite(values))[0]
        raise CortwinError(f"features[{trial}, {feature}] is {values[trial, feature]}: a readout needs finite numbers")
    if len(np.unique(labels)) < 2:
        raise CortwinError(f"there is one class only, {labels[0]}: there is nothing to tell apart")
    readout: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return readout.fit(values, labels)
