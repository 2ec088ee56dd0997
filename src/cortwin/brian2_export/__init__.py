"""Networks handed over to Brian2: as its plain objects, or as a script that needs nothing of cortwin."""

from __future__ import annotations

from cortwin.brian2_export.kept import KEPT as KEPT
from cortwin.brian2_export.kept import KeptSimulation as KeptSimulation
from cortwin.brian2_export.kept import Ran as Ran
from cortwin.brian2_export.kept import read_kept as read_kept
from cortwin.brian2_export.kept import references_of as references_of
from cortwin.brian2_export.network import brian2_network as brian2_network
from cortwin.brian2_export.script import Script as Script
from cortwin.brian2_export.script import save_script as save_script
from cortwin.brian2_export.script import write_script as write_script
