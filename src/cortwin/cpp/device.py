"""Our Brian2 device: C++ standalone, with templates of ours for the code objects that a fast path can express.

Brian2 asks a device for one code object after another, by the name of a template. `cortwin.cpp.paths` may answer with a
template of ours for the same statements; otherwise Brian2's own is used. Both answers are noted.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import all_devices
from brian2.utils.filetools import copy_directory

from cortwin.cpp import functions, paths, randomness

NAME = "cortwin"
LIBRARY = Path(__file__).parent / "lib"  # our C++ headers


class CortwinCodeObject(CPPStandaloneCodeObject):
    """A code object whose templates are ours where we have one of that name, and Brian2's elsewhere."""

    templater = CPPStandaloneCodeObject.templater.derive("cortwin.cpp", ".cpp")


randomness.use_in(CortwinCodeObject)
functions.use_in(CortwinCodeObject)


@dataclass(frozen=True)
class Note:
    """Which template a code object got, and why.

    Parameters
    ----------
    code_object, owner : their names
    stock : Brian2's template
    used : the template that was used; the stock one where no path is fast
    reason : why no path is fast; empty where one is, or where there is none for the template
    """

    code_object: str
    owner: str
    stock: str
    used: str
    reason: str

    @property
    def fast(self) -> bool:
        """Whether a template of ours was used."""
        return self.used != self.stock


class CortwinDevice(CPPStandaloneDevice):
    """Brian2's C++ standalone device under a name of its own, with the fast paths of `cortwin.cpp.paths`.

    Attributes
    ----------
    notes : what became of each code object, in the order of their making
    rows : pathway of a page by the name of each Synapses whose synapses lie in rows (``lib/rows.h``)
    """

    def __init__(self) -> None:
        """Begin with no note; Brian2 calls this again when the device is cleared."""
        super().__init__()
        self.notes: list[Note] = []
        self.rows: dict[str, Any] = {}
        self.extra_link_args = [*self.extra_link_args, "-pthread"]
        # The main program counts runs, and sets the seed.
        self.headers = [*self.headers, '"cortwin/runs.h"', '"cortwin/stream.h"']

    def seed(self, seed: int | None = None) -> None:
        """Set the seed of Brian2's random numbers and of ours, a random one for None."""
        super().seed(seed)
        self.insert_code("main", f"cortwin::seed({'' if seed is None else f'{int(seed)}ull'});")

    def seed_from_arguments(self, name: str, read_back: str) -> None:
        """Let the program take the seed of our random numbers from an argument, an array of two 32-bit words."""
        self.headers = [*self.headers, '"cortwin/run_arguments.h"']
        take = f'cortwin::take<uint32_t>(args, "{name}", brian::results_dir + "{read_back}")'
        self.insert_code("main", f"{{ const auto key = {take}; cortwin::seed(key[0] | uint64_t(key[1]) << 32); }}")

    def copy_source_files(self, writer: Any, directory: str) -> None:
        """Copy Brian2's headers, and ours beside them: ``#include "cortwin/NAME.h"``."""
        super().copy_source_files(writer, directory)
        files = copy_directory(str(LIBRARY), str(Path(directory) / "cortwin"))
        writer.header_files |= {f"cortwin/{file}" for file in files}
        shutil.copy2(LIBRARY / "dynamic_array.h", Path(directory) / "brianlib" / "dynamic_array.h")

    def network_run(self, *arguments: Any, **keywords: Any) -> None:
        """Count the run in the program, for what our templates prepare at the beginning of a run."""
        self.insert_code("main", "cortwin::runs_begun++;")
        # One frame more lies between Brian2 and the namespace of the caller.
        super().network_run(*arguments, **{**keywords, "level": keywords.get("level", 0) + 1})

    def code_object_class(self, codeobj_class: Any = None, fallback_pref: Any = None) -> Any:
        """Return our class of code objects unless Brian2 asks for a special one."""
        del fallback_pref  # of Brian2's runtime targets
        return CortwinCodeObject if codeobj_class in (None, CPPStandaloneCodeObject) else codeobj_class

    def code_object(
        self,
        owner: Any,
        name: str,
        abstract_code: Any,
        variables: Mapping[str, Any],
        template_name: str,
        variable_indices: Mapping[str, str],
        codeobj_class: Any = None,
        template_kwds: Mapping[str, Any] | None = None,
        **keywords: Any,
    ) -> Any:
        """Make a code object from the template of the first fast path that takes it, else from Brian2's own."""
        keywords_given = template_kwds or {}
        request = paths.Request(self, owner, abstract_code, variables, template_name, variable_indices, keywords_given)
        # Brian2 hands back the class that `code_object_class` gave it; any other one has templates of its own.
        ours = codeobj_class in (None, CortwinCodeObject)
        choice, reason = paths.choose(request) if ours else (None, "")
        made = super().code_object(
            owner,
            name,
            abstract_code,
            variables,
            template_name if choice is None else choice.template,
            variable_indices,
            codeobj_class=codeobj_class,
            template_kwds={**keywords_given, **({} if choice is None else choice.keywords)},
            **keywords,
        )
        used = template_name if choice is None else choice.template
        self.notes.append(Note(made.name, getattr(owner, "name", ""), template_name, used, reason))
        return made


all_devices[NAME] = CortwinDevice()
