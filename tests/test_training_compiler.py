"""How XLA compiles updates: options of another version do no harm, and the values are the same."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from cortwin.training import compiler


def test_an_option_that_xla_does_not_know_is_left_out(monkeypatch):
    monkeypatch.setattr(compiler, "ON_A_CPU", {"xla_cpu_prefer_vector_width": 256, "xla_cpu_no_such_option": 1})
    assert compiler.compiler_options.__wrapped__() == {"xla_cpu_prefer_vector_width": 256}


def test_no_option_for_a_cpu_is_given_to_another_device(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler.compiler_options.__wrapped__() == {}


def test_products_that_xla_writes_out_are_not_in_the_longest_vectors(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"--xla_cpu_use_fusion_emitters=true {compiler.WRITTEN_OUT}")
    assert "xla_cpu_prefer_vector_width" not in compiler.compiler_options.__wrapped__()


def test_an_update_of_a_small_gated_network_is_compiled_in_little_memory():
    """With the flag that asks XLA for one thread, jaxlib 0.10.2 took 22 GB for vectors of 512 bits."""
    pytest.importorskip("resource")
    lines = (
        "import resource",
        "resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))",
        "from cortwin.speed.ours import prepare",
        "case = {'cell': 'gru', 'units': 10, 'steps': 10, 'batch': 1, 'inputs': 10, 'updates': 2, 'trials': 1}",
        "prepare(case)()",
    )
    environment = {**os.environ, "XLA_FLAGS": compiler.WRITTEN_OUT}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]


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
