"""A Brian2 network -> a `Program`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from brian2.core.clocks import Clock
from brian2.core.functions import Function
from brian2.core.network import Network
from brian2.core.variables import ArrayVariable, Variable
from brian2.devices.device import RuntimeDevice, get_device

from cortwin.errors import CortwinError
from cortwin.xla.environment import is_clock_variable, is_structure, key_of
from cortwin.xla.functions import jax_function
from cortwin.xla.program import Program
from cortwin.xla.registry import translator_of
from cortwin.xla.surrogate import SURROGATES, Derivative
from cortwin.xla.timedarray import TimedArrayFunction, is_timed_array


@dataclass
class Compilation:
    """What the translators share while one network is compiled.

    Attributes
    ----------
    namespace : names for objects without a namespace of their own
    surrogate : derivative of a spike with respect to the distance to threshold
    through_reset : whether gradients pass through the spike into what the reset changes
    state : initial values, ``"object.variable"`` -> array; filled while compiling
    growing : keys whose first axis may have another length in a run (samples of a TimedArray)
    """

    namespace: Mapping[str, Any]
    surrogate: Derivative
    through_reset: bool
    state: dict[str, np.ndarray] = field(default_factory=dict)
    growing: set[str] = field(default_factory=set)

    def note(self, variable: Variable) -> None:
        """Keep the initial values of an array that the code reads or writes."""
        if not isinstance(variable, ArrayVariable) or is_clock_variable(variable) or is_structure(variable):
            return
        values = np.array(variable.get_value())
        self.state.setdefault(key_of(variable), values.reshape(()) if variable.scalar else values)

    def function(
        self, name: str, function: Function, runner: Any, code: str
    ) -> Callable[..., Any] | TimedArrayFunction:
        """Return the JAX version of a function that a runner's code calls."""
        if is_timed_array(function):
            timed = TimedArrayFunction(function, runner.clock)
            self.state.setdefault(timed.key, np.array(function.values))
            self.growing.add(timed.key)
            return timed
        found = jax_function(name, function)
        if found is None:
            lines = [line.strip() for line in code.splitlines() if f"{name}(" in line] or [code.strip()]
            why = "is random or keeps a state" if not function.stateless else "has no implementation for 'jax'"
            raise CortwinError(f"{runner.name}: the function '{name}' in '{lines[0]}' {why}; use the C++ compiler")
        return found


def compile(
    network: Network,
    *,
    namespace: Mapping[str, Any] | None = None,
    surrogate: str | Callable[[float], Derivative] = "fast_sigmoid",
    scale: float = 1.0,
    through_reset: bool = True,
) -> Program:
    """Turn a Brian2 network that has not run yet into a pure, differentiable program.

    Parameters
    ----------
    network : its objects were made under Brian2's runtime device
    namespace : names for objects without a namespace of their own; nothing is taken from the caller's variables
    surrogate : ``"fast_sigmoid"``, ``"triangular"``, or a function from the scale to the derivative of a spike with
        respect to its distance to threshold
    scale : 1 / width of the surrogate, in 1 / unit of that distance (for a threshold in volt: 1 / volt)
    through_reset : whether gradients pass through the spike into what the reset changes

    Raises
    ------
    CortwinError
        If an object, a line of its code or its clock is not covered, naming it. Nothing has run then.
    """
    if not isinstance(get_device(), RuntimeDevice):
        raise CortwinError(
            f"the active Brian2 device is {type(get_device()).__name__}, which keeps no values to read: "
            "make the network under set_device('runtime')"
        )
    if isinstance(surrogate, str) and surrogate not in SURROGATES:
        raise CortwinError(f"surrogate '{surrogate}' is not one of {', '.join(SURROGATES)}")
    if not (np.isfinite(scale) and scale > 0):
        raise CortwinError(f"the surrogate's scale must be positive, got {scale}")
    if float(network.t) != 0.0:
        raise CortwinError(f"{network.name} has already run to t = {float(network.t):g} s: compile it before it runs")

    derivative = (SURROGATES[surrogate] if isinstance(surrogate, str) else surrogate)(scale)
    compilation = Compilation(dict(namespace or {}), derivative, through_reset)
    objects = [obj for obj in network.sorted_objects if obj.active]
    names = [obj.name for obj in objects]
    for name in names:
        if names.count(name) > 1:
            raise CortwinError(
                f"{name}: {names.count(name)} objects of the network have this name; names must be unique"
            )
    for obj in objects:
        translator_of(obj)
        if type(obj.clock) is not Clock:
            raise CortwinError(f"{obj.name}: its clock is an {type(obj.clock).__name__}; only a fixed dt is covered")
    # Groups before what they contain: they refuse what their parts would only stumble over.
    groups_first = sorted(objects, key=lambda obj: not obj.contained_objects)
    translated = {obj.name: translator_of(obj)(obj, compilation) for obj in groups_first}
    operations = [operation for name in names if (operation := translated[name]) is not None]
    for obj in objects:
        # As Brian2 does before a run: otherwise it warns, when they are deleted, that nothing ever used them.
        obj._network = obj._network or network.id
    return Program(network, operations, compilation.state, growing=frozenset(compilation.growing))
