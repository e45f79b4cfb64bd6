"""Where the points of a sweep are computed: in processes here, or by Parsl on a cluster.

An executor runs jobs that are independent of each other and tells each outcome as it comes. What
a job finds it keeps in the store itself, so the folder of artefacts must be one that all workers
see, and that has file locks (NFS 4, Lustre mounted with ``flock``, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, TypeVar

from macsmith.reports.pool import Outcome, run_jobs

__all__ = ["Executor", "LocalPool"]

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


class Executor(Protocol):
    """Something that computes jobs."""

    def run(
        self,
        work: Callable[[JobT], ResultT],
        jobs: Sequence[JobT],
        *,
        on_start: Callable[[list[JobT]], None] = lambda running: None,
    ) -> Generator[Outcome[JobT, ResultT], None, None]:
        """Do the jobs and yield each outcome as it comes; see `macsmith.reports.pool.run_jobs`."""
        ...


class LocalPool:
    """Processes on this machine.

    Parameters
    ----------
    processes
        At once; at least 1.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes

    def run(
        self,
        work: Callable[[JobT], ResultT],
        jobs: Sequence[JobT],
        *,
        on_start: Callable[[list[JobT]], None] = lambda running: None,
    ) -> Generator[Outcome[JobT, ResultT], None, None]:
        """See `macsmith.reports.pool.run_jobs`."""
        return run_jobs(work, jobs, self.processes, on_start=on_start)
