"""Ensembles of LIF neurons as Brian2 text: the populations and pathways that pages with several of them share.

A neuron hears one or two signals of the unit that it belongs to, ``gain x + bias`` or ``gain_a a + gain_c c + bias``.
Its spikes, times its decoder, arrive at a variable of that unit. The tuning writing has firing rates in their place.
"""

from __future__ import annotations

from collections.abc import Mapping

from cortwin.model import Ensemble, Pathway, Population

RATE = "int(J > 1)/(t_ref + tau_m*log1p(1/clip(J - 1, 1e-9, inf))) : Hz (constant over dt)"


def lif_neurons(ensemble: Ensemble, hears: Mapping[str, str], ahead: Mapping[str, str] | None = None) -> Population:
    """Return an ensemble's spiking neurons.

    Parameters
    ----------
    ensemble : what they compute
    hears : signal -> ``"population.variable"`` that carries it
    ahead : signal -> ``"population.variable"``, its rate of change in Hz, for those signals that the neurons hear a
        moment ahead, against the lag of their synapses
    """
    slopes = dict(ahead or {})
    heard = {name: f"({name} + lead*{name}_slope)" if name in slopes else name for name in ensemble.signals}
    lines = [f"dv/dt = ({_current(ensemble, heard)} - v)/tau_m : 1 (unless refractory)", *_parameters(ensemble)]
    lines += [f"{name}_slope : Hz" for name in slopes] + (["lead : second (constant)"] if slopes else [])
    timing = {"lead": f"{ensemble.prefix}lead"} if slopes else {}
    return Population(
        "\n".join(lines),
        ensemble.size,
        method="exact",
        threshold="v > 1",
        reset="v = 0",
        refractory="t_ref",
        values={**_values(ensemble), **timing, "v": f"{ensemble.prefix}v0"},
        linked={**{name: hears[name] for name in ensemble.signals}, **{f"{n}_slope": of for n, of in slopes.items()}},
    )


def tuning_curves(ensemble: Ensemble, hears: Mapping[str, str]) -> Population:
    """Return the same neurons as tuning curves: a firing rate without spikes."""
    names = {name: name for name in ensemble.signals}
    lines = [f"J = {_current(ensemble, names)} : 1", f"rate = {RATE}", *_parameters(ensemble)]
    return Population(
        "\n".join(lines),
        ensemble.size,
        values=_values(ensemble),
        linked={name: hears[name] for name in ensemble.signals},
    )


def spikes_to(ensemble: Ensemble, target: str, tau: str, sign: str = "+", delay: str | None = None) -> Pathway:
    """Return the pathway on which an ensemble's spikes arrive at a variable of its units.

    Parameters
    ----------
    ensemble : whose spikes
    target : ``"population.variable"``, which decays with tau
    tau : constant that holds the time constant
    sign : ``"+"`` for excitation, ``"-"`` for inhibition
    delay : constant that holds the axonal delay
    """
    population, _, variable = target.partition(".")
    return Pathway(
        ensemble.population,
        population,
        "convergent",
        "d : second (constant)",
        on_pre=f"{variable}_post {sign}= d/{tau}",
        values={"d": f"{ensemble.prefix}decoder"},
        delay=delay,
    )


def rates_to(ensemble: Ensemble, target: str) -> Pathway:
    """Return the same pathway for tuning curves: rates that sum into a variable."""
    population, _, variable = target.partition(".")
    return Pathway(
        ensemble.population,
        population,
        "convergent",
        f"d : second (constant)\n{variable}_post = d*rate_pre : 1 (summed)",
        values={"d": f"{ensemble.prefix}decoder"},
    )


def weights_of_gates(gates: str, kind: str, source: str, heard: str) -> tuple[str, dict[str, str]]:
    """Return the text and the values of synapses with one weight for each gate of a cell.

    Parameters
    ----------
    gates : a letter for each gate
    kind : what the sums are called: ``"drive"`` for ``drive_i``, ``drive_f``, ...
    source : what the (target, source) weights are called: ``"W"`` for ``W_i``, ``W_f``, ...
    heard : variable of the source
    """
    lines = [f"w_{gate} : 1 (constant)" for gate in gates]
    lines += [f"{kind}_{gate}_post = w_{gate}*{heard}_pre : 1 (summed)" for gate in gates]
    return "\n".join(lines), {f"w_{gate}": f"{source}_{gate}" for gate in gates}


def _current(ensemble: Ensemble, heard: Mapping[str, str]) -> str:
    gains = (gain.removeprefix(ensemble.prefix) for gain in ensemble.gains)
    return " + ".join([f"{gain}*{heard[name]}" for gain, name in zip(gains, ensemble.signals, strict=True)] + ["bias"])


def _parameters(ensemble: Ensemble) -> list[str]:
    gains = [f"{gain.removeprefix(ensemble.prefix)} : 1 (constant)" for gain in ensemble.gains]
    return [*(f"{name} : 1" for name in ensemble.signals), *gains, "bias : 1 (constant)"]


def _values(ensemble: Ensemble) -> dict[str, str]:
    return {name.removeprefix(ensemble.prefix): name for name in (*ensemble.gains, f"{ensemble.prefix}bias")}
