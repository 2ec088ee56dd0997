"""A Dask cluster out of the jobs of a batch system: SLURM, PBS and others, as dask_jobqueue is configured for them.

SLURM, step by step. On the login node, where the sweep's folder is on a file system that the nodes share::

    pip install 'cortwin[cluster]'

    # slurm.yaml
    jobqueue:
      slurm:
        queue: short
        account: my-project
        cores: 1                # one point at a time in each job
        memory: 4GiB
        walltime: "04:00:00"
        interface: ib0          # by which the nodes reach the login node
        worker-extra-args: ["--lifetime", "230m", "--lifetime-stagger", "5m"]

    cortwin sweep reach --set units=50,100,200 --seeds 10 --jobqueue slurm.yaml --jobs 50 --out /shared/reach

cortwin starts a scheduler on the login node and asks for 50 jobs. `--jobqueue slurm` without a file takes the
configuration in ``~/.config/dask/jobqueue.yaml``. Whoever reaches a scheduler can run code: it listens on loopback
unless `interface` (or `scheduler-options`) names where the nodes are, and ``protocol: tls://`` with certificates
(https://distributed.dask.org/en/stable/tls.html) keeps other users of the cluster out. When the login node ends long
processes, start the sweep inside a job of its own; when it ended, the same command goes on where it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cortwin.errors import CortwinError
from cortwin.parameters import nearest
from cortwin.sweep.cluster import INSTALL

SYSTEMS: Mapping[str, str] = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
    "htcondor": "HTCondorCluster",
    "local": "LocalCluster",
}
LOOPBACK = "127.0.0.1"
CLOSE = 10.0  # s to give the jobs back


@contextlib.contextmanager
def started(configured: str, jobs: int) -> Iterator[Any]:
    """Start a scheduler here, ask a batch system for workers, and give both back on the way out.

    Parameters
    ----------
    configured : name of a batch system, or a YAML file of dask_jobqueue's configuration that names one
    jobs : workers to ask for

    Yields
    ------
    dask_jobqueue.JobQueueCluster

    Raises
    ------
    CortwinError
        When dask_jobqueue is not installed, or the configuration does not fit.
    """
    try:
        import dask_jobqueue
        import yaml
        from dask import config
        from dask_jobqueue.local import LocalCluster
    except ImportError as error:
        raise CortwinError(f"dask_jobqueue is missing ({error}): {INSTALL}") from None
    content: dict[str, Any] = {}
    name = configured
    if configured not in SYSTEMS:
        file = Path(configured).expanduser()
        if not file.is_file():
            raise CortwinError(f"--jobqueue {configured} is no file and no batch system{nearest(configured, SYSTEMS)}")
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise CortwinError(f"--jobqueue {configured} cannot be read: {' '.join(str(error).split())}") from None
        name = _named(content, configured)
    factory = LocalCluster if name == "local" else getattr(dask_jobqueue, SYSTEMS[name])
    # Held to the end: the configuration is read again for every job.
    with config.set(config.merge(config.config, content)):
        try:
            cluster = factory(scheduler_options=_listening(config, name))
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            raise CortwinError(f"--jobqueue {configured}: {' '.join(str(error).split())}") from None
        try:
            cluster.scale(jobs=jobs)
            yield cluster
        finally:
            cluster.close(timeout=CLOSE)


def _named(content: Any, configured: str) -> str:
    systems = content.get("jobqueue") if isinstance(content, dict) else None
    if not isinstance(systems, dict) or len(systems) != 1:
        raise CortwinError(
            f"--jobqueue {configured}: write `jobqueue:` and below it one batch system, such as `slurm:`"
        )
    (name,) = systems
    if name not in SYSTEMS:
        raise CortwinError(f"--jobqueue {configured}: there is no batch system {name!r}{nearest(str(name), SYSTEMS)}")
    return name


def _listening(config: Any, name: str) -> dict[str, Any]:
    """Return the scheduler's options: on loopback alone unless the configuration says where to listen."""
    options = dict(config.get(f"jobqueue.{name}.scheduler-options", None) or {})
    interface = config.get(f"jobqueue.{name}.interface", None)
    if interface is None and not {"host", "interface"} & set(options):
        options["host"] = LOOPBACK
    return {"dashboard_address": f"{LOOPBACK}:0", **options}
