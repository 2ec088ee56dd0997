"""Rung R3: how the rate text approaches its differential equation as dt goes to zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from cortwin.errors import RunFailed
from cortwin.model import Model
from cortwin.simulation import simulate


def adaptive_solution(
    model: Model, parameters: Any, inputs: xr.DataArray, *, rtol: float = 1e-10
) -> NDArray[np.float64]:
    """Solve the textbook's differential equation, ``tau dx/dt = d step(x, u, alpha) / d alpha`` at alpha = 0.

    The solver (`scipy.integrate.solve_ivp`, DOP853: Hairer, Norsett & Wanner 1993, doi:10.1007/978-3-540-78862-1)
    starts anew wherever the input jumps, at each of its samples.

    Parameters
    ----------
    model, parameters : the network
    inputs : (trial, time, input) DataArray, each sample held for its dt
    rtol : relative tolerance; the absolute one is a hundredth of it

    Returns
    -------
    (trial, time, unit) ndarray : x at the end of each sample

    Raises
    ------
    RunFailed
        When the solution leaves the range of numbers.
    """
    samples, dt, tau = inputs.to_numpy(), float(inputs.attrs["dt"]), float(model.constants["tau"])
    textbook = model.recurrence()
    first, unravel = ravel_pytree(jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), textbook.start(parameters)))

    def rate_of_change(x: Any, u: Any) -> Any:
        def at(alpha: Any) -> Any:
            return ravel_pytree(textbook.step(parameters, unravel(x), u, alpha))[0]

        return jax.jvp(at, (0.0,), (1.0,))[1]

    target = jax.jit(jax.vmap(rate_of_change))
    shape = (len(samples), first.size)
    state = np.tile(np.asarray(first), shape[0])
    solution = []
    for k in range(samples.shape[1]):
        u = samples[:, k]

        def slope(_: float, x: NDArray, u: NDArray = u) -> NDArray:
            return np.asarray(target(x.reshape(shape), u)).ravel() / tau

        found = solve_ivp(slope, (0.0, dt), state, method="DOP853", rtol=rtol, atol=rtol / 100)
        state = found.y[:, -1]
        if not found.success or not np.isfinite(state).all():
            raise RunFailed(f"{model.name}: the adaptive solver gave up in sample {k}: {found.message}")
        solution.append(jax.vmap(lambda x: textbook.current(parameters, unravel(x)))(state.reshape(shape)))
    return np.asarray(solution).transpose(1, 0, 2)


def convergence(
    model: Model, parameters: Any, inputs: xr.DataArray, steps: Sequence[float], **options: Any
) -> tuple[list[dict[str, float]], float]:
    """Measure the error of the rate text at several dt against the adaptive solution.

    Parameters
    ----------
    model, parameters, inputs : as in `adaptive_solution`
    steps : dt in seconds, each a divisor of the inputs' dt
    options : engine, batch and jobs of `cortwin.simulation.simulate`

    Returns
    -------
    rows : ``dt`` and ``error``, the RMS error over the standard deviation of the solution
    slope : of log error on log dt, by least squares; 1 for forward Euler
    """
    reference = adaptive_solution(model, parameters, inputs)
    rows = []
    for dt in steps:
        found = simulate(
            model, "rate", parameters._asdict(), inputs, dt=dt, record_dt=float(inputs.attrs["dt"]), **options
        ).activity["x"]
        rows.append({"dt": dt, "error": float(np.sqrt(np.mean((found.to_numpy() - reference) ** 2)) / reference.std())})
    logs = np.log([[row["dt"], row["error"]] for row in rows])
    return rows, float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
