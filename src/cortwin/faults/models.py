"""Faults in what is simulated: texts, numbers, sizes, and networks that blow up, fall silent or saturate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cortwin.faults.bench import Bench, refusal, told
from cortwin.model import Model
from cortwin.simulation import simulate


def _with_line(bench: Bench, line: str) -> Model:
    """Return the model with one more line in the equations of its rate writing's last population."""
    rate = bench.model.writing("rate")
    name, population = list(rate.populations.items())[-1]
    populations = {**rate.populations, name: replace(population, equations=f"{population.equations}\n{line}")}
    return replace(bench.model, rate=replace(rate, populations=populations))


def _text(line: str) -> Callable[[Bench], str]:
    return lambda bench: refusal(lambda: _with_line(bench, line))


def _number(array: str, value: float) -> Callable[[Bench], str]:
    return lambda bench: refusal(lambda: bench.simulate(values=bench.with_array(array, value)))


def _shape(bench: Bench) -> str:
    return refusal(lambda: bench.simulate(values={**bench.values, "W_rec": np.zeros((3, 4))}))


def _blow_up(bench: Bench) -> str:
    """A constant input through large weights drives x to 0.88 of 9e100 within two time constants."""
    weights = np.full(np.shape(bench.values["W_in"]), 9e99)
    inputs = bench.inputs.copy(data=np.full(bench.inputs.shape, 10.0 / bench.inputs.sizes["input"]))
    return refusal(lambda: bench.simulate(values={**bench.values, "W_in": weights}, inputs=inputs))


def _hidden_blow_up(bench: Bench) -> str:
    """Four neurons spike at once; their jumps add up to 3.6e100 in the fifth, which spikes and is put back."""
    jumps = np.zeros((5, 5))  # (target, source)
    jumps[4, :4] = 9e99
    return refusal(lambda: bench.spike(W_rec=jumps, v0=np.array([2.0, 2.0, 2.0, 2.0, 0.0])))


def _silence(bench: Bench) -> str:
    found = bench.spike(b=np.zeros(5), v0=np.zeros(5), W_in=np.zeros_like(bench.spiking_values["W_in"])).spikes
    return told(found.attrs.get("note") if found is not None else None)


def _saturation(bench: Bench) -> str:
    found = bench.spike(b=np.full(5, 1e6), W_rec=np.zeros((5, 5))).spikes
    return told(found.attrs.get("note") if found is not None else None)


def _too_large(bench: Bench) -> str:
    """Five thousand million neurons, which are refused before any array of them is made."""
    options = {"dt": bench.dt / 100, "neurons_per_unit": 10**9, "engine": bench.engine, "batch": 1}
    return refusal(lambda: simulate(bench.model, "spiking", bench.values, bench.inputs[:1], **options))


FAULTS = {
    "a variable called double": _text("double : 1"),
    "a symbol that is not defined": _text("y = mistyped : 1"),
    "units that do not fit": _text("y = t : 1"),
    "a unit that never returns": _text("y : volt**9**9**9"),
    "an equation that runs code": _text("y = __import__('os').getpid() : 1"),
    "C++ in an equation": _text("y = 1); abort(); (1 : 1"),
    "a weight that is infinite": _number("W_rec", np.inf),
    "a background that is not a number": _number("b", np.nan),
    "weights of the wrong shape": _shape,
    "no trial": lambda bench: refusal(lambda: bench.simulate(inputs=bench.inputs[:0])),
    "an input dt that is no multiple of dt": lambda bench: refusal(lambda: bench.simulate(dt=0.3 * bench.dt)),
    "a dt of zero": lambda bench: refusal(lambda: bench.simulate(dt=0.0)),
    "more memory than there is": _too_large,
    "a state that blows up": _blow_up,
    "a blow-up that the reset hides": _hidden_blow_up,
    "no spike at all": _silence,
    "every neuron at its limit": _saturation,
}
