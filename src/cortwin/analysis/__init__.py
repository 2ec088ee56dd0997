"""Analyses of labelled activity and of spikes, on NumPy and SciPy alone; no engine is imported here.

Activity is (trial, time, unit). Where a function speaks of conditions, each trial is one: `condition_average` makes it
so. A measure that has no value is NaN and says why: numbers through `reason_of`, arrays in ``attrs["reason"]``, results
with several fields in ``reason``.
"""

from cortwin.analysis.cca import CanonicalMaps as CanonicalMaps
from cortwin.analysis.cca import fit_cca as fit_cca
from cortwin.analysis.cka import linear_cka as linear_cka
from cortwin.analysis.comparison import aligned_rates as aligned_rates
from cortwin.analysis.comparison import covered as covered
from cortwin.analysis.comparison import rotations as rotations
from cortwin.analysis.comparison import similarities as similarities
from cortwin.analysis.conditions import condition_average as condition_average
from cortwin.analysis.conditions import cross_condition_average as cross_condition_average
from cortwin.analysis.conditions import remove_cross_condition_mean as remove_cross_condition_mean
from cortwin.analysis.dimensionality import participation_ratio as participation_ratio
from cortwin.analysis.distance import correlation_per_unit as correlation_per_unit
from cortwin.analysis.distance import nrmse as nrmse
from cortwin.analysis.eigenvalues import RecurrenceSpectrum as RecurrenceSpectrum
from cortwin.analysis.eigenvalues import recurrence_spectrum as recurrence_spectrum
from cortwin.analysis.filtering import filtered_spikes as filtered_spikes
from cortwin.analysis.firing_rates import firing_rate as firing_rate
from cortwin.analysis.firing_rates import psth as psth
from cortwin.analysis.fixed_points import FixedPoints as FixedPoints
from cortwin.analysis.fixed_points import find_fixed_points as find_fixed_points
from cortwin.analysis.floors import smooth_noise_like as smooth_noise_like
from cortwin.analysis.floors import split_halves as split_halves
from cortwin.analysis.grids import resample as resample
from cortwin.analysis.grids import smooth as smooth
from cortwin.analysis.grids import time_window as time_window
from cortwin.analysis.intervals import COVERAGE as COVERAGE
from cortwin.analysis.intervals import Paired as Paired
from cortwin.analysis.intervals import Summary as Summary
from cortwin.analysis.intervals import interval as interval
from cortwin.analysis.intervals import paired as paired
from cortwin.analysis.intervals import summarise as summarise
from cortwin.analysis.intervals import unpaired_effect as unpaired_effect
from cortwin.analysis.jacobians import gradient_norms as gradient_norms
from cortwin.analysis.jacobians import product_norms as product_norms
from cortwin.analysis.lyapunov import Lyapunov as Lyapunov
from cortwin.analysis.lyapunov import lyapunov_exponents as lyapunov_exponents
from cortwin.analysis.lyapunov import lyapunov_spectrum as lyapunov_spectrum
from cortwin.analysis.mean_field import MeanField as MeanField
from cortwin.analysis.mean_field import random_network as random_network
from cortwin.analysis.normalisation import soft_normalise as soft_normalise
from cortwin.analysis.principal_components import PrincipalComponents as PrincipalComponents
from cortwin.analysis.principal_components import principal_components as principal_components
from cortwin.analysis.procrustes import ProcrustesMap as ProcrustesMap
from cortwin.analysis.procrustes import apply_procrustes as apply_procrustes
from cortwin.analysis.procrustes import fit_procrustes as fit_procrustes
from cortwin.analysis.proportions import Proportion as Proportion
from cortwin.analysis.proportions import proportion as proportion
from cortwin.analysis.rotations import LinearDynamics as LinearDynamics
from cortwin.analysis.rotations import RotationNull as RotationNull
from cortwin.analysis.rotations import Rotations as Rotations
from cortwin.analysis.rotations import jpca as jpca
from cortwin.analysis.rotations import jpca_null as jpca_null
from cortwin.analysis.rotations import linear_dynamics as linear_dynamics
from cortwin.analysis.similarity import cca_similarity as cca_similarity
from cortwin.analysis.similarity import cka_similarity as cka_similarity
from cortwin.analysis.similarity import compare as compare
from cortwin.analysis.similarity import procrustes_similarity as procrustes_similarity
from cortwin.analysis.spectrum import peak_frequency as peak_frequency
from cortwin.analysis.spectrum import population_spectrum as population_spectrum
from cortwin.analysis.spectrum import power_spectrum as power_spectrum
from cortwin.analysis.spike_trains import count_correlations as count_correlations
from cortwin.analysis.spike_trains import fano_factor as fano_factor
from cortwin.analysis.spike_trains import interval_cv as interval_cv
from cortwin.analysis.spike_trains import mean_rate as mean_rate
from cortwin.analysis.spike_trains import pathology as pathology
from cortwin.analysis.spike_trains import spike_statistics as spike_statistics
from cortwin.analysis.spikes import population_rate as population_rate
from cortwin.analysis.spikes import spike_counts as spike_counts
from cortwin.analysis.tuning import cosine_tuning as cosine_tuning
from cortwin.analysis.undefined import Undefined as Undefined
from cortwin.analysis.undefined import reason_of as reason_of
