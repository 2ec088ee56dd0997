"""The 3-bit flip-flop: a memory made of fixed points, in the textbook network, the rate population and spikes.

A network learns to hold the sign of the last pulse on each input. Where its dynamics rest, and where they hesitate, is
found in the textbook's step and in the compiled rate text, and the trajectories of all three writings are drawn among
these points.

Sussillo & Barak 2013, doi:10.1162/NECO_a_00409.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from brian2 import Quantity, ms
from scipy.spatial.distance import cdist

from cortwin import figures
from cortwin.analysis import FixedPoints, find_fixed_points, principal_components
from cortwin.cpp import compiler
from cortwin.dynamics import Map, rate_map, textbook_map
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.ladder import Spiking
from cortwin.models import elman
from cortwin.study import Study
from cortwin.tasks import FlipFlopTask
from cortwin.training import Options, Penalties, run_textbook
from cortwin.twins import WRITINGS

SETTLED = 0.3  # s after the last pulse, from when on a bit counts as held
LINK_STEPS = 2000  # that a trajectory is given to come from a saddle to a stable point
ANALYSED = ("textbook", "rate")
SHARED = ("flipflop.points.max_difference", "flipflop.eigenvalues.max_difference")


def compute(
    run: Run,
    *,
    units: Annotated[int, Parameter("cortical units", quick=32, minimum=2)] = 100,
    bits: Annotated[int, Parameter("bits of the memory", minimum=1)] = 3,
    tau: Annotated[Quantity, Parameter("time constant of the synaptic current", above=0 * ms)] = 100 * ms,  # type: ignore
    dt: Annotated[Quantity, Parameter("step of the textbook network, alpha tau", above=0 * ms)] = 10 * ms,  # type: ignore
    trials: Annotated[int, Parameter("training trials", quick=128, minimum=2)] = 512,
    updates: Annotated[int, Parameter("updates of the weights", quick=300, minimum=1)] = 1000,
    learning_rate: Annotated[float, Parameter("learning rate of Adam, falling along a cosine", above=0)] = 1e-2,
    noise: Annotated[float, Parameter("s.d. of the noise on the input in training", minimum=0)] = 0.1,
    tests: Annotated[int, Parameter("trials on which bits are held, without noise", quick=4, minimum=1)] = 16,
    starts: Annotated[int, Parameter("states from which fixed points are searched", quick=100, minimum=1)] = 500,
    neurons_per_unit: Annotated[int, Parameter("LIF neurons per unit of the spiking twin", minimum=1)] = 16,
    dt_spiking: Annotated[Quantity, Parameter("step of the spikes", above=0 * ms, quick=0.2 * ms)] = 0.1 * ms,  # type: ignore
) -> Results:
    """Train, search, simulate, and see who dwells where."""
    if run.engine == "cpp":
        run.record("compiler", compiler.find().describe("release"))
    study = Study(run, float(dt / tau), Spiking(dt=float(dt_spiking)), neurons_per_unit)
    model = elman.model().with_constants(tau=tau)
    study.check(model, float(dt))
    lessons = FlipFlopTask(bits, float(dt), input_noise=noise).trials(trials, run.seed_sequence("lessons"))
    # Longer, and with longer pauses than any that was trained.
    shown = FlipFlopTask(bits, float(dt), 4.0, pause=(0.5, 2.0)).trials(tests, run.seed_sequence("test"))
    options = Options(
        learning_rate=learning_rate,
        schedule="cosine",
        updates=updates,
        batch_size=min(32, trials),
        penalties=Penalties(weight=1e-5, rate=1e-3),
    )
    done = study.train(model, lessons, units, options)[1]
    parameters = done.parameters
    metrics: dict[str, Any] = {"training.error": done.history["error"][-1]}

    lived = run_textbook(model, parameters, lessons.inputs, study.alpha)["x"].to_numpy()
    states = lived.reshape(-1, units)[run.generator("starts").choice(lived[..., 0].size, starts, replace=False)]
    maps = {"textbook": textbook_map(model, parameters, study.alpha), "rate": rate_map(model, parameters, float(dt))}
    with run.timed("fixed points"):
        # A point is slow where the network takes a hundred times as long as on its usual way.
        slow = 1e-2 * float(np.median(np.linalg.norm(np.diff(lived, axis=1), axis=2)))
        points = {
            "textbook": _points(maps["textbook"], states, "steps", 1.0, slow),
            "rate": _points(maps["rate"], states, "continuous", float(dt), slow / float(dt)),
        }
    for name, found in points.items():
        kinds = np.array(found.kinds)
        metrics |= {f"flipflop.{name}.{kind}": int((kinds == kind).sum()) for kind in ("stable", "saddle", "unstable")}
        metrics[f"flipflop.{name}.slow"] = int(found.slow.sum())
        metrics[f"flipflop.{name}.corners"] = len(np.unique(_bits(parameters, found.of_kind("stable")), axis=0))
    stable = points["textbook"].of_kind("stable")
    links = _links(maps["textbook"], points["textbook"], parameters)
    metrics |= {"flipflop.textbook.links": len(links), "flipflop.textbook.links.one_bit": sum(n == 1 for n in links)}
    apart, growth = _agreement(points["textbook"], points["rate"], float(dt))
    metrics |= dict(zip(SHARED, (apart, growth), strict=True))

    twins = study.twins(model, parameters, lessons)
    with run.timed("simulation"):
        active = study.activities(twins, shown.inputs)
    held = shown.inputs["quiet"].to_numpy() >= SETTLED
    wanted = shown.target.to_numpy()
    corners = _bits(parameters, stable)
    neighbours = cdist(stable, stable)[cdist(corners, corners, "cityblock") == 2] if len(stable) else np.zeros(0)
    unit = float(np.median(neighbours)) if neighbours.size else 1.0
    outputs = {name: twins.transferred(activity, shown.target) for name, activity in active.items()}
    arrays: dict[str, np.ndarray] = {}
    for name, activity in active.items():
        right = np.sign(outputs[name].to_numpy()) == wanted
        metrics[f"flipflop.accuracy.{name}"] = float(right[held].mean())
        metrics |= {f"flipflop.accuracy.{name}.bit{k + 1}": float(right[held][:, k].mean()) for k in range(bits)}
        if len(stable):
            distance = np.array([cdist(trial, stable) for trial in activity["x"].to_numpy()])
            arrays[f"distance.{name}"] = distance.min(axis=2) / unit
            nearest = corners[distance.argmin(axis=2)]
            metrics[f"flipflop.dwell.{name}.distance"] = float(np.median(arrays[f"distance.{name}"][held]))
            metrics[f"flipflop.dwell.{name}.right"] = float((nearest == wanted).all(axis=2)[held].mean())
    centre = active["textbook"]["x"].mean(("trial", "time")).to_numpy()
    samples = active["textbook"]["x"].to_numpy().reshape(-1, units) - centre
    seen = principal_components(samples, 3)
    metrics["flipflop.variance_of_3_components"] = seen.fraction
    arrays |= {"centre": centre, "components": seen.components}
    for name, found in points.items():
        arrays |= {
            f"points.{name}": found.points,
            f"unstable.{name}": found.unstable,
            f"slow.{name}": found.slow.astype(int),
        }
        arrays |= {f"eigenvalues.{name}": found.eigenvalues, f"speeds.{name}": found.speeds}
    arrays |= {f"trained.{name}": value for name, value in parameters._asdict().items()}
    arrays |= {f"history.{name}": values for name, values in done.history.items()}
    return Results(
        metrics=metrics,
        reasons={name: "a writing has no fixed point" for name in SHARED if np.isnan(metrics[name])},
        tables={f"points.{name}": _rows(found, parameters) for name, found in points.items()},
        activity={
            "inputs": shown.inputs,
            "target": shown.target,
            **active,
            **{f"output.{name}": output for name, output in outputs.items()},
        },
        weights=arrays,
        notes={"tau": float(tau), "dt": float(dt), "neurons": neurons_per_unit},
    )


def _points(one: Map, starts: np.ndarray, time: Any, step: float, slow: float) -> FixedPoints:
    """Search the fixed points of a map without input; its velocity is what it moves in one step, per `step`."""
    identity = np.eye(one.start.size)
    return find_fixed_points(
        lambda x: (one.step(x) - x) / step,
        lambda x: (one.jacobian(x) - identity) / step,
        starts,
        time=time,
        slow=slow,
    )


def _bits(parameters: elman.Parameters, points: np.ndarray) -> np.ndarray:
    """Return the signs of the network's output at points, (point, bit)."""
    return np.sign(np.tanh(points) @ parameters.W_out.T + parameters.b_out)


def _links(one: Map, points: FixedPoints, parameters: elman.Parameters) -> list[int]:
    """Leave every saddle of one unstable direction both ways; return in how many bits the two ends differ."""
    stable = points.of_kind("stable")
    corners, found = _bits(parameters, stable), []
    still = np.zeros((LINK_STEPS, one.inputs))
    for point in points.points[(points.unstable == 1) & ~points.slow]:
        values, vectors = np.linalg.eig(one.jacobian(point))
        away = 1e-2 * np.real(vectors[:, np.argmax(np.abs(values))])
        ends = [one.trajectory(still, point + sign * away)[-1] for sign in (1, -1)]
        first, second = corners[cdist(ends, stable).argmin(axis=1)]
        found.append(int((first != second).sum()))
    return found


def _agreement(steps: FixedPoints, continuous: FixedPoints, dt: float) -> tuple[float, float]:
    """Return the largest distance of a fixed point, and of one of its eigenvalues, from the other writing's nearest.

    An eigenvalue m of the velocity is 1 + m dt in the step. Slow points are left out: flat minima have no sharp place.
    """
    first, second = ~steps.slow, ~continuous.slow
    if not first.any() or not second.any():
        return float("nan"), float("nan")
    between = cdist(steps.points[first], continuous.points[second])
    apart = max(between.min(axis=0).max(), between.min(axis=1).max())
    growth = 0.0
    for k, near in enumerate(between.argmin(axis=1)):
        pairs = np.abs(steps.eigenvalues[first][k][:, None] - (1 + dt * continuous.eigenvalues[second][near]))
        growth = max(growth, pairs.min(axis=0).max(), pairs.min(axis=1).max())
    return float(apart), float(growth)


def _rows(found: FixedPoints, parameters: elman.Parameters) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "bits": " ".join("+" if bit > 0 else "-" for bit in bits) if kind == "stable" else "",
            "unstable": int(unstable),
            "speed": float(speed),
            "leading": float(abs(values[0])) if np.isfinite(values[0]) else None,
            "real": float(values[0].real),
            "found": int(count),
        }
        for kind, bits, unstable, speed, values, count in zip(
            found.kinds, _bits(parameters, found.points), found.unstable, found.speeds, found.eigenvalues, found.found,
            strict=True,
        )
    ]  # fmt: skip


def draw(results: Results) -> list[Drawing]:
    """Draw state space, one trial, eigenvalues and training."""
    arrays, notes = results.weights, results.notes

    def seen(x: np.ndarray) -> np.ndarray:
        return (x - arrays["centre"]) @ arrays["components"]

    paths = {name: seen(results.activity[name]["x"].to_numpy()) for name in WRITINGS}
    points = {name: seen(arrays[f"points.{name}"]) for name in ANALYSED}
    growth = {
        "textbook": [(values - 1) / notes["dt"] for values in arrays["eigenvalues.textbook"]],
        "rate": list(arrays["eigenvalues.rate"]),
    }
    target = results.activity["target"]
    one_trial = {name: results.activity[f"output.{name}"].to_numpy()[0] for name in WRITINGS}
    distance = {name: arrays[f"distance.{name}"][0] for name in WRITINGS if f"distance.{name}" in arrays}
    return [
        Drawing(
            "state_space",
            figures.state_space(
                paths,
                points,
                {name: arrays[f"unstable.{name}"] for name in ANALYSED},
                {name: arrays[f"slow.{name}"] for name in ANALYSED},
            ),
            "A memory made of fixed points",
            "Trajectories of {parameters.tests} trials in the first three principal components of the textbook's x "
            "({flipflop.variance_of_3_components:.0%} of its variance), and the fixed points of each writing without "
            "input; among the spiking trajectories those of the textbook are drawn.",
        ),
        Drawing(
            "bits",
            figures.held_bits(
                target["time"].to_numpy(),
                results.activity["inputs"].to_numpy()[0],
                target.to_numpy()[0],
                one_trial,
                distance,
            ),
            "Bits that are held",
            "One trial: pulses (grey areas), target (broad grey lines), and what the trained output weights read from "
            "each writing. Below, the distance of x to the nearest stable point of the textbook network, in units of "
            "the distance between two of them that differ in one bit (median).",
        ),
        Drawing(
            "eigenvalues",
            figures.growth_rates(growth, notes["tau"]),
            "Stability",
            "The twelve fastest directions around each point, of the textbook's step, (lambda - 1) / alpha, and of the "
            "rate text in continuous time. Above the line a direction is left.",
        ),
        Drawing(
            "training",
            figures.training_curves(
                arrays["history.error"],
                step=arrays["history.update"],
                gradient_norm=arrays["history.gradient_norm"],
                clip=1.0,
            ),
            "Training",
            "Mean squared error of the network's own output on mini-batches, and the norm of its gradient.",
        ),
    ]


def report(results: Results) -> list[Section]:
    """Tell what was found."""
    columns = {
        "kind": "kind", "bits": "bits", "unstable": "unstable directions", "speed": "speed", "found": "starts",
    }  # fmt: skip
    per_bit = [name for name in results.metrics if name.startswith("flipflop.accuracy.textbook.bit")]
    numbers = [name.removeprefix("flipflop.accuracy.textbook.") for name in per_bit]
    return [
        Section(
            "Fixed points",
            "From {parameters.starts} states on trajectories: {flipflop.textbook.stable} stable points that stand for "
            "{flipflop.textbook.corners} combinations of bits, {flipflop.textbook.saddle} saddles and "
            "{flipflop.textbook.unstable} points that are left in every direction. Of the "
            "{flipflop.textbook.links} saddles with one unstable direction {flipflop.textbook.links.one_bit} lead to "
            "two stable points that differ in one bit. The rate text has {flipflop.rate.stable} stable points and "
            "{flipflop.rate.saddle} saddles; points differ by {flipflop.points.max_difference} at most, eigenvalues by "
            "{flipflop.eigenvalues.max_difference}.",
            drawings=["state_space", "eigenvalues"],
            tables=[
                Table(
                    "Fixed points of the textbook's step (n = 1 network); speed is the norm of what a step moves.",
                    columns | {"leading": "largest |eigenvalue|"},
                    records="points.textbook",
                ),
                Table(
                    "The same of the rate text in continuous time; speed and eigenvalues in 1/s.",
                    columns | {"real": "largest real part"},
                    records="points.rate",
                ),
            ],
        ),
        Section(
            "What is held",
            f"Bits count from {SETTLED} s after the last pulse on any input, in trials of pauses up to twice as "
            "long as in training. With {parameters.neurons_per_unit} LIF neurons for each unit the spiking network's x "
            "is {flipflop.dwell.spiking.distance:.2f} of the distance between neighbouring stable points away from the "
            "nearest one (median), and that is the right one {flipflop.dwell.spiking.right:.1%} of the time."
            if "flipflop.dwell.spiking.distance" in results.metrics
            else "There is no stable point to dwell at.",
            drawings=["bits", "training"],
            tables=[
                Table(
                    "Share of correct bits, by the trained output weights; distance to the nearest stable point "
                    "(median) and how often it is the right one; {parameters.tests} trials.",
                    ("", "all bits", *(name.replace("bit", "bit ") for name in numbers), "distance", "right point"),
                    [
                        (
                            name,
                            f"flipflop.accuracy.{name}",
                            *(f"flipflop.accuracy.{name}.{number}" for number in numbers),
                            *(
                                f"flipflop.dwell.{name}.{key}"
                                if f"flipflop.dwell.{name}.{key}" in results.metrics
                                else ""
                                for key in ("distance", "right")
                            ),
                        )
                        for name in WRITINGS
                    ],
                    digits=4,
                )
            ],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
