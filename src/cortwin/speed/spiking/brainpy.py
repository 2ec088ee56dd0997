"""BrainPy's training step, as its users write it: its LIF group and exponential synapses, a loop over time, Adam."""

from __future__ import annotations

from collections.abc import Callable

import brainpy as bp  # type: ignore[import-not-found]
import brainpy.math as bm  # type: ignore[import-not-found]
import jax

from cortwin.speed.spiking.case import DT, TAU_M, TAU_S
from cortwin.speed.spiking.case import SpikingCase as Case

MS = 1e3  # BrainPy's times are numbers of milliseconds


class Net(bp.DynamicalSystem):
    """Input layer, recurrent neurons, readout."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        init = bp.init.KaimingNormal(scale=1.0)
        self.neurons = bp.dyn.Lif(
            case.units, tau=TAU_M * MS, V_rest=0.0, V_reset=0.0, V_th=1.0, spk_fun=bm.surrogate.ReluGrad()
        )
        self.heard = bp.dnn.Dense(case.inputs, case.units, W_initializer=init)
        self.recurrent = bp.dyn.HalfProjAlignPost(
            comm=bp.dnn.Dense(case.units, case.units, W_initializer=init, b_initializer=None),
            syn=bp.dyn.Expon(case.units, tau=TAU_S * MS),
            out=bp.dyn.CUBA(),
            post=self.neurons,
        )
        self.readout = bp.dyn.Integrator(case.outputs, tau=TAU_M * MS)
        self.weights = bp.dnn.Dense(case.units, case.outputs, W_initializer=init, b_initializer=None)

    def update(self, shown):
        """Advance by one step, (trial, input) -> (trial, output)."""
        self.recurrent(self.neurons.spike.value)
        self.neurons(self.heard(shown))
        return self.readout(self.weights(self.neurons.spike.value))


def prepare(case: Case) -> Callable[[], None]:
    """Return a function that makes the case's updates."""
    bm.set_dt(DT * MS)
    bm.set_mode(bm.TrainingMode(case.batch))
    inputs, targets = case.data()
    shown, wanted = bm.asarray(inputs.swapaxes(0, 1)), bm.asarray(targets.swapaxes(0, 1))
    with bm.environment(mode=bm.TrainingMode(case.batch)):
        net = Net(case)
    variables = net.train_vars().unique()

    def loss():
        net.reset(case.batch)
        indices = bm.arange(case.steps)
        found = bm.for_loop(lambda i, x: net.step_run(i, x), (indices, shown))
        return bm.mean((bm.as_jax(found) - bm.as_jax(wanted)) ** 2)

    if not case.gradient:
        forward = bm.jit(loss)
    else:
        optimizer = bp.optim.Adam(lr=1e-3, train_vars=variables)
        gradient = bm.grad(loss, grad_vars=variables)

        @bm.jit
        def forward():
            optimizer.update(gradient())
            return bm.zeros(1)

    def update() -> None:
        for _ in range(case.updates):
            found = forward()
        jax.block_until_ready((bm.as_jax(found), [bm.as_jax(one.value) for one in variables.values()]))

    return update
