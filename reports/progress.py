"""Progress on stderr: one bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["JobProgress", "job_progress", "progress_line"]

#: Plain lines are written at most once for each of these steps of the way.
_PLAIN_STEP = 0.1


@contextmanager
def progress_line(title: str) -> Iterator[Callable[[float, str], None]]:
    """Show how far one piece of work is.

    Yields a function of the fraction done (0..1) and a few words about what is being done.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        with Progress(
            TextColumn("{task.fields[title]}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
            transient=True,
        ) as bar:
            task = bar.add_task("", total=1.0, title=title)
            yield lambda fraction, what: bar.update(task, completed=fraction, description=what)
        return
    last_step, last_what = -1, ""

    def tell(fraction: float, what: str) -> None:
        nonlocal last_step, last_what
        step = int(fraction / _PLAIN_STEP)
        if step > last_step or what != last_what:
            print(f"{title}: {fraction:4.0%} {what}", file=sys.stderr, flush=True)
        last_step, last_what = max(step, last_step), what

    yield tell


class JobProgress:
    """Counts finished jobs; `finished` tells one, with its outcome in a few words."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0

    def started(self, running: list[str]) -> None:
        """Tell what is being worked on."""

    def finished(self, name: str, outcome: str) -> None:
        """Tell that a job has ended."""
        self.done += 1
        width = len(str(self.total))
        print(f"[{self.done:>{width}}/{self.total}] {name}: {outcome}", file=sys.stderr, flush=True)


@contextmanager
def job_progress(total: int, title: str) -> Iterator[JobProgress]:
    """Show how many of `total` jobs are done: a bar on a terminal, else a line a job."""
    if not sys.stderr.isatty():
        yield JobProgress(total)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn(title),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", style="dim"),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("", total=total)

        class _Bar(JobProgress):
            def started(self, running: list[str]) -> None:
                bar.update(task, description=escape(", ".join(running)))

            def finished(self, name: str, outcome: str) -> None:
                self.done += 1
                bar.update(task, completed=self.done)
                bar.console.print(f"{name}: {outcome}", markup=False, highlight=False)

        yield _Bar(total)
