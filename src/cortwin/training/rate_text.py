"""The rate text over time and trials, as pure JAX: the twin of the textbook that gradients may pass through too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cortwin import xla
from cortwin.builder import Layout, arrays, interpreted, objects
from cortwin.model import STIMULUS, Model, Pathway


def rate_function(model: Model, layout: Layout, values: Mapping[str, Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return the rate text as a function of the textbook's parameters and inputs.

    Parameters
    ----------
    model : its rate writing runs
    layout : of one trial; its dt, input_dt and record_dt are equal
    values : array by name, all that the rate writing needs; the textbook's are replaced at every call

    Returns
    -------
    function : ``(parameters, inputs) -> x, r``, like `cortwin.training.forward.textbook_activity`: inputs are
        (trial, time, input), x and r (trial, time, unit), and sample k is the state after input k

    Raises
    ------
    CortwinError
        If the writing cannot be built or compiled.
    """
    text = model.writing("rate")
    still = np.zeros((1, layout.input_steps, layout.inputs))
    with interpreted():
        network = objects(model, "rate", layout, arrays(model, "rate", layout, values, still))
        program = xla.compile(network)

    def under_brian2_names(parameters: Any) -> dict[str, jax.Array]:
        named = {}
        for name, part in (*text.populations.items(), *text.pathways.items()):
            for variable, array in part.values.items():
                if hasattr(parameters, array):
                    value = jnp.asarray(getattr(parameters, array))
                    # As in `cortwin.builder.arrays`: synapses are numbered by source, then target.
                    named[f"{name}.{variable}"] = value.T.ravel() if isinstance(part, Pathway) else value
        return named

    def recorded(label: str) -> str:
        population, _, variable = text.activity[label].partition(".")
        return f"recorded_{population}.{variable}"

    def run(parameters: Any, inputs: Any) -> tuple[jax.Array, jax.Array]:
        own = under_brian2_names(parameters)

        def trial(samples: jax.Array) -> tuple[jax.Array, jax.Array]:
            # The first sample is the initial state; the last one is recorded at the start of a further step.
            found = program.simulate({**own, f"{STIMULUS}.values": samples}, layout.input_steps + 1)
            return found[recorded("x")][1:], found[recorded("r")][1:]

        return jax.vmap(trial)(jnp.asarray(inputs))

    return run
