"""Result store: one file a result, found by the content that determines it.

What determines a result (configuration, emitted Verilog, technology, tool versions, options, the
step itself) is hashed into a key; a result is kept under that key and never changes. So a sweep
goes on where it was interrupted, a second run computes nothing, and a changed tool or design
cannot pick up an old figure.

Layout: ``<root>/<step>/<first two digits of key>/<key>.json``. A file is written beside its place
and then renamed, so another process sees all of it or nothing; two processes that compute the
same result write the same file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Record", "ResultStore", "content_key"]

log = logging.getLogger(__name__)

_RECORD_FIELDS = {"step", "key", "determinants", "values", "failure", "seconds"}


def _canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_key(step: str, determinants: Mapping[str, Any]) -> str:
    """Hex key of a result: SHA-256 of the step and everything that determines it.

    Raises
    ------
    TypeError, ValueError
        `determinants` holds something that JSON cannot hold.
    """
    text = _canonical_json({"step": step, "determinants": dict(determinants)})
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Record:
    """A kept result.

    Attributes
    ----------
    step
        Which step computed it: ``verify``, ``synth``, ...
    determinants
        What it was computed from; its hash is the key.
    values
        The metrics; one that could not be had is absent. Empty if the step failed.
    failure
        Why the step failed; None if it did not.
    seconds
        Wall-clock time it took.
    """

    step: str
    determinants: dict[str, Any]
    values: dict[str, Any]
    failure: str | None
    seconds: float

    @property
    def key(self) -> str:
        """Content key of the record."""
        return content_key(self.step, self.determinants)

    @property
    def is_failed(self) -> bool:
        """Whether the step ended in an error; then there are no values."""
        return self.failure is not None


def _check_values(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A copy without missing metrics; ValueError for a number that is none."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(
                f"{where}: {name} must be a finite number, not {value}: leave a missing metric out"
            )
        kept[name] = value
    return kept


class ResultStore:
    """Results on disk under `root`, which is made when the first one is kept."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, step: str, key: str) -> Path:
        return self.root / step / key[:2] / f"{key}.json"

    def get(self, step: str, determinants: Mapping[str, Any]) -> Record | None:
        """The result that these determinants gave, None if there is none.

        A file that is not a whole record (a disk that ran full, an edit by hand) counts as none
        and is told as a warning: the result is then computed anew.
        """
        return self._read(self._path(step, content_key(step, determinants)))

    def _read(self, path: Path) -> Record | None:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            log.warning("%s: not a result record, left aside: %s", path, error)
            return None
        if not isinstance(document, dict) or set(document) != _RECORD_FIELDS:
            log.warning("%s: not a result record, left aside: its fields are not ours", path)
            return None
        key = document.pop("key")
        record = Record(**document)
        if record.key != key or path.stem != key:
            log.warning("%s: its content does not give its key, left aside", path)
            return None
        return record

    def put(
        self,
        step: str,
        determinants: Mapping[str, Any],
        values: Mapping[str, Any] | None = None,
        *,
        failure: str | None = None,
        seconds: float = 0.0,
    ) -> Record:
        """Keep a result, or that there is none and why.

        Parameters
        ----------
        values
            Metrics; entries that are None are left out.
        failure
            Reason of a failed step; then `values` must be empty.

        Raises
        ------
        ValueError
            Both values and a failure, neither, or a metric that is NaN or infinite.
        """
        if bool(values) == (failure is not None):
            raise ValueError(f"{step}: a record holds either values or a failure")
        record = Record(
            step, dict(determinants), _check_values(values or {}, step), failure, round(seconds, 3)
        )
        key = record.key
        path = self._path(step, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "step": record.step,
            "key": key,
            "determinants": record.determinants,
            "values": record.values,
            "failure": record.failure,
            "seconds": record.seconds,
        }
        text = json.dumps(document, indent=1, allow_nan=False) + "\n"
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{key[:8]}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        # as it will be read: a tuple is a list from now on, and a second run gives the same rows
        document = json.loads(text)
        del document["key"]
        return Record(**document)

    def records(self, step: str) -> Iterator[Record]:
        """All whole records of a step, in the order of their keys."""
        for path in sorted((self.root / step).glob("*/*.json")):
            record = self._read(path)
            if record is not None:
                yield record
