"""Faults on purpose: what goes wrong with simulations, done to real ones, and what became of it.

A fault is survived when it is refused, told or mended in one clear line, nothing wrong was believed, and a simulation
afterwards gives the bytes that it gave before.
"""

from cortwin.faults.bench import Bench as Bench
from cortwin.faults.injection import Outcome as Outcome
from cortwin.faults.injection import count as count
from cortwin.faults.injection import inject as inject
from cortwin.faults.programs import wrapped as wrapped
