"""Brian2's own standalone tests, which it ships, on Brian2's device and on ours, file by file.

    python tests/brian2_suite.py                                  # both devices, all files, Brian2's test flags (-O0)
    python tests/brian2_suite.py --flags release                  # with the flags of cortwin/cpp/compiler.py
    python tests/brian2_suite.py --device cortwin test_monitor    # some files, on one device

Each file runs in a process of its own for each of Brian2's three stages, as `brian2.test(codegen_targets=[],
test_standalone=...)` runs them: tests with one run, with several runs, and those that name the device
``cpp_standalone``, in whose place ours is then registered. What is finished is kept in a folder (``--results``) and not
run again, so that the suite can be interrupted. The table says for each file how many tests were collected, passed,
skipped and failed, and for our device how many code objects got a template of ours, by what they do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

STAGES = {
    "single run": "standalone_compatible and not long and not multiple_runs",
    "several runs": "standalone_compatible and not long and multiple_runs",
    "device": "cpp_standalone and not openmp",
}
DEVICES = ("cpp_standalone", "cortwin")
FLAGS = ("default", "release", "strict")
HEADERS = "algorithm cmath cstdint cstdio cstdlib ctime fstream iostream map memory random string vector".split()
# What a code object does, by Brian2's template; one that draws counts as drive besides.
PARTS = {
    "summed_variable": "dense recurrence",
    "synapses": "sparse synapses",
    "synapses_push_spikes": "sparse synapses",
    "synapses_create_generator": "connections",
    "synapses_create_array": "connections",
    "stateupdate": "state",
    "threshold": "threshold",
    "reset": "reset",
    "spikemonitor": "recording",
    "statemonitor": "recording",
    "ratemonitor": "recording",
}


class Outcomes:
    """A pytest plugin that counts what became of each test."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failed: list[str] = []

    def pytest_collection_finish(self, session) -> None:
        self.counts["collected"] = len(session.items)

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            self.failed.append(f"{report.nodeid} ({report.when})")
        elif report.skipped or report.when == "call":
            self.counts["skipped" if report.skipped else "passed"] += 1


def run_one(file: Path, device: str, stage: str, flags: str, folder: Path) -> dict:
    """Run one stage of one file in this process and return what became of it; keep a header in a folder."""
    import pytest
    from brian2 import prefs
    from brian2.devices.device import all_devices
    from brian2.tests import PreferencePlugin, make_argv

    from cortwin.cpp.device import NAME  # which puts our device beside Brian2's

    fast: Counter[str] = Counter()
    stock: Counter[str] = Counter()
    if device == NAME:
        _count_templates(fast, stock)
        all_devices["cpp_standalone"] = all_devices[NAME]
    prefs.reset_to_defaults()
    prefs["codegen.cpp.extra_compile_args_gcc"].extend(["-w", "-O0"])
    prefs["devices.cpp_standalone.extra_make_args_unix"] = ["-j1"]
    if "logging.warn_for_unused_objects" in prefs:
        prefs["logging.warn_for_unused_objects"] = False
    if flags != "default":
        from cortwin.cpp.compiler import PROFILES

        prefs["codegen.cpp.extra_compile_args"] = list(PROFILES[flags])
    _precompile(folder)
    plugin, outcomes = PreferencePlugin(prefs), Outcomes()
    plugin.device, plugin.device_options = device, {"directory": None, "with_output": False}
    if stage == "several runs":
        plugin.device_options["build_on_run"] = False
    arguments = [*make_argv([str(file)], STAGES[stage]), "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=short"]
    pytest.main(arguments, plugins=[plugin, outcomes])
    return {**outcomes.counts, "failed": outcomes.failed, "fast": dict(fast), "stock": dict(stock)}


def _precompile(folder: Path) -> None:
    """Read the standard headers once for all programs: more than half of the time goes into them."""
    from brian2 import prefs
    from brian2.codegen.cpp_prefs import get_compiler_and_args

    _, flags = get_compiler_and_args()
    here = folder / f"headers-{zlib.crc32(' '.join(flags).encode()):08x}"
    header = here / "standard.h"
    if not header.exists():
        fresh = Path(tempfile.mkdtemp(dir=folder)) / here.name
        fresh.mkdir()
        (fresh / "standard.h").write_text("".join(f"#include <{name}>\n" for name in HEADERS), encoding="utf-8")
        command = [os.environ.get("CXX", "g++"), *flags, "-x", "c++-header", "standard.h", "-o", "standard.h.gch"]
        subprocess.run(command, cwd=fresh, check=True)
        fresh.rename(here)
    for name in ("codegen.cpp.extra_compile_args", "codegen.cpp.extra_compile_args_gcc"):
        if prefs[name] is not None:
            prefs[name] = [*prefs[name], f"-include{header}"]  # one word: Brian2 tries each by itself


def _count_templates(fast: Counter[str], stock: Counter[str]) -> None:
    """Count the code objects of our device by what they do, and by whether they got a template of ours."""
    from cortwin.cpp.device import CortwinDevice
    from cortwin.cpp.randomness import draws

    make = CortwinDevice.code_object

    def counted(self, *arguments, **keywords):
        made = make(self, *arguments, **keywords)
        note = self.notes[-1]
        parts = [PARTS.get(note.stock, note.stock)] + (["drive"] if draws(made.variables) else [])
        (fast if note.fast else stock).update(parts)
        return made

    CortwinDevice.code_object = counted  # type: ignore[method-assign]


def files(names: list[str]) -> list[Path]:
    """Return Brian2's test files, or those that are named."""
    import brian2

    every = sorted((Path(brian2.__file__).parent / "tests").glob("test_*.py"))
    # They test code generation for GSL and single functions, and have no standalone test.
    every = [file for file in every if file.stem != "test_GSL" and _has_standalone(file)]
    unknown = set(names) - {file.stem for file in every}
    if unknown:
        sys.exit(f"no standalone tests in {', '.join(sorted(unknown))}; there are {', '.join(f.stem for f in every)}")
    return [file for file in every if not names or file.stem in names]


def _has_standalone(file: Path) -> bool:
    text = file.read_text(encoding="utf-8")
    return "standalone_compatible" in text or "cpp_standalone" in text


def stages(file: Path) -> Iterator[str]:
    """Yield the stages for which a file may have tests."""
    text = file.read_text(encoding="utf-8")
    if "mark.standalone_compatible" in text:
        yield "single run"
        if "mark.multiple_runs" in text:
            yield "several runs"
    if "mark.cpp_standalone" in text:
        yield "device"


def finish(file: Path, device: str, stage: str, flags: str, results: Path) -> dict:
    """Return what became of one stage of one file, from the folder of results or run now."""
    kept = results / f"{file.stem}.{device}.{stage.replace(' ', '_')}.{flags}.json"
    if not kept.exists():
        command = [sys.executable, __file__, "--one", str(file), device, stage, flags, str(kept)]
        log = kept.with_suffix(".log")
        with log.open("w", encoding="utf-8") as handle:
            subprocess.run(command, stdout=handle, stderr=handle, check=False)
        if not kept.exists():
            return {"failed": [f"{file.name}: the process ended, see {log}"], "fast": {}, "stock": {}}
    return json.loads(kept.read_text(encoding="utf-8"))


def main() -> int:
    """Run what is asked for, print a line for each file and return whether everything passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="*", help="names of files, test_monitor for instance; all of them without")
    parser.add_argument("--device", choices=DEVICES, action="append", help="one of both; both without")
    parser.add_argument("--flags", choices=FLAGS, default="default", help="Brian2's flags for tests, or a profile")
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "cortwin-brian2-suite")
    chosen = parser.parse_args()
    chosen.results.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    fast: Counter[str] = Counter()
    stock: Counter[str] = Counter()
    print(f"{'file':26}{'device':16}{'collected':>10}{'passed':>8}{'skipped':>8}{'failed':>8}")
    total: dict[str, Counter[str]] = {}
    for file in files(chosen.file):
        for device in chosen.device or DEVICES:
            counts: Counter[str] = Counter()
            for stage in stages(file):
                found = finish(file, device, stage, chosen.flags, chosen.results)
                counts.update({name: found.get(name, 0) for name in ("collected", "passed", "skipped")})
                counts["failed"] += len(found["failed"])
                failed += [f"{device}: {one}" for one in found["failed"]]
                fast.update(found["fast"])
                stock.update(found["stock"])
            _print(file.stem, device, counts)
            total.setdefault(device, Counter()).update(counts)
    for device, counts in total.items():
        _print("all", device, counts)
    if fast or stock:
        print("\ncode objects of our device with a template of ours, and with Brian2's:")
        for part in sorted({*fast, *stock}):
            print(f"    {part:32}{fast[part]:8}{stock[part]:8}")
    print(*failed, sep="\n")
    return bool(failed)


def _print(name: str, device: str, counts: Counter[str]) -> None:
    numbers = "".join(f"{counts[key]:>{width}}" for key, width in (("collected", 10), ("passed", 8), ("skipped", 8)))
    print(f"{name:26}{device:16}{numbers}{counts['failed']:>8}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        place, name, part, profile, kept_at = sys.argv[2:]
        os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
        answer = run_one(Path(place), name, part, profile, Path(kept_at).parent)
        Path(kept_at).write_text(json.dumps(answer, indent=1), encoding="utf-8")
    else:
        sys.exit(main())
