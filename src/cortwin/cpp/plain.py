"""A network of plain Brian2 objects, compiled by our device and run: what was learned elsewhere, in C++."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from brian2 import Network, second

from cortwin.cpp import compiler
from cortwin.cpp.program import compile_program, our_device, profile_flags


@contextmanager
def compiled(
    make: Callable[[], Network], duration: float, profile: str = "release"
) -> Iterator[tuple[Network, Callable[[], None]]]:
    """Compile a network in a folder of its own, and yield it with the function that runs the program.

    After a run the network's monitors hold what they recorded, until the context ends.

    Parameters
    ----------
    make : builds the network, while our device is active
    duration : seconds
    profile : of the compiler's flags

    Raises
    ------
    CortwinError
        When there is no compiler, or it fails.
    """
    with tempfile.TemporaryDirectory(prefix="cortwin-plain-") as folder, our_device() as device, profile_flags(profile):
        network = make()
        network.run(duration * second, namespace={})
        device.build(directory=folder, compile=False, run=False)
        compile_program(Path(folder), compiler.find())

        def run() -> None:
            device.run(with_output=False)

        yield network, run
