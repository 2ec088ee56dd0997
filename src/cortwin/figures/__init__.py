"""Figures: functions of rows and labelled arrays that return a matplotlib Figure; no engine is imported."""

from cortwin.figures.activity import example_units as example_units
from cortwin.figures.convergence import convergence_order as convergence_order
from cortwin.figures.differences import DIFFERENCES_SHOWN as DIFFERENCES_SHOWN
from cortwin.figures.differences import metric_differences as metric_differences
from cortwin.figures.equations import typeset_page as typeset_page
from cortwin.figures.expressions import to_mathtext as to_mathtext
from cortwin.figures.hands import hand_paths as hand_paths
from cortwin.figures.ladder import QUESTION as QUESTION
from cortwin.figures.ladder import ladder_rungs as ladder_rungs
from cortwin.figures.ladder import neurons_per_unit as neurons_per_unit
from cortwin.figures.outcomes import outcomes as outcomes
from cortwin.figures.over_runs import Panel as Panel
from cortwin.figures.over_runs import panels_over_runs as panels_over_runs
from cortwin.figures.over_runs import values_over_runs as values_over_runs
from cortwin.figures.page import page_texts as page_texts
from cortwin.figures.pages import distances_of_pages as distances_of_pages
from cortwin.figures.pages import sample_curves as sample_curves
from cortwin.figures.raster import spike_raster as spike_raster
from cortwin.figures.rotations import RotationPanel as RotationPanel
from cortwin.figures.rotations import rotation_planes as rotation_planes
from cortwin.figures.saving import save as save
from cortwin.figures.similarity import similarity_scores as similarity_scores
from cortwin.figures.spectrum import eigenvalues as eigenvalues
from cortwin.figures.training import training_curves as training_curves
