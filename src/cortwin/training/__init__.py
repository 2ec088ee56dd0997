"""Training: backpropagation through time, through the textbook step or through the rate text."""

from __future__ import annotations

from cortwin.training.checks import check_alpha as check_alpha
from cortwin.training.fit import Fit as Fit
from cortwin.training.fit import fit as fit
from cortwin.training.forward import Signals as Signals
from cortwin.training.forward import logits as logits
from cortwin.training.forward import outputs as outputs
from cortwin.training.forward import recurrence_activity as recurrence_activity
from cortwin.training.forward import run_textbook as run_textbook
from cortwin.training.forward import textbook_activity as textbook_activity
from cortwin.training.forward import textbook_signals as textbook_signals
from cortwin.training.forward import trained_activity as trained_activity
from cortwin.training.free_running import free_run as free_run
from cortwin.training.gradients import GradientErrors as GradientErrors
from cortwin.training.gradients import gradient_errors as gradient_errors
from cortwin.training.loss import LOSSES as LOSSES
from cortwin.training.loss import Penalties as Penalties
from cortwin.training.loss import binary_cross_entropy as binary_cross_entropy
from cortwin.training.loss import categorical_cross_entropy as categorical_cross_entropy
from cortwin.training.loss import mean_squared_error as mean_squared_error
from cortwin.training.loss import penalty as penalty
from cortwin.training.optimizers import OPTIMIZERS as OPTIMIZERS
from cortwin.training.optimizers import SCHEDULES as SCHEDULES
from cortwin.training.optimizers import make_optimizer as make_optimizer
from cortwin.training.options import Options as Options
from cortwin.training.rate_text import rate_function as rate_function
from cortwin.training.routes import forward_through as forward_through
