"""Copy memory: ten symbols are shown, and after a long wait they have to be told in order."""

from __future__ import annotations

import math

import numpy as np

from cortwin.errors import CortwinError

SYMBOLS, LENGTH = 8, 10
BLANK, SIGNAL = SYMBOLS, SYMBOLS + 1  # classes beside the symbols; the signal is heard and never told


def copy_baseline(wait: int) -> float:
    """Return the cross-entropy, per step, of one who knows when to answer and guesses: ``10 ln 8 / (wait + 20)``."""
    return LENGTH * math.log(SYMBOLS) / (wait + 2 * LENGTH)


def copy_memory(generator: np.random.Generator, trials: int, wait: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw trials of ``wait + 20`` steps: ten symbols, blanks, a signal, and ten blanks in which to answer.

    Parameters
    ----------
    generator : NumPy Generator
    trials : number of trials
    wait : steps between the last symbol and the first answer; the signal is the last of them

    Returns
    -------
    inputs : (trials, wait + 20, 10) ndarray
        One of eight symbols, blank, or signal, as 1 among zeros.
    target : (trials, wait + 20, 9) ndarray
        Blank until the signal has been heard, then the ten symbols in their order.

    Raises
    ------
    CortwinError
        If there is no trial, or no step for the signal.

    References
    ----------
    Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; in the form of Arjovsky, Shah & Bengio 2016,
        doi:10.48550/arXiv.1511.06464.
    """
    if trials < 1 or wait < 1:
        raise CortwinError(f"copy_memory: needs at least 1 trial and a wait of 1 step, got {trials} and {wait}")
    shown = generator.integers(0, SYMBOLS, (trials, LENGTH))
    heard = np.full((trials, wait + 2 * LENGTH), BLANK)
    told = heard.copy()
    heard[:, :LENGTH] = told[:, -LENGTH:] = shown
    heard[:, LENGTH + wait - 1] = SIGNAL
    return np.eye(SYMBOLS + 2)[heard], np.eye(SYMBOLS + 1)[told]
