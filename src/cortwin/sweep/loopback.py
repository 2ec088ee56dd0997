"""A Dask cluster of this computer alone: a scheduler and workers as processes of their own, on loopback."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cortwin.errors import CortwinError, RunFailed
from cortwin.interruption import kill_tree
from cortwin.sweep.cluster import connect

LOOPBACK = "127.0.0.1"
START = 60.0  # s


class LoopbackCluster:
    """A scheduler with workers of one thread each; to be entered.

    Parameters
    ----------
    workers : how many

    Attributes
    ----------
    address : of the scheduler, the same after it was restarted
    scheduler : its process
    workers : their processes
    """

    def __init__(self, workers: int):
        self._number = workers
        self.workers: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind((LOOPBACK, 0))
            self._port = free.getsockname()[1]
        self.address = f"tcp://{LOOPBACK}:{self._port}"

    def __enter__(self) -> LoopbackCluster:
        self._folder = Path(tempfile.mkdtemp(prefix="cortwin-dask-"))
        try:
            self.start_scheduler()
            for _ in range(self._number):
                self.start_worker()
            self.wait_for(self._number)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.workers, *([self.scheduler] if hasattr(self, "scheduler") else [])]:
            kill_tree(process.pid)
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start_scheduler(self) -> None:
        """Start the scheduler, also in place of one that was killed."""
        self.scheduler = self._start("distributed.cli.dask_scheduler", "--host", LOOPBACK, "--port", str(self._port))

    def start_worker(self) -> None:
        """Start one more worker."""
        words = (self.address, "--host", LOOPBACK, "--nthreads", "1", "--no-nanny")
        self.workers.append(self._start("distributed.cli.dask_worker", *words, "--local-directory", str(self._folder)))

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the scheduler or a worker; a worker's own processes notice it."""
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process in self.workers:
            self.workers.remove(process)

    def wait_for(self, workers: int) -> None:
        """Wait until the scheduler answers and has so many workers.

        Raises
        ------
        RunFailed
            When it does not come to that.
        """
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and self.scheduler.poll() is None:
            with contextlib.suppress(CortwinError, OSError, TimeoutError):
                client = connect(self.address, timeout=5)
                try:
                    client.wait_for_workers(workers, timeout=deadline - time.monotonic())
                    return
                finally:
                    client.close()
        said = (self._folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
        raise RunFailed(f"no Dask cluster of {workers} workers came up on {LOOPBACK}: {' '.join(said)}")

    def _start(self, module: str, *words: str) -> subprocess.Popen[bytes]:
        # Their pages of statistics would listen on every interface otherwise.
        quiet = ("--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0")
        with open(self._folder / "log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", module, *words, *quiet],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
