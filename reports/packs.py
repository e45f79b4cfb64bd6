"""Packs: many results in one file, for stores of more results than a folder should have files.

A pack is an SQLite file that never changes once it is in its place: ``records(key, document)``,
documents as compressed JSON. Beside it lies its table, a Parquet file of the single figures of
all its records, from which a million rows load in about a second; the table is remade from the
pack whenever it is missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "PACK_SUFFIX",
    "PART_PREFIX",
    "TABLE_SUFFIX",
    "Pack",
    "flat_row",
    "join_tables",
    "rows_table",
    "temporary_beside",
    "write_pack",
]

PACK_SUFFIX = ".sqlite"
#: Files that are being written begin so.
PART_PREFIX = ".part-"
TABLE_SUFFIX = ".parquet"
_ROWS_AT_ONCE = 100_000
_COMPRESSION_LEVEL = 1

Document = Mapping[str, Any]

log = logging.getLogger(__name__)

#: What reading a damaged pack may end in.
_DAMAGE = (sqlite3.DatabaseError, zlib.error, ValueError, KeyError, TypeError)


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A new file that takes the place of `path` at the end of the block, or is removed by an
    error in it: others see all of it or nothing, even after a power cut."""
    part = _new_file(path.parent)
    try:
        yield part
        _bring(part, path)
    finally:
        part.unlink(missing_ok=True)


def _new_file(folder: Path) -> Path:
    """An empty file that nobody else has, with the permissions of any new file."""
    path = folder / f"{PART_PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return path


def _bring(part: Path, path: Path) -> None:
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(path)


def flat_row(document: Document) -> dict[str, Any]:
    """The single figures and names of a record: its key, its seconds, what it was computed from
    and what was found; lists and nested figures stay in the record."""
    row: dict[str, Any] = {"key": document["key"], "seconds": document["seconds"]}
    for part in ("determinants", "values"):
        row |= {
            name: value
            for name, value in document[part].items()
            if isinstance(value, str | int | float)
        }
    return row


def rows_table(rows: Sequence[Mapping[str, Any]]) -> pyarrow.Table:
    """Rows as columns; what a row lacks is missing. A column of texts and numbers is text."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            columns[name] = _mixed_array(values)
    return pa.table(columns)


def _mixed_array(values: Sequence[Any]) -> pyarrow.Array:
    import pyarrow as pa

    if any(isinstance(value, str) for value in values):
        return pa.array([None if value is None else str(value) for value in values])
    return pa.array([None if value is None else float(value) for value in values])


def join_tables(tables: Sequence[pyarrow.Table]) -> pyarrow.Table:
    """Tables below each other, by the names of their columns."""
    import pyarrow as pa

    if not tables:
        return pa.table({"key": pa.array([], pa.string())})
    kinds: dict[str, set[pyarrow.DataType]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(field.type)
    mixed = {
        name
        for name, types in kinds.items()
        if pa.string() in types and any(kind not in (pa.string(), pa.null()) for kind in types)
    }
    same = []
    for table in tables:
        for index, field in enumerate(table.schema):
            if field.name in mixed:
                table = table.set_column(index, field.name, table.column(index).cast(pa.string()))
        same.append(table)
    return pa.concat_tables(same, promote_options="permissive")


def write_pack(folder: Path, documents: Iterable[Document]) -> Path | None:
    """Write a pack and its table; give its path, None if there are no documents.

    Parameters
    ----------
    folder
        Where packs are, made if absent.
    documents
        Records as they stand in their files, ``key`` included. Of several with one key the first
        is taken.

    Raises
    ------
    OSError
        The pack could not be written whole (a full disk): then nothing is left of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    count = 0
    # its name comes from its keys, so that two packers of the same results make one file
    with _new_database(folder) as (connection, place):
        connection.execute("CREATE TABLE records (key TEXT PRIMARY KEY, document BLOB)")
        for document in documents:
            text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
            packed = zlib.compress(text, _COMPRESSION_LEVEL)
            connection.execute(
                "INSERT OR IGNORE INTO records VALUES (?, ?)", (document["key"], packed)
            )
            digest.update(document["key"].encode())
            count += 1
        path = folder / f"{count:08d}-{digest.hexdigest()[:24]}{PACK_SUFFIX}"
        place(path if count else None)
    if not count:
        return None
    Pack(path).table()
    return path


@contextlib.contextmanager
def _new_database(
    folder: Path,
) -> Iterator[tuple[sqlite3.Connection, Callable[[Path | None], None]]]:
    """A new database and a function that says where it goes at the end; nowhere on an error."""
    target: list[Path] = []

    def place(path: Path | None) -> None:
        target.extend([] if path is None else [path])

    part = _new_file(folder)
    try:
        with contextlib.closing(sqlite3.connect(part)) as connection:
            # a file of our own until it is renamed: no journal, it is thrown away on an error
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            yield connection, place
            connection.commit()
        if target:
            _bring(part, target[0])
    except sqlite3.Error as error:
        raise OSError(f"{folder}: a pack could not be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _unpacked(packed: bytes) -> dict[str, Any]:
    document = json.loads(zlib.decompress(packed))
    if not isinstance(document, dict) or not isinstance(document["key"], str):
        raise ValueError("a document is no record")
    return document


class Pack:
    """One pack, opened for reading when it is first asked.

    What cannot be read of a damaged file counts as not there, and the damage is told once as a
    warning: those results are then computed anew.

    Parameters
    ----------
    path
        Of the SQLite file.

    Attributes
    ----------
    is_damaged
        Whether something could not be read so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_damaged = False
        self._connection: sqlite3.Connection | None = None

    @property
    def table_path(self) -> Path:
        """Where its table is."""
        return self.path.with_suffix(TABLE_SUFFIX)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if not self.path.is_file():
                raise FileNotFoundError(self.path)
            # immutable: no lock and no journal is looked for, also on a network file system
            uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        return self._connection

    def get(self, key: str) -> dict[str, Any] | None:
        """The document of a key, None if it is not here."""
        query = "SELECT document FROM records WHERE key = ?"
        try:
            found = self._open().execute(query, (key,)).fetchone()
            document = None if found is None else _unpacked(found[0])
        except _DAMAGE as error:
            self._damaged(error)
            return None
        if document is not None and document["key"] != key:
            self._damaged(ValueError(f"{key}: its document has another key"))
            return None
        return document

    def documents(self) -> Iterator[dict[str, Any]]:
        """All documents, in the order of their keys."""
        last = ""
        try:
            for (packed,) in self._open().execute("SELECT document FROM records ORDER BY key"):
                document = _unpacked(packed)
                yield document
                last = document["key"]
            return
        except _DAMAGE as error:
            self._damaged(error)
        for key in sorted(self._readable_keys()):
            if key > last and (left := self.get(key)) is not None:
                yield left

    def _readable_keys(self) -> Iterator[str]:
        """Keys of what can still be read of a damaged file, row by row."""
        count = self.path.name.partition("-")[0]
        for row in range(1, int(count) + 1 if count.isdecimal() else 1):
            with contextlib.suppress(*_DAMAGE):
                query = "SELECT key FROM records WHERE rowid = ?"
                found = self._open().execute(query, (row,)).fetchone()
                if found is not None and isinstance(found[0], str):
                    yield found[0]

    def _damaged(self, error: Exception) -> None:
        if not self.is_damaged:
            log.warning(
                "%s: damaged, what cannot be read of it is left aside: %s", self.path, error
            )
        self.is_damaged = True

    def close(self) -> None:
        """Close the file; it is opened again when asked."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def table(self) -> pyarrow.Table:
        """The single figures of all its records, from its table file; made if that is missing."""
        import pyarrow as pa
        from pyarrow import parquet

        with contextlib.suppress(OSError, pa.ArrowInvalid):
            return parquet.read_table(self.table_path)
        parts, rows = [], []
        for document in self.documents():
            rows.append(flat_row(document))
            if len(rows) == _ROWS_AT_ONCE:
                parts.append(rows_table(rows))
                rows = []
        table = join_tables([*parts, rows_table(rows)] if rows else parts)
        try:
            with temporary_beside(self.table_path) as temporary:
                parquet.write_table(table, temporary, compression="zstd")
        except OSError as error:  # a full disk, a folder that is not ours: it is made anew then
            log.warning("%s: could not be kept: %s", self.table_path, error)
        return table
