"""The result store: keys, crash safety, two processes, missing and failed results."""

from __future__ import annotations

import json
import logging
import multiprocessing
import time
from pathlib import Path

import pytest
from macsmith.reports.store import ResultStore, content_key

DETERMINANTS = {"design": "e4m3:exact", "verilog_sha256": "ab", "versions": {"pyosys": "0.70"}}


def test_kept_and_found(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "store")
    assert store.get("synth", DETERMINANTS) is None
    store.put("synth", DETERMINANTS, {"area_um2": 48.5}, seconds=1.25)
    record = ResultStore(tmp_path / "store").get("synth", dict(reversed(DETERMINANTS.items())))
    assert record is not None
    assert record.values == {"area_um2": 48.5}
    assert record.seconds == 1.25
    assert not record.is_failed


def test_a_record_says_when_it_was_kept(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    before = time.time() - 0.001
    record = store.put("synth", DETERMINANTS, {"area_um2": 48.5})
    assert record.finished_unix_s is not None
    assert before <= record.finished_unix_s <= time.time() + 0.001
    # an earlier version's record, which does not
    (path,) = tmp_path.rglob("*.json")
    document = json.loads(path.read_text())
    del document["finished_unix_s"]
    path.write_text(json.dumps(document))
    older = store.get("synth", DETERMINANTS)
    assert older is not None
    assert (older.values, older.finished_unix_s) == (record.values, None)


@pytest.mark.parametrize(
    "change",
    [
        {"design": "e5m2:exact"},
        {"verilog_sha256": "ac"},
        {"versions": {"pyosys": "0.71"}},
        {"clock_ps": 500},
    ],
)
def test_whatever_changes_makes_another_key(change: dict[str, object]) -> None:
    assert content_key("synth", DETERMINANTS) != content_key("synth", DETERMINANTS | change)


def test_the_step_is_part_of_the_key() -> None:
    assert content_key("synth", DETERMINANTS) != content_key("verify", DETERMINANTS)


def test_a_missing_metric_is_absent_and_never_zero(tmp_path: Path) -> None:
    record = ResultStore(tmp_path).put("synth", DETERMINANTS, {"area_um2": 1.0, "delay_ps": None})
    assert record.values == {"area_um2": 1.0}


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="synth: delay_ps must be a finite number, not nan"):
        ResultStore(tmp_path).put("synth", DETERMINANTS, {"delay_ps": float("nan")})
    assert list(tmp_path.rglob("*")) == []


def test_a_failure_has_a_reason_and_no_values(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.put("synth", DETERMINANTS, failure="yosys: out of memory")
    record = store.get("synth", DETERMINANTS)
    assert record is not None
    assert record.is_failed
    assert record.failure == "yosys: out of memory"
    assert record.values == {}
    for values, failure in ((None, None), ({"area_um2": 1.0}, "no")):
        with pytest.raises(ValueError, match="either values or a failure"):
            store.put("synth", DETERMINANTS, values, failure=failure)


@pytest.mark.parametrize("damage", ["", "{", '{"step": "synth"}', "changed", "numbers"])
def test_a_damaged_file_is_told_and_left_aside(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = ResultStore(tmp_path)
    store.put("synth", DETERMINANTS, {"area_um2": 1.0})
    (path,) = tmp_path.rglob("*.json")
    if damage in ("changed", "numbers"):
        document = json.loads(path.read_text())
        if damage == "changed":
            document["determinants"]["design"] = "int8:int32"
        else:
            document["determinants"] = 3
        damage = json.dumps(document)
    path.write_text(damage)
    with caplog.at_level(logging.WARNING):
        assert store.get("synth", DETERMINANTS) is None
    assert "left aside" in caplog.text


def _write_many(root: str) -> None:
    store = ResultStore(Path(root))
    for number in range(200):
        store.put("synth", {"number": number}, {"area_um2": float(number)})
        record = store.get("synth", {"number": number})
        assert record is not None and record.values == {"area_um2": float(number)}  # noqa: PT018


def test_two_processes_write_the_same_results(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_many, args=(str(tmp_path),)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    records = list(ResultStore(tmp_path).records("synth"))
    assert sorted(record.values["area_um2"] for record in records) == list(range(200))
    assert len(list(tmp_path.rglob("*"))) == len(records) + len(
        [path for path in tmp_path.rglob("*") if path.is_dir()]
    )
