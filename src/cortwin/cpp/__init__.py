"""Compiler one: Brian2 objects to C++ through Brian2's standalone device, with a build cache, a launcher and checks."""

from cortwin.cpp.launcher import STEPPING as STEPPING
from cortwin.cpp.launcher import run as run
from cortwin.cpp.program import Program as Program
from cortwin.cpp.program import build as build
from cortwin.cpp.program import shared as shared
