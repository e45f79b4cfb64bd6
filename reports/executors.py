"""Where the points of a sweep are computed: in processes here, or by Parsl on a cluster.

An executor runs jobs that are independent of each other and tells each outcome as it comes. What
a job finds it keeps in the store itself, so the folder of artefacts must be one that all workers
see, and that has file locks (NFS 4, Lustre mounted with ``flock``, ...).
"""

from __future__ import annotations

import contextlib
import inspect
import os
import shlex
import sys
import tomllib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from macsmith.reports import with_parent
from macsmith.reports.pool import ONE_THREAD, Outcome, run_jobs

__all__ = [
    "SCHEDULERS",
    "ClusterSettings",
    "Executor",
    "LocalPool",
    "ParslExecutor",
    "find_executor",
    "held",
    "load_settings",
]

#: Schedulers by name, with Parsl's class for each.
SCHEDULERS = {
    "slurm": "SlurmProvider",
    "lsf": "LSFProvider",
    "pbs": "PBSProProvider",
    "sge": "GridEngineProvider",
    "kubernetes": "KubernetesProvider",
    "local": "LocalProvider",
}

#: How often nodes look after their workers and say that they live themselves, here and on a
#: cluster, and how long without a word makes them lost.
LOCAL_HEARTBEAT_SECONDS = 1
HEARTBEAT_SECONDS = 10
SILENCE_SECONDS = 120

_PARSL_PARTS = "parsl.executors.high_throughput"

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


@dataclass(frozen=True)
class ClusterSettings:
    """What an executor file says; TOML::

        workers_per_node = 16        # default: one a core
        retries = 2                  # of a point whose worker was lost
        address = "10.1.0.5"         # of this machine as nodes see it; default: found out

        [provider]                   # as Parsl's provider of this scheduler has them
        partition = "cpu"
        walltime = "02:00:00"
        nodes_per_block = 2
        max_blocks = 10
        worker_init = "source /shared/macsmith/.venv/bin/activate"

        [launcher]                   # default: the provider's
        name = "SrunLauncher"

    Attributes
    ----------
    workers_per_node
        Processes on a node; None: one a core.
    retries
        How often a point whose worker was lost is tried again, elsewhere.
    address
        Where workers find this machine; None: found out.
    provider, launcher
        Arguments of Parsl's classes; ``name`` names the launcher's class.
    """

    workers_per_node: int | None = None
    retries: int = 2
    address: str | None = None
    provider: Mapping[str, Any] = field(default_factory=dict)
    launcher: Mapping[str, Any] = field(default_factory=dict)


def load_settings(path: Path) -> ClusterSettings:
    """Read an executor file.

    Raises
    ------
    ValueError
        The file, the field, and what is wrong there.
    OSError
        The file cannot be read.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not TOML: {error}") from None
    known = [entry.name for entry in fields(ClusterSettings)]
    for name, value in table.items():
        if name not in known:
            raise ValueError(
                f"{path}: {name}: is no field of an executor file; fields are {', '.join(known)}"
            )
        if name in ("provider", "launcher"):
            if not isinstance(value, dict):
                raise ValueError(f"{path}: {name}: must be a table, headed by [{name}]")
        elif name == "address":
            if not isinstance(value, str):
                raise ValueError(f"{path}: address: must be a text, not {value!r}")
        elif not isinstance(value, int) or isinstance(value, bool) or value < (name != "retries"):
            least = 0 if name == "retries" else 1
            raise ValueError(f"{path}: {name}: must be a whole number from {least}, not {value!r}")
    return ClusterSettings(**table)


def find_executor(
    name: str | None, settings: Path | None, *, jobs: int, run_dir: Path
) -> Executor | None:
    """The executor that a command line names; None for the pool on this machine.

    Parameters
    ----------
    name
        One of `SCHEDULERS`, or None.
    settings
        An executor file, see `ClusterSettings`; None: nothing but defaults.
    jobs
        Workers of ``local``, unless the file says otherwise.
    run_dir
        Where Parsl leaves its logs.

    Raises
    ------
    ValueError
        An unknown name, or a wrong executor file.
    RuntimeError
        Parsl is not installed.
    """
    if name is None:
        if settings is not None:
            raise ValueError(
                f"{settings}: an executor file needs an executor: state --executor, one of "
                f"{', '.join(SCHEDULERS)}"
            )
        return None
    if name not in SCHEDULERS:
        raise ValueError(f"executor must be one of {', '.join(SCHEDULERS)}, not {name!r}")
    chosen = ClusterSettings() if settings is None else load_settings(settings)
    if name == "local" and chosen.workers_per_node is None:
        chosen = replace(chosen, workers_per_node=jobs)
    executor = ParslExecutor(name, chosen, run_dir)
    try:
        executor.check()
    except ValueError as error:
        raise ValueError(f"{settings or 'executor'}: {error}") from None
    return executor


class ParslExecutor:
    """Workers of Parsl's high-throughput executor, which a scheduler starts on its nodes.

    A point whose worker is lost is done again by another one. Workers go to this process's
    working folder first, so relative paths mean the same there.

    Parameters
    ----------
    scheduler
        One of `SCHEDULERS`; ``local`` starts its workers on this machine.
    settings
        Of the workers.
    run_dir
        Where Parsl leaves its logs; on a cluster, one that all nodes see.
    """

    def __init__(self, scheduler: str, settings: ClusterSettings, run_dir: Path) -> None:
        self.scheduler, self.settings, self.run_dir = scheduler, settings, run_dir
        self._kernel: Any = None
        self._is_held = False

    def check(self) -> None:
        """Find out whether Parsl can be had and takes the settings.

        Raises
        ------
        ValueError
            It has no such launcher, or no such argument of a provider or launcher.
        RuntimeError
            Parsl, or what it needs for this scheduler, is not installed.
        """
        self._provider()

    def _provider(self) -> Any:
        try:
            from parsl import launchers, providers
            from parsl.errors import OptionalModuleMissing
        except ImportError:
            raise RuntimeError(
                "--executor needs Parsl, which is not installed: pip install 'macsmith[cluster]'"
            ) from None
        arguments = dict(self.settings.provider)
        if self.settings.launcher:
            options = dict(self.settings.launcher)
            name = options.pop("name", "")
            kinds = [kind for kind in dir(launchers) if kind.endswith("Launcher")]
            if name not in kinds:
                raise ValueError(
                    f"launcher: name must be one of {', '.join(sorted(kinds))}, not {name!r}"
                )
            arguments["launcher"] = _make(getattr(launchers, name), options, "launcher")
        try:
            return _make(getattr(providers, SCHEDULERS[self.scheduler]), arguments, "provider")
        except OptionalModuleMissing as error:
            raise RuntimeError(f"--executor {self.scheduler}: {error}") from None

    def _config(self) -> Any:
        from parsl.config import Config
        from parsl.executors import HighThroughputExecutor
        from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

        retries = self.settings.retries

        def cost(error: Exception, _: Any) -> float:
            # what the work itself raised would be raised again
            return 1.0 if isinstance(error, WorkerLost | ManagerLost) else retries + 1.0

        is_local = self.scheduler == "local"
        address = self.settings.address or ("127.0.0.1" if is_local else None)
        executor = HighThroughputExecutor(
            label="macsmith",
            provider=self._provider(),
            address=address,
            interchange_launch_cmd=with_parent.command(f"{_PARSL_PARTS}.interchange"),
            max_workers_per_node=self.settings.workers_per_node,
            encrypted=not is_local,
            heartbeat_period=LOCAL_HEARTBEAT_SECONDS if is_local else HEARTBEAT_SECONDS,
            heartbeat_threshold=SILENCE_SECONDS,
        )
        if self.scheduler != "kubernetes":
            # this very Python, whether or not its scripts are on the path; an image has its own
            pool = f"{_PARSL_PARTS}.process_worker_pool"
            # nodes find out by themselves that the interchange has ended with this process
            words = with_parent.command(pool) if is_local else [sys.executable, "-m", pool]
            executor.launch_cmd = executor.launch_cmd.replace(
                "process_worker_pool.py", shlex.join(words), 1
            )
        return Config(
            executors=[executor],
            retries=retries,
            retry_handler=cost,
            run_dir=str(self.run_dir.absolute()),
            usage_tracking=0,
        )

    def run(
        self,
        work: Callable[[JobT], ResultT],
        jobs: Sequence[JobT],
        *,
        on_start: Callable[[list[JobT]], None] = lambda running: None,
    ) -> Generator[Outcome[JobT, ResultT], None, None]:
        """Do the jobs and yield each outcome as it comes.

        Parameters
        ----------
        work
            Function of a module that workers can import; it should not raise.
        jobs
            Independent of each other.
        on_start
            Never called: where a job is, only Parsl knows.

        Raises
        ------
        RuntimeError
            No worker can be started; the message is Parsl's.
        Exception
            Whatever `work` raises.
        """
        if not jobs:
            return
        import parsl
        from parsl.errors import ParslError
        from parsl.executors.errors import ExecutorError
        from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

        if self._kernel is None:
            self._kernel = parsl.load(self._config())
        is_done = False
        try:
            app = parsl.python_app(_call, data_flow_kernel=self._kernel)
            waiting = {app(os.getcwd(), work, job): job for job in jobs}
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    job = waiting.pop(future)
                    error = future.exception()
                    if isinstance(error, WorkerLost | ManagerLost):
                        times = self.settings.retries + 1
                        yield Outcome(job, None, f"its worker was lost {times} times")
                    elif isinstance(error, ParslError | ExecutorError):
                        raise RuntimeError(f"--executor {self.scheduler}: {error}") from None
                    else:
                        yield Outcome(job, future.result())
            is_done = True
        finally:
            if not (is_done and self._is_held):
                self._end()

    def _end(self) -> None:
        kernel, self._kernel = self._kernel, None
        if kernel is not None:
            kernel.cleanup()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep workers from one `run` to the next while the block runs: on a cluster each start of
        workers waits in the scheduler's queue."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            self._end()


def held(executor: Executor) -> contextlib.AbstractContextManager[None]:
    """Keep what an executor starts from one `run` to the next while the block runs, if it starts
    anything that takes time."""
    return executor.held() if isinstance(executor, ParslExecutor) else contextlib.nullcontext()


def _call(folder: str, work: Callable[[JobT], ResultT], job: JobT) -> ResultT:
    """What a worker of Parsl does."""
    os.environ.update(ONE_THREAD)
    os.chdir(folder)
    return work(job)


def _make(kind: Callable[..., Any], arguments: Mapping[str, Any], place: str) -> Any:
    """Call a class of Parsl's; ValueError for an argument that it does not have, or lacks."""
    known = inspect.signature(kind).parameters
    for name in arguments:
        if name not in known:
            raise ValueError(
                f"{place}: {name}: is no argument of {kind.__name__}; arguments are "
                f"{', '.join(known)}"
            )
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in arguments:
            raise ValueError(f"{place}: must have {name}, which {kind.__name__} needs")
    return kind(**arguments)
