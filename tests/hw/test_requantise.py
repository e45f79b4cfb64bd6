"""The output stage in hardware: what reads a sum out, on all sums."""

from typing import Any

import macsmith.hw.output_stage
import pytest
from amaranth.hdl import Const
from logic import Logic, block_verilog
from macsmith.hw.convert import Convert
from macsmith.model import golden
from macsmith.model.design import parse_design
from macsmith.model.rounding import Rounding
from macsmith.model.widths import mac_widths

STAGES = (
    "outint4:requant1s0",
    "outint4:requant1s1",
    "outint8:requant3s2zm5",
    "outuint4:requant5s4z7b3",
    "outint4sym:requant7s5z1relu",
    "outint8:requant11s6zm100bm77relu90",
    "outuint8:requant2147483647s40z128",
    "outint8:requant1s10b5",
)


def wrong_results(text: str) -> list[str]:
    """All sums of 11 bits."""
    config = parse_design(text).mac
    widths = mac_widths(config).last
    assert widths.bits == 11
    sums = list(range(1 << 11))
    logic = Logic(block_verilog(Convert(config, widths, config.output_format)))
    wanted = [golden.result(config, each) for each in sums]
    assert len(set(wanted)) > 1
    return [
        f"{text}: sum {each:#x} gives {code:#x}, must be {want:#x}"
        for each, code, want in zip(sums, logic(partial_sum=sums)["code"], wanted, strict=True)
        if code != want
    ]


@pytest.mark.parametrize("rounding", Rounding)
def test_all_sums(rounding: Rounding) -> None:
    for stage in STAGES:
        wrong = wrong_results(f"int2:int11:{rounding.value}:{stage}")
        assert wrong == [], wrong[:3]


def _never(*_: Any) -> Const:
    return Const(0)


def test_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(macsmith.hw.output_stage, "_rounds_up", _never)
    found = [
        bool(wrong_results(f"int2:int11:{rounding.value}:{STAGES[2]}")) for rounding in Rounding
    ]
    assert found == [rounding is not Rounding.DOWN for rounding in Rounding]
