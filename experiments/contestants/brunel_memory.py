"""The memory of Brunel's network here: while it is built, and while it runs. Linux alone tells it."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cortwin.models import brunel
from cortwin.network import run_network


def prepare(case: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Build the program; each call runs it and watches its memory."""
    scale = case["n_e"] / brunel.EXCITATORY
    model = brunel.model(
        g=case["g"], eta=case["eta"], scale=scale, indegree=case["c_e"], spread=case.get("spread", 0.0)
    )

    def run() -> dict[str, Any]:
        seen: list[tuple[int, int]] = []
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(seen, over))
        watcher.start()
        try:
            run_network(model, duration=case["seconds"], dt=1e-4, seed=1)
        finally:
            over.set()
            watcher.join()
        if not seen:
            return {"peak": None, "stays": None}
        # The network is drawn first: in the second half of what was seen it runs.
        stays = statistics.median(resident for _, resident in seen[len(seen) // 2 :])
        return {"peak": max(peak for peak, _ in seen), "stays": stays}

    return run


def _watch(seen: list[tuple[int, int]], over: threading.Event) -> None:
    """Note the most memory and the present memory of the program `main` among the children, in bytes."""
    while not over.is_set():
        for process in Path("/proc").glob("[0-9]*/status"):
            try:
                lines = process.read_text().splitlines()
            except OSError:
                continue
            told = dict(line.split(":", 1) for line in lines if ":" in line)
            if told["Name"].strip() == "main" and told["PPid"].strip() == str(os.getpid()) and "VmHWM" in told:
                seen.append((1024 * int(told["VmHWM"].split()[0]), 1024 * int(told["VmRSS"].split()[0])))
        time.sleep(0.005)
