"""The numbers of a simulation as plain NumPy arrays, under Brian2's own names of run arguments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortwin import connectivity
from cortwin.builder.layout import MULTIPLE_TOLERANCE, NOISE, TIMED, Layout
from cortwin.builder.synapses import check_given, pathway_arrays
from cortwin.connectivity import Distribution
from cortwin.connectivity.distributions import in_si
from cortwin.equations import definitions
from cortwin.errors import CortwinError
from cortwin.intervention import ADD, KEEP, Intervention
from cortwin.model import SECOND, STIMULUS, Model, Population, check_array

# A delay that is drawn is kept in 16 bits; no normal deviate that is drawn is larger than this many sd.
LONGEST_DELAY, LARGEST_DEVIATE = 2**16 - 1, 8.3


def arrays(
    model: Model,
    writing: str,
    layout: Layout,
    values: Mapping[str, Any],
    inputs: Any,
    intervention: Intervention | None = None,
    *,
    seed: int = 0,
    first: int = 0,
    shared: Collection[str] = (),
) -> dict[str, NDArray]:
    """Return the numbers of a batch under Brian2's names, and what its connections are made of.

    A pathway of which something is drawn has ``"PATHWAY.key"``, the (2,) words that Philox draws it with; one whose
    synapses are listed has ``"PATHWAY.source"`` and ``"PATHWAY.target"``, sorted by source. `structure_of` names them.

    Parameters
    ----------
    model, writing, layout : what is simulated
    values : array by name, shapes as in ``model.shapes``
    inputs : (trial, time, input) array, at most ``layout.trials`` trials; missing trials are filled with zeros
    intervention : what is done to the state of the units in these trials, where the layout says that something is
    seed : of everything that a page draws: connections, weights, delays, initial states, and the noise of its drives
    first : number of the batch's first trial; each batch has noise of its own
    shared : pathways whose synapses serve every trial: their arrays are those of one trial

    Raises
    ------
    CortwinError
        For a missing or misshapen array, or one that is not finite.
    """
    check_steps(model, writing, layout.dt)
    check_delays(model, writing, layout)
    text = model.writing(writing)
    where = f"{model.name}, {writing} writing"
    found: dict[str, NDArray] = {}
    for name, population in text.populations.items():
        found |= _states(name, population, model, layout, values, seed, f"{where}, {name}")
    for name in text.pathways:
        found |= pathway_arrays(name, model, text, layout, values, seed, f"{where}, {name}", shared=name in shared)
    if text.drives:
        found[NOISE] = np.random.SeedSequence(seed, spawn_key=(*NOISE.encode(), first)).generate_state(2, np.uint32)
    samples = np.asarray(inputs, dtype=np.float64)
    expected = (layout.trials, layout.input_steps, layout.inputs)
    if samples.ndim != 3 or samples.shape[1:] != expected[1:] or samples.shape[0] > layout.trials:
        raise CortwinError(f"inputs have the shape {samples.shape}, expected at most {expected} = (trial, time, input)")
    if not np.isfinite(samples).all():
        raise CortwinError(f"inputs hold {np.count_nonzero(~np.isfinite(samples))} numbers that are not finite")
    timed = {STIMULUS: samples}
    if intervention is not None:
        share = layout.dt / float(model.constants["tau"])
        timed |= {KEEP: intervention.keep, ADD: intervention.add(share)}
    for name, array in timed.items():
        padded = np.zeros((layout.trials, layout.input_steps, layout.sizes[TIMED[name]]))
        if array.shape != (len(samples), *padded.shape[1:]):
            raise CortwinError(
                f"the intervention has the shape {array.shape}, expected {(len(samples), *padded.shape[1:])} = "
                "(trial, time, unit)"
            )
        padded[: len(samples)] = array
        found[f"{name}.values"] = padded.transpose(1, 0, 2).reshape(layout.input_steps, -1)
    return found


def check_steps(model: Model, writing: str, dt: float) -> None:
    """Refuse a step at which forward Euler overshoots: dt larger than a time constant named tau of the writing."""
    for population in model.writing(writing).populations.values():
        for item in definitions(population.equations, model.name):
            if item.kind != "differential" or population.method != "euler":
                continue
            divisor = (item.expression or "").rpartition("/")[2].strip()
            tau = float(model.constants[divisor]) if divisor in model.constants else np.inf
            if dt > tau * (1 + MULTIPLE_TOLERANCE):
                raise CortwinError(
                    f"{model.name}, {writing} writing: dt = {dt} s is larger than {divisor} = {tau} s, "
                    f"the time constant of {item.name}; choose a smaller dt"
                )


def check_delays(model: Model, writing: str, layout: Layout) -> None:
    """Refuse a delay that is not a multiple of the step, or longer than the simulation."""
    for name, pathway in model.writing(writing).pathways.items():
        where = f"{model.name}, {writing} writing, {name}"
        if pathway.delay is None:
            continue
        if isinstance(pathway.delay, Distribution):
            plain = in_si(pathway.delay, model.constants, SECOND, where)
            shortest, longest = plain.minimum, plain.largest(LARGEST_DEVIATE)
            if longest > LONGEST_DELAY * layout.dt:
                raise CortwinError(
                    f"{where}: delays of up to {longest:g} s are longer than {LONGEST_DELAY:,} steps of {layout.dt} s"
                )
        else:
            shortest = float(model.constants[pathway.delay])
            steps = shortest / layout.dt
            if abs(steps - round(steps)) > MULTIPLE_TOLERANCE * max(1.0, steps):
                raise CortwinError(
                    f"{where}: the delay {pathway.delay} = {shortest} s is not a multiple of dt = {layout.dt} s"
                )
        if shortest > layout.duration:
            raise CortwinError(f"{where}: the delay of {shortest} s is longer than the {layout.duration} s simulated")


def _states(
    name: str,
    population: Population,
    model: Model,
    layout: Layout,
    values: Mapping[str, Any],
    seed: int,
    where: str,
) -> dict[str, NDArray]:
    """Return what the elements of a population are given or drawn, the same in every trial."""
    found = {}
    for variable, array in population.values.items():
        check_given(array, values, where, variable)
        check_array(array, values[array], model.shapes[array], layout.sizes)
        found[variable] = np.asarray(values[array], dtype=np.float64)
    dimensions = {item.name: item.dimensions for item in definitions(population.equations, where)}
    for variable, distribution in population.drawn.items():
        plain = in_si(distribution, model.constants, dimensions[variable], f"{where}, {variable}")
        key = connectivity.key_of(seed, name)
        found[variable] = connectivity.draw(plain, layout.elements(population), key, variable)
    return {f"{name}.{variable}": np.tile(own, layout.trials) for variable, own in found.items()}
