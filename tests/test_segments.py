"""Segments of a step: who may go at the same time, by hand, and what threads do in the microcircuit."""

from __future__ import annotations

import re
import subprocess

import pytest

from cortwin.builder import Layout
from cortwin.cpp import compiler, program, segments
from cortwin.cpp.device import LIBRARY
from cortwin.cpp.effects import Effects
from cortwin.models import microcircuit


def effects(reads="", writes="", shares=None, elements=1):
    """Return effects on arrays named by letters; shares is a dict of them, None for one thread's."""
    return Effects(frozenset(reads), frozenset(writes), shares, elements)


def early(reads, writes):
    return Effects(frozenset(reads), frozenset(writes), early=True)


@pytest.mark.parametrize(
    ("given", "phases"),
    [
        ([effects("a", "b"), effects("a", "c"), effects("d", "")], [0, 0, 0]),  # all read a, nobody writes it
        ([effects("", "a"), effects("a", "b"), effects("b", "")], [0, 1, 2]),
        ([effects("a", ""), effects("", "a")], [0, 1]),  # what is read must not be overwritten before
        ([effects("", "a"), effects("", "a")], [0, 1]),
        ([effects("", "a"), effects("", "b"), effects("b", "a")], [0, 0, 1]),
        # Everybody his own elements of one group.
        ([effects("", "a", {"a": "x"}), effects("a", "b", {"a": "x", "b": "x"})], [0, 0]),
        # The same array by the elements of another group; or all of it.
        ([effects("", "a", {"a": "x"}), effects("a", "b", {"a": "y", "b": "y"})], [0, 1]),
        ([effects("", "a", {"a": "x"}), effects("a", "b", {"b": "x"})], [0, 1]),
        ([effects("", "a", {"a": "x"}), effects("a", "b")], [0, 1]),
        # In the phase of what it shares elements with, when that had to wait itself.
        ([effects("", "a"), effects("a", "b", {"b": "x"}), effects("b", "c", {"b": "x", "c": "x"})], [0, 1, 1]),
    ],
)
def test_who_follows_whom(given, phases):
    assert segments.phases(given) == phases


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ([effects("", "a"), effects("", "b"), early("", "c")], [2, 0, 1]),
        ([effects("", "a"), early("a", "b"), effects("b", ""), early("", "c")], [3, 0, 1, 2]),
        # Behind what writes what it reads, and behind what reads what it writes; no farther than the other of these.
        ([effects("", "a"), effects("", "d"), early("a", "b")], [0, 2, 1]),
        ([effects("b", ""), effects("", "d"), early("a", "b"), early("", "b")], [0, 2, 3, 1]),
    ],
)
def test_who_had_better_be_early_comes_before_what_it_does_not_touch(given, order):
    assert segments.early_first(given) == order


def test_lines_of_one_clock_whose_effects_are_known_are_joined():
    known = {name: effects("a", name, elements=7) for name in "bcdef"} | {"g": effects("b", "g", {"g": "x"}, 3)}
    lines = [
        "net.clear();",
        "net.add(&clock, _run_b);",
        "net.add(&clock, _run_g);",
        "net.add(&clock, _run_unknown);",
        "net.add(&clock, _run_c);",
        "net.add(&slow, _run_d);",
        "net.add(&slow, _run_e);",
        "net.add(&slow, NULL);",
        "net.run(1.0, NULL, 10.0);",
    ]
    numbers = iter((4, 9))
    assert segments.joined(lines, known, lambda: next(numbers)) == [
        "net.clear();",
        "cortwin::segment<4>() = cortwin::Segment({{_run_b, 0, 7}, {_run_g, 1, 0}});",
        "net.add(&clock, cortwin::step<4>);",
        "net.add(&clock, _run_unknown);",
        "net.add(&clock, _run_c);",
        "cortwin::segment<9>() = cortwin::Segment({{_run_d, 0, 7}, {_run_e, 0, 7}});",
        "net.add(&slow, cortwin::step<9>);",
        "net.add(&slow, NULL);",
        "net.run(1.0, NULL, 10.0);",
    ]


@pytest.mark.cpp
def test_threads_meet_twice_in_a_step_of_the_microcircuit(tmp_path):
    """When the spikes of a step are known, and when they have been delivered; every neuron is one thread's."""
    sizes = {"inputs": 902, "units": 8, "outputs": 8, "neurons_per_unit": 1, "trials": 1, "dt": 1e-4}
    layout = Layout(**sizes, input_dt=1e-3, input_steps=10, record_dt=1e-3, spikes=True)
    program.generate(tmp_path, microcircuit.model(0.02), "spiking", layout, "release")
    text = (tmp_path / "setup.cpp").read_text()
    (line,) = re.findall(r"cortwin::Segment\((.*)\);", text)
    calls = {name: (int(phase), int(n)) for name, phase, n in re.findall(r"\{_run_(\w+), (\d+), (\d+)\}", line)}
    assert len(calls) > 140
    assert {phase for phase, _ in calls.values()} == {0, 1}
    first = {name for name, (phase, _) in calls.items() if phase == 0}
    assert all("stateupdater" in name or "thresholder" in name for name in first)
    # What one thread does alone is writing spikes down.
    assert {name for name, (_, elements) in calls.items() if elements} == {
        f"spikes_{name}_codeobject" for name in microcircuit.POPULATIONS
    }


JOINED = """
#include "cortwin/joined_events.h"
#include <cstdio>
int main() {
    for (int round = 0; round < 300; round++) {
        std::vector<int32_t> events(1001, -1);
        static cortwin::JoinedEvents joined;
        cortwin::in_parallel([&](int part) {
            cortwin::share = {part, cortwin::threads()};
            const auto [begin, end] = cortwin::evenly(1000, cortwin::share);
            int count = 0;
            for (int k = begin; k < end; k++)
                if ((k * 7919 + round) % (round % 9 + 1) == 0) events[begin + count++] = k;
            joined.end(events.data(), 1000, begin, count);
            cortwin::share = {0, 1};
        });
        int place = 0;
        for (int k = 0; k < 1000; k++)
            if ((k * 7919 + round) % (round % 9 + 1) == 0 && events[place++] != k) return 1;
        if (events[1000] != place) return 2;
        const int32_t* const own = cortwin::events_from(events.data(), 1000, 640);
        if (own > events.data() && own[-1] >= 640) return 3;
        if (own < events.data() + place && *own < 640) return 4;
    }
}
"""


@pytest.mark.cpp
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_events_of_several_threads_stand_as_one_would_have_written_them(tmp_path, threads, monkeypatch):
    (tmp_path / "cortwin").symlink_to(LIBRARY, target_is_directory=True)
    (tmp_path / "main.cpp").write_text(JOINED)
    flags = ["-O1", "-std=c++17", "-pthread", f"-I{tmp_path}"]
    subprocess.run([compiler.find().command, *flags, "main.cpp", "-o", "main"], cwd=tmp_path, check=True)
    monkeypatch.setenv("CORTWIN_THREADS", str(threads))
    assert subprocess.run(["./main"], cwd=tmp_path, check=False).returncode == 0
