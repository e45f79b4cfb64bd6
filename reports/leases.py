"""Leases: only one process of all sweeps on a store computes a point at a time.

A lease is an advisory lock (``flock``) on a file named after what is computed. The system drops
it when its process ends, however that happens, so a killed sweep leaves nothing locked.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["lease", "remove_left"]

log = logging.getLogger(__name__)

#: Answers of file systems that have no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextlib.contextmanager
def lease(folder: Path, name: str, *, wait: bool) -> Iterator[bool]:
    """Hold the lease of `name` while the block runs; yield whether it could be had.

    Where the file system has no locks there is nothing to hold: that is told as a warning, and
    the answer is yes; then two sweeps may compute the same point, and keep the same result.

    Parameters
    ----------
    folder
        Where the lock files are; made if absent. All who share it exclude each other.
    name
        Any text.
    wait
        Whether to wait until another process gives the lease back.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock"
    handle = _lock(path, wait)
    if handle is None:
        yield False
        return
    try:
        yield True
    finally:
        # unlinked while still held: whoever waits for this file finds it gone and opens a new one
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.close(handle)


def remove_left(folder: Path) -> None:
    """Remove the files of leases whose holders were killed; those that are held stay."""
    for path in folder.glob("*.lock"):
        with contextlib.suppress(OSError):
            handle = _lock(path, wait=False)
            if handle is not None:
                path.unlink(missing_ok=True)
                os.close(handle)


def _lock(path: Path, wait: bool) -> int | None:
    """An open file that holds the lock at `path`; None if another process has it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(handle)
                raise
            log.warning("%s: no locks here (%s): a point may be computed twice", path, error)
            return handle
        if _is_at(handle, path):
            return handle
        os.close(handle)  # its last owner has removed it


def _is_at(handle: int, path: Path) -> bool:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(handle)
    return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)
