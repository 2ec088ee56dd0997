"""Fixed and slow points of a network's dynamics, and their stability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares
from scipy.spatial.distance import cdist

# Of least squares: relative changes at which it stops, a few eps, so that Newton's last steps are all taken.
CONVERGED = 1e-15 + 2 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """Points at which a network rests or moves slowly, the most stable first.

    Attributes
    ----------
    points : (point, unit) ndarray
    speeds : (point,) ndarray, norm of the velocity there; q is half its square
    slow : (point,) bool ndarray: the velocity has a minimum there, but is not 0
    eigenvalues : (point, unit) complex ndarray, fastest growth first: of the step's Jacobian where time goes in steps,
        of the velocity's where it is continuous
    unstable : (point,) int ndarray, directions in which the network leaves
    found : (point,) int ndarray, how many starts came here
    """

    points: np.ndarray
    speeds: np.ndarray
    slow: np.ndarray
    eigenvalues: np.ndarray
    unstable: np.ndarray
    found: np.ndarray

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.points)

    @property
    def kinds(self) -> list[str]:
        """Return ``"stable"``, ``"saddle"`` or ``"unstable"`` (in every direction) for each, ``"slow "`` before it."""
        n = self.points.shape[1]
        names = ["stable" if k == 0 else "unstable" if k == n else "saddle" for k in self.unstable]
        return [f"slow {name}" if slow else name for name, slow in zip(names, self.slow, strict=True)]

    def of_kind(self, kind: str) -> np.ndarray:
        """Return the points of one kind, (point, unit)."""
        return self.points[[name == kind for name in self.kinds]]


def find_fixed_points(
    velocity: Callable[[NDArray], ArrayLike],
    jacobian: Callable[[NDArray], ArrayLike],
    starts: ArrayLike,
    *,
    time: Literal["steps", "continuous"],
    tolerance: float = 1e-9,
    slow: float = 0.0,
    apart: float | None = None,
) -> FixedPoints:
    """Minimise ``q(x) = |velocity(x)|^2 / 2`` from many states and keep each minimum once.

    Least squares by Levenberg and Marquardt, with the exact Jacobian: near a fixed point these are Newton's steps.

    Parameters
    ----------
    velocity : ``F(x) - x`` where time goes in steps ``x <- F(x)``, dx/dt where it is continuous; (unit,) -> (unit,)
    jacobian : derivative of the velocity, (unit,) -> (unit, unit)
    starts : (start, unit) array_like, for instance states on trajectories
    time : ``"steps"``: a direction is left where an eigenvalue of ``1 + jacobian`` is outside the unit circle;
        ``"continuous"``: where one of ``jacobian`` has a positive real part
    tolerance : speed up to which a point is fixed
    slow : speed up to which other minima count as slow points; with 0 there are none
    apart : distance below which two points are one; when None, a thousandth of the starts' RMS distance from their mean

    Returns
    -------
    FixedPoints

    Raises
    ------
    ValueError
        If there is no start, one is not finite, or the time is unknown.

    References
    ----------
    Sussillo & Barak 2013, doi:10.1162/NECO_a_00409.
    """
    states = np.asarray(starts, dtype=np.float64)
    if states.ndim != 2 or states.size == 0 or not np.isfinite(states).all():
        raise ValueError(f"find_fixed_points: expected finite starts (start, unit), got shape {states.shape}")
    if time not in ("steps", "continuous"):
        raise ValueError(f"find_fixed_points: time is {time!r}, expected 'steps' or 'continuous'")
    if apart is None:
        apart = 1e-3 * float(np.sqrt(((states - states.mean(axis=0)) ** 2).sum(axis=1).mean()))
    stop = dict.fromkeys(("xtol", "ftol", "gtol"), CONVERGED)
    options: dict[str, Any] = {"jac": jacobian, "method": "lm", "max_nfev": 1000, **stop}
    minima = np.array([least_squares(velocity, state, **options).x for state in states])
    speeds = np.array([np.linalg.norm(velocity(point)) for point in minima])
    candidates = np.flatnonzero(speeds <= max(tolerance, slow))
    candidates = candidates[np.argsort(speeds[candidates], kind="stable")]
    kept: list[int] = []
    for k in candidates:
        if not kept or cdist(minima[[k]], minima[kept]).min() > apart:
            kept.append(int(k))
    if not kept:
        n, nothing = states.shape[1], np.zeros(0)
        return FixedPoints(
            np.zeros((0, n)), nothing, nothing.astype(bool), np.zeros((0, n), complex), nothing.astype(int),
            nothing.astype(int),
        )  # fmt: skip
    nearest = cdist(minima[candidates], minima[kept]).argmin(axis=1)
    spectra = np.array([np.linalg.eigvals(np.asarray(jacobian(minima[k]))) for k in kept]).astype(np.complex128)
    spectra = spectra + 1 if time == "steps" else spectra
    growth = np.abs(spectra) - 1 if time == "steps" else spectra.real
    order = np.lexsort((np.angle(spectra), -growth), axis=1)
    spectra, growth = (np.take_along_axis(values, order, axis=1) for values in (spectra, growth))
    unstable = (growth > 0).sum(axis=1)
    is_slow = speeds[kept] > tolerance
    ranks = np.lexsort((growth[:, 0], unstable, is_slow))
    return FixedPoints(
        minima[kept][ranks],
        speeds[kept][ranks],
        is_slow[ranks],
        spectra[ranks],
        unstable[ranks],
        np.bincount(nearest, minlength=len(kept))[ranks],
    )
