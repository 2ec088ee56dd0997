"""The program: Brian2's schedule as one pure function, scanned over time.

A *tick* is the shortest time step of the network's clocks; every other clock ticks at a multiple of it. Ticks come in
*frames* as long as the greatest common divisor of the slower clocks' periods: within a frame only the first tick needs
to look at the slower clocks, so that a monitor with a coarse dt costs nothing in between.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brian2.core.clocks import Clock
from brian2.core.network import Network

from cortwin.errors import CortwinError, RunFailed
from cortwin.xla.environment import key_of
from cortwin.xla.origins import Origins
from cortwin.xla.precision import stored_dtype
from cortwin.xla.randomness import KEY, Draw
from cortwin.xla.registry import RASTER, UPDATED, Operation, Values

#: Brian2's own tolerance for a time to lie on a clock's grid, in units of dt (`Clock.epsilon_dt`)
GRID_TOLERANCE = 1e-4

#: Ticks at the end of n that are not run again for a gradient, over sqrt(n): memory for time
AT_ONCE = 6


class Program:
    """A network as a pure function of its initial values, parameters and inputs.

    Attributes
    ----------
    state : ``"object.variable"`` -> array; initial values and parameters, and the samples of each TimedArray
    dt : length of a tick in seconds
    draws : name -> `Draw`: where random numbers are drawn
    origins : where the entries of `state` come from
    network : the Brian2 objects that it was made from, kept alive because Brian2 refers to many of them weakly
    """

    def __init__(
        self,
        network: Network,
        operations: Sequence[Operation],
        state: Mapping[str, np.ndarray],
        growing: frozenset[str] = frozenset(),
        draws: Sequence[Draw] = (),
        origins: Origins | None = None,
        real: np.dtype | None = None,
        clocks: Mapping[str, Clock] | None = None,
    ):
        self.network = network
        self.operations = tuple(operations)
        real = real or np.dtype(np.float64)

        def stored(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {key: np.asarray(array, stored_dtype(key, array.dtype, real)) for key, array in values.items()}

        self.state = stored(state)
        self.draws = {draw.name: draw for draw in draws}
        self.origins = origins or Origins()
        self._growing = growing
        self._clocks = {operation.clock.name: operation.clock for operation in self.operations}
        if not self._clocks:
            raise CortwinError("the network does nothing: no object of it runs or is recorded")
        self._clocks |= clocks or {}
        self.dt = min(clock.dt_ for clock in self._clocks.values())
        self._period = {name: self._period_of(clock) for name, clock in self._clocks.items()}
        self._frame = math.gcd(*(period for period in self._period.values() if period > 1)) or 1
        self._hidden = stored({key: value for operation in self.operations for key, value in operation.hidden.items()})
        self._written = frozenset(key for operation in self.operations for key in operation.writes)
        self._compiled = jax.jit(partial(self._simulate, differentiable=False), static_argnums=1)

    def ticks(self, duration: float) -> int:
        """Return the number of ticks in a time in seconds.

        Raises
        ------
        CortwinError
            If it is no number of ticks.
        """
        found = round(float(duration) / self.dt)
        if found < 0 or abs(float(duration) / self.dt - found) > GRID_TOLERANCE:
            raise CortwinError(f"the duration of {float(duration):g} s is not a multiple of dt = {self.dt:g} s")
        return found

    def _period_of(self, clock: Clock) -> int:
        ratio = clock.dt_ / self.dt
        if abs(ratio - round(ratio)) > GRID_TOLERANCE:
            raise CortwinError(
                f"{clock.name}: dt = {clock.dt_:g} s is {ratio:g} times the shortest dt, {self.dt:g} s; "
                "it must be a whole multiple"
            )
        return round(ratio)

    def simulate(
        self,
        values: Mapping[str, Any] | None = None,
        n_steps: int = 1,
        *,
        key: jax.Array | None = None,
        differentiable: bool = True,
        checkpoint: bool = False,
    ) -> dict[str, jax.Array]:
        """Run for a number of ticks: pure, and open to `jax.jit`, `jax.grad` and `jax.vmap`.

        Parameters
        ----------
        values : what replaces entries of `state`, by the same names; arrays or tracers
        n_steps : number of ticks, a Python int
        key : what random numbers are drawn from, of `jax.random.key`; not needed for draws that `values` hands in
        differentiable : False makes rasters boolean, an eighth of the memory
        checkpoint : for gradients of long runs: keep the state at every sqrt(n)-th frame of ticks only, and run what
            is between once more on the way back, so that memory grows with the square root of the time

        Returns
        -------
        results : ``"monitor.variable"`` -> (n_times, n_recorded) array; ``"monitor.t"`` -> (n_times,) array in s;
            ``"spikemonitor.raster"`` -> (n_times, n_neurons) float array of 0 and 1, through which gradients pass;
            ``"object.variable"`` -> final values of every variable that the network changes

        Raises
        ------
        CortwinError
            If a name is unknown, a shape is wrong, or there are random numbers to draw and no key.
        """
        return self._simulate(dict(values or {}), n_steps, key, differentiable, checkpoint)

    def run(
        self, duration: float, values: Mapping[str, Any] | None = None, *, key: int | jax.Array | None = None
    ) -> dict[str, np.ndarray]:
        """Run for a time in seconds; compiled once per duration and set of replaced names.

        Parameters
        ----------
        duration : seconds, a multiple of `dt`
        values : what replaces entries of `state`, and draws by name, (n_steps, n_elements)
        key : a seed, or a key of `jax.random.key`, for the random numbers that are not handed in

        Returns
        -------
        results : as of `simulate`, as NumPy arrays; rasters are boolean

        Raises
        ------
        CortwinError
            If the duration is off the grid, a name is unknown, a shape is wrong, a given number is not finite, or
            there are random numbers to draw and no key.
        RunFailed
            If a state is not finite at the end, or a record at any time.
        """
        n_steps = self.ticks(duration)
        for name, value in (values or {}).items():
            if not np.isfinite(np.asarray(value, dtype=np.float64)).all():
                raise CortwinError(f"{name}: a given value is not finite")
        key = jax.random.key(key) if isinstance(key, int) else key
        found = self._compiled(dict(values or {}), n_steps, key)
        results = {name: np.asarray(value) for name, value in found.items()}
        for name, value in results.items():
            if not np.isfinite(value).all():
                first = tuple(int(k) for k in np.argwhere(~np.isfinite(value))[0])
                raise RunFailed(
                    f"{name}: {np.count_nonzero(~np.isfinite(value))} of {value.size} numbers are not finite, the "
                    f"first at {first}; try a smaller dt or smaller weights"
                )
        return results

    def _drawn(self, values: Mapping[str, Any], n_steps: int, key: jax.Array | None) -> dict[str, jax.Array]:
        """Return the draws that are handed in, and the key for the others."""
        found = {name: jnp.asarray(values[name]) for name in self.draws if name in values}
        for name, given in found.items():
            expected = (-(-n_steps // self._period[self.draws[name].clock.name]), self.draws[name].size)
            if given.shape != expected:
                raise CortwinError(f"{name}: expected draws of shape {expected}, (step, element), got {given.shape}")
        missing = [name for name in self.draws if name not in found]
        if missing and key is None:
            raise CortwinError(f"the network draws {', '.join(missing)}: give a key, or the draws by these names")
        return found | ({KEY: key} if missing and key is not None else {})

    def _complete(self, values: Mapping[str, Any]) -> dict[str, jax.Array]:
        for key in values:
            if key not in self.state and key not in self.draws:
                near = difflib.get_close_matches(key, self.state, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(sorted(self.state))}"
                raise CortwinError(f"the network has no value '{key}'{hint}")
        complete = {}
        for key, initial in self.state.items():
            value = jax.lax.convert_element_type(jnp.asarray(values.get(key, initial)), initial.dtype)
            if value.ndim == 0:
                value = jnp.broadcast_to(value, initial.shape)
            elif value.shape == (1,) and initial.shape == ():
                value = value[0]
            from_axis = 1 if key in self._growing else 0
            if value.ndim != initial.ndim or value.shape[from_axis:] != initial.shape[from_axis:]:
                raise CortwinError(f"{key}: expected an array of shape {initial.shape}, got {value.shape}")
            complete[key] = value
        return complete

    def _simulate(
        self,
        values: Mapping[str, Any],
        n_steps: int,
        key: jax.Array | None,
        differentiable: bool,
        checkpoint: bool = False,
    ) -> dict[str, jax.Array]:
        constants = self._complete(values) | {key: jnp.asarray(value) for key, value in self._hidden.items()}
        constants |= self._drawn(values, n_steps, key)
        carry = {key: constants.pop(key) for key in self._written}
        for operation in self.operations:
            if operation.invariants is not None:
                constants |= operation.invariants(constants | carry, self._written)

        tick = partial(self._tick, constants, differentiable)
        n_frames, rest = divmod(n_steps, self._frame)

        def frame(carry, index, length=self._frame):
            carry, first = tick(carry, index * self._frame, True)
            if length == 1:
                return carry, (first, {})
            others = index * self._frame + jnp.arange(1, length)
            carry, later = jax.lax.scan(lambda carry, tick_index: tick(carry, tick_index, False), carry, others)
            return carry, (first, later)

        carry, (first, later) = _scan(frame, carry, n_frames, self._frame, checkpoint)
        records = _in_time(first, later)
        if rest:
            carry, frame_records = frame(carry, jnp.asarray(n_frames), rest)
            last = _in_time(*jax.tree.map(lambda kept: kept[None], frame_records))
            records = jax.tree.map(lambda before, after: jnp.concatenate([before, after]), records, last)

        results = {key: value for key, value in carry.items() if key not in self._hidden}
        for operation in self.operations:
            if operation.record is not None:
                period = self._period[operation.clock.name]
                # Slower than a frame, a monitor was asked once a frame; its own ticks are every so many of them.
                every = max(1, period // self._frame) if period > 1 else 1
                results |= {key: kept[::every] for key, kept in records[operation.name].items()}
                results[f"{operation.name}.t"] = jnp.arange(-(-n_steps // period)) * operation.clock.dt_
        return results

    def _times(self, index: jax.Array) -> dict[str, Any]:
        """Return the clocks' variables at a tick; t is the product of step and dt, as in Brian2."""
        times: dict[str, Any] = {}
        for name, clock in self._clocks.items():
            # Between its own ticks a slow clock stands at its next one: Brian2 moves a clock on as soon as it ticked.
            step = -(-index // self._period[name])
            times[key_of(clock.variables["timestep"])] = step
            times[key_of(clock.variables["t"])] = step * clock.dt_
            times[key_of(clock.variables["dt"])] = clock.dt_
        return times

    def _tick(
        self,
        constants: Values,
        differentiable: bool,
        carry: dict[str, jax.Array],
        index: jax.Array,
        first_of_frame: bool,
    ) -> tuple[dict[str, jax.Array], dict[str, dict[str, jax.Array]]]:
        """Run all objects that are due, in the order of the schedule."""
        values = {**constants, **carry, **self._times(index)}
        records = {}
        for operation in self.operations:
            period = self._period[operation.clock.name]
            if period > 1 and not first_of_frame:
                continue
            if operation.step is not None:
                values |= _when_due(index, period, self._frame, operation.step, operation.writes, dict(values))
            if operation.record is not None:
                kept = operation.record(values)
                if not differentiable:
                    kept = {key: value > 0 if key.endswith(RASTER) else value for key, value in kept.items()}
                records[operation.name] = kept
        return {key: values[key] for key in carry}, records


def _when_due(
    index: jax.Array,
    period: int,
    frame: int,
    step: Callable[[Values], dict[str, Any]],
    writes: frozenset[str],
    values: Values,
) -> dict[str, Any]:
    """Run a step at the first tick of a frame, if its own clock ticks there."""
    if period in (1, frame):
        return step(values)
    return jax.lax.cond(index % period == 0, lambda: step(values), lambda: {key: values[key] for key in writes})


def _scan(frame: Callable[..., Any], carry: Any, n_frames: int, ticks: int, checkpoint: bool) -> Any:
    """Scan over frames of so many ticks; with checkpoints in blocks, each of which is run once more on the way back.

    Two levels: between blocks of sqrt(n) of n ticks the state is kept, and while a block is run again what its ticks
    need on the way back. The last `AT_ONCE` sqrt(n) ticks need no second run: theirs is kept from the first.
    """
    # What else of a tick is needed on the way back is cheaper to compute again than to write and read.
    policies = jax.checkpoint_policies
    kept = policies.save_from_both_policies(policies.dots_saveable, policies.save_only_these_names(UPDATED))
    inner = jax.checkpoint(frame, prevent_cse=False, policy=kept)
    root = math.isqrt(n_frames * ticks)
    size = max(1, root // ticks)
    whole = max(0, n_frames - AT_ONCE * root // ticks) // size * size if checkpoint else 0
    if not whole:
        return jax.lax.scan(inner, carry, jnp.arange(n_frames))

    def block(carry, start):
        return jax.lax.scan(inner, carry, start + jnp.arange(size))

    outer = jax.checkpoint(block, prevent_cse=False)
    carry, records = jax.lax.scan(outer, carry, jnp.arange(0, whole, size))
    records = jax.tree.map(lambda kept: kept.reshape(whole, *kept.shape[2:]), records)
    if whole == n_frames:
        return carry, records
    carry, rest = jax.lax.scan(inner, carry, jnp.arange(whole, n_frames))
    return carry, jax.tree.map(lambda before, after: jnp.concatenate([before, after]), records, rest)


def _in_time(first: Any, later: Any) -> Any:
    """Join the records of each frame's first tick, (frame, ...), with those of its later ticks, (frame, tick, ...)."""

    def join(key: str, name: str) -> jax.Array:
        if name not in later:
            return first[name][key]
        joined = jnp.concatenate([first[name][key][:, None], later[name][key]], axis=1)
        return joined.reshape(-1, *joined.shape[2:])

    return {name: {key: join(key, name) for key in kept} for name, kept in first.items()}
