"""Spike templates with jitter: temporal patterns over many fibres, one segment after another.

Each pattern is one set of Poisson spike trains, frozen; each time that it is shown every spike is moved a little
(Haeusler & Maass 2007, doi:10.1093/cercor/bhj132).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def spike_templates(
    generator: np.random.Generator, *, patterns: int, fibres: int, duration: float, rate: float, dt: float = 1e-3
) -> NDArray[np.bool_]:
    """Draw templates of Poisson spikes.

    Parameters
    ----------
    generator : NumPy Generator
    patterns, fibres : how many
    duration : of a template in seconds
    rate : Hz of each fibre, at most 1 / dt
    dt : seconds of a sample, in which a fibre fires once or not

    Returns
    -------
    (pattern, time, fibre) ndarray
    """
    steps = round(duration / dt)
    if min(patterns, fibres, steps) < 1 or not 0 <= rate * dt <= 1:
        raise ValueError(f"spike_templates: {patterns} patterns, {fibres} fibres, {steps} samples, {rate} Hz in {dt} s")
    return generator.uniform(size=(patterns, steps, fibres)) < rate * dt


def shown_in_order(
    generator: np.random.Generator, templates: NDArray[np.bool_], order: ArrayLike, *, jitter: float, dt: float = 1e-3
) -> NDArray[np.bool_]:
    """Show templates one after another, each spike moved by a normally distributed time.

    What would leave the stream stays at its end; two spikes of a fibre in one sample become one.

    Parameters
    ----------
    generator : NumPy Generator
    templates : (pattern, time, fibre)
    order : (segment,) array_like, numbers of patterns
    jitter : standard deviation in seconds
    dt : seconds of a sample

    Returns
    -------
    (time, fibre) ndarray
    """
    clean = np.concatenate([templates[pattern] for pattern in np.asarray(order)])
    time, fibre = np.nonzero(clean)
    moved = np.rint(time + generator.normal(0, jitter / dt, time.size)).astype(np.int64)
    shown = np.zeros_like(clean)
    shown[np.clip(moved, 0, len(clean) - 1), fibre] = True
    return shown
