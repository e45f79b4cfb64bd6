"""Whole steps of all kinds of accumulators against the model."""

import random
import re
from typing import Any

import macsmith.hw.aligned_step
import macsmith.hw.fixed_step
import macsmith.hw.float_add
import macsmith.hw.lanes
import macsmith.hw.outer_step
import macsmith.hw.round_aligned
import macsmith.hw.window_step
import pytest
from amaranth.hdl import Const, Module
from macsmith.hw.emit import design_verilog
from macsmith.hw.heap import BitHeap
from macsmith.model.design import parse_design
from steps import random_design, wrong_steps

DESIGNS = """
e4m3:exact  e4m3:exact:lanes3  e5m2:exact  e4m3xe5m2:exact:lanes2  e2m1:exact:lanes4
int8:int32  int8xuint4:int20:lanes3  uint8:int24:wrap:lanes2  int8:int18:clip
int8:int16:clip:lanes5  e4m3:int20:wrap:lanes3  int4xe3m2:exact:lanes2  e4m3:exact:mule4m3
e5m2fnuz:exact:lanes2
e4m3:e6m9  e5m2:e6m9  e4m3xe5m2:e5m10  e2m1:e3m2  e4m3:e4m3  e5m2:e4m3:rna  e4m3:e4m3:rup
e4m3:e6m9fnns:rdn  e3m2ns:e4m3ns  e5m0:e3m0  e4m3:e5m2ns:rtz  e4m3:e4m3fnuz:nan  e8m7:e8m23
e4m3:e6m9:mule5m2  e5m2:e5m10:mule4m3:sat  int8xe4m3:e5m2  e1m3:e2m2  e5m2:e5m2:inf:rup
e4m3:e6m9:lanes4  e4m3:fp32:lanes2  int8:e6m9  int8:e5m2:lanes3:rdn  e5m2:e6m9:lanes2:rdn
e2m1:e3m2:lanes3  e4m3:e4m3ns:lanes2:rup  e5m2:e4m3b4:lanes2:nan  int4xe2m1:e4m3:lanes2:rdn
e4m3:e6m9/64  e4m3:exact/64/e6m9  e4m3:e6m9/8/fp32  e5m2:e5m10/16/exact  int8:int24/16/e6m9
e4m3:fp32_aligned25:lanes8  e4m3:ada  e4m3:fp32_aligned25_late:lanes4:rtz  fp16:v100_fp16
e4m3:fp32_aligned25:lanes8:goal=speed  e5m2:fp16_aligned9_emin14:lanes2:rup:goal=speed
e5m2:fp32_aligned13_keep13_emin12:lanes4:rna  e4m3:e6m9_aligned6_rne:lanes3  e3m0:e5m0_aligned3
e5m2:e4m3_aligned3_keep2_rne:lanes2:rdn  bf16:fp32_aligned24_emin132:lanes2:rup
e5m2:e6m9_aligned7_late_rne:lanes3  e4m3:e4m3_aligned9_keep1:lanes3:nan  e2m1:e3m2_aligned2:sat
e5m2ns:e4m3ns_aligned4:lanes2:rtz  e5m2fnuz:e5m10_aligned8:inf:rup  e4m3:e6m9_aligned9/8/exact
e4m3:int24/4/int30:clip  e4m3:exact/8/exact:lanes4  e4m3:e6m9/8/e5m2:sat  e5m2:e6m5/4/int80:wrap
e4m3:e6m9:sr8  e5m2:e6m9:srb11  e4m3:e6m9:src8  e4m3:fp16:lanes2:sr8  e4m3:e6m9/8:sr8
e5m2:e4m3:src3  e4m3:exact/8/e6m9:sr5  e4m3:e6m9/8/exact:sr7  e4m3:e4m3fnuz:src2:lanes2
e4m3:e5m0:sra4  int8:e6m9:sr4  e4m3:fp32:lanes2:src24  e2m1:e8m3:lanes2:srb5  e4m3:fp32:sr20
e4m3:e6m9:count=anticipate  e3m2:e6m5:rna:count=anticipate  e5m2:e6m9:rtz:normalise=late
e4m3:e5m4:sr4:normalise=late
e4m3:e6m9:mule5m2:srb1  e4m3:e2m1:lanes4  int8:e2m1:lanes3:srb1  e4m3:fp16:lanes2:rna
e4m3:e6m9:rto:path=single  e4m3:e6m9:rto:path=dual  e5m2:e6m9:lanes3:rto  e4m3:e4m3:rto:nan
e4m3ns:e4m3ns:rto  e5m0:e3m0:rto  e4m3:exact/8/e6m9:rto  e4m3:fp32_aligned25:lanes4:rto
e4m3:e4m3_aligned9:lanes3:nan:rto  e4m3:e6m9_aligned6_keep3:lanes2:rto  e4m3:exact:outint8:rto
e4m3:e6m9:mule4m3:rto  ue4m3xe4m3:e6m9  ue4m3:exact:lanes2  ue4m3xe2m1:e6m9:lanes3
ue5m3b16inxbinary5p3se:e6m9  ue4m3:fp32_aligned25:lanes4  ue3m2xint4:e5m10  binary6p3ue:exact
binary8p4se:e6m9  binary8p3se:exact:lanes2  binary8p4se:binary8p3se:lanes2:rup
binary8p4se:e6m9inuz:path=dual  binary8p4se:e6m9inuz:path=single  e5m2:e4m3in/4/e5m2inuz
e5m2:e5m10inuz_aligned9:lanes2  e5m2:e4m3inuz:sr4  e5m2:e5m2:prop  e5m2:e5m2:prop:rtz
e4m3:fp32_aligned13_keep13/8/fp32:lanes4:rtz  e5m2:e6m9_aligned6/4/e5m2:lanes2:rup
e5m2:e5m10_aligned6:lanes2:prop  e5m2:e5m10/4/e5m2:prop  e5m2:e6m9:mule5m2:prop
"""


def test_designs_of_all_kinds() -> None:
    texts = DESIGNS.split()
    assert len(texts) > 45
    for text in texts:
        wrong = wrong_steps(text, 1000)
        assert wrong == [], wrong[:2]


def test_partial_sums_far_below_all_products() -> None:
    for text in ("uint8q5:e4m0b120", "e3m2bm6:e3m2b20:lanes3:rdn"):
        assert wrong_steps(text, 300) == []


# Every choice with formats of all kinds: no fraction, no subnormals, NaN of all sorts, infinities,
# two formats, integers, rounded products.
CHOSEN = """
e4m3:exact:lanes3  e5m2xe4m3ieee:exact:lanes2  e5m2fnuz:exact  e3m2ns:exact:lanes2
e3m0xint4:exact:lanes3  uint4xint5:int12:wrap:lanes2  e4m3:exact:mule4m3:lanes2  e5m2:e6m9:lanes3
e2m3:int12:clip:lanes4
"""
CHOICES = """
multiply=booth:align=shift:reduce=columns  multiply=operator:signs=block:reduce=dadda
multiply=dadda:align=shift:signs=block:reduce=columns  multiply=table:align=split:signs=block
multiply=array:align=split:signs=word:reduce=columns  goal=speed:signs=word  goal=speed:signs=block
"""


@pytest.mark.parametrize("choices", CHOICES.split())
def test_every_architecture(choices: str) -> None:
    """Every second design, so that two choices in a row meet all of them."""
    for text in CHOSEN.split()[CHOICES.split().index(choices) % 2 :: 2]:
        wrong = wrong_steps(f"{text}:{choices}", 400)
        assert wrong == [], wrong[:2]


MULTIPLIERS = ("array", "dadda", "booth", "operator", "table")
# Paths and formats of float steps, each with one kind of multiplier; all with all are slow
MULTIPLIED = """
e4m3:e6m9:multiply=booth  e4m3:e6m9:path=dual:multiply=table  e3m0xe4m3:e6m9:multiply=array
e5m2xe2m3:e6m9:rtz:path=single:multiply=booth  e4m3:fp32:mule5m2:path=dual:multiply=operator
e2m3:fp32_aligned9:lanes2:multiply=table
"""


def test_multipliers_of_float_steps() -> None:
    for text in MULTIPLIED.split():
        assert wrong_steps(text, 400) == []


@pytest.mark.parametrize("path", ["compact", "dual"])
def test_each_multiplier_is_another_circuit(path: str) -> None:
    bodies = set()
    for multiply in MULTIPLIERS:
        design = parse_design(f"e4m3:e6m9:path={path}:multiply={multiply}")
        bodies.add(re.sub(r"^//.*|" + design.id, "", design_verilog(design), flags=re.M))
    assert len(bodies) == len(MULTIPLIERS)


@pytest.mark.slow
@pytest.mark.parametrize("multiply", MULTIPLIERS)
def test_every_multiplier_of_float_steps(multiply: str) -> None:
    for text in MULTIPLIED.split():
        assert wrong_steps(f"{text.rpartition(':')[0]}:multiply={multiply}", 4000) == []


@pytest.mark.slow
@pytest.mark.parametrize("choices", CHOICES.split())
def test_every_architecture_of_every_design(choices: str) -> None:
    for text in CHOSEN.split():
        wrong = wrong_steps(f"{text}:{choices}", 4000)
        assert wrong == [], wrong[:2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e5m2:e6m9:count=anticipate", "the path must be compact, not single"),
        ("e4m3:e6m9:count=anticipate:goal=speed", "the path must be compact, not dual"),
        ("e4m3:exact:normalise=late", "must add one product of floats a step to a float"),
        ("e4m3:e6m9:lanes2:normalise=early", "all others normalise the sum only; leave it out"),
        ("e4m3:e6m9:normalise=late:path=dual", "on a single path: leave path=dual out"),
    ],
)
def test_normalisers_that_cannot_be_built(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        design_verilog(parse_design(text))


def test_a_table_that_would_be_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 10 bits together, not 8 and 8; choose multiply"):
        design_verilog(parse_design("e8m7:exact/64/fp32:lanes4:multiply=table"))


@pytest.mark.parametrize("text", ["e2m1:e3m2", "e2m1:e2m1ns:rup", "e3m2:exact", "int4:int9:clip"])
def test_all_operand_pairs_and_many_sums(text: str) -> None:
    assert wrong_steps(text, 40000) == []


def check_random_designs(count: int, seed: int) -> None:
    rng = random.Random(seed)
    done = 0
    while done < count:
        text = random_design(rng)
        try:
            parse_design(text)
        except ValueError:
            continue
        wrong = wrong_steps(text, 1000, seed)
        assert wrong == [], wrong[:2]
        done += 1


def test_random_designs() -> None:
    check_random_designs(12, 20)


@pytest.mark.slow
def test_many_random_designs() -> None:
    check_random_designs(300, 21)


def _swapped(
    m: Module,
    platform: Any,
    heap: BitHeap,
    numbers: Any,
    signs: Any,
    weight: int = 0,
    **options: Any,
) -> None:
    for number in numbers:  # the negative numbers are one too small
        heap.add_sign_extended(number, weight)


def _plus_zero(value: Any, *shape: Any) -> Const:
    return Const(0, *shape)  # the sign of a cancelled sum is the only constant 1


def _largest_of_all(a: Any, b: Any) -> Any:
    return Const(1)  # zeros count too


def _zeros_from_below(*arguments: Any) -> Any:
    return RIGHT_SHIFT(*arguments[:5], None, *arguments[6:])


RIGHT_SHIFT = macsmith.hw.round_aligned.shift_out_leading_zeros


def _never_all_negative(all_positive: Any, all_negative: Any, *rest: Any) -> Any:
    return RIGHT_FACTS(all_positive, Const(0), *rest)


class _NoCarry(macsmith.hw.window_step.RoundComplement):
    """Negative sums come out one too small."""

    def _add(self, *args: Any) -> None:
        super()._add(*args[:-1], Const(0))


RIGHT_FACTS = macsmith.hw.lanes.LaneFacts


@pytest.mark.parametrize(
    ("module", "name", "bug", "text"),
    [
        (macsmith.hw.lanes, "add_ones_complements", _swapped, "e4m3:exact:lanes2"),
        (
            macsmith.hw.lanes,
            "add_corrections",
            lambda *args, **options: None,
            "e4m3:exact:lanes2:signs=block",
        ),
        (
            macsmith.hw.fixed_step,
            "clip",
            lambda m, name, value, bits: value[:bits],
            "int8:int16:clip",
        ),
        (macsmith.hw.float_add, "Const", _plus_zero, "e4m3:e6m9:rdn"),
        (
            macsmith.hw.window_step,
            "shift_right_sticky",
            lambda m, name, value, amount, width: (value >> amount)[:width],
            "e4m3:fp32:lanes2",
        ),
        (macsmith.hw.window_step, "RoundComplement", _NoCarry, "e4m3:fp16:lanes2:sr8"),
        (macsmith.hw.lanes, "LaneFacts", _never_all_negative, "e5m2:e6m9:lanes2"),
        (
            macsmith.hw.outer_step,
            "add_ones_complements",
            _swapped,
            "e4m3:e6m9/8/exact",
        ),
        (macsmith.hw.aligned_step, "is_not_zero", _largest_of_all, "e4m3:fp32_aligned9:lanes4"),
        (
            macsmith.hw.round_aligned,
            "shift_out_leading_zeros",
            _zeros_from_below,
            "e4m3:fp32_aligned25:lanes4:rtz",
        ),
    ],
    ids=[
        "ones",
        "blocks",
        "clip",
        "zero_sign",
        "sticky",
        "carry",
        "all_negative",
        "chunk",
        "zero",
        "lacking_one",
    ],
)
def test_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, bug: Any, text: str
) -> None:
    monkeypatch.setattr(module, name, bug)
    assert wrong_steps(text, 4000)
