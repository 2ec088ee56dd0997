"""Sequences with an answer: what small recurrent networks are shown first, each with its best constant answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import ArrayLike

from cortwin.activity import activity


@dataclass(frozen=True)
class Sequences:
    """Inputs and answers.

    Parameters
    ----------
    inputs : (trial, time, input) DataArray
    target : (trial, time, output) DataArray
    mask : (trial, time) ndarray, 1 where the answer counts
    baseline : error of the best constant answer: squared error, or cross-entropy where answers are classes
    name : what is asked, in a few words
    """

    inputs: xr.DataArray
    target: xr.DataArray
    mask: np.ndarray
    baseline: float
    name: str


def delayed_copy(generator: Generator, trials: int, steps: int, size: int, *, dt: float) -> Sequences:
    """Uniform numbers in (-1, 1), and the same one step later."""
    inputs = generator.uniform(-1, 1, (trials, steps, size))
    target = np.concatenate([np.zeros((trials, 1, size)), inputs[:, :-1]], axis=1)
    return _sequences(inputs, target, np.arange(steps) > 0, dt, 1 / 3, "the input of one step ago")


def next_symbol(generator: Generator, trials: int, steps: int, follows: ArrayLike, *, dt: float) -> Sequences:
    """Symbols and the next of each; ``follows[a, b]`` says how often b comes after a. All begin with the symbol 0."""
    counts = np.asarray(follows, dtype=np.float64)
    size, chance = len(counts), counts / counts.sum(axis=1, keepdims=True)
    symbols = np.zeros((trials, steps + 1), int)
    for trial in symbols:
        for k in range(1, steps + 1):
            trial[k] = generator.choice(size, p=chance[trial[k - 1]])
    one_hot = np.eye(size)[symbols]
    frequency = one_hot[:, 1:].mean(axis=(0, 1))
    baseline = float(-(frequency * np.log(frequency)).sum())
    return _sequences(one_hot[:, :-1], one_hot[:, 1:], None, dt, baseline, "the next symbol")


def sign_of_sum(generator: Generator, trials: int, steps: int, *, dt: float) -> Sequences:
    """Gaussian numbers; at the end, 1 if their sum is positive, else 0."""
    inputs = generator.standard_normal((trials, steps, 1))
    target = np.broadcast_to((inputs.sum(axis=1, keepdims=True) > 0).astype(float), inputs.shape)
    last = np.arange(steps) == steps - 1
    return _sequences(inputs, target, last, dt, float(np.log(2)), "whether the sum is positive")


def mean_of_sequence(generator: Generator, trials: int, steps: int, *, dt: float) -> Sequences:
    """Uniform numbers in (0, 1); at the end, their mean, whose variance is 1/12 over their number."""
    inputs = generator.uniform(size=(trials, steps, 1))
    target = np.broadcast_to(inputs.mean(axis=1, keepdims=True), inputs.shape)
    last = np.arange(steps) == steps - 1
    return _sequences(inputs, target, last, dt, 1 / (12 * steps), "the mean of the sequence")


def _sequences(inputs: np.ndarray, target: np.ndarray, mask: Any, dt: float, baseline: float, name: str) -> Sequences:
    shape = inputs.shape[:2]
    return Sequences(
        activity(inputs, dt=dt, last="input", name="input"),
        activity(target, dt=dt, last="output", name="target"),
        np.ones(shape) if mask is None else np.broadcast_to(mask, shape).astype(float),
        baseline,
        name,
    )
