"""What a rule and a key stand for, as NumPy arrays: the slow reference of ``cpp/lib/connect.h``.

All numbers come from Philox (`cortwin.connectivity.philox`). Its last counter word tells the purposes apart:

======================  ==================================  ====================================================
purpose                 counter                             what the two words of a block give
======================  ==================================  ====================================================
``ENDS``                (block, neuron, 0, purpose)         other ends of the neuron's synapses 2 block, 2 block + 1
``DEGREES``             (block, 0, 0, purpose)              sources of the synapses 2 block, 2 block + 1
``DEGREES``             (draw, draw >> 32, 0, purpose)      a pair, where no pair may come twice
`purpose_of` (name)     (block, block >> 32, again, ...)    the numbers of synapses 2 block and 2 block + 1
======================  ==================================  ====================================================

Synapses are numbered by source. A neuron's other ends are drawn independently, or without replacement by Floyd's method
(Bentley & Floyd 1987, A sample of brilliance, doi:10.1145/30401.315746).
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cortwin.connectivity.distributions import Distribution, Normal
from cortwin.connectivity.philox import WORD, below, pairs, unit
from cortwin.connectivity.rules import (
    AllToAll,
    FixedIndegree,
    FixedOutdegree,
    FixedTotalNumber,
    FromArrays,
    OneToOne,
    PairwiseBernoulli,
    Rule,
)

ENDS, DEGREES = 0, 1
GAPS = 4096  # longest gap between two synapses that is drawn at once
ROWS = 2**24  # elements of the tables of who is taken, at a time

Ends = tuple[NDArray[np.int32], NDArray[np.int32]]


def key_of(seed: int, name: str) -> NDArray[np.uint32]:
    """Return the (2,) key of a pathway or population: the words of a SeedSequence that is the seed's child."""
    return np.random.SeedSequence(seed, spawn_key=tuple(name.encode())).generate_state(2).astype(np.uint32)


def purpose_of(variable: str) -> int:
    """Return the purpose under which a variable's numbers are drawn."""
    return max(zlib.crc32(variable.encode()), DEGREES + 1)


def connect(rule: Rule, n_source: int, n_target: int, key: Any, *, same: bool) -> Ends:
    """Return source and target of every synapse, sorted by source.

    Parameters
    ----------
    rule : any but `FromArrays`; it can be met, see ``rule.problem``
    n_source, n_target : sizes of the populations, below 2**31
    key : (2,) words, from `key_of`; a rule that draws nothing needs none
    same : whether source and target are one population
    """
    distinct = same and not getattr(rule, "autapses", True)
    match rule:
        case AllToAll():
            per_source = n_target - distinct
            source, target = np.repeat(np.arange(n_source), per_source), np.tile(np.arange(per_source), n_source)
        case OneToOne():
            source = target = np.arange(n_source)
        case PairwiseBernoulli():
            source, target = _bernoulli(rule.probability, n_source, n_target - distinct, key)
        case FixedIndegree():
            source, target = _indegrees(rule, n_source - distinct, n_target, key)
            source = _skip(source, target, distinct)
            order = np.argsort(source, kind="stable")
            return source[order].astype(np.int32), target[order].astype(np.int32)
        case FixedOutdegree():
            degrees = np.full(n_source, rule.outdegree)
            source, target = _ends(degrees, n_target - distinct, key, rule.multapses)
        case FixedTotalNumber():
            degrees = _degrees(rule, n_source, n_target - distinct, key)
            source, target = _ends(degrees, n_target - distinct, key, rule.multapses)
        case FromArrays():
            raise TypeError("the synapses of FromArrays are not drawn")
    return source.astype(np.int32), _skip(target, source, distinct).astype(np.int32)


def draw(distribution: Distribution, n: int, key: NDArray[np.uint32], variable: str) -> NDArray[np.float64]:
    """Return the numbers of a variable for n synapses or neurons.

    Parameters
    ----------
    distribution : of plain numbers
    n : how many
    key : (2,) words
    variable : its name
    """
    purpose, place = purpose_of(variable), np.arange(n, dtype=np.uint64)
    values = _transformed(distribution, _word(key, place, 0, purpose))
    if not isinstance(distribution, Normal):
        return values
    low = -np.inf if distribution.minimum is None else distribution.minimum
    high = np.inf if distribution.maximum is None else distribution.maximum
    again = 0
    while (outside := np.flatnonzero((values < low) | (values > high))).size:
        again += 1
        values[outside] = _transformed(distribution, _word(key, place[outside], again, purpose))
    return values


def delay_steps(delays: Any, dt: float) -> NDArray[np.int64]:
    """Return delays in steps, rounded to the nearest one as in Brian2."""
    return np.floor(np.asarray(delays) / dt + 0.5).astype(np.int64)


def _transformed(distribution: Distribution, words: NDArray[np.uint64]) -> NDArray[np.float64]:
    if isinstance(distribution, Normal):
        return distribution.mean + distribution.sd * ndtri(unit(words))
    return distribution.minimum + (distribution.maximum - distribution.minimum) * unit(words)


def _word(key: NDArray, place: NDArray[np.uint64], again: int, purpose: int) -> NDArray[np.uint64]:
    """Return the word of each place of a long stream."""
    block = place >> np.uint64(1)
    words = pairs(key, block & WORD, block >> np.uint64(32), again, purpose)
    return _half(words, place)


def _of_neurons(key: NDArray, place: NDArray, neuron: NDArray) -> NDArray[np.uint64]:
    """Return the word of each place of the streams of neurons."""
    return _half(pairs(key, place >> 1, neuron, 0, ENDS), place)


def _half(words: NDArray[np.uint64], place: NDArray) -> NDArray[np.uint64]:
    return np.where(place % 2 == 1, words[..., 1], words[..., 0])


def _skip(other: NDArray, neuron: NDArray, distinct: bool) -> NDArray:
    """Number the possible partners of a neuron without itself."""
    return other + (other >= neuron) if distinct else other


def _ends(degrees: NDArray, candidates: int, key: NDArray, multapses: bool) -> tuple[NDArray, NDArray]:
    """Draw the other ends of the synapses of each neuron, as many as its degree."""
    neuron = np.repeat(np.arange(len(degrees)), degrees)
    place = np.arange(neuron.size) - np.repeat(np.cumsum(degrees) - degrees, degrees)
    words = _of_neurons(key, place, neuron)
    if multapses:
        return neuron, below(words, candidates)
    other = np.empty(neuron.size, dtype=np.int64)
    first = np.cumsum(degrees) - degrees
    for start in range(0, len(degrees), rows := max(1, ROWS // max(1, candidates))):
        _floyd(np.arange(start, min(start + rows, len(degrees))), degrees, first, candidates, words, other)
    return neuron, other


def _floyd(neurons: NDArray, degrees: NDArray, first: NDArray, candidates: int, words: NDArray, other: NDArray) -> None:
    """Draw without replacement for some neurons at once: the k-th number is below candidates - degree + k + 1."""
    taken = np.zeros((len(neurons), candidates), dtype=bool)
    for k in range(degrees[neurons].max(initial=0)):
        row = np.flatnonzero(degrees[neurons] > k)
        at = first[neurons[row]] + k
        last = candidates - degrees[neurons[row]] + k
        chosen = below(words[at], last + 1)
        chosen = np.where(taken[row, chosen], last, chosen)
        taken[row, chosen] = True
        other[at] = chosen


def _indegrees(rule: FixedIndegree, candidates: int, n_target: int, key: NDArray) -> tuple[NDArray, NDArray]:
    target, source = _ends(np.full(n_target, rule.indegree), candidates, key, rule.multapses)
    return source, target


def _degrees(rule: FixedTotalNumber, n_source: int, candidates: int, key: NDArray) -> NDArray[np.int64]:
    """Draw how many synapses each source has.

    Without multapses, pairs are drawn from an urn: a source has ``candidates`` places, of which those already drawn may
    be thought of as the first ones, and a pair whose place is among them is drawn again. Of more than half of all pairs
    those that are left out are drawn.
    """
    if rule.multapses:
        words = _word(key, np.arange(rule.number, dtype=np.uint64), 0, DEGREES)
        return np.bincount(below(words, n_source), minlength=n_source)
    pairs_in_all = n_source * candidates
    left_out = rule.number > pairs_in_all // 2
    wanted = pairs_in_all - rule.number if left_out else rule.number
    degrees, found, tried = [0] * n_source, 0, 0
    while found < wanted:
        at = np.arange(tried, tried + 2 * (wanted - found) + 16, dtype=np.uint64)
        words = pairs(key, at & WORD, at >> np.uint64(32), 0, DEGREES)
        tried += at.size
        for source, place in zip(
            below(words[:, 0], n_source).tolist(), below(words[:, 1], candidates).tolist(), strict=True
        ):
            if place >= degrees[source] and found < wanted:
                degrees[source] += 1
                found += 1
    return candidates - np.array(degrees) if left_out else np.array(degrees)


def _bernoulli(probability: float, n_source: int, candidates: int, key: NDArray) -> tuple[NDArray, NDArray]:
    """Draw the gaps between the targets of a source: geometric, by inversion of P(gap >= m) = (1 - p)**m.

    A gap of `GAPS` or more is walked in pieces: the distribution has no memory. The powers are products of one factor
    after another, so that compiled code has the same to the last bit.
    """
    powers = np.multiply.accumulate(np.full(GAPS, 1 - probability))
    rising = powers[::-1]
    position, found = np.zeros(n_source, dtype=np.int64), []
    active, place = np.arange(n_source), 0
    while active.size:
        u = unit(_of_neurons(key, np.full(active.size, place), active))
        gap = GAPS - np.searchsorted(rising, u, side="right")
        position[active] += gap
        hit = (gap < GAPS) & (position[active] < candidates)
        found.append((active[hit], position[active[hit]]))
        position[active[hit]] += 1
        active = active[position[active] < candidates]
        place += 1
    source, target = (np.concatenate([part[k] for part in found]) if found else np.zeros(0, int) for k in (0, 1))
    order = np.argsort(source, kind="stable")
    return source[order], target[order]
