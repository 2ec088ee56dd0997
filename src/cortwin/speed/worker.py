"""A contestant's process: ``python -m cortwin.speed.worker pytorch`` hears cases and orders, and tells the seconds.

One line of JSON for each: a case is made ready and warmed up, and answered with null; null makes the updates of the
latest case, and is answered with their seconds.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time


def main(contestant: str) -> None:
    """Serve until the orders end."""
    # Whatever a library prints goes to stderr: the answers have stdout to themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module = importlib.import_module(f"cortwin.speed.{contestant}")
    update = None
    for line in sys.stdin:
        order = json.loads(line)
        answer = None
        if order is not None:
            update = module.prepare(module.Case(**order))
            update()
        else:
            assert update is not None
            gc.collect()
            start = time.perf_counter()
            update()
            answer = time.perf_counter() - start
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
