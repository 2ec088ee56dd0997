"""Tasks: trials as pure functions of seeds, and recordings to take them from."""

from __future__ import annotations

from cortwin.tasks.adding import adding_problem as adding_problem
from cortwin.tasks.choices import Choices as Choices
from cortwin.tasks.choices import ChoiceTask as ChoiceTask
from cortwin.tasks.copy_memory import copy_baseline as copy_baseline
from cortwin.tasks.copy_memory import copy_memory as copy_memory
from cortwin.tasks.delayed_xor import delayed_xor as delayed_xor
from cortwin.tasks.eeg import eeg as eeg
from cortwin.tasks.flipflop import FlipFlopTask as FlipFlopTask
from cortwin.tasks.mackey_glass import mackey_glass as mackey_glass
from cortwin.tasks.narma import narma10 as narma10
from cortwin.tasks.order import OrderTask as OrderTask
from cortwin.tasks.order import OrderTrials as OrderTrials
from cortwin.tasks.reach import ReachTask as ReachTask
from cortwin.tasks.reach import direction_split as direction_split
from cortwin.tasks.reach import minimum_jerk_speed as minimum_jerk_speed
from cortwin.tasks.recorded_reach import RecordedReachTask as RecordedReachTask
from cortwin.tasks.recording import Recording as Recording
from cortwin.tasks.recording import read_recording as read_recording
from cortwin.tasks.sequences import Sequences as Sequences
from cortwin.tasks.sequences import delayed_copy as delayed_copy
from cortwin.tasks.sequences import mean_of_sequence as mean_of_sequence
from cortwin.tasks.sequences import next_symbol as next_symbol
from cortwin.tasks.sequences import sign_of_sum as sign_of_sum
from cortwin.tasks.spike_templates import shown_in_order as shown_in_order
from cortwin.tasks.spike_templates import spike_templates as spike_templates
from cortwin.tasks.synthetic import synthetic_recording as synthetic_recording
from cortwin.tasks.trials import Trials as Trials
