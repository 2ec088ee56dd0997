"""The benchmark CUBA of Brette et al. 2007 in BrainPy, as in its own example of an E/I network (float32)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainpy as bp  # type: ignore[import-not-found]
import brainpy.math as bm  # type: ignore[import-not-found]
import numpy as np


class CUBA(bp.DynSysGroup):
    """Neurons and two projections whose conductances are summed at the target."""

    def __init__(self, n: int, probability: float) -> None:
        super().__init__()
        self.excitatory = 4 * n // 5
        self.N = bp.dyn.LifRef(
            n, V_rest=-49.0, V_th=-50.0, V_reset=-60.0, tau=20.0, tau_ref=5.0, V_initializer=bp.init.Uniform(-60, -50)
        )
        self.delay = bp.VarDelay(self.N.spike, entries={"I": None})
        self.E = self.projection(self.excitatory, n, probability, weight=1.62, tau=5.0)
        self.I = self.projection(n - self.excitatory, n, probability, weight=-9.0, tau=10.0)

    def projection(self, pre: int, post: int, probability: float, weight: float, tau: float) -> Any:
        """Return a projection with exponential currents."""
        connections = bp.conn.FixedProb(probability, pre=pre, post=post, seed=1)
        return bp.dyn.HalfProjAlignPostMg(
            comm=bp.dnn.EventCSRLinear(connections, weight),
            syn=bp.dyn.Expon.desc(size=post, tau=tau),
            out=bp.dyn.CUBA.desc(),
            post=self.N,
        )

    def update(self, _: Any = 0.0) -> Any:
        """Advance one step and return who spiked."""
        spikes = self.delay.at("I")
        self.E(spikes[: self.excitatory])
        self.I(spikes[self.excitatory :])
        self.delay(self.N(0.0))
        return self.N.spike.value


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Compile the network and let it go on for the case's time at each call."""
    bm.set_dt(0.1)
    bm.random.seed(1)
    model = CUBA(case["neurons"], case["probability"])
    steps = round(1e4 * case["seconds"])
    first = 0

    @bm.jit
    def loop(indices: Any) -> Any:
        return bm.for_loop(lambda i: model.step_run(i), indices)

    def simulate() -> dict[str, Any]:
        nonlocal first
        spikes = np.asarray(loop(np.arange(first, first + steps)))
        first += steps
        return {"spikes": int(spikes.sum())}

    return simulate
