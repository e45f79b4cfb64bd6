"""Results kept on disk under the digest of everything that determines them."""

import fcntl
import functools
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

CACHE_VARIABLE = "MACSMITH_CACHE"
# Sources in the folder above this one that decide results.
_MODEL_SOURCES = ("accumulators.py", "config.py", "formats.py", "widths.py", "fast*")


def cache_folder() -> Path:
    """Return where results are kept: under ``$MACSMITH_CACHE``, or else ``build/cache``."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path("build") / "cache") / "accuracy"


def content_key(content: Mapping[str, Any]) -> str:
    """Return the first 32 hexadecimal digits of the SHA-256 of a mapping that JSON can hold."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def sources_digest() -> str:
    """Return 16 hexadecimal digits for the source text that decides results: part of every key.

    A changed line of code is a changed computation: its old results are not found again.
    """
    here = Path(__file__).parent
    above = (file for name in _MODEL_SOURCES for file in here.parent.glob(name))
    digest = hashlib.sha256()
    for file in sorted(file for file in (*here.glob("*.py"), *above) if file.is_file()):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def remember(content: Mapping[str, Any], compute: Callable[[], Arrays]) -> Arrays:
    """Return the arrays stored under `content` and the present sources, or compute and store them.

    A file that cannot be read (cut off, of another version) is computed anew. The file appears at
    once and whole, and a process that asks for what another one is computing waits for it, so
    processes may share the folder.
    """
    path = cache_folder() / f"{content_key({**content, 'source': sources_digest()})}.npz"
    stored = _read(path)
    if stored is not None:
        return stored
    path.parent.mkdir(parents=True, exist_ok=True)
    # The system drops the lock of a process that dies.
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stored = _read(path)
        if stored is None:
            stored = compute()
            _write(path, stored)
    return stored


def _read(path: Path) -> Arrays | None:
    try:
        # Opened here: NumPy does not close a file that it finds to be no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None


def _write(path: Path, arrays: Arrays) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
