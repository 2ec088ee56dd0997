"""One step of a writing as a map of its state: what trajectories, Jacobians, exponents and fixed points are made of.

The textbook's map is its step; that of the rate text is one time step of the compiled Brian2 objects. Both are flat
vectors to the outside, so that the methods of `cortwin.analysis` measure them by the same functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpy.typing import ArrayLike, NDArray

from cortwin import xla
from cortwin.builder import Layout, arrays, interpreted, objects
from cortwin.equations import definitions
from cortwin.errors import CortwinError
from cortwin.model import STIMULUS, Model
from cortwin.training.checks import check_alpha


@dataclass(frozen=True, eq=False)
class Map:
    """A step ``x <- F(x, u)`` with its derivative by the state.

    Attributes
    ----------
    arrays : what the step reads: weights and whatever else does not change
    function : ``(arrays, state, input) -> state``, pure JAX, one state
    start : (state,) ndarray, the state before the first input
    inputs : size of the input
    """

    arrays: Any
    function: Callable[[Any, jax.Array, jax.Array], jax.Array]
    start: NDArray[np.float64]
    inputs: int

    def step(self, state: ArrayLike, u: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the state after one step, (state,); the input is 0 where none is given."""
        return np.asarray(self._compiled["step"](self.arrays, _vector(state), self._input(u)))

    def jacobian(self, state: ArrayLike, u: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return ``dF/dx``, (state, state): row i is what state i hears."""
        return np.asarray(self._compiled["jacobian"](self.arrays, _vector(state), self._input(u)))

    def trajectory(self, inputs: ArrayLike, start: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the states from the start on, (time + 1, state), under (time, input) inputs."""
        first = self.start if start is None else _vector(start)
        return np.asarray(self._compiled["trajectory"](self.arrays, first, _vector(inputs)))

    def jacobians(self, states: ArrayLike, inputs: ArrayLike) -> NDArray[np.float64]:
        """Return the Jacobians of the steps from (time, state) states under (time, input) inputs."""
        return np.asarray(self._compiled["jacobians"](self.arrays, _vector(states), _vector(inputs)))

    def advance(self, steps: int, u: ArrayLike | None = None) -> Callable[[Any, Any], tuple[NDArray, NDArray]]:
        """Return many steps under one input, with their action on tangent vectors, for `lyapunov_exponents`.

        Returns
        -------
        function : ``(state, tangents) -> (state, tangents)``, shapes (trial, state) and (trial, state, vector): the
            states of all trials are moved by one product of matrices
        """

        def one(weights: Any, state: jax.Array, tangents: jax.Array, heard: jax.Array) -> tuple[jax.Array, jax.Array]:
            after, along = jax.linearize(lambda x: self.function(weights, x, heard), state)
            return after, jax.vmap(along, in_axes=1, out_axes=1)(tangents)

        @jax.jit
        def many(weights: Any, state: jax.Array, tangents: jax.Array, heard: jax.Array) -> tuple[jax.Array, jax.Array]:
            all_trials = jax.vmap(one, in_axes=(None, 0, 0, None))
            return jax.lax.fori_loop(
                0, steps, lambda _, now: all_trials(weights, now[0], now[1], heard), (state, tangents)
            )

        held = self._input(u)

        def moved(state: Any, tangents: Any) -> tuple[NDArray, NDArray]:
            after, along = many(self.arrays, _vector(state), _vector(tangents), held)
            return np.asarray(after), np.asarray(along)

        return moved

    def _input(self, u: ArrayLike | None) -> NDArray[np.float64]:
        return np.zeros(self.inputs) if u is None else _vector(u)

    @cached_property
    def _compiled(self) -> dict[str, Callable]:
        derivative = jax.jacfwd(self.function, argnums=1)

        def over_time(weights: Any, start: jax.Array, inputs: jax.Array) -> jax.Array:
            def advance(state: jax.Array, u: jax.Array) -> tuple[jax.Array, jax.Array]:
                state = self.function(weights, state, u)
                return state, state

            return jnp.concatenate([start[None], jax.lax.scan(advance, start, inputs)[1]])

        return {
            "step": jax.jit(self.function),
            "jacobian": jax.jit(derivative),
            "trajectory": jax.jit(over_time),
            "jacobians": jax.jit(jax.vmap(derivative, in_axes=(None, 0, 0))),
        }


def textbook_map(model: Model, parameters: Any, alpha: float) -> Map:
    """Return the leaky step of the textbook as a map; at alpha = 1 it is the recurrence as printed.

    Parameters
    ----------
    model, parameters : the network; a state of several arrays is their concatenation, in the order of the page
    alpha : dt / tau
    """
    check_alpha(alpha)
    textbook = model.recurrence()
    given = jax.tree.map(lambda array: np.asarray(array, dtype=np.float64), parameters)
    start, shaped = ravel_pytree(textbook.start(given))

    def function(p: Any, state: jax.Array, u: jax.Array) -> jax.Array:
        return ravel_pytree(textbook.step(p, shaped(state), u, alpha))[0]

    return Map(given, function, np.asarray(start), model.sizes(parameters._asdict())["inputs"])


def rate_map(model: Model, parameters: Any, dt: float) -> Map:
    """Return one time step of the compiled rate text as a map of its differential variables, in the text's order.

    Parameters
    ----------
    model, parameters : the network
    dt : of the step, in s

    Raises
    ------
    CortwinError
        If the writing is no map of them: it has a delay, synapses with differential equations, or a text in which time
        stands elsewhere than in ``stimulus(t, i)``.
    """
    text = model.writing("rate")
    own = {name: definitions(population.equations, model.name) for name, population in text.populations.items()}
    for name, pathway in text.pathways.items():
        if pathway.delay is not None or pathway.method is not None:
            what = "a delay" if pathway.delay is not None else "differential equations of its own"
            raise CortwinError(f"{model.name}, rate writing: {name} has {what}, so that units alone are not its state")
    for name, items in own.items():
        for item in items:
            if re.search(r"\bt\b", (item.expression or "").replace(f"{STIMULUS}(t, i)", "")):
                raise CortwinError(f"{model.name}, rate writing: {item.name} of {name} depends on time: it has no map")
    values = parameters._asdict()
    sizes = model.sizes(values)
    layout = Layout.of_one_trial(sizes, dt=dt, steps=1)
    data = arrays(model, "rate", layout, values, np.zeros((1, 1, sizes["inputs"])))
    with interpreted():
        program = xla.compile(objects(model, "rate", layout, data))
    state = [f"{name}.{item.name}" for name, items in own.items() for item in items if item.kind == "differential"]
    start = {name: np.asarray(data.get(name, program.state[name]), dtype=np.float64) for name in state}
    flat, shaped = ravel_pytree([start[name] for name in state])
    kept = {name: array for name, array in data.items() if name in program.state and name not in state}

    def function(constant: Any, vector: jax.Array, u: jax.Array) -> jax.Array:
        now = dict(zip(state, shaped(vector), strict=True))
        heard = {f"{STIMULUS}.values": u[None]} if f"{STIMULUS}.values" in program.state else {}
        after = program.simulate({**constant, **now, **heard}, 1)
        return ravel_pytree([after[name] for name in state])[0]

    return Map(kept, function, np.asarray(flat), sizes["inputs"])


def _vector(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)
