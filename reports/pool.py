"""A pool of processes for independent jobs, that can be interrupted and survives a dead worker."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["ONE_THREAD", "Outcome", "run_jobs"]

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")

#: Numerical libraries would each start as many threads as there are cores, in every process.
ONE_THREAD: dict[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Outcome(Generic[JobT, ResultT]):
    """A finished job: its result, or why its process died."""

    job: JobT
    result: ResultT | None
    death: str | None = None


def _start_worker() -> None:
    # A group of its own: an interrupt at the terminal reaches only the parent, and the parent can
    # end a worker together with the compilers and simulators it has started.
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A parent that is killed cannot end its workers, and they would wait for jobs for ever.
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _end(executor: ProcessPoolExecutor) -> None:
    """End all workers and what they have started, now."""
    processes: dict[int, Any] = dict(getattr(executor, "_processes", None) or {})
    executor.shutdown(wait=False, cancel_futures=True)
    for number in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(number, signal.SIGTERM)
    for process in processes.values():
        process.join(timeout=5)
        if process.is_alive():
            process.kill()


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """New processes started inside use one thread for linear algebra."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run_jobs(
    work: Callable[[JobT], ResultT],
    jobs: Sequence[JobT],
    processes: int,
    *,
    on_start: Callable[[list[JobT]], None] = lambda running: None,
) -> Generator[Outcome[JobT, ResultT], None, None]:
    """Do jobs in `processes` processes and yield each outcome as it comes.

    If a worker dies (killed for want of memory, a crash in a library), the jobs that were being
    done at the time are done again one by one, each in a new process; the one whose process dies
    again is told as dead and the others go on. Closing the iterator, an interrupt, or the death of
    this process ends the workers and everything they have started.

    Parameters
    ----------
    work
        Function of a module, for it is called in another process; it should not raise.
    jobs
        Independent of each other; begun in their order.
    processes
        At least 1.
    on_start
        Told which jobs are being worked on whenever that changes.

    Raises
    ------
    ValueError
        `processes` is below 1.
    Exception
        Whatever `work` raises.
    """
    if processes < 1:
        raise ValueError(f"processes must be at least 1, not {processes}")
    suspects: list[JobT] = []
    waiting = list(jobs)
    while waiting:
        # Not more jobs in the executor than processes: so it is known which ones a death concerns.
        yield from _run_until_death(work, waiting, suspects, processes, on_start)
        while suspects:
            yield from _run_alone(work, suspects.pop(0), on_start)


def _executor(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    )


def _run_until_death(
    work: Callable[[JobT], ResultT],
    waiting: list[JobT],
    suspects: list[JobT],
    processes: int,
    on_start: Callable[[list[JobT]], None],
) -> Generator[Outcome[JobT, ResultT], None, None]:
    """Take jobs from `waiting` until it is empty, or until a worker dies: then the jobs in hand
    are appended to `suspects`."""
    running: dict[Future[ResultT], JobT] = {}
    executor = _executor(min(processes, len(waiting)))
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                with _one_thread_each():
                    try:
                        future = executor.submit(work, waiting[0])
                    except BrokenProcessPool:
                        suspects += running.values()
                        return
                running[future] = waiting.pop(0)
            on_start(list(running.values()))
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            dead = [future for future in done if isinstance(future.exception(), BrokenProcessPool)]
            for future in done:
                if future not in dead:
                    yield Outcome(running.pop(future), future.result())
            if dead:
                suspects += running.values()
                return
        executor.shutdown()
    finally:
        _end(executor)


def _run_alone(
    work: Callable[[JobT], ResultT], job: JobT, on_start: Callable[[list[JobT]], None]
) -> Generator[Outcome[JobT, ResultT], None, None]:
    """One job in a process of its own."""
    executor = _executor(1)
    on_start([job])
    try:
        with _one_thread_each():
            future = executor.submit(work, job)
        try:
            result = future.result()
        except BrokenProcessPool:
            yield Outcome(job, None, "its process died twice (out of memory?)")
            return
        yield Outcome(job, result)
        executor.shutdown()
    finally:
        _end(executor)
