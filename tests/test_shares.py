"""Whose elements are whose: groups that threads get whole, and groups that are cut."""

from __future__ import annotations

import subprocess

import pytest

from cortwin.cpp import compiler
from cortwin.cpp.device import LIBRARY

pytestmark = pytest.mark.cpp

# Arguments: name, elements and passes of each group. Every thread prints its range of each.
PROGRAM = """
#include "cortwin/shares.h"
#include <cstdio>
#include <cstdlib>
int main(int n, char** words) {
    for (int k = 1; k < n; k += 3)
        for (int pass = 0; pass < std::atoi(words[k + 2]); pass++)
            cortwin::Group::named(words[k], std::atoi(words[k + 1]), 1);
    for (int k = 1; k < n; k += 3) {
        const cortwin::Group& group = cortwin::Group::named(words[k], std::atoi(words[k + 1]), 0);
        for (int part = 0; part < cortwin::threads(); part++) {
            const cortwin::Range own = group.of({part, cortwin::threads()});
            if (own.begin < own.end) std::printf("%s%d:%d-%d ", words[k], part, own.begin, own.end);
        }
        const cortwin::Range all = group.of({0, 1});
        if (all.begin != 0 || all.end != std::atoi(words[k + 1])) return 1;
    }
}
"""


@pytest.fixture(scope="module")
def shares(tmp_path_factory):
    """Return a function that tells which thread has what of which group."""
    folder = tmp_path_factory.mktemp("shares")
    (folder / "cortwin").symlink_to(LIBRARY, target_is_directory=True)
    (folder / "main.cpp").write_text(PROGRAM)
    flags = ["-O1", "-std=c++17", "-pthread", f"-I{folder}"]
    subprocess.run([compiler.find().command, *flags, "main.cpp", "-o", "main"], cwd=folder, check=True)

    def found(threads, groups):
        words = groups.replace(":", " ").split()
        environment = {"CORTWIN_THREADS": str(threads)}
        run = subprocess.run([folder / "main", *words], env=environment, capture_output=True, text=True, check=True)
        return run.stdout.split()

    return found


@pytest.mark.parametrize(
    ("threads", "groups", "expected"),
    [
        (2, "a:1000:1 b:1000:1", "a0:0-1000 b1:0-1000"),
        # The largest first: 900 | 500 + 450.
        (2, "a:500:2 b:900:2 c:450:2", "a1:0-500 b0:0-900 c1:0-450"),
        # What is gone through three times is three times the work.
        (2, "a:1000:3 b:3000:1", "a0:0-1000 b1:0-3000"),
        # Whole, one thread would have four fifths: half of the line of 4000 ends in blocks of 64, at 2000 or near it.
        (2, "e:3200:1 i:800:1", "e0:0-1984 e1:1984-3200 i1:0-800"),
        (2, "e:3200:2 i:800:2", "e0:0-1984 e1:1984-3200 i1:0-800"),
        (3, "a:6400:1", "a0:0-2112 a1:2112-4288 a2:4288-6400"),
        (2, "few:10:1", "few1:0-10"),
        (1, "a:10:1 b:20:1", "a0:0-10 b0:0-20"),
    ],
)
def test_groups_are_given_away_whole_where_that_is_fair(shares, threads, groups, expected):
    assert shares(threads, groups) == expected.split()
