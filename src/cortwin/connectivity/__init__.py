"""Connectivity of large sparse networks: rules, distributions, and the numbers that they stand for.

A rule says how two populations are connected; a key, made of a seed and the pathway's name, says which of the networks
that obey it. Compiled programs draw them themselves; `cortwin.connectivity.drawing` gives the same as NumPy arrays.
"""

from cortwin.connectivity.connections import Connections as Connections
from cortwin.connectivity.distributions import Distribution as Distribution
from cortwin.connectivity.distributions import Normal as Normal
from cortwin.connectivity.distributions import Uniform as Uniform
from cortwin.connectivity.drawing import connect as connect
from cortwin.connectivity.drawing import delay_steps as delay_steps
from cortwin.connectivity.drawing import draw as draw
from cortwin.connectivity.drawing import key_of as key_of
from cortwin.connectivity.rules import AllToAll as AllToAll
from cortwin.connectivity.rules import FixedIndegree as FixedIndegree
from cortwin.connectivity.rules import FixedOutdegree as FixedOutdegree
from cortwin.connectivity.rules import FixedTotalNumber as FixedTotalNumber
from cortwin.connectivity.rules import FromArrays as FromArrays
from cortwin.connectivity.rules import OneToOne as OneToOne
from cortwin.connectivity.rules import PairwiseBernoulli as PairwiseBernoulli
from cortwin.connectivity.rules import Rule as Rule
