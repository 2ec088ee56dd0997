"""The spike: a comparison forward, a surrogate derivative of the distance to threshold backward.

All surrogates carry their width in units of the distance, ``1 / scale``, so that a distance in volt and one without
unit give derivatives of the right dimension. With d the distance to threshold, positive above it::

    fast_sigmoid      dS/dd = scale / (1 + scale |d|)^2        area 2, long tails
    triangular        dS/dd = scale max(0, 1 - scale |d|)      area 1, zero further than 1 / scale from threshold
    arctan            dS/dd = scale / (1 + (pi scale d)^2)     area 1, long tails
    gaussian          dS/dd = scale exp(-pi (scale d)^2)       area 1
    straight_through  dS/dd = scale                            the same however far the threshold is

References
----------
fast_sigmoid : Zenke & Ganguli 2018, SuperSpike, Neural Computation 30:1514-1541, doi:10.1162/neco_a_01086
triangular : Esser et al. 2016, PNAS 113:11441-11446, doi:10.1073/pnas.1604850113; Bellec et al. 2018, Long short-term
    memory and learning-to-learn in networks of spiking neurons, NeurIPS 31 (there damped by a factor 0.3)
arctan : Fang et al. 2021, ICCV, doi:10.1109/ICCV48922.2021.00266
gaussian : Yin, Corradi & Bohte 2021, Nature Machine Intelligence 3:905-913, doi:10.1038/s42256-021-00397-w
straight_through : Bengio, Leonard & Courville 2013, doi:10.48550/arXiv.1308.3432
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

#: distance -> derivative of the spike with respect to the distance
Derivative = Callable[[jax.Array], jax.Array]


def fast_sigmoid(scale: float) -> Derivative:
    """Return the derivative of the fast sigmoid, ``scale / (1 + scale |d|)^2``."""
    return lambda distance: scale / (1.0 + scale * jnp.abs(distance)) ** 2


def triangular(scale: float) -> Derivative:
    """Return the triangle, ``scale max(0, 1 - scale |d|)``."""
    return lambda distance: scale * jnp.maximum(0.0, 1.0 - scale * jnp.abs(distance))


def arctan(scale: float) -> Derivative:
    """Return the derivative of ``arctan(pi scale d) / pi``."""
    return lambda distance: scale / (1.0 + (jnp.pi * scale * distance) ** 2)


def gaussian(scale: float) -> Derivative:
    """Return the density of a normal distribution, as high as `scale`."""
    return lambda distance: scale * jnp.exp(-jnp.pi * (scale * distance) ** 2)


def straight_through(scale: float) -> Derivative:
    """Return the constant `scale`."""
    return lambda distance: jnp.full_like(distance, scale)


#: name -> function of the scale; an own surrogate is one more entry
SURROGATES: dict[str, Callable[[float], Derivative]] = {
    "fast_sigmoid": fast_sigmoid,
    "triangular": triangular,
    "arctan": arctan,
    "gaussian": gaussian,
    "straight_through": straight_through,
}


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def spike(derivative: Derivative, above: jax.Array, distance: jax.Array) -> jax.Array:
    """Return 1.0 where `above`, else 0.0; gradients pass as if it were a function of `distance`.

    The comparison itself is handed over, not the sign of the distance: a difference may round (or flush) to zero
    where the comparison is still true.
    """
    return jnp.asarray(above, distance.dtype)


@spike.defjvp
def _spike_jvp(derivative, primals, tangents):
    above, distance = primals
    return spike(derivative, above, distance), derivative(distance) * tangents[1]


def select(spikes: jax.Array, new: jax.Array, old: jax.Array, *, through_spike: bool) -> jax.Array:
    """Return `new` where there is a spike, else `old`, as a reset does.

    With `through_spike`, the gradient also sees that the spike itself made the difference, ``new - old``; the term
    that carries it is exactly zero forward.
    """
    chosen = jnp.where(spikes > 0, new, old)
    if through_spike and jnp.issubdtype(jnp.result_type(old), jnp.floating):
        chosen = chosen + (spikes - jax.lax.stop_gradient(spikes)) * jax.lax.stop_gradient(new - old)
    return chosen
