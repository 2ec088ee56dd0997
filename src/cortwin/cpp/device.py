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

from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject, openmp_pragma
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from brian2.devices.device import all_devices
from brian2.utils.filetools import copy_directory

from cortwin.blocks import marked
from cortwin.cpp import functions, paths, randomness, segments, units
from cortwin.cpp.effects import Made, divided_pathways
from cortwin.cpp.paths import dense
from cortwin.cpp.paths.statements import written
from cortwin.errors import CortwinError

NAME = "cortwin"
LIBRARY = Path(__file__).parent / "lib"  # our C++ headers
BETWEEN_RUNS = ("group_variable_set", "group_variable_set_conditional")  # templates of values that a user gives


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
    flags : compiler flags besides the profile's
    """

    code_object: str
    owner: str
    stock: str
    used: str
    reason: str
    flags: tuple[str, ...] = ()

    @property
    def fast(self) -> bool:
        """Whether a template of ours was used."""
        return self.used != self.stock


class NotShared(CortwinError):
    """The trials cannot share the synapses of a pathway after all; `pathway` is its name."""

    def __init__(self, pathway: str, reason: str) -> None:
        """Name the pathway."""
        super().__init__(f"the trials cannot share the synapses of {pathway}: {reason}")
        self.pathway = pathway


class CortwinDevice(CPPStandaloneDevice):
    """Brian2's C++ standalone device under a name of its own, with the fast paths of `cortwin.cpp.paths`.

    Attributes
    ----------
    notes : what became of each code object, in the order of their making
    rows : pathway of a page by the name of each Synapses whose synapses lie in rows (``lib/rows.h``)
    connecting : the requests that connect each Synapses, by its name
    blocks : what paths found of the blocks that pathways of spikes go along, by the pathway's name
    products : numbers of summed variables that are matrix products, with the variables of their weights and sums
    written : variables that statements of some code object assign to within a run, sums over synapses left out
    made : code objects that have a template of ours, by name
    units : further flags of each file that is compiled, by its name
    fast : whether paths are asked at all; else every template is Brian2's
    """

    def __init__(self) -> None:
        """Begin with no note; Brian2 calls this again when the device is cleared."""
        super().__init__()
        self.notes: list[Note] = []
        self.rows: dict[str, Any] = {}
        self.connecting: dict[str, list[paths.Request]] = {}
        self.blocks: dict[str, Any] = {}
        self.products: dict[int, tuple[Any, Any]] = {}
        self.written: set[Any] = set()
        self.made: dict[str, Made] = {}
        self.units: dict[str, tuple[str, ...]] = {}
        self.fast = True
        self._numbers: dict[str, int] = {}
        self.extra_link_args = [*self.extra_link_args, "-pthread"]
        # The main program counts runs, sets the seed, and knows which products may stand.
        own = ("latest_product", "runs", "segment", "stream")
        self.headers = [*self.headers, *(f'"cortwin/{name}.h"' for name in own)]

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

    def delete(
        self, code: bool = True, data: bool = True, run_args: bool = True, directory: bool = True, force: bool = False
    ) -> None:
        """Delete what Brian2 deletes, and with the code our headers and the compiler's lists of them."""
        if code and self.project_dir is not None and (writer := self.writer) is not None:
            folder = Path(self.project_dir)
            shutil.rmtree(folder / "cortwin", ignore_errors=True)
            writer.header_files -= {file for file in writer.header_files if file.startswith("cortwin/")}
            for path in (*folder.glob("*.d"), *folder.glob("code_objects/*.d")):
                path.unlink()
        super().delete(code=code, data=data, run_args=run_args, directory=directory, force=force)

    def network_run(self, *arguments: Any, **keywords: Any) -> None:
        """Queue a run, with what our templates prepare at its beginning, and build the program if it is to be at once.

        Raises
        ------
        RuntimeError
            For a second run of a program that was built at the first one.
        """
        self.insert_code("main", "cortwin::begin_run();")
        at_once, self.build_on_run = self.build_on_run, False
        try:
            # One frame more lies between Brian2 and the namespace of the caller.
            super().network_run(*arguments, **{**keywords, "level": keywords.get("level", 0) + 1})
        finally:
            self.build_on_run = at_once
        self._join_code_objects()
        # Brian2 takes the processor's time, to which every thread adds.
        network, lines = self._last_run()
        place = next(n for n, line in enumerate(lines) if line.startswith(f"{network.name}.run("))
        lines[place : place + 1] = [
            *self._unwritten(),
            "cortwin::run_begun = std::chrono::steady_clock::now();",
            lines[place],
            "Network::_last_run_time = cortwin::seconds_of_run();",
        ]
        if at_once:
            if self.has_been_run:
                raise RuntimeError(
                    "the program of this network has been built and run already: for several runs in one program, call "
                    "set_device with build_on_run=False, and device.build after the last run"
                )
            self.build(direct_call=False, **(self.build_options or {}))

    def generate_makefile(
        self, writer: Any, compiler: Any, compiler_flags: str, linker_flags: str, nb_threads: int, debug: bool
    ) -> None:
        """Put the sources together and write a makefile for what they have become; Brian2's where we are not fast."""
        if not self.fast or debug or compiler == "msvc":
            super().generate_makefile(writer, compiler, compiler_flags, linker_flags, nb_threads, debug)
            return
        writer.source_files.add(units.MEMORY)
        folder = Path(str(self.project_dir))
        self.units = units.combine(folder, writer, {note.code_object: note.flags for note in self.notes})
        threads = f" {openmp_pragma('compilation')}" if nb_threads else ""
        text = units.makefile(writer.source_files, compiler_flags + threads, linker_flags + threads, self.units)
        writer.write("makefile", text)

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
        compiler_kwds: Mapping[str, Any] | None = None,
        **keywords: Any,
    ) -> Any:
        """Make a code object from the template of the first fast path that takes it, else from Brian2's own."""
        keywords_given = template_kwds or {}
        request = paths.Request(self, owner, abstract_code, variables, template_name, variable_indices, keywords_given)
        # Brian2 hands back the class that `code_object_class` gave it; any other one has templates of its own.
        ours = codeobj_class in (None, CortwinCodeObject)
        if template_name in dense.CONNECTING:
            self.connecting.setdefault(owner.name, []).append(request)
        choice, reason = paths.choose(request) if ours and self.fast else (None, "")
        if choice is None:
            _require_no_block(owner, template_name, template_kwds or {}, reason)
            choice = paths.Choice(template_name)
        if template_name not in ("summed_variable", *BETWEEN_RUNS):
            self.written |= {variables[name] for name in written(abstract_code or "") if name in variables}
        headers = {"headers": [*(compiler_kwds or {}).get("headers", ()), *choice.headers]}
        made = super().code_object(
            owner,
            name,
            abstract_code if choice.abstract_code is None else choice.abstract_code,
            {**variables, **{name: own for name, own in choice.variables.items() if name in variables}},
            choice.template,
            variable_indices,
            codeobj_class=codeobj_class,
            template_kwds={**keywords_given, **choice.keywords},
            compiler_kwds={**(compiler_kwds or {}), **headers},
            **keywords,
        )
        owner_name = getattr(owner, "name", "")
        self.notes.append(Note(made.name, owner_name, template_name, choice.template, reason, choice.flags))
        if choice.template != template_name:
            self.made[made.name] = Made(request, choice, self.arrays)
        return made

    def number_of(self, name: str) -> int:
        """Return a number for a name, the same for the same name, to tell instances of a C++ template apart."""
        return self._numbers.setdefault(name, len(self._numbers))

    def product(self, name: str, weights: Any, sums: Any) -> int:
        """Note a summed variable that is a product of some Synapses, and return its number."""
        number = self.number_of(f"{name}.{sums.name}")
        self.products[number] = (weights, sums)
        return number

    def _last_run(self) -> tuple[Any, list[str]]:
        """Return the network that was run last, and the lines of its run."""
        return [queued for kind, queued in self.main_queue if kind == "run_network"][-1]

    def _join_code_objects(self) -> None:
        """Let the program go through a run's code objects in segments, unless Brian2 is to time each of them."""
        if self.enable_profiling or not self.fast:
            return
        _, lines = self._last_run()
        divided = divided_pathways(self.made.values())
        found = {name: made.effects(divided) for name, made in self.made.items()}
        known = {name: effects for name, effects in found.items() if effects is not None}
        lines[:] = segments.joined(lines, known, lambda: self.number_of(f"segment {len(self._numbers)}"))

    def _unwritten(self) -> list[str]:
        """Return lines that say of each product whether nothing else writes its weights or sums within a run."""
        return [
            f"cortwin::unwritten<{number}>() = {str(self.written.isdisjoint(variables)).lower()};"
            for number, variables in self.products.items()
        ]

    def is_set(self, variable: Any) -> bool:
        """Tell whether something may have written to an array so far, other than zeros when it was made."""
        name = self.get_array_name(variable, access_data=False)
        if any(kind.startswith("set_") and args[0] == name for kind, args in self.main_queue):
            return True
        return any(variable in code_object.variables.values() for code_object in self.code_objects.values())


def _require_no_block(owner: Any, template: str, keywords: Mapping[str, Any], reason: str) -> None:
    """Refuse Brian2's own templates for synapses that stand for those of several trials."""
    synapses = getattr(keywords.get("pathway", owner), "synapses", owner)
    if marked(synapses) is not None:
        raise NotShared(synapses.name, f"no path of ours takes its {template}: {reason}")


all_devices[NAME] = CortwinDevice()
