"""Intervention: one hand on the state of every unit, laid on after each step, the same in every writing.

After a step the current x becomes ``keep x + add``. A clamp keeps nothing and adds its value; a pulse or frozen noise
keeps x and adds ``dt / tau`` times a current, as if the current stood beside the others in ``tau dx/dt``. What is kept
and added is held over one step of the textbook at every finer dt, as inputs are. It is data and never code: another
amplitude compiles nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from cortwin.equations import Definition, definitions
from cortwin.errors import CortwinError
from cortwin.model import OWNERS, Model

# Names of the timed arrays that the Brian2 text reads.
KEEP, ADD = "intervention_keep", "intervention_add"


@dataclass(frozen=True)
class Intervention:
    """What is done to x, over the trials and the steps of the textbook.

    Parameters
    ----------
    held : (trial, time, unit) array of bool, where x is clamped
    value : (trial, time, unit) array, to which it is clamped there
    current : (trial, time, unit) array, added to the others elsewhere
    """

    held: NDArray[np.bool_]
    value: NDArray[np.float64]
    current: NDArray[np.float64]

    @property
    def keep(self) -> NDArray[np.float64]:
        """Factor of x after each step, 0 where it is clamped and 1 elsewhere."""
        return np.where(self.held, 0.0, 1.0)

    def add(self, share: float) -> NDArray[np.float64]:
        """Return what is added after a step of which the share dt / tau of a current arrives."""
        return np.where(self.held, self.value, share * self.current)

    def part(self, trials: slice) -> Intervention:
        """Return what is done in some of the trials."""
        return Intervention(self.held[trials], self.value[trials], self.current[trials])


@dataclass(frozen=True)
class State:
    """Where a page keeps the current of its units.

    Parameters
    ----------
    leaf : which array of the textbook's state, counted in the order of `jax.tree.leaves`
    first : name of the array that holds its first value; by it the state is found in the other writings
    """

    leaf: int
    first: str


def state_of(model: Model) -> State:
    """Find the array of the textbook's state that holds the current x of each unit.

    The page says so itself: the state begins with one of its arrays, and `Textbook.current` shows it. Where what is
    compared is not a state (the logits of `feedforward`), it is the only one that the units have.

    Raises
    ------
    CortwinError
        If the page has no textbook, or its units have no state or several.
    """
    textbook = model.recurrence()
    # Sizes that no two symbols share but units and slots, and arrays that no two names share.
    sizes: dict[Any, int] = {name: 2 + place for place, name in enumerate(("inputs", "units", "outputs", "slots"))}
    generator = np.random.default_rng(0)
    names = model.trained._fields  # type: ignore[attr-defined]
    probe = model.trained(
        **{name: generator.uniform(size=tuple(sizes[size] for size in model.shapes[name])) for name in names}
    )
    with jax.ensure_compile_time_eval():  # whoever asks may be traced himself
        start = textbook.start(probe)
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(start)]
        shown = np.asarray(textbook.current(probe, start))
    found = [
        State(number, name)
        for number, leaf in enumerate(leaves)
        for name in names
        if model.shapes[name] == ("units",) and np.array_equal(leaf, getattr(probe, name))
    ]
    compared = [state for state in found if np.array_equal(leaves[state.leaf], shown)]
    if len(compared or found) != 1:
        raise CortwinError(
            f"{model.name}: a perturbation needs one state for each unit that begins with an array of the page, "
            f"found {len(compared or found)}"
        )
    return (compared or found)[0]


def variable_of(model: Model, writing: str) -> tuple[str, Definition]:
    """Find the same state in a biological writing: its population, and its definition there.

    Raises
    ------
    CortwinError
        If the page or the writing has no such state.
    """
    first = state_of(model).first
    found = [
        (name, item)
        for name, population in model.writing(writing).populations.items()
        if population.size not in OWNERS
        for item in definitions(population.equations, name)
        if item.kind == "differential" and population.values.get(item.name) == first
    ]
    if len(found) != 1:
        raise CortwinError(
            f"{model.name}, {writing} writing: {len(found)} differential equations begin with {first}, expected 1"
        )
    return found[0]


def after_step(state: Any, place: State, keep: Any, add: Any) -> Any:
    """Return the textbook's state with the hand laid on: ``keep x + add`` in place of x."""
    leaves, structure = jax.tree.flatten(state)
    leaves[place.leaf] = keep * leaves[place.leaf] + add
    return jax.tree.unflatten(structure, leaves)
