"""Tensor cores, by definition, fast and in hardware, against recorded results.

The records are no part of the project: ``shared/vectors/tensorcore`` beside it, or what the
environment names in ``MACSMITH_VECTORS``, has them, with their source and licence.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from logic import Logic, block_verilog
from macsmith.hw.step import Unit
from macsmith.model import fast, golden
from macsmith.model.design import Design, parse_design

BESIDE = Path(__file__).parents[2].parent / "shared" / "vectors"
FOLDER = Path(os.environ.get("MACSMITH_VECTORS", BESIDE)) / "tensorcore"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the recorded tensor-core results are not at {FOLDER}"
)

#: Name of a set, and the design it was recorded from.
SETS = {
    "V100_fp16": "fp16:v100",
    "A100_fp16": "fp16:a100",
    "A100_bf16": "bf16:a100",
    "Ada_E4M3": "e4m3:ada",
    "Ada_E5M2": "e5m2:ada",
    "H100_E4M3": "e4m3:h100",
    "B200_E4M3": "e4m3:b200",
}


@dataclass(frozen=True)
class Rows:
    """Codes: `a` and `b` of shape (rows, K), partial sums before and results of shape (rows,)."""

    design: Design
    a: np.ndarray
    b: np.ndarray
    before: np.ndarray
    after: np.ndarray


def read_rows(name: str) -> Rows:
    """One set of recorded rows."""
    recorded = np.load(FOLDER / f"{name}.npz")
    design = parse_design(SETS[name])
    config = design.mac
    assert config.aligned is not None
    fmt = config.aligned.format
    # the recorded Hopper FP8 products were not added to anything
    before = recorded["c"] * (0 if name.startswith("H100_E") else 1)
    return Rows(
        design,
        fast.encode(config.a, recorded["a"]).astype(np.uint32),
        fast.encode(config.b, recorded["b"]).astype(np.uint32),
        fast.encode(fmt, before).astype(np.uint64),
        fast.encode(fmt, recorded["d"]).astype(np.uint64),
    )


@pytest.mark.parametrize("name", SETS)
def test_recorded_rows_in_the_models(name: str) -> None:
    """Every row, by the definition and by the fast model."""
    rows = read_rows(name)
    config = rows.design.mac
    length = rows.a.shape[1]
    assert len(rows.a) == 200
    assert length % config.lanes == 0
    after = rows.before
    for k in range(0, length, config.lanes):
        block = slice(k, k + config.lanes)
        after = fast.step(config, after, rows.a[:, block], rows.b[:, block])
    assert (after == rows.after).all()
    for row in range(len(rows.a)):
        bits = int(rows.before[row])
        for k in range(0, length, config.lanes):
            block = slice(k, k + config.lanes)
            bits = golden.step(
                config, bits, rows.a[row, block].tolist(), rows.b[row, block].tolist()
            )
        assert bits == rows.after[row], (name, row)


def test_recorded_rows_tell_a_wrong_width() -> None:
    rows = read_rows("Ada_E4M3")
    for text in ("e4m3:fp32_aligned14_keep13:lanes16:rtz", "e4m3:fp32_aligned13:lanes16:rtz"):
        config = parse_design(text).mac
        after = rows.before
        for k in (0, 16):
            after = fast.step(config, after, rows.a[:, k : k + 16], rows.b[:, k : k + 16])
        assert (after != rows.after).any()


@pytest.mark.parametrize("name", SETS)
def test_recorded_rows_in_hardware(name: str) -> None:
    rows = read_rows(name)
    config = rows.design.mac
    logic = Logic(block_verilog(Unit(config)))
    partial_sums = [int(bits) for bits in rows.before]
    for k in range(0, rows.a.shape[1], config.lanes):
        inputs = {"partial_sum_i": partial_sums}
        for side, fmt, codes in (("a", config.a, rows.a), ("b", config.b, rows.b)):
            inputs[side] = [
                sum(int(code) << lane * fmt.bits for lane, code in enumerate(row))
                for row in codes[:, k : k + config.lanes]
            ]
        partial_sums = logic(**inputs)["partial_sum_o"]
    assert partial_sums == [int(bits) for bits in rows.after]
