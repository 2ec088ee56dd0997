"""Why gradients vanish and explode: Jacobians along trajectories, of the printed cells and of rate populations.

A gradient that goes back through time is multiplied by one Jacobian a step. Over many steps its norm follows the
largest Lyapunov exponent: it vanishes where neighbouring states meet and explodes where they part. The Jacobians of the
textbook's step and of the compiled rate text are taken by the same functions.

Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063; Sompolinsky, Crisanti & Sommers 1988,
doi:10.1103/PhysRevLett.61.259; Girko 1985, doi:10.1137/1129095.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from brian2 import Quantity, ms
from scipy.stats import ortho_group

from cortwin import figures
from cortwin.analysis import (
    finite_size_limit,
    gradient_norms,
    lyapunov_exponents,
    lyapunov_spectrum,
    product_norms,
    random_network,
    recurrence_spectrum,
)
from cortwin.dynamics import rate_map, textbook_map
from cortwin.errors import CortwinError
from cortwin.experiment import Drawing, Parameter, Results, Run, Section, Table, run_script
from cortwin.models import elman, gru, lstm

INPUTS = 4
EXPONENTS_OVER = 4  # stretches; all Jacobians of a trajectory would fill the memory
OPEN = 4.0  # a bias that keeps the gate of the memory open: sigma(4) = 0.98
CHUNK = 10.0  # in tau, the interval between two normalisations of the tangent vectors


def compute(
    run: Run,
    *,
    units: Annotated[int, Parameter("units of the networks whose gradients are followed", quick=24, minimum=2)] = 64,
    steps: Annotated[int, Parameter("steps that a gradient goes back", quick=100, minimum=4)] = 200,
    trials: Annotated[int, Parameter("stretches of as many steps, a gradient each", quick=6, minimum=2)] = 20,
    gains: Annotated[tuple[float, ...], Parameter("of the Elman networks", above=0, quick=(0.5, 2.0))] = (
        *(0.5, 0.9, 1.2, 1.5, 2.0),
    ),
    drive: Annotated[float, Parameter("s.d. of each sample of the input", minimum=0)] = 0.1,
    tau: Annotated[Quantity, Parameter("time constant of the rate populations", above=0 * ms)] = 100 * ms,  # type: ignore
    dt: Annotated[Quantity, Parameter("step of the rate populations, alpha tau", above=0 * ms)] = 10 * ms,  # type: ignore
    gain: Annotated[float, Parameter("gain of the large random network", above=0)] = 1.5,
    size: Annotated[int, Parameter("its units", quick=300, minimum=2)] = 2000,
    small: Annotated[int, Parameter("units of the random networks over gains", quick=100, minimum=2)] = 500,
    matrix: Annotated[int, Parameter("units of the matrix whose eigenvalues are drawn", quick=300, minimum=2)] = 1000,
    copies: Annotated[int, Parameter("trajectories of a random network, side by side", minimum=1)] = 4,
    length: Annotated[int, Parameter("of each in tau, as long again as it settles", quick=50, minimum=20)] = 300,
    draws: Annotated[int, Parameter("large random networks", quick=1, minimum=1)] = 3,
    sizes: Annotated[tuple[int, ...], Parameter("of others, more if smaller", quick=(100,), minimum=2)] = (
        *(250, 500, 1000),
    ),
) -> Results:
    """Take Jacobians, multiply them, and hold them against algebra and theory."""
    networks_of = {n: max(1, round(draws * size / n)) for n in sorted({*sizes, size})}
    if len(networks_of) < 2 or sum(networks_of.values()) < 3:
        names = ", ".join(map(str, sizes))
        raise CortwinError(f"sizes is {names}, beside size {size}: a line takes three networks of two sizes at least")
    constants, alpha = {"tau": tau}, float(dt / tau)
    model = elman.model().with_constants(**constants)
    networks = {f"elman_{g:g}": (model, _elman(run, units, g)) for g in gains}
    for page, gate in ((gru, "b_z"), (lstm, "b_f")):
        start = page.initial(run.generator(page.__name__), INPUTS, units, 1)
        cell = page.model().with_constants(**constants)
        networks |= {
            page.__name__.rpartition(".")[2]: (cell, start),
            f"{page.__name__.rpartition('.')[2]}_open": (cell, start._replace(**{gate: np.full(units, OPEN)})),
        }

    metrics: dict[str, Any] = _algebra(run, model, units)
    arrays: dict[str, np.ndarray] = {}
    rows, difference = [], 0.0
    with run.timed("gradients"), run.progress("following gradients", len(networks)) as bar:
        for name, (page, parameters) in networks.items():
            maps = {
                "printed": (textbook_map(page, parameters, 1.0), 1.0),
                "leaky": (textbook_map(page, parameters, alpha), alpha),
                "rate": (rate_map(page, parameters, float(dt)), alpha),
            }
            row: dict[str, Any] = {"network": name}
            jacobians: dict[str, np.ndarray] = {}
            inputs = drive * run.generator(f"inputs of {name}").standard_normal((steps * (1 + trials), INPUTS))
            for kind, (one, interval) in maps.items():
                states, windows = one.trajectory(inputs), range(steps, len(inputs), steps)
                gradients = run.generator("directions").standard_normal((trials, one.start.size))
                norms, kept = np.empty((trials, steps + 1)), []
                for number, (k, gradient) in enumerate(zip(windows, gradients, strict=True)):
                    J = one.jacobians(states[k : k + steps], inputs[k : k + steps])
                    norms[number] = gradient_norms(J, gradient / np.linalg.norm(gradient))
                    kept += [J] if number < EXPONENTS_OVER else []
                spectrum = lyapunov_spectrum(np.concatenate(kept), interval=interval, transient=steps // 2)
                arrays |= {f"norms.{kind}.{name}": norms, f"spectrum.{kind}.{name}": spectrum}
                row[f"{kind}.norm"] = float(np.median(norms[:, -1]))
                row[f"{kind}.slope"] = _slope(norms, interval)
                row[f"{kind}.exponent"] = float(spectrum[0])
                jacobians[kind] = kept[0]
            difference = max(difference, float(np.abs(jacobians["leaky"] - jacobians["rate"]).max()))
            rows.append(row)
            metrics |= {f"gradients.{name}.{key}": value for key, value in row.items() if key != "network"}
            bar.advance()
    metrics["gradients.jacobians.max_difference"] = difference

    theory = random_network(gain)
    metrics |= {
        "gradients.random.theory.exponent": theory.exponent,
        "gradients.random.theory.variance": theory.variance,
    }
    curve, of_size = [], {}
    work = (len(gains) * small + sum(n * number for n, number in networks_of.items())) / size
    with run.timed("random networks"), run.progress("random networks", work) as bar:
        for g in gains:
            exponent, _ = _random(run, model, _elman(run, small, g), copies, length, float(dt))
            curve.append({"gain": g, "exponent": float(exponent.mean())})
            bar.advance(small / size)
        for n, drawn_of_size in networks_of.items():
            of_size[n] = []
            for number in range(drawn_of_size):
                drawn = elman.initial(run.generator(f"network {number} of {n}"), 1, n, 1, gain=gain)
                of_size[n].append(_random(run, model, drawn, copies, length, float(dt)))
                bar.advance(n / size)
    large = of_size[size]
    growth = np.concatenate([growth for growth, _ in large], axis=1)
    exponents = {n: [float(grown.mean()) for grown, _ in followed] for n, followed in of_size.items()}
    metrics |= {
        "gradients.random.exponent": float(np.mean(exponents[size])),
        "gradients.random.exponent.least": min(exponents[size]),
        "gradients.random.exponent.most": max(exponents[size]),
    }
    metrics["gradients.random.variance"] = float(np.mean([variance for _, variance in large]))
    line = finite_size_limit(
        np.repeat(list(exponents), [len(values) for values in exponents.values()]),
        np.concatenate([*exponents.values()]),
    )
    metrics |= {
        "gradients.random.exponent.limit": line.limit,
        "gradients.random.exponent.limit.error": line.error,
        "gradients.random.exponent.slope": line.slope,
    }
    expected = [
        {"gain": float(g), "exponent": random_network(g).exponent} for g in np.linspace(min(gains), max(gains), 16)
    ]
    eigenvalues = recurrence_spectrum(_elman(run, matrix, gain).W_rec)
    metrics["gradients.random.radius"] = eigenvalues.radius
    return Results(
        metrics=metrics,
        tables={"networks": rows, "gains": curve, "theory": expected, "sizes": _over_sizes(exponents)},
        weights={**arrays, "random.growth": growth, "random.eigenvalues": eigenvalues.eigenvalues},
        notes={"dt": float(dt), "tau": float(tau), "gains": list(gains), "size": size, "small": small, "gain": gain},
    )


def _elman(run: Run, units: int, gain: float) -> elman.Parameters:
    """Draw an Elman network: the same random numbers at every gain, times the gain."""
    return elman.initial(run.generator(f"{units} units"), INPUTS, units, 1, gain=gain)


def _slope(norms: np.ndarray, interval: float) -> float:
    """Return the slope of the median log norm over the longer half of the lags."""
    typical = np.median(np.log(norms), axis=0)
    half = len(typical) // 2
    return float(np.polyfit(interval * np.arange(half, len(typical)), typical[half:], 1)[0])


def _algebra(run: Run, model: Any, units: int) -> dict[str, float]:
    """Follow a gradient 100 steps back where algebra says its norm: an orthogonal recurrence at rest, and 0.9 of it.

    At rest f' = 1, and the Jacobian of the recurrence as printed, or of the rate text at dt = tau, is W_rec.
    """
    orthogonal = ortho_group.rvs(units, random_state=run.generator("orthogonal"))
    still = np.zeros((100, INPUTS))
    metrics = {}
    for name, scale in {"orthogonal": 1.0, "scaled": 0.9}.items():
        parameters = _elman(run, units, 1.0)._replace(W_rec=scale * orthogonal)
        maps = {
            "textbook": textbook_map(model, parameters, 1.0),
            "rate": rate_map(model, parameters, float(model.constants["tau"])),
        }
        for kind, one in maps.items():
            J = one.jacobians(one.trajectory(still)[:-1], still)
            metrics[f"gradients.{name}.{kind}"] = float(gradient_norms(J, np.eye(units)[0])[-1])
            metrics[f"gradients.{name}.{kind}.product"] = float(product_norms(J)[-1])
    return metrics


def _random(
    run: Run, model: Any, parameters: elman.Parameters, copies: int, length: int, dt: float
) -> tuple[np.ndarray, float]:
    """Return the growth of tangent vectors, (interval, copy), of a random network left to itself, and its mean x^2.

    The network is its rate text, compiled to XLA; growth is per tau.
    """
    one, tau = rate_map(model, parameters, dt), float(model.constants["tau"])
    generator, units = run.generator("states and tangents"), len(parameters.x0)
    state, tangents = generator.standard_normal((copies, units)), generator.standard_normal((copies, units, 1))
    advance, squares = one.advance(round(CHUNK * tau / dt)), []

    def watched(state: Any, tangents: Any) -> tuple[np.ndarray, np.ndarray]:
        after = advance(state, tangents)
        squares.append(float(np.mean(after[0] ** 2)))
        return after

    intervals = round(length / CHUNK)
    found = lyapunov_exponents(watched, state, tangents, interval=CHUNK, intervals=intervals, transient=intervals)
    return found.growth[:, :, 0], float(np.mean(squares[intervals:]))


def _over_sizes(exponents: dict[int, list[float]]) -> list[dict[str, Any]]:
    """Return means over networks of each size, and their standard errors."""
    return [
        {
            "units": n,
            "networks": len(values),
            "exponent": float(np.mean(values)),
            "error": float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None,
        }
        for n, values in exponents.items()
    ]


def draw(results: Results) -> list[Drawing]:
    """Draw norms, exponents and eigenvalues."""
    notes, arrays = results.notes, results.weights
    elmans = {f"g = {g:g}": f"elman_{g:g}" for g in notes["gains"]}
    gated = {"GRU": "gru", "GRU, open": "gru_open", "LSTM": "lstm", "LSTM, open": "lstm_open"}

    def norms(kind: str, names: dict[str, str]) -> dict[str, np.ndarray]:
        return {label: arrays[f"norms.{kind}.{name}"] for label, name in names.items()}

    in_tau = {"interval": notes["dt"] / notes["tau"], "unit": r"$\tau$"}
    panels = [
        figures.GradientPanel("Elman, as printed", norms("printed", elmans)),
        figures.GradientPanel("gated cells, as printed", norms("printed", gated)),
        figures.GradientPanel("rate populations", norms("leaky", elmans), norms("rate", elmans), **in_tau),
        figures.GradientPanel("gated populations", norms("leaky", gated), norms("rate", gated), **in_tau),
    ]
    spectra = {label: arrays[f"spectrum.printed.{name}"] for label, name in elmans.items()}
    eigenvalues = {"random": arrays["random.eigenvalues"]}
    return [
        Drawing(
            "gradients",
            figures.gradient_norms(panels),
            "A gradient on its way back",
            "Norm of dL/dx of the state a lag before the loss, over its norm at lag 0, for a loss with a gradient in a "
            "random direction: median over {parameters.trials} stretches of one trajectory for each network (n = 1), "
            "band from the 10th to the 90th percentile. Open: the bias of the gate that keeps the memory is 4. On the "
            "right the lines are the leaky textbook step and the circles the compiled rate text.",
        ),
        Drawing(
            "lyapunov",
            figures.lyapunov_exponents(
                spectra,
                results.tables["gains"],
                results.tables["theory"],
                arrays["random.growth"],
                theory=results.metrics["gradients.random.theory.exponent"],
                interval=CHUNK,
                sizes=(notes["small"], notes["size"]),
            ),
            "Lyapunov exponents",
            "Whole spectra of the Elman networks as printed (one trajectory each); the largest exponent of "
            "random rate networks without input beside mean-field theory, one network for each gain; and how the "
            "largest of them settles: a grey line for each of {parameters.copies} trajectories of each of "
            "{parameters.draws} networks, and the mean of all.",
        ),
        Drawing(
            "sizes",
            figures.exponents_over_sizes(
                results.tables["sizes"],
                theory=results.metrics["gradients.random.theory.exponent"],
                limit=results.metrics["gradients.random.exponent.limit"],
                slope=results.metrics["gradients.random.exponent.slope"],
            ),
            "Finite networks are less chaotic",
            "Largest exponent of random networks of gain {parameters.gain}: mean over networks, and its standard "
            "error. The line is fitted to all networks; at 1 / N = 0 theory holds.",
        ),
        Drawing(
            "eigenvalues",
            figures.eigenvalues(eigenvalues, tau=notes["tau"]),
            "Eigenvalues of a random matrix",
            "{parameters.matrix} units, variance g^2 / N: they fill the circle of radius g (Girko).",
        ),
    ]


def report(results: Results) -> list[Section]:
    """Tell what was found."""
    columns = {"network": "network"} | {
        f"{kind}.{key}": title
        for kind, unit in (("printed", "step"), ("rate", "tau"))
        for key, title in (
            ("norm", f"{kind}: norm at the last lag"),
            ("slope", f"slope (1/{unit})"),
            ("exponent", f"largest exponent (1/{unit})"),
        )
    }
    kinds = ("textbook", "rate")
    return [
        Section(
            "Vanishing and exploding gradients",
            "A gradient is multiplied by one Jacobian for each step that it goes back. Over many steps the logarithm "
            "of its norm falls or rises with the largest Lyapunov exponent, per step of the cells as printed and per "
            "tau of the rate populations. A gate that stays open keeps the Jacobian near the identity. The Jacobians "
            "of the leaky textbook step and of the compiled rate text differ by "
            "{gradients.jacobians.max_difference} at most.",
            drawings=["gradients"],
            tables=[
                Table(
                    "One network each (n = 1); slopes over the longer half of the lags, of the median over "
                    "{parameters.trials} stretches of a trajectory; exponents along up to four of them.",
                    columns,
                    records="networks",
                ),
                Table(
                    "100 steps back through an orthogonal recurrence at rest, and through 0.9 of it, where algebra "
                    "says 1 and 0.9^100 = 2.656e-5: norm of the gradient, and of the product of the Jacobians.",
                    ("", *kinds, *(f"{kind}, product" for kind in kinds)),
                    [
                        (
                            name,
                            *(f"gradients.{name}.{kind}" for kind in kinds),
                            *(f"gradients.{name}.{kind}.product" for kind in kinds),
                        )
                        for name in ("orthogonal", "scaled")
                    ],
                    digits=6,
                ),
            ],
        ),
        Section(
            "A random network",
            "Without input, a large random rate network of gain {parameters.gain} is chaotic: its largest exponent is "
            "{gradients.random.exponent} / tau ({gradients.random.exponent.least} to {gradients.random.exponent.most} "
            "in {parameters.draws} networks) and its mean square {gradients.random.variance}, where mean-field "
            "theory has {gradients.random.theory.exponent} and {gradients.random.theory.variance} for infinitely many "
            "units (Sompolinsky, Crisanti & Sommers 1988). A line in 1 / N through networks of several sizes meets "
            "infinitely many units at {gradients.random.exponent.limit} +- {gradients.random.exponent.limit.error} "
            "(standard error). The spectral radius of {parameters.matrix} units is "
            "{gradients.random.radius}.",
            drawings=["lyapunov", "sizes", "eigenvalues"],
            tables=[
                Table(
                    "Largest exponents (1/tau) over networks of one size: mean and its standard error.",
                    {"units": "units", "networks": "networks", "exponent": "exponent", "error": "error"},
                    records="sizes",
                    digits=4,
                )
            ],
        ),
    ]


if __name__ == "__main__":
    run_script(__file__)
