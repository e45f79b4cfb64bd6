"""Result store: one file a result, found by the content that determines it.

What determines a result (configuration, emitted Verilog, technology, tool versions, options, the
step itself) is hashed into a key; a result is kept under that key and never changes. So a sweep
goes on where it was interrupted, a second run computes nothing, and a changed tool or design
cannot pick up an old figure.

Layout: ``<root>/<step>/<first two digits of key>/<key>.json``. A file is written beside its place
and then renamed, so another process sees all of it or nothing; two processes that compute the
same result write the same file. When there are many, `ResultStore.pack` moves them into packs
(`macsmith.reports.packs`) under ``<root>/<step>/packs``, where they are found as before.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import heapq
import json
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from macsmith.reports.leases import lease
from macsmith.reports.packs import (
    PACK_SUFFIX,
    PART_PREFIX,
    TABLE_SUFFIX,
    Pack,
    flat_row,
    join_tables,
    rows_table,
    temporary_beside,
    write_pack,
)

if TYPE_CHECKING:
    import pandas
    import pyarrow

__all__ = ["FULL", "Record", "ResultStore", "StoreFullError", "content_key"]

log = logging.getLogger(__name__)

_RECORD_FIELDS = {"step", "key", "determinants", "values", "failure", "seconds"}
#: Records of earlier versions have not got it.
_LATER_FIELDS = {"finished_unix_s"}

_PACKS = "packs"
#: More packs than this are joined into one by the next packing.
_MOST_PACKS = 8
#: A part of a file that nobody has touched for so long was left by a process that was killed.
_ABANDONED_SECONDS = 3600.0

#: What the system says when there is no room.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreFullError(OSError):
    """There is no room for a result; what was kept before is whole."""


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
    finished_unix_s
        When it was kept, in seconds since 1970; None of an earlier version's record.
    """

    step: str
    determinants: dict[str, Any]
    values: dict[str, Any]
    failure: str | None
    seconds: float
    finished_unix_s: float | None = None

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
        self._packs: dict[Path, Pack] = {}

    def _path(self, step: str, key: str) -> Path:
        return self.root / step / key[:2] / f"{key}.json"

    def get(self, step: str, determinants: Mapping[str, Any]) -> Record | None:
        """The result that these determinants gave, None if there is none.

        A file that is not a whole record (a disk that ran full, an edit by hand) counts as none
        and is told as a warning: the result is then computed anew.
        """
        key = content_key(step, determinants)
        path = self._path(step, key)
        document = self._read(path) or self._packed(step, key)
        return None if document is None else _record(document)

    def _read(self, path: Path) -> dict[str, Any] | None:
        """The whole document of a file, None if there is none."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            log.warning("%s: not a result record, left aside: %s", path, error)
            return None
        if not isinstance(document, dict) or set(document) - _LATER_FIELDS != _RECORD_FIELDS:
            log.warning("%s: not a result record, left aside: its fields are not ours", path)
            return None
        if not (
            isinstance(document["determinants"], dict) and isinstance(document["values"], dict)
        ):
            log.warning("%s: not a result record, left aside: its tables are none", path)
            return None
        if path.stem != document["key"] or _record(document).key != document["key"]:
            log.warning("%s: its content does not give its key, left aside", path)
            return None
        return document

    def _current_packs(self, step: str) -> list[Pack]:
        """The packs that are there now, each opened once."""
        folder = self.root / step / _PACKS
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith(PACK_SUFFIX))
        except FileNotFoundError:
            return []
        paths = [folder / name for name in names if not name.startswith(".")]
        for path in [path for path in self._packs if path.parent == folder and path not in paths]:
            self._packs.pop(path).close()
        return [self._packs.setdefault(path, Pack(path)) for path in paths]

    def _packed(self, step: str, key: str) -> dict[str, Any] | None:
        """The document of a key in a pack. Packs appear before files go, and a joined one before
        its parts go: so what one look misses because of that, the next one finds."""
        while True:
            try:
                found = (pack.get(key) for pack in self._current_packs(step))
                return next((document for document in found if document is not None), None)
            except FileNotFoundError:
                continue

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
            step,
            dict(determinants),
            _check_values(values or {}, step),
            failure,
            round(seconds, 3),
            round(time.time(), 3),
        )
        key = record.key
        path = self._path(step, key)
        document = {
            "step": record.step,
            "key": key,
            "determinants": record.determinants,
            "values": record.values,
            "failure": record.failure,
            "seconds": record.seconds,
            "finished_unix_s": record.finished_unix_s,
        }
        text = json.dumps(document, indent=1, allow_nan=False) + "\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary_beside(path) as part:
                part.write_text(text, encoding="utf-8")
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise StoreFullError(
                error.errno,
                f"{path.parent}: no room to keep a result of {step} ({error.strerror}); all that "
                "was kept before is whole: make room and run the same command again",
            ) from None
        # as it will be read: a tuple is a list from now on, and a second run gives the same rows
        return _record(json.loads(text))

    def _files(self, step: str) -> list[Path]:
        """Files of single records, in the order of their keys."""
        return sorted((self.root / step).glob("??/*.json"), key=lambda path: path.name)

    def _file_documents(self, step: str) -> Iterator[dict[str, Any]]:
        for path in self._files(step):
            document = self._read(path)
            if document is not None:
                yield document

    def records(self, step: str) -> Iterator[Record]:
        """All whole records of a step, in the order of their keys; each once."""
        packs = [pack.documents() for pack in self._current_packs(step)]
        parts = [self._file_documents(step), *packs]
        last = ""
        # of equal keys the file comes first: it is the latest
        for document in heapq.merge(*parts, key=lambda document: document["key"]):
            if document["key"] != last:
                last = document["key"]
                yield _record(document)

    def frame(self, step: str) -> pandas.DataFrame:
        """The single figures of all results of a step, one a row; failed ones are left out.

        Columns are ``key``, ``seconds``, and whatever the determinants and values of any record
        have that is one text or number. A million packed rows take about a second.
        """
        import pandas as pd
        import pyarrow as pa

        tables = self._tables(step)
        loose = [
            flat_row(document)
            for document in self._file_documents(step)
            if document["failure"] is None
        ]
        table = join_tables([rows_table(loose), *tables] if loose else tables)
        # texts stay in Arrow's memory: a million Python objects a column would take seconds
        text = pd.StringDtype("pyarrow")
        frame: pandas.DataFrame = table.to_pandas(types_mapper={pa.string(): text}.get)
        if loose or len(tables) > 1:
            frame = frame.drop_duplicates("key", ignore_index=True)
        return frame

    def _tables(self, step: str) -> list[pyarrow.Table]:
        while True:
            try:
                return [pack.table() for pack in self._current_packs(step)]
            except FileNotFoundError:  # joined with others meanwhile
                continue

    def pack(self, step: str, *, least: int = 1) -> int:
        """Move the step's results from files of their own into a pack.

        Nothing is lost if this is interrupted at any point, other processes may read and write
        meanwhile, and failures stay where they are, for they are tried again. Parts of files that
        killed processes left are removed.

        Parameters
        ----------
        least
            Do nothing below so many files.

        Returns
        -------
        int
            How many results were moved.
        """
        folder = self.root / step / _PACKS
        if len(self._files(step)) < max(least, 1):
            return 0
        with lease(self.root / ".leases", f"pack {step}", wait=False) as is_mine:
            return self._pack(step, folder) if is_mine else 0

    def _pack(self, step: str, folder: Path) -> int:
        for part in (self.root / step).glob(f"*/{PART_PREFIX}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                    part.unlink()
        taken: list[tuple[Path, int]] = []

        def documents() -> Iterator[dict[str, Any]]:
            for path in self._files(step):
                with contextlib.suppress(FileNotFoundError):
                    time_ns = path.stat().st_mtime_ns
                    document = self._read(path)
                    if document is not None and document["failure"] is None:
                        taken.append((path, time_ns))
                        yield document

        write_pack(folder, documents())
        for path, time_ns in taken:
            # written again meanwhile: the same result, but let the later one stay
            if path.stat().st_mtime_ns == time_ns:
                path.unlink()
        packs = self._current_packs(step)
        if len(packs) > _MOST_PACKS:
            joined = write_pack(
                folder, (document for pack in packs for document in pack.documents())
            )
            for pack in packs:
                pack.close()
                # of a damaged one, what can be read now is not all that there may be
                if pack.path != joined and not pack.is_damaged:
                    pack.path.unlink()
                    pack.path.with_suffix(TABLE_SUFFIX).unlink(missing_ok=True)
        return len(taken)


def _record(document: Mapping[str, Any]) -> Record:
    return Record(**{name: value for name, value in document.items() if name != "key"})
