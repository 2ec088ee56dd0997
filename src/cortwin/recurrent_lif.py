"""A recurrent network of LIF neurons with a leaky readout, in plain Brian2: what surrogate gradients are taken of.

    tau_m dv/dt = -v + I + W_in^T u + b,    spike and v <- v - 1 where v > 1
    tau_s dI/dt = -I,                       I_j <- I_j + W_rec[i, j]  at each spike of i
    tau_o dy/dt = -y,                       y_k <- y_k + W_out[i, k]  at each spike of i

Symbols: u input, v membrane potential in units of the threshold, I synaptic current, y output. Several trials are as
many copies of the network side by side, which share no synapse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, TimedArray, second
from numpy.typing import NDArray

from cortwin.errors import CortwinError

#: Names of the trained arrays in `cortwin.differentiate`
PARAMETERS = ("w_in.w", "w_rec.w", "w_out.w", "neurons.b")


@dataclass(frozen=True)
class RecurrentLIF:
    """Sizes and constants, all times in seconds.

    Attributes
    ----------
    inputs, units, outputs : sizes
    dt : step of the simulation, and of the inputs
    tau_m, tau_s, tau_o : time constants of membrane, synaptic current and output; the first two differ, because
        Brian2's exact solution divides by their difference
    """

    inputs: int
    units: int
    outputs: int
    dt: float = 1e-3
    tau_m: float = 20e-3
    tau_s: float = 10e-3
    tau_o: float = 20e-3

    def __post_init__(self) -> None:
        """Refuse sizes and times that are not positive, and time constants of one length."""
        for name, value in vars(self).items():
            if not value > 0:
                raise CortwinError(f"RecurrentLIF.{name} must be positive, got {value:g}")
        if self.tau_m == self.tau_s:
            raise CortwinError(f"RecurrentLIF.tau_s must differ from tau_m, got {self.tau_s:g} s for both")

    def initial(
        self,
        generator: np.random.Generator,
        gain: float = 1.0,
        *,
        recurrent: float | None = None,
        output: float = 1.0,
        bias: float = 0.5,
    ) -> dict[str, NDArray]:
        """Draw weights: Gaussian, of variance gain^2 / sources; for a current of time constant tau_s per spike.

        Parameters
        ----------
        gain : of the inputs
        recurrent, output : gains of the recurrent weights (`gain` when None) and of those to the output
        bias : of every neuron, in units of the threshold

        Returns
        -------
        dict from the names in `PARAMETERS` to flat arrays, in the order of the synapses: source by source
        """

        def drawn(sources: int, targets: int, scale: float) -> NDArray:
            return scale * generator.standard_normal(sources * targets) / np.sqrt(sources)

        return {
            "w_in.w": drawn(self.inputs, self.units, gain),
            "w_rec.w": drawn(self.units, self.units, gain if recurrent is None else recurrent),
            "w_out.w": drawn(self.units, self.outputs, output),
            "neurons.b": np.full(self.units, bias),
        }

    def network(self, inputs: NDArray, parameters: dict[str, Any]) -> Network:
        """Return the network with its monitors ``spikes`` and ``output``.

        Parameters
        ----------
        inputs : (trial, time, input) array; or (time, input) for a single trial
        parameters : by the names in `PARAMETERS`
        """
        shown = np.asarray(inputs, np.float64)
        shown = shown[None] if shown.ndim == 2 else shown
        trials, dt = len(shown), self.dt * second
        stimulus = TimedArray(np.concatenate(list(shown), axis=1), dt=dt, name="stimulus")
        constants = {name: getattr(self, name) * second for name in ("tau_m", "tau_s", "tau_o")}
        heard = NeuronGroup(
            trials * self.inputs, "u = stimulus(t, i) : 1", dt=dt, name="heard", namespace={"stimulus": stimulus}
        )
        neurons = NeuronGroup(
            trials * self.units,
            """dv/dt = (I + drive + b - v)/tau_m : 1
               dI/dt = -I/tau_s : 1
               drive : 1
               b : 1 (constant)""",
            threshold="v > 1", reset="v -= 1", method="exact", dt=dt, name="neurons", namespace=constants,
        )  # fmt: skip
        readout = NeuronGroup(
            trials * self.outputs, "dy/dt = -y/tau_o : 1", method="exact", dt=dt, name="readout", namespace=constants
        )
        neurons.b = np.tile(parameters["neurons.b"], trials)
        around = {"stimulus": stimulus}
        pathways = [
            _pathway(
                heard, neurons, "w_in", "w : 1\ndrive_post = w*u_pre : 1 (summed)", "", parameters, trials, around
            ),
            _pathway(neurons, neurons, "w_rec", "w : 1", "I_post += w", parameters, trials, {}),
            _pathway(neurons, readout, "w_out", "w : 1", "y_post += w", parameters, trials, {}),
        ]
        spikes = SpikeMonitor(neurons, name="spikes")
        output = StateMonitor(readout, "y", record=True, dt=dt, name="output", when="end")
        return Network(heard, neurons, readout, *pathways, spikes, output)


def _pathway(
    source: Any, target: Any, name: str, equations: str, on_pre: str, parameters: dict[str, Any], trials: int,
    namespace: dict[str, Any],
) -> Synapses:  # fmt: skip
    """Connect all to all within each trial."""
    n_source, n_target = len(source) // trials, len(target) // trials
    synapses = Synapses(
        source, target, equations, on_pre=on_pre or None, dt=source.clock.dt, name=name, namespace=namespace
    )
    first = np.arange(trials)[:, None]
    i = first * n_source + np.repeat(np.arange(n_source), n_target)
    j = first * n_target + np.tile(np.arange(n_target), n_source)
    synapses.connect(i=i.ravel(), j=j.ravel())
    synapses.w = np.tile(np.asarray(parameters[f"{name}.w"]), trials)
    return synapses
