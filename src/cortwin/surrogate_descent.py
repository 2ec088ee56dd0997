"""Training of a recurrent LIF network by surrogate gradients, and what it does then, in XLA and in C++.

The loss is the mean squared error of the output where a mask asks for it, plus a penalty on neurons above a rate:

    L = sum_bt m_bt sum_k (y_btk - z_btk)^2 / (K sum_bt m_bt) + c mean_j max(0, r_j / r_max - 1)^2

Gradients go round the recurrence. A change s of a neuron's spikes leaves, summed over time, the current tau_s w s, and
its own reset the potential -tau_m s; the surrogate's derivative D turns potential into spikes. Per round that is

    D w tau_s / dt / (1 + D tau_m / dt),

which has to stay at or below 1 where training has made weights large, or gradients explode: with tau_s = 10 dt,
tau_m = 4 dt and a spectral radius of 1, D must be at most 1/6. So the surrogate is low and wide here.

References
----------
Neftci, Mostafa & Zenke 2019, doi:10.1109/MSP.2019.2931595
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike, NDArray

from cortwin.cpp.plain import compiled
from cortwin.differentiation import differentiate
from cortwin.errors import CortwinError, RunFailed
from cortwin.recurrent_lif import PARAMETERS, RecurrentLIF


@dataclass(frozen=True)
class Descent:
    """How to train.

    Attributes
    ----------
    updates, batch : number of updates, trials of each
    learning_rate : of Adam, falling along a cosine. A step may move all weights of a neuron in one direction:
        what is right for 48 neurons is too much for 128
    surrogate, scale : as of `cortwin.differentiate`
    rate : Hz above which a neuron is penalised
    penalty : strength c of the penalty
    clip : largest norm of the gradient
    """

    updates: int = 500
    batch: int = 32
    learning_rate: float = 3e-3
    surrogate: str = "fast_sigmoid"
    scale: float = 0.15
    rate: float = 25.0
    penalty: float = 10.0
    clip: float = 0.3


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What a network does on trials.

    Attributes
    ----------
    output : (trial, time, output) ndarray
    raster : (trial, time, neuron) boolean ndarray
    """

    output: NDArray[np.float64]
    raster: NDArray[np.bool_]

    def error(self, target: ArrayLike, mask: ArrayLike) -> float:
        """Return the mean squared error where the mask asks for it."""
        away = ((self.output - np.asarray(target)) ** 2).mean(axis=2)
        return float((np.asarray(mask) * away).sum() / np.sum(mask))

    def rates(self, dt: float) -> NDArray[np.float64]:
        """Return the rate of each neuron in Hz."""
        return self.raster.mean(axis=(0, 1)) / dt


def descend(
    sizes: RecurrentLIF,
    start: dict[str, NDArray],
    inputs: ArrayLike,
    target: ArrayLike,
    mask: ArrayLike,
    options: Descent,
    generator: np.random.Generator,
    advance: Callable[[int], None] = lambda updates: None,
) -> tuple[dict[str, NDArray], NDArray[np.float64]]:
    """Train in float32.

    Parameters
    ----------
    start : weights to begin with, by the names in `PARAMETERS`
    inputs, target : (trial, time, input) and (trial, time, output)
    mask : (trial, time), where the output counts
    generator : draws the mini-batches
    advance : called with 1 after every update

    Returns
    -------
    parameters : float64 arrays by name
    errors : (update,) error of each mini-batch before its update

    Raises
    ------
    RunFailed
        If a loss is not finite, with the number of the update.
    """
    shown, wanted, weight = (jnp.asarray(np.asarray(array), jnp.float32) for array in (inputs, target, mask))
    if options.batch > len(shown):
        raise CortwinError(f"Descent.batch must be at most the number of trials, {len(shown)}, got {options.batch}")
    run = _program(sizes, start, shown, "float32", options).function(shown.shape[1] * sizes.dt)

    def loss(parameters: Any, trials: jax.Array) -> tuple[jax.Array, jax.Array]:
        records = jax.vmap(lambda one: run({**parameters, "stimulus": one}, None))(shown[trials])
        away = ((records["output"]["y"] - wanted[trials]) ** 2).mean(axis=2)
        error = (weight[trials] * away).sum() / weight[trials].sum()
        rates = records["spikes"]["raster"].mean(axis=(0, 1)) / sizes.dt
        return error + options.penalty * (jnp.maximum(rates / options.rate - 1, 0) ** 2).mean(), error

    schedule = optax.cosine_decay_schedule(options.learning_rate, options.updates)
    # A single large gradient is forgotten after 100 updates, not after 1000.
    optimizer = optax.chain(optax.clip_by_global_norm(options.clip), optax.adam(schedule, b2=0.99))

    @jax.jit
    def update(parameters: Any, state: Any, trials: jax.Array) -> tuple[Any, Any, jax.Array]:
        (_, error), gradient = jax.value_and_grad(loss, has_aux=True)(parameters, trials)
        change, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, change), state, error

    parameters: Any = {name: jnp.asarray(start[name], jnp.float32) for name in PARAMETERS}
    state, errors = optimizer.init(parameters), np.empty(options.updates)
    for number in range(options.updates):
        trials = generator.choice(len(shown), options.batch, replace=False)
        parameters, state, error = update(parameters, state, trials)
        errors[number] = error
        if not np.isfinite(errors[number]):
            raise RunFailed(f"the loss of update {number} is not finite; try a smaller learning rate")
        advance(1)
    return {name: np.asarray(value, np.float64) for name, value in parameters.items()}, errors


def _program(sizes: RecurrentLIF, parameters: dict[str, NDArray], shown: Any, dtype: str, options: Descent) -> Any:
    return differentiate(
        sizes.network(np.asarray(shown[0]), parameters),
        [*PARAMETERS, "stimulus"],
        namespace={},
        surrogate=options.surrogate,
        scale=options.scale,
        dtype=dtype,
    )


def in_xla(sizes: RecurrentLIF, parameters: dict[str, NDArray], inputs: ArrayLike) -> Behaviour:
    """Run trials in XLA in float64, with `inputs` (trial, time, input)."""
    shown = np.asarray(inputs, np.float64)
    run = _program(sizes, parameters, shown, "float64", Descent()).function(shown.shape[1] * sizes.dt)
    found = jax.jit(jax.vmap(lambda one: run({"stimulus": one}, None)))(shown)
    return Behaviour(np.asarray(found["output"]["y"]), np.asarray(found["spikes"]["raster"]) > 0)


def in_cpp(sizes: RecurrentLIF, parameters: dict[str, NDArray], inputs: ArrayLike) -> Behaviour:
    """Run the same trials side by side in one C++ program."""
    shown = np.asarray(inputs, np.float64)
    trials, steps = shown.shape[:2]
    with compiled(lambda: sizes.network(shown, parameters), steps * sizes.dt) as (network, run):
        run()
        raster = np.zeros((steps, trials, sizes.units), bool)
        step = np.round(np.asarray(network["spikes"].t_) / sizes.dt).astype(int)
        raster.reshape(steps, -1)[step, np.asarray(network["spikes"].i)] = True
        output = np.asarray(network["output"].y).T.reshape(steps, trials, sizes.outputs)
    return Behaviour(output.swapaxes(0, 1), raster.swapaxes(0, 1))
