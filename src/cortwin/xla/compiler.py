"""A Brian2 network -> a `Program`."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from brian2.core.clocks import Clock
from brian2.core.functions import Function
from brian2.core.network import Network
from brian2.core.variables import ArrayVariable, Constant, Variable
from brian2.devices.device import RuntimeDevice, get_device
from brian2.input.poissoninput import PoissonInput
from brian2.synapses.synapses import SummedVariableUpdater

from cortwin.errors import CortwinError
from cortwin.xla.environment import is_clock_variable, is_structure, key_of
from cortwin.xla.functions import jax_function
from cortwin.xla.origins import Origins
from cortwin.xla.precision import real_dtype
from cortwin.xla.program import Program
from cortwin.xla.python_functions import NotTraceable
from cortwin.xla.randomness import Draw, Sampler
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
    draws : places at which random numbers are drawn
    constants : names of constants that become parameters: ``"constant"``, or ``"group.constant"`` in one group only
    origins : where the values come from
    real : type of real numbers
    clocks : whose time the code reads, also those of groups in which nothing runs
    """

    namespace: Mapping[str, Any]
    surrogate: Derivative
    through_reset: bool
    state: dict[str, np.ndarray] = field(default_factory=dict)
    growing: set[str] = field(default_factory=set)
    draws: list[Draw] = field(default_factory=list)
    constants: frozenset[str] = frozenset()
    origins: Origins = field(default_factory=Origins)
    real: np.dtype = field(default_factory=lambda: np.dtype(np.float64))
    clocks: dict[str, Clock] = field(default_factory=dict)

    def note(self, variable: Variable) -> None:
        """Keep the initial values of an array that the code reads or writes."""
        if is_clock_variable(variable):
            clock: Any = variable.owner
            self.clocks[clock.name] = clock
        if not isinstance(variable, ArrayVariable) or is_clock_variable(variable) or is_structure(variable):
            return
        values = np.array(variable.get_value())
        self.state.setdefault(key_of(variable), values.reshape(()) if variable.scalar else values)
        self.origins.dimensions[key_of(variable)] = variable.dim

    def parameter(self, group: str, name: str, constant: Constant) -> str | None:
        """Return the key of a constant around the code, if it is to be a parameter of the program."""
        for key in (f"{group}.{name}", name):
            if key in self.constants:
                self.state.setdefault(key, np.asarray(constant.get_value()))
                self.origins.dimensions[key] = constant.dim
                self.origins.users.setdefault(key, set()).add(group)
                return key
        return None

    def draw(self, runner: Any, function: str, sampler: Sampler, arguments: tuple[ast.expr, ...]) -> Draw:
        """Note one more place that draws random numbers, one for each element of the runner's group."""
        group: Any = runner.group
        if group.name == runner.name or isinstance(runner, SummedVariableUpdater):
            raise CortwinError(
                f"{runner.name}: the random '{function}()' is not covered here; put it into the equations"
            )
        base = f"{runner.name}.{'binomial' if isinstance(runner, PoissonInput) else function}"
        name, used = base, {draw.name for draw in self.draws}
        for number in itertools.count(2):
            if name not in used:
                break
            name = f"{base}_{number}"
        timestep = key_of(runner.clock.variables["timestep"])
        draw = Draw(name, len(self.draws), len(group), runner.clock, timestep, sampler, arguments, self.real)
        self.draws.append(draw)
        return draw

    def function(
        self, name: str, function: Function, runner: Any, code: str
    ) -> Callable[..., Any] | TimedArrayFunction:
        """Return the JAX version of a function that a runner's code calls."""
        if is_timed_array(function):
            timed = TimedArrayFunction(function, runner.clock)
            self.state.setdefault(timed.key, np.array(function.values))
            self.growing.add(timed.key)
            self.origins.dimensions[timed.key] = function.dim
            self.origins.timed_arrays[timed.key] = function
            self.origins.aliases[name] = timed.key
            return timed
        try:
            return jax_function(name, function)
        except NotTraceable as why:
            lines = [line.strip() for line in code.splitlines() if f"{name}(" in line] or [code.strip()]
            raise CortwinError(
                f"{runner.name}: the function '{name}' in '{lines[0]}' {why}; give it an implementation for 'jax', or "
                "use the C++ compiler"
            ) from why


def compile(
    network: Network,
    *,
    namespace: Mapping[str, Any] | None = None,
    surrogate: str | Callable[[float], Derivative] = "fast_sigmoid",
    scale: float = 1.0,
    through_reset: bool = True,
    constants: Collection[str] = (),
    dtype: str = "float64",
) -> Program:
    """Turn a Brian2 network that has not run yet into a pure, differentiable program.

    Parameters
    ----------
    network : its objects were made under Brian2's runtime device
    namespace : names for objects without a namespace of their own; nothing is taken from the caller's variables
    surrogate : a name of `SURROGATES`, or a function from the scale to the derivative of a spike with
        respect to its distance to threshold
    scale : 1 / width of the surrogate, in 1 / unit of that distance (for a threshold in volt: 1 / volt)
    through_reset : whether gradients pass through the spike into what the reset changes
    constants : names of constants around the code that become entries of the program's state, so that they can be
        replaced: ``"constant"``, or ``"group.constant"`` for one group
    dtype : of real numbers: ``"float64"``, or ``"float32"``, which is faster and parts from C++ by rounding

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
    compilation = Compilation(
        dict(namespace or {}), derivative, through_reset, constants=frozenset(constants), real=real_dtype(dtype)
    )
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
    return Program(
        network,
        operations,
        compilation.state,
        growing=frozenset(compilation.growing),
        draws=compilation.draws,
        origins=compilation.origins,
        real=compilation.real,
        clocks=compilation.clocks,
    )
