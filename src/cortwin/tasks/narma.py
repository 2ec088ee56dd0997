"""NARMA10: a nonlinear moving average of tenth order, which asks for memory and for products at once."""

from __future__ import annotations

import numpy as np

from cortwin.errors import CortwinError

ORDER = 10
# A series that passes this is on its way to infinity; its usual range is 0.1 to 1.
LIMIT = 10.0


def narma10(generator: np.random.Generator, samples: int, *, discard: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Draw an input and what the system makes of it.

    ``y_{k+1} = 0.3 y_k + 0.05 y_k sum_{i=0..9} y_{k-i} + 1.5 u_{k-9} u_k + 0.1`` with u uniform in [0, 0.5).

    Parameters
    ----------
    generator : NumPy Generator
    samples : number of samples
    discard : samples left out at the beginning, which starts with y = 0

    Returns
    -------
    inputs, target : (samples,) ndarrays
        Sample k of the target is y_{k+1}, the answer to the inputs up to u_k.

    Raises
    ------
    CortwinError
        If there is no sample, or the series diverges, as a few draws in a million steps do.

    References
    ----------
    Atiya & Parlos 2000, doi:10.1109/72.846741
    """
    if samples < 1 or discard < 0:
        raise CortwinError(f"narma10: needs at least 1 sample and discard of 0 or more, got {samples} and {discard}")
    # Nine inputs of 0 before the first, and as many outputs of 0.
    before, total = ORDER - 1, discard + samples
    u = np.concatenate([np.zeros(before), generator.uniform(0, 0.5, total)])
    y = np.zeros(before + total + 1)
    for k in range(before, before + total):
        y[k + 1] = 0.3 * y[k] + 0.05 * y[k] * y[k - before : k + 1].sum() + 1.5 * u[k - before] * u[k] + 0.1
        if y[k + 1] > LIMIT:
            raise CortwinError(
                f"narma10: the series diverges at sample {k - before} (y = {y[k + 1]:g}): take another seed"
            )
    return u[before + discard :], y[before + discard + 1 :]
