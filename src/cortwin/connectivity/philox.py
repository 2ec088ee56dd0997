"""Philox4x32-10: random numbers as a function of a key and a counter, without a state.

Any number of a stream can be had without those before it, so that a program which draws in another order, in several
threads, or twice, finds the same. The compiled programs draw with `cpp/lib/philox.h`; this is the slow reference.

Salmon, Moraes, Dror & Shaw 2011, Parallel random numbers: as easy as 1, 2, 3, doi:10.1145/2063384.2063405.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # the golden ratio and the square root of three, less one
ROUNDS = 10
WORD = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def blocks(key: ArrayLike, *counter: ArrayLike) -> NDArray[np.uint64]:
    """Return four random words for each counter.

    Parameters
    ----------
    key : (2,) words of 32 bits
    counter : four words of 32 bits, each a number or an array; they are broadcast

    Returns
    -------
    (..., 4) array of words of 32 bits, kept in uint64
    """
    x = [np.asarray(word, dtype=np.uint64) for word in np.broadcast_arrays(*counter)]
    key0, key1 = (int(word) for word in np.asarray(key))
    for _ in range(ROUNDS):
        product0, product1 = np.uint64(MULTIPLIERS[0]) * x[0], np.uint64(MULTIPLIERS[1]) * x[2]
        x = [
            (product1 >> HALF) ^ x[1] ^ np.uint64(key0),
            product1 & WORD,
            (product0 >> HALF) ^ x[3] ^ np.uint64(key1),
            product0 & WORD,
        ]
        key0, key1 = (key0 + WEYL[0]) & int(WORD), (key1 + WEYL[1]) & int(WORD)
    return np.stack(x, axis=-1)


def pairs(key: ArrayLike, *counter: ArrayLike) -> NDArray[np.uint64]:
    """Return the same (..., 4) words as (..., 2) words of 64 bits, the lower half first."""
    words = blocks(key, *counter)
    return words[..., 0::2] | (words[..., 1::2] << HALF)


def below(words: NDArray[np.uint64], n: ArrayLike) -> NDArray[np.int64]:
    """Return whole numbers from 0 to n - 1: the upper 64 bits of word times n, n < 2**32.

    No number is more likely than 1/n by a factor beyond 1 + n/2**64.
    """
    limit = np.asarray(n, dtype=np.uint64)
    return (((words >> HALF) * limit + ((words & WORD) * limit >> HALF)) >> HALF).astype(np.int64)


def unit(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return numbers strictly between 0 and 1: the middles of 2**52 equal intervals, exact in float64."""
    return ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
