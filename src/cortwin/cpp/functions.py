"""Functions of Brian2's equations in a form that the compiler vectorises on every processor."""

from __future__ import annotations

from brian2.core.functions import DEFAULT_FUNCTIONS

# Brian2 turns the quotient into a whole number of 64 bits, for which processors without AVX-512 have no vector
# instruction; without its fraction it is the same number.
TIMESTEP = "static inline double _timestep(double t, double dt) { return trunc((t + 1e-3*dt)/dt); }"


def use_in(code_object: type) -> None:
    """Give the code objects of a class these functions."""
    DEFAULT_FUNCTIONS["timestep"].implementations.add_implementation(code_object, TIMESTEP, name="_timestep")
