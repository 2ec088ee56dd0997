"""What a network is compared by: its neurons' rates, regularity and pairwise correlations, population by population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cortwin.analysis.kolmogorov_smirnov import between_all, kolmogorov_smirnov
from cortwin.analysis.spike_selection import spikes_of
from cortwin.analysis.spike_trains import count_correlations, interval_cv, mean_rate

MEASURES = ("rate", "cv", "correlation")
CHOSEN = 200  # neurons of a population whose pairs are correlated
WINDOW = 5e-3  # s in which spikes are counted for it
FEWEST = 3  # spikes of a neuron that has a CV


def population_samples(
    spikes: Mapping[str, xr.Dataset], generator: np.random.Generator
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return every neuron's rate (Hz) and CV of intervals, and the count correlations of some pairs, by population.

    Pairs are of at most `CHOSEN` neurons of a population, drawn without looking at their rates; a neuron whose count
    never varies has no correlation. What is not defined is left out.

    Parameters
    ----------
    spikes : by population, Datasets of events of one trial
    generator : chooses the neurons
    """
    found = {}
    for name, table in spikes.items():
        n = int(table.attrs["n_units"])
        chosen = np.sort(generator.choice(n, min(n, CHOSEN), replace=False))
        matrix = count_correlations(spikes_of(table, chosen), WINDOW).to_numpy()
        samples = {
            # Equal counts are equal rates, whatever the last bit of a duration: ties matter to distances.
            "rate": np.round(mean_rate(table).to_numpy(), 9),
            "cv": interval_cv(table, FEWEST).to_numpy(),
            "correlation": matrix[np.triu_indices(len(matrix), 1)],
        }
        found[name] = {measure: sample[np.isfinite(sample)] for measure, sample in samples.items()}
    return found


def distance_rows(
    own: Sequence[Mapping[str, Mapping[str, NDArray]]], other: Mapping[str, Mapping[str, NDArray]] | None
) -> list[dict[str, Any]]:
    """Return Kolmogorov-Smirnov distances by population and measure: between seeds, and to somebody else's network.

    Parameters
    ----------
    own : samples of each seed, from `population_samples`
    other : samples of another implementation; None where there is none

    Returns
    -------
    list of dict
        ``population``, ``measure``, ``seeds`` (the largest distance between two seeds) and ``other`` (the median
        distance of the seeds to the other one), None where there is none.
    """
    rows = []
    for name in own[0]:
        for measure in MEASURES:
            mine = [samples[name][measure] for samples in own]
            between = between_all(list(mine))
            to_other = [] if other is None else [kolmogorov_smirnov(one, other[name][measure]) for one in mine]
            rows.append(
                {
                    "population": name,
                    "measure": measure,
                    "seeds": max(between) if between else None,
                    "other": float(np.median(to_other)) if to_other and np.isfinite(to_other).all() else None,
                }
            )
    return rows
