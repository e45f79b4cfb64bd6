"""Steps built for FPGAs, with carry chains, against the model."""

import random
from typing import Any

import macsmith.hw.chain
import macsmith.hw.chain_float
import macsmith.hw.chain_lane
import macsmith.hw.chain_step
import macsmith.hw.dsp_plan
import macsmith.hw.radix4
import pytest
from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from logic import Logic, block_verilog
from macsmith.hw.architecture import resolve_architecture
from macsmith.hw.block import Block
from macsmith.hw.chain import ChainSum
from macsmith.hw.dsp_plan import dsp_blocks
from macsmith.hw.radix4 import add_product_rows, small_product
from macsmith.hw.step import Unit
from macsmith.model.design import parse_design
from steps import Vectors, model_step, wrong_steps

DESIGNS = """
int8:int32 int4xuint3:int20:lanes3 uint5:int24:wrap:lanes2 int8:int18:clip int8:int16:clip:lanes5
uint8xint7:int30:lanes7 e4m3:exact e4m3:exact:lanes3 e5m2:exact:lanes2 e2m1:exact:lanes4
e4m3:int20:wrap:lanes3 int4xe3m2:exact:lanes2 e4m3:exact:mule4m3 e5m2fnuz:exact:lanes2
e5m2:exact:mule5m2:lanes2 e4m3xe5m2:exact:lanes5 bf16:exact:lanes2 e8m0ieeexe4m3:exact e3m2ns:exact
e4m3:exact/8/e6m9:lanes2 int8:int24/16/e6m9
"""


def test_designs_of_all_kinds() -> None:
    texts = DESIGNS.split()
    assert len(texts) > 15
    for index, text in enumerate(texts):
        family = ("ice40", "ecp5", "xilinx7")[index % 3]
        wrong = wrong_steps(f"{text}:fpga={family}", 1000)
        assert wrong == [], wrong[:2]


@pytest.mark.parametrize("text", ["int4:int9:clip:fpga=ice40", "e3m2:exact:fpga=xilinx7"])
def test_all_operand_pairs_and_many_sums(text: str) -> None:
    assert wrong_steps(text, 40000) == []


class _Product(Block):
    """All of a product of two integers."""

    a: Signal
    b: Signal
    o: Signal

    def __init__(self, a: tuple[int, bool], b: tuple[int, bool], digit_adders: bool) -> None:
        self.shapes, self.digit_adders = (a, b), digit_adders
        super().__init__("product", {"a": In(a[0]), "b": In(b[0]), "o": Out(a[0] + b[0] + 1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        (_, a_signed), (_, b_signed) = self.shapes
        chain = ChainSum(m, "add", len(self.o))
        add_product_rows(
            m, chain, "rows", self.a, a_signed, self.b, b_signed, digit_adders=self.digit_adders
        )
        m.d.comb += self.o.eq(chain.sum())
        return m


def _wrong_products(a: tuple[int, bool], b: tuple[int, bool], digit_adders: bool) -> list[str]:
    """All operand pairs."""
    pairs = [(x, y) for x in range(1 << a[0]) for y in range(1 << b[0])]
    logic = Logic(block_verilog(_Product(a, b, digit_adders)))
    got = logic(a=[x for x, _ in pairs], b=[y for _, y in pairs])["o"]

    def value(code: int, shape: tuple[int, bool]) -> int:
        bits, is_signed = shape
        return code - (1 << bits) if is_signed and code >> (bits - 1) else code

    assert len(got) == 1 << (a[0] + b[0])
    return [
        f"{a} {x} times {b} {y}: {result}"
        for (x, y), result in zip(pairs, got, strict=True)
        if result != value(x, a) * value(y, b) % (1 << (a[0] + b[0] + 1))
    ]


@pytest.mark.parametrize("digit_adders", [False, True])
def test_all_products(digit_adders: bool) -> None:
    shapes = [(2, True), (3, False), (3, True), (4, False), (4, True), (5, True), (6, False)]
    for a in shapes:
        for b in shapes:
            assert _wrong_products(a, b, digit_adders) == []


class _SmallProduct(_Product):
    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.o.eq(small_product(m, "small", self.a, self.b, len(self.o)))
        return m


@pytest.mark.parametrize(("a_bits", "b_bits"), [(1, 1), (1, 4), (3, 3), (4, 4), (3, 5), (6, 2)])
def test_all_small_products(monkeypatch: pytest.MonkeyPatch, a_bits: int, b_bits: int) -> None:
    monkeypatch.setattr(f"{__name__}._Product", _SmallProduct)
    assert _wrong_products((a_bits, False), (b_bits, False), False) == []


class _Rows(Block):
    """A sum of rows of all kinds."""

    rows: Signal
    o: Signal

    def __init__(self, rows: tuple[tuple[int, bool, int], ...], width: int) -> None:
        self.kinds = rows
        bits = sum(row[0] + 1 for row in rows)
        super().__init__("rows", {"rows": In(bits), "o": Out(width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        chain = ChainSum(m, "add", len(self.o))
        at = 0
        for bits, is_signed, weight in self.kinds:
            row, owed = self.rows[at : at + bits], self.rows[at + bits]
            at += bits + 1
            high = (1 << (bits - is_signed)) - 1
            low = -high - 1 if is_signed else 0
            chain.add(row, low, high + 1, weight, [(weight, owed)])
        m.d.comb += self.o.eq(chain.sum())
        return m


def _wrong_sums(seed: int) -> list[str]:
    rng = random.Random(seed)
    kinds = tuple(
        (rng.randint(1, 9), rng.random() < 0.5, rng.choice([0, 0, 0, 1, 2, 5, 12]))
        for _ in range(rng.randint(1, 9))
    )
    block = _Rows(kinds, rng.randint(1, 24))
    words = [rng.getrandbits(len(block.rows)) for _ in range(200)]
    words += [0, (1 << len(block.rows)) - 1]
    got = Logic(block_verilog(block))(rows=words)["o"]
    wrong: list[str] = []
    for word, result in zip(words, got, strict=True):
        at, total = 0, 0
        for bits, is_signed, weight in kinds:
            row, owed = word >> at & ((1 << bits) - 1), word >> (at + bits) & 1
            at += bits + 1
            if is_signed and row >> (bits - 1):
                row -= 1 << bits
            total += (row + owed) << weight
        if total % (1 << len(block.o)) != result:
            wrong.append(f"seed {seed} rows {kinds} width {len(block.o)} {word:#x}: {result:#x}")
    return wrong


def test_sums_of_rows() -> None:
    for seed in range(40):
        assert _wrong_sums(seed) == []


def _range_without_owed(low: int, high: int) -> int:
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length(), 1)


def _no_carry(value: Value, carry: Value) -> Value:
    return Cat(value, Const(0, 1))


@pytest.mark.parametrize(
    ("module", "name", "bug", "text"),
    [
        (macsmith.hw.chain, "_range_bits", _range_without_owed, "e4m3:exact:lanes2:fpga=ice40"),
        (macsmith.hw.radix4, "_increment", _no_carry, "int8:int32:fpga=xilinx7"),
        (
            macsmith.hw.chain_lane,
            "_fine_levels",
            lambda bits, amounts: 1,
            "e4m3:exact:fpga=ecp5",
        ),
    ],
    ids=["range", "digit", "blocks"],
)
def test_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, bug: Any, text: str
) -> None:
    monkeypatch.setattr(module, name, bug)
    assert wrong_steps(text, 2000)


FLOATS = """
e4m3:e6m9 e3m2:e6m5 e4m3:e8m7:rna e4m3:e6m9fnuz e4m3:e6m9fn e4m3:e6m9f e4m3:e6m9:sat e5m2:e8m9
e4m3:e6m9/64 e4m3xe2m1:e6m9:nan e5m2:e8m5b100 e4m3:e6m9b40 e4m3:e6m9:mule4m3 int8xe4m3:e8m23
"""


def test_float_sums() -> None:
    texts = FLOATS.split()
    assert len(texts) > 10
    for index, text in enumerate(texts):
        family = ("ice40", "ecp5", "xilinx7")[index % 3]
        wrong = wrong_steps(f"{text}:fpga={family}", 1500)
        assert wrong == [], wrong[:2]


def test_a_float_product_in_a_block() -> None:
    text = "fp16:fp32:fpga=ecp5:dsp=on"
    assert dsp_blocks(parse_design(text)) == 1
    assert wrong_steps(text, 1000) == []
    # a block forms no product of so few bits
    assert dsp_blocks(parse_design("e4m3:e6m9:fpga=ecp5:dsp=on")) == 0


def test_all_of_a_small_float_sum() -> None:
    """All codes of both operands and of the partial sum."""
    design = parse_design("e2m1:e5m3:fpga=ecp5")
    assert resolve_architecture(design.mac, design.implementation).path == "compact"
    codes = [(a, b, c) for a in range(16) for b in range(16) for c in range(512)]
    vectors = Vectors(
        [[a] for a, _, _ in codes],
        [[b] for _, b, _ in codes],
        [c for _, _, c in codes],
        [0] * len(codes),
    )
    got = Logic(block_verilog(Unit(design.mac, design.implementation)))(
        a=[a for a, _, _ in codes], b=[b for _, b, _ in codes], partial_sum_i=vectors.partial_sums
    )["partial_sum_o"]
    assert len(codes) == 1 << 17
    assert list(got) == model_step(design.mac, vectors)


def _no_inversion(x: Value, y: Value, carry: Value | int) -> Value:
    return RIGHT_PLUS(x, y, 0)


RIGHT_PLUS: Any = macsmith.hw.chain_float._plus


def test_a_lost_carry_in_a_float_sum_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(macsmith.hw.chain_float, "_plus", _no_inversion)
    assert wrong_steps("e4m3:e6m9:fpga=ecp5", 1000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e5m2:e6m9:fpga=ecp5", "path=compact can be built, but terms reach the subnormal numbers"),
        ("e4m3:e6m9:lanes2:fpga=ice40", "but 2 lanes are summed in fixed point first"),
        ("e4m3:e6m9_aligned7:fpga=ice40", "sums of aligned terms have no form"),
        ("e4m3:e6m9:path=single:fpga=ice40", "leaves no choice of path: leave path=single or"),
        ("int8xe4m3:e8m23:fpga=ecp5:dsp=on", "no product of two floats"),
        ("e4m3:e6m9:2x2:fpga=ecp5:dsp=on:pair=columns", "must have a sum in fixed point"),
    ],
)
def test_float_sums_without_a_form_for_fpgas(text: str, message: str) -> None:
    design = parse_design(text)
    with pytest.raises(ValueError, match=message):
        resolve_architecture(design.mac, design.implementation)


DSP_DESIGNS = """
int8:int32:lanes3:fpga=ice40 int8:int32:lanes3:fpga=ecp5 int8:int32:lanes3:fpga=xilinx7
e4m3:exact:lanes3:fpga=ice40 e4m3xe5m2:exact:lanes2:fpga=ecp5 bf16:exact:lanes2:fpga=ice40
int8xuint6:exact:lanes2:fpga=ice40 uint8:exact:lanes2:fpga=ice40 int8xe4m3:exact:lanes2:fpga=ice40
e2m1:exact:lanes2:fpga=xilinx7
"""


def test_designs_with_dsp_blocks() -> None:
    for text in DSP_DESIGNS.split():
        wrong = wrong_steps(f"{text}:dsp=on", 1000)
        assert wrong == [], wrong[:2]


def test_a_packing_too_tight_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        macsmith.hw.dsp_plan, "pack_two", lambda *bits: (bits[0] + bits[1], bits[0] + bits[1])
    )
    assert wrong_steps("e4m3:exact:lanes2:fpga=ice40:dsp=on", 2000)


@pytest.mark.parametrize("bits", [(3, 3), (4, 4), (3, 4), (5, 5)])
def test_packed_products_do_not_touch(bits: tuple[int, int]) -> None:
    offsets = macsmith.hw.dsp_plan.pack_two(*bits, 16, 16)
    assert offsets is not None
    i, j = offsets
    a_values, b_values = range(1 << bits[0]), range(1 << bits[1])
    corners_a, corners_b = {0, 1, max(a_values)}, {0, 1, max(b_values)}
    for a0 in a_values:
        for b0 in b_values:
            for a1 in corners_a:
                for b1 in corners_b:
                    product = (a0 + (a1 << i)) * (b0 + (b1 << j))
                    assert product % (1 << sum(bits)) == a0 * b0
                    assert product >> (i + j) == a1 * b1


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("int8:int32:lanes4:fpga=ice40:dsp=on", 2),
        ("int8:int32:lanes5:fpga=ice40:dsp=on:2x3", 18),
        ("int8:int32:lanes4:fpga=ecp5:dsp=on", 4),
        ("e4m3:exact:lanes8:fpga=xilinx7:dsp=on", 4),
        ("e4m3:exact:fpga=ice40:dsp=on", 0),
        ("e2m1:exact:lanes8:fpga=ice40:dsp=on", 0),
        ("bf16:exact:lanes2:fpga=ecp5:dsp=on", 2),
        ("int8:int32:lanes4:fpga=ecp5", 0),
        ("int8:int32:2x4:fpga=xilinx7:dsp=on", 4),
        ("int8:int32:2x4:fpga=xilinx7:dsp=on:pair=off", 8),
        ("int8:int32:2x3:fpga=xilinx7:dsp=on", 6),
        ("int8:int32:2x4:fpga=ice40:dsp=on", 4),
        ("int8:int32:2x4:fpga=ecp5:dsp=on", 8),
        ("int5:int32:2x4:fpga=ecp5:dsp=on", 4),
        ("uint6:int32:2x4:fpga=ecp5:dsp=on", 4),
        ("int6:int32:2x4:fpga=ecp5:dsp=on", 8),
        ("e4m3:exact:lanes3:2x2:fpga=ecp5:dsp=on", 6),
        ("e4m3:exact:lanes2:2x2:fpga=ecp5:dsp=on", 4),
        ("e4m3:exact/8/e6m9:2x2:fpga=ecp5:dsp=on", 0),
    ],
)
def test_planned_blocks(text: str, blocks: int) -> None:
    assert dsp_blocks(parse_design(text)) == blocks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fp32:exact:fpga=ecp5:dsp=on", r"24 x 24 bits; one MULT18X18D takes at most 18 x 18"),
        ("e4m3:exact:mule4m3:fpga=ecp5:dsp=on", r"products must be exact, not rounded to e4m3"),
    ],
)
def test_what_blocks_cannot_do(text: str, message: str) -> None:
    design = parse_design(text)
    with pytest.raises(ValueError, match=message):
        dsp_blocks(design)
    with pytest.raises(ValueError, match="dsp=on needs the family"):
        parse_design("int8:int32:dsp=on")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int8:int32:2x2:fpga=ecp5:dsp=on:pair=columns", "MULT18X18D cannot form two products of"),
        ("e4m3:exact/8/e6m9:4x2:fpga=ecp5:dsp=on:pair=columns", "one accumulator, not chunks"),
        ("int8:int32:2x3:fpga=xilinx7:dsp=on:pair=columns", "dsp=on and an even number of columns"),
        ("int8:int32:fpga=xilinx7:pair=columns", "dsp=on and an even number of columns"),
    ],
)
def test_columns_that_cannot_be_paired(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dsp_blocks(parse_design(text))


def _shared_products_wrong(signs: tuple[bool, bool], bits: tuple[int, int]) -> int:
    """All triples of operands."""
    block = macsmith.hw.chain_step.SharedMultiply(*bits, a_signed=signs[0], b_signed=signs[1])
    rows = [
        (a, b_0, b_1)
        for a in range(1 << bits[0])
        for b_0 in range(1 << bits[1])
        for b_1 in range(1 << bits[1])
    ]
    got = Logic(block_verilog(block))(
        **{name: [row[index] for row in rows] for index, name in enumerate(("a", "b_0", "b_1"))}
    )
    wrong = 0
    for at, row in enumerate(rows):
        a, b_0, b_1 = (
            code - (code >> (width - 1) << width) if is_signed else code
            for code, is_signed, width in zip(
                row, (signs[0], *[signs[1]] * 2), (bits[0], *[bits[1]] * 2), strict=True
            )
        )
        mask = (1 << sum(bits)) - 1
        second = got["product_1"][at] + got["borrow"][at] & mask
        wrong += (got["product_0"][at], second) != (a * b_0 & mask, a * b_1 & mask)
    return wrong


@pytest.mark.parametrize("a_signed", [False, True])
@pytest.mark.parametrize("b_signed", [False, True])
def test_all_products_with_an_operand_in_common(a_signed: bool, b_signed: bool) -> None:
    assert _shared_products_wrong((a_signed, b_signed), (4, 3)) == 0
    assert _shared_products_wrong((a_signed, b_signed), (3, 4)) == 0
