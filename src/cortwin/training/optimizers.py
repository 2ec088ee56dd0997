"""Optimisers by name, with clipped gradients and a schedule of the learning rate.

Symbols: g gradient (clipped), eta learning rate of this update, w weights; each formula is per weight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import optax

MOMENTUM = 0.9
RMSPROP_DECAY, RMSPROP_EPSILON = 0.9, 1e-8
ADAM_DECAY_1, ADAM_DECAY_2, ADAM_EPSILON = 0.9, 0.999, 1e-8


def sgd(eta: optax.Schedule) -> optax.GradientTransformation:
    """Return stochastic gradient descent, ``w <- w - eta g``."""
    return optax.sgd(eta)


def momentum(eta: optax.Schedule) -> optax.GradientTransformation:
    """Return gradient descent with momentum, ``v <- 0.9 v + g``, ``w <- w - eta v``.

    References
    ----------
    Polyak 1964, doi:10.1016/0041-5553(64)90137-5
    """
    return optax.sgd(eta, momentum=MOMENTUM)


def rmsprop(eta: optax.Schedule) -> optax.GradientTransformation:
    """Return RMSprop, ``v <- 0.9 v + 0.1 g^2``, ``w <- w - eta g / sqrt(v + 1e-8)``.

    References
    ----------
    Tieleman & Hinton 2012, Lecture 6.5, COURSERA: Neural Networks for Machine Learning
    """
    return optax.rmsprop(eta, decay=RMSPROP_DECAY, eps=RMSPROP_EPSILON)


def adam(eta: optax.Schedule) -> optax.GradientTransformation:
    """Return Adam.

    ``m <- 0.9 m + 0.1 g``, ``v <- 0.999 v + 0.001 g^2``, ``w <- w - eta m' / (sqrt(v') + 1e-8)`` where, in update
    t = 1, 2, .., ``m' = m / (1 - 0.9^t)`` and ``v' = v / (1 - 0.999^t)``.

    References
    ----------
    Kingma & Ba 2015, arXiv:1412.6980
    """
    return optax.adam(eta, b1=ADAM_DECAY_1, b2=ADAM_DECAY_2, eps=ADAM_EPSILON)


def constant(learning_rate: float, updates: int) -> optax.Schedule:
    """Return the same learning rate for every update."""
    return optax.constant_schedule(learning_rate)


def cosine(learning_rate: float, updates: int) -> optax.Schedule:
    """Return ``learning_rate (1 + cos(pi n / updates)) / 2`` for update n = 0, 1, ..

    References
    ----------
    Loshchilov & Hutter 2017, arXiv:1608.03983
    """
    return optax.cosine_decay_schedule(learning_rate, updates)


OPTIMIZERS: Mapping[str, Callable[[optax.Schedule], optax.GradientTransformation]] = {
    "sgd": sgd,
    "momentum": momentum,
    "rmsprop": rmsprop,
    "adam": adam,
}
SCHEDULES: Mapping[str, Callable[[float, int], optax.Schedule]] = {"constant": constant, "cosine": cosine}


def make_optimizer(
    name: str, learning_rate: float, *, schedule: str = "constant", updates: int = 1, clip: float | None = None
) -> optax.GradientTransformation:
    """Return an optimiser that first clips the gradient.

    Parameters
    ----------
    name : one of `OPTIMIZERS`
    learning_rate : of the first update
    schedule : one of `SCHEDULES`
    updates : number of updates that the schedule covers
    clip : largest norm of the gradient over all arrays together; a longer one is scaled down to it
    """
    chosen = OPTIMIZERS[name](SCHEDULES[schedule](learning_rate, updates))
    return chosen if clip is None else optax.chain(optax.clip_by_global_norm(clip), chosen)
