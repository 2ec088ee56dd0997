"""How XLA compiles updates: options of another version do no harm, and the values are the same."""

from __future__ import annotations

import jax
import numpy as np

from cortwin.training import compiler


def test_an_option_that_xla_does_not_know_is_left_out(monkeypatch):
    monkeypatch.setattr(compiler, "ON_A_CPU", {"xla_cpu_prefer_vector_width": 256, "xla_cpu_no_such_option": 1})
    assert compiler.compiler_options.__wrapped__() == {"xla_cpu_prefer_vector_width": 256}


def test_no_option_for_a_cpu_is_given_to_another_device(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler.compiler_options.__wrapped__() == {}


def test_options_change_values_by_rounding_alone():
    generator = np.random.default_rng(1)
    a, b = (generator.standard_normal(shape).astype(np.float32) for shape in ((32, 111), (111, 400)))
    given = compiler.compiler_options()
    assert given, "XLA knows none of the options: see ON_A_CPU"
    plain, chosen = (jax.jit(jax.numpy.matmul, compiler_options=options)(a, b) for options in ({}, given))
    # A sum of n products, in any order, errs by at most n eps times the sum of their sizes.
    bound = 111 * np.finfo(np.float32).eps * (np.abs(a) @ np.abs(b))
    assert np.all(np.abs(np.asarray(chosen, float) - a.astype(float) @ b.astype(float)) <= bound)
    assert np.all(np.abs(np.asarray(plain, float) - a.astype(float) @ b.astype(float)) <= bound)
