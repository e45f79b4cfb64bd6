"""Float accumulators in their architectures, against the model."""

import random
from dataclasses import replace
from typing import Any

import macsmith.hw.compact_add
import macsmith.hw.far_path
import macsmith.hw.loose_add
import macsmith.hw.near_path
import pytest
from amaranth.hdl import Const
from macsmith.hw.architecture import resolve_architecture
from macsmith.model.design import parse_design
from steps import random_design, wrong_steps

DESIGNS = """
e4m3:e6m9  e5m2:e6m9  e5m2:e6m9:rup  e4m3:e5m10:rdn  e4m3:e8m7  e3m2:e6m5:rtz  e4m0:e6m4
e4m3xe5m2:e6m9:sat  e4m3:e6m9:mule5m2  int8xe4m3:e5m10  e4m3fnuz:e6m9fnuz:rna  e4m3ns:e6m9
e2m0xe3m2:e4m3fn:rup  e4m3:e6m9/8  e2m1:e3m4  e5m4fxe5m4f:e6m10fn  e1m3xe3m0fns:e2m5fn:rtz
e5m1fnuz:e7m7bm3fnuz:mule8m7bm3f:rna  e2m1ns:e6m8bm3:rdn  e4m0bm3fn:e3m7:rna:inf
"""

COMPACT_DESIGNS = """
e4m3:e6m9  e4m3:e6m9:rna  e4m3:e6m9:sat  e3m2:e6m5  e4m3:e8m7  e4m3fnuz:e7m9fnuz  e5m2:e8m7
e2m1:e5m3  e4m3:e7m9fn:mule5m2  int8xe4m3:e8m10  e4m0:e7m4  e3m0:e6m0  e4m3:e6m9/8/e4m3
"""


@pytest.mark.parametrize(
    ("path", "designs", "count"), [("dual", DESIGNS, 20), ("compact", COMPACT_DESIGNS, 13)]
)
def test_designs_of_all_kinds(path: str, designs: str, count: int) -> None:
    texts = designs.split()
    assert len(texts) == count
    for text in texts:
        wrong = wrong_steps(f"{text}:path={path}", 2000)
        assert wrong == [], wrong[:2]


def test_all_operand_pairs_and_many_sums() -> None:
    assert wrong_steps("e2m1:e3m3:path=dual", 40000) == []


def check_random_designs(count: int, seed: int, goal: str, path: str) -> None:
    rng = random.Random(seed)
    done = 0
    while done < count:
        text = f"{random_design(rng)}:goal={goal}"
        try:
            design = parse_design(text)
        except ValueError:
            continue
        if resolve_architecture(design.mac, design.implementation).path == path:
            wrong = wrong_steps(text, 2000, seed)
            assert wrong == [], wrong[:2]
            done += 1


def test_random_designs() -> None:
    check_random_designs(5, 30, "speed", "dual")
    check_random_designs(5, 30, "area", "compact")


@pytest.mark.slow
def test_many_random_designs() -> None:
    check_random_designs(150, 31, "speed", "dual")
    check_random_designs(150, 31, "area", "compact")


def test_compact_is_refused_near_subnormal_numbers() -> None:
    for text, reason in (
        ("e5m2:e6m9", "terms reach the subnormal numbers of e6m9"),
        ("e4m3:e6m9:rup", "a partial sum far below a term decides how it is rounded"),
    ):
        design = parse_design(f"{text}:path=compact")
        with pytest.raises(ValueError, match="far above its smallest binade, but ") as caught:
            resolve_architecture(design.mac, design.implementation)
        assert f"but {reason};" in str(caught.value)
        design = parse_design(text)
        assert resolve_architecture(design.mac, design.implementation).path == "single"


def test_what_two_paths_cannot_add_is_refused() -> None:
    for text, reason in (
        ("e4m3:e4m3", "terms of 8 bits are wider than the 4 of e4m3"),
        ("e4m3:e6m9ns", "e6m9ns has no subnormal numbers"),
        ("e8m7:e8m23", "terms have bits below the last one of e8m23"),
        ("e4m3:exact", "the accumulator is fixed point"),
        ("e4m3:e6m9:lanes2", "2 lanes are summed in fixed point first"),
        ("int4:e6m9", "integer products are added in fixed point"),
    ):
        design = parse_design(f"{text}:path=dual")
        with pytest.raises(ValueError, match="path=dual: must be a float") as caught:
            resolve_architecture(design.mac, design.implementation)
        assert str(caught.value).endswith(f"but {reason}; leave path out or say path=single")
        design = parse_design(f"{text}:goal=speed")
        assert resolve_architecture(design.mac, design.implementation).path == "single"


RIGHT_RANGE = macsmith.hw.loose_add.TermRange.of
RIGHT_ALIGN = macsmith.hw.compact_add.CompactAdd._align
RIGHT_ZEROS = macsmith.hw.near_path.leading_zeros


@pytest.mark.parametrize(
    ("module", "name", "bug", "text"),
    [
        (
            macsmith.hw.near_path,
            "leading_zeros",
            lambda m, name, value: RIGHT_ZEROS(m, name, value) & ~1,
            "e5m2:e6m9:path=dual",
        ),
        (
            macsmith.hw.far_path,
            "is_rounded_up",
            lambda rounding, sign, last_bit, round_bit, sticky_bit: round_bit,
            "e4m3:e6m9:path=dual",
        ),
        (  # a subnormal partial sum is taken to have a hidden bit
            macsmith.hw.loose_add.TermRange,
            "of",
            lambda *arguments: replace(RIGHT_RANGE(*arguments), is_limited=False),
            "e5m2:e6m9:path=dual",
        ),
        (
            macsmith.hw.compact_add,
            "is_rounded_up",
            lambda rounding, sign, last_bit, round_bit, sticky_bit: round_bit & sticky_bit,
            "e4m3:e6m9",
        ),
        (
            macsmith.hw.compact_add.CompactAdd,
            "_align",
            staticmethod(lambda m, word, distance: (RIGHT_ALIGN(m, word, distance)[0], Const(0))),
            "e4m3:e6m9",
        ),
    ],
    ids=["near_zeros", "far_tie", "subnormals", "compact_tie", "compact_sticky"],
)
def test_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, bug: Any, text: str
) -> None:
    monkeypatch.setattr(module, name, bug, raising=False)
    assert wrong_steps(text, 4000)
