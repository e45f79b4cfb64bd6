"""Packed results: found as before, whole under interruptions, and as one table."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest
from macsmith.reports import explore, packs, store
from macsmith.reports.leases import lease
from macsmith.reports.store import ResultStore


def fill(results: ResultStore, numbers: range) -> None:
    for number in numbers:
        values: dict[str, Any] = {"area_um2": 0.5 * number, "front": [{"area_um2": number}]}
        results.put("synth", {"number": number, "versions": {"yosys": "0"}}, values, seconds=1.5)


def get(results: ResultStore, number: int) -> dict[str, Any] | None:
    record = results.get("synth", {"number": number, "versions": {"yosys": "0"}})
    return None if record is None else record.values


def key(number: int) -> str:
    return store.content_key("synth", {"number": number, "versions": {"yosys": "0"}})


def files(root: Path) -> int:
    return len(list(root.rglob("*.json")))


def test_packed_results_are_found_as_before(tmp_path: Path) -> None:
    results = ResultStore(tmp_path)
    fill(results, range(50))
    before = list(results.records("synth"))
    assert results.pack("synth", least=51) == 0
    assert results.pack("synth") == 50
    assert files(tmp_path) == 0
    for reader in (results, ResultStore(tmp_path)):
        assert list(reader.records("synth")) == before
        assert get(reader, 49) == {"area_um2": 24.5, "front": [{"area_um2": 49}]}
        assert get(reader, 50) is None
    fill(results, range(50, 53))
    assert results.pack("synth") == 3
    assert get(results, 51) is not None
    assert len(list(results.records("synth"))) == 53
    assert results.pack("synth") == 0


def test_failures_stay_and_a_later_result_counts(tmp_path: Path) -> None:
    results = ResultStore(tmp_path)
    fill(results, range(3))
    results.put("synth", {"number": 9}, failure="yosys: out of memory")
    results.pack("synth")
    assert files(tmp_path) == 1
    failed = results.get("synth", {"number": 9})
    assert failed is not None
    assert failed.is_failed
    results.put("synth", {"number": 9}, {"area_um2": 1.0})
    results.put("synth", {"number": 1, "versions": {"yosys": "0"}}, {"area_um2": 7.0})
    assert get(results, 1) == {"area_um2": 7.0}
    assert [record.values["area_um2"] for record in results.records("synth")].count(7.0) == 1
    assert len(results.frame("synth")) == 4


def test_the_frame_has_every_single_figure(tmp_path: Path) -> None:
    results = ResultStore(tmp_path)
    assert results.frame("synth").empty
    fill(results, range(4))
    results.pack("synth")
    results.put("synth", {"number": "many", "technology": "asap7"}, {"area_um2": 3, "lut4": 8})
    frame = results.frame("synth").set_index("key")
    assert sorted(frame.columns) == ["area_um2", "lut4", "number", "seconds", "technology"]
    assert sorted(frame["number"]) == ["0", "1", "2", "3", "many"]
    assert sorted(frame["area_um2"]) == [0.0, 0.5, 1.0, 1.5, 3.0]
    assert frame["lut4"].notna().sum() == 1
    for table in tmp_path.rglob("*.parquet"):
        table.write_bytes(b"cut off")
    pd.testing.assert_frame_equal(results.frame("synth").set_index("key"), frame)


def test_many_packs_become_one(tmp_path: Path) -> None:
    results, reader = ResultStore(tmp_path), ResultStore(tmp_path)
    for number in range(store._MOST_PACKS + 1):
        fill(results, range(number, number + 1))
        results.pack("synth")
        assert get(reader, 0) is not None
    assert len(list(tmp_path.rglob("*.sqlite"))) == 1
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    assert all(get(reader, number) is not None for number in range(store._MOST_PACKS + 1))


def test_an_interrupted_packing_loses_nothing(tmp_path: Path) -> None:
    results = ResultStore(tmp_path)
    fill(results, range(20))
    # before the pack is in its place, and between that and the removal of the files
    for place, name in ((packs, "_bring"), (packs.Pack, "table")):
        with (
            mock.patch.object(place, name, side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            results.pack("synth")
        assert files(tmp_path) == 20
        assert len(results.frame("synth")) == 20
    assert not list(tmp_path.rglob(f"{packs.PART_PREFIX}*"))
    assert results.pack("synth") == 20
    assert len(list(results.records("synth"))) == 20


@pytest.mark.parametrize("damage", ["hole", "cut", "empty", "overwritten"])
def test_a_damaged_pack_loses_what_is_damaged_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    results = ResultStore(tmp_path)
    fill(results, range(300))
    results.pack("synth")
    (path,) = tmp_path.rglob("*.sqlite")
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "hole": content[:middle] + bytes(8192) + content[middle + 8192 :],
            "cut": content[:middle],
            "empty": b"",
            "overwritten": b"x" * len(content),
        }[damage]
    )
    reader = ResultStore(tmp_path)
    found = [number for number in range(300) if get(reader, number) is not None]
    assert [record.values for record in reader.records("synth")] == [
        get(reader, number) for number in sorted(found, key=key)
    ]
    assert len(found) > 150 if damage == "hole" else not found
    assert caplog.text.count("damaged, what cannot be read of it is left aside") == 1
    # what is computed anew is kept beside it, and a pack with a hole is not thrown away
    lost = [number for number in range(300) if number not in found]
    for number in lost:
        fill(reader, range(number, number + 1))
    assert reader.pack("synth") == len(lost)
    for number in range(store._MOST_PACKS):
        fill(reader, range(1000 + number, 1001 + number))
        reader.pack("synth")
    assert path.exists()
    assert all(get(reader, number) is not None for number in range(300))


def test_results_that_cannot_be_packed_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    results = ResultStore(tmp_path / "store")
    fill(results, range(3))
    with (
        mock.patch.object(explore, "PACK_AT", 2),
        mock.patch.object(packs, "_new_database", side_effect=OSError("No space left on device")),
    ):
        explore.pack_if_many(tmp_path)
    assert "results of synth stay in files of their own: No space left" in caplog.text
    assert files(tmp_path) == 3
    # a table that finds no room is made anew each time
    with mock.patch.object(packs, "temporary_beside", side_effect=OSError("No space left")):
        results.pack("synth")
        assert len(results.frame("synth")) == 3
    assert not list(tmp_path.rglob("*.parquet"))
    assert len(results.frame("synth")) == 3


def test_a_pack_that_does_not_fit_is_no_pack(tmp_path: Path) -> None:
    results = ResultStore(tmp_path)
    fill(results, range(3))
    with (
        mock.patch.object(sqlite3, "connect", side_effect=sqlite3.OperationalError("disk full")),
        pytest.raises(OSError, match="a pack could not be written: disk full"),
    ):
        results.pack("synth")
    assert files(tmp_path) == 3
    assert list((tmp_path / "synth" / "packs").iterdir()) == []


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    results = ResultStore(tmp_path)
    fill(results, range(2))
    (folder, *_) = [path.parent for path in tmp_path.rglob("*.json")]
    old, new = folder / f"{packs.PART_PREFIX}1-ab", folder / f"{packs.PART_PREFIX}2-cd"
    old.write_text("{")
    new.write_text("{")
    past = time.time() - 2 * store._ABANDONED_SECONDS
    os.utime(old, (past, past))
    results.pack("synth")
    assert not old.exists()
    assert new.exists()


def test_one_packs_at_a_time(tmp_path: Path) -> None:
    results = ResultStore(tmp_path)
    fill(results, range(2))
    with lease(tmp_path / ".leases", "pack synth", wait=False):
        assert results.pack("synth") == 0
    assert results.pack("synth") == 2


def _read_all(root: str, count: int) -> None:
    results = ResultStore(Path(root))
    deadline = time.monotonic() + 60
    while not (Path(root) / "done").exists() and time.monotonic() < deadline:
        assert all(get(results, number) is not None for number in range(count))
        assert len(list(results.records("synth"))) >= count


def test_readers_see_everything_while_it_is_packed(tmp_path: Path) -> None:
    results = ResultStore(tmp_path)
    fill(results, range(20))
    reader = multiprocessing.get_context("spawn").Process(target=_read_all, args=(tmp_path, 20))
    reader.start()
    for number in range(20, 32):
        fill(results, range(number, number + 1))
        results.pack("synth")
        time.sleep(0.05)
    (tmp_path / "done").touch()
    reader.join()
    assert reader.exitcode == 0
