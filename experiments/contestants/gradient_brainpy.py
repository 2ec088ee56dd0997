"""A training step of a recurrent LIF network in BrainPy: its LIF group and exponential synapses, a loop over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainpy as bp  # type: ignore[import-not-found]
import brainpy.math as bm  # type: ignore[import-not-found]
import jax
import numpy as np

MS = 1e3  # BrainPy's times are numbers of milliseconds


class Net(bp.DynamicalSystem):
    """Input layer, recurrent neurons, readout."""

    def __init__(self, case: dict[str, Any]) -> None:
        super().__init__()
        units, outputs, tau_m = case["units"], case["outputs"], case["tau_m"] * MS
        init = bp.init.KaimingNormal(scale=1.0)
        self.neurons = bp.dyn.Lif(units, tau=tau_m, V_rest=0.0, V_reset=0.0, V_th=1.0, spk_fun=bm.surrogate.ReluGrad())
        self.heard = bp.dnn.Dense(case["inputs"], units, W_initializer=init)
        self.recurrent = bp.dyn.HalfProjAlignPost(
            comm=bp.dnn.Dense(units, units, W_initializer=init, b_initializer=None),
            syn=bp.dyn.Expon(units, tau=case["tau_s"] * MS),
            out=bp.dyn.CUBA(),
            post=self.neurons,
        )
        self.readout = bp.dyn.Integrator(outputs, tau=tau_m)
        self.weights = bp.dnn.Dense(units, outputs, W_initializer=init, b_initializer=None)

    def update(self, shown: Any) -> Any:
        """Advance by one step, (trial, input) -> (trial, output)."""
        self.recurrent(self.neurons.spike.value)
        self.neurons(self.heard(shown))
        return self.readout(self.weights(self.neurons.spike.value))


def prepare(case: dict[str, Any]) -> Callable[[], None]:
    """Compile the step, or the forward run alone; each call makes the case's updates."""
    bm.set_dt(case["dt"] * MS)
    bm.random.seed(2)
    generator = np.random.default_rng(1)
    shapes = ((case["batch"], case["steps"], case[name]) for name in ("inputs", "outputs"))
    shown, wanted = (bm.asarray(generator.random(shape, dtype=np.float32).swapaxes(0, 1)) for shape in shapes)
    with bm.environment(mode=bm.TrainingMode(case["batch"])):
        net = Net(case)
    variables = net.train_vars().unique()

    def loss() -> Any:
        net.reset(case["batch"])
        found = bm.for_loop(lambda i, x: net.step_run(i, x), (bm.arange(case["steps"]), shown))
        return bm.mean((bm.as_jax(found) - bm.as_jax(wanted)) ** 2)

    optimizer = bp.optim.Adam(lr=1e-3, train_vars=variables)
    gradient = bm.grad(loss, grad_vars=variables)

    @bm.jit
    def step() -> Any:
        optimizer.update(gradient())
        return bm.zeros(1)

    do = step if case["gradient"] else bm.jit(loss)

    def update() -> None:
        for _ in range(case["updates"]):
            found = do()
        jax.block_until_ready((bm.as_jax(found), [bm.as_jax(one.value) for one in variables.values()]))

    return update
