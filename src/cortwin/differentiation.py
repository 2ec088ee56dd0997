"""A network in plain Brian2 as a pure, differentiable function of its parameters, and the way back into its objects.

`differentiate` takes a `brian2.Network` that was written without a line of cortwin::

    program = differentiate(network, with_respect_to=["neurons.g_leak", "synapses.w", "stimulus"])
    results = program.run(100 * ms)
    value, gradients = program.value_and_grad(loss, 100 * ms)
    program.write_back({"synapses.w": better})

Parameters are variables (``"object.variable"``: initial values, weights), samples of a TimedArray (its name in the
equations), and constants around the equations (``"constant"``, or ``"group.constant"`` for one group).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from brian2.core.namespace import get_local_namespace
from brian2.core.network import Network
from brian2.core.variables import ArrayVariable, Constant, Subexpression
from brian2.groups.group import VariableOwner
from brian2.monitors.spikemonitor import EventMonitor
from brian2.monitors.statemonitor import StateMonitor
from brian2.units.allunits import second
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension, Quantity, get_unit, have_same_dimensions

from cortwin import xla
from cortwin.errors import CortwinError, RunFailed

#: monitor -> what it recorded -> array, (time, element)
Records = dict[str, dict[str, jax.Array]]

MODES = ("reverse", "forward")


def differentiate(
    network: Network,
    with_respect_to: Sequence[str] = (),
    *,
    namespace: Mapping[str, Any] | None = None,
    surrogate: str | Callable[[float], xla.Derivative] = "fast_sigmoid",
    scale: float = 1.0,
    through_reset: bool = True,
    dtype: str = "float64",
) -> DifferentiableNetwork:
    """Turn a Brian2 network that has not run yet into a differentiable program.

    Parameters
    ----------
    network : its objects were made under Brian2's runtime device
    with_respect_to : names of parameters
    namespace : names for equations without a namespace of their own; as in Brian2, the caller's if it is not given
    surrogate : derivative of a spike with respect to its distance to threshold: ``"fast_sigmoid"``, ``"triangular"``,
        ``"arctan"``, ``"gaussian"``, ``"straight_through"``, or a function of the scale that returns the derivative
    scale : 1 / width of the surrogate, in 1 / unit of that distance (for a threshold in volt: 1 / volt)
    through_reset : whether gradients pass through the spike into what the reset changes
    dtype : of real numbers: ``"float64"``, or ``"float32"``, which is faster and parts from C++ by rounding

    Raises
    ------
    CortwinError
        If the network holds something that is not covered, or a name is unknown or not differentiable, naming it.
    """
    if isinstance(with_respect_to, str):
        with_respect_to = (with_respect_to,)
    if not isinstance(network, Network):
        raise CortwinError(f"differentiate takes a brian2.Network, got a {type(network).__name__}")
    around = get_local_namespace(level=1) if namespace is None else namespace
    program = xla.compile(
        network,
        namespace=around,
        surrogate=surrogate,
        scale=scale,
        through_reset=through_reset,
        constants=tuple(with_respect_to),
        dtype=dtype,
    )
    return DifferentiableNetwork(program, {name: _key_of(name, program) for name in with_respect_to})


def _key_of(name: str, program: xla.Program) -> str:
    """Return the entry of the program's state behind a parameter's name."""
    key = program.origins.aliases.get(name, f"{name}.values" if f"{name}.values" in program.state else name)
    if key in program.state:
        if not np.issubdtype(program.state[key].dtype, np.floating):
            raise CortwinError(f"{name}: is of type {program.state[key].dtype}, and only real numbers have a gradient")
        return key
    owner, _, variable = name.partition(".")
    for obj in program.network.objects:
        if obj.name != owner or not isinstance(obj, VariableOwner):
            continue
        found = obj.variables.get(variable)
        if variable == "delay" or variable.endswith(".delay"):
            raise CortwinError(f"{name}: a delay is a number of steps, which has no gradient")
        if isinstance(found, Subexpression):
            raise CortwinError(f"{name}: is the expression '{found.expr}'; choose what it is made of")
        if isinstance(found, Constant) or (isinstance(found, ArrayVariable) and found.read_only):
            raise CortwinError(f"{name}: is part of the network's structure, which has no gradient")
    known = [*program.origins.aliases, *program.state]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(sorted(known))}"
    raise CortwinError(f"the network has no parameter '{name}', nor do its equations use such a constant; {hint}")


class DifferentiableNetwork:
    """A Brian2 network as a pure function of its parameters.

    Attributes
    ----------
    program : the compiled program, with every value of the network in ``program.state``
    parameters : name -> array of the values that the objects have, in base units
    """

    def __init__(self, program: xla.Program, keys: Mapping[str, str]):
        self.program = program
        self._keys = dict(keys)
        self.parameters = {name: program.state[key] for name, key in keys.items()}
        self._gradients: dict[Any, Callable[..., Any]] = {}

    def run(
        self,
        duration: Quantity | float,
        parameters: Mapping[str, Any] | None = None,
        *,
        draws: Mapping[str, Any] | None = None,
        key: int | jax.Array | None = None,
    ) -> dict[str, xr.Dataset]:
        """Run, and return what the monitors recorded.

        Parameters
        ----------
        duration : time, or seconds
        parameters : name -> quantity, or numbers in base units; what is not given keeps the objects' values
        draws : random numbers that are handed in, (n_steps, n_elements), by the names in ``program.draws``
        key : seed or JAX key of the other random numbers

        Returns
        -------
        dict from the name of a monitor to a Dataset of (time, element) arrays, named as the variables; ``raster`` is
        True at events; ``time`` is in seconds, and every array has its unit

        Raises
        ------
        CortwinError
            If a name, a shape, a unit or the duration does not fit.
        RunFailed
            If a number is not finite.
        """
        values = {**self._values(parameters or {}), **(draws or {})}  # complete: what is written back counts
        found = self.program.run(_seconds(duration), values, key=key)
        return {
            monitor: self._dataset(monitor, arrays, found[f"{monitor}.t"])
            for monitor, arrays in self._records(found).items()
        }

    def function(
        self, duration: Quantity | float, *, checkpoint: bool = True
    ) -> Callable[[Mapping[str, Any], jax.Array | None], Records]:
        """Return (parameters, key) -> records, pure, for `jax.jit`, `jax.vmap` and `jax.grad`.

        Parameters
        ----------
        duration : time, or seconds
        checkpoint : keep the square root of the number of states on the way, and run the others again

        Returns
        -------
        function of parameters and draws in base units by name, and a key or None; ``records["monitor"]["variable"]``
        is a (time, element) array
        """
        n_steps = self.program.ticks(_seconds(duration))

        def run(parameters: Mapping[str, Any], key: jax.Array | None = None) -> Records:
            values = {self._keys.get(name, name): value for name, value in {**self.parameters, **parameters}.items()}
            return self._records(self.program.simulate(values, n_steps, key=key, checkpoint=checkpoint))

        return run

    def value_and_grad(
        self,
        loss: Callable[[Records], Any],
        duration: Quantity | float,
        parameters: Mapping[str, Any] | None = None,
        *,
        draws: Mapping[str, Any] | None = None,
        key: int | jax.Array | None = None,
        mode: str = "reverse",
        checkpoint: bool = True,
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Return a loss of the records and its gradient with respect to every parameter.

        Parameters
        ----------
        loss : ``records["monitor"]["variable"]``, (time, element) JAX arrays in base units -> a number
        duration : time, or seconds
        parameters : name -> quantity, or numbers in base units; what is not given keeps the objects' values
        draws, key : as of `run`
        mode : ``"reverse"``, or ``"forward"`` for a few numbers
        checkpoint : as of `function`

        Returns
        -------
        value : the loss
        gradients : name -> array of the parameter's shape, per base unit

        Raises
        ------
        CortwinError
            If the loss is not a scalar, there is no parameter, or a name, a shape, a unit or the duration does not fit.
        RunFailed
            If the loss or a gradient is not finite.
        """
        if mode not in MODES:
            raise CortwinError(f"mode '{mode}' is not one of {', '.join(MODES)}")
        if not self._keys:
            raise CortwinError("there is nothing to differentiate: name parameters in with_respect_to")
        given = {name: self._array(name, value) for name, value in (parameters or {}).items()}
        complete = {name: jnp.asarray(given.get(name, value)) for name, value in self.parameters.items()}
        signature = (loss, self.program.ticks(_seconds(duration)), mode, checkpoint)
        if signature not in self._gradients:
            self._gradients[signature] = self._compiled(loss, duration, mode, checkpoint)
        handed = {name: jnp.asarray(value) for name, value in (draws or {}).items()}
        value, gradients = self._gradients[signature](
            complete, handed, jax.random.key(key) if isinstance(key, int) else key
        )
        for name, gradient in {"the loss": value, **{f"the gradient of {n}": g for n, g in gradients.items()}}.items():
            if not np.isfinite(np.asarray(gradient)).all():
                raise RunFailed(f"{name} is not finite")
        return float(value), {name: np.asarray(gradient) for name, gradient in gradients.items()}

    def _compiled(self, loss: Callable[..., Any], duration: Any, mode: str, checkpoint: bool) -> Callable[..., Any]:
        run = self.function(duration, checkpoint=checkpoint and mode == "reverse")

        def value(parameters: Mapping[str, Any], draws: Mapping[str, Any], key: Any) -> jax.Array:
            found = jnp.asarray(loss(run({**parameters, **draws}, key)))
            if found.shape != ():
                raise CortwinError(f"the loss must be one number, got an array of shape {found.shape}")
            return found

        if mode == "reverse":
            return jax.jit(jax.value_and_grad(value))

        def both(parameters: Mapping[str, Any], draws: Mapping[str, Any], key: Any) -> Any:
            return value(parameters, draws, key), jax.jacfwd(value)(parameters, draws, key)

        return jax.jit(both)

    def write_back(self, parameters: Mapping[str, Any]) -> None:
        """Put parameters into the Brian2 objects; the next run there and here starts from them.

        Parameters
        ----------
        parameters : name -> quantity, or numbers in base units

        Raises
        ------
        CortwinError
            If a name, a shape or a unit does not fit; nothing is written then.
        """
        arrays = {name: np.asarray(self._array(name, value)) for name, value in parameters.items()}
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise CortwinError(f"{name}: a number is not finite")
            shape = self.parameters[name].shape
            # Samples of a TimedArray may be fewer or more, but not here: the objects keep their length.
            if array.shape not in (shape, ()):
                raise CortwinError(f"{name}: expected an array of shape {shape}, got {array.shape}")
        for name, array in arrays.items():
            self._write(name, np.broadcast_to(array, self.parameters[name].shape).copy())

    def _write(self, name: str, array: np.ndarray) -> None:
        key = self._keys[name]
        for obj in self.program.network.objects:
            if key.partition(".")[0] == obj.name and isinstance(obj, VariableOwner):
                variable = obj.variables.get(key.partition(".")[2])
                if isinstance(variable, ArrayVariable):
                    variable.set_value(array.reshape(np.shape(variable.get_value())))
                    break
        else:
            self._write_around(key, array)
        self.program.state[key] = array
        self.parameters[name] = array

    def _write_around(self, key: str, array: np.ndarray) -> None:
        """Write samples of a TimedArray, or a constant around the equations."""
        timed = self.program.origins.timed_arrays.get(key)
        if timed is not None:
            timed.values[...] = array
            return
        constant = key.rpartition(".")[2]
        quantity = Quantity(float(array), dim=self.program.origins.dimensions[key])
        for obj in self.program.network.objects:
            if obj.name in self.program.origins.users[key]:
                obj.namespace[constant] = quantity

    def _records(self, found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        records: dict[str, dict[str, Any]] = {}
        for operation in self.program.operations:
            if operation.record is not None:
                start = f"{operation.name}."
                records[operation.name] = {
                    key.removeprefix(start): value
                    for key, value in found.items()
                    if key.startswith(start) and key != f"{start}t"
                }
        return records

    def _dataset(self, monitor: str, arrays: Mapping[str, np.ndarray], time: np.ndarray) -> xr.Dataset:
        (obj,) = [one for one in self.program.network.objects if one.name == monitor]
        elements = {}
        if isinstance(obj, StateMonitor):
            elements["element"] = np.asarray(obj.record)
        elif isinstance(obj, EventMonitor):
            elements["element"] = np.arange(next(iter(arrays.values())).shape[1])
        variables = {}
        for name, array in arrays.items():
            dim = obj.variables[name].dim if name in obj.variables else DIMENSIONLESS
            axes = ("time", "element")[: array.ndim]
            variables[name] = xr.DataArray(array, dims=axes, attrs={"units": _unit(dim)})
        return xr.Dataset(
            variables, coords={"time": ("time", time, {"units": "s"}), **elements}, attrs={"dt": obj.clock.dt_}
        )

    def _values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: self._array(name, value) for name, value in parameters.items()}
        return {self._keys[name]: given.get(name, value) for name, value in self.parameters.items()}

    def _array(self, name: str, value: Any) -> Any:
        """Return a parameter's value in base units."""
        if name not in self._keys:
            known = ", ".join(self._keys) or "none"
            raise CortwinError(f"'{name}' is not a parameter; with_respect_to names {known}")
        dim = self.program.origins.dimensions.get(self._keys[name], DIMENSIONLESS)
        if isinstance(value, Quantity):
            if not have_same_dimensions(value, dim):
                raise CortwinError(f"{name}: is in {_unit(dim)}, got {_unit(value.dim)}")
            value = np.asarray(value)
        if isinstance(value, jax.Array):
            return value
        try:
            return np.asarray(value, np.float64)
        except (TypeError, ValueError):
            raise CortwinError(f"{name}: expected numbers, got {value!r}") from None


def _seconds(duration: Quantity | float) -> float:
    if isinstance(duration, Quantity) and not have_same_dimensions(duration, second):
        raise CortwinError(f"the duration must be a time, got {duration}")
    return float(duration)


def _unit(dim: Dimension) -> str:
    return "1" if dim is DIMENSIONLESS else str(get_unit(dim))
