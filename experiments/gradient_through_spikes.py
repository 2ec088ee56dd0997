"""What a surrogate does to a gradient on its way back through spikes: norm and direction over lag, beside the textbook.

A loss in a random direction of the last synaptic currents; the gradient with respect to each neuron's drive a lag
before it. The textbook network is Elman's at the same recurrent gain.

Zenke & Vogels 2021, doi:10.1162/neco_a_01367.
"""

from __future__ import annotations

from typing import Annotated

import jax
import numpy as np
from brian2 import StateMonitor, ms, second

from cortwin import differentiate, figures
from cortwin.analysis import gradient_norms
from cortwin.dynamics import textbook_map
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.models import elman
from cortwin.recurrent_lif import RecurrentLIF

SURROGATES = ("fast_sigmoid", "triangular", "arctan", "gaussian", "straight_through")
DT = 1e-3


def compute(
    run: Run,
    *,
    units: Annotated[int, Parameter("neurons, and units of the textbook network", quick=24, minimum=2)] = 128,
    steps: Annotated[int, Parameter("steps of 1 ms that a gradient goes back", quick=60, minimum=4)] = 200,
    trials: Annotated[
        int, Parameter("gradients, each with inputs and a direction of its own", quick=4, minimum=2)
    ] = 20,
    gain: Annotated[float, Parameter("of the recurrent weights", above=0)] = 1.5,
    scale: Annotated[float, Parameter("1 / width of the surrogates, in thresholds", above=0)] = 2.0,
) -> Results:
    """Take gradients with every surrogate, through the reset and not, and of the textbook network."""
    sizes = RecurrentLIF(units, units, 1, DT)
    weights = sizes.initial(run.generator("weights"), gain) | {"w_in.w": np.eye(units).ravel()}
    drive = 0.5 + 0.5 * run.generator("drive").standard_normal((trials, steps, units))
    directions = run.generator("directions").standard_normal((trials, units))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    arrays, rows = {}, []
    with run.timed("gradients"), run.progress("taking gradients", 2 * len(SURROGATES)) as bar:
        for through in (True, False):
            found = {}
            for surrogate in SURROGATES:
                found[surrogate] = _gradients(sizes, weights, drive, directions, surrogate, scale, through)
                bar.advance()
            for name, gradients in found.items():
                norms = np.linalg.norm(gradients, axis=2)[:, ::-1]
                arrays[f"norms.{'through' if through else 'around'}.{name}"] = norms / norms[:, :1]
                alike = _cosines(gradients, found["fast_sigmoid"])
                half = len(alike) // 2
                rows.append(
                    {
                        "surrogate": name,
                        "reset": "through" if through else "around",
                        "half": float(np.median(norms[:, half] / norms[:, 0])),
                        "last": float(np.median(norms[:, -1] / norms[:, 0])),
                        "cosine.half": float(alike[half]),
                        "cosine.last": float(alike[-1]),
                    }
                )
    model, alpha = elman.model(), DT / 20e-3
    one = textbook_map(model, elman.initial(run.generator("textbook"), units, units, 1, gain=gain), alpha)
    norms = []
    for shown, direction in zip(drive - 0.5, directions, strict=True):
        J = one.jacobians(one.trajectory(shown)[:-1], shown)
        norms.append(gradient_norms(J, direction)[: steps + 1])
    arrays["norms.textbook"] = np.array(norms)
    metrics = {f"through_spikes.{row['surrogate']}.{row['reset']}": row["last"] for row in rows}
    metrics["through_spikes.textbook"] = float(np.median(arrays["norms.textbook"][:, -1]))
    return Results(metrics=metrics, tables={"surrogates": rows}, weights=arrays)


def _gradients(
    sizes: RecurrentLIF,
    weights: dict[str, np.ndarray],
    drive: np.ndarray,
    directions: np.ndarray,
    surrogate: str,
    scale: float,
    through: bool,
) -> np.ndarray:
    """Return dL/du of every step, (trial, time, neuron), for L = direction . I of the last step."""
    network = sizes.network(drive[0], weights)
    steps = drive.shape[1]
    current = StateMonitor(network["neurons"], "I", record=True, dt=DT * second, when="end", name="current")
    network.add(current)
    program = differentiate(
        network, ["stimulus"], namespace={}, surrogate=surrogate, scale=scale, through_reset=through
    )
    run = program.function(steps * ms)

    def loss(shown: jax.Array, direction: jax.Array) -> jax.Array:
        return run({"stimulus": shown}, None)["current"]["I"][-1] @ direction

    # The last step's drive comes too late for any spike that counts.
    return np.asarray(jax.jit(jax.vmap(jax.grad(loss)))(drive, directions))[:, :-1]


def _cosines(gradients: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the median cosine between two gradients at every lag, shortest first."""
    product = (gradients * others).sum(axis=2)
    lengths = np.linalg.norm(gradients, axis=2) * np.linalg.norm(others, axis=2)
    return np.median(product / np.maximum(lengths, np.finfo(float).tiny), axis=0)[::-1]


def draw(results: Results) -> list[Drawing]:
    """Draw norms over lag."""
    arrays = results.weights

    def norms(kind: str) -> dict[str, np.ndarray]:
        return {name.replace("_", " "): np.asarray(arrays[f"norms.{kind}.{name}"]) for name in SURROGATES}

    panels = [
        figures.GradientPanel("through the reset", norms("through"), unit="ms"),
        figures.GradientPanel("around the reset", norms("around"), unit="ms"),
        figures.GradientPanel("textbook", {"Elman": np.asarray(arrays["norms.textbook"])}, unit="ms"),
    ]
    return [
        Drawing(
            "norms",
            figures.gradient_norms(panels),
            "A gradient through spikes",
            "Norm of the gradient over lag, 1 at the shortest: median and band (10th to 90th percentile) of "
            "{parameters.trials} trials of one network (n = 1) of {parameters.units} neurons.",
        )
    ]


def report(results: Results) -> list[Section]:
    """Tell norms and directions."""
    columns = {
        "surrogate": "surrogate", "reset": "reset", "half": "norm, half way", "last": "norm, last lag",
        "cosine.half": "cosine, half way", "cosine.last": "cosine, last lag",
    }  # fmt: skip
    return [
        Section(
            "Norm and direction",
            "Cosines are with the fast sigmoid's gradient at the same lag, medians over trials. The textbook's norm at "
            "the last lag is {through_spikes.textbook}.",
            drawings=["norms"],
            tables=[Table("Medians over {parameters.trials} trials.", columns, records="surrogates")],
        )
    ]


if __name__ == "__main__":
    run_script(__file__)
