"""Each component alone, against fractions; and that each check finds a bug planted in it."""

import random
from collections.abc import Callable
from typing import Any

import components
import macsmith.hw.align
import macsmith.hw.convert
import macsmith.hw.decode
import macsmith.hw.encode
import macsmith.hw.lane
import macsmith.hw.multiply
import macsmith.hw.normalise
import macsmith.hw.partial_products
import macsmith.hw.placement
import macsmith.hw.round
import macsmith.hw.round_term
import pytest
from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from components import Outcome
from logic import Logic, block_verilog
from macsmith.hw.block import Block
from macsmith.hw.heap import BitHeap, HeapOrder
from macsmith.hw.partial_products import Multiplier
from macsmith.hw.placement import Alignment, Signs
from macsmith.model.formats import parse_format
from macsmith.model.rounding import Overflow, Rounding

DECODED = [
    "e4m3",
    "e5m2",
    "e2m1",
    "e2m3",
    "e3m2",
    "e3m4",
    "e4m3ieee",
    "e4m3fnuz",
    "e5m2fnuz",
    "e4m3b11fnuz",
    "e4m3b4",
    "e5m2ns",
    "e4m3fnns",
    "e6m2fns",
    "e8m0",
    "e5m0f",
    "e1m0f",
    "e1m3",
    "e1m3f",
    "e1m2ns",
    "int8",
    "uint8",
    "int2",
    "uint5",
    "int8sym",
    "int8q6",
    "e3m0fnuz",
    "ue4m3",
    "ue3m2in",
    "ue2m2ns",
    "ue3m2nz",
    "ue3m2ieee",
    "e3m2in",
    "binary8p4se",
    "binary6p2ue",
]


def expect_right(outcome: Outcome, at_least: int) -> None:
    """Fail with the first wrong vectors, or if too few were tried."""
    assert outcome.wrong == [], outcome.wrong[:3]
    assert outcome.count >= at_least


@pytest.mark.parametrize("name", DECODED)
def test_decode_all_codes(name: str) -> None:
    expect_right(components.check_decode(name), 1 << parse_format(name).bits)


@pytest.mark.parametrize(
    ("a", "b"), [("e4m3", "e4m3"), ("e5m2", "e4m3"), ("e2m1", "int4"), ("e1m0f", "e3m2")]
)
def test_multiply_all_significands(a: str, b: str) -> None:
    expect_right(components.check_multiply(a, b), 100)


@pytest.mark.parametrize(("width", "exponent_bits"), [(2, 1), (7, 3), (9, 4), (10, 5)])
def test_normalise_all_values(width: int, exponent_bits: int) -> None:
    expect_right(components.check_normalise(width, exponent_bits), 1 << (width + exponent_bits))


@pytest.mark.parametrize(
    ("operand", "target"),
    [("e4m3", "e6m9"), ("e5m2", "e6m9"), ("e4m3", "e4m3"), ("e4m3ns", "e5m10"), ("int6", "e5m2")],
)
def test_normalise_term_all_products(operand: str, target: str) -> None:
    expect_right(components.check_normalise_term(operand, target), 500)


@pytest.mark.parametrize("bits", [(8, 10, 3), (6, 3, 1), (4, 4, 3), (1, 1, 3), (2, 9, 3)])
def test_align(bits: tuple[int, int, int]) -> None:
    expect_right(components.check_align(*bits), 80000)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize(
    "name", ["e4m3", "e2m1", "e3m0", "e3m0ns", "e3m2ns", "e2m1ns", "e1m2", "e5m5"]
)
def test_round_all_significands(name: str, rounding: Rounding) -> None:
    expect_right(components.check_round(name, rounding), 300)


@pytest.mark.parametrize(
    "rounding",
    [Rounding.NEAREST_EVEN, Rounding.TOWARD_ZERO, Rounding.DOWN, Rounding.TO_ODD],
)
@pytest.mark.parametrize(
    ("name", "overflow"),
    [
        ("e4m3", Overflow.SATURATE),
        ("e4m3", Overflow.NAN),
        ("e5m2", Overflow.INFINITY),
        ("e5m2", Overflow.SATURATE),
        ("e5m2", Overflow.NAN),
        ("e3m2", Overflow.SATURATE),
        ("e3m2fnuz", Overflow.NAN),
        ("e4m0", Overflow.NAN),
        ("e1m2", Overflow.INFINITY),
        ("e5m2", Overflow.PROPAGATE),
        ("e4m3inuz", Overflow.PROPAGATE),
        ("e4m3inuz", Overflow.NAN),
        ("e3m2in", Overflow.INFINITY),
    ],
)
def test_encode_all_magnitudes(name: str, overflow: Overflow, rounding: Rounding) -> None:
    expect_right(components.check_encode(name, rounding, overflow), 100)


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("e5m4", "e4m3"),
        ("e4m3", "e5m2"),
        ("e5m3", "e2m2ns"),
        ("e3m4", "e4m1fnuz"),
        ("e5m0", "e3m0"),
    ],
)
def test_round_term_all_codes(source: str, target: str, rounding: Rounding) -> None:
    expect_right(components.check_round_term(source, target, rounding), 60)


@pytest.mark.parametrize("multiplier", ["dadda", "booth", "operator", "table"])
def test_multipliers_all_significands(multiplier: Multiplier) -> None:
    for a, b in (("e4m3", "e4m3"), ("e5m2", "uint5"), ("e2m1", "int4"), ("e3m0", "e3m4")):
        expect_right(components.check_multiply(a, b, multiplier), 100)


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e2m1", "e2m3", "e3m2ns", "e6m0f", "e1m3f"])
@pytest.mark.parametrize("align", ["shift", "split"])
@pytest.mark.parametrize("signs", ["word", "block"])
def test_fixed_term_all_numbers(name: str, align: Alignment, signs: Signs) -> None:
    expect_right(components.check_fixed_term(name, align, signs), 14)
    expect_right(components.check_fixed_term(name, align, signs, drops=True), 30)


@pytest.mark.parametrize(
    "text",
    [
        "e4m3:exact",
        "e5m2:exact:oute4m3:rup",
        "e5m2:exact:oute3m2ns:rdn",
        "e2m1:exact:outint4:rna",
        "e4m3:int9:wrap:outuint5:rtz",
        "int8:int20:outint8sym",
        "int4:int12:oute4m3",
        "int8q6:int24:outint8q6",
        "e4m3:e5m2:oute4m3fnuz:nan",
        "e4m3:e5m2:oute2m1",
        "e4m3:e5m2:outint6:rdn",
        "e4m3:e5m5:outuint4:rup",
        "e4m3:e4m3ns:oute5m2",
        "e3m2:e4m6:outint9q4",
    ],
)
def test_convert(text: str) -> None:
    expect_right(components.check_convert(text), 64)


class Adder(Block):
    """Sums numbers of given widths, weights and signs; for the test of the heap."""

    def __init__(
        self,
        rows: tuple[tuple[int, int, str], ...],
        constant: int,
        width: int,
        order: HeapOrder,
    ) -> None:
        self.rows, self.constant, self.order = rows, constant, order
        members = {f"x{index}": In(bits) for index, (bits, _, _) in enumerate(rows)}
        super().__init__("adder", {**members, "total": Out(width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        heap = BitHeap(m, platform, "add", len(self.total), self.order)
        for index, (_, weight, kind) in enumerate(self.rows):
            value: Signal = getattr(self, f"x{index}")
            match kind:
                case "unsigned":
                    heap.add_unsigned(value, weight)
                case "signed":
                    heap.add_signed(value, weight)
                case "extended":
                    heap.add_sign_extended(value, weight)
        heap.add_constant(self.constant)
        m.d.comb += self.total.eq(heap.sum())
        return m

    total: Signal


def heap_wrong(seed: int, order: HeapOrder) -> int:
    """Wrong sums of a heap of random shape."""
    rng = random.Random(seed)
    rows = tuple(
        (rng.randint(1, 9), rng.randint(0, 6), rng.choice(("unsigned", "signed", "extended")))
        for _ in range(rng.randint(1, 17))
    )
    width, constant = rng.randint(3, 18), rng.randint(-500, 500)
    vectors = [[rng.getrandbits(bits) for bits, _, _ in rows] for _ in range(500)]
    logic = Logic(block_verilog(Adder(rows, constant, width, order)))
    got = logic(**{f"x{i}": [vector[i] for vector in vectors] for i in range(len(rows))})["total"]
    wrong = 0
    for vector, total in zip(vectors, got, strict=True):
        want = constant
        for number, (bits, weight, kind) in zip(vector, rows, strict=True):
            if kind != "unsigned":
                number -= (number >> (bits - 1)) << bits
            want += number << weight
        wrong += total != want % (1 << width)
    return wrong


@pytest.mark.parametrize("order", ["columns", "dadda"])
@pytest.mark.parametrize("seed", range(8))
def test_bit_heap_sums(seed: int, order: HeapOrder) -> None:
    assert heap_wrong(seed, order) == 0


def _no_subnormals(self: macsmith.hw.decode.Decode, m: Module, fmt: Any) -> None:
    term = self.term
    m.d.comb += [
        term.sign.eq(self.code[-1]),
        term.significand.eq(Cat(self.code[: fmt.fraction_bits], 1)),
        term.exponent.eq(self.code[fmt.fraction_bits : -1]),
    ]


def _no_sticky(rounding: Any, sign: Any, last_bit: Any, round_bit: Value, sticky_bit: Any) -> Value:
    return round_bit & last_bit  # a tie where there is none


def _fewer_leading_zeros(
    m: Module, name: str, value: Value, max_shift: int, limit: Any = None
) -> Any:
    return RIGHT["shift_out_leading_zeros"](m, name, value, max_shift // 2, limit)


def _lost_sticky(m: Module, name: str, value: Value, amount: Value, width: int) -> Value:
    return RIGHT["shift_right_sticky"](m, name, value, amount, width)[1:] << 1


def _zero_fill(
    m: Module, name: str, value: Value, amount: Value, reach: int, fill: Any = None
) -> Value:
    return RIGHT["shift_left"](m, name, value, amount, reach)


RIGHT: dict[str, Any] = {
    "shift_out_leading_zeros": macsmith.hw.normalise.shift_out_leading_zeros,
    "shift_right_sticky": macsmith.hw.align.shift_right_sticky,
    "add_bit": BitHeap.add_bit,
    "_selects": macsmith.hw.placement._selects,
    "shift_left": macsmith.hw.placement.shift_left,
}
RNE, RUP = Rounding.NEAREST_EVEN, Rounding.UP


@pytest.mark.parametrize(
    ("module", "name", "bug", "check"),
    [
        (
            macsmith.hw.decode.Decode,
            "_decode_float",
            _no_subnormals,
            lambda: components.check_decode("e4m3"),
        ),
        (
            macsmith.hw.multiply.BitHeap,
            "add_bit",
            lambda heap, weight, bit, *when: RIGHT["add_bit"](heap, weight - (weight == 3), bit),
            lambda: components.check_multiply("e4m3", "e4m3"),
        ),
        (
            macsmith.hw.normalise,
            "shift_out_leading_zeros",
            _fewer_leading_zeros,
            lambda: components.check_normalise(7, 3),
        ),
        (
            macsmith.hw.round_term,
            "shift_out_leading_zeros",
            _fewer_leading_zeros,
            lambda: components.check_normalise_term("e4m3", "e6m9"),
        ),
        (
            macsmith.hw.align,
            "shift_right_sticky",
            _lost_sticky,
            lambda: components.check_align(8, 10, 3),
        ),
        (
            macsmith.hw.round,
            "is_rounded_up",
            _no_sticky,
            lambda: components.check_round("e4m3", RNE),
        ),
        (
            macsmith.hw.encode,
            "stays_finite",
            lambda rounding, sign: Const(0),
            lambda: components.check_encode("e5m2", RUP, Overflow.INFINITY),
        ),
        (
            macsmith.hw.round_term,
            "shift_right_sticky",
            _lost_sticky,
            lambda: components.check_round_term("e5m4", "e4m3", RUP),
        ),
        (
            macsmith.hw.placement,
            "shift_left",
            _zero_fill,
            lambda: components.check_fixed_term("e4m3"),
        ),
        (
            macsmith.hw.convert,
            "is_rounded_up",
            _no_sticky,
            lambda: components.check_convert("e2m1:exact:outint4:rna"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, bug: Any, check: Callable[[], Outcome]
) -> None:
    monkeypatch.setattr(module, name, bug)
    assert check().wrong
