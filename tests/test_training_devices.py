"""Trials divided among two devices of the processor: the same training to rounding, and what is not divided."""

import json
import os
import subprocess
import sys

import pytest

# JAX makes its devices once in a process.
TRAINED = """
import json, sys
import jax, numpy as np
from cortwin.activity import activity
from cortwin.models import elman, gru, lstm
from cortwin.training import Options, fit
from cortwin.training import devices, through_time
from cortwin.training.fit import _of_textbook

asked = []
divide = devices.divided
def counting(scan, trials, work):
    found = divide(scan, trials, work)
    asked.append((devices.LEAST_WORK == 0, found is not scan))
    return found
through_time.divided = counting

def train(page, least, trials, checkpoint=None, advance=None, **options):
    if devices.LEAST_WORK != least:
        devices.LEAST_WORK = least
        _of_textbook.cache_clear()
    generator = np.random.default_rng(5)
    model = page.model()
    start = page.initial(generator, 2, 6, 1)
    inputs = activity(generator.standard_normal((trials, 12, 2)), dt=0.01, last="input", name="input")
    target = activity(generator.standard_normal((trials, 12, 1)), dt=0.01, last="output", name="target")
    mask = (generator.random((trials, 12)) < 0.8).astype(float)
    options = Options(updates=3, interval=2, batch_size=None, **options)
    done = fit(model, start, inputs, target, alpha=0.5, options=options, generator=generator, mask=mask,
               checkpoint=checkpoint, advance=advance)
    return np.concatenate([np.ravel(array) for array in done.parameters])

def distance(page, trials=4, **options):
    return float(np.abs(train(page, 0, trials, **options) - train(page, np.inf, trials, **options)).max())

found = {"devices": len(jax.local_devices())}
found["elman"] = distance(elman)
found["gru"] = distance(gru, truncation=4)
found["lstm"] = distance(lstm, dropout=0.2)
found["divided"] = sorted(set(asked))
asked.clear()
found["odd"] = distance(elman, trials=3)
found["odd divided"] = sorted(set(asked))

class Interrupted(Exception):
    pass

def interrupt(*_):
    raise Interrupted

whole = train(elman, 0, 4)
found["again"] = bool((train(elman, 0, 4) == whole).all())
try:
    train(elman, 0, 4, sys.argv[1], interrupt)
except Interrupted:
    found["resumed"] = bool((train(elman, 0, 4, sys.argv[1]) == whole).all())
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    environment = {
        **os.environ, "JAX_NUM_CPU_DEVICES": "2", "JAX_ENABLE_X64": "1", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAINED, str(folder / "checkpoint.npz")],
        capture_output=True, text=True, check=False, timeout=600, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_environment_makes_two_devices(found):
    """JAX reads the variable; without it there is one device of a processor."""
    assert found["devices"] == 2


def test_weights_are_those_of_one_device_to_rounding(found):
    assert found["divided"] == [[False, False], [True, True]]  # (wanted, done)
    # Sums of some dozen numbers of order one in another order, three updates long; weights are of order one.
    for page in ("elman", "gru", "lstm"):
        assert found[page] < 1e-12, page


def test_two_devices_give_the_same_bits_again_and_when_resumed(found):
    assert found["again"]
    assert found["resumed"]


def test_trials_that_give_no_even_shares_are_not_divided(found):
    assert found["odd divided"] == [[False, False], [True, False]]
    assert found["odd"] == 0
