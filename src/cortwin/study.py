"""The steps that every study of a trained network and its twins takes: each timed, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from cortwin.agreement import compare_compilers, largest_difference
from cortwin.builder import Layout, check_steps
from cortwin.convergence import convergence
from cortwin.errors import CortwinError
from cortwin.experiment import Run
from cortwin.ladder import Rung, Spiking, climb, floor
from cortwin.model import Model
from cortwin.simulation import simulate
from cortwin.tasks import Trials
from cortwin.training import Fit, Options, check_alpha, fit, gradient_errors, textbook_signals
from cortwin.twins import Twins


@dataclass(frozen=True)
class Study:
    """What the steps share.

    Parameters
    ----------
    run : seeds, engine, workers, timing and progress
    alpha : dt / tau of the textbook network
    spiking : how units are written as LIF neurons
    neurons_per_unit : LIF neurons per unit of the spiking twin
    batch : trials per process, whatever the number of workers
    """

    run: Run
    alpha: float
    spiking: Spiking
    neurons_per_unit: int
    batch: int = 8

    def check(self, model: Model, dt: float) -> None:
        """Refuse times and rates that do not fit, before anything long begins.

        Raises
        ------
        CortwinError
            If alpha is above 1, a finer dt does not divide the textbook's (seconds), or the neurons cannot reach their
            maximum rates.
        """
        check_alpha(self.alpha)
        for step in (self.spiking.dt, self.spiking.dt_rates):
            Layout(1, 1, 1, 1, trials=1, dt=step, input_dt=dt, input_steps=1, record_dt=dt)
            check_steps(model, "spiking", step)
        self.spiking.membrane(model).current(self.spiking.max_rates)

    def train(self, model: Model, lessons: Trials, units: int, options: Options) -> tuple[Any, Fit]:
        """Train a network on the lessons; return its initial parameters too.

        Raises
        ------
        CortwinError
            When the loss or its gradient was not finite.
        """
        sizes = lessons.inputs.sizes["input"], units, lessons.target.sizes["output"]
        start = model.initial(self.run.generator("connectivity"), *sizes)
        with self.run.timed("training"), self.run.progress("training", options.updates) as bar:
            done = fit(
                model,
                start,
                lessons.inputs,
                lessons.noisy_target,
                alpha=self.alpha,
                options=options,
                generator=self.run.generator("batches"),
                advance=_follow(bar),
            )
        if done.diverged:
            raise CortwinError(f"training did not succeed: {done.stopped}")
        return start, done

    def twins(self, model: Model, parameters: Any, lessons: Trials) -> Twins:
        """Put a trained network's writings together; its ensembles represent what the lessons visited."""
        lived = textbook_signals(model, parameters, lessons.inputs, self.alpha)
        options = {"engine": self.run.engine, "batch": self.batch, "jobs": self.run.jobs}
        seed = self.run.seed_sequence("neurons")
        return Twins(model, parameters, lived, self.spiking, self.neurons_per_unit, seed, options)

    def engine(self, writing: str, neurons_per_unit: int) -> str:
        """Choose the engine of a rung: a quick run compiles few programs and sends the others through XLA."""
        compiled = {("rate R2", 1), ("spiking", self.neurons_per_unit)}
        full = self.run.engine == "numpy" or not self.run.quick
        return self.run.engine if full or (writing, neurons_per_unit) in compiled else "xla"

    def climb(self, twins: Twins, shown: Trials, neurons: Sequence[int]) -> list[Rung]:
        """Climb the ladder on noise-free trials."""
        total = (3 + 2 * len(neurons)) * len(shown)
        with self.run.timed("ladder"), self.run.progress("climbing the ladder", total) as bar:
            rungs = climb(
                twins.model,
                twins.parameters,
                shown.inputs,
                shown.target,
                represented=twins.represented,
                neurons=neurons,
                spiking=self.spiking,
                seed=twins.seed,
                engines=self.engine,
                batch=self.batch,
                jobs=self.run.jobs,
                advance=bar.advance,
            )
        self.run.timings["build"] = self.run.timings.get("build", 0.0) + sum(r.row["build_seconds"] or 0 for r in rungs)
        return rungs

    def activities(self, twins: Twins, inputs: xr.DataArray) -> dict[str, xr.Dataset]:
        """Simulate every writing on the same trials."""
        with self.run.progress("simulating the writings", 2 * inputs.sizes["trial"]) as bar:
            return twins.activities(inputs, bar.advance)

    def checks(
        self, twins: Twins, shown: Trials, rungs: list[Rung], networks: Sequence[Model]
    ) -> tuple[dict[str, Any], list[dict[str, float]]]:
        """Hold C++ against XLA, gradients against one another, and the rate text against its differential equation.

        Parameters
        ----------
        twins, shown, rungs : what was climbed
        networks : spiking networks on which every spike of the two compilers is compared

        Returns
        -------
        metrics, and the rows of `cortwin.convergence.convergence`
        """
        few = shown.inputs[: 2 if self.run.quick else 4]
        model, parameters, dt = twins.model, twins.parameters, float(shown.inputs.attrs["dt"])
        with self.run.timed("checks"):
            second = simulate(model, "rate", parameters._asdict(), shown.inputs, dt=dt, engine="xla", batch=self.batch)
            gradients = gradient_errors(
                model,
                parameters,
                few,
                shown.target[: len(few)],
                alpha=self.alpha,
                generator=self.run.generator("entries"),
            )
            steps = [dt / 2**k for k in range(5)]
            engine = self.engine("rate R3", 1)
            rows, slope = convergence(model, parameters, few, steps, engine=engine, batch=len(few))
            metrics = {
                "ladder.R2.xla_max_abs_error": largest_difference(rungs[2], second),
                "ladder.R2.gradient_error": gradients.between_writings,
                "ladder.R2.gradient_fd_error": gradients.finite_difference,
                "ladder.R3.slope": slope,
            }
            if self.run.engine == "cpp":
                seeds = self.run.seed_sequence("engines").spawn(2 if self.run.quick else 5)
                counts = compare_compilers(networks, seeds)
                metrics |= {f"engines.spikes.{name}": value for name, value in counts.items()}
        return metrics, rows

    def floor(self, twins: Twins, shown: Trials, reference: Rung, neurons_per_unit: int) -> dict[str, float]:
        """Take away one cause at a time of what is left at many neurons, on four trials: see `cortwin.ladder.floor`."""
        few = shown.inputs[:: max(1, len(shown) // 4)]
        engine = self.engine("floor", 1)
        with self.run.timed("floor"):
            causes = floor(
                twins.model,
                twins.parameters,
                few,
                reference.activity["x"][:: max(1, len(shown) // 4)],
                twins.represented,
                neurons_per_unit,
                self.spiking,
                twins.seed,
                engine=engine,
                batch=2,
                jobs=self.run.jobs,
            )
        return {f"ladder.floor.{name}": value for name, value in causes.items()}


def _follow(bar: Any) -> Callable[[int, float], None]:
    """Let a progress bar follow training and show the loss."""

    def advance(updates: int, loss: float) -> None:
        bar.advance(updates)
        bar.update(f"loss {loss:.2g}")

    return advance
