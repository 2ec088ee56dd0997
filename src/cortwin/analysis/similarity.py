"""How alike two activities are, up to a linear map: CKA, CCA and Procrustes over conditions.

All three ignore which unit is which, how many there are, and the physical unit of the values: a rate in Hz can be
compared with a state without one. They do not ignore the relative scale of the units within an activity: put rates
through `soft_normalise` first, and give both the same time grid and the same smoothing.

Maps and means are fitted on all conditions but one and scored on that one. The scores are averaged over the conditions
that were left out, weighted by their sum of squares (that is, numerators and denominators are pooled), so that a
condition in which almost nothing happens cannot dominate.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from cortwin.analysis.cca import fit_cca
from cortwin.analysis.checks import require_comparable, require_conditions
from cortwin.analysis.cka import linear_cka
from cortwin.analysis.principal_components import principal_components
from cortwin.analysis.procrustes import apply_procrustes, fit_procrustes, pad_units
from cortwin.analysis.undefined import Undefined

MEANS = ("mean_kept", "mean_removed")

# What is left of a condition after its mean is subtracted is rounding when it is below this fraction of the activity.
NOTHING_LEFT = 1e-12


def compare(reference: xr.DataArray, other: xr.DataArray, *, n_components: int = 10) -> dict[str, float]:
    """Return every similarity of two activities, with the cross-condition mean kept and removed.

    Parameters
    ----------
    reference, other : (trial, time, unit) DataArray, one row per condition, the same conditions and times in both
    n_components : principal components of each for CCA and Procrustes; fewer where there are fewer units

    Returns
    -------
    dict
        ``{"cka.mean_kept": ..., "cka.mean_removed": ..., "cca.mean_kept": ..., ...}``. CKA lies in 0..1; CCA, a mean
        of correlations on left-out conditions, in -1..1; Procrustes, an R2 on left-out conditions, at or below 1. A
        measure without a value is `Undefined`, a NaN that carries the reason.

    Raises
    ------
    ValueError
        If there are fewer than three conditions, several trials of one, times or conditions that do not agree, or
        values that are not finite.
    """
    scores = {
        "cka": lambda removed: cka_similarity(reference, other, mean_removed=removed),
        "cca": lambda removed: cca_similarity(reference, other, mean_removed=removed, n_components=n_components),
        "procrustes": lambda removed: procrustes_similarity(
            reference, other, mean_removed=removed, n_components=n_components
        ),
    }
    return {f"{measure}.{mean}": score(mean == "mean_removed") for measure, score in scores.items() for mean in MEANS}


def cka_similarity(reference: xr.DataArray, other: xr.DataArray, *, mean_removed: bool) -> float:
    """Return linear CKA over all conditions and times.

    Parameters
    ----------
    reference, other : as in `compare`
    mean_removed : subtract the average over conditions from both
    """
    x, y = _values(reference, other)
    if mean_removed:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    if reason := _why_undefined(reference, other, mean_removed):
        return Undefined(reason)
    with threadpool_limits(limits=1, user_api="blas"):
        return linear_cka(_samples(x), _samples(y))


def cca_similarity(
    reference: xr.DataArray, other: xr.DataArray, *, mean_removed: bool, n_components: int = 10
) -> float:
    """Return the mean correlation of the canonical pairs on left-out conditions.

    The correlation is about the means of the conditions that were fitted, and symmetric in its arguments.

    Parameters
    ----------
    reference, other, n_components : as in `compare`
    mean_removed : subtract the average over the fitted conditions from both
    """
    x, y = _values(reference, other)
    if reason := _why_undefined(reference, other, mean_removed):
        return Undefined(reason)
    moments = np.zeros((3, n_components))
    with threadpool_limits(limits=1, user_api="blas"):  # small matrices: threads cost more than they bring
        for train_x, test_x, train_y, test_y in _folds(x, y, mean_removed):
            maps = fit_cca(train_x, train_y, n_components)
            a = (test_x - maps.mean_x) @ maps.weights_x
            b = (test_y - maps.mean_y) @ maps.weights_y
            moments[:, : a.shape[1]] += [np.sum(a * b, axis=0), np.sum(a**2, axis=0), np.sum(b**2, axis=0)]
    product, square_a, square_b = moments
    used = (square_a > 0.0) & (square_b > 0.0)
    if not used.any():
        return Undefined("no canonical pair varies on the conditions that were left out")
    return float(np.mean(product[used] / np.sqrt(square_a[used] * square_b[used])))


def procrustes_similarity(
    reference: xr.DataArray, other: xr.DataArray, *, mean_removed: bool, n_components: int = 10
) -> float:
    """Return 1 - residual / total of the reference's principal components on left-out conditions.

    The map from the other to the reference is a rotation (or reflection), one scale and a shift. It turns the leading
    principal components of the one into those of the other (padded with zeros where one has fewer): in the directions
    that the fitted conditions hardly visit, a rotation of all units would be arbitrary.

    Parameters
    ----------
    reference, other, n_components : as in `compare`
    mean_removed : subtract the average over the fitted conditions from both
    """
    x, y = _values(reference, other)
    if reason := _why_undefined(reference, other, mean_removed):
        return Undefined(reason)
    residual = total = 0.0
    with threadpool_limits(limits=1, user_api="blas"):
        for train_x, test_x, train_y, test_y in _folds(x, y, mean_removed):
            axes_x, axes_y = (
                principal_components(train - train.mean(axis=0), n_components).components
                for train in (train_x, train_y)
            )
            fitted = fit_procrustes(train_x @ axes_x, train_y @ axes_y)
            target = pad_units(test_x @ axes_x, fitted.mean_x.size)
            residual += float(np.sum((target - apply_procrustes(fitted, test_y @ axes_y)) ** 2))
            total += float(np.sum((target - fitted.mean_x) ** 2))
    return 1.0 - residual / total


def _values(reference: xr.DataArray, other: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    # Three, so that two are left to fit when one is held out and a difference between conditions remains.
    x, y = require_conditions(reference, 3), require_conditions(other, 3)
    require_comparable(reference, other)
    return x, y


def _samples(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, values.shape[-1])


def _why_undefined(reference: xr.DataArray, other: xr.DataArray, mean_removed: bool) -> str:
    for activity, role in ((reference, "the reference"), (other, "the other")):
        values = activity.to_numpy().astype(np.float64)
        centre = values.mean(axis=0) if mean_removed else values.mean(axis=(0, 1))
        if np.abs(values - centre).max() <= NOTHING_LEFT * np.abs(values).max():
            what = "does not differ between conditions" if mean_removed else "does not vary"
            return f"{activity.name or role} {what}"
    return ""


def _folds(x: np.ndarray, y: np.ndarray, mean_removed: bool):
    """Yield (train_x, test_x, train_y, test_y), each (sample, unit), leaving one condition out at a time."""
    for held_out in range(x.shape[0]):
        pair = []
        for values in (x, y):
            train, test = np.delete(values, held_out, axis=0), values[held_out]
            if mean_removed:  # the held-out condition's own share in the mean would only scale what is left of it
                mean = train.mean(axis=0)
                train, test = train - mean, test - mean
            pair += [_samples(train), test]
        yield tuple(pair)
