"""Model -> Brian2 objects, made once and read by both compilers.

`arrays` gives the numbers of a simulation as plain NumPy arrays, under Brian2's own names of run arguments
(``"cortex.b"``, ``"recurrence.w"``, ``"stimulus.values"``). `objects` makes the Brian2 objects on whichever device is
active. All trials of a batch are simulated at once: every population is repeated for each trial, trial after trial, and
the pathways connect within a trial only.
"""

from cortwin.builder.layout import MULTIPLE_TOLERANCE as MULTIPLE_TOLERANCE
from cortwin.builder.layout import NOISE as NOISE
from cortwin.builder.layout import TIMED as TIMED
from cortwin.builder.layout import Layout as Layout
from cortwin.builder.layout import layout_of as layout_of
from cortwin.builder.layout import timed_arrays as timed_arrays
from cortwin.builder.numbers import arrays as arrays
from cortwin.builder.numbers import check_steps as check_steps
from cortwin.builder.objects import interpreted as interpreted
from cortwin.builder.objects import objects as objects
from cortwin.builder.objects import spike_monitors as spike_monitors
from cortwin.builder.objects import synaptic_events as synaptic_events
from cortwin.builder.synapses import block as block
from cortwin.builder.synapses import connections as connections
from cortwin.builder.synapses import owner as owner
from cortwin.builder.synapses import pathway_arrays as pathway_arrays
from cortwin.builder.synapses import structure_of as structure_of
from cortwin.builder.synapses import synapses_of as synapses_of
