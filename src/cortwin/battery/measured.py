"""Checks of a page as it runs: each a number beside its bar."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import xarray as xr

from cortwin.agreement import different_spikes
from cortwin.analysis import nrmse
from cortwin.battery.findings import Found, Missing
from cortwin.battery.subject import ALPHA, STEPS, Subject
from cortwin.blow_ups import LARGEST
from cortwin.errors import CortwinError
from cortwin.ladder import Spiking
from cortwin.model import Lacking
from cortwin.simulation import Simulation, simulate
from cortwin.training import (
    recurrence_activity,
    run_textbook,
    textbook_activity,
    textbook_signals,
)

# Textbook and rate text differ by the rounding of some dozen operations on numbers of order one in each of 20 steps.
EXACT = 1e-10
# A centred difference in float64 is good to about eps^(2/3) = 4e-11 of numbers of order one; small entries less.
DIFFERENCES, BETWEEN_WRITINGS = 1e-6, 1e-8
NEURONS, QUICK_NEURONS = (4, 16, 64), (4, 16)
SEEDS, QUICK_SEEDS = 3, 2
# In fewer spikes than this a distance says little.
ENOUGH_SPIKES = 100
# Steps of the textbook through which states must stay in range.
LONG = 300


def check_printed(subject: Subject) -> Found | Missing:
    """The leaky form at alpha = 1 is the recurrence as printed, over 20 steps."""
    made = subject.model
    if isinstance(made.textbook, Lacking):
        return Missing(made.textbook.reason)
    inputs, parameters = subject.inputs.to_numpy(), subject.parameters
    first = made.textbook.activation(made.textbook.start(parameters))
    printed = jax.jit(lambda p, u: recurrence_activity(made, p, u, first))(parameters, inputs)
    leaky = jax.jit(lambda p, u: textbook_activity(made, p, u, 1.0)[1])(parameters, inputs)
    return Found(f"h at alpha = 1, leaky against printed, {STEPS} steps", _largest(printed, leaky), EXACT)


def check_exact(subject: Subject, engine: str) -> Found | Missing:
    """The rate text, compiled, is the textbook's leaky step to rounding: x and what the readout sees."""
    made = subject.model
    if not subject.has_both:
        return Missing("there are no two writings to hold against each other")
    textbook = subject.textbook
    spread = float(textbook["x"].std())
    if not spread > 1e-3:
        raise CortwinError(f"x of the textbook does not move (s.d. {spread:.2g}): there is nothing to compare")
    done = simulate(
        made, "rate", subject.parameters._asdict(), subject.inputs, dt=subject.dt, engine=engine, batch=2
    ).activity
    missing = [name for name in ("x", "r") if name not in done]
    if missing:
        raise CortwinError(f"the rate writing's activity does not name {missing[0]}: activity={{'x': ..., 'r': ...}}")
    error = max(_largest(textbook[name], done[name]) for name in ("x", "r"))
    return Found(f"largest difference to the textbook, {STEPS} steps of alpha = {ALPHA:g}", error, EXACT)


def check_differences(subject: Subject) -> Found | Missing:
    """The textbook's gradient is that of centred differences, and every matrix has one."""
    if not subject.has_both:
        return Missing("there are no two writings to train through")
    found = subject.gradients
    # Differences over a flat step are 0 too: they agree.
    if found.finite_difference <= DIFFERENCES and (flat := found.without_gradient):
        raise CortwinError(
            f"the gradient of {', '.join(flat)} is 0 everywhere: the step is flat almost everywhere, or does not use "
            f"{'it' if len(flat) == 1 else 'them'}"
        )
    # Not exactly 0: a step that does not depend on its parameters has gradients of 0 that agree.
    text = "textbook's gradient against centred differences, relative"
    return Found(text, found.finite_difference, DIFFERENCES, least=0.0)


def check_between_writings(subject: Subject) -> Found | Missing:
    """The gradient through the rate text is that through the textbook."""
    if not subject.has_both:
        return Missing("there are no two writings to train through")
    text = "gradient through the rate text against the textbook's"
    return Found(text, subject.gradients.between_writings, BETWEEN_WRITINGS)


def check_range(subject: Subject) -> Found | Missing:
    """No state of textbook or rate text blows up in a long trial; one that does is refused where it happens."""
    made, inputs = subject.model, subject.noise("input", LONG)
    found: list[xr.Dataset] = []
    if not isinstance(made.textbook, Lacking):
        found.append(run_textbook(made, subject.parameters, inputs, ALPHA))
    values = subject.parameters._asdict()
    if not isinstance(made.rate, Lacking):
        found.append(simulate(made, "rate", values, inputs, dt=subject.dt, engine="numpy", batch=2).activity)
    elif not made.ensembles:
        options: dict[str, Any] = {"dt": subject.dt_spiking, "engine": "numpy", "batch": 2}
        found.append(simulate(made, "spiking", values, inputs, **options).activity)
    if not any(found):
        return Missing("no state of it is recorded")
    largest = max(float(np.abs(one[name]).max()) for one in found for name in one)
    return Found(f"largest number of any writing in {LONG} steps", largest, LARGEST)


def spiking_arrays(subject: Subject, neurons: int, seed: int) -> Mapping[str, Any]:
    """Return the arrays of the spiking writing, its neurons drawn from a seed."""
    made, parameters = subject.model, subject.parameters
    if not made.ensembles:
        return parameters._asdict()
    lived = textbook_signals(made, parameters, subject.smooth_inputs, ALPHA)
    drawn = np.random.SeedSequence(seed)
    return Spiking(dt=subject.dt_spiking).arrays(made, parameters, lived, neurons, drawn)


def simulate_spikes(subject: Subject, neurons: int, seed: int, engine: str, profile: str = "release") -> Simulation:
    """Simulate the spiking writing.

    Raises
    ------
    CortwinError
        When there are too few spikes to measure anything.
    """
    arrays = spiking_arrays(subject, neurons, seed)
    done = simulate(
        subject.model,
        "spiking",
        arrays,
        subject.smooth_inputs,
        dt=subject.dt_spiking,
        neurons_per_unit=neurons,
        spikes=True,
        record_dt=subject.dt,
        engine=engine,
        profile=profile,
        batch=2,
    )
    if done.spike_count < ENOUGH_SPIKES:
        raise CortwinError(
            f"{done.spike_count} spikes of {neurons} neurons in each ensemble: fewer than {ENOUGH_SPIKES} tell nothing"
        )
    return done


def check_spikes(subject: Subject) -> Found | Missing:
    """The distance of the spiking twin (R5) falls with its neurons, by more than seeds differ."""
    made = subject.model
    if isinstance(made.spiking, Lacking):
        return Missing(made.spiking.reason)
    if not made.ensembles:
        count = simulate_spikes(subject, 1, 1, "numpy").spike_count
        return Found(f"{count} spikes; its neurons stand for themselves: no distance to a rate")
    if isinstance(made.rate, Lacking):
        return Missing(made.rate.reason)
    # Brian2's own interpreter: a compiler would take longer than these small networks run.
    sizes, seeds = (QUICK_NEURONS, QUICK_SEEDS) if subject.quick else (NEURONS, SEEDS)
    options: dict[str, Any] = {"dt": subject.dt_spiking, "record_dt": subject.dt, "engine": "numpy", "batch": 2}
    fine = simulate(made, "rate", subject.parameters._asdict(), subject.smooth_inputs, **options).activity["x"]
    distance = {
        n: [nrmse(fine, simulate_spikes(subject, n, seed, "numpy").activity["x"]) for seed in range(1, seeds + 1)]
        for n in sizes
    }
    # The farthest seed of more neurons over the nearest of fewer.
    ratios = [max(distance[more]) / min(distance[fewer]) for fewer, more in pairwise(sizes)]
    medians = ", ".join(f"{np.median(distance[n]):.2g}" for n in sizes)
    text = f"NRMSE {medians} at {', '.join(map(str, sizes))} neurons: worst of {seeds} seeds over best of fewer neurons"
    return Found(text, max(ratios), 1.0)


def check_spikes_of_compilers(subject: Subject) -> Found | Missing:
    """Every spike of the C++ program is one of XLA's: the same neuron, the same step."""
    if isinstance(subject.model.spiking, Lacking):
        return Missing(subject.model.spiking.reason)
    if subject.model.spiking.drives:
        return Missing("it is driven by random spikes, of which each compiler draws its own")
    first, second = (simulate_spikes(subject, 4, 1, engine, "strict").spikes for engine in ("cpp", "xla"))
    assert first is not None  # both were asked for spikes
    assert second is not None
    text = f"spikes in one of C++ and XLA only, of {first.sizes['event']}"
    return Found(text, float(different_spikes(first, second)), 0.0)


def _largest(first: Any, second: Any) -> float:
    one, other = np.asarray(first), np.asarray(second)
    if one.shape != other.shape:
        raise CortwinError(f"the writings' activities have the shapes {one.shape} and {other.shape}")
    return float(np.abs(one - other).max())
