"""Translation units: the many small files that Brian2 writes become two, so that headers are read twice and not twenty
times.

One holds the code objects and the loop over them, with the flags that the profile gives; the other what begins and ends
a run (arrays, files, arguments), which nobody has to optimise. Code objects that ask for other flags share a unit each.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# What Brian2's templates write between the includes and the functions of a code object's file.
MARK = "////// SUPPORT CODE ///////"
# Frame of the program; the loop over time stands with the code objects that it calls.
FRAME, LOOP = ("objects.cpp", "run.cpp", "main.cpp", "synapses_classes.cpp"), "network.cpp"
MEMORY = "cortwin/aligned_memory.cpp"  # of our device
# What our headers are written in; Brian2 asks for an older one unless it is told otherwise.
STANDARD, OLD_STANDARD = "-std=c++17", re.compile(r"-std=(c|gnu)[+][+](11|14)(?!\S)")
SETUP = ("-O1",)  # behind the others: the last level counts
# A file with macros of its own, Brian2's excepted, or with further includes stays alone: neither knows a namespace.
OWN_MACRO = re.compile(r"^\s*#\s*(include|define(?!\s+_brian_))\b", re.MULTILINE)
# Brian2 before 2.10 asks the system for the processor's time in every step; only a limit of the run's time needs it.
_ASKED = re.compile(r"^ *current = std::clock\(\);\n *elapsed_realtime = .*\n", re.MULTILINE)
_LIMIT, _BEHIND_THE_LOOP = "if(elapsed_realtime>", "    Network::_globally_running = false;\n"
_FUNCTION = re.compile(r"^void (_(?:before_|after_)?run_(\w+))\(\)$", re.MULTILINE)


def combine(folder: Path, writer: Any, flags: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Put the sources of a program together and delete the single ones.

    Parameters
    ----------
    folder : where Brian2 wrote them
    writer : Brian2's; its ``source_files`` are the units afterwards
    flags : of code objects that ask for more than the profile's, by name

    Returns
    -------
    dict of tuple of str
        The flags of each unit besides the profile's, by file.
    """
    frame = [*FRAME, *{MEMORY}.intersection(writer.source_files)]
    parts: dict[tuple[str, ...], list[str]] = {(): [LOOP], SETUP: frame}
    alone = []
    for name in sorted(name for name in writer.source_files if name.startswith("code_objects/")):
        text = (folder / name).read_text()
        if MARK not in text or OWN_MACRO.search(text.partition(MARK)[2]):
            alone.append(name)
            continue
        owner = _FUNCTION.search(text)
        parts.setdefault(flags.get(owner[2], ()) if owner else (), []).append(name)
    units = {}
    for number, (extra, names) in enumerate(parts.items()):
        unit = ("steps.cpp", "setup.cpp")[number] if number < 2 else f"steps_{number}.cpp"
        text = "".join(_part(name, (folder / name).read_text()) for name in names)
        text = _asked_once(text) if LOOP in names else text
        units[unit] = (extra, _includes_first(text))
    for names in parts.values():
        for name in names:
            (folder / name).unlink()
            writer.source_files.discard(name)
    for unit, (_, text) in units.items():
        writer.write(unit, text)
    return {unit: extra for unit, (extra, _) in units.items()} | dict.fromkeys(alone, ())


def makefile(sources: Iterable[str], flags: str, linker_flags: str, extra: Mapping[str, tuple[str, ...]]) -> str:
    """Return the text of a makefile for some sources.

    Parameters
    ----------
    sources : files
    flags, linker_flags : of all of them
    extra : further flags of some of them
    """
    objects = [re.sub(r"\.c(pp)?$", ".o", name) for name in sorted(sources)]
    own = [
        f"{re.sub(r'[.]cpp$', '.o', name)}: EXTRA = {shlex.join(more)}" for name, more in sorted(extra.items()) if more
    ]
    lines = [
        "PROGRAM = main",
        f"OBJS = {' '.join(objects)}",
        f"CXXFLAGS = -c -MMD -Wno-write-strings {OLD_STANDARD.sub(STANDARD, flags)} -I.",
        f"LFLAGS = {linker_flags}",
        *own,
        "all: $(PROGRAM)",
        ".PHONY: all clean",
        "$(PROGRAM): $(OBJS) makefile\n\t$(CXX) $(OBJS) -o $(PROGRAM) $(LFLAGS)",
        "clean:\n\trm -f $(OBJS) $(OBJS:.o=.d) $(PROGRAM)",
        "%.o: %.cpp makefile\n\t$(CXX) $(CXXFLAGS) $(EXTRA) $< -o $@",
        "-include $(OBJS:.o=.d)",
    ]
    return "\n".join(lines) + "\n"


def _part(name: str, text: str) -> str:
    """Return a file's text with its functions in namespaces of their own, where it is a code object's.

    Nobody else can call them then, and the compiler puts each in the place of its one call.
    """
    outside, mark, inside = text.partition(MARK)
    if not mark:
        return f"// {name}\n{text}\n"
    space = "unit_" + re.sub(r"\W", "_", Path(name).stem)
    calls = "".join(f"void {function}() {{ {space}::{function}(); }}\n" for function, _ in _FUNCTION.findall(inside))
    return f"// {name}\n{outside}\nnamespace {space} {{ namespace {{\n{inside}\n}} }}\n{calls}\n"


def _asked_once(text: str) -> str:
    """Return the loop over time with the question for the time behind it, where nothing within needs the answer."""
    asked = _ASKED.search(text)
    if asked is None or _LIMIT in text:
        return text
    before, after = text[: asked.start()], text[asked.end() :]
    return before + after.replace(_BEHIND_THE_LOOP, asked[0] + _BEHIND_THE_LOOP, 1)


def _includes_first(text: str) -> str:
    lines = text.splitlines()
    includes = [line.strip() for line in lines if line.lstrip().startswith("#include")]
    rest = [line for line in lines if not line.lstrip().startswith("#include")]
    return "\n".join([*dict.fromkeys(includes), *rest]) + "\n"
