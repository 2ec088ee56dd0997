"""Readouts: fitted maps from activity to outputs, the same for every writing and every recording."""

from __future__ import annotations

from cortwin.readout.classes import fit_classes as fit_classes
from cortwin.readout.classes import order_free as order_free
from cortwin.readout.classes import state_at as state_at
from cortwin.readout.labelled import fit_readout as fit_readout
from cortwin.readout.labelled import held_out_score as held_out_score
from cortwin.readout.labelled import leave_one_condition_out as leave_one_condition_out
from cortwin.readout.labelled import predict_readout as predict_readout
from cortwin.readout.labelled import r2 as r2
from cortwin.readout.labelled import r2_per_output as r2_per_output
from cortwin.readout.lags import Lags as Lags
from cortwin.readout.lags import lagged as lagged
from cortwin.readout.normalise import SoftNormaliser as SoftNormaliser
from cortwin.readout.ridge import RidgeReadout as RidgeReadout
from cortwin.readout.segments import accuracies as accuracies
from cortwin.readout.segments import asked_of as asked_of
from cortwin.readout.velocity import Decoding as Decoding
from cortwin.readout.velocity import decode_hand_velocity as decode_hand_velocity
