"""Rotational dynamics: jPCA, and its shuffled null.

What is done, in this order (Churchland, Cunningham, Kaufman et al. 2012, doi:10.1038/nature11129):

1. each unit is divided by its range over all conditions and all times, plus 5 Hz;
2. the window -50..150 ms from movement onset is cut out, both ends included;
3. the mean over conditions is subtracted at each time;
4. the conditions, one below the other, are projected onto their first 6 principal components: X, (samples, 6);
5. the derivative is the forward difference within a condition, dX = (X[t + dt] - X[t]) / dt, and belongs to X[t];
6. dX = X M is fitted by least squares, once with any M and once with M skew-symmetric (M' = -M, pure rotation);
7. R2 = 1 - |dX - X M|^2 / |dX|^2 over all samples and components (the mean of dX is zero after step 3);
8. the frequency is the largest imaginary part among the eigenvalues of the skew-symmetric M, over 2 pi.

A rotation at angular frequency w is seen at sin(w dt) / dt by a forward difference: 0.1 % low at 1 Hz and 10 ms.
Smooth noise has a high R2 too. Read it only beside the null, in which each unit's conditions are shuffled
independently: time courses stay, their relation between units goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.linalg import solve_continuous_lyapunov
from threadpoolctl import threadpool_limits

from cortwin.analysis.checks import require_conditions
from cortwin.analysis.conditions import remove_cross_condition_mean
from cortwin.analysis.grids import time_window
from cortwin.analysis.normalisation import soft_normalise
from cortwin.analysis.principal_components import principal_components

WINDOW = (-0.05, 0.15)
N_COMPONENTS = 6
SOFTENING = 5.0


@dataclass(frozen=True)
class LinearDynamics:
    """Two fits of dX = X M.

    Attributes
    ----------
    M : (component, component) ndarray in 1/s, unconstrained
    M_skew : (component, component) ndarray in 1/s, skew-symmetric
    r2, r2_skew : of each
    """

    M: np.ndarray
    M_skew: np.ndarray
    r2: float
    r2_skew: float


@dataclass(frozen=True)
class Rotations:
    """What jPCA finds.

    Attributes
    ----------
    r2, r2_skew : of the unconstrained and of the skew-symmetric dynamics
    frequency : of the leading plane in Hz
    variance : fraction of the window's variance that the principal components hold
    variance_plane : fraction that the leading plane holds
    n_components : principal components used; fewer than asked for where the activity has a lower rank
    M, M_skew : (component, component) ndarray in 1/s
    plane : (unit, jpc) DataArray, the axes jPC1 and jPC2 of the leading plane in the space of the units. The dynamics
        turn anticlockwise in it, and jPC1 is the axis along which the conditions lie furthest apart at the first time
    projections : (trial, time, jpc) DataArray, the activity on that plane
    reason : why the numbers are NaN, or empty
    """

    r2: float
    r2_skew: float
    frequency: float
    variance: float
    variance_plane: float
    n_components: int
    M: np.ndarray
    M_skew: np.ndarray
    plane: xr.DataArray
    projections: xr.DataArray
    reason: str = ""


@dataclass(frozen=True)
class RotationNull:
    """What jPCA finds when each unit's conditions are shuffled independently.

    Attributes
    ----------
    r2, r2_skew : (shuffle,) ndarray
    """

    r2: np.ndarray
    r2_skew: np.ndarray

    @property
    def summary(self) -> dict[str, float]:
        """Mean and 95 % quantile of both."""
        return {
            "r2.mean": float(self.r2.mean()),
            "r2.quantile95": float(np.quantile(self.r2, 0.95)),
            "r2_skew.mean": float(self.r2_skew.mean()),
            "r2_skew.quantile95": float(np.quantile(self.r2_skew, 0.95)),
        }


def linear_dynamics(states: np.ndarray, dt: float) -> LinearDynamics:
    """Fit dX = X M by least squares, unconstrained and skew-symmetric.

    For a skew-symmetric M the gradient of |dX - X M|^2 must have no skew-symmetric part, which is the Lyapunov equation
    ``G M + M G = X' dX - dX' X`` with ``G = X' X``.

    Parameters
    ----------
    states : (condition, time, component) ndarray
    dt : seconds between samples
    """
    n_components = states.shape[2]
    X = states[:, :-1].reshape(-1, n_components)
    dX = (np.diff(states, axis=1) / dt).reshape(-1, n_components)
    G, C = X.T @ X, X.T @ dX
    total = np.sum(dX**2)
    M = np.linalg.lstsq(X, dX, rcond=None)[0]
    M_skew = solve_continuous_lyapunov(G, C - C.T)
    M_skew = (M_skew - M_skew.T) / 2.0  # exact to the last bit, so that its eigenvalues are imaginary
    r2, r2_skew = (float(1.0 - np.sum((dX - X @ m) ** 2) / total) for m in (M, M_skew))
    return LinearDynamics(M, M_skew, r2, r2_skew)


def _prepare(activity: xr.DataArray, start: float, stop: float, softening: float) -> xr.DataArray:
    require_conditions(activity, 2)
    window = remove_cross_condition_mean(time_window(soft_normalise(activity, softening), start, stop))
    if window.sizes["time"] < 3:
        raise ValueError(
            f"{activity.name or 'activity'}: {window.sizes['time']} samples in {start}..{stop} s, jPCA needs at least 3"
        )
    return window


def _why_undefined(window: xr.DataArray, n_components: int) -> str:
    # Compared with the normalised activity's own scale of one: what is left of a mean after rounding is no rotation.
    values = window.to_numpy()
    if np.abs(values).max() <= 1e-12:
        return f"{window.name or 'activity'}: no difference between conditions in the window"
    samples = values.reshape(-1, values.shape[2])
    if principal_components(samples, n_components).components.shape[1] < 2:
        return f"{window.name or 'activity'}: varies along one dimension, and a rotation needs two"
    if np.abs(np.diff(values, axis=1)).max() <= 1e-12:
        return f"{window.name or 'activity'}: does not change in the window"
    return ""


def _leading_plane(M_skew: np.ndarray, first_states: np.ndarray) -> np.ndarray:
    """Axes of the fastest rotation, (component, 2), oriented as `Rotations.plane` says."""
    # States are rows, dX = X M: as columns they obey dx/dt = M' x. An eigenvector a + ib of M' with eigenvalue +iw
    # gives d(a)/dt = -w b and d(b)/dt = w a, hence the anticlockwise pair is (b, a).
    values, vectors = np.linalg.eig(M_skew.T)
    leading = vectors[:, np.argmax(np.imag(values))]
    axes = np.stack([np.imag(leading), np.real(leading)], axis=1)
    axes /= np.linalg.norm(axes, axis=0)
    p, q = (first_states @ axes).T
    angle = 0.5 * np.arctan2(2.0 * np.sum(p * q), np.sum(p**2) - np.sum(q**2))  # major axis of the first states
    axes = axes @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return axes if (first_states @ axes)[0, 0] >= 0.0 else -axes


def jpca(
    activity: xr.DataArray,
    *,
    start: float = WINDOW[0],
    stop: float = WINDOW[1],
    n_components: int = N_COMPONENTS,
    softening: float = SOFTENING,
) -> Rotations:
    """Find the plane in which activity rotates fastest, and how well rotation describes it.

    Parameters
    ----------
    activity : (trial, time, unit) DataArray, one row per condition, time 0 at movement onset; all times that there are,
        because the normalisation uses them
    start, stop : window in seconds, both ends included
    n_components : principal components
    softening : added to each unit's range, in the activity's unit (5 Hz for rates)

    Returns
    -------
    Rotations
        NaN with a reason where nothing differs between conditions, changes in time, or fills a plane.

    Raises
    ------
    ValueError
        If a condition occurs twice, there are fewer than two, or the window is not covered or shorter than 3 samples.
    """
    window = _prepare(activity, start, stop, softening)
    values = window.to_numpy()
    n_units = values.shape[2]
    coordinates = {name: c for name, c in window.coords.items() if window.dims[2] not in c.dims}
    axes = {"jpc": ["jPC1", "jPC2"]}

    reason = _why_undefined(window, n_components)
    if reason:
        nan = float("nan")
        plane = np.full((n_units, 2), nan)
        projections = np.full((*values.shape[:2], 2), nan)
        numbers = dict.fromkeys(("r2", "r2_skew", "frequency", "variance", "variance_plane"), nan)
        rank, M, M_skew = 0, np.zeros((0, 0)), np.zeros((0, 0))
    else:
        with threadpool_limits(limits=1, user_api="blas"):
            pca = principal_components(values.reshape(-1, n_units), n_components)
            states = values @ pca.components
            fit = linear_dynamics(states, window.attrs["dt"])
        plane = pca.components @ _leading_plane(fit.M_skew, states[:, 0])
        projections = values @ plane
        numbers = {
            "r2": fit.r2,
            "r2_skew": fit.r2_skew,
            "frequency": float(np.abs(np.linalg.eigvals(fit.M_skew).imag).max() / (2.0 * np.pi)),
            "variance": pca.fraction,
            "variance_plane": float(np.sum(projections**2) / np.sum(values**2)),
        }
        rank, M, M_skew = states.shape[2], fit.M, fit.M_skew
    return Rotations(
        **numbers,
        n_components=rank,
        M=M,
        M_skew=M_skew,
        plane=xr.DataArray(plane, dims=(window.dims[2], "jpc"), coords=axes, attrs={"units": "1"}),
        projections=xr.DataArray(
            projections, dims=("trial", "time", "jpc"), coords={**coordinates, **axes}, attrs=window.attrs
        ),
        reason=reason,
    )


def jpca_null(
    activity: xr.DataArray,
    generator: np.random.Generator,
    n_shuffles: int = 1000,
    *,
    start: float = WINDOW[0],
    stop: float = WINDOW[1],
    n_components: int = N_COMPONENTS,
    softening: float = SOFTENING,
) -> RotationNull:
    """Repeat jPCA with the conditions of each unit permuted independently.

    Parameters
    ----------
    activity, start, stop, n_components, softening : as in `jpca`
    generator : the source of the permutations
    n_shuffles : how many

    Returns
    -------
    RotationNull
        NaN where `jpca` itself is undefined.

    Raises
    ------
    ValueError
        As `jpca`; and if there is no shuffle to make.
    """
    if n_shuffles < 1:
        raise ValueError(f"n_shuffles: must be at least 1, got {n_shuffles}")
    window = _prepare(activity, start, stop, softening)
    if _why_undefined(window, n_components):
        return RotationNull(np.full(n_shuffles, np.nan), np.full(n_shuffles, np.nan))
    values = window.to_numpy()
    n_conditions, _, n_units = values.shape
    labels = np.tile(np.arange(n_conditions)[:, None, None], (1, 1, n_units))
    r2, r2_skew = np.empty(n_shuffles), np.empty(n_shuffles)
    with threadpool_limits(limits=1, user_api="blas"):  # small matrices: a second thread costs ten times the time
        for k in range(n_shuffles):
            shuffled = np.take_along_axis(values, generator.permuted(labels, axis=0), axis=0)
            pca = principal_components(shuffled.reshape(-1, n_units), n_components)
            fit = linear_dynamics(shuffled @ pca.components, window.attrs["dt"])
            r2[k], r2_skew[k] = fit.r2, fit.r2_skew
    return RotationNull(r2, r2_skew)
