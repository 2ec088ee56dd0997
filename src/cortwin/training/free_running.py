"""A network that hears itself: it is driven for a while, and then its own output is its input."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortwin.errors import CortwinError
from cortwin.links import LINKS
from cortwin.model import Model
from cortwin.training.checks import check_alpha, check_parameters
from cortwin.training.itself import Itself


def free_run(
    model: Model, parameters: Any, inputs: ArrayLike, starts: ArrayLike, steps: int, alpha: float
) -> NDArray[np.float64]:
    """Drive the textbook writing with inputs, and let it go on by itself from some of its states.

    Parameters
    ----------
    model, parameters : the network, as many outputs as inputs
    inputs : (time, input) array
    starts : (starts,) numbers of the last inputs that are heard
    steps : outputs that are wanted from each
    alpha : dt / tau

    Returns
    -------
    (starts, steps, output) ndarray
        The first is the output at the start itself, the forecast of the next input; each is heard as that input.

    Raises
    ------
    CortwinError
        If inputs and outputs differ in number, parameters do not fit, or a start is not among the inputs.
    """
    samples, heard = np.asarray(inputs, dtype=np.float64), np.asarray(starts)
    check_alpha(alpha)
    check_parameters(model, parameters, inputs=samples.shape[-1])
    outputs = len(parameters.b_out)
    if samples.ndim != 2 or outputs != samples.shape[1]:
        raise CortwinError(
            f"{model.name} cannot hear itself: inputs are {samples.shape} (time, input), and it has {outputs} outputs"
        )
    if heard.size == 0 or heard.min() < 0 or heard.max() >= len(samples) or steps < 1:
        raise CortwinError(
            f"starts must be among the {len(samples)} inputs, with at least 1 step, got {starts}, {steps}"
        )
    compiled = _compiled(Itself(model), tuple(heard.tolist()), steps, float(alpha))
    return np.asarray(compiled(parameters, jnp.asarray(samples)))


@lru_cache(maxsize=32)
def _compiled(of: Itself, heard: tuple[int, ...], steps: int, alpha: float) -> Callable[[Any, jax.Array], jax.Array]:
    """Return the run for any parameters and inputs; networks that differ in them alone share it."""
    textbook = of.thing.recurrence()

    def output(p: Any, state: Any) -> jax.Array:
        return LINKS[textbook.link](textbook.output(p, textbook.rate(textbook.activation(state))))

    def all_from(p: Any, u: jax.Array) -> jax.Array:
        def driven(state: Any, sample: jax.Array) -> tuple[Any, Any]:
            state = textbook.step(p, state, sample, alpha)
            return state, state

        start = jax.tree.map(jnp.asarray, textbook.start(p))
        states = jax.tree.map(lambda array: array[np.array(heard)], jax.lax.scan(driven, start, u)[1])

        def alone(first: Any) -> jax.Array:
            def advance(state: Any, _: None) -> tuple[Any, jax.Array]:
                y = output(p, state)
                return textbook.step(p, state, y, alpha), y

            return jax.lax.scan(advance, first, None, length=steps)[1]

        return jax.vmap(alone)(states)

    return jax.jit(all_from)
