"""Digests of what a result depends on beside its inputs: our sources and the tools' versions."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from functools import cache
from importlib import resources
from pathlib import Path

__all__ = ["file_sha256", "source_digest", "versions"]

_SOURCE_SUFFIXES = {".py", ".cpp", ".hpp", ".v", ".csv", ".json", ".toml"}


@cache
def source_digest(*places: str) -> str:
    """Digest of source and data files: another line of code is another computation.

    Parameters
    ----------
    places
        Folders of the package, such as ``hw`` or ``synth/data`` (their files, not those of
        sub-folders), or files by the beginning of their name, such as ``sim/netlist``.

    Raises
    ------
    ValueError
        A place has no source file.
    """
    digest = hashlib.sha256()
    for place in places:
        files = _files(place)
        if not files:
            raise ValueError(f"source_digest: {place} must be a folder or file of macsmith")
        for path in files:
            digest.update(f"{place}/{path.name}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _files(place: str) -> list[Path]:
    package, _, rest = place.partition("/")
    root = Path(str(resources.files(f"macsmith.{package}")))
    folder = root / rest
    if folder.is_dir():
        found = folder.iterdir()
        return sorted(path for path in found if path.suffix in _SOURCE_SUFFIXES)
    found = folder.parent.glob(f"{folder.name}*")
    return sorted(path for path in found if path.suffix in _SOURCE_SUFFIXES)


@cache
def versions(*distributions: str) -> dict[str, str]:
    """Versions of Python and of installed packages by name, for a record's provenance."""
    found = {name: importlib.metadata.version(name) for name in distributions}
    return {"python": platform.python_version(), **found}


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
