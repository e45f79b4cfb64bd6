"""Steps of block formats against the model."""

from typing import Any

import macsmith.hw.block_step
import pytest
from amaranth.hdl import Const
from macsmith.model.design import parse_design
from steps import wrong_steps

DESIGNS = """
e2m1_e8m0_b4:fp32:lanes4  nvfp4:fp16:lanes4  e5m2_e8m0_b4:fp32:lanes2  vsq4:int24:lanes16:wrap
e5m2_ue4m3_b4:e6m9:lanes4:rdn  int4_ue4m3_b4:int40:lanes4:clip  e4m3xint4_uint3_b4:e5m2:lanes4
"""
MORE = """
mxfp8_e4m3:fp32:lanes32  nvfp4:fp32:lanes16  mxfp8_e5m2:fp32:lanes8  mxint8:fp32:lanes32
e2m1_e8m0_b4:exact:lanes4:terms8  e4m3_ue4m3_b4:e6m9:lanes4:rup  e4m3_e8m0_b4xe5m2:bf16:lanes2:rtz
e4m3_e8m0_b8:e6m9fnns:lanes8  e5m2_ue8m1fn_b2:fp16:rna  e3m2_e8m0_b4:e4m3:lanes4:nan
e4m3_uint4_b4:exact:lanes2  e2m3_ue5m3_b4:fp32:lanes4:goal=speed
"""


@pytest.mark.parametrize("text", DESIGNS.split())
def test_steps(text: str) -> None:
    wrong = wrong_steps(f"{text}:unit", 1500)
    assert wrong == [], wrong[:2]


@pytest.mark.slow
@pytest.mark.parametrize("text", MORE.split())
def test_more_steps(text: str) -> None:
    wrong = wrong_steps(f"{text}:unit", 4000)
    assert wrong == [], wrong[:2]


def test_a_lost_scale_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug: the smallest scale of A, code 0, counts as the next one."""
    step = macsmith.hw.block_step.BlockStep
    decoded = step._decoded

    def broken(self: Any, m: Any, platform: Any, side: str, fmt: Any) -> Any:
        term = decoded(self, m, platform, side, fmt)
        if side == "b":
            return term
        from dataclasses import replace

        is_least = term.exponent == Const(0)
        return replace(term, exponent=term.exponent + is_least)

    monkeypatch.setattr(step, "_decoded", broken)
    assert wrong_steps("e2m1_e8m0_b4:fp32:lanes4:unit", 1500)


def test_a_whole_block_needs_no_inner_register() -> None:
    from macsmith.hw.emit import design_verilog

    verilog = design_verilog(parse_design("e2m1_e8m0_b4:fp16:lanes4"))
    assert "block_sum" in verilog
    assert "chunk_end" not in verilog.split("endmodule")[-2]
