"""cortwin gives a recurrent network its biological twin.

A network is written three times, as the textbook recurrence, as a rate population and as a spiking population. The two
biological writings are Brian2 equations, compiled to C++ for simulation and to XLA for gradients.
"""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("cortwin")
