"""A contestant's process: ``python worker.py SCRIPT`` hears cases and orders, and tells the seconds.

One line of JSON for each: a case is made ready and warmed up, and answered with null; null does the work of the latest
case, and is answered with a dict of what was found, ``"seconds"`` among it.

The script has a function ``prepare(case: dict)``, which returns a function that does the work. Where that one returns
None, its call is timed; it may return seconds of its own in a dict, for instance of a program that reads files first.
A script with ``WARM_UP = False`` starts a program of its own for each call, which nothing before it makes warm.
This file runs in the environments of other libraries: it imports nothing of ours.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import sys
import time


def main(script: str) -> None:
    """Serve until the orders end."""
    # Whatever a library prints goes to stderr: the answers have stdout to themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    contestant = runpy.run_path(script)
    prepare, warm_up = contestant["prepare"], contestant.get("WARM_UP", True)
    work = None
    for line in sys.stdin:
        order = json.loads(line)
        answer = None
        if order is not None:
            work = prepare(order)
            if warm_up:
                work()
        else:
            assert work is not None
            gc.collect()
            start = time.perf_counter()
            found = work()
            answer = {"seconds": time.perf_counter() - start, **(found or {})}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
